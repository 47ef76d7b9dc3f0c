//! How often 95 % intervals of the bootstrap hold the true value, in simulated evaluations whose truth is known:
//! `cargo run --release -p harness-metrics --example coverage [simulations]`. Its output is in the documentation of the
//! module `bootstrap`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for people to look at")]

use std::collections::BTreeMap;

use harness_method::streams::Stream;
use harness_metrics::{
    Interval, Maps, Metric, MetricValues, PixelHistograms, PixelMetrics, PixelTruth, Repetition, Replicates,
    Resampling, all_metrics, nested,
};
use rayon::prelude::*;

const LEVEL: f64 = 0.95;
/// Pixels a side of a simulated map.
const SIDE: usize = 16;
/// How many times as large a sample is that stands for the truth.
const LARGE: usize = 2000;

fn main() {
    let simulations: u64 = std::env::args().nth(1).map_or(2000, |text| text.parse().unwrap());
    println!("{simulations} simulations, {} resamples each, {:.0} % intervals", Resampling::RESAMPLES, 100.0 * LEVEL);
    for (normal, abnormal, distance) in [(100, 100, 1.2), (60, 120, 1.8), (100, 100, 2.9), (40, 40, 1.8)] {
        images(simulations, normal, abnormal, distance);
    }
    for (count, distance) in [(100, 1.0), (200, 2.0)] {
        pixels(simulations, count, distance);
    }
    patients(simulations);
    for (draws, seeds) in [(1, 3), (2, 2), (3, 1), (3, 3), (5, 2)] {
        trainings(simulations, draws, seeds);
    }
}

/// Independent images: a metric of one variant, and its difference to a weaker one on the same images.
fn images(simulations: u64, normal: usize, abnormal: usize, distance: f64) {
    let labels: Vec<bool> = (0..normal + abnormal).map(|image| image >= normal).collect();
    let scores = |random: &mut Random, labels: &[bool], gap: f64| -> [Vec<f64>; 2] {
        let images = labels.iter().map(|abnormal| {
            let shared = 0.7_f64.sqrt() * random.normal();
            [distance, distance - gap]
                .map(|d| shared + 0.3_f64.sqrt() * random.normal() + if *abnormal { d } else { 0.0 })
        });
        let images: Vec<[f64; 2]> = images.collect();
        [0, 1].map(|variant| images.iter().map(|scores| scores[variant]).collect())
    };
    let large: Vec<bool> = labels.iter().flat_map(|label| vec![*label; LARGE]).collect();
    let truth = scores(&mut Random::new("truth", 0), &large, 0.3).map(|s| all_metrics(&large, &s, None).unwrap());
    let title = format!("{normal} + {abnormal} images, image_auroc {:.3}", truth[0].image.auroc);
    simulate(&title, simulations, |simulation| {
        let mut random = Random::new("images", simulation);
        let resampling = Resampling::new("images", simulation, Resampling::RESAMPLES, &labels).unwrap();
        let measure = |scores: [Vec<f64>; 2]| scores.map(|scores| resampling.metrics(&scores, None).unwrap());
        let [a, b] = measure(scores(&mut random, &labels, 0.3));
        let mut found = compare(truth[0].iter().map(|(metric, _)| metric), truth, &a, &b);
        let [a, b] = measure(scores(&mut random, &labels, 0.0));
        let p = a[&Metric::ImageAuroc].minus(&b[&Metric::ImageAuroc]).unwrap().p_value().unwrap();
        let rejected = if p < 1.0 - LEVEL { Side::Below } else { Side::Inside };
        found.push(("image_auroc, p where none differs".into(), rejected));
        found
    });
}

