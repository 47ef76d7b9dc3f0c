//! The scheduler: makes what is missing of a plan, unit by unit, and tells what became of it. It loads no backend and computes
//! no score: which records are missing and in which order is `units`', a worker's care is `crew`'s, metrics are `measure`'s.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness_experiment::{Cell, EpochRange, Evaluation, EvaluationId, Filter, Plan};
use harness_records::Class;
use harness_records::now;
use harness_records::reads;
use harness_records::{CellResult, chosen_epochs};
use harness_records::{Entry, Journal};
use harness_records::{Folder, Lock, Provenance};
use harness_records::{MeasuredWith, metrics};
use harness_worker::protocol::{Job, Setup, Task, WorldSetup};

use crate::choice;
use crate::clock::Clock;
use crate::crew::{Crew, Limits, Told};
use crate::disk;
use crate::error::Error;
use crate::measure;
use crate::notice::{Notice, Observer};
use crate::retry;
use crate::units::{Unit, units, variants};
use crate::world::World;

/// How a plan is run. None of it decides a result.
pub struct Options<'a> {
    /// The experiment file, for the record.
    pub experiment: PathBuf,
    /// The tap store's folder.
    pub taps: PathBuf,
    /// Most bytes the tap store may take.
    pub budget: Option<u64>,
    /// CPU threads of a worker; the machine's without it.
    pub threads: Option<usize>,
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

/// Does what is missing of a plan, in `folder`, whose lock is held: until its report is written, best.
///
/// # Errors
/// What keeps the whole run from going on: a folder that can't be written to, or has another experiment's results; disks that
/// can't hold what is to come; labels that can't be read. What fails of a cell is counted and told to `observer`.
pub fn run(
    plan: &Plan,
    folder: &Folder,
    _: &Lock,
    world: &World,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Finished, Error> {
    if let Some(warning) = folder.check_before(plan)? {
        observer.notice(&Notice::Warning(&warning));
    }
    folder.prepare()?;
    let journal = Journal::open(&folder.journal())?;
    let filters: Vec<&Filter> = options.only.into_iter().chain(options.rerun).collect();
    let chosen = choice::chosen(plan, folder, &filters)?;
    let mut run = Run {
        plan,
        folder,
        world,
        options,
        observer,
        journal,
        chosen,
        finished: Finished::default(),
        told: HashSet::new(),
        clock: Clock::new(0),
    };
    if options.rerun.is_some() {
        run.remove()?;
    }
    let complete = run.complete()?;
    let missing: HashSet<EvaluationId> =
        run.chosen.iter().flat_map(|place| reads(&plan.cells[*place])).filter(|id| !complete.contains(id)).collect();
    let places = disk::Places {
        results: folder.path(),
        taps: &options.taps,
        stored: folder_bytes(&options.taps),
        budget: options.budget,
    };
    disk::check(plan, &missing, &places, options.free_space)?;
    let provenance =
        Provenance::new(&options.experiment, world.registry().path(), options.threads, world.allow_overlap());
    folder.freeze(plan, &Provenance { generated: world.generated(), ..provenance })?;
    run.all(&complete, &missing)
}

/// Bytes of the files right in a folder, which may not exist.
fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).filter(|m| m.is_file()).map(|m| m.len()).sum()
}

/// A run under way.
pub(crate) struct Run<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) folder: &'a Folder,
    pub(crate) world: &'a World,
    options: &'a Options<'a>,
    pub(crate) observer: &'a mut dyn Observer,
    pub(crate) journal: Journal,
    /// Cells that the run is about, by place in the plan.
    pub(crate) chosen: HashSet<usize>,
    finished: Finished,
    /// Cells that the observer knows the end of, by place in the plan.
    told: HashSet<usize>,
    clock: Clock,
}

