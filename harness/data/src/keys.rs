//! The keys of a dataset's table in `datasets.toml`, each declared once: the reader asks for them by these names, and a
//! test holds the table in `docs/experiments.md` against them.

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What may be written.
    pub values: &'static str,
    /// What holds without it.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

const fn key(name: &'static str, values: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key { name, values, default, meaning }
}

pub(crate) const LAYOUT: Key =
    key("layout", "`mvfa`, `mvtec`, `csv`, `phantom`", "required", "how files are arranged: below");
pub(crate) const ROOT: Key = key("root", "path", "required, except for `phantom`", "the dataset's folder");
pub(crate) const OBJECT: Key = key("object", "string", "required", "the name of the pictured object in sentences");
pub(crate) const MODALITY: Key = key("modality", "string", "required", "the imaging modality, for tables");
pub(crate) const MASKS: Key = key(
    "masks",
    "`true`, `false`",
    "required",
    "whether abnormal images have masks; without them there are image metrics alone",
);
pub(crate) const MASK_VALUES: Key = key(
    "mask_values",
    "`half`, `nonzero`",
    "`half`",
    "which values mark a lesion: those above half of full scale, or all but zero",
);
pub(crate) const SUPPORT: Key = key(
    "support",
    "path with `{shots}` and `{draw}`",
    "supports are drawn",
    "support lists: a path below the root, or an absolute one",
);
pub(crate) const SUPPORT_LISTS: Key = key(
    "support_lists",
    "table of names, each a path with `{shots}`",
    "none",
    "further lists, each a [draw by its name](#support_lists)",
);
pub(crate) const PATIENT: Key = key(
    "patient",
    "regular expression",
    "patients unknown",
    "finds the patient in an image's file name: the first group, or the whole match; images of one patient are \
     [resampled together](statistics.md)",
);
pub(crate) const CSV: Key = key("csv", "path", "`images.csv`", "layout `csv`: the table, below the root");
pub(crate) const PHANTOM: Key = key(
    "phantom",
    "table: `side`, `valid`, `test`, `seed`",
    "96, 32, 40, 0",
    "layout `phantom`: pixels a side, images of each class to draw supports from and to test, and which set",
);
pub(crate) const COUNTS: Key = key(
    "counts",
    "table: `valid_normal`, `valid_abnormal`, `test_normal`, `test_abnormal`, `test`",
    "none",
    "image counts that `harness datasets verify` checks",
);
pub(crate) const PUBLISHED_NAME: Key =
    key("published_name", "string", "none", "the dataset's name in published results");
pub(crate) const SOURCE: Key = key("source", "string", "none", "where the data comes from");
pub(crate) const LICENCE: Key = key("licence", "string", "none", "what may be done with it");

/// All keys, in the order of the documentation.
pub const KEYS: [Key; 15] = [
    LAYOUT,
    ROOT,
    OBJECT,
    MODALITY,
    MASKS,
    MASK_VALUES,
    SUPPORT,
    SUPPORT_LISTS,
    PATIENT,
    CSV,
    PHANTOM,
    COUNTS,
    PUBLISHED_NAME,
    SOURCE,
    LICENCE,
];
