//! Having a worker do one job with a model, and how that is done.

use std::path::{Path, PathBuf};

use harness_worker::protocol::{Job, Setup, WorldSetup};

use super::model::Model;
use super::output::Draw;
use crate::crew::{Crew, Limits};
use crate::error::Error;
use crate::executor::Executor;
use crate::notice::{Notice, Observer, notice};
use crate::process::Program;

/// How images are scored. None of it decides a score.
pub struct PredictOptions<'a> {
    /// What loads the backend.
    pub program: &'a Program,
    /// The tap store's folder; read, never written.
    pub taps: PathBuf,
    /// CPU threads of the worker; the machine's without it.
    pub threads: Option<usize>,
    /// When to give up.
    pub limits: Limits,
    /// Refuses where an image can't be read, in place of leaving it out.
    pub strict: bool,
    /// Draws a map over its image.
    pub draw: Draw<'a>,
    /// Asked several times a second; no ends it.
    pub go_on: &'a dyn Fn() -> bool,
}

/// Has a worker do the job. `folder` is for its log.
pub(super) fn work(
    model: &Model,
    job: &Job,
    registry: &Path,
    folder: &Path,
    options: &PredictOptions<'_>,
    observer: &mut dyn Observer,
) -> Result<(), Error> {
    let backend = &model.training.backend;
    let world = WorldSetup {
        registry: std::path::absolute(registry).map_err(Error::file("find", registry))?,
        generated: None,
        taps: options.taps.clone(),
        budget: None,
        device: backend.device.clone(),
        encoder: model.encoder.clone(),
        precision: model.training.precision,
        compared: false,
    };
    let setup =
        Setup { backend: backend.name.clone(), threads: options.threads, world: Some(world), ..Setup::default() };
    let log = folder.join("worker.txt");
    let limits = Limits { job: None, ..options.limits };
    let mut crew = Crew::new(options.program, setup, log, limits, options.go_on);
    if let Some(info) = crew.start()?.filter(|info| info.version != backend.version) {
        observer.notice(&Notice::Warning(&format!(
            "the state was trained on backend `{}` version {}; this is version {}, so scores may differ",
            backend.name, backend.version, info.version
        )));
    }
    crew.perform(job, &mut |report| notice(observer, report, None))?;
    Ok(())
}
