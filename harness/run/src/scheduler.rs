//! The scheduler: which records of a plan are missing, in which order they are made, and what happens when one can't be. It
//! loads no backend and computes no score; metrics are `measure`'s.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use harness_experiment::{Cell, EpochRange, Evaluation, EvaluationId, ImageScore, Plan, Training, TrainingId};
use rayon::prelude::*;

use crate::cell_result::CellResult;
use crate::clock::{Clock, now};
use crate::error::{Class, Error};
use crate::folder::{Folder, Provenance};
use crate::journal::{Entry, Journal};
use crate::measure::{self, Measured, MeasuredWith, Truth, best_epoch};
use crate::notice::{Notice, Observer};
use crate::process::{Received, WorkerProcess};
use crate::protocol::{Event, Job, Phase, Setup, Task, WorldSetup};
use crate::records::{Cost, EvaluationRecord};
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
    /// Asked several times a second; no ends the run in a clean state.
    pub go_on: &'a dyn Fn() -> bool,
}

/// When to give up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest silence of a worker before it is taken to hang.
    pub silence: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { silence: Duration::from_secs(1800) }
    }
}

/// How a run ended.
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
}

/// A training and what is evaluated of it.
struct Unit<'a> {
    training: &'a Training,
    evaluations: Vec<&'a Evaluation>,
}

/// Does what is missing of a plan, in `folder`.
///
/// # Errors
/// What keeps the whole run from going on: a folder that can't be written to, labels that can't be read. What fails of a
/// cell is counted and told to `observer`.
pub fn run(
    plan: &Plan,
    folder: &Folder,
    world: &World,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Finished, Error> {
    let _lock = folder.lock(&mut |holder| observer.notice(&Notice::Waiting { holder }), options.go_on)?;
    folder.prepare()?;
    let registry = world.registry().path();
    folder.freeze(plan, &Provenance::new(&options.experiment, registry, options.threads, world.allow_overlap()))?;
    let journal = Journal::open(&folder.journal())?;
    let mut run = Run {
        plan,
        folder,
        world,
        options,
        observer,
        journal,
        finished: Finished::default(),
        told: HashSet::new(),
        clock: Clock::new(0),
    };
    run.all()
}

struct Run<'a> {
    plan: &'a Plan,
    folder: &'a Folder,
    world: &'a World,
    options: &'a Options<'a>,
    observer: &'a mut dyn Observer,
    journal: Journal,
    finished: Finished,
    /// Cells that the observer knows the end of, by place in the plan.
    told: HashSet<usize>,
    clock: Clock,
}

impl<'a> Run<'a> {
    fn all(&mut self) -> Result<Finished, Error> {
        let complete = self.complete()?;
        self.told.extend(self.cells(|cell| reads(cell).all(|id| complete.contains(&id))));
        self.finished.reused = self.told.len();
        let (cells, count) = (self.plan.cells.len(), self.finished.reused);
        let harness = env!("CARGO_PKG_VERSION").to_owned();
        self.journal.append(&Entry::Run { at: now(), harness, cells, reused: count })?;
        let (plan, out) = (self.plan, self.folder.path());
        self.observer.notice(&Notice::Begun { plan, out, reused: count });

        let units = self.units(&complete);
        let of = units.iter().map(|(_, units)| units.len()).sum();
        self.clock = Clock::new(of);
        let mut number = 0;
        for (backend, units) in units {
            // Two numerical libraries in one process fight: a worker has one backend, and backends run one after the other.
            let mut worker = None;
            for unit in units {
                number += 1;
                let variants = self.variants(unit.training.id);
                self.observer.notice(&Notice::Training { training: unit.training, variants: &variants, number, of });
                match self.unit(&unit, &backend, &mut worker) {
                    Ok(()) => {}
                    Err(Error::Interrupted) => {
                        self.finished.interrupted = true;
                        drop(worker);
                        self.folder.prepare()?;
                        self.journal.append(&Entry::Ended { at: now(), interrupted: true })?;
                        return Ok(self.finished);
                    }
                    Err(error) => return Err(error),
                }
                self.clock.tick();
            }
        }
        self.journal.append(&Entry::Ended { at: now(), interrupted: false })?;
        Ok(self.finished)
    }

