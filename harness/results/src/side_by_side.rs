//! Two variants or two cells side by side: the paired difference of each metric, read off stored replicates.

use std::collections::BTreeSet;

use harness_experiment::{Cell, ImageScore, Plan, Selection, Shots};
use harness_metrics::{Difference, Metric, Replicates};
use harness_records::{CellRecords, CellResult, Detail, Folder};

use crate::averages::{Averages, rank};
use crate::comparisons::quantities;
use crate::error::Error;
use crate::families::{FamilyKey, Quantity, families};
use crate::statistics::{LEVEL, Pairs};

/// One minus another, by one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct SideBySide {
    /// What both numbers are of.
    pub of: Compared,
    /// Which metric.
    pub metric: Metric,
    /// The image score; `None` for pixel metrics that do not depend on it.
    pub image_score: Option<ImageScore>,
    /// Both numbers, fractions: means over the trainings that both have.
    pub values: [f64; 2],
    /// Ends of the difference's interval.
    pub interval: [f64; 2],
    /// Level of the interval.
    pub level: f64,
    /// Two-sided, of no difference; not adjusted.
    pub p: f64,
    /// Pairs of trainings behind it.
    pub count: u64,
}

/// What two numbers that are compared have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The dataset that was scored; empty for the mean over the experiment's.
    pub dataset: String,
    /// The one that was trained on.
    pub trained_on: String,
    /// Support images.
    pub shots: Shots,
    /// Who computed.
    pub backend: String,
    /// Rule that chose the epoch.
    pub selection: Selection,
}

/// Two variants of a plan on the draws and seeds that both have, for each dataset and the mean over them, K, backend
/// and rule; by these metrics, in that order.
///
/// # Errors
/// Replicates that can't be read.
pub fn compare_variants(
    plan: &Plan,
    folder: &Folder,
    [one, other]: [&str; 2],
    metrics: &[Metric],
) -> Result<Vec<SideBySide>, Error> {
    let of_both = |cell: &&Cell| cell.variant == one || cell.variant == other;
    let cells: Vec<Cell> = plan.cells.iter().filter(of_both).cloned().collect();
    let plan = Plan { cells, ..plan.clone() };
    let records = CellRecords::read(folder, plan.cells.iter(), Detail::Replicates);
    let all = families(&plan, &records);
    let index = |name: &str| all.names.variants.iter().position(|known| known == name);
    let (Some(one), Some(other)) = (index(one), index(other)) else { return Ok(Vec::new()) };
    let mut keys: Vec<FamilyKey> = all.families.keys().copied().filter(|key| metrics.contains(&key.metric)).collect();
    keys.sort_by_key(|key| (key.shots, key.backend, key.selection, rank(key.metric), key.score));
    let mut found = Vec::new();
    for key in keys {
        let pair = |quantity: Quantity| [quantity, Quantity { variant: other, ..quantity }];
        let of_one = quantities(&all, key).into_iter().filter(|quantity| quantity.variant == one);
        let pairs: Vec<[Quantity; 2]> = of_one.map(pair).filter(|[_, other]| all.is_planned(*other)).collect();
        let averages = Averages::read(&all, &[], &pairs)?;
        let averaged = all.averaged(key);
        let compared = Pairs::of(&averages, &pairs).with_means(averaged.as_deref())?;
        for (condition, variants) in &compared.0 {
            let Some([one, other]) = variants.get(&one) else { continue };
            let Some(difference) = one.minus(other)? else { continue };
            let (dataset, trained_on) = all.names.condition(*condition);
            let of = Compared {
                dataset,
                trained_on,
                shots: all.names.shots[key.shots],
                backend: all.names.backends[key.backend].clone(),
                selection: all.names.selection[key.selection],
            };
            let values = [one.mean, other.mean];
            found.push(row(of, (key.metric, key.score), values, &difference, one.count)?);
        }
    }
    // All metrics of what they have in common stand together.
    let mut order: Vec<Compared> = Vec::new();
    for row in &found {
        if !order.contains(&row.of) {
            order.push(row.of.clone());
        }
    }
    found.sort_by_key(|row| order.iter().position(|of| *of == row.of));
    Ok(found)
}

/// Why two cells have no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncompared {
    /// One of them, the first or the second, is not done.
    NotDone(usize),
    /// They were scored on other images, or with other labels.
    OtherImages,
}

/// Two cells that were scored on the same images, each in its results folder; by these metrics.
///
/// # Errors
/// Replicates that can't be read.
pub fn compare_cells(
    cells: [(&Folder, &Cell); 2],
    metrics: &[Metric],
) -> Result<Result<Vec<SideBySide>, Uncompared>, Error> {
    let records = cells.map(|(folder, cell)| CellRecords::read(folder, std::iter::once(cell), Detail::Replicates));
    let mut done = Vec::new();
    for (at, (records, (_, cell))) in records.iter().zip(cells).enumerate() {
        match records.cell(cell).done() {
            Some(result) => done.push(result),
            None => return Ok(Err(Uncompared::NotDone(at))),
        }
    }
    let [one, other] = done.as_slice() else { return Ok(Ok(Vec::new())) };
    let of = Compared {
        dataset: one.cell.dataset.clone(),
        trained_on: one.cell.trained_on.clone(),
        shots: one.cell.shots,
        backend: one.cell.backend.clone(),
        selection: one.cell.selection,
    };
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for metric in metrics {
        for score in std::iter::once(None).chain(ImageScore::ALL.map(Some)) {
            let (Some(first), Some(second)) = (replicates(one, *metric, score)?, replicates(other, *metric, score)?)
            else {
                continue;
            };
            let difference = match first.1.minus(&second.1) {
                Ok(difference) => difference,
                Err(harness_metrics::Error::Unpaired { .. }) => return Ok(Err(Uncompared::OtherImages)),
                Err(error) => return Err(error.into()),
            };
            if seen.insert((rank(*metric), score)) {
                found.push(row(of.clone(), (*metric, score), [first.0, second.0], &difference, 1)?);
            }
        }
    }
    Ok(Ok(found))
}

/// A cell's number and its replicates; `None` where it has none.
fn replicates(
    done: &CellResult<'_>,
    metric: Metric,
    score: Option<ImageScore>,
) -> Result<Option<(f64, Replicates)>, Error> {
    let numbers = done.numbers();
    let Some(number) = numbers.iter().find(|number| number.metric == metric && number.score == score) else {
        return Ok(None);
    };
    let Some(index) = &done.evaluated.replicates else { return Ok(None) };
    let mut found = Replicates { value: 0.0, replicates: Vec::new(), pairing: 0 };
    // Pixel metrics are stored once for all image scores.
    let stored = (number.epoch, score.filter(|_| !metric.needs_masks()), metric);
    Ok(index.file()?.replicates(stored, &mut found)?.then_some((number.value, found)))
}

fn row(
    of: Compared,
    (metric, image_score): (Metric, Option<ImageScore>),
    values: [f64; 2],
    difference: &Difference,
    count: u64,
) -> Result<SideBySide, Error> {
    let interval = difference.interval(LEVEL)?;
    let p = difference.p_value()?;
    Ok(SideBySide { of, metric, image_score, values, interval: [interval.low, interval.high], level: LEVEL, p, count })
}
