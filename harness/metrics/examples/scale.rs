//! Times all pixel metrics and the bootstrap at the size of the largest test sets with masks, 3,715 maps of 240 x 240,
//! and reports peak memory: `cargo run --release -p harness-metrics --example scale [images]`. Grids and lesions are
//! drawn, no file is read.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for people to look at")]

use std::time::Instant;

use harness_metrics::{
    GridMaps, ImageMetrics, Interval, MapSource, MetricValues, PixelHistograms, PixelMetrics, PixelTruth, Resampling,
    map_maxima,
};

const TAPS: usize = 4;
const GRID: usize = 17;
const SIZE: usize = 240;

/// SplitMix64 as uniform numbers in 0..1.
struct Uniform(u64);

impl Uniform {
    fn draw(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 24) as f32
    }
}

fn main() {
    let images: usize = std::env::args().nth(1).map_or(3715, |text| text.parse().unwrap());
    let mut uniform = Uniform(1);
    let mut grids = Vec::with_capacity(images * TAPS * GRID * GRID);
    let mut truth = PixelTruth::new(SIZE, SIZE).unwrap();
    for image in 0..images {
        // An abnormal image has one to three elliptic lesions of 5 to 45 pixels' radius.
        let lesions: Vec<[f32; 4]> = (0..if is_abnormal(image) { 1 + image % 3 } else { 0 })
            .map(|_| {
                [(40.0, 160.0), (40.0, 160.0), (5.0, 40.0), (5.0, 30.0)]
                    .map(|(low, width)| low + width * uniform.draw())
            })
            .collect();
        let distance = |x: f32, y: f32| {
            let to = |l: &[f32; 4]| ((x - l[0]) / l[2]).powi(2) + ((y - l[1]) / l[3]).powi(2);
            lesions.iter().map(to).fold(f32::INFINITY, f32::min)
        };
        let mask: Vec<u8> =
            (0..SIZE * SIZE).map(|i| u8::from(distance((i % SIZE) as f32, (i / SIZE) as f32) <= 1.0)).collect();
        truth.push(&mask).unwrap();
        for _ in 0..TAPS {
            for point in 0..GRID * GRID {
                let at = |i: usize| i as f32 * (SIZE - 1) as f32 / (GRID - 1) as f32;
                let lift = 1.2 * (-0.5 * distance(at(point % GRID), at(point / GRID))).exp();
                grids.push(-1.5 + lift + 2.4 * (uniform.draw() - 0.5));
            }
        }
    }
    let maps = GridMaps::new(&grids, TAPS, GRID, SIZE).unwrap();
    println!(
        "{images} images, {:.1} million pixels, {:.2} % in {} lesions; {} threads; {}",
        (maps.images() * maps.pixels()) as f64 / 1e6,
        100.0 * truth.abnormal_pixels() as f64 / (maps.images() * maps.pixels()) as f64,
        truth.regions(),
        std::thread::available_parallelism().unwrap(),
        memory(),
    );
    timed("map_maxima", || map_maxima(&maps).unwrap().into_iter().fold(0.0, f32::max));
    timed("pixel_auroc", || PixelMetrics::auroc_only(&truth, &maps).unwrap());
    let all = timed("all pixel metrics", || PixelMetrics::compute(&truth, &maps).unwrap());
    println!("{all:?}");
    let (_, histograms) = timed("all pixel metrics and histograms", || {
        PixelMetrics::with_histograms(&truth, &maps, PixelHistograms::BINS).unwrap()
    });
    let parts = histograms.parts();
    let entries = parts.normal.bins.len() + parts.lesion.bins.len();
    println!("{} bins, {entries} entries of 6 bytes", histograms.bins());

    let labels: Vec<bool> = (0..images).map(is_abnormal).collect();
    let scores = map_maxima(&maps).unwrap();
    let resampling = Resampling::new("scale", 0, Resampling::RESAMPLES, &labels).unwrap();
    timed("2,000 resamples of image metrics", || resampling.metrics(&scores, None).unwrap());
    let bootstrap = timed("2,000 resamples of all metrics", || resampling.metrics(&scores, Some(&histograms)).unwrap());
    let image = ImageMetrics::compute(&labels, &scores).unwrap();
    for (metric, exact) in (MetricValues { image, pixel: Some(all) }).iter() {
        let replicates = &bootstrap[&metric];
        let (Interval { low, high }, error) = (replicates.interval(0.95).unwrap(), replicates.value - exact);
        println!("{metric}: {exact:.5} ({low:.5} to {high:.5}), error of histograms {error:.1e}");
    }
}

/// Two of five images.
fn is_abnormal(image: usize) -> bool {
    image % 5 < 2
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let value = work();
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!("{what}: {wall:.2} s, {cpu:.2} s of processor time; {}", memory());
    value
}

/// Peak resident memory so far, where the system tells it.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    format!("peak {}", peak.map_or("unknown", str::trim))
}

/// User and system time of the process, in seconds; 0 where the system does not tell.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}
