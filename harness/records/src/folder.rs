//! A results folder: where records lie, how they come in, and who may write.
//!
//! ```text
//! plan.toml             the frozen plan
//! run.toml              how it was last run: versions, machine, registry
//! journal.jsonl         what happened, append only
//! trainings/<id>/       training.toml  curve.parquet  states/<epoch>.safetensors  files.json  log.txt
//! trainings/.partial-<id>/   what becomes a training's record, and unfinished.safetensors
//! evaluations/<id>/     evaluation.toml  scores.parquet  grids.f32  metrics.json  replicates.bin  files.json  log.txt
//! logs/                 of jobs that failed
//! results.csv .parquet  tables/  figures/  report.md
//! ```

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness_disk::{Lock, stop, sweep, sync_folder};
use harness_experiment::{CellId, ContentHash, Draw, EvaluationId, Plan, Support, TrainingId};

use crate::claim;
use crate::contents;
use crate::error::Error;
use crate::format::{read_toml, write_toml};
use crate::found::Found;
use crate::ids::RecordId;
use crate::provenance::Provenance;
use crate::records::{EvaluationRecord, TrainingRecord, state_file};
use crate::state;
use crate::unfinished::UNFINISHED;

/// Beginning of the names of folders that are not complete yet.
const PARTIAL: &str = ".partial-";

