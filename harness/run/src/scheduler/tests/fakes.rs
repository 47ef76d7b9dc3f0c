//! A catalogue, an executor and a judge that know a few answers and compute nothing.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::path::Path;

use harness_experiment::{
    BackendInfo, Catalogue, CatalogueError, ContentHash, DatasetFacts, EncoderSource, Evaluation, EvaluationId,
    ImageScore, Plan, Shots, Spec, SupportFacts, Training, WeightsFacts,
};
use harness_method::{Arch, Draw};
use harness_methods::Sentences;
use harness_metrics::Metric;
use harness_records::{
    Class, Cost, EpochMetrics, EvaluationRecord, Folder, Measured, Measurement, RecordId, ReplicateSet, StoredFormat,
    TrainingRecord, TruthId, state, state_file, write_toml,
};
use harness_worker::protocol::Job;

use crate::error::Error;
use crate::executor::{Executor, Report};
use crate::judge::Judge;
use crate::notice::{Notice, Observer};
use crate::scheduler::{Finished, Run};

const TOP: &str = "name = \"test\"\n";

/// Axes that a test does not set itself.
const AXES: [(&str, &str); 7] = [
    ("datasets", "[\"Brain\"]"),
    ("shots", "[4]"),
    ("draws", "[0]"),
    ("seeds", "[0, 1]"),
    ("selection", "[\"last\"]"),
    ("backends", "[\"one\"]"),
    ("variants", ""),
];

/// A small plan with these axes.
pub(super) fn plan(axes: &str) -> Plan {
    let mut text = format!("{TOP}{axes}\n");
    for (name, value) in AXES {
        if !value.is_empty() && !axes.contains(name) {
            text += &format!("{name} = {value}\n");
        }
    }
    text += "[encoder]\nweights = \"weights.pt\"\n[variants.free]\nprompts = \"free\"\n[train]\nepochs = 5\n";
    Spec::parse(Path::new("test.toml"), text).unwrap().plan(&Answers, &|_| None).unwrap()
}

fn hash(number: u8) -> ContentHash {
    ContentHash::from_bytes([number; 32])
}

struct Answers;

impl Catalogue for Answers {
    fn dataset(&self, name: &str) -> Result<DatasetFacts, CatalogueError> {
        let test_hash = hash(name.len() as u8);
        Ok(DatasetFacts { object: name.to_owned(), has_masks: true, test_images: 4, test_hash })
    }

    fn support(&self, dataset: &str, shots: Shots, draw: Draw) -> Result<SupportFacts, CatalogueError> {
        let hash_of = hash(shots.normal as u8 + 16 * dataset.len() as u8);
        Ok(SupportFacts { hash: hash_of, set: hash(100 + draw.to_string().parse().unwrap_or(0)), drawn: true })
    }

    fn patients(&self, _: &str, _: Shots, _: Draw) -> Result<Vec<Option<String>>, CatalogueError> {
        Ok(Vec::new())
    }

    fn check_transfer(&self, _: &str, _: Shots, _: Draw, _: &str) -> Result<(), CatalogueError> {
        Ok(())
    }

    fn weights(&self, _: &EncoderSource) -> Result<WeightsFacts, CatalogueError> {
        let arch = Arch {
            image_size: 336,
            patch: 14,
            width: 1024,
            layers: 24,
            heads: 16,
            embed: 768,
            vocab: 49_408,
            context: 77,
            text_width: 768,
            text_layers: 12,
            text_heads: 12,
        };
        Ok(WeightsFacts { hash: hash(9), arch })
    }

    fn backend(&self, name: &str) -> Result<BackendInfo, CatalogueError> {
        Ok(BackendInfo {
            name: name.to_owned(),
            version: "1".to_owned(),
            interface: "1".to_owned(),
            devices: vec!["cpu".to_owned()],
            precisions: vec!["f32".to_owned()],
            capabilities: Vec::new(),
            note: None,
        })
    }

    fn check_sentences(&self, _: &str, _: Sentences, _: &Arch) -> Result<(), CatalogueError> {
        Ok(())
    }
}

