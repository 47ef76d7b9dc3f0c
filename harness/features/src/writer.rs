//! Appends images to a partial file that becomes a chunk by rename, and makes room for it within the budget.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use half::f16;
use half::slice::HalfFloatSliceExt;
use harness_disk::{DiskError, Durable};
use harness_method::StorePrecision;
use rayon::prelude::*;

use crate::entry::check_length;
use crate::error::Error;
use crate::folder;
use crate::format::{self, Contents, HEADER};
use crate::key::Key;
use crate::settings::Settings;
use crate::shape::Shape;

/// Appends images of one shape to a store. Chunks are closed when they are large or old enough, on request and
/// by [`Self::finish`]; a writer that is dropped or killed loses the images of the chunk in progress and nothing else.
pub struct TapWriter<'a> {
    settings: &'a Settings,
    shape: Shape,
    label: String,
    partial: Option<Partial>,
    half: Vec<f16>,
}

impl<'a> TapWriter<'a> {
    /// Begins the first chunk at once, so that a folder that can't be written to shows before anything is encoded.
    pub(crate) fn new(settings: &'a Settings, shape: Shape, label: &str) -> Result<Self, Error> {
        let partial = Some(Partial::create(&settings.dir, shape)?);
        let end = (0..=label.len().min(format::MAX_LABEL)).rev().find(|&end| label.is_char_boundary(end)).unwrap_or(0);
        Ok(Self { settings, shape, label: label[..end].to_owned(), partial, half: Vec::new() })
    }

    /// Appends an image's taps, [taps, T, W] f32. Returns false, and writes nothing, if the chunk in progress has the
    /// key already. On an error of writing the whole chunk in progress is lost; the writer stays usable.
    ///
    /// # Errors
    /// `Length` and `NotStorable` (a value that is not finite, or too large for f16) for the values; `OverBudget`,
    /// `DiskFull`, `Folder` and `File` for the disk.
    pub fn append(&mut self, key: Key, values: &[f32]) -> Result<bool, Error> {
        check_length("an image's taps", values.len(), self.shape.image_len())?;
        if self.partial.as_ref().is_some_and(|partial| partial.seen.contains(&key)) {
            return Ok(false);
        }
        let bytes: &[u8] = match self.shape.dtype() {
            StorePrecision::F32 => {
                self.check_storable(values, |value| value.is_finite())?;
                bytemuck::cast_slice(values)
            }
            StorePrecision::F16 => {
                self.half.resize(values.len(), f16::ZERO);
                self.half.convert_from_f32_slice(values);
                if !self.half.iter().all(|value| value.is_finite()) {
                    self.check_storable(values, |value| f16::from_f32(value).is_finite())?;
                }
                bytemuck::cast_slice(&self.half)
            }
        };
        let mut partial = match self.partial.take() {
            Some(partial) => partial,
            None => Partial::create(&self.settings.dir, self.shape)?,
        };
        let whole = partial.whole_bytes(self.shape, 1, &self.label);
        if let Some(budget) = self.settings.budget.filter(|&budget| whole > budget) {
            return Err(Error::OverBudget { dir: self.settings.dir.clone(), needed: whole, budget, in_use: 0 });
        }
        partial.append(key, bytes, self.shape, &self.settings.dir)?;
        let full = whole >= self.settings.chunk_bytes || partial.begun.elapsed() >= self.settings.chunk_age;
        self.partial = Some(partial);
        if full {
            self.finish_chunk()?;
        }
        Ok(true)
    }

    /// Completes the chunk in progress: makes room within the budget, syncs, renames. From then on every process finds
    /// its images. Returns the chunk's file, or `None` if there was nothing to complete.
    ///
    /// # Errors
    /// `OverBudget`, `DiskFull`, `Folder` and `File`; the chunk's images are then not stored.
    pub fn finish_chunk(&mut self) -> Result<Option<PathBuf>, Error> {
        let Some(partial) = self.partial.take().filter(|partial| !partial.keys.is_empty()) else { return Ok(None) };
        let chunk = partial.complete(self.settings, self.shape, &self.label)?;
        Ok(Some(chunk))
    }

