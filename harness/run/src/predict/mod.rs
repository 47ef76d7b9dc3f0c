//! Predictions of one state on images of no dataset: scores, maps and pictures in a folder. A worker process scores;
//! this side finds the state, checks images before anything is loaded, and writes.

mod evaluate;
mod images;
mod model;
mod npy;
mod output;
mod place;
mod work;

use std::path::Path;

use harness_data::Severity;
use harness_metrics::joined_scores;
use harness_tables::{PredictionRow, write_csv};
use harness_worker::protocol::Job;
use harness_worker::{DETECTION, FEW, GRIDS};

pub use self::evaluate::evaluate;
pub use self::images::{InputImage, list, not_searched};
pub use self::model::Model;
pub use self::output::{Draw, Picture};
pub use self::place::place;
pub use self::work::PredictOptions;
use self::work::work;
pub use crate::cell_by_filter::find_only;
pub use crate::cell_by_id::{CellChoice, find_cell};
use crate::error::Error;
use crate::notice::{Notice, Observer};

/// Scores images with a model and fills `out`: `scores.csv`, and with maps `maps/*.npy` (f32 `[S, S]`) and
/// `overlays/*.png`. What an earlier call wrote there is removed first. An image that can't be read has a row with the
/// reason and no scores.
///
/// # Errors
/// Images that can't be read where these may not be left out, or where no other is there, all of them named; a model
/// whose scores depend on the batch; a state that does not fit; what the worker meets; the system's.
pub fn predict(
    model: &Model,
    images: &[InputImage],
    out: &Path,
    options: &PredictOptions<'_>,
    observer: &mut dyn Observer,
) -> Result<Vec<PredictionRow>, Error> {
    let training = &model.training;
    if training.options.madclip().is_some_and(|options| options.scores_depend_on_batch()) {
        return Err(Error::Unusable {
            what: "with `adapter_attention = \"batch\"` a score depends on the other images of its batch, so an image \
                 by itself has none; train with `adapter_attention = \"tokens\"`"
                .to_owned(),
        });
    }
    let (unreadable, findings) = images::look(images)?;
    if options.strict && !unreadable.is_empty() {
        return Err(images::refusal(&unreadable, images.len()));
    }
    for finding in findings {
        observer.notice(&match finding.severity {
            Severity::Note => Notice::Remark(&finding.message),
            Severity::Error | Severity::Warning => Notice::Warning(&finding.message),
        });
    }
    let all = images;
    let images: Vec<InputImage> = all
        .iter()
        .enumerate()
        .filter(|(place, _)| !unreadable.contains_key(place))
        .map(|(_, image)| image.clone())
        .collect();
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
    let mut detection = read(&folder.path().join(DETECTION), images.len())?;
    let grid = training.arch.grid(training.options.image_size());
    let values = images.len() * training.options.maps(training.has_masks).map_or(0, |maps| maps.grids()) * grid * grid;
    let grids = read(&folder.path().join(GRIDS), values)?;
    if detection.len() != images.len() {
        return Err(Error::record(folder.path(), "the worker scored no image"));
    }
    if let Some(rule) = training.options.joins_scores() {
        detection = joined_scores(rule, &detection, &read(&folder.path().join(FEW), images.len())?)?;
        if rule.is_transductive() {
            observer.notice(&Notice::Warning(&format!(
                "this method's scores are joined by `{rule}` and lie between the smallest and the largest of the images \
                 that are given together: they can't be compared with those of other images"
            )));
        }
    }
    place::clear(out)?;
    let mut rows = output::scored(training, &images, &detection, &grids, out, options.draw)?.into_iter();
    // The table last, so that one that is there is complete.
    let row = |(place, image): (usize, &InputImage)| match unreadable.get(&place) {
        Some(message) => Some(output::failed(image, message)),
        None => rows.next(),
    };
    let rows: Vec<PredictionRow> = all.iter().enumerate().filter_map(row).collect();
    write_csv(&rows, &out.join("scores.csv"))?;
    Ok(rows)
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