/// A results folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// A folder that may not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The journal's file.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal.jsonl")
    }

    /// A training's record.
    pub fn training(&self, id: TrainingId) -> PathBuf {
        self.path.join("trainings").join(id.to_string())
    }

    /// An evaluation's record.
    pub fn evaluation(&self, id: EvaluationId) -> PathBuf {
        self.path.join("evaluations").join(id.to_string())
    }

    /// A record.
    pub fn record(&self, id: RecordId) -> PathBuf {
        match id {
            RecordId::Training(id) => self.training(id),
            RecordId::Evaluation(id) => self.evaluation(id),
        }
    }

    /// All records that are there, whether or not a plan names them: trainings first, by id.
    ///
    /// # Errors
    /// The system's.
    pub fn records(&self) -> Result<Vec<RecordId>, Error> {
        let named = |name: &str, part: &str| match part {
            "trainings" => name.parse().ok().map(RecordId::Training),
            _ => name.parse().ok().map(RecordId::Evaluation),
        };
        let mut records = Vec::new();
        for part in ["trainings", "evaluations"] {
            let path = self.path.join(part);
            let entries = match std::fs::read_dir(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                entries => entries.map_err(Error::file("list", &path))?,
            };
            for entry in entries {
                let name = entry.map_err(Error::file("list", &path))?.file_name();
                records.extend(name.to_str().and_then(|name| named(name, part)));
            }
        }
        records.sort_unstable();
        Ok(records)
    }

    /// The log that a failed job leaves.
    pub fn failure_log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.txt"))
    }

    /// Makes the folder, proves that it can be written to, and removes what killed runs left, but for trainings that
    /// can go on. The lock must be held.
    pub fn prepare(&self) -> Result<(), Error> {
        for name in ["trainings", "evaluations", "logs"] {
            let part = self.path.join(name);
            std::fs::create_dir_all(&part).map_err(Error::file("create", &part))?;
            for entry in std::fs::read_dir(&part).map_err(Error::file("list", &part))? {
                let entry = entry.map_err(Error::file("list", &part))?;
                let path = entry.path();
                if unfinished_in(&path).is_some() {
                    sweep(&path, Duration::ZERO)?;
                    sweep(&path.join("states"), Duration::ZERO)?;
                } else if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
                    std::fs::remove_dir_all(&path).map_err(Error::file("remove", &path))?;
                } else {
                    sweep(&path, Duration::ZERO)?;
                    if name == "trainings" && path.is_dir() {
                        // Of a process that was killed right after it had completed the record.
                        remove_file(&path.join(UNFINISHED))?;
                    }
                }
            }
        }
        for part in [self.path.clone(), self.path.join("tables"), self.path.join("figures")] {
            sweep(&part, Duration::ZERO)?;
        }
        Ok(())
    }

    /// Takes the right to write records and reports, which lasts as long as what is returned. `None` while another
    /// process has it.
    ///
    /// # Errors
    /// The system's; a file system that can't lock.
    pub fn try_lock(&self) -> Result<Option<Lock>, Error> {
        Ok(Lock::try_acquire(&self.lock_file())?)
    }

    /// Who has the right to write, as far as known.
    pub fn lock_holder(&self) -> String {
        Lock::holder(&self.lock_file())
    }

    /// Who writes to the folder now, as they wrote it; `None` where nobody does, or where that can't be told.
    pub fn in_use(&self) -> Option<String> {
        Lock::is_held(&self.lock_file()).then(|| self.lock_holder())
    }

    fn lock_file(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// Takes a record away, all of it or nothing. False where there was none.
    pub fn remove(&self, record: &Path) -> Result<bool, Error> {
        if !record.exists() {
            return Ok(false);
        }
        let name = record.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let leaving = record.with_file_name(format!("{PARTIAL}gone-{name}"));
        stop::reached();
        std::fs::rename(record, &leaving).map_err(Error::file("remove", record))?;
        stop::reached();
        std::fs::remove_dir_all(&leaving).map_err(Error::file("remove", &leaving))?;
        Ok(true)
    }

    /// Trainings that can go on where they were interrupted, by id.
    ///
    /// # Errors
    /// The system's.
    pub fn unfinished(&self) -> Result<Vec<TrainingId>, Error> {
        let path = self.path.join("trainings");
        let entries = match std::fs::read_dir(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::file("list", &path))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            found.extend(unfinished_in(&entry.map_err(Error::file("list", &path))?.path()));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Where a record is made.
    pub fn partial(&self, record: RecordId) -> PathBuf {
        partial_of(&self.record(record))
    }

    /// Takes away what would let a training go on. False where there was nothing.
    ///
    /// # Errors
    /// The system's.
    pub fn forget_unfinished(&self, id: TrainingId) -> Result<bool, Error> {
        let partial = self.partial(id.into());
        let there = unfinished_in(&partial).is_some();
        if there {
            // First what makes it one: what is left of a half-removed folder is then no state.
            remove_file(&partial.join(UNFINISHED))?;
            std::fs::remove_dir_all(&partial).map_err(Error::file("remove", &partial))?;
        }
        Ok(there)
    }

    /// Keeps the log of a job that failed under the name of what its folder would have become, and removes the folder:
    /// unless it may `go_on` and is of a training that can.
    pub fn abandon(&self, partial: &Path, id: &str, go_on: bool) -> Result<(), Error> {
        let log = partial.join("log.txt");
        if log.is_file() {
            let kept = self.failure_log(id);
            std::fs::rename(&log, &kept).map_err(Error::file("keep the log", &kept))?;
        }
        if go_on && unfinished_in(partial).is_some() {
            return Ok(());
        }
        std::fs::remove_dir_all(partial).map_err(Error::file("remove", partial))
    }

    /// Compares the plan that was last run here with one of the file `experiment` that is about to be. What a person
    /// should know is returned.
    ///
    /// # Errors
    /// `Occupied` by another experiment's results, `Claimed` by another file of the same name: its tables would be
    /// lost.
    pub fn check_before(&self, plan: &Plan, experiment: &Path) -> Result<Option<String>, Error> {
        let path = self.path.join("plan.toml");
        if !path.is_file() {
            return Ok(None);
        }
        let before = match self.read_plan() {
            Ok(before) => before,
            Err(error) => {
                return Ok(Some(format!(
                    "{}: the plan of the last run can't be read and is replaced: {error}",
                    path.display()
                )));
            }
        };
        if (&before.name, before.smoke) != (&plan.name, plan.smoke) {
            let kind = |smoke: bool| if smoke { "smoke test" } else { "experiment" };
            let holds = format!("the {} `{}`", kind(before.smoke), before.name);
            return Err(Error::Occupied { path: self.path.clone(), holds });
        }
        let provenance = self.read_provenance().ok();
        let other = provenance.and_then(|provenance| claim::other(&self.path, &provenance, &before, plan, experiment));
        if let Some(holder) = other {
            let (path, name, file) = (self.path.clone(), plan.name.clone(), experiment.to_owned());
            return Err(Error::Claimed { path, name, holder, file });
        }
        let now: HashSet<CellId> = plan.cells.iter().map(|cell| cell.id).collect();
        let gone: HashSet<CellId> = before.cells.iter().map(|cell| cell.id).filter(|id| !now.contains(id)).collect();
        if gone.is_empty() {
            return Ok(None);
        }
        let all = before.cells.iter().map(|cell| cell.id).collect::<HashSet<_>>().len();
        let (gone, data) = (gone.len(), changed_data(&before, plan));
        let kept = "Their results are kept but not shown";
        Ok(Some(if data.is_empty() {
            format!(
                "the experiment changed: {gone} of the {all} cells of the last run are no longer in it or have other \
                 settings. {kept}; restore the old settings to see them again"
            )
        } else {
            format!(
                "{} changed since the last run: {gone} of its {all} cells are made of other data now, or have other settings. \
                 {kept}; with the old files and settings they are again",
                data.join("; ")
            )
        }))
    }

    /// A folder beside the final place of a record, to be filled and committed: empty, or that of a training that can
    /// go on.
    pub fn begin(&self, target: &Path) -> Result<PathBuf, Error> {
        let partial = partial_of(target);
        if partial.exists() && unfinished_in(&partial).is_none() {
            std::fs::remove_dir_all(&partial).map_err(Error::file("remove", &partial))?;
        }
        std::fs::create_dir_all(&partial).map_err(Error::file("create", &partial))?;
        Ok(partial)
    }

    /// Makes a filled folder the record: all of it is on the disk before its name is.
    pub fn commit(&self, partial: &Path, target: &Path) -> Result<(), Error> {
        contents::list(partial)?;
        stop::reached();
        sync_folder(partial)?;
        if target.exists() {
            std::fs::remove_dir_all(target).map_err(Error::file("remove", target))?;
        }
        stop::reached();
        std::fs::rename(partial, target).map_err(Error::file("complete", target))?;
        stop::reached();
        sync_folder(target.parent().unwrap_or(&self.path))?;
        // Now that it is finished for good.
        remove_file(&target.join(UNFINISHED))
    }

    /// A training's record, as it is found.
    pub fn read_training(&self, id: TrainingId) -> Found<TrainingRecord> {
        let path = self.training(id).join("training.toml");
        Found::of(if path.is_file() { read_toml(&path).map(Some) } else { Ok(None) })
    }

    /// An evaluation's record, as it is found.
    pub fn read_evaluation(&self, id: EvaluationId) -> Found<EvaluationRecord> {
        let path = self.evaluation(id).join("evaluation.toml");
        Found::of(if path.is_file() { read_toml(&path).map(Some) } else { Ok(None) })
    }

    /// A training's states of these epochs as they are found: the first that is not there or can't be read decides.
    pub fn find_states(&self, id: TrainingId, epochs: impl Iterator<Item = u32>) -> Found<()> {
        let folder = self.training(id);
        for path in epochs.map(|epoch| state_file(&folder, epoch)) {
            match Found::of(if path.is_file() { state::check(&path).map(Some) } else { Ok(None) }) {
                Found::Whole(()) => {}
                other => return other,
            }
        }
        Found::Whole(())
    }

    /// States that a training still has; none where all are gone, folder and all.
    pub fn count_states(&self, id: TrainingId) -> Result<usize, Error> {
        let states = self.training(id).join("states");
        match std::fs::read_dir(&states) {
            Ok(entries) => Ok(entries.count()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(Error::file("list", &states)(error)),
        }
    }

    /// Removes the states of a training's epochs that are not among `keep`.
    pub fn prune_states(&self, id: TrainingId, keep: &[u32]) -> Result<(), Error> {
        let training = self.training(id);
        let keep: Vec<PathBuf> = keep.iter().map(|epoch| state_file(&training, *epoch)).collect();
        let states = training.join("states");
        let mut gone = Vec::new();
        for entry in std::fs::read_dir(&states).map_err(Error::file("list", &states))? {
            let path = entry.map_err(Error::file("list", &states))?.path();
            if !keep.contains(&path) {
                gone.push(path);
            }
        }
        if !gone.is_empty() {
            contents::forget(&training, &gone)?;
        }
        for path in gone {
            stop::reached();
            std::fs::remove_file(&path).map_err(Error::file("remove", &path))?;
        }
        Ok(())
    }

    /// Writes plan and provenance of a run that begins.
    pub fn freeze(&self, plan: &Plan, provenance: &Provenance) -> Result<(), Error> {
        harness_disk::write_durable(&self.path.join("plan.toml"), plan.to_toml()?.as_bytes())?;
        write_toml(provenance, &self.path.join("run.toml"))
    }

    /// The frozen plan.
    ///
    /// # Errors
    /// No plan there, or one that this version does not read.
    pub fn read_plan(&self) -> Result<Plan, Error> {
        let path = self.path.join("plan.toml");
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NotResults { path: self.path.clone() });
            }
            text => text.map_err(Error::file("read the plan", &path))?,
        };
        Ok(Plan::from_toml(&text)?)
    }

    /// How the folder was last written to.
    ///
    /// # Errors
    /// No such file, or one that this version does not read.
    pub fn read_provenance(&self) -> Result<Provenance, Error> {
        read_toml(&self.path.join("run.toml"))
    }
}

