//! Whether the disks can hold what a run will write, asked before anything is computed.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use harness_experiment::{EvaluationId, Plan};

use crate::error::Error;
use crate::standing::part;

/// Where a run writes, and what is there.
pub(crate) struct Room<'a> {
    /// The results folder.
    pub(crate) results: &'a Path,
    /// The tap store's folder.
    pub(crate) taps: &'a Path,
    /// Bytes that the store holds.
    pub(crate) stored: u64,
    /// Most bytes it may hold.
    pub(crate) budget: Option<u64>,
}

/// Bytes that are free where a path lies, or will lie; nothing where the system does not say.
pub fn free_space(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let path = std::path::absolute(path).ok()?;
        let there = path.ancestors().find(|folder| folder.exists())?;
        let disk = rustix::fs::statvfs(there).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// Whether two paths lie, or will lie, on one disk.
fn same_disk(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let device = |path: &Path| {
            let path = std::path::absolute(path).ok()?;
            path.ancestors().find_map(|folder| folder.metadata().ok()).map(|metadata| metadata.dev())
        };
        device(one) == device(other)
    }
    #[cfg(not(unix))]
    {
        let _ = (one, other);
        false
    }
}

/// Refuses what doesn't fit: taps, grids and states of the evaluations `missing`, against the bytes that `free` says
/// are free.
///
/// # Errors
/// `Full`: how much is needed and free, where, and what to do.
pub(crate) fn check(
    plan: &Plan,
    missing: &HashSet<EvaluationId>,
    room: &Room<'_>,
    free: &dyn Fn(&Path) -> Option<u64>,
) -> Result<(), Error> {
    let (taps, results) = needed(plan, missing);
    // What is stored may be this plan's or another's; to refuse wrongly would be worse than to fill a disk, which is
    // reported too.
    let taps = taps.min(room.budget.unwrap_or(u64::MAX)).saturating_sub(room.stored);
    let refuse = |path: &Path, what: &'static str, needed: u64| match free(path) {
        Some(free) if needed > free => {
            Err(Error::Full { path: PathBuf::from(path), what, needed, free, evictable: what != RESULTS })
        }
        _ => Ok(()),
    };
    if same_disk(room.results, room.taps) && taps > 0 {
        refuse(room.results, RESULTS, results)?;
        return refuse(room.taps, BOTH, taps.saturating_add(results));
    }
    refuse(room.results, RESULTS, results)?;
    refuse(room.taps, TAPS, taps)
}

const TAPS: &str = "encoded images";
const RESULTS: &str = "results (grids and states)";
const BOTH: &str = "encoded images and results";

/// Bytes of taps, and of grids with states, that the evaluations `missing` come to.
fn needed(plan: &Plan, missing: &HashSet<EvaluationId>) -> (u64, u64) {
    let costs = part(plan, Vec::new(), missing).costs();
    let states = costs.state_bytes.saturating_add(costs.passing_state_bytes);
    (costs.tap_bytes, costs.grid_bytes.saturating_add(states))
}
