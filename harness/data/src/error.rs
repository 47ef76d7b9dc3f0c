//! What can go wrong with a registry, a data set or an image file: what, where, and what to do. No handling.

use std::path::PathBuf;

/// Why data could not be had.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The system refused to read or write.
    #[error("can't {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The registry file is no TOML, or has a key or value that means nothing.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Syntax {
        /// The registry file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong, with a suggestion where there is one.
        message: String,
    },
    /// An entry whose keys don't fit together.
    #[error("{}: [{dataset}]: `{key}`: {message}", path.display())]
    Entry {
        /// The registry file.
        path: PathBuf,
        /// The entry.
        dataset: String,
        /// The key.
        key: &'static str,
        /// What is wrong and what to write.
        message: String,
    },
    /// A name that is not in the registry.
    #[error(
        "no dataset `{name}` in {}{}; it has: {}",
        path.display(),
        suggestion.as_ref().map(|s| format!(" (did you mean `{s}`?)")).unwrap_or_default(),
        known.join(", ")
    )]
    UnknownDataset {
        /// What was asked for.
        name: String,
        /// The registry file.
        path: PathBuf,
        /// The nearest name.
        suggestion: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// `${VAR}` without a default, and no such variable.
    #[error(
        "{}: [{dataset}]: `{key}` needs the environment variable {variable}, which is not set; set it, or write \
         ${{{variable}:-default}}",
        path.display()
    )]
    UnsetVariable {
        /// The registry file.
        path: PathBuf,
        /// The entry.
        dataset: String,
        /// The key that uses it.
        key: &'static str,
        /// The variable.
        variable: String,
    },
    /// The data set's folder is not there.
    #[error(
        "[{dataset}]: no folder {}; put the data there, or change `root` in {} (or the variable it uses)",
        root.display(),
        registry.display()
    )]
    NoRoot {
        /// The entry.
        dataset: String,
        /// Its folder, with variables replaced.
        root: PathBuf,
        /// The registry file.
        registry: PathBuf,
    },
    /// A folder that must hold images and holds none, or is missing.
    #[error("[{dataset}]: {}: {what}; layout `{layout}` expects images there", folder.display())]
    EmptyFolder {
        /// The entry.
        dataset: String,
        /// The folder.
        folder: PathBuf,
        /// Missing or empty.
        what: &'static str,
        /// The layout's name.
        layout: &'static str,
    },
    /// A thing among images that is no image by its name.
    #[error("{}: {what}; only {} files belong here: move it away", path.display(), crate::decode::EXTENSIONS.join(", "))]
    NotAnImage {
        /// The file.
        path: PathBuf,
        /// Why it is none.
        what: &'static str,
    },
    /// An abnormal image without its mask.
    #[error(
        "{}: no mask {}; add it (an image's mask must be exactly there), remove the image, or set `masks = false` for the dataset",
        image.display(),
        expected.display()
    )]
    MissingMask {
        /// The image.
        image: PathBuf,
        /// Where its mask was looked for.
        expected: PathBuf,
    },
    /// A mask without its image.
    #[error("{}: a mask without an image {}; add the image or remove the mask", mask.display(), expected.display())]
    MaskWithoutImage {
        /// The mask.
        mask: PathBuf,
        /// Where its image was looked for.
        expected: PathBuf,
    },
    /// A test set of one class, on which no AUROC exists.
    #[error("[{dataset}]: the test set has no {missing} image ({place}); image metrics need both classes")]
    OneClass {
        /// The entry.
        dataset: String,
        /// `normal` or `abnormal`.
        missing: &'static str,
        /// Where they were looked for.
        place: String,
    },
    /// The decoder gave up.
    #[error("{}: not readable as an image: {source}; the file is damaged or cut short: fetch it again or remove it", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// The decoder's reason.
        source: image::ImageError,
    },
    /// Content that is none of the formats that are read, whatever the file's name says.
    #[error("{}: by its content neither PNG, JPEG, BMP nor TIFF; convert it to one of these, or remove it", path.display())]
    NoKnownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The file ends before its image does.
    #[error("{}: the file is cut short: {what}; fetch it again or remove it", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// How that shows.
        what: &'static str,
    },
    /// More pixels than are accepted. Nothing was allocated.
    #[error(
        "{}: {width} x {height} pixels; at most {} a side and {} in all are read: reduce the image",
        path.display(),
        crate::decode::MAX_SIDE,
        crate::decode::MAX_PIXELS
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Declared width.
        width: u32,
        /// Declared height.
        height: u32,
    },
    /// A kind of pixel the method does not define.
    #[error("{}: {what}; convert it to 8 or 16 bit grey or RGB", path.display())]
    Pixels {
        /// The file.
        path: PathBuf,
        /// The kind.
        what: String,
    },
    /// A mask that can't lie over its image.
    #[error(
        "{}: {mask_width} x {mask_height} pixels, but its image {} has {width} x {height}; export the mask at the image's size",
        mask.display(),
        image.display()
    )]
    MaskSize {
        /// The mask.
        mask: PathBuf,
        /// Its width.
        mask_width: u32,
        /// Its height.
        mask_height: u32,
        /// The image.
        image: PathBuf,
        /// The image's width.
        width: u32,
        /// The image's height.
        height: u32,
    },
    /// The mask of an abnormal image marks nothing.
    #[error("{}: the mask of an abnormal image is empty at {size} x {size} pixels: {advice}", mask.display())]
    EmptyMask {
        /// The mask.
        mask: PathBuf,
        /// Side it was resized to.
        size: usize,
        /// Why, and what to do.
        advice: String,
    },
    /// A mask was asked of an abnormal image of a set without masks.
    #[error("{item}: has no mask (its dataset says `masks = false`)")]
    NoMask {
        /// The item.
        item: String,
    },
    /// An image side nobody can want.
    #[error("image size {0}: must be from 1 to {max}", max = crate::decode::MAX_SIDE)]
    Size(usize),
    /// A line of a support list or of a `csv` layout's file.
    #[error("{}:{line}: {message}", path.display())]
    List {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// A list with the wrong number of images.
    #[error(
        "{}: lists {found} {class} images for draw {draw}, {wanted} are wanted ({wanted} shots); correct the list or ask for {found} shots",
        path.display()
    )]
    ListCount {
        /// The list.
        path: PathBuf,
        /// `normal` or `abnormal`.
        class: &'static str,
        /// The draw.
        draw: u64,
        /// Images listed.
        found: usize,
        /// Images wanted.
        wanted: usize,
    },
    /// Not enough images to draw from.
    #[error(
        "[{dataset}]: {wanted} {class} support images are wanted, {place} has {found}; ask for fewer shots or add images"
    )]
    TooFewImages {
        /// The entry.
        dataset: String,
        /// `normal` or `abnormal`.
        class: &'static str,
        /// Where they come from.
        place: String,
        /// Shots.
        wanted: usize,
        /// Images there.
        found: usize,
    },
    /// Zero shots.
    #[error("[{dataset}]: a support set of 0 shots; at least 1 is needed")]
    NoShots {
        /// The entry.
        dataset: String,
    },
    /// A file's content is not what was hashed before.
    #[error("{what} changed since it was first read; start the run again so that its ids are those of the new files")]
    Changed {
        /// What changed.
        what: String,
    },
}

impl DataError {
    /// An [`DataError::Io`] maker for `map_err`.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, DataError>;
