//! Datasets: the registry, the images of each split, support sets, decoding, Pillow-exact resizing, augmentation, and a
//! generated phantom set.

pub mod augment;
pub mod checks;
pub mod dataset;
pub mod decode;
pub mod entry;
pub mod error;
pub mod hashes;
pub mod item;
pub mod keys;
pub mod layout;
mod layouts;
mod limits;
pub mod mask;
mod names;
mod palette_tiff;
pub mod phantom;
pub mod registry;
pub mod resize;
mod splits;
pub mod summary;
pub mod support;
pub mod support_images;
pub mod support_list;
mod table;
pub mod verify;

pub use augment::{Augmented, Jitter, augment_class, jitter_factors};
pub use checks::{overlap, shared_patients};
pub use dataset::Dataset;
pub use entry::{Counts, Entry};
pub use error::{DataError, Result};
pub use hashes::{FileHashes, images_hash, items_hash};
pub use item::{Item, Source, load_image, load_mask, load_support_mask};
pub use layout::{Layout, Split};
pub use mask::MaskValues;
pub use registry::Registry;
pub use summary::Summary;
pub use support::SupportSet;
pub use support_images::SupportImages;
pub use support_list::ListFile;
pub use verify::{Finding, Severity, verify};
