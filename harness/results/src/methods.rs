//! Methods side by side: what each sees, what it gives at each K, and what it takes. Costs are those in the records.

use std::collections::{BTreeMap, HashMap, HashSet};

use harness_experiment::{Plan, Selection, Training, TrainingId, Variant};
use harness_method::Shots;
use harness_methods::Sees;
use harness_metrics::{Metric, median};
use harness_records::{CellRecords, CellResult};
use harness_tables::MethodRow;

/// A row for each variant and K of a plan whose variants have several methods; none for others. Numbers are those under
/// `last`, or the plan's first rule, of cells scored on their own dataset, on the first backend.
pub(crate) fn methods(plan: &Plan, records: &CellRecords) -> Vec<MethodRow> {
    let (Some(rule), Some(backend)) = (rule(plan), plan.backends.first()) else { return Vec::new() };
    if !several(plan) {
        return Vec::new();
    }
    let trainings: HashMap<TrainingId, &Training> = plan.trainings.iter().map(|t| (t.id, t)).collect();
    let mut done: HashMap<(&str, Shots), Vec<CellResult<'_>>> = HashMap::new();
    let own = plan
        .cells
        .iter()
        .filter(|cell| cell.dataset == cell.trained_on && cell.selection == rule && cell.backend == backend.name);
    for cell in own {
        let Some(result) = records.cell(cell).done() else { continue };
        done.entry((&cell.variant, cell.shots)).or_default().push(result);
    }
    let mut rows = Vec::new();
    for variant in &plan.variants {
        for &shots in &plan.shots {
            if let Some(cells) = done.get(&(variant.name.as_str(), shots)) {
                rows.push(row(variant, shots, cells, &trainings));
                // What sees no support set has the same numbers at every K.
                if variant.options.sees() == Sees::Nothing {
                    break;
                }
            }
        }
    }
    rows
}

/// Whether a plan's variants have several methods.
pub(crate) fn several(plan: &Plan) -> bool {
    let mut methods = plan.variants.iter().map(|variant| variant.options.method());
    let first = methods.next();
    methods.any(|method| Some(method) != first)
}

/// The rule that methods are shown under: `last`, or the plan's first.
pub(crate) fn rule(plan: &Plan) -> Option<Selection> {
    let rules = || plan.selection.iter().copied();
    rules().find(|rule| *rule == Selection::Last).or_else(|| rules().next())
}

fn row(
    variant: &Variant,
    shots: Shots,
    cells: &[CellResult<'_>],
    trainings: &HashMap<TrainingId, &Training>,
) -> MethodRow {
    let options = &variant.options;
    // Cells that share records are one: a copy is no evidence.
    let mut seen = HashSet::new();
    let cells: Vec<&CellResult<'_>> = cells.iter().filter(|done| seen.insert(done.cell.evaluation)).collect();
    let of = |metric: Metric| mean_of_datasets(&cells, metric);
    let mut fitted = HashSet::new();
    let fits: Vec<f64> =
        cells.iter().filter(|done| fitted.insert(done.cell.training)).map(|done| done.trained.compute_secs).collect();
    let rates: Vec<f64> = cells.iter().filter_map(|done| done.evaluated.record.cost.score_rate).collect();
    let first = cells.first().and_then(|done| trainings.get(&done.cell.training));
    let datasets: HashSet<&str> = cells.iter().map(|done| done.cell.dataset.as_str()).collect();
    let scores: HashSet<_> = cells.iter().filter_map(|done| done.first()).map(|(score, _)| score).collect();
    let image_score = scores.iter().copied().next().filter(|_| scores.len() == 1);
    let joined = options.maps(true).is_some_and(|maps| maps.is_transductive())
        || options.joins_scores().is_some_and(|rule| rule.is_transductive());
    MethodRow {
        variant: variant.name.clone(),
        method: options.method().to_string(),
        sees: options.sees().name().to_owned(),
        states: first.map_or(1, |training| u64::from(training.epochs)),
        transductive: joined,
        shots,
        image_auroc: of(Metric::ImageAuroc),
        pixel_auroc: of(Metric::PixelAuroc),
        pro: of(Metric::Pro03),
        datasets: datasets.len() as u64,
        trainings: fits.len() as u64,
        fit_secs: median(&fits),
        score_rate: median(&rates),
        backend: cells.first().map(|done| done.cell.backend.clone()).unwrap_or_default(),
        selection: cells.first().map(|done| done.cell.selection).unwrap_or_default(),
        image_score,
        ..MethodRow::default()
    }
}

/// The mean over datasets of the means over trainings, at the epoch of the first image score that a cell reports.
fn mean_of_datasets(cells: &[&CellResult<'_>], metric: Metric) -> Option<f64> {
    let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for done in cells {
        let Some((score, epoch)) = done.first() else { continue };
        if metric.needs_masks() && !done.cell.pixel_metrics {
            continue;
        }
        let score = (!metric.needs_masks()).then_some(score);
        if let Some(value) = done.metrics(epoch).and_then(|metrics| metrics.get(metric, score)) {
            values.entry(&done.cell.dataset).or_default().push(value);
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let means: Vec<f64> = values.values().map(|values| mean(values)).collect();
    (!means.is_empty()).then(|| mean(&means))
}
