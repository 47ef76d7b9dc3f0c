//! Datasets: what `datasets.toml` says, which images there are, support sets, decoding, Pillow-exact resizing, augmentation
//! and a generated phantom set. No tensors, no scores.

pub mod augment;
pub mod checks;
pub mod dataset;
pub mod decode;
pub mod error;
pub mod hashes;
pub mod item;
mod layouts;
mod palette_tiff;
pub mod phantom;
pub mod registry;
pub mod resize;
mod spelling;
pub mod summary;
pub mod support_images;
mod support_list;
mod table;
mod variables;
pub mod verify;

pub use augment::{Augmented, Jitter, VARIANTS, augment_class, jitter_factors};
pub use checks::{overlap, shared_patients};
pub use dataset::{Dataset, Split, SupportSet};
pub use error::{DataError, Result};
pub use hashes::{FileHashes, images_hash, items_hash};
pub use item::{Item, Source, load_image, load_mask, load_support_mask};
pub use registry::{Counts, Entry, Layout, MaskValues, Registry};
pub use summary::Summary;
pub use support_images::SupportImages;
pub use support_list::ListFile;
pub use verify::{Finding, Severity, verify};