    /// Trainings with evaluations that are not complete, backend by backend, in the plan's order; those of folds before the
    /// trainings whose epochs they choose.
    fn units(&self, complete: &HashSet<EvaluationId>) -> Vec<(String, Vec<Unit<'a>>)> {
        let plan: &'a Plan = self.plan;
        let mut evaluations: HashMap<TrainingId, Vec<&'a Evaluation>> = HashMap::new();
        for evaluation in plan.evaluations.iter().filter(|evaluation| !complete.contains(&evaluation.id)) {
            evaluations.entry(evaluation.training).or_default().push(evaluation);
        }
        let of_evaluation: HashMap<EvaluationId, TrainingId> =
            plan.evaluations.iter().map(|evaluation| (evaluation.id, evaluation.training)).collect();
        let places: HashMap<TrainingId, &'a Training> =
            plan.trainings.iter().map(|training| (training.id, training)).collect();
        let mut ordered: Vec<&'a Training> = Vec::new();
        let mut placed = HashSet::new();
        for training in &plan.trainings {
            let choosers = evaluations.get(&training.id).into_iter().flatten().flat_map(|e| &e.chosen_by);
            let before = choosers.filter_map(|chooser| of_evaluation.get(chooser)).chain([&training.id]);
            for id in before {
                if placed.insert(*id) {
                    ordered.extend(places.get(id));
                }
            }
        }
        let of_backend = |backend: &String| -> Vec<Unit<'a>> {
            let trainings = ordered.iter().filter(|training| training.backend.name == *backend);
            trainings
                .filter_map(|training| {
                    let evaluations = evaluations.get(&training.id)?.clone();
                    Some(Unit { training, evaluations })
                })
                .collect()
        };
        let backends = plan.backends.iter().map(|backend| backend.name.clone());
        backends.map(|backend| (backend.clone(), of_backend(&backend))).filter(|(_, units)| !units.is_empty()).collect()
    }

    /// Names of the variants that come to a training, in the plan's order.
    fn variants(&self, training: TrainingId) -> Vec<&'a str> {
        let mut names: Vec<&str> = Vec::new();
        let evaluations = || self.plan.evaluations.iter().filter(|evaluation| evaluation.training == training);
        let ids: HashSet<EvaluationId> = evaluations().map(|evaluation| evaluation.id).collect();
        for cell in self.plan.cells.iter().filter(|cell| reads(cell).any(|id| ids.contains(&id))) {
            if !names.contains(&cell.variant.as_str()) {
                names.push(&cell.variant);
            }
        }
        names
    }

    /// Evaluations whose training, predictions and metrics are all there.
    fn complete(&self) -> Result<HashSet<EvaluationId>, Error> {
        // A large study has thousands of records; what is true of their images is read once, by this thread.
        let folder = self.folder;
        let trainings = self.plan.trainings.par_iter();
        let trained = trainings.map(|training| Ok((training.id, folder.read_training(training.id)?.is_some())));
        let trained: HashMap<TrainingId, bool> = trained.collect::<Result<_, Error>>()?;
        let stored = self.plan.evaluations.par_iter().map(|evaluation| {
            let with = MeasuredWith::read(&folder.evaluation(evaluation.id), evaluation.on_fold)?;
            Ok(folder.read_evaluation(evaluation.id)?.map(|record| (record, with)))
        });
        let stored: Vec<Option<(EvaluationRecord, MeasuredWith)>> = stored.collect::<Result<_, Error>>()?;
        let mut complete = HashSet::new();
        for (evaluation, stored) in self.plan.evaluations.iter().zip(stored) {
            let Some((record, with)) = stored.filter(|_| trained.get(&evaluation.training) == Some(&true)) else {
                continue;
            };
            if with.is(&*self.truth(evaluation, &record)?) {
                complete.insert(evaluation.id);
            }
        }
        Ok(complete)
    }

    fn truth(&self, evaluation: &Evaluation, record: &EvaluationRecord) -> Result<Rc<Truth>, Error> {
        let training = self.plan.trainings.iter().find(|training| training.id == evaluation.training);
        let training = training.ok_or_else(|| Error::record(self.folder.path(), "an evaluation without training"))?;
        self.world.truth(evaluation, training, record.image_size)
    }

    /// Makes the missing records of a training and its evaluations. A failure of theirs is told, not returned.
    fn unit(&mut self, unit: &Unit<'a>, backend: &str, worker: &mut Option<WorkerProcess>) -> Result<(), Error> {
        let mut missing = Vec::new();
        for evaluation in &unit.evaluations {
            if self.folder.read_evaluation(evaluation.id)?.is_none() {
                missing.push(*evaluation);
            }
        }
        if !self.train(unit, &missing, backend, worker)? {
            return Ok(());
        }
        // Those that choose come before those that are chosen by them.
        for choosing in [true, false] {
            let here = |evaluation: &&&Evaluation| evaluation.chosen_by.is_empty() == choosing;
            let mut groups: BTreeMap<(&str, &str, bool), Vec<(&'a Evaluation, Vec<u32>)>> = BTreeMap::new();
            for evaluation in missing.iter().filter(here) {
                if let Some(epochs) = self.epochs(evaluation)? {
                    let key = (evaluation.dataset.as_str(), evaluation.object.as_str(), evaluation.on_fold);
                    groups.entry(key).or_default().push((evaluation, epochs));
                }
            }
            for together in groups.into_values() {
                self.evaluate(unit, &together, backend, worker)?;
            }
            for evaluation in unit.evaluations.iter().filter(here) {
                self.measure(evaluation)?;
            }
        }
        self.prune(unit)
    }

    /// Trains where the record, or a state that some evaluation waits for, is missing. False where that failed.
    fn train(
        &mut self,
        unit: &Unit<'a>,
        missing: &[&'a Evaluation],
        backend: &str,
        worker: &mut Option<WorkerProcess>,
    ) -> Result<bool, Error> {
        let id = unit.training.id;
        let trained = self.folder.read_training(id)?.is_some();
        // Which epochs a chosen evaluation needs is known when its choosers are measured: until then, any.
        let epochs: BTreeSet<u32> = missing.iter().flat_map(|evaluation| evaluation.epochs.iter()).collect();
        if trained && self.folder.has_states(id, epochs.iter().copied()) {
            return Ok(true);
        }
        let last = unit.training.epochs.saturating_sub(1);
        let keep =
            EpochRange { first: epochs.first().copied().unwrap_or(last), last: epochs.last().copied().unwrap_or(last) };
        let target = self.folder.training(id);
        let partial = self.folder.begin(&target)?;
        let training = Box::new(unit.training.clone());
        let job = Job::Train { training, keep, folder: partial.clone() };
        match self.perform(&job, backend, worker) {
            Ok(cost) => {
                self.commit("training", &id.to_string(), &[(partial, target)], cost)?;
                Ok(true)
            }
            Err(error) => {
                self.failed("training", &id.to_string(), &partial, &error)?;
                let ids: HashSet<EvaluationId> = unit.evaluations.iter().map(|evaluation| evaluation.id).collect();
                self.tell_failure(&error, |cell| reads(cell).any(|id| ids.contains(&id)))?;
                Ok(false)
            }
        }
    }

    /// The epochs that an evaluation scores; `None`, after telling why, where what chooses them is missing.
    fn epochs(&mut self, evaluation: &'a Evaluation) -> Result<Option<Vec<u32>>, Error> {
        if evaluation.chosen_by.is_empty() {
            return Ok(Some(evaluation.epochs.iter().collect()));
        }
        let mut choosers = Vec::new();
        for chooser in &evaluation.chosen_by {
            choosers.extend(measure::read(&self.folder.evaluation(*chooser), None)?);
        }
        if choosers.len() < evaluation.chosen_by.len() {
            let message = "its epoch can't be chosen: what chooses it failed".to_owned();
            let (error, id) = (Error::Worker { class: Class::Input, message }, evaluation.id);
            self.note_failure("evaluation", &id.to_string(), &error)?;
            self.tell_failure(&error, |cell| cell.evaluation == id)?;
            return Ok(None);
        }
        let choosers: Vec<&Measured> = choosers.iter().collect();
        let epochs: BTreeSet<u32> =
            ImageScore::ALL.into_iter().filter_map(|score| best_epoch(&choosers, score)).collect();
        Ok(Some(epochs.into_iter().collect()))
    }

    fn evaluate(
        &mut self,
        unit: &Unit<'a>,
        together: &[(&'a Evaluation, Vec<u32>)],
        backend: &str,
        worker: &mut Option<WorkerProcess>,
    ) -> Result<(), Error> {
        let (mut places, mut tasks) = (Vec::new(), Vec::new());
        for (evaluation, epochs) in together {
            let target = self.folder.evaluation(evaluation.id);
            let folder = self.folder.begin(&target)?;
            places.push((folder.clone(), target));
            tasks.push(Task { evaluation: (*evaluation).clone(), epochs: epochs.clone(), folder });
        }
        let job = Job::Evaluate {
            training: Box::new(unit.training.clone()),
            states: self.folder.training(unit.training.id),
            tasks,
        };
        let ids: Vec<String> = together.iter().map(|(evaluation, _)| evaluation.id.to_string()).collect();
        match self.perform(&job, backend, worker) {
            Ok(cost) => {
                ids.iter().zip(places).try_for_each(|(id, place)| self.commit("evaluation", id, &[place], cost))
            }
            Err(error) => {
                for (id, (partial, _)) in ids.iter().zip(&places) {
                    self.failed("evaluation", id, partial, &error)?;
                }
                let ids: HashSet<EvaluationId> = together.iter().map(|(evaluation, _)| evaluation.id).collect();
                self.tell_failure(&error, |cell| reads(cell).any(|id| ids.contains(&id)))
            }
        }
    }

    /// Metrics of an evaluation whose predictions are there, and the end of its cells.
    fn measure(&mut self, evaluation: &'a Evaluation) -> Result<(), Error> {
        let folder = self.folder.evaluation(evaluation.id);
        let Some(record) = self.folder.read_evaluation(evaluation.id)? else { return Ok(()) };
        let truth = self.truth(evaluation, &record)?;
        if !MeasuredWith::read(&folder, evaluation.on_fold)?.is(&truth) {
            self.observer.notice(&Notice::Measuring { evaluation });
            match measure::measure(&folder, &record, &truth) {
                Ok(made) => measure::write(&folder, &made)?,
                Err(error) if matches!(error.class(), Class::Numeric) => {
                    let id = evaluation.id;
                    self.note_failure("evaluation", &id.to_string(), &error)?;
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

    /// Removes states that no cell reports, once all evaluations of a training have their numbers.
    fn prune(&mut self, unit: &Unit<'_>) -> Result<(), Error> {
        let mut keep = vec![unit.training.epochs.saturating_sub(1)];
        for evaluation in self.plan.evaluations.iter().filter(|e| e.training == unit.training.id) {
            let Some(measured) = measure::read(&self.folder.evaluation(evaluation.id), None)? else { return Ok(()) };
            keep.extend(measured.reported.iter().map(|reported| reported.epoch));
        }
        self.folder.prune_states(unit.training.id, &keep)
    }

    /// Gives a job to the backend's worker, which is started where there is none, and waits for its end.
    fn perform(&mut self, job: &Job, backend: &str, worker: &mut Option<WorkerProcess>) -> Result<Cost, Error> {
        let go_on = self.options.go_on;
        let running = match worker {
            Some(running) => running,
            None => {
                let kind = self.plan.backends.iter().find(|known| known.name == backend);
                let world = WorldSetup {
                    registry: std::path::absolute(self.world.registry().path())
                        .map_err(Error::file("find", self.world.registry().path()))?,
                    taps: self.options.taps.clone(),
                    budget: self.options.budget,
                    device: kind.map(|known| known.device.clone()).unwrap_or_default(),
                    encoder: self.plan.encoder.source.clone(),
                    compared: self.plan.backends.len() > 1,
                };
                let threads = self.options.threads;
                let setup = Setup { backend: backend.to_owned(), threads, world: Some(world), ..Setup::default() };
                let log = self.folder.failure_log(&format!("worker-{backend}"));
                worker.insert(WorkerProcess::start(self.world.program(), &setup, &log, go_on)?.0)
            }
        };
        running.send(job)?;
        let (mut heard, mut begun, mut of) = (Instant::now(), Instant::now(), None);
        loop {
            match running.receive(Duration::from_millis(100)) {
                Received::Event(event) => {
                    let before = std::mem::replace(&mut heard, Instant::now());
                    match event {
                        Event::Done { cost } => return Ok(cost),
                        Event::Failed { class, message } => {
                            // A worker that ran out of memory keeps what it took: the next job deserves a new one.
                            if matches!(class, Class::Exhausted | Class::Internal) {
                                *worker = None;
                            }
                            return Err(Error::Worker { class, message });
                        }
                        Event::Progress { phase, done, total } => {
                            if of != Some(phase) {
                                (of, begun) = (Some(phase), before);
                            }
                            self.progress(phase, done, total, begun.elapsed());
                        }
                        Event::Epoch { epoch, loss } => self.observer.notice(&Notice::Epoch { epoch, loss }),
                        Event::Ready { .. } | Event::Pace { .. } | Event::Measured { .. } => {}
                    }
                }
                Received::Gone => {
                    let error = running.end(backend, crate::worker::log_of(job).as_deref());
                    *worker = None;
                    return Err(error);
                }
                Received::Nothing if !go_on() => return Err(Error::Interrupted),
                Received::Nothing if heard.elapsed() > self.options.limits.silence => {
                    let secs = self.options.limits.silence.as_secs();
                    *worker = None;
                    let message =
                        format!("the worker of backend `{backend}` said nothing for {secs} seconds and was ended");
                    return Err(Error::Worker { class: Class::Stalled, message });
                }
                Received::Nothing => {}
            }
        }
    }

    fn progress(&mut self, phase: Phase, done: u64, total: u64, took: Duration) {
        let rate = done as f64 / took.as_secs_f64().max(1e-9);
        self.observer.notice(&Notice::Progress { phase, done, total, rate, left: self.clock.left() });
    }

    /// Makes filled folders records and notes it.
    fn commit(&mut self, kind: &str, id: &str, places: &[(PathBuf, PathBuf)], cost: Cost) -> Result<(), Error> {
        for (partial, target) in places {
            self.folder.commit(partial, target)?;
        }
        let (record, id) = (kind.to_owned(), id.to_owned());
        self.journal.append(&Entry::Completed { at: now(), record, id, secs: cost.total_secs })
    }

    /// Notes a failure, keeps the log and removes what was not completed.
    fn failed(&mut self, kind: &str, id: &str, partial: &Path, error: &Error) -> Result<(), Error> {
        if matches!(error, Error::Interrupted) {
            return Err(Error::Interrupted);
        }
        let log = partial.join("log.txt");
        if log.is_file() {
            let kept = self.folder.failure_log(id);
            std::fs::rename(&log, &kept).map_err(Error::file("keep the log", &kept))?;
        }
        std::fs::remove_dir_all(partial).map_err(Error::file("remove", partial))?;
        self.note_failure(kind, id, error)
    }

    fn note_failure(&mut self, kind: &str, id: &str, error: &Error) -> Result<(), Error> {
        let (record, id, class, message) = (kind.to_owned(), id.to_owned(), error.class(), error.to_string());
        self.journal.append(&Entry::Failed { at: now(), record, id, class, message })
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
        Ok(())
    }

    /// Places of cells in the plan.
    fn cells(&self, which: impl Fn(&Cell) -> bool) -> Vec<usize> {
        let cells = self.plan.cells.iter().enumerate();
        cells.filter(|(_, cell)| which(cell)).map(|(place, _)| place).collect()
    }
}

/// The evaluations that a cell's numbers depend on.
fn reads(cell: &Cell) -> impl Iterator<Item = EvaluationId> {
    std::iter::once(cell.evaluation).chain(cell.chosen_by.iter().copied())
}

/// A cell's main numbers: AUROCs by the first score that it reports.
fn headline(result: &CellResult) -> Vec<(String, f64)> {
    let Some((score, epoch)) = result.epochs.first() else { return Vec::new() };
    let Some(reported) = result.measured.reported(*epoch) else { return Vec::new() };
    let image = reported.image(*score).map(|values| (format!("image_auroc ({score})"), values.image_auroc));
    let pixel = reported.pixel.map(|values| ("pixel_auroc".to_owned(), values.pixel_auroc));
    image.into_iter().chain(pixel).collect()
}