/// A results folder with all that a run needs beside it.
pub(super) struct Desk<'p> {
    plan: &'p Plan,
    folder: Folder,
    _temporary: tempfile::TempDir,
    jobs: RefCell<Vec<RecordId>>,
    notices: RefCell<Vec<String>>,
    failures: RefCell<HashMap<RecordId, (Class, u32)>>,
    damaged: RefCell<HashMap<EvaluationId, u32>>,
    spoilt: RefCell<HashSet<String>>,
    renewals: Cell<usize>,
}

impl<'p> Desk<'p> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        Self {
            plan,
            folder: Folder::new(temporary.path().join("out")),
            _temporary: temporary,
            jobs: RefCell::default(),
            notices: RefCell::default(),
            failures: RefCell::default(),
            damaged: RefCell::default(),
            spoilt: RefCell::default(),
            renewals: Cell::default(),
        }
    }

    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Records that were made or tried, in order.
    pub(super) fn jobs(&self) -> Vec<RecordId> {
        self.jobs.borrow().clone()
    }

    /// What was noticed, a word or a warning's text each.
    pub(super) fn notices(&self) -> Vec<String> {
        self.notices.borrow().clone()
    }

    pub(super) fn renewals(&self) -> usize {
        self.renewals.get()
    }

    pub(super) fn forget(&self) {
        self.jobs.borrow_mut().clear();
        self.notices.borrow_mut().clear();
    }

    /// Lets the next `times` attempts at a record fail.
    pub(super) fn fail(&self, record: RecordId, class: Class, times: u32) {
        self.failures.borrow_mut().insert(record, (class, times));
    }

    /// Lets the predictions of an evaluation be unreadable when they are measured the next `times`.
    pub(super) fn damage(&self, evaluation: EvaluationId, times: u32) {
        self.damaged.borrow_mut().insert(evaluation, times);
    }

    /// Lets a file of a dataset's test set be unusable, or not any more.
    pub(super) fn spoil(&self, dataset: &str, spoilt: bool) {
        let mut all = self.spoilt.borrow_mut();
        if spoilt {
            all.insert(dataset.to_owned())
        } else {
            all.remove(dataset)
        };
    }

    fn judgeable(&self, evaluation: &Evaluation) -> Result<(), Error> {
        let spoilt = !evaluation.on_fold && self.spoilt.borrow().contains(&evaluation.dataset);
        if spoilt { Err(Error::test_set(&evaluation.dataset, "a mask is too small")) } else { Ok(()) }
    }

    pub(super) fn run(&self) -> Finished {
        self.run_with(None, None)
    }

    /// A run about the chosen cells, all without a choice.
    pub(super) fn run_with(&self, chosen: Option<&[usize]>, most_failures: Option<usize>) -> Finished {
        self.folder.prepare().unwrap();
        let all: Vec<usize> = (0..self.plan.cells.len()).collect();
        let chosen = chosen.unwrap_or(&all).iter().copied().collect();
        let mut watcher = Watcher(self);
        let mut run = Run::new(self.plan, &self.folder, self, chosen, most_failures, &mut watcher).unwrap();
        let complete = run.complete().unwrap();
        let missing = run.missing(&complete);
        let unusable = run.unusable(&missing).unwrap();
        let missing = run.usable(&missing, &unusable);
        run.all(&complete, &missing, &unusable, &mut |_| Ok(Box::new(Hands(self)))).unwrap()
    }
}

fn truth() -> TruthId {
    TruthId { hash: "truth".to_owned(), pairing: 0 }
}

