//! Content hashes and facts of files, remembered between runs, and hashes of lists of items.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use harness_disk::{DiskError, write_durable};
use rayon::prelude::*;

use crate::content::{Seen, as_shown, hash_file, look};
use crate::decode::{self, Depth};
use crate::error::{DataError, Result};
use crate::facts::Facts;
use crate::facts_cache::FactsCache;
use crate::head::shown;
use crate::item::{Item, Source};
use crate::mask::MaskValues;
use crate::sealed::{seal, unseal};

/// Beginning of the cache file's first line, before the version and the checksum.
const FORMAT: &str = "harness file hashes ";
/// Version of the files that are written; [`parse`] has a reader for each older one.
const VERSION: u32 = 2;
/// An unfinished cache file that nobody wrote to for so long is a dead process's.
const IDLE: Duration = Duration::from_secs(3600);
/// A file younger than this is not remembered: it may change again without its time changing.
const SETTLED: Duration = Duration::from_secs(2);

/// A source's content hash, direct or remembered.
pub type HashOf<'a> = dyn Fn(&Source) -> Result<[u8; 32]> + Sync + 'a;

/// BLAKE3, hexadecimal, over labels, images and masks of `items` in their order.
///
/// # Errors
/// Those of `hash_of`.
pub fn items_hash<'a>(
    items: impl IntoIterator<Item = &'a Item>,
    values: MaskValues,
    hash_of: &HashOf<'_>,
) -> Result<String> {
    Ok(parts_hash(&parts(items, hash_of)?, values))
}

/// [`items_hash`], and the same without the order: over the hashes of each item by itself, sorted.
///
/// # Errors
/// Those of `hash_of`.
pub(crate) fn set_hashes<'a>(
    items: impl IntoIterator<Item = &'a Item>,
    values: MaskValues,
    hash_of: &HashOf<'_>,
) -> Result<(String, String)> {
    let parts = parts(items, hash_of)?;
    let mut single: Vec<String> = parts.iter().map(|part| parts_hash(std::slice::from_ref(part), values)).collect();
    single.sort_unstable();
    Ok((parts_hash(&parts, values), blake3::hash(single.concat().as_bytes()).to_hex().to_string()))
}

/// What of an item is hashed: label, image, mask.
type Part = (bool, [u8; 32], Option<[u8; 32]>);

fn parts<'a>(items: impl IntoIterator<Item = &'a Item>, hash_of: &HashOf<'_>) -> Result<Vec<Part>> {
    let items: Vec<&Item> = items.into_iter().collect();
    // What needs a mask that is not there fails when it reads it; adding it changes the hash, as correcting one does.
    let missing = *blake3::hash(b"harness missing mask 1").as_bytes();
    let mask_of = |mask: &Source| match mask {
        Source::File(path) if !path.exists() => Ok(missing),
        mask => hash_of(mask),
    };
    let part = |item: &&Item| Ok((item.abnormal, hash_of(&item.image)?, item.mask.as_ref().map(mask_of).transpose()?));
    items.par_iter().map(part).collect()
}

fn parts_hash(parts: &[Part], values: MaskValues) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"harness items 1 ").update(values.name().as_bytes());
    for (abnormal, image, mask) in parts {
        hasher.update(&[u8::from(*abnormal)]).update(image).update(&[u8::from(mask.is_some())]);
        hasher.update(&mask.unwrap_or_default());
    }
    hasher.finalize().to_hex().to_string()
}

/// BLAKE3, hexadecimal, over the images of `items` in their order: what decides predictions, and not how they are
/// judged.
///
/// # Errors
/// Those of `hash_of`.
pub fn images_hash<'a>(items: impl IntoIterator<Item = &'a Item>, hash_of: &HashOf<'_>) -> Result<String> {
    let items: Vec<&Item> = items.into_iter().collect();
    let hashes: Vec<[u8; 32]> = items.par_iter().map(|item| hash_of(&item.image)).collect::<Result<_>>()?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"harness images 1");
    for hash in hashes {
        hasher.update(&hash);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// By what a file is taken to be unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    size: u64,
    /// Nanoseconds since 1970; negative before.
    modified: i128,
    /// When content or metadata last changed, which no program can set back; 0 where the system doesn't say.
    changed: i128,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Result<(Self, SystemTime)> {
        let metadata = std::fs::metadata(path).map_err(DataError::io("read", path))?;
        let modified = metadata.modified().map_err(DataError::io("read the time of", path))?;
        let nanoseconds = match modified.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => after.as_nanos() as i128,
            Err(before) => -(before.duration().as_nanos() as i128),
        };
        #[cfg(unix)]
        let (inode, changed) = {
            use std::os::unix::fs::MetadataExt;
            (metadata.ino(), i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec()))
        };
        #[cfg(not(unix))]
        let (inode, changed) = (0, 0);
        Ok((Self { size: metadata.len(), modified: nanoseconds, changed, inode }, modified))
    }
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    stamp: Stamp,
    /// Of its bytes.
    hash: [u8; 32],
    /// Once it was looked at as an image.
    head: Option<Seen>,
}

