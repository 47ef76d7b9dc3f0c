//! Backends side by side: times, memory and metrics of each on the cells that all have done, and how far its maps and
//! scores lie from the first one's. Times are those in the records.

use std::collections::{BTreeMap, HashMap, HashSet};

use harness_experiment::{Cell, Draw, EvaluationId, Plan, Selection, Shots, Training, TrainingId};
use harness_metrics::median;
use harness_metrics::{MapSource, Metric, PredictedMaps};
use harness_records::{CellRecords, CellResult, Cost, EvaluationRecord, Folder, Grids};
use harness_tables::{BackendRow, ScoreRow, read_scores};
use rayon::prelude::*;

use crate::error::Error;

/// Everything that names a cell but its backend.
type CellKey<'a> = (&'a str, &'a str, &'a str, Shots, Draw, u64, Selection);

/// A row for each backend of a plan that has several, the reference first; none where no cell is done by all.
pub(crate) fn backends(plan: &Plan, folder: &Folder, records: &CellRecords) -> Result<Vec<BackendRow>, Error> {
    let names: Vec<&str> = plan.backends.iter().map(|backend| backend.name.as_str()).collect();
    if names.len() < 2 {
        return Ok(Vec::new());
    }
    let shared = shared(plan, records, &names);
    let Some(first) = shared.first() else { return Ok(Vec::new()) };
    let trainings: HashMap<TrainingId, &Training> = plan.trainings.iter().map(|t| (t.id, t)).collect();
    let mut rows = Vec::new();
    for (at, backend) in plan.backends.iter().enumerate() {
        let cells: Vec<&CellResult<'_>> = shared.iter().map(|of_backends| &of_backends[at]).collect();
        let costs = Costs::of(&cells, &trainings);
        let training = trainings.get(&first[at].cell.training);
        let differences = if at == 0 {
            Differences::default()
        } else {
            Differences::of(folder, shared.iter().map(|of_backends| (&of_backends[0], &of_backends[at])))?
        };
        rows.push(BackendRow {
            backend: backend.name.clone(),
            version: backend.version.clone(),
            device: backend.device.clone(),
            precision: training.map(|training| precision(training)).unwrap_or_default(),
            cells: cells.len() as u64,
            load_secs: costs.largest(|cost| cost.load_secs),
            encode_rate: costs.median(|cost| cost.encode_rate),
            step_p50_ms: costs.median(|cost| cost.step_p50_ms),
            step_p95_ms: costs.median(|cost| cost.step_p95_ms),
            score_rate: costs.median(|cost| cost.score_rate),
            gemm_share: costs.gemm_share(),
            host_bytes: costs.all.iter().filter_map(|(cost, _)| cost.peak_memory_bytes).max(),
            device_bytes: costs.all.iter().filter_map(|(cost, _)| cost.device_memory_bytes).max(),
            image_auroc: mean(cells.iter().filter_map(|done| image_auroc(done))),
            pixel_auroc: mean(cells.iter().filter_map(|done| pixel_auroc(done))),
            map_difference: differences.map,
            score_difference: differences.score,
        });
    }
    Ok(rows)
}

/// Image AUROC by the first image score that a cell reports.
fn image_auroc(done: &CellResult<'_>) -> Option<f64> {
    let (score, epoch) = done.first()?;
    done.metrics(epoch)?.get(Metric::ImageAuroc, Some(score))
}

/// Pixel AUROC at the same epoch.
fn pixel_auroc(done: &CellResult<'_>) -> Option<f64> {
    let (_, epoch) = done.first().filter(|_| done.cell.pixel_metrics)?;
    done.metrics(epoch)?.get(Metric::PixelAuroc, None)
}

/// Cells that every backend has done, in the plan's order, each by all backends in the plan's order.
fn shared<'a>(plan: &'a Plan, records: &'a CellRecords, names: &[&str]) -> Vec<Vec<CellResult<'a>>> {
    let mut numbers: HashMap<CellKey<'a>, usize> = HashMap::new();
    let mut cells: Vec<Vec<Option<&'a Cell>>> = Vec::new();
    for cell in &plan.cells {
        let Some(at) = names.iter().position(|name| *name == cell.backend) else { continue };
        let key: CellKey<'_> =
            (&cell.variant, &cell.dataset, &cell.trained_on, cell.shots, cell.draw, cell.seed, cell.selection);
        let number = *numbers.entry(key).or_insert_with(|| {
            cells.push(vec![None; names.len()]);
            cells.len() - 1
        });
        cells[number][at] = Some(cell);
    }
    let mut shared = Vec::new();
    for of_backends in cells {
        let cells = of_backends.into_iter().flatten();
        let done: Vec<CellResult<'a>> = cells.filter_map(|cell| records.cell(cell).done()).collect();
        if done.len() == names.len() {
            shared.push(done);
        }
    }
    shared
}

/// The costs of a backend's records, each counted once however many cells read it.
struct Costs<'a> {
    all: Vec<(Cost, Option<&'a Training>)>,
}

