//! Reading `grids.f32`, the maps of an evaluation, an epoch at a time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use harness_metrics::PredictedMaps;

use crate::error::Error;
use crate::format;
use crate::records::EvaluationRecord;

/// `grids.f32`, an epoch at a time.
pub struct Grids {
    file: File,
    path: std::path::PathBuf,
    values: usize,
    epochs: Vec<u32>,
    slab: Slab,
}

/// Grids of all images after one epoch, `[N, taps, G, G]`.
#[derive(Default)]
pub struct Slab(Vec<f32>);

impl Slab {
    /// The maps they stand for.
    pub fn maps(&self, record: &EvaluationRecord) -> Result<PredictedMaps<'_>, Error> {
        Ok(PredictedMaps::new(record.layout(), &self.0, record.grid, record.image_size)?)
    }
}

impl Grids {
    /// Opens the file; `None` where the evaluation has no maps.
    pub fn open(folder: &Path, record: &EvaluationRecord) -> Result<Option<Self>, Error> {
        if record.taps == 0 {
            return Ok(None);
        }
        let path = folder.join("grids.f32");
        format::known(&path, record.grids_format, EvaluationRecord::GRIDS_FORMAT)?;
        let file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::record(&path, "it is missing; run the experiment again, which makes it again"));
            }
            file => file.map_err(Error::file("open", &path))?,
        };
        let bytes = file.metadata().map_err(Error::file("read", &path))?.len();
        let values = record.grid_values();
        let expected =
            (values as u64).saturating_mul(size_of::<f32>() as u64).saturating_mul(record.epochs.len() as u64);
        if bytes != expected {
            let what = format!("{bytes} bytes, expected {expected}");
            return Err(Error::record(&path, what));
        }
        Ok(Some(Self { file, path, values, epochs: record.epochs.clone(), slab: Slab::default() }))
    }

    /// The grids after an epoch.
    pub fn read(&mut self, epoch: u32) -> Result<&Slab, Error> {
        self.slab.0.resize(self.values, 0.0);
        let block = self.epochs.iter().position(|scored| *scored == epoch);
        let block = block.ok_or_else(|| Error::record(&self.path, format!("epoch {epoch} was not scored")))?;
        let offset = block as u64 * (self.values * size_of::<f32>()) as u64;
        self.file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| self.file.read_exact(bytemuck::cast_slice_mut(&mut self.slab.0)))
            .map_err(Error::file("read", &self.path))?;
        Ok(&self.slab)
    }
}