/// Maps of independent images, of which half have a rectangular lesion; images and lesions differ in level. Two
/// variants that share part of what varies.
fn pixels(simulations: u64, count: usize, distance: f64) {
    let evaluate = |random: &mut Random, images: usize| {
        let mut truth = PixelTruth::new(SIDE, SIDE).unwrap();
        let mut maps = [Vec::new(), Vec::new()];
        for image in 0..images {
            let [(x, width), (y, height)] = [0, 1].map(|_| {
                let length = if image % 2 == 1 { 1 + random.below(6) } else { 0 };
                (random.below(SIDE - length + 1), length)
            });
            let inside = |i: usize| (x..x + width).contains(&(i % SIDE)) && (y..y + height).contains(&(i / SIDE));
            truth.push(&(0..SIDE * SIDE).map(|i| u8::from(inside(i))).collect::<Vec<u8>>()).unwrap();
            let (level, lesion) = (0.4 * random.normal(), 0.4 * random.normal());
            for (map, distance) in maps.iter_mut().zip([distance, distance - 0.2]) {
                let (level, lesion) = (level + 0.3 * random.normal(), distance + lesion + 0.3 * random.normal());
                let mut score = |i| (level + random.normal() + if inside(i) { lesion } else { 0.0 }) as f32;
                map.extend((0..SIDE * SIDE).map(&mut score));
            }
        }
        maps.map(|maps| {
            let maps = Maps::new(&maps, SIDE * SIDE).unwrap();
            PixelMetrics::with_histograms(&truth, &maps, PixelHistograms::BINS).unwrap()
        })
    };
    let labels: Vec<bool> = (0..count).map(|image| image % 2 == 1).collect();
    let scores = vec![0.0; count];
    let image = all_metrics(&labels, &scores, None).unwrap().image;
    let truth =
        evaluate(&mut Random::new("truth", 0), 50 * LARGE).map(|(pixel, _)| MetricValues { image, pixel: Some(pixel) });
    let [auroc, ap] = [Metric::PixelAuroc, Metric::PixelAp].map(|metric| truth[0].get(metric).unwrap());
    let title = format!("{} + {} maps, pixel_auroc {auroc:.3}, pixel_ap {ap:.3}", count / 2, count / 2);
    simulate(&title, simulations, |simulation| {
        let resampling = Resampling::new("pixels", simulation, Resampling::RESAMPLES, &labels).unwrap();
        let [a, b] = evaluate(&mut Random::new("pixels", simulation), count)
            .map(|(_, histograms)| resampling.metrics(&scores, Some(&histograms)).unwrap());
        compare(Metric::ALL.into_iter().filter(|metric| metric.needs_masks()), truth, &a, &b)
    });
}

/// Where the truth lies for the first variant's metrics and for its differences to the second's.
fn compare(
    metrics: impl Iterator<Item = Metric>,
    truth: [MetricValues; 2],
    a: &BTreeMap<Metric, Replicates>,
    b: &BTreeMap<Metric, Replicates>,
) -> Vec<(String, Side)> {
    let of_metric = |metric: Metric| {
        let [true_a, true_b] = truth.map(|truth| truth.get(metric).unwrap());
        let difference = a[&metric].minus(&b[&metric]).unwrap().interval(LEVEL).unwrap();
        let alone = side(true_a, a[&metric].interval(LEVEL).unwrap());
        [(metric.to_string(), alone), (format!("{metric}, difference"), side(true_a - true_b, difference))]
    };
    metrics.flat_map(of_metric).collect()
}

/// Patients with one to five images each that share most of their variation, a half of them normal, a quarter abnormal
/// and a quarter with images of both classes; resampled by patient and, to show why, by image.
fn patients(simulations: u64) {
    const PATIENTS: usize = 60;
    let evaluate = |random: &mut Random, patients: usize| {
        let (mut labels, mut names, mut scores) = (Vec::new(), Vec::new(), Vec::new());
        for patient in 0..patients {
            let level = 0.8 * random.normal();
            for _ in 0..1 + random.below(5) {
                let abnormal = match patient % 4 {
                    0 | 1 => false,
                    2 => true,
                    _ => random.uniform() < 0.5,
                };
                labels.push(abnormal);
                names.push(Some(patient.to_string()));
                scores.push(level + 0.6 * random.normal() + if abnormal { 1.5 } else { 0.0 });
            }
        }
        (labels, names, scores)
    };
    let (labels, _, scores) = evaluate(&mut Random::new("truth", 0), PATIENTS * LARGE);
    let truth = all_metrics(&labels, &scores, None).unwrap().image.auroc;
    let title = format!("{PATIENTS} patients, image_auroc {truth:.3}");
    simulate(&title, simulations, |simulation| {
        let (labels, names, scores) = evaluate(&mut Random::new("patients", simulation), PATIENTS);
        let name = "patients";
        let by_patient = Resampling::of_patients(name, simulation, Resampling::RESAMPLES, &labels, &names).unwrap();
        let by_image = Resampling::new(name, simulation, Resampling::RESAMPLES, &labels).unwrap();
        let both = [("image_auroc, by patient", by_patient), ("image_auroc, by image", by_image)];
        let found = both.into_iter().map(|(what, resampling)| {
            let metrics = resampling.metrics(&scores, None).unwrap();
            (what.to_owned(), side(truth, metrics[&Metric::ImageAuroc].interval(LEVEL).unwrap()))
        });
        found.collect()
    });
}

