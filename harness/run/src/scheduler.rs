//! The scheduler: makes what is missing of a plan, unit by unit. It loads no backend and computes no score.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use harness_experiment::{Cell, EvaluationId, Filter, Plan, Training};
use harness_records::{Entry, Folder, Journal, Lock, Provenance, journal, now, reads};
use harness_worker::protocol::{Setup, WorldSetup};

use crate::clock::Clock;
use crate::crew::{Crew, Limits};
use crate::error::Error;
use crate::executor::Executor;
use crate::index::Index;
use crate::judge::Judge;
use crate::notice::{Notice, Observer};
use crate::pace::{Pace, SecondsEach};
use crate::units::{Unit, units};
use crate::world::World;
use crate::{choice, disk};

/// How a plan is run. None of it decides a result.
pub struct Options<'a> {
    /// The command line, for the record.
    pub command: String,
    /// The experiment file, likewise.
    pub experiment: PathBuf,
    /// The tap store's folder.
    pub taps: PathBuf,
    /// Most bytes the tap store may take.
    pub budget: Option<u64>,
    /// CPU threads of a worker; the machine's without it.
    pub threads: Option<usize>,
    /// What earlier runs tell of this machine, for the time that is left; nothing without it.
    pub pace: Option<&'a Pace>,
    /// When to give up.
    pub limits: Limits,
    /// Run the cells that meet it, and no others.
    pub only: Option<&'a Filter>,
    /// Take away what the cells that meet it have, and run them again, and no others.
    pub rerun: Option<&'a Filter>,
    /// Bytes that are free where a path lies; nothing where that is not known. [`crate::free_space`] asks the system.
    pub free_space: &'a dyn Fn(&Path) -> Option<u64>,
    /// Asked several times a second; no ends the run in a clean state.
    pub go_on: &'a dyn Fn() -> bool,
    /// Read every file of every record that is reused, and compare it with what was written.
    pub verify: bool,
}

/// How a run ended. Cells that it was not about are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Cells that this run gave their numbers.
    pub done: usize,
    /// Cells that have no numbers because something failed.
    pub failed: usize,
    /// Cells whose records were there before.
    pub reused: usize,
    /// Ended by the user; the rest is not run.
    pub interrupted: bool,
    /// Ended since as many cells failed as [`Limits::failures`] says; the rest is not run.
    pub given_up: bool,
}

/// Does what is missing of a plan in `folder`. The lock is best held until the report is written.
///
/// # Errors
/// What keeps the whole run from continuing: a folder that can't be written to, or has another experiment's results;
/// disks that can't hold what is to come. What fails of a cell is counted and reported to `observer`.
pub fn run(
    plan: &Plan,
    folder: &Folder,
    _: &Lock,
    world: &World,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Finished, Error> {
    if let Some(warning) = folder.check_before(plan, &options.experiment)? {
        observer.notice(&Notice::Warning(&warning));
    }
    folder.prepare()?;
    let filters: Vec<&Filter> = options.only.into_iter().chain(options.rerun).collect();
    let chosen = choice::chosen(plan, folder, &filters)?;
    let before =
        |training: &Training| options.pace.map_or([None; 3], |pace| pace.seconds_each(training, options.threads));
    let mut run = Run::new(plan, folder, world, chosen, options.limits.failures, observer)?;
    run.verify = options.verify;
    run.before = &before;
    if options.rerun.is_some() {
        run.remove()?;
    }
    let told: HashSet<String> = world.warnings().into_iter().collect();
    let complete = run.complete()?;
    let missing = run.missing(&complete);
    let unusable = run.unusable(&missing)?;
    let missing = run.usable(&missing, &unusable);
    for warning in world.warnings().iter().filter(|warning| !told.contains(*warning)) {
        run.observer.notice(&Notice::Warning(warning));
    }
    let room = disk::Room {
        results: folder.path(),
        taps: &options.taps,
        stored: folder_bytes(&options.taps),
        budget: options.budget,
    };
    disk::check(plan, &missing, &room, options.free_space)?;
    let provenance =
        Provenance::new(&options.experiment, world.registry().path(), options.threads, world.allow_overlap());
    let (command, generated, data_notes) = (options.command.clone(), world.generated(), world.data_notes());
    let at = std::path::absolute(folder.path()).ok();
    folder.freeze(plan, &Provenance { command, generated, data_notes, folder: at, ..provenance })?;
    run.all(&complete, &missing, &unusable, &mut |backend| Ok(Box::new(crew(plan, folder, world, options, backend)?)))
}

/// Bytes of the files right in a folder, which may not exist.
fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).filter(|m| m.is_file()).map(|m| m.len()).sum()
}

/// A backend's worker, not started yet.
fn crew<'a>(
    plan: &Plan,
    folder: &Folder,
    world: &'a World,
    options: &Options<'a>,
    backend: &str,
) -> Result<Crew<'a>, Error> {
    let kind = plan.backends.iter().find(|known| known.name == backend);
    let registry = world.registry().path();
    let setup = WorldSetup {
        registry: std::path::absolute(registry).map_err(Error::file("find", registry))?,
        generated: world.generated(),
        taps: options.taps.clone(),
        budget: options.budget,
        device: kind.map(|known| known.device.clone()).unwrap_or_default(),
        encoder: plan.encoder.source.clone(),
        precision: plan.encoder.precision,
        compared: plan.backends.len() > 1,
    };
    let setup = Setup { backend: backend.to_owned(), threads: options.threads, world: Some(setup), ..Setup::default() };
    let log = folder.failure_log(&format!("worker-{backend}"));
    Ok(Crew::new(world.program(), setup, log, options.limits, options.go_on))
}