    /// Completes the last chunk and ends the writer.
    ///
    /// # Errors
    /// As [`Self::finish_chunk`].
    pub fn finish(mut self) -> Result<(), Error> {
        self.finish_chunk().map(|_| ())
    }

    fn check_storable(&self, values: &[f32], storable: impl Fn(f32) -> bool) -> Result<(), Error> {
        let Some(at) = values.iter().position(|&value| !storable(value)) else { return Ok(()) };
        let (tap, rest) = (at / self.shape.tap_len(), at % self.shape.tap_len());
        let token = rest / self.shape.width();
        Err(Error::NotStorable { tap, token, value: values[at], dtype: self.shape.dtype() })
    }
}

/// A chunk in progress.
struct Partial {
    file: Durable,
    path: PathBuf,
    target: PathBuf,
    created: u64,
    begun: Instant,
    keys: Vec<Key>,
    seen: HashSet<Key>,
    checksums: Vec<[u8; 32]>,
}

impl Partial {
    fn create(dir: &Path, shape: Shape) -> Result<Self, Error> {
        let (file, path, target) = folder::create_partial(dir)?;
        let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (keys, seen, checksums) = (Vec::new(), HashSet::new(), Vec::new());
        let begun = Instant::now();
        let mut partial = Self { file, path, target, created, begun, keys, seen, checksums };
        partial.write(&format::header(shape, created), dir)?;
        Ok(partial)
    }

    /// Bytes of the chunk if it were completed with `more` images.
    fn whole_bytes(&self, shape: Shape, more: u64, label: &str) -> u64 {
        format::file_bytes(shape, self.keys.len() as u64 + more, label.len() as u64).unwrap_or(u64::MAX)
    }

    fn append(&mut self, key: Key, bytes: &[u8], shape: Shape, dir: &Path) -> Result<(), Error> {
        self.write(bytes, dir)?;
        let padding = format::stride(shape) as usize - bytes.len();
        if padding > 0 {
            self.write(&[0; HEADER][..padding], dir)?;
        }
        self.checksums.par_extend(bytes.par_chunks(shape.tap_bytes()).map(|tap| *blake3::hash(tap).as_bytes()));
        self.keys.push(key);
        self.seen.insert(key);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], dir: &Path) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|source| Error::write(&self.path, dir, bytes.len() as u64, source))
    }

    fn complete(mut self, settings: &Settings, shape: Shape, label: &str) -> Result<PathBuf, Error> {
        let (dir, whole) = (settings.dir.as_path(), self.whole_bytes(shape, 0, label));
        let contents = Contents {
            shape,
            created: self.created,
            label: label.to_owned(),
            keys: std::mem::take(&mut self.keys),
            checksums: std::mem::take(&mut self.checksums),
        };
        self.write(&format::tail(&contents), dir)?;
        let Self { file, path, target, .. } = self;
        let failed = |error: DiskError| Error::write(&path, dir, whole, error.into_io());
        // The long part, before others have to wait for the folder.
        file.sync().map_err(failed)?;
        let _lock = folder::lock(dir)?;
        if let Some(budget) = settings.budget {
            make_room(dir, whole, budget)?;
        }
        // The stamp of last use; the clock behind a plain write is coarser and would order chunks wrongly.
        let _ = file.file().set_modified(SystemTime::now());
        file.commit().map_err(failed)?;
        Ok(target)
    }
}

/// Evicts unused chunks, least recently used first, until `needed` more bytes fit; none of them if that is not enough.
/// The folder must be locked.
fn make_room(dir: &Path, needed: u64, budget: u64) -> Result<(), Error> {
    let chunks = folder::chunks(dir)?;
    let mut total: u64 = chunks.iter().map(|chunk| chunk.bytes).sum();
    let (mut claimed, mut in_use) = (Vec::new(), 0);
    for chunk in &chunks {
        if total.saturating_add(needed) <= budget {
            break;
        }
        if let Some(claim) = folder::claim(&chunk.path) {
            claimed.push((claim, chunk));
            total -= chunk.bytes;
        } else {
            in_use += chunk.bytes;
        }
    }
    if total.saturating_add(needed) > budget {
        return Err(Error::OverBudget { dir: dir.into(), needed, budget, in_use });
    }
    claimed.iter().try_for_each(|(_, chunk)| folder::remove(&chunk.path))
}
