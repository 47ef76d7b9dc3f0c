//! The tap store: an encoder's outputs per image, kept on disk under a hash of all that decides them. It runs no
//! encoder and knows no dataset.
//!
//! A store is a folder of chunk files. A chunk holds the taps of many images of one shape and is complete or absent:
//! it is written under a temporary name, synced and renamed. Chunks never change after that; they are only removed.
//! Several processes may read and write one folder at once.
//!
//! ```no_run
//! # use harness_features::{EncodingKey, Shape, TapSet, TapStore, default_dir};
//! # use harness_method::StorePrecision;
//! # fn encode(_: &[u8]) -> Vec<f32> { vec![] }
//! # fn example(encoding: EncodingKey, images: Vec<Vec<u8>>) -> Result<(), harness_features::Error> {
//! let store = TapStore::open(&default_dir()?, Some(50 << 30))?;
//! let shape = Shape::new(4, 290, 1024, StorePrecision::F32)?;
//! let keys: Vec<_> = images.iter().map(|pixels| encoding.of_pixels(pixels)).collect();
//! let mut writer = store.writer(shape, "LggMri test, ViT-L-14-336px")?;
//! for (i, found) in store.lookup(&keys, shape)?.iter().enumerate() {
//!     if found.is_none() {
//!         writer.append(keys[i], &encode(&images[i]))?;
//!     }
//! }
//! writer.finish()?;
//! let taps = TapSet::new(store.lookup(&keys, shape)?.into_iter().flatten().collect())?;
//! let mut batch = vec![0.0; 16 * shape.tap_len()];
//! taps.gather(0, &(0..16).collect::<Vec<_>>(), &mut batch)?;
//! # Ok(()) }
//! ```

#[cfg(target_endian = "big")]
compile_error!("chunk files are little-endian and mapped as they are");

mod chunk;
mod entry;
mod error;
mod folder;
mod format;
mod housekeeping;
mod key;
mod settings;
mod shape;
mod space;
mod store;
mod writer;

pub use chunk::Verify;
pub use entry::{Entry, TapSet};
pub use error::Error;
pub use folder::default_dir;
pub use housekeeping::{ChunkContents, ChunkSummary, Cleared, EncodingSummary, Filter, clear, list, summarize};
pub use key::{EncodingKey, Key};
pub use shape::Shape;
pub use store::TapStore;
pub use writer::TapWriter;
