//! What can go wrong with a registry, a dataset or an image file.

use std::path::{Path, PathBuf};

use harness_method::{Draw, Shots};
use harness_text::count;

use crate::alike::by_form;
use crate::foreign::Foreign;

/// Why data can't be read.
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
    /// What is wrong with a registry file, all of it.
    #[error(transparent)]
    Registry(#[from] harness_config::Problems),
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
    /// A variable in a path that can't be replaced.
    #[error("{}: [{dataset}]: `{key}`: {source}", path.display())]
    Variable {
        /// The registry file.
        path: PathBuf,
        /// The entry.
        dataset: String,
        /// The key that uses it.
        key: &'static str,
        /// Which variable, and what to do.
        source: harness_config::ExpandError,
    },
    /// The dataset's folder is missing, or is a file.
    #[error(
        "[{dataset}]: {}, or change `root` in {} (or the variable it uses)",
        if *is_file {
            format!("{} is a file, not a folder; name the folder that holds the data (an archive must be unpacked)", root.display())
        } else {
            format!("no folder {}; put the data there", root.display())
        },
        registry.display()
    )]
    NoRoot {
        /// The entry.
        dataset: String,
        /// Its folder, with variables replaced.
        root: PathBuf,
        /// It is there, and no folder.
        is_file: bool,
        /// The registry file.
        registry: PathBuf,
    },
    /// A folder that must hold images or masks and holds none, or is missing.
    #[error("[{dataset}]: {}: {what}; layout `{layout}` expects {holds} there", folder.display())]
    EmptyFolder {
        /// The entry.
        dataset: String,
        /// The folder.
        folder: PathBuf,
        /// Missing or empty, and what may be meant.
        what: String,
        /// The layout's name.
        layout: &'static str,
        /// What it must hold.
        holds: &'static str,
    },
    /// A file or folder whose name has another case than the layout's.
    #[error("{}: a name that differs from {} by case alone; rename it", path.display(), expected.display())]
    Misnamed {
        /// What is there.
        path: PathBuf,
        /// What the layout has.
        expected: PathBuf,
    },
    /// Something among images that is not an image by its name.
    #[error("{}: {what}; only {} files belong here: move it away", path.display(), crate::limits::EXTENSIONS.join(", "))]
    NotAnImage {
        /// The file.
        path: PathBuf,
        /// Why it is not one.
        what: &'static str,
    },
    /// An abnormal image without its mask.
    #[error("{}: no mask {}; {}", image.display(), expected.display(), advice_on_mask(expected, meant))]
    MissingMask {
        /// The image.
        image: PathBuf,
        /// Where its mask was looked for.
        expected: PathBuf,
        /// Masks that may be its, by their names.
        meant: Vec<PathBuf>,
    },
    /// Two images that would have one mask.
    #[error(
        "{}: would be the mask of two images, {} and {}; rename one of the images and give each its own mask, or remove one",
        mask.display(),
        first.display(),
        image.display()
    )]
    SharedMask {
        /// The mask.
        mask: PathBuf,
        /// One image.
        first: PathBuf,
        /// The other.
        image: PathBuf,
    },
    /// A mask without its image.
    #[error(
        "{}: {}",
        mask.display(),
        match beside {
            Some(other) => format!(
                "by its name another mask of the image of {}; one mask of an image is read: unite them in that file, and \
                 move this one away",
                other.display()
            ),
            None => format!("a mask without an image in {}; add the image or remove the mask", images.display()),
        }
    )]
    MaskWithoutImage {
        /// The mask.
        mask: PathBuf,
        /// The folder of the images.
        images: PathBuf,
        /// The mask of the image that it may be meant for.
        beside: Option<PathBuf>,
    },
    /// A test set of one class, on which no AUROC exists.
    #[error(
        "[{dataset}]: the test set has no {missing} image ({location}{}); image metrics need both classes{}",
        match held_out {
            0 => String::new(),
            1 => ": the one that is there is named by a support list".to_owned(),
            all => format!(": all {all} that are there are named by support lists"),
        },
        if *held_out > 0 { ", and what a list names is left out of the test set: take some out of the lists" } else { "" }
    )]
    OneClass {
        /// The entry.
        dataset: String,
        /// `normal` or `abnormal`.
        missing: &'static str,
        /// Where they were looked for.
        location: String,
        /// Images of the class that are not in the test set as lists name them.
        held_out: usize,
    },
    /// The decoder gave up.
    #[error("{}: not readable as an image: {source}; the file is damaged or cut short: fetch it again or remove it", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// The decoder's reason.
        source: image::ImageError,
    },
    /// Content in none of the formats that are read, whatever the file's name says.
    #[error(
        "{}: {}",
        path.display(),
        what.as_ref().map_or_else(
            || "by its content neither PNG, JPEG, BMP nor TIFF; convert it to one of these, or remove it".to_owned(),
            ToString::to_string
        )
    )]
    NoKnownFormat {
        /// The file.
        path: PathBuf,
        /// What it is instead, where that is known, and the way out.
        what: Option<Foreign>,
    },
    /// A folder without an image, full of files of another kind.
    #[error("[{dataset}]: {}: no image in this folder: {what}", folder.display())]
    OtherKinds {
        /// The entry.
        dataset: String,
        /// The folder.
        folder: PathBuf,
        /// What its files are, and the way out.
        what: String,
    },
    /// The coded pixels of a JPEG are damaged; a decoder would fill in grey.
    #[error("{}: the file is damaged: {what}; fetch it again or remove it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How it shows.
        what: &'static str,
    },
    /// A file of several pictures.
    #[error(
        "{}: {}; one image a file is read: save the wanted {of} as a file of its own",
        path.display(),
        if *aside { "its first page is a reduced copy of another".to_owned() } else { format!("has {pages} {of}s") }
    )]
    Pages {
        /// The file.
        path: PathBuf,
        /// How many it has.
        pages: u32,
        /// `page` or `frame`.
        of: &'static str,
        /// The first one is a reduced copy.
        aside: bool,
    },
    /// The file ends before its image does.
    #[error("{}: the file is cut short: {what}; fetch it again or remove it", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// How it shows.
        what: &'static str,
    },
    /// More pixels than are accepted. Nothing was allocated.
    #[error(
        "{}: {width} x {height} pixels; at most {} a side and {} in all are read: reduce the image",
        path.display(),
        crate::limits::MAX_SIDE,
        crate::limits::MAX_PIXELS
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
    /// Something of a known format that is not read.
    #[error("{}: {what}", path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// What, and what to do.
        what: String,
    },
    /// A mask of another size than its image.
    #[error(
        "{}: {mask_width} x {mask_height} pixels, but its image {} has {width} x {height}; {}",
        mask.display(),
        image.display(),
        if *turned {
            "as stored their sizes agree, but one is turned by its orientation tag: turn the pixels of both alike and \
             remove the tag"
        } else {
            "export the mask at the image's size"
        }
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
        /// The sizes agree but for an orientation tag.
        turned: bool,
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
    /// The mask of an abnormal image was asked for in a dataset without masks.
    #[error("{item}: has no mask (its dataset says `masks = false`)")]
    NoMask {
        /// The item.
        item: String,
    },
    /// An image side out of range.
    #[error("image size {0}: must be from 1 to {max}", max = crate::limits::MAX_SIDE)]
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
        "{}: lists {} for draw {draw}, {wanted} {} wanted ({}); correct the list or ask for {}",
        path.display(),
        count(*found as u64, &format!("{class} image")),
        if *wanted == 1 { "is" } else { "are" },
        of_shots(*wanted, *shots),
        if shots.k().is_some() { count(*found as u64, "shot") } else { format!("{found} {class}") }
    )]
    ListCount {
        /// The list.
        path: PathBuf,
        /// `normal` or `abnormal`.
        class: &'static str,
        /// The draw.
        draw: Draw,
        /// Images listed.
        found: usize,
        /// Images wanted.
        wanted: u32,
        /// Images of both classes that are wanted.
        shots: Shots,
    },
    /// A list that isn't there.
    #[error(
        "can't read the support list {}: there is no such file; {}; choose shots and draws that have a list, or write it",
        path.display(),
        some_of(there)
    )]
    MissingList {
        /// The list.
        path: PathBuf,
        /// Lists of the dataset that are there.
        there: Vec<String>,
    },
    /// No list that the images of one class of an unbalanced pair can be taken from.
    #[error(
        "{}: there is no such support list, and of shots {} the {class} images are those of the list of {}; write that \
         list, or choose numbers that lists have",
        path.display(),
        shots.explained(),
        count((*wanted).into(), "shot")
    )]
    NoList {
        /// The list.
        path: PathBuf,
        /// `normal` or `abnormal`.
        class: &'static str,
        /// Images of that class that are wanted.
        wanted: u32,
        /// Images of both classes that are wanted.
        shots: Shots,
    },
    /// A draw that the dataset does not have.
    #[error(
        "[{dataset}]: it has no draw `{draw}`; it has {}; choose one of them, or name the list's path in [{dataset}] of {}, as in \
         {}",
        has.join(", "),
        registry.display(),
        match draw.name() {
            Some(name) => format!("support_lists = {{ {name} = \"support/{{shots}}-shot.txt\" }}"),
            None => "support = \"support/{shots}-shot-draw{draw}.txt\"".to_owned(),
        }
    )]
    NoDraw {
        /// The entry.
        dataset: String,
        /// The draw.
        draw: Draw,
        /// Names that it has; `numbers` where it has draws by number.
        has: Vec<String>,
        /// The registry file.
        registry: PathBuf,
    },
    /// Not enough images to draw from.
    #[error(
        "[{dataset}]: {} {} wanted, {location} has {found}; ask for fewer shots or add images",
        count(*wanted as u64, &format!("{class} support image")),
        if *wanted == 1 { "is" } else { "are" }
    )]
    TooFewImages {
        /// The entry.
        dataset: String,
        /// `normal` or `abnormal`.
        class: &'static str,
        /// Where they come from.
        location: String,
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

/// What to do about a mask that is not where it must be.
fn advice_on_mask(expected: &Path, meant: &[PathBuf]) -> String {
    match meant {
        [] => {
            "add it (an image's mask must be exactly there), remove the image, or set `masks = false` for the dataset"
                .to_owned()
        }
        [one] => {
            let extension = |path: &Path| path.extension().map(|e| e.to_ascii_lowercase());
            let other = extension(one) != extension(expected);
            let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let why = if other {
                " (what a file is, is read from its content)"
            } else {
                by_form(&name(one), &name(expected))
            };
            format!("there is {}: rename it{why}", one.display())
        }
        several => {
            let names: Vec<_> = several.iter().take(3).map(|path| path.display().to_string()).collect();
            let more = if several.len() > 3 { ", ..." } else { "" };
            format!(
                "there are {} by their names: {}{more}; one mask of an image is read: unite them in that file",
                several.len(),
                names.join(", ")
            )
        }
    }
}

/// How many images of a class a list must have, by what was asked for.
fn of_shots(wanted: u32, shots: Shots) -> String {
    if shots.k().is_some() { count(wanted.into(), "shot") } else { format!("shots {}", shots.explained()) }
}

impl DataError {
    /// Whether the system refused to write, or has no room: nothing that was given is wrong.
    pub fn is_system(&self) -> bool {
        use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        let Self::Io { action, source, .. } = self else { return false };
        action.starts_with("write") || matches!(source.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
    }

    /// An [`DataError::Io`] maker for `map_err`.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

/// The lists that are there, as an error names them.
fn some_of(there: &[String]) -> String {
    const MOST: usize = 6;
    let named = there.iter().take(MOST).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match there.len() {
        0 => "no list fits the pattern".to_owned(),
        1..=MOST => format!("there is {named}"),
        all => format!("there are {all} others, such as {named}"),
    }
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, DataError>;