/// Width and height from an image's head, and how it is to be turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageSize {
    /// Width and height as stored.
    pub stored: (u32, u32),
    /// Width and height as shown.
    pub shown: (u32, u32),
    /// The orientation tag, 1 to 8.
    pub orientation: u8,
}

type Entries = BTreeMap<PathBuf, Entry>;

#[derive(Debug, Default)]
struct State {
    known: Entries,
    /// What this process hashed; only this is written over what others wrote.
    fresh: Entries,
}

/// Hashes of files by path, size, times of modification and change, and inode; and facts of images by hash. Threads may
/// share it.
#[derive(Debug, Default)]
pub struct FileHashes {
    cache: Option<PathBuf>,
    verify: bool,
    state: Mutex<State>,
    facts: FactsCache,
    note: Option<String>,
}

impl FileHashes {
    /// Reads the cache file, and the file `file-facts` beside it. One that can't be read is taken as empty, and
    /// [`FileHashes::note`] says why. With `verify` nothing remembered is believed: each file is hashed again.
    pub fn open(cache: &Path, verify: bool) -> Self {
        // A leftover that can't be removed harms nobody.
        let _ = harness_disk::sweep(cache.parent().unwrap_or(Path::new(".")), IDLE);
        let (known, note) = match load(cache) {
            Ok(known) => (known, None),
            Err(reason) => {
                let note = format!("{}: the cache of hashes {reason}; all files are hashed again", cache.display());
                (Entries::new(), Some(note))
            }
        };
        let (facts, facts_note) = FactsCache::open(&cache.with_file_name("file-facts"));
        let state = Mutex::new(State { known, ..State::default() });
        let notes: Vec<String> = note.into_iter().chain(facts_note).collect();
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        Self { cache: Some(cache.to_owned()), verify, state, facts, note }
    }

    /// What is remembered for the life of the process alone.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Why a cache file was taken as empty, where it was there and could not be read.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Whether facts of any file are remembered.
    pub fn has_facts(&self) -> bool {
        self.facts.any()
    }

    /// The BLAKE3 hash of a file's bytes.
    ///
    /// # Errors
    /// [`DataError::Io`]; [`DataError::Changed`] where the file changes while it is read.
    pub fn of(&self, path: &Path) -> Result<[u8; 32]> {
        let key = canonical(path)?;
        let (stamp, modified) = Stamp::of(&key)?;
        if let Some(entry) = self.remembered(&key, &stamp) {
            return Ok(entry.hash);
        }
        let hash = hash_file(&key)?;
        self.remember(path, key, Entry { stamp, hash, head: None }, modified)?;
        Ok(hash)
    }

    /// The hash of an image's or mask's content: of the file's bytes, and of its orientation tag where that turns it;
    /// of the pixels for a generated plane.
    ///
    /// # Errors
    /// As [`FileHashes::of`].
    pub fn of_source(&self, source: &Source) -> Result<[u8; 32]> {
        match source {
            Source::File(path) => self.image(path).map(|(hash, seen, _)| as_shown(hash, seen.orientation)),
            Source::Phantom(_) => source.content_hash(),
        }
    }

    /// Width and height from the head; `None` where it can't be read.
    ///
    /// # Errors
    /// As [`FileHashes::of`].
    pub fn size_of(&self, source: &Source) -> Result<Option<ImageSize>> {
        let Source::File(path) = source else {
            let size = source.dimensions()?;
            return Ok(Some(ImageSize { stored: size, shown: size, orientation: 1 }));
        };
        let (_, Seen { orientation, width, height }, _) = self.image(path)?;
        let size = ImageSize { stored: (width, height), shown: shown(width, height, orientation), orientation };
        Ok((width > 0).then_some(size))
    }

