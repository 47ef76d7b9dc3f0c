//! The job that scores images of no dataset with one state: detection scores and grids, as they come from the backend,
//! into a folder. No label is known here; the caller makes maps of the grids.

use std::path::{Path, PathBuf};
use std::time::Instant;

use harness_data::Source;
use harness_experiment::Training;
use harness_method::SCORING_BATCH;
use harness_records::{Cost, state};

use crate::ahead::Ahead;
use crate::encoding::Encoding;
use crate::error::Error;
use crate::events::Events;
use crate::lab::{Images, Lab};
use crate::protocol::Phase;
use crate::scorer::Scorer;

/// f32 `[N]`, little-endian.
pub const DETECTION: &str = "detection.f32";
/// f32 `[N]`, little-endian: the second image score where two are joined, else empty.
pub const FEW: &str = "few.f32";
/// f32 `[N, grids, G, G]`, little-endian; empty where there is no map.
pub const GRIDS: &str = "grids.f32";

/// Scores `images` with the state in the file `state`, sentences speaking of `object`.
pub(crate) fn predict(
    lab: &mut Lab,
    training: &Training,
    object: &str,
    state: &Path,
    images: &[PathBuf],
    folder: &Path,
    events: &mut Events,
) -> Result<Cost, Error> {
    let start = Instant::now();
    let encodings = Encoding::all(training)?;
    let state = state::read(state, &state::initial(training))?;
    let mut scorer = Scorer::new(lab, training, object, &state)?;
    let (mut detection, mut few, mut grids) = (Vec::with_capacity(images.len()), Vec::new(), Vec::new());
    let mut compute_secs = 0.0;
    let (size, mut ahead) = (training.options.image_size(), Ahead::default());
    let sources = |batch: &[PathBuf]| batch.iter().cloned().map(Source::File).collect::<Vec<_>>();
    let mut batches = images.chunks(SCORING_BATCH as usize).peekable();
    while let Some(batch) = batches.next() {
        let pixels = Images::U8(ahead.take(&sources(batch), size)?);
        if let Some(next) = batches.peek() {
            ahead.begin(sources(next), size);
        }
        // Read from the store where a dataset has them there; others are not worth storing.
        let mut tensors = Vec::new();
        for encoding in &encodings {
            tensors.extend(lab.taps(training, encoding, &pixels, None)?.1);
        }
        let begun = Instant::now();
        let slices: Vec<&[f32]> = tensors.iter().map(Vec::as_slice).collect();
        let found = scorer.score(lab, training, None, &slices, batch.len())?;
        compute_secs += begun.elapsed().as_secs_f64();
        detection.extend(found.detection);
        few.extend(found.few);
        if training.options.maps(training.has_masks).is_some() {
            grids.extend(found.grids);
        }
        events.progress(Phase::Predict, (detection.len() as u64, images.len() as u64), lab.encoded());
    }
    write(&detection, &folder.join(DETECTION))?;
    write(&few, &folder.join(FEW))?;
    write(&grids, &folder.join(GRIDS))?;
    Ok(lab.cost(compute_secs, start.elapsed().as_secs_f64()))
}

fn write(values: &[f32], path: &Path) -> Result<(), Error> {
    std::fs::write(path, bytemuck::cast_slice(values)).map_err(Error::file("write", path))
}