/// Two variants, trained on several support draws with several seeds, which all shift how far the classes lie apart.
fn trainings(simulations: u64, draws: usize, seeds: usize) {
    const IMAGES: usize = 120;
    const DISTANCES: [f64; 2] = [1.5, 1.2];
    // Standard deviations: of a draw (none can be seen where there is one), of a draw for one variant, of a seed.
    let (draw_deviation, own_deviation) = if draws > 1 { (0.2, 0.1) } else { (0.0, 0.0) };
    let seed_deviation: f64 = 0.1;
    let labels: Vec<bool> = (0..IMAGES).map(|image| image % 2 == 1).collect();
    let shifts = draw_deviation * draw_deviation + own_deviation * own_deviation + seed_deviation * seed_deviation;
    let truth = DISTANCES.map(|distance| probability_below(distance / f64::sqrt(2.0 + shifts)));
    let title = format!("{IMAGES} images, {draws} draws x {seeds} seeds, image_auroc {:.3}", truth[0]);
    simulate(&title, simulations, |simulation| {
        let mut random = Random::new("trainings", simulation);
        let resampling = Resampling::new("trainings", simulation, Resampling::RESAMPLES, &labels).unwrap();
        let shared: Vec<f64> = labels.iter().map(|_| 0.8 * random.normal()).collect();
        let mut found: [Vec<(u64, u64, Replicates)>; 2] = [Vec::new(), Vec::new()];
        for draw in 0..draws {
            let of_draw = draw_deviation * random.normal();
            for (variant, distance) in DISTANCES.into_iter().enumerate() {
                let of_draw = distance + of_draw + own_deviation * random.normal();
                for seed in 0..seeds {
                    let distance = of_draw + seed_deviation * random.normal();
                    let images = labels.iter().zip(&shared);
                    let scores: Vec<f64> = images
                        .map(|(abnormal, shared)| {
                            shared + 0.6 * random.normal() + if *abnormal { distance } else { 0.0 }
                        })
                        .collect();
                    let metrics = resampling.metrics(&scores, None).unwrap();
                    found[variant].push((draw as u64, seed as u64, metrics[&Metric::ImageAuroc].clone()));
                }
            }
        }
        let [a, b] = found.map(|trainings| {
            let repetitions = trainings.iter();
            let repetitions: Vec<Repetition<'_>> = repetitions
                .map(|(draw, seed, replicates)| Repetition { draw: *draw, seed: *seed, replicates })
                .collect();
            nested("trainings", simulation, &repetitions).unwrap()
        });
        let difference = a.minus(&b).unwrap().interval(LEVEL).unwrap();
        vec![
            ("image_auroc".to_owned(), side(truth[0], a.interval(LEVEL).unwrap())),
            ("image_auroc, difference".to_owned(), side(truth[0] - truth[1], difference)),
        ]
    });
}

/// Where the truth lies.
#[derive(Clone, Copy)]
enum Side {
    Below,
    Inside,
    Above,
}

fn side(truth: f64, interval: Interval) -> Side {
    match truth {
        _ if truth < interval.low => Side::Below,
        _ if truth > interval.high => Side::Above,
        _ => Side::Inside,
    }
}

/// Runs a setting and prints, for each quantity, how often the interval held the truth and missed it to either side.
fn simulate(title: &str, simulations: u64, simulation: impl Fn(u64) -> Vec<(String, Side)> + Sync + Send) {
    let found: Vec<Vec<(String, Side)>> = (0..simulations).into_par_iter().map(simulation).collect();
    let mut counts: BTreeMap<String, [u32; 3]> = BTreeMap::new();
    for (what, side) in found.into_iter().flatten() {
        counts.entry(what).or_default()[side as usize] += 1;
    }
    println!("{title}");
    for (what, count) in counts {
        let [below, inside, above] = count.map(|count| 100.0 * f64::from(count) / simulations as f64);
        println!("  {what:34} {inside:5.1} %  (below the interval {below:4.1}, above {above:4.1})");
    }
}

/// The draws of one simulation.
struct Random {
    stream: Stream,
    drawn: u64,
}

impl Random {
    fn new(what: &str, simulation: u64) -> Self {
        Self { stream: Stream::new(&format!("{what}.{simulation}"), simulation), drawn: 0 }
    }

    fn uniform(&mut self) -> f64 {
        self.drawn += 1;
        self.stream.uniform(self.drawn - 1)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.uniform() * count as f64) as usize
    }

    /// Box and Muller's.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// Of the normal distribution.
fn probability_below(z: f64) -> f64 {
    0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
}