impl<'a> Costs<'a> {
    fn of(cells: &[&CellResult<'_>], trainings: &HashMap<TrainingId, &'a Training>) -> Self {
        let (mut all, mut seen) = (Vec::new(), HashSet::new());
        for CellResult { cell, trained, evaluated, .. } in cells {
            let training = trainings.get(&cell.training).copied();
            if seen.insert(cell.training.to_string()) {
                all.push((**trained, training));
            }
            if seen.insert(cell.evaluation.to_string()) {
                all.push((evaluated.record.cost, training));
            }
        }
        Self { all }
    }

    fn values(&self, value: impl Fn(&Cost) -> Option<f64>) -> Vec<f64> {
        self.all.iter().filter_map(|(cost, _)| value(cost)).collect()
    }

    fn median(&self, value: impl Fn(&Cost) -> Option<f64>) -> Option<f64> {
        median(&self.values(value))
    }

    fn largest(&self, value: impl Fn(&Cost) -> Option<f64>) -> Option<f64> {
        self.values(value).into_iter().reduce(f64::max)
    }

    /// Median over the records that encoded.
    fn gemm_share(&self) -> Option<f64> {
        let share = |(cost, training): &(Cost, Option<&Training>)| {
            Some(training.as_ref()?.encoding_work() * cost.encode_rate? / (1e9 * cost.gemm_gflops?))
        };
        median(&self.all.iter().filter_map(share).collect::<Vec<_>>())
    }
}

/// How far maps and image scores lie apart at most, over all test images.
#[derive(Default)]
struct Differences {
    map: Option<f64>,
    score: Option<f64>,
}

impl Differences {
    /// Of pairs of cells: reference and other. Evaluations that several cells read are compared once.
    fn of<'a, 'b: 'a>(
        folder: &Folder,
        pairs: impl Iterator<Item = (&'a CellResult<'b>, &'a CellResult<'b>)>,
    ) -> Result<Self, Error> {
        let mut evaluations: BTreeMap<(EvaluationId, EvaluationId), (&EvaluationRecord, &EvaluationRecord)> =
            BTreeMap::new();
        for (one, other) in pairs {
            let ids = (one.cell.evaluation, other.cell.evaluation);
            evaluations.insert(ids, (&one.evaluated.record, &other.evaluated.record));
        }
        let mut found = Self::default();
        for (ids, records) in evaluations {
            found.add(folder, ids, records)?;
        }
        Ok(found)
    }

    /// At the last epoch that both scored.
    fn add(
        &mut self,
        folder: &Folder,
        ids: (EvaluationId, EvaluationId),
        records: (&EvaluationRecord, &EvaluationRecord),
    ) -> Result<(), Error> {
        let common = records.0.epochs.iter().filter(|epoch| records.1.epochs.contains(epoch)).max();
        let Some(&epoch) = common else { return Ok(()) };
        let folders = (folder.evaluation(ids.0), folder.evaluation(ids.1));
        let rows = |folder: &std::path::Path| -> Result<Vec<ScoreRow>, Error> {
            let rows = read_scores(&folder.join("scores.parquet"))?;
            Ok(rows.into_iter().filter(|row| row.epoch == epoch).collect())
        };
        let (one, other) = (rows(&folders.0)?, rows(&folders.1)?);
        if one.len() != other.len() || one.iter().zip(&other).any(|(one, other)| one.image != other.image) {
            let what = format!("its images are not those of evaluation {}", ids.0);
            return Err(Error::record(&folders.1.join("scores.parquet"), what));
        }
        for (one, other) in one.iter().zip(&other) {
            for (one, other) in [(one.map_max, other.map_max), (one.detection, other.detection)] {
                if let (Some(one), Some(other)) = (one, other) {
                    larger(&mut self.score, (one - other).abs());
                }
            }
        }
        let grids = (Grids::open(&folders.0, records.0)?, Grids::open(&folders.1, records.1)?);
        if let (Some(mut one), Some(mut other)) = grids {
            let (one, other) = (one.read(epoch)?, other.read(epoch)?);
            larger(&mut self.map, of_maps(&one.maps(records.0)?, &other.maps(records.1)?)?);
        }
        Ok(())
    }
}

/// The largest difference of a pixel. Both have the same images.
fn of_maps(one: &PredictedMaps<'_>, other: &PredictedMaps<'_>) -> Result<f64, Error> {
    let differences = (0..one.images()).into_par_iter().map(|image| {
        let (mut left, mut right) = (vec![0.0; one.pixels()], vec![0.0; other.pixels()]);
        one.read(image, &mut left)?;
        other.read(image, &mut right)?;
        Ok(left.iter().zip(&right).map(|(left, right)| f64::from((left - right).abs())).fold(0.0, f64::max))
    });
    differences.try_reduce(|| 0.0, |one, other| Ok(one.max(other)))
}

fn larger(so_far: &mut Option<f64>, value: f64) {
    *so_far = Some(so_far.map_or(value, |so_far| so_far.max(value)));
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// As in the results table.
fn precision(training: &Training) -> String {
    let (encoder, store) = (training.precision.name(), training.store.name());
    if encoder == store { encoder.to_owned() } else { format!("{encoder}, taps {store}") }
}
