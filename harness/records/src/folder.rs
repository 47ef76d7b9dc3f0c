//! A results folder: where records lie, how they come in, and who may write. What is in the files is in `records`.
//!
//! ```text
//! plan.toml             the frozen plan
//! run.toml              how it was last run: versions, machine, registry
//! journal.jsonl         what happened, append only
//! trainings/<id>/       training.toml  curve.parquet  states/<epoch>.safetensors  log.txt
//! evaluations/<id>/     evaluation.toml  scores.parquet  grids.f32  metrics.json  replicates.bin  log.txt
//! logs/                 of jobs that failed
//! results.csv .parquet  tables/  figures/  report.md
//! ```

use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use harness_data::Registry;
use harness_data::phantom::PhantomSpec;
use harness_disk::{TEMPORARY, stop};
use harness_experiment::{CellId, EvaluationId, Plan, TrainingId};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::records::{self, EvaluationRecord, FORMAT, TrainingRecord, state_file};
use crate::registry;

/// Beginning of the names of folders that are not complete yet.
const PARTIAL: &str = ".partial-";

/// A results folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

/// `run.toml`: what was there when the folder was last written to. Not part of any id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Of this file.
    pub format: u32,
    /// Version of the program.
    pub harness: String,
    /// Widest vector instructions of the CPU: results are promised equal for the same binary and level.
    pub cpu_level: String,
    /// Threads the workers were given; 0 is the machine's.
    pub threads: usize,
    /// The experiment file.
    pub experiment: PathBuf,
    /// The dataset registry.
    pub registry: PathBuf,
    /// Support and test images were allowed to overlap.
    pub allow_overlap: bool,
    /// What was generated in place of every dataset's own images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<PhantomSpec>,
}

impl Provenance {
    /// How a run of this process is done.
    pub fn new(experiment: &Path, registry: &Path, threads: Option<usize>, allow_overlap: bool) -> Self {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self {
            format: FORMAT,
            harness: env!("CARGO_PKG_VERSION").to_owned(),
            cpu_level: cpu_level().to_owned(),
            threads: threads.unwrap_or(0),
            experiment: absolute(experiment),
            registry: absolute(registry),
            allow_overlap,
            generated: None,
        }
    }
}

impl Provenance {
    /// The registry as the run saw it, or another file in its place.
    ///
    /// # Errors
    /// A registry that can't be read or is wrong.
    pub fn registry(&self, asked: Option<&Path>) -> Result<Registry, Error> {
        registry::load(asked.unwrap_or(&self.registry), self.generated)
    }
}

/// Widest vector instructions that kernels choose by.
fn cpu_level() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            return "x86-64 avx512";
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            return "x86-64 avx2";
        }
    }
    std::env::consts::ARCH
}

