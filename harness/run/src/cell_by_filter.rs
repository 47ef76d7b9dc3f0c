//! The one cell that a filter is about, among those of some results folders.

use std::collections::HashSet;
use std::path::PathBuf;

use harness_experiment::{Cell, Filter};
use harness_records::{CellRecords, Detail, Folder, Statuses};

use crate::cell_by_id::{CellChoice, few};
use crate::error::Error;

/// Finds the cell that meets a filter. A folder whose experiment does not have the filter's names is passed over.
///
/// # Errors
/// A filter that no folder's experiment understands; no such cell, or several, which are listed.
pub fn find_only(folders: &[PathBuf], filter: &str) -> Result<CellChoice, Error> {
    let (mut plans, mut refused) = (Vec::new(), None);
    let (mut found, mut seen): (Vec<(usize, Cell)>, _) = (Vec::new(), HashSet::new());
    for path in folders {
        let folder = Folder::new(path);
        let plan = folder.read_plan()?;
        let filter = match Filter::parse(filter, &plan) {
            Ok(filter) => filter,
            Err(error) => {
                refused.get_or_insert(error);
                continue;
            }
        };
        let statuses = Statuses::read(&plan, &folder)?;
        let records = CellRecords::read(&folder, plan.cells.iter(), Detail::Metrics);
        for cell in &plan.cells {
            // Cells of equal variants share an id, and so do those of one experiment in two folders.
            if filter.meets(cell, statuses.of(cell, &records.cell(cell))) && seen.insert(cell.id) {
                found.push((plans.len(), cell.clone()));
            }
        }
        plans.push((folder, plan));
    }
    if let (true, Some(error)) = (plans.is_empty(), refused) {
        return Err(error.into());
    }
    let what = match found.as_slice() {
        [(place, cell)] => {
            let (folder, plan) = plans.swap_remove(*place);
            return Ok(CellChoice { folder, plan, cell: cell.clone() });
        }
        [] => format!("no cell matches \"{filter}\"; harness status DIR says what a folder has"),
        several => {
            let (number, few) = (several.len(), few(several.iter().map(|(_, cell)| cell)));
            format!("{number} cells match \"{filter}\"; add terms until one is left: {few}")
        }
    };
    Err(Error::Unusable { what })
}
