//! The data of figures of cost against quality: AUROC with its interval over the seconds of a training and of a test
//! image, a point a variant, a figure a K.

use std::collections::{BTreeMap, HashMap};

use harness_experiment::{ImageScore, Plan, Shots};
use harness_methods::Sees;
use harness_metrics::Metric;
use harness_records::Provenance;
use harness_tables::{IntervalRow, MethodRow};

use crate::figure_data::{CostFigure, CostPlot, CostPoint};

/// A variant's interval at a K, by metric and image score.
type Intervals<'a> = HashMap<(Shots, &'a str, Metric, Option<ImageScore>), &'a IntervalRow>;

/// A figure for each K of the table of methods.
pub(crate) fn figures(
    plan: &Plan,
    methods: &[MethodRow],
    intervals: &[IntervalRow],
    provenance: Option<&Provenance>,
) -> Vec<CostFigure> {
    let Some(first) = methods.first() else { return Vec::new() };
    let own: BTreeMap<&str, bool> =
        plan.datasets.iter().map(|dataset| (dataset.name.as_str(), dataset.facts.has_masks)).collect();
    // Means over datasets are made where nothing is transferred.
    let transfers = plan.cells.iter().any(|cell| cell.dataset != cell.trained_on);
    let shots: Vec<Shots> = plan.shots.iter().copied().filter(|k| methods.iter().any(|row| row.shots == *k)).collect();
    let masked: Vec<&str> = own.iter().filter(|(_, masks)| **masks).map(|(name, _)| *name).collect();
    let all: Vec<&str> = own.keys().copied().collect();
    let over = |datasets: &[&str]| match datasets {
        [] => None,
        [one] => Some((*one).to_owned()),
        _ => (!transfers).then(String::new),
    };
    let by_name = |dataset: Option<String>| -> Intervals<'_> {
        let Some(dataset) = dataset else { return HashMap::new() };
        let here = intervals.iter().filter(|row| {
            (&row.backend, row.selection) == (&first.backend, first.selection)
                && row.dataset == dataset
                && row.trained_on == dataset
        });
        here.map(|row| ((row.shots, row.variant.as_str(), row.metric, row.image_score), row)).collect()
    };
    let (of_images, of_pixels) = (by_name(over(&all)), by_name(over(&masked)));
    // A mean by the map's maximum is over all datasets only where all have masks.
    let scores: Vec<ImageScore> =
        ImageScore::ALL.into_iter().filter(|score| *score != ImageScore::MapMax || masked.len() == all.len()).collect();
    let on = machine(plan, first, provenance);
    let figure = |shots: Shots| {
        let rows: Vec<&MethodRow> = methods.iter().filter(|row| row.shots == shots).collect();
        let image = Plot::of(&rows, &|row| {
            scores.iter().find_map(|score| {
                let found = of_images.get(&(shots, row.variant.as_str(), Metric::ImageAuroc, Some(*score)))?;
                Some((*found, Some(*score)))
            })
        });
        let pixel = Plot::of(&rows, &|row| {
            [None, Some(ImageScore::MapMax)].into_iter().find_map(|score| {
                let found = of_pixels.get(&(shots, row.variant.as_str(), Metric::PixelAuroc, score))?;
                Some((*found, None))
            })
        });
        let mut caption = format!(
            "Cost against quality: K = {}, selection {}, {}. Points: {} over draws and seeds with {:.0} % intervals of the bootstrap. \
             Seconds to fit: the median training beyond encoding, of this K; \"no training\": nothing is learnt from support \
             images. Seconds a test image: scoring by one state beyond encoding. Lines lead to names. Times are those in the \
             records, {on}.",
            shots.explained(),
            first.selection.name(),
            first.backend,
            if all.len() > 1 { "means over datasets of means" } else { "means" },
            intervals.first().map_or(0.95, |row| row.level) * 100.0,
        );
        let mut plots = Vec::new();
        for (measure, plot) in [("Image AUROC", image), ("Pixel AUROC", pixel)] {
            if plot.points.is_empty() {
                continue;
            }
            caption += &plot.words(measure);
            plots.push(CostPlot { measure: measure.to_owned(), points: plot.points, remark: String::new() });
        }
        (!plots.is_empty()).then(|| CostFigure {
            name: format!("cost-k{shots}"),
            caption,
            selection: first.selection,
            plots,
        })
    };
    shots.into_iter().filter_map(figure).collect()
}

/// The points of a measure, and what a caption has to say of them.
#[derive(Default)]
struct Plot {
    points: Vec<CostPoint>,
    by_score: BTreeMap<ImageScore, Vec<String>>,
    left_out: Vec<String>,
}

impl Plot {
    fn of<'a>(
        rows: &[&'a MethodRow],
        interval: &dyn Fn(&'a MethodRow) -> Option<(&'a IntervalRow, Option<ImageScore>)>,
    ) -> Self {
        let mut plot = Self::default();
        for row in rows {
            let Some((found, score)) = interval(row) else {
                plot.left_out.push(row.variant.clone());
                continue;
            };
            if let Some(score) = score {
                plot.by_score.entry(score).or_default().push(row.variant.clone());
            }
            plot.points.push(CostPoint {
                label: row.variant.clone(),
                value: found.mean,
                interval: (found.low, found.high),
                fit: row.fit_secs.filter(|_| row.sees != Sees::Nothing.name()),
                trains: row.sees != Sees::Nothing.name(),
                image: row.score_rate.filter(|rate| *rate > 0.0).map(|rate| 1.0 / rate),
            });
        }
        plot
    }

    /// What the axis does not say: image scores, and who has no number.
    fn words(&self, measure: &str) -> String {
        let mut words = String::new();
        let scores: Vec<&ImageScore> = self.by_score.keys().collect();
        match scores.as_slice() {
            [] => {}
            [one] => words += &format!(" {measure} is by {}.", one.name()),
            [one, others @ ..] => {
                words += &format!(" {measure} is by {}", one.name());
                for other in others {
                    words += &format!("; of {} by {}", self.by_score[*other].join(", "), other.name());
                }
                words.push('.');
            }
        }
        if !self.left_out.is_empty() {
            words += &format!(" Without {measure} on every dataset: {}.", self.left_out.join(", "));
        }
        words
    }
}

/// Where times were measured, as far as it is known: the folder was last run there.
fn machine(plan: &Plan, first: &MethodRow, provenance: Option<&Provenance>) -> String {
    let backend = plan.backends.iter().find(|backend| backend.name == first.backend);
    let backend = backend.map(|backend| format!("{} {} on {}", backend.name, backend.version, backend.device));
    let threads = |count| match count {
        0 => "all threads of the machine".to_owned(),
        1 => "1 thread".to_owned(),
        more => format!("{more} threads"),
    };
    let processor =
        provenance.map(|provenance| format!("{} with {}", provenance.cpu_level, threads(provenance.threads)));
    let backend = backend.unwrap_or_else(|| first.backend.clone());
    match processor {
        Some(processor) => format!("measured by {backend}; the folder was last run on {processor}"),
        None => format!("measured by {backend}; on which processor is not known"),
    }
}
