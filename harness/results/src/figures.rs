//! Which cells the figures of a report show, and their ROC curves, training curves and panels of test images.

mod roc;

use std::collections::HashMap;

use harness_data::{Dataset, Item, Registry, load_image};
use harness_experiment::{Cell, Evaluation, Plan, Selection, Shots};
use harness_metrics::MapSource;
use harness_records::{CellRecords, Detail, Folder, Grids};
use harness_tables::{ScoreRow, read_curve, read_scores};
use rayon::prelude::*;

use crate::error::Error;
use crate::figure_data::{CurveFigure, CurveSeries, PanelFigure, PanelRow, Pixels, RocFigure, Role};
use crate::shown::{Candidate, choose};

/// Figures of a plan.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) roc: Vec<RocFigure>,
    pub(crate) curves: Vec<CurveFigure>,
    pub(crate) panels: Vec<PanelFigure>,
    pub(crate) notes: Vec<String>,
}

/// Cells of one figure: they differ in variant, draw and seed alone.
struct Group<'a> {
    dataset: &'a str,
    trained_on: &'a str,
    shots: Shots,
    backend: &'a str,
    selection: Selection,
    cells: Vec<&'a Cell>,
}

/// All figures of the cells that are done, read on all threads.
pub(crate) fn figures(
    plan: &Plan,
    folder: &Folder,
    records: &CellRecords,
    registry: Option<&Registry>,
) -> Result<Figures, Error> {
    let made: Vec<Result<Figures, Error>> =
        groups(plan).par_iter().map(|group| group.figures(plan, folder, records, registry)).collect();
    let mut figures = Figures::default();
    for made in made {
        let Figures { roc, curves, panels, notes } = made?;
        figures.roc.extend(roc);
        figures.curves.extend(curves);
        figures.panels.extend(panels);
        figures.notes.extend(notes);
    }
    Ok(figures)
}

fn groups(plan: &Plan) -> Vec<Group<'_>> {
    let mut indices: HashMap<(&str, &str, Shots, &str, Selection), usize> = HashMap::new();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for cell in &plan.cells {
        let (dataset, trained_on, backend) = (cell.dataset.as_str(), cell.trained_on.as_str(), cell.backend.as_str());
        let (shots, selection) = (cell.shots, cell.selection);
        let index = *indices.entry((dataset, trained_on, shots, backend, selection)).or_insert_with(|| {
            groups.push(Group { dataset, trained_on, shots, backend, selection, cells: Vec::new() });
            groups.len() - 1
        });
        groups[index].cells.push(cell);
    }
    groups
}

/// The rows of a cell's epoch, in test order.
fn scores_of(folder: &Folder, cell: &Cell, epoch: u32) -> Result<Vec<ScoreRow>, Error> {
    let rows = read_scores(&folder.evaluation(cell.evaluation).join("scores.parquet"))?;
    Ok(rows.into_iter().filter(|row| row.epoch == epoch).collect())
}

impl<'a> Group<'a> {
    /// Its figures; none where no cell of it is done.
    fn figures(
        &self,
        plan: &Plan,
        folder: &Folder,
        records: &CellRecords,
        registry: Option<&Registry>,
    ) -> Result<Figures, Error> {
        let mut figures = Figures::default();
        let mut shown = Vec::new();
        for (label, cell) in self.shown(plan) {
            if let Some(result) = records.cell(cell).done()
                && let Some((_, epoch)) = result.first()
            {
                shown.push((label, cell, epoch));
            }
        }
        let Some((_, first, epoch)) = shown.first() else { return Ok(figures) };
        figures.roc.extend(self.roc(plan, folder, records)?);
        // A training's curve is the same under every rule.
        if Some(&self.selection) == plan.selection.first() && self.trained_on == self.dataset {
            figures.curves.push(self.curves(plan, folder, &shown)?);
        }
        match registry.map(|registry| self.panel(plan, folder, registry, first, *epoch)) {
            Some(Ok(panel)) => figures.panels.extend(panel),
            Some(Err(error)) => figures.notes.push(format!("no panels of {}: {error}", self.dataset)),
            None => figures.notes.push(format!("no panels of {}: the dataset registry can't be found", self.dataset)),
        }
        Ok(figures)
    }

    /// The cells a figure shows with their labels: every variant at its first draw and seed, or every draw and seed of
    /// the only variant.
    fn shown(&self, plan: &Plan) -> Vec<(String, &'a Cell)> {
        if plan.variants.len() == 1 {
            return self.cells.iter().map(|cell| (format!("draw {}, seed {}", cell.draw, cell.seed), *cell)).collect();
        }
        let first = |name: &str| self.cells.iter().find(|cell| cell.variant == name).copied();
        plan.variants.iter().filter_map(|variant| Some((variant.name.clone(), first(&variant.name)?))).collect()
    }

    fn name(&self, plan: &Plan, kind: &str) -> String {
        let mut name = format!("{kind}-{}", self.dataset);
        if self.trained_on != self.dataset {
            name += &format!("-from-{}", self.trained_on);
        }
        name += &format!("-k{}", self.shots);
        if plan.backends.len() > 1 {
            name += &format!("-{}", self.backend);
        }
        if plan.selection.len() > 1 && kind != "curve" {
            name += &format!("-{}", self.selection.name());
        }
        name
    }

