//! A complete chunk as readers see it: its index in memory, its records mapped while somebody uses them, each tap
//! compared with its checksum.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use memmap2::Mmap;

use crate::error::Error;
use crate::format::{self, Contents, FOOTER, Frame, HEADER};

/// When stored bytes are compared with their checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// The first time an open store finds an image.
    #[default]
    FirstTouch,
    /// Then, and at every read.
    Always,
}

/// A chunk's index. Its file is mapped only while entries live, so that an evicted chunk's space comes free.
pub(crate) struct Chunk {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) contents: Contents,
    /// [records, taps]: whether this store has compared the bytes with their checksum.
    verified: Vec<AtomicBool>,
    mapping: Mutex<Weak<Mapping>>,
}

/// A mapped chunk. The open file carries the shared lock that keeps the chunk from being evicted.
pub(crate) struct Mapping {
    map: Mmap,
    file: File,
}

impl Chunk {
    /// Reads a chunk's index. `None` if there is no such file any more.
    ///
    /// # Errors
    /// `Damaged` if it is not a chunk that this version reads, `File` if the system can't read it.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Error> {
        let damaged = |reason| Error::Damaged { file: path.into(), reason };
        let failed = |source| Error::File { action: "read", file: path.into(), source };
        let file = match File::open(path) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        let bytes = file.metadata().map_err(failed)?.len();
        if bytes < (HEADER + FOOTER) as u64 {
            return Err(damaged(format!("it has {bytes} bytes")));
        }
        let (mut header, mut footer) = ([0; HEADER], [0; FOOTER]);
        file.read_exact_at(&mut header, 0).map_err(failed)?;
        file.read_exact_at(&mut footer, bytes - FOOTER as u64).map_err(failed)?;
        let frame = Frame::parse(header, footer, bytes).map_err(damaged)?;
        let (at, length) = frame.body();
        let mut body = vec![0; length as usize];
        file.read_exact_at(&mut body, at).map_err(failed)?;
        let contents = frame.contents(&body).map_err(damaged)?;
        let verified = contents.checksums.iter().map(|_| AtomicBool::new(false)).collect();
        Ok(Some(Self { path: path.into(), bytes, contents, verified, mapping: Mutex::new(Weak::new()) }))
    }

    /// The chunk's map, shared by all its entries. `None` if the file is gone. Marks the chunk as used now.
    ///
    /// # Errors
    /// `Damaged` if the file's length changed, `File` if it can't be mapped.
    pub(crate) fn map(&self) -> Result<Option<Arc<Mapping>>, Error> {
        let mut shared = self.mapping.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mapping) = shared.upgrade() {
            mapping.touch();
            return Ok(Some(mapping));
        }
        let failed = |source| Error::File { action: "map", file: self.path.clone(), source };
        let file = match File::open(&self.path) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        // A failure means a file system without locks. If the chunk is evicted just before this, its file has lost its
        // name but not its bytes.
        let _ = file.lock_shared();
        if file.metadata().map_err(failed)?.len() != self.bytes {
            return Err(Error::Damaged { file: self.path.clone(), reason: "its length changed".into() });
        }
        #[expect(unsafe_code, reason = "mapping a file")]
        // SAFETY: a chunk that carries its final name is never written or cut by this program, only unlinked, which
        // leaves maps valid. Bytes are read as integers and floats, for which every pattern is valid.
        let map = unsafe { Mmap::map(&file) }.map_err(failed)?;
        let mapping = Arc::new(Mapping { map, file });
        mapping.touch();
        *shared = Arc::downgrade(&mapping);
        Ok(Some(mapping))
    }

    /// The stored bytes of one tap of one image, checked as `verify` says. Both indices must exist.
    pub(crate) fn tap<'a>(
        &self,
        mapping: &'a Mapping,
        record: usize,
        tap: usize,
        verify: Verify,
    ) -> Result<&'a [u8], Error> {
        let shape = self.contents.shape;
        let begin = HEADER + record * format::stride(shape) as usize + tap * shape.tap_bytes();
        let bytes = &mapping.map[begin..begin + shape.tap_bytes()];
        let index = record * shape.taps() + tap;
        if verify == Verify::Always || !self.verified[index].load(Ordering::Relaxed) {
            if *blake3::hash(bytes).as_bytes() != self.contents.checksums[index] {
                return Err(Error::Corrupt { file: self.path.clone(), record, tap });
            }
            self.verified[index].store(true, Ordering::Relaxed);
        }
        Ok(bytes)
    }
}

impl Mapping {
    /// Recency is the file's modification time: the bytes never change, so it is free for that. A store that belongs
    /// to another user can't be stamped and stays readable.
    fn touch(&self) {
        let _ = self.file.set_modified(SystemTime::now());
    }
}
