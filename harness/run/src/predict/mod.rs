//! Predictions of one state on images of no dataset: scores, maps and pictures in a folder. A worker process scores; this
//! side finds the state, checks images before anything is loaded, and writes.

mod evaluate;
mod images;
mod model;
mod npy;
mod output;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use evaluate::evaluate;
use harness_records::Class;
use harness_tables::PredictionRow;
use harness_worker::protocol::{Event, Job, Setup, WorldSetup};
use harness_worker::{DETECTION, GRIDS};
pub use images::{InputImage, list};
pub use model::{CellChoice, Model, find_cell};
pub use output::{Draw, Picture};

use crate::crew::Limits;
use crate::error::Error;
use crate::notice::{Notice, Observer};
use crate::process::{Program, Received, WorkerProcess};

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
    /// Draws a map over its image.
    pub draw: Draw<'a>,
    /// Asked several times a second; no ends it.
    pub go_on: &'a dyn Fn() -> bool,
}

/// Scores images with a model and fills `out`: `scores.csv`, and with maps `maps/*.npy` (f32 `[S, S]`) and
/// `overlays/*.png`. Files of an earlier call with the same names are replaced.
///
/// # Errors
/// Images that can't be read, all of them named; a model whose scores depend on the batch; a state that does not fit; what
/// the worker meets; the system's.
pub fn predict(
    model: &Model,
    images: &[InputImage],
    out: &Path,
    options: &PredictOptions<'_>,
    observer: &mut dyn Observer,
) -> Result<Vec<PredictionRow>, Error> {
    let training = &model.training;
    if training.options.scores_depend_on_batch() {
        return Err(Error::Unusable {
            what:
                "under `adapter_attention = \"batch\"` a score depends on the images that share its batch, so an image \
                   by itself has none; train with `adapter_attention = \"tokens\"`"
                    .to_owned(),
        });
    }
    images::check(images)?;
    std::fs::create_dir_all(out).map_err(Error::file("create", out))?;
    let folder = tempfile::Builder::new().prefix(".partial-").tempdir_in(out).map_err(Error::file("write to", out))?;
    let state = model.state_file(folder.path())?;
    let absolute = |path: &Path| std::path::absolute(path).map_err(Error::file("find", path));
    let job = Job::Predict {
        training: Box::new(training.clone()),
        object: model.object.clone(),
        state: absolute(&state)?,
        images: images.iter().map(|image| absolute(&image.path)).collect::<Result<_, _>>()?,
        folder: absolute(folder.path())?,
    };
    // Workers open a registry; images of no dataset need no entry in it.
    let registry = folder.path().join("datasets.toml");
    std::fs::write(&registry, "").map_err(Error::file("write", &registry))?;
    work(model, &job, &registry, folder.path(), options, observer)?;
    let detection = read(&folder.path().join(DETECTION), images.len())?;
    let grid = training.arch.grid(training.options.image_size);
    let values = images.len() * training.options.taps.len() * grid * grid;
    let grids = read(&folder.path().join(GRIDS), values)?;
    if detection.len() != images.len() {
        return Err(Error::record(folder.path(), "the worker scored no image"));
    }
    output::write(training, images, &detection, &grids, out, options.draw)
}

/// Reads what the worker wrote: `expected` values, or none.
fn read(path: &Path, expected: usize) -> Result<Vec<f32>, Error> {
    let bytes = std::fs::read(path).map_err(Error::file("read", path))?;
    let values: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    if values.len() * size_of::<f32>() != bytes.len() || !(values.len() == expected || values.is_empty()) {
        return Err(Error::record(path, format!("{} bytes where {expected} values belong", bytes.len())));
    }
    Ok(values)
}

/// Has a worker do the job. `folder` is for its log.
fn work(
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
    let (mut worker, info) = WorkerProcess::start(options.program, &setup, &log, options.go_on)?;
    if info.version != backend.version {
        observer.notice(&Notice::Warning(&format!(
            "the state was trained on backend `{}` version {}; this one is version {}, scores may differ",
            backend.name, backend.version, info.version
        )));
    }
    worker.send(job)?;
    let (begun, mut heard) = (Instant::now(), Instant::now());
    loop {
        match worker.receive(Duration::from_millis(100)) {
            Received::Event(event) => {
                heard = Instant::now();
                match event {
                    Event::Done { .. } => return Ok(()),
                    Event::Failed { class, message } => return Err(Error::Job { class, message }),
                    Event::Progress { phase, done, total } => {
                        let rate = done as f64 / begun.elapsed().as_secs_f64().max(1e-9);
                        observer.notice(&Notice::Progress { phase, done, total, rate, left: None });
                    }
                    Event::Ready { .. } | Event::Measured { .. } | Event::Epoch { .. } => {}
                }
            }
            Received::Gone => return Err(worker.end(&backend.name, job.log().as_deref())),
            Received::Nothing if heard.elapsed() > options.limits.silence => {
                let secs = options.limits.silence.as_secs();
                let message =
                    format!("the worker of backend `{}` said nothing for {secs} seconds and was ended", backend.name);
                return Err(Error::Job { class: Class::Stalled, message });
            }
            Received::Nothing => {}
        }
        // Whatever was heard: progress may leave no silence to ask in.
        if !(options.go_on)() {
            return Err(Error::Interrupted);
        }
    }
}