    /// The conditions that all cells of the group share, in words.
    fn condition(&self) -> String {
        let mut words = self.dataset.to_owned();
        if self.trained_on != self.dataset {
            words += &format!(", trained on {}", self.trained_on);
        }
        words + &format!(", K = {}, {}", self.shots.explained(), self.backend)
    }

    /// The same, with the draw and seed of a figure that shows one training of each variant.
    fn words(&self, plan: &Plan, cell: &Cell) -> String {
        match plan.variants.len() {
            0 | 1 => self.condition(),
            _ => format!("{}, draw {}, seed {}", self.condition(), cell.draw, cell.seed),
        }
    }

    fn curves(&self, plan: &Plan, folder: &Folder, shown: &[(String, &Cell, u32)]) -> Result<CurveFigure, Error> {
        let mut series = Vec::new();
        for (label, cell, _) in shown {
            let rows = read_curve(&folder.training(cell.training).join("curve.parquet"))?;
            series.push(CurveSeries { label: label.clone(), rows });
        }
        let caption = format!("Training losses, mean of an epoch's batches: {}.", self.words(plan, shown[0].1));
        Ok(CurveFigure { name: self.name(plan, "curve"), caption, series })
    }

    /// The panel of a cell; `None` where there are no maps.
    fn panel(
        &self,
        plan: &Plan,
        folder: &Folder,
        registry: &Registry,
        cell: &Cell,
        epoch: u32,
    ) -> Result<Option<PanelFigure>, Error> {
        let evaluation = folder.evaluation(cell.evaluation);
        let images = CellRecords::read(folder, std::iter::once(cell), Detail::Images);
        let Some(found) = images.evaluation(cell.evaluation) else { return Ok(None) };
        let record = &found.record;
        let (Some(mut grids), Some(reported)) = (Grids::open(&evaluation, record)?, found.measured.reported(epoch))
        else {
            return Ok(None);
        };
        let size = record.image_size;
        let dataset = Dataset::open(registry, &cell.dataset)?;
        let items = dataset.test_set()?;
        let rows = scores_of(folder, cell, epoch)?;
        // By name: corrected labels move images in the test set, and not in what was scored.
        let by_name: HashMap<&str, &Item> = items.iter().map(|item| (item.name.as_str(), item)).collect();
        let scored: Vec<&Item> = rows.iter().filter_map(|row| by_name.get(row.image.as_str()).copied()).collect();
        if rows.len() != items.len() || scored.len() != items.len() {
            return Err(Error::Changed { what: format!("[{}]: the test set", cell.dataset) });
        }
        let candidates: Vec<Candidate> =
            rows.iter().zip(&reported.image_pixel_ap).map(|(row, ap)| candidate(row, *ap)).collect();
        let slab = grids.read(epoch)?;
        let maps = slab.maps(record)?;
        let row = |(role, index): (Role, usize)| -> Result<PanelRow, Error> {
            let (item, candidate) = (scored[index], &candidates[index]);
            let mut map = vec![0.0; maps.pixels()];
            maps.read(index, &mut map)?;
            Ok(PanelRow {
                role,
                title: candidate_title(candidate),
                side: size,
                image: Pixels::Rgb(interleaved(&load_image(&item.image, size)?)),
                truth: item.truth(size, dataset.mask_values())?,
                map,
            })
        };
        let shown: Vec<PanelRow> = choose(&candidates).into_iter().map(row).collect::<Result<_, _>>()?;
        let caption = format!(
            "Test images with the best, median and worst pixel AP and the normal image with the highest map value: {}, \
             variant {}, {}, epoch {}, selection {}.",
            self.words(plan, cell),
            cell.variant,
            object(&record.evaluation),
            epoch,
            self.selection.name()
        );
        Ok(Some(PanelFigure { name: self.name(plan, "panel"), caption, rows: shown }))
    }
}

fn candidate(row: &ScoreRow, pixel_ap: Option<f64>) -> Candidate {
    Candidate {
        image: row.image.clone(),
        label: row.label,
        quality: pixel_ap.unwrap_or(f64::NAN),
        score: row.map_max.unwrap_or(f64::NAN),
    }
}

/// The file's name and the number that it was chosen by.
fn candidate_title(candidate: &Candidate) -> String {
    let file = candidate.image.rsplit('/').next().unwrap_or(&candidate.image);
    if candidate.label {
        format!("{file}, pixel AP {:.3}", candidate.quality)
    } else {
        format!("{file}, map max {:.3}", candidate.score)
    }
}

fn object(evaluation: &Evaluation) -> String {
    format!("object \"{}\"", evaluation.object)
}

/// `[3, S, S]` to `[S, S, 3]`.
fn interleaved(planar: &[u8]) -> Vec<u8> {
    let area = planar.len() / 3;
    (0..area).flat_map(|i| [planar[i], planar[area + i], planar[2 * area + i]]).collect()
}
