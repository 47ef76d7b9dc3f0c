//! A cell by the beginning of its id, in one results folder or in several.

use std::collections::HashSet;
use std::path::PathBuf;

use harness_experiment::{Cell, CellId, Plan};
use harness_records::Folder;

use crate::error::Error;

/// A cell that was found by its id.
#[derive(Clone, Debug)]
pub struct CellChoice {
    /// Its results folder.
    pub folder: Folder,
    /// The plan there.
    pub plan: Plan,
    /// The first cell with that id.
    pub cell: Cell,
}

impl CellChoice {
    /// The cell's id.
    pub fn id(&self) -> CellId {
        self.cell.id
    }
}

/// Finds the cell whose id begins with `id` in some results folders.
///
/// # Errors
/// Those of [`find_among`]; a plan that can't be read.
pub fn find_cell(folders: &[PathBuf], id: &str) -> Result<CellChoice, Error> {
    let mut plans = Vec::new();
    for path in folders {
        let folder = Folder::new(path);
        plans.push((folder.read_plan()?, folder));
    }
    find_among(plans, id)
}

/// The same where the plans are read already.
///
/// # Errors
/// `Unusable`: no such cell, or cells of several ids, which are listed.
pub fn find_among(mut plans: Vec<(Plan, Folder)>, id: &str) -> Result<CellChoice, Error> {
    let mut found: Vec<(usize, &Cell)> = Vec::new();
    let mut seen = HashSet::new();
    for (index, (plan, _)) in plans.iter().enumerate() {
        for cell in plan.cells.iter().filter(|cell| cell.id.to_string().starts_with(id)) {
            // Cells of equal variants share an id, and so do those of one experiment in two folders.
            if seen.insert(cell.id) {
                found.push((index, cell));
            }
        }
    }
    match found.as_slice() {
        [] => {
            let known: usize = plans.iter().map(|(plan, _)| plan.cells.len()).sum();
            let folders: Vec<String> = plans.iter().map(|(_, folder)| folder.path().display().to_string()).collect();
            let what = format!(
                "none of the {known} cells of {} has an id that begins with `{id}`; results.csv lists the ids",
                folders.join(", ")
            );
            Err(Error::Unusable { what })
        }
        [(index, cell)] => {
            let (index, cell) = (*index, (*cell).clone());
            let (plan, folder) = plans.swap_remove(index);
            Ok(CellChoice { folder, plan, cell })
        }
        several => {
            let (number, few) = (several.len(), few(several.iter().map(|(_, cell)| *cell)));
            let what = format!("{number} cells have ids that begin with `{id}`; give more characters: {few}");
            Err(Error::Unusable { what })
        }
    }
}

/// The first cells of several, for a message.
pub(crate) fn few<'a>(cells: impl ExactSizeIterator<Item = &'a Cell>) -> String {
    const NAMED: usize = 8;
    let more = if cells.len() > NAMED { ", ..." } else { "" };
    cells.take(NAMED).map(named).collect::<Vec<_>>().join(", ") + more
}

/// A cell by its id and what it is of.
pub(crate) fn named(cell: &Cell) -> String {
    let Cell { id, variant, dataset, shots, draw, seed, backend, selection, .. } = cell;
    format!("{id} ({variant}, {dataset}, K {shots}, draw {draw}, seed {seed}, {backend}, {selection})")
}