impl<'a> Run<'a> {
    fn all(&mut self, complete: &HashSet<EvaluationId>, missing: &HashSet<EvaluationId>) -> Result<Finished, Error> {
        self.told.extend(self.cells(|cell| reads(cell).all(|id| complete.contains(&id))));
        self.finished.reused = self.told.len();
        let (cells, reused) = (self.chosen.len(), self.finished.reused);
        let harness = env!("CARGO_PKG_VERSION").to_owned();
        self.journal.append(&Entry::Run { at: now(), harness, cells, reused })?;
        let (plan, out) = (self.plan, self.folder.path());
        self.observer.notice(&Notice::Begun { plan, out, cells, reused });
        self.prune_complete(complete)?;
        let units = units(plan, missing);
        self.clock = Clock::new(units.iter().map(|(_, units)| units.len()).sum());
        match self.units(units) {
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

    fn units(&mut self, units: Vec<(String, Vec<Unit<'a>>)>) -> Result<(), Error> {
        let of = units.iter().map(|(_, units)| units.len()).sum();
        let mut number = 0;
        for (backend, units) in units {
            // Two numerical libraries in one process fight: a worker has one backend, and backends run one after the other.
            let mut crew = self.crew(&backend)?;
            for unit in units {
                number += 1;
                let variants = variants(self.plan, unit.training.id);
                self.observer.notice(&Notice::Training { training: unit.training, variants: &variants, number, of });
                self.unit(&unit, &mut crew)?;
                if self.finished.given_up {
                    return Ok(());
                }
                self.clock.tick();
            }
        }
        Ok(())
    }

    /// A backend's worker, not started yet.
    fn crew(&self, backend: &str) -> Result<Crew<'a>, Error> {
        let kind = self.plan.backends.iter().find(|known| known.name == backend);
        let registry = self.world.registry().path();
        let world = WorldSetup {
            registry: std::path::absolute(registry).map_err(Error::file("find", registry))?,
            generated: self.world.generated(),
            taps: self.options.taps.clone(),
            budget: self.options.budget,
            device: kind.map(|known| known.device.clone()).unwrap_or_default(),
            encoder: self.plan.encoder.source.clone(),
            precision: self.plan.encoder.precision,
            compared: self.plan.backends.len() > 1,
        };
        Ok(Crew {
            program: self.world.program(),
            setup: Setup {
                backend: backend.to_owned(),
                threads: self.options.threads,
                world: Some(world),
                ..Setup::default()
            },
            log: self.folder.failure_log(&format!("worker-{backend}")),
            limits: self.options.limits,
            go_on: self.options.go_on,
            worker: None,
        })
    }

    /// Makes the missing records of a training and its evaluations. A failure of theirs is told, not returned.
    fn unit(&mut self, unit: &Unit<'a>, crew: &mut Crew<'_>) -> Result<(), Error> {
        let mut missing = Vec::new();
        for evaluation in &unit.evaluations {
            if self.folder.read_evaluation(evaluation.id)?.is_none() {
                missing.push(*evaluation);
            }
        }
        if !self.train(unit, &missing, crew)? {
            return Ok(());
        }
        // Those that choose come before those that are chosen by them.
        for choosing in [true, false] {
            if !choosing && !self.renew(unit, &mut missing, crew)? {
                return Ok(());
            }
            let here = |evaluation: &&&Evaluation| evaluation.chosen_by.is_empty() == choosing;
            let mut groups = BTreeMap::<(&str, &str, bool), Vec<_>>::new();
            for evaluation in missing.iter().filter(here) {
                if let Some(epochs) = self.epochs(evaluation)? {
                    let key = (evaluation.dataset.as_str(), evaluation.object.as_str(), evaluation.on_fold);
                    groups.entry(key).or_default().push((*evaluation, epochs));
                }
            }
            for together in groups.into_values() {
                if !self.finished.given_up {
                    self.evaluate(unit, &together, crew)?;
                }
            }
            for evaluation in unit.evaluations.iter().filter(here) {
                self.measure(evaluation)?;
            }
        }
        self.prune(unit.training)
    }

    /// Takes away evaluations of epochs that are no longer chosen, and has the states made that they now wait for. False where
    /// that failed.
    fn renew(
        &mut self,
        unit: &Unit<'a>,
        missing: &mut Vec<&'a Evaluation>,
        crew: &mut Crew<'_>,
    ) -> Result<bool, Error> {
        let outdated = self.outdated(&unit.evaluations)?;
        for evaluation in &outdated {
            self.folder.remove(&self.folder.evaluation(evaluation.id))?;
        }
        missing.extend(&outdated);
        Ok(outdated.is_empty() || self.train(unit, &outdated, crew)?)
    }

    /// Trains where the record, or a state that some evaluation waits for, is missing. False where that failed.
    fn train(&mut self, unit: &Unit<'a>, missing: &[&'a Evaluation], crew: &mut Crew<'_>) -> Result<bool, Error> {
        let id = unit.training.id;
        let trained = self.folder.read_training(id)?.is_some();
        // Which epochs a chosen evaluation needs is known when its choosers are measured: until then, any.
        if trained && self.folder.has_states(id, missing.iter().flat_map(|evaluation| evaluation.epochs.iter())) {
            return Ok(true);
        }
        // Also for evaluations that this run is not about: else a later one would train again.
        let last = unit.training.epochs.saturating_sub(1);
        let mut keep = EpochRange { first: last, last };
        for evaluation in self.plan.evaluations.iter().filter(|evaluation| evaluation.training == id) {
            if self.folder.read_evaluation(evaluation.id)?.is_none() {
                keep.first = keep.first.min(evaluation.epochs.first);
            }
        }
        let training = Box::new(unit.training.clone());
        let targets = [(id.to_string(), self.folder.training(id))];
        let job = |folders: &[PathBuf]| Job::Train { training: training.clone(), keep, folder: folders[0].clone() };
        let Some(error) = self.make("training", &targets, crew, &job)? else { return Ok(true) };
        let ids: HashSet<EvaluationId> = unit.evaluations.iter().map(|evaluation| evaluation.id).collect();
        self.tell_failure(&error, |cell| reads(cell).any(|id| ids.contains(&id)))?;
        Ok(false)
    }

    /// The epochs that an evaluation scores; `None`, after telling why, where what chooses them is missing.
    fn epochs(&mut self, evaluation: &'a Evaluation) -> Result<Option<Vec<u32>>, Error> {
        if evaluation.chosen_by.is_empty() {
            return Ok(Some(evaluation.epochs.iter().collect()));
        }
        let epochs = chosen_epochs(self.folder, evaluation)?;
        if epochs.is_none() {
            let message = "its epoch can't be chosen: what chooses it failed".to_owned();
            let (error, id) = (Error::Job { class: Class::Input, message }, evaluation.id);
            self.note_failure("evaluation", &id.to_string(), 1, &error)?;
            self.tell_failure(&error, |cell| cell.evaluation == id)?;
        }
        Ok(epochs)
    }

    fn evaluate(
        &mut self,
        unit: &Unit<'a>,
        together: &[(&'a Evaluation, Vec<u32>)],
        crew: &mut Crew<'_>,
    ) -> Result<(), Error> {
        let states = self.folder.training(unit.training.id);
        let target =
            |(evaluation, _): &(&Evaluation, _)| (evaluation.id.to_string(), self.folder.evaluation(evaluation.id));
        let targets: Vec<(String, PathBuf)> = together.iter().map(target).collect();
        let job = |folders: &[PathBuf]| {
            let tasks = together.iter().zip(folders).map(|((evaluation, epochs), folder)| Task {
                evaluation: (*evaluation).clone(),
                epochs: epochs.clone(),
                folder: folder.clone(),
            });
            let (training, states) = (Box::new(unit.training.clone()), states.clone());
            Job::Evaluate { training, states, tasks: tasks.collect() }
        };
        let Some(error) = self.make("evaluation", &targets, crew, &job)? else { return Ok(()) };
        let ids: HashSet<EvaluationId> = together.iter().map(|(evaluation, _)| evaluation.id).collect();
        self.tell_failure(&error, |cell| reads(cell).any(|id| ids.contains(&id)))
    }

    /// Has records made, by a job that fills their folders, and tries what may pass a second time. Why it failed is returned,
    /// noted and not told yet.
    fn make(
        &mut self,
        kind: &str,
        targets: &[(String, PathBuf)],
        crew: &mut Crew<'_>,
        job: &dyn Fn(&[PathBuf]) -> Job,
    ) -> Result<Option<Error>, Error> {
        for attempt in 1.. {
            let mut folders = Vec::new();
            for (_, target) in targets {
                folders.push(self.folder.begin(target)?);
            }
            let (observer, left) = (&mut *self.observer, self.clock.left());
            let error = match crew.perform(&job(&folders), &mut |told| progress(observer, &told, left)) {
                Ok(cost) => {
                    for ((id, target), folder) in targets.iter().zip(&folders) {
                        self.folder.commit(folder, target)?;
                        let (record, id) = (kind.to_owned(), id.clone());
                        self.journal.append(&Entry::Completed {
                            at: now(),
                            record,
                            id,
                            secs: cost.total_secs,
                            attempt,
                        })?;
                    }
                    return Ok(None);
                }
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => error,
            };
            for ((id, _), folder) in targets.iter().zip(&folders) {
                self.folder.abandon(folder, id)?;
                self.note_failure(kind, id, attempt, &error)?;
            }
            if !retry::again(error.class(), attempt) {
                return Ok(Some(error));
            }
            crew.dismiss();
            self.observer.notice(&Notice::Retrying { record: kind, message: &error.to_string() });
        }
        Ok(None)
    }

    /// Metrics of an evaluation whose predictions are there, and the end of its cells.
    fn measure(&mut self, evaluation: &'a Evaluation) -> Result<(), Error> {
        let folder = self.folder.evaluation(evaluation.id);
        let Some(record) = self.folder.read_evaluation(evaluation.id)? else { return Ok(()) };
        let truth = self.truth(evaluation, &record)?;
        if !MeasuredWith::read(&folder, evaluation.on_fold)?.is(&truth.id()) {
            self.observer.notice(&Notice::Measuring { evaluation });
            match measure::measure(&folder, &record, &truth) {
                Ok(made) => metrics::write(&folder, &made)?,
                Err(error) if matches!(error.class(), Class::Numeric) => {
                    let id = evaluation.id;
                    self.note_failure("evaluation", &id.to_string(), 1, &error)?;
                    return self.tell_failure(&error, |cell| reads(cell).any(|read| read == id));
                }
                Err(error) => return Err(error),
            }
        }
        let plan = self.plan;
        for place in self.cells(|cell| cell.evaluation == evaluation.id) {
            let cell = &plan.cells[place];
            let Some(result) = CellResult::read(self.folder, cell)? else { continue };
            if self.told.insert(place) {
                self.finished.done += 1;
                self.observer.notice(&Notice::Done { cell, values: &headline(&result) });
            }
        }
        Ok(())
    }

    fn note_failure(&mut self, kind: &str, id: &str, attempt: u32, error: &Error) -> Result<(), Error> {
        let (record, id, class, message) = (kind.to_owned(), id.to_owned(), error.class(), error.to_string());
        Ok(self.journal.append(&Entry::Failed { at: now(), record, id, class, message, attempt })?)
    }

    /// Tells the end of cells that failed.
    fn tell_failure(&mut self, error: &Error, which: impl Fn(&Cell) -> bool) -> Result<(), Error> {
        let (message, plan) = (error.to_string(), self.plan);
        for place in self.cells(which) {
            if self.told.insert(place) {
                self.finished.failed += 1;
                self.observer.notice(&Notice::Failed { cell: &plan.cells[place], message: &message });
            }
        }
        self.finished.given_up = self.options.limits.failures.is_some_and(|most| self.finished.failed >= most);
        Ok(())
    }

    /// Places of chosen cells in the plan.
    fn cells(&self, which: impl Fn(&Cell) -> bool) -> Vec<usize> {
        let cells = self.plan.cells.iter().enumerate();
        cells.filter(|(place, cell)| self.chosen.contains(place) && which(cell)).map(|(place, _)| place).collect()
    }
}

/// Tells a job's progress; `left` is for the whole run.
fn progress(observer: &mut dyn Observer, told: &Told, left: Option<Duration>) {
    match *told {
        Told::Progress(phase, done, total, took) => {
            let rate = done as f64 / took.as_secs_f64().max(1e-9);
            observer.notice(&Notice::Progress { phase, done, total, rate, left });
        }
        Told::Epoch(epoch, loss) => observer.notice(&Notice::Epoch { epoch, loss }),
    }
}

/// A cell's main numbers: AUROCs by the first score that it reports.
fn headline(result: &CellResult) -> Vec<(String, f64)> {
    let Some((score, epoch)) = result.epochs.first() else { return Vec::new() };
    let Some(reported) = result.measured.reported(*epoch) else { return Vec::new() };
    let image = reported.image(*score).map(|values| (format!("image_auroc ({score})"), values.image_auroc));
    let pixel = reported.pixel.map(|values| ("pixel_auroc".to_owned(), values.pixel_auroc));
    image.into_iter().chain(pixel).collect()
}
