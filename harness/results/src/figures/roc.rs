//! The data of ROC figures: the curve of a training, or the mean of several and the band they span.

use std::collections::BTreeSet;

use harness_experiment::{Cell, ImageScore, Plan, Selection};
use harness_metrics::{Metric, roc_curve};
use harness_records::{CellRecords, CellResult, Folder};

use super::{Group, scores_of};
use crate::error::Error;
use crate::figure_data::{RocFigure, RocSeries};

/// Most trainings of a variant that its mean and band are made from: a band does not need more, and each is a file to
/// read.
const MOST: usize = 20;

/// Distances of false-positive rates at which curves are averaged.
const STEPS: usize = 200;

/// One training's curve.
struct Curve {
    /// False-positive and true-positive rate, ascending.
    points: Vec<(f64, f64)>,
    auroc: f64,
}

impl Group<'_> {
    /// The figure of a group: a line a variant. `None` where nothing is done.
    pub(crate) fn roc(&self, plan: &Plan, folder: &Folder, records: &CellRecords) -> Result<Option<RocFigure>, Error> {
        let (mut series, mut counts, mut first) = (Vec::new(), BTreeSet::new(), None);
        for variant in &plan.variants {
            let (mut curves, mut seen) = (Vec::new(), BTreeSet::new());
            for cell in self.cells.iter().filter(|cell| cell.variant == variant.name) {
                if curves.len() == MOST {
                    break;
                }
                // Cells that share a record are one training.
                if !seen.insert(cell.evaluation) {
                    continue;
                }
                let Some(done) = records.cell(cell).done() else { continue };
                let Some((score, epoch)) = done.first() else { continue };
                let Some((labels, scores)) = scored(folder, cell, &done, (score, epoch))? else { continue };
                let points = roc_curve(&labels, &scores)?;
                let points = points.iter().map(|point| (point.false_positive_rate, point.true_positive_rate)).collect();
                curves.push(Curve { points, auroc: auroc(&done, score, epoch).unwrap_or(f64::NAN) });
                first.get_or_insert((*cell, score));
            }
            if !curves.is_empty() {
                counts.insert(curves.len());
                // Of one state none was chosen.
                let rule = if plan.states(variant) == 1 { Selection::Last } else { self.selection };
                series.push(line(&variant.name, rule, &curves));
            }
        }
        let Some((cell, score)) = first else { return Ok(None) };
        let several = counts.last().is_some_and(|most| *most > 1);
        let words = if several { self.condition() } else { self.words(plan, cell) };
        let mut caption = format!("Image-level ROC by {}, selection {}: {words}.", score.name(), self.selection.name());
        let mut bands = "";
        if let (true, Some(low), Some(high)) = (several, counts.first(), counts.last()) {
            let n = if low < high { format!("{low} to {high}") } else { low.to_string() };
            caption +=
                &format!(" Lines: means over draws and seeds at each false-positive rate, n = {n} trainings each.");
            bands = " Bands: pointwise, from the lowest to the highest of them; they say how trainings differ, not how sure a \
                     curve is.";
        }
        Ok(Some(RocFigure { name: self.name(plan, "roc"), caption, bands: bands.to_owned(), series }))
    }
}

/// Image AUROC by a score at an epoch.
fn auroc(done: &CellResult<'_>, score: ImageScore, epoch: u32) -> Option<f64> {
    done.metrics(epoch)?.get(Metric::ImageAuroc, Some(score))
}

/// Labels of test images, and their scores.
type Scored = (Vec<bool>, Vec<f64>);

/// Those of a cell's test images, read from beside its replicates, else from the table of scores. `None` where an image
/// has no such score.
fn scored(
    folder: &Folder,
    cell: &Cell,
    done: &CellResult<'_>,
    (score, epoch): (ImageScore, u32),
) -> Result<Option<Scored>, Error> {
    if let Some(index) = &done.evaluated.replicates {
        let mut file = index.file()?;
        if let Some(scores) = file.scores(epoch, score)? {
            return Ok(Some((file.labels()?, scores.into_iter().map(f64::from).collect())));
        }
    }
    let rows = scores_of(folder, cell, epoch)?;
    let scores: Option<Vec<f64>> = rows.iter().map(|row| row.score(score)).collect();
    Ok(scores.map(|scores| (rows.iter().map(|row| row.label).collect(), scores)))
}

/// The line of a variant, and the band of several trainings.
fn line(label: &str, selection: Selection, curves: &[Curve]) -> RocSeries {
    let count = curves.len() as f64;
    let auroc = curves.iter().map(|curve| curve.auroc).sum::<f64>() / count;
    if let [curve] = curves {
        return RocSeries { label: label.to_owned(), selection, points: curve.points.clone(), band: Vec::new(), auroc };
    }
    let (mut points, mut band) = (vec![(0.0, 0.0)], Vec::new());
    for step in 0..=STEPS {
        let x = step as f64 / STEPS as f64;
        let rates: Vec<f64> = curves.iter().map(|curve| at(&curve.points, x)).collect();
        points.push((x, (rates.iter().sum::<f64>() / count).min(1.0)));
        let (low, high) = rates.iter().fold((1.0_f64, 0.0_f64), |(low, high), rate| (low.min(*rate), high.max(*rate)));
        band.push((x, low, high));
    }
    RocSeries { label: label.to_owned(), selection, points, band, auroc }
}

/// The true-positive rate a curve reaches at a false-positive rate.
fn at(points: &[(f64, f64)], x: f64) -> f64 {
    // The last point that is not right of `x`: where a curve rises straight up, its top.
    let next = points.partition_point(|(rate, _)| *rate <= x);
    match (next.checked_sub(1).and_then(|last| points.get(last)), points.get(next)) {
        (Some((_, y)), None) => *y,
        (Some((x0, y0)), Some((x1, y1))) => y0 + (y1 - y0) * (x - x0) / (x1 - x0),
        (None, _) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_trainings_are_their_mean_and_what_they_span() {
        let perfect = Curve { points: vec![(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)], auroc: 1.0 };
        let chance = Curve { points: vec![(0.0, 0.0), (1.0, 1.0)], auroc: 0.5 };
        let line = line("a", Selection::Last, &[perfect, chance]);
        assert_eq!(line.auroc, 0.75);
        assert_eq!((line.points[0], line.points[1], line.points[STEPS + 1]), ((0.0, 0.0), (0.0, 0.5), (1.0, 1.0)));
        assert_eq!(line.band[STEPS / 2], (0.5, 0.5, 1.0));
    }

    #[test]
    fn a_single_training_keeps_its_curve_and_has_no_band() {
        let points = vec![(0.0, 0.0), (0.1, 0.4), (1.0, 1.0)];
        let line = line("a", Selection::Last, &[Curve { points: points.clone(), auroc: 0.6 }]);
        assert_eq!((line.points, line.band.len()), (points, 0));
    }
}
