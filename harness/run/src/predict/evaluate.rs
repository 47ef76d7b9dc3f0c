//! A test set scored with a state from elsewhere, such as a checkpoint of the authors: the same job, files and metrics
//! as an evaluation of an experiment's own training, but no record of one.

use std::path::Path;

use harness_experiment::{EpochRange, Evaluation};
use harness_records::{EvaluationRecord, Measured, read_toml, state_file};
use harness_worker::protocol::{Job, Task};

use super::model::Model;
use super::place;
use super::work::{PredictOptions, work};
use crate::error::Error;
use crate::measure;
use crate::notice::{Notice, Observer};
use crate::world::World;

/// Files that stay; what names the plan's training, which did not make this state, does not.
const KEPT: [&str; 3] = ["scores.parquet", "grids.f32", "metrics.json"];

/// Scores the test set of `evaluation`, which is of the model's training, and fills `out` with `scores.parquet`,
/// `metrics.json` and, where there are maps, `grids.f32`; what an earlier call wrote there is removed first. The one
/// epoch in them is the last of the training.
///
/// # Errors
/// Before anything is scored: images, labels and masks that can't be read. As [`super::predict`]; metrics that have no
/// value.
pub fn evaluate(
    model: &Model,
    evaluation: &Evaluation,
    world: &World,
    out: &Path,
    options: &PredictOptions<'_>,
    observer: &mut dyn Observer,
) -> Result<Measured, Error> {
    let training = model.training();
    // What can't be measured is not worth scoring.
    let size = training.options.image_size();
    world.ready(evaluation, training)?;
    let truth = world.truth(evaluation, training, size)?;
    if let Some(note) = truth.lost_lesions(&evaluation.dataset, size) {
        observer.notice(&Notice::Warning(&note));
    }
    std::fs::create_dir_all(out).map_err(Error::file("create", out))?;
    let partial = tempfile::Builder::new().prefix(".partial-").tempdir_in(out).map_err(Error::file("write to", out))?;
    let epoch = training.epochs.saturating_sub(1);
    let (states, folder) = (partial.path().join("training"), partial.path().join("evaluation"));
    let state = state_file(&states, epoch);
    for folder in [state.parent().unwrap_or(&states), &folder] {
        std::fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
    }
    let found = model.state_file(partial.path())?;
    std::fs::copy(&found, &state).map_err(Error::file("copy", &found))?;
    let absolute = |path: &Path| std::path::absolute(path).map_err(Error::file("find", path));
    let epochs = EpochRange { first: epoch, last: epoch };
    let evaluation = Evaluation { epochs, chosen_by: Vec::new(), ..evaluation.clone() };
    let job = Job::Evaluate {
        training: Box::new(training.clone()),
        states: absolute(&states)?,
        tasks: vec![Task { evaluation: evaluation.clone(), epochs: vec![epoch], folder: absolute(&folder)? }],
    };
    work(model, &job, world.registry().path(), partial.path(), options, observer)?;
    let record: EvaluationRecord = read_toml(&folder.join("evaluation.toml"))?;
    let made = measure::measure(&folder, &record, &truth)?;
    made.write(&folder)?;
    place::clear(out)?;
    for name in KEPT {
        let (from, to) = (folder.join(name), out.join(name));
        if from.is_file() {
            std::fs::rename(&from, &to).map_err(Error::file("complete", &to))?;
        }
    }
    Ok(made.measured)
}