    /// What is true of an image's pixels; its file is decoded once for all runs while its content stays the same.
    ///
    /// # Errors
    /// As [`FileHashes::of`] and [`decode::decode`].
    pub fn facts(&self, source: &Source) -> Result<Arc<Facts>> {
        let Source::File(path) = source else {
            return Ok(Arc::new(Facts::of_pixels(source.pixels(Depth::Scaled)?)));
        };
        let (hash, _, bytes) = self.image(path)?;
        if let Some(facts) = self.facts.get(&hash) {
            return Ok(facts);
        }
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => decode::read(path)?,
        };
        if blake3::hash(&bytes) != blake3::Hash::from_bytes(hash) {
            return Err(DataError::Changed { what: path.display().to_string() });
        }
        let facts = Arc::new(Facts::of(&bytes, path)?);
        self.facts.put(hash, &facts);
        Ok(facts)
    }

    /// [`FileHashes::facts`] where they are remembered; no file is opened.
    pub fn known_facts(&self, source: &Source) -> Option<Arc<Facts>> {
        let Source::File(path) = source else { return None };
        let key = canonical(path).ok()?;
        let (stamp, _) = Stamp::of(&key).ok()?;
        self.facts.get(&self.remembered(&key, &stamp)?.hash)
    }

    /// [`FileHashes::of_source`], and the hash of its pixels where its facts are remembered.
    pub(crate) fn print(&self, source: &Source) -> Result<([u8; 32], Option<[u8; 32]>)> {
        let Source::File(path) = source else { return Ok((source.content_hash()?, None)) };
        let (hash, seen, _) = self.image(path)?;
        Ok((as_shown(hash, seen.orientation), self.facts.get(&hash).map(|facts| facts.pixels)))
    }

    /// Hash of an image file's bytes and its head; its bytes too where they had to be read.
    fn image(&self, path: &Path) -> Result<([u8; 32], Seen, Option<Vec<u8>>)> {
        let key = canonical(path)?;
        let (stamp, modified) = Stamp::of(&key)?;
        if let Some(Entry { hash, head: Some(seen), .. }) = self.remembered(&key, &stamp) {
            return Ok((hash, seen, None));
        }
        let (hash, seen, bytes) = look(&key)?;
        self.remember(path, key, Entry { stamp, hash, head: Some(seen) }, modified)?;
        Ok((hash, seen, bytes))
    }

    fn remembered(&self, key: &Path, stamp: &Stamp) -> Option<Entry> {
        let state = self.lock();
        let known = if self.verify { state.fresh.get(key) } else { state.known.get(key) };
        known.filter(|known| known.stamp == *stamp).copied()
    }

    fn remember(&self, path: &Path, key: PathBuf, entry: Entry, modified: SystemTime) -> Result<()> {
        if Stamp::of(&key)?.0 != entry.stamp {
            return Err(DataError::Changed { what: path.display().to_string() });
        }
        if SystemTime::now().duration_since(modified).is_ok_and(|age| age >= SETTLED) {
            let mut state = self.lock();
            state.known.insert(key.clone(), entry);
            state.fresh.insert(key, entry);
        }
        Ok(())
    }

    /// Writes what was hashed and looked at to the cache files, together with what other processes wrote meanwhile:
    /// beside them, synced, then renamed.
    ///
    /// # Errors
    /// [`DataError::Io`]; the old cache is then untouched.
    pub fn save(&self) -> Result<()> {
        let Some(cache) = &self.cache else { return Ok(()) };
        self.facts.save()?;
        // One that can't be read is replaced.
        let mut all = load(cache).unwrap_or_default();
        {
            let state = self.lock();
            if state.fresh.is_empty() {
                return Ok(());
            }
            all.extend(state.fresh.iter().map(|(path, entry)| (path.clone(), *entry)));
        }
        let mut body = String::new();
        for (path, Entry { stamp, hash, head }) in &all {
            // A name the format can't hold is hashed again each time.
            if let Some(path) = path.to_str().filter(|path| !path.contains(['\n', '\r'])) {
                let hash = blake3::Hash::from_bytes(*hash).to_hex();
                let Stamp { size, modified, changed, inode } = stamp;
                let head = head.map_or_else(
                    || "-".to_owned(),
                    |Seen { orientation, width, height }| format!("{orientation}:{width}x{height}"),
                );
                body += &format!("{hash} {size} {modified} {changed} {inode} {head} {path}\n");
            }
        }
        let failed = |error: DiskError| DataError::io("write the cache of hashes", cache)(error.into_io());
        write_durable(cache, seal(FORMAT, VERSION, &body).as_bytes()).map_err(failed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The maps are whole after every statement, so a thread that died holding the lock left no half entry.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn canonical(path: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(path).map_err(DataError::io("find", path))
}

/// The entries of a cache file; none where there is no file. `Err` says why it can't be read.
fn load(cache: &Path) -> std::result::Result<Entries, String> {
    let bytes = match std::fs::read(cache) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Entries::new()),
        Err(error) => return Err(format!("can't be read: {error}")),
    };
    let (version, body) = unseal(FORMAT, &bytes)?;
    match version {
        // Without the time of change none of its entries can be believed: the files are hashed again.
        "1" => Ok(Entries::new()),
        "2" => parse_2(body).ok_or_else(|| "is damaged".to_owned()),
        other => Err(format!("has version {other}, and this program reads up to {VERSION}")),
    }
}

fn parse_2(body: &str) -> Option<Entries> {
    body.lines()
        .map(|line| {
            let mut fields = line.splitn(7, ' ');
            let hash = *blake3::Hash::from_hex(fields.next()?).ok()?.as_bytes();
            let size = fields.next()?.parse().ok()?;
            let modified = fields.next()?.parse().ok()?;
            let changed = fields.next()?.parse().ok()?;
            let inode = fields.next()?.parse().ok()?;
            let head = match fields.next()? {
                "-" => None,
                seen => {
                    let (orientation, size) = seen.split_once(':')?;
                    let (width, height) = size.split_once('x')?;
                    Some(Seen {
                        orientation: orientation.parse().ok()?,
                        width: width.parse().ok()?,
                        height: height.parse().ok()?,
                    })
                }
            };
            Some((PathBuf::from(fields.next()?), Entry { stamp: Stamp { size, modified, changed, inode }, hash, head }))
        })
        .collect()
}