impl Judge for Desk<'_> {
    fn ready(&self, evaluation: &Evaluation, _: &Training) -> Result<(), Error> {
        self.judgeable(evaluation)
    }

    fn truth(&self, evaluation: &Evaluation, _: &Training, _: &EvaluationRecord) -> Result<TruthId, Error> {
        self.judgeable(evaluation).map(|()| truth())
    }

    /// The earlier the epoch, the better.
    fn measure(
        &self,
        evaluation: &Evaluation,
        _: &Training,
        record: &EvaluationRecord,
        folder: &Path,
    ) -> Result<Measurement, Error> {
        if let Some(times) = self.damaged.borrow_mut().get_mut(&evaluation.id).filter(|times| **times > 0) {
            *times -= 1;
            return Err(Error::record(&folder.join("scores.parquet"), "cut off"));
        }
        let mut measured = Measured::new(&truth());
        for epoch in &record.epochs {
            let mut metrics = EpochMetrics::new(*epoch);
            for score in ImageScore::ALL {
                metrics.add(Metric::ImageAuroc, Some(score), 1.0 / f64::from(epoch + 1));
            }
            measured.epochs.push(metrics);
        }
        let last = record.epochs.len() - 1;
        let reported = if evaluation.on_fold { Vec::new() } else { vec![0, last] };
        measured.reported = reported.into_iter().map(|index| measured.epochs[index].clone()).collect();
        measured.reported.dedup();
        let replicates = ReplicateSet::new(&truth(), &[false, true]);
        Ok(Measurement { measured, replicates: (!evaluation.on_fold).then_some(replicates) })
    }
}

/// Fills the folders of jobs.
struct Hands<'d>(&'d Desk<'d>);

impl Executor for Hands<'_> {
    fn perform(&mut self, job: &Job, _: &mut dyn FnMut(Report)) -> Result<Cost, Error> {
        let records: Vec<RecordId> = match job {
            Job::Train { training, .. } => vec![training.id.into()],
            Job::Evaluate { tasks, .. } => tasks.iter().map(|task| task.evaluation.id.into()).collect(),
            Job::Predict { .. } => Vec::new(),
        };
        self.0.jobs.borrow_mut().extend(&records);
        for record in &records {
            if let Some((class, times)) = self.0.failures.borrow_mut().get_mut(record).filter(|(_, times)| *times > 0) {
                *times -= 1;
                return Err(Error::Job { class: *class, message: "as the test wants it".to_owned() });
            }
        }
        match job {
            Job::Train { training, keep, folder } => {
                for epoch in keep.iter() {
                    let file = state_file(folder, epoch);
                    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                    state::write(&[], &[], &file).unwrap();
                }
                let record = TrainingRecord::new(training.as_ref().clone(), *keep, Cost::default());
                write_toml(&record, &folder.join("training.toml")).unwrap();
            }
            Job::Evaluate { training, states, tasks } => {
                for task in tasks {
                    assert!(task.epochs.iter().all(|epoch| state_file(states, *epoch).is_file()), "{:?}", task.epochs);
                    let record = EvaluationRecord {
                        format: EvaluationRecord::FORMAT,
                        harness: "test".to_owned(),
                        image_size: training.options.image_size(),
                        taps: 0,
                        link: harness_method::Link::Sigmoid,
                        few: None,
                        grid: 1,
                        grids_format: EvaluationRecord::GRIDS_FORMAT,
                        epochs: task.epochs.clone(),
                        cost: Cost::default(),
                        check: None,
                        evaluation: task.evaluation.clone(),
                    };
                    write_toml(&record, &task.folder.join("evaluation.toml")).unwrap();
                }
            }
            Job::Predict { .. } => {}
        }
        Ok(Cost::default())
    }

    fn renew(&mut self) {
        self.0.renewals.set(self.0.renewals.get() + 1);
    }
}

/// Writes down what it hears.
struct Watcher<'d>(&'d Desk<'d>);

impl Observer for Watcher<'_> {
    fn notice(&mut self, notice: &Notice<'_>) {
        let text = match notice {
            Notice::Begun { .. } => "begun".to_owned(),
            Notice::Training { .. } => "training".to_owned(),
            Notice::Measuring { .. } => "measuring".to_owned(),
            Notice::Retrying { record, .. } => format!("retrying {record}"),
            Notice::Done { cell, .. } => format!("done {}", cell.id),
            Notice::Failed { cell, .. } => format!("failed {}", cell.id),
            Notice::Warning(text) => (*text).to_owned(),
            _ => return,
        };
        self.0.notices.borrow_mut().push(text);
    }
}