/// Where a record is made that will lie at `target`.
fn partial_of(target: &Path) -> PathBuf {
    let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    target.with_file_name(format!("{PARTIAL}{name}"))
}

/// The training that can go on in a folder, if it is such a one.
fn unfinished_in(partial: &Path) -> Option<TrainingId> {
    let name = partial.file_name()?.to_str()?.strip_prefix(PARTIAL)?;
    if partial.join(UNFINISHED).is_file() { name.parse().ok() } else { None }
}

/// Removes a file that may not be there.
fn remove_file(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}

/// What a plan is made of that is in both of two and has another content in the second, in words.
fn changed_data(before: &Plan, now: &Plan) -> Vec<String> {
    let mut changed = Vec::new();
    if before.encoder.source == now.encoder.source && before.encoder.weights != now.encoder.weights {
        changed.push("the encoder's weights".to_owned());
    }
    let tests = |plan: &Plan| -> BTreeMap<String, ContentHash> {
        let datasets = plan.datasets.iter().chain(&plan.targets);
        datasets.map(|dataset| (dataset.name.clone(), dataset.facts.test_hash)).collect()
    };
    let (old, new) = (tests(before), tests(now));
    let is_new = |(name, hash): &(&String, &ContentHash)| new.get(*name).is_some_and(|new| new != *hash);
    changed.extend(old.iter().filter(is_new).map(|(name, _)| format!("[{name}]: the test images")));
    let supports = |plan: &Plan| -> BTreeMap<(String, String, Draw), ContentHash> {
        let key = |support: &Support| (support.dataset.clone(), support.shots.to_string(), support.draw);
        plan.supports.iter().map(|support| (key(support), support.hash)).collect()
    };
    let new = supports(now);
    let moved = supports(before).into_iter().filter(|(key, hash)| new.get(key).is_some_and(|new| new != hash));
    let names: BTreeSet<String> = moved.map(|((name, ..), _)| name).collect();
    changed.extend(names.into_iter().map(|name| format!("[{name}]: images or masks of support sets")));
    changed
}
