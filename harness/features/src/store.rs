//! The store: which image is in which chunk, as far as this process has looked.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rayon::prelude::*;

use crate::chunk::{Chunk, Mapping, Verify};
use crate::entry::Entry;
use crate::error::Error;
use crate::folder;
use crate::format;
use crate::key::Key;
use crate::settings::Settings;
use crate::shape::Shape;
use crate::space::free_bytes;
use crate::writer::TapWriter;

/// A chunk is closed at this size: about fifty images of ViT-L/14 at 240 pixels.
const CHUNK_BYTES: u64 = 256 << 20;

/// And at this age: what a kill loses at most. Slow encoders make small chunks, which cost a file each.
const CHUNK_AGE: Duration = Duration::from_secs(20);

/// An open tap store. May be shared by threads; other processes may have the same folder open.
pub struct TapStore {
    settings: Settings,
    known: Mutex<Known>,
}

/// Chunks this process has seen, and the images in them.
#[derive(Default)]
struct Known {
    /// `None` for files that can't be read as chunks: looked at once, then left alone.
    chunks: BTreeMap<PathBuf, Option<Arc<Chunk>>>,
    /// Chunk of each image, and the image's index in it.
    records: HashMap<Key, (Arc<Chunk>, usize)>,
    notes: Vec<String>,
}

impl TapStore {
    /// Opens the store in `dir`, creating it where it is missing, and removes what killed writers left behind. With a
    /// budget, complete chunks take at most that many bytes; without one the store grows until the disk is full.
    ///
    /// # Errors
    /// `Folder`, `File` or `DiskFull` if the folder can't be made or read.
    pub fn open(dir: &Path, budget_bytes: Option<u64>) -> Result<Self, Error> {
        let mut known = Known::default();
        if let Some(found) = folder::prepare(dir)? {
            known.notes.push(format!(
                "the tap store {} was made by another version (`{found}`): images that this version can't read there are \
                 encoded again",
                dir.display()
            ));
        }
        // Small budgets get small chunks: eviction goes by whole chunks.
        let chunk_bytes = budget_bytes.map_or(CHUNK_BYTES, |budget| CHUNK_BYTES.min(budget / 8));
        let (dir, verify) = (dir.to_owned(), Verify::default());
        let settings = Settings { dir, budget: budget_bytes, chunk_bytes, chunk_age: CHUNK_AGE, verify };
        Ok(Self { settings, known: Mutex::new(known) })
    }

    /// The same store, with checksums compared as `verify` says.
    pub fn with_verify(self, verify: Verify) -> Self {
        Self { settings: Settings { verify, ..self.settings }, ..self }
    }

    /// The same store, with chunks closed at the first image that brings them to `bytes`.
    pub fn with_chunk_bytes(self, bytes: u64) -> Self {
        Self { settings: Settings { chunk_bytes: bytes, ..self.settings }, ..self }
    }

    /// The same store, with chunks closed at the first image this long after they were begun, too.
    pub fn with_chunk_age(self, age: Duration) -> Self {
        Self { settings: Settings { chunk_age: age, ..self.settings }, ..self }
    }

    /// The store's folder.
    pub fn dir(&self) -> &Path {
        &self.settings.dir
    }

    /// Most bytes that complete chunks may take.
    pub fn budget(&self) -> Option<u64> {
        self.settings.budget
    }

    /// Finds images: per key its entry, or `None` if its taps must be encoded. Looks into the folder again if any is
    /// missing. Found chunks count as used now and are not evicted while their entries live.
    ///
    /// A chunk that can't be read, or whose bytes differ from their checksums, is passed over, and [`Self::take_notes`]
    /// says so: its images are encoded again. One with wrong bytes is also removed.
    ///
    /// # Errors
    /// `ShapeMismatch` if a key's taps have another shape, which means that the keys do not tell encodings apart;
    /// `Folder` if the folder can't be listed.
    pub fn lookup(&self, keys: &[Key], shape: Shape) -> Result<Vec<Option<Entry>>, Error> {
        // The loop ends: a turn is repeated only after a chunk was dropped for good.
        loop {
            let found = self.find(keys, shape)?;
            let corrupt = |entry: &Entry| entry.check().err().map(|error| (entry.chunk.path.clone(), error));
            let Some((path, error)) = found.par_iter().flatten().find_map_any(corrupt) else { return Ok(found) };
            drop(found);
            self.known().pass_over(&path, &error);
            // In a folder of another user the file stays, and is passed over by every process that meets it.
            let _ = folder::remove(&path);
        }
    }

    fn find(&self, keys: &[Key], shape: Shape) -> Result<Vec<Option<Entry>>, Error> {
        let mut known = self.known();
        let mut mapped = HashMap::new();
        let found = known.find(keys, &mut mapped, shape, self.settings.verify)?;
        if found.iter().all(Option::is_some) {
            return Ok(found);
        }
        // Again after a look into the folder: for what others wrote, and for copies of evicted images.
        known.refresh(self.dir())?;
        known.find(keys, &mut mapped, shape, self.settings.verify)
    }

