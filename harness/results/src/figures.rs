//! Which cells the figures of a report show, and their ROC curves and training curves.

mod panels;
mod roc;

use std::collections::HashMap;

use harness_data::Registry;
use harness_experiment::{Cell, Plan, Selection, Shots};
use harness_records::{CellRecords, Folder};
use harness_tables::{ScoreRow, read_curve, read_scores};
use rayon::prelude::*;

use crate::error::Error;
use crate::figure_data::{CurveFigure, CurveSeries, MethodPanelFigure, PanelFigure, RocFigure};

/// Figures of a plan.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) roc: Vec<RocFigure>,
    pub(crate) curves: Vec<CurveFigure>,
    pub(crate) panels: Vec<PanelFigure>,
    pub(crate) method_panels: Vec<MethodPanelFigure>,
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
        let Figures { roc, curves, panels, method_panels, notes } = made?;
        figures.roc.extend(roc);
        figures.curves.extend(curves);
        figures.panels.extend(panels);
        figures.method_panels.extend(method_panels);
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
        if shown.is_empty() {
            return Ok(figures);
        }
        figures.roc.extend(self.roc(plan, folder, records)?);
        // A training's curve is the same under every rule.
        if Some(&self.selection) == plan.selection.first() && self.trained_on == self.dataset {
            figures.curves.push(self.curves(plan, folder, &shown)?);
        }
        match registry.map(|registry| self.panels(plan, folder, registry, &shown)) {
            Some(Ok((panel, of_methods))) => {
                figures.panels.extend(panel);
                figures.method_panels.extend(of_methods);
            }
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
}