/// A backend's executor by the backend's name.
pub(crate) type Executors<'e> = &'e mut dyn FnMut(&str) -> Result<Box<dyn Executor + 'e>, Error>;

/// A run under way. What it does for a training is in `unit`, how records are made in `make`, what it finds in `found`,
/// and what it says of cells in `outcome`.
pub(crate) struct Run<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) index: Index<'a>,
    pub(crate) folder: &'a Folder,
    pub(crate) judge: &'a dyn Judge,
    pub(crate) observer: &'a mut dyn Observer,
    pub(crate) journal: Journal,
    /// Cells that the run is about, by index in the plan.
    pub(crate) chosen: HashSet<usize>,
    pub(crate) finished: Finished,
    /// Failed cells after which the run ends.
    pub(crate) most_failures: Option<usize>,
    /// Cells whose end was reported, by index in the plan.
    pub(crate) ended: HashSet<usize>,
    pub(crate) clock: Clock,
    /// As [`Options::verify`].
    pub(crate) verify: bool,
    /// How fast earlier runs did a training's work.
    before: &'a dyn Fn(&Training) -> SecondsEach,
}

impl<'a> Run<'a> {
    /// About the `chosen` cells of a plan; nothing is done yet.
    pub(crate) fn new(
        plan: &'a Plan,
        folder: &'a Folder,
        judge: &'a dyn Judge,
        chosen: HashSet<usize>,
        most_failures: Option<usize>,
        observer: &'a mut dyn Observer,
    ) -> Result<Self, Error> {
        let unknown = journal::entries(&folder.journal())?.unknown;
        if unknown > 0 {
            let path = folder.journal();
            let message = format!(
                "{}: {unknown} lines are damaged or of a newer version; they are left as they are",
                path.display()
            );
            observer.notice(&Notice::Warning(&message));
        }
        Ok(Self {
            plan,
            index: Index::new(plan),
            folder,
            judge,
            observer,
            journal: Journal::open(&folder.journal())?,
            chosen,
            finished: Finished::default(),
            most_failures,
            ended: HashSet::new(),
            clock: Clock::default(),
            before: &|_| [None; 3],
            verify: false,
        })
    }

    /// The chosen cells.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &'a Cell> + '_ {
        self.chosen.iter().filter_map(|index| self.plan.cells.get(*index))
    }

    /// What the chosen cells read and is not complete.
    pub(crate) fn missing(&self, complete: &HashSet<EvaluationId>) -> HashSet<EvaluationId> {
        self.cells().flat_map(reads).filter(|id| !complete.contains(id)).collect()
    }

    /// Makes what is missing, after it has failed the cells that read what is `unusable`.
    pub(crate) fn all(
        &mut self,
        complete: &HashSet<EvaluationId>,
        missing: &HashSet<EvaluationId>,
        unusable: &[(EvaluationId, Rc<Error>)],
        executors: Executors<'_>,
    ) -> Result<Finished, Error> {
        let reused =
            self.chosen.iter().filter(|index| reads(&self.plan.cells[**index]).all(|id| complete.contains(&id)));
        self.ended = reused.copied().collect();
        self.finished.reused = self.ended.len();
        let (cells, reused) = (self.chosen.len(), self.finished.reused);
        let harness = env!("CARGO_PKG_VERSION").to_owned();
        self.journal.append(&Entry::Run { format: journal::FORMAT, at: now(), harness, cells, reused })?;
        let (plan, out) = (self.plan, self.folder.path());
        self.observer.notice(&Notice::Begun { plan, out, cells, reused });
        self.prune_complete(complete)?;
        self.fail_unusable(unusable)?;
        let units = units(plan, missing);
        let is_trained = |training: &Training| self.folder.read_training(training.id).is_whole();
        let all = units.iter().flat_map(|(_, units)| units);
        self.clock = Clock::new(all, plan.image_scores.len(), &is_trained, self.before);
        match self.units(units, executors) {
            Ok(()) => {}
            Err(Error::Interrupted) => {
                self.finished.interrupted = true;
                self.folder.prepare()?;
            }
            Err(error) => return Err(error),
        }
        let Finished { interrupted, given_up, .. } = self.finished;
        self.journal.append(&Entry::Ended { at: now(), interrupted, given_up })?;
        Ok(self.finished)
    }

    fn units(&mut self, units: Vec<(String, Vec<Unit<'a>>)>, executors: Executors<'_>) -> Result<(), Error> {
        let of = units.iter().map(|(_, units)| units.len()).sum();
        let mut number = 0;
        for (backend, units) in units {
            if self.finished.given_up {
                return Ok(());
            }
            // Two numerical libraries in one process fight: a worker has one backend, and backends run one after the
            // other.
            let mut executor = executors(&backend)?;
            for unit in units {
                number += 1;
                let variants = self.index.variants(unit.training.id);
                let (training, left) = (unit.training, self.clock.left());
                self.observer.notice(&Notice::Training { training, variants: &variants, number, of, left });
                self.unit(&unit, &mut *executor)?;
                if self.finished.given_up {
                    return Ok(());
                }
                self.clock.tick();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