    /// What a person should know of the store, each line once: chunks that were passed over, and why.
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.known().notes)
    }

    /// A writer of images of `shape`. The label tells people what is in the chunks, such as the dataset's and weights'
    /// names; it is cut at 1,024 bytes and has no part in keys.
    ///
    /// # Errors
    /// `Folder`, `File` or `DiskFull` if the folder can't be written to: it shows before anything is encoded.
    pub fn writer(&self, shape: Shape, label: &str) -> Result<TapWriter<'_>, Error> {
        TapWriter::new(&self.settings, shape, label)
    }

    /// Whether `n_images` of each of some shapes can be held at once if all else is evicted: within the budget, and on
    /// the disk. If not, stream them.
    ///
    /// # Errors
    /// `Folder` if the folder can't be listed.
    pub fn fits(&self, n_images: u64, shapes: &[Shape]) -> Result<bool, Error> {
        let stored: u64 = folder::chunks(self.dir())?.iter().map(|chunk| chunk.bytes).sum();
        let disk = free_bytes(self.dir()).map_or(u64::MAX, |free| free.saturating_add(stored));
        let capacity = self.budget().unwrap_or(u64::MAX).min(disk);
        let needed = shapes.iter().fold(0, |sum: u64, &shape| sum.saturating_add(self.needed(n_images, shape)));
        Ok(needed <= capacity)
    }

    /// Most bytes of so many images, in chunks.
    fn needed(&self, n_images: u64, shape: Shape) -> u64 {
        let one = format::file_bytes(shape, 1, format::MAX_LABEL as u64).unwrap_or(u64::MAX);
        // Chunks close just past their size, so each holds at least this many images.
        let per_chunk = (self.settings.chunk_bytes / one).max(1);
        let chunks = n_images.div_ceil(per_chunk);
        let overhead = format::file_bytes(shape, 0, format::MAX_LABEL as u64).unwrap_or(u64::MAX);
        format::file_bytes(shape, n_images, 0)
            .and_then(|bytes| bytes.checked_add(chunks.checked_mul(overhead)?))
            .unwrap_or(u64::MAX)
    }

    /// Removes a chunk, for instance a corrupt one: its images are misses from now on, in every process that has not
    /// mapped it.
    ///
    /// # Errors
    /// `NotAChunk` if the file is not named as a chunk of this store, `File` if it can't be removed.
    pub fn forget(&self, chunk: &Path) -> Result<(), Error> {
        if chunk.parent() != Some(self.dir()) || !folder::is_chunk(chunk) {
            return Err(Error::NotAChunk { file: chunk.into(), dir: self.dir().into() });
        }
        folder::remove(chunk)?;
        self.known().drop_chunks(|path| path == chunk);
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // What a panicking thread left is at worst out of date, and lookups cope with that.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Entries of the keys among known chunks. Chunks found to be gone are dropped on the way.
    fn find(
        &mut self,
        keys: &[Key],
        mapped: &mut HashMap<PathBuf, Option<Arc<Mapping>>>,
        shape: Shape,
        verify: Verify,
    ) -> Result<Vec<Option<Entry>>, Error> {
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let Some((chunk, record)) = self.records.get(key) else {
                found.push(None);
                continue;
            };
            if chunk.contents.shape != shape {
                return Err(Error::ShapeMismatch {
                    file: chunk.path.clone(),
                    found: chunk.contents.shape.to_string(),
                    expected: shape.to_string(),
                });
            }
            if !mapped.contains_key(&chunk.path) {
                let mapping = chunk.map().unwrap_or_else(|error| {
                    self.notes.push(format!("{error}; its images are encoded again"));
                    None
                });
                mapped.insert(chunk.path.clone(), mapping);
            }
            found.push(mapped.get(&chunk.path).and_then(Option::as_ref).map(|mapping| Entry {
                chunk: chunk.clone(),
                mapping: mapping.clone(),
                record: *record,
                verify,
            }));
        }
        if mapped.values().any(Option::is_none) {
            self.drop_chunks(|path| mapped.get(path).is_some_and(Option::is_none));
        }
        Ok(found)
    }

    /// Takes up chunks that are new in the folder and drops those that are gone.
    fn refresh(&mut self, dir: &Path) -> Result<(), Error> {
        let present: HashSet<PathBuf> = folder::chunk_paths(dir)?.into_iter().collect();
        if self.chunks.keys().any(|path| !present.contains(path)) {
            self.drop_chunks(|path| !present.contains(path));
        }
        for path in present {
            if self.chunks.contains_key(&path) {
                continue;
            }
            let chunk = match Chunk::read(&path) {
                Ok(None) => continue,
                Ok(Some(chunk)) => Some(Arc::new(chunk)),
                Err(error) => {
                    self.notes.push(format!("{error}; its images are encoded again"));
                    None
                }
            };
            if let Some(chunk) = &chunk {
                self.index(chunk);
            }
            self.chunks.insert(path, chunk);
        }
        Ok(())
    }

    fn index(&mut self, chunk: &Arc<Chunk>) {
        for (record, &key) in chunk.contents.keys.iter().enumerate() {
            self.records.insert(key, (chunk.clone(), record));
        }
    }

    /// Leaves a chunk alone from now on.
    fn pass_over(&mut self, path: &Path, reason: &Error) {
        self.notes.push(format!("{reason}; its images are encoded again"));
        self.chunks.insert(path.into(), None);
        self.index_again();
    }

    fn drop_chunks(&mut self, gone: impl Fn(&Path) -> bool) {
        self.chunks.retain(|path, _| !gone(path));
        self.index_again();
    }

    /// Rare, so the index is simply made again: an image may have a copy in another chunk.
    fn index_again(&mut self) {
        self.records.clear();
        let chunks: Vec<_> = self.chunks.values().flatten().cloned().collect();
        chunks.iter().for_each(|chunk| self.index(chunk));
    }
}