/// Held while a process writes to a folder.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held for its lock")] File);

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

    /// The log that a failed job leaves.
    pub fn failure_log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.txt"))
    }

    /// Makes the folder, proves that it can be written to, and removes what killed runs left. The lock must be held.
    pub fn prepare(&self) -> Result<(), Error> {
        for part in ["trainings", "evaluations", "logs"] {
            let part = self.path.join(part);
            std::fs::create_dir_all(&part).map_err(Error::file("create", &part))?;
            for entry in std::fs::read_dir(&part).map_err(Error::file("list", &part))? {
                let entry = entry.map_err(Error::file("list", &part))?;
                if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
                    std::fs::remove_dir_all(entry.path()).map_err(Error::file("remove", &entry.path()))?;
                } else {
                    sweep(&entry.path())?;
                }
            }
        }
        [self.path.clone(), self.path.join("tables"), self.path.join("figures")].iter().try_for_each(|part| sweep(part))
    }

    /// Takes the right to write records and reports, which lasts as long as what is returned. Where another process has it, who
    /// that is, as far as known.
    ///
    /// # Errors
    /// The system's.
    pub fn try_lock(&self) -> Result<Result<Lock, String>, Error> {
        let path = self.path.join("lock");
        std::fs::create_dir_all(&self.path).map_err(Error::file("create", &self.path))?;
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(Error::file("create", &path))?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            return Ok(Err(holder.trim().to_owned()));
        }
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let holder = format!("process {} {}", std::process::id(), host.trim());
        // The name is for people who wait; the lock is the system's.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", holder.trim()));
        Ok(Ok(Lock(file)))
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

    /// Removes a folder whose job failed, and keeps its log under the name of what it would have become.
    pub fn abandon(&self, partial: &Path, id: &str) -> Result<(), Error> {
        let log = partial.join("log.txt");
        if log.is_file() {
            let kept = self.failure_log(id);
            std::fs::rename(&log, &kept).map_err(Error::file("keep the log", &kept))?;
        }
        std::fs::remove_dir_all(partial).map_err(Error::file("remove", partial))
    }

    /// Compares the plan that was last run here with one that is about to be. What a person should know is returned.
    ///
    /// # Errors
    /// `Occupied` by another experiment's results: its tables would be lost.
    pub fn check_before(&self, plan: &Plan) -> Result<Option<String>, Error> {
        let path = self.path.join("plan.toml");
        if !path.is_file() {
            return Ok(None);
        }
        let before = match self.read_plan() {
            Ok(before) => before,
            Err(error) => {
                return Ok(Some(format!("{}: the plan of the last run is replaced: {error}", path.display())));
            }
        };
        if (&before.name, before.smoke) != (&plan.name, plan.smoke) {
            let kind = |smoke: bool| if smoke { "smoke test" } else { "experiment" };
            let holds = format!("the {} `{}`", kind(before.smoke), before.name);
            return Err(Error::Occupied { path: self.path.clone(), holds });
        }
        let now: HashSet<CellId> = plan.cells.iter().map(|cell| cell.id).collect();
        let gone: HashSet<CellId> = before.cells.iter().map(|cell| cell.id).filter(|id| !now.contains(id)).collect();
        Ok((!gone.is_empty()).then(|| {
            format!(
                "the experiment changed: {} of the {} cells of the last run are no longer in it or have other settings; their \
                 records stay and come back with them, tables show the new cells alone",
                gone.len(),
                before.cells.iter().map(|cell| cell.id).collect::<HashSet<_>>().len()
            )
        }))
    }

    /// An empty folder beside the final place of a record, to be filled and committed.
    pub fn begin(&self, target: &Path) -> Result<PathBuf, Error> {
        let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let partial = target.with_file_name(format!("{PARTIAL}{name}"));
        if partial.exists() {
            std::fs::remove_dir_all(&partial).map_err(Error::file("remove", &partial))?;
        }
        std::fs::create_dir_all(&partial).map_err(Error::file("create", &partial))?;
        Ok(partial)
    }

    /// Makes a filled folder the record: all of it is on the disk before its name is.
    pub fn commit(&self, partial: &Path, target: &Path) -> Result<(), Error> {
        stop::reached();
        sync(partial)?;
        if target.exists() {
            std::fs::remove_dir_all(target).map_err(Error::file("remove", target))?;
        }
        stop::reached();
        std::fs::rename(partial, target).map_err(Error::file("complete", target))?;
        stop::reached();
        sync(target.parent().unwrap_or(&self.path))
    }

    /// A training's record, if it is there.
    ///
    /// # Errors
    /// A record that does not read, or is of another format.
    pub fn read_training(&self, id: TrainingId) -> Result<Option<TrainingRecord>, Error> {
        present(&self.training(id).join("training.toml"))
    }

    /// An evaluation's record, if it is there.
    ///
    /// # Errors
    /// A record that does not read, or is of another format.
    pub fn read_evaluation(&self, id: EvaluationId) -> Result<Option<EvaluationRecord>, Error> {
        present(&self.evaluation(id).join("evaluation.toml"))
    }

    /// Whether a training is complete and still has the states of these epochs.
    pub fn has_states(&self, id: TrainingId, mut epochs: impl Iterator<Item = u32>) -> bool {
        let training = self.training(id);
        training.join("training.toml").is_file() && epochs.all(|epoch| state_file(&training, epoch).is_file())
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
        for entry in std::fs::read_dir(&states).map_err(Error::file("list", &states))? {
            let path = entry.map_err(Error::file("list", &states))?.path();
            if !keep.contains(&path) {
                stop::reached();
                std::fs::remove_file(&path).map_err(Error::file("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Writes plan and provenance of a run that begins.
    pub fn freeze(&self, plan: &Plan, provenance: &Provenance) -> Result<(), Error> {
        harness_disk::write_durable(&self.path.join("plan.toml"), plan.to_toml()?.as_bytes())?;
        records::write_toml(provenance, &self.path.join("run.toml"))
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
        records::read_toml(&self.path.join("run.toml"))
    }
}

fn present<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    if path.is_file() { records::read_toml(path).map(Some) } else { Ok(None) }
}

/// Removes the files in a folder that a killed process did not complete.
fn sweep(folder: &Path) -> Result<(), Error> {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            std::fs::remove_file(entry.path()).map_err(Error::file("remove", &entry.path()))?;
        }
    }
    Ok(())
}

/// Makes names in a folder durable.
fn sync(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::file("sync", folder))
}
