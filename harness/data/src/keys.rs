//! The keys of a dataset's table in `datasets.toml`, declared once for the reader, the documents and the schema.

use harness_config::schema::{self, Schema};
use harness_config::{Describe, Key, section};

use crate::layout::Layout;
use crate::mask::MaskValues;
use crate::phantom::PhantomSpec;

section! {
    /// The plain keys.
    struct EntrySpec {
        /// How files are arranged
        layout: Layout {
            required: "\"mvfa\"",
        }
        /// The dataset's folder
        root: String {
            values: "path",
            otherwise: "required, except for `phantom`",
        }
        /// The name of the pictured object in sentences
        object: String {
            required: "\"Brain\"",
        }
        /// The imaging modality, for tables
        modality: String {
            required: "\"brain MRI\"",
        }
        /// Whether abnormal images have masks; without them there are image metrics alone
        masks: bool {
            required: "true",
        }
        /// Which values mark a lesion: those above half of full scale, or all but zero
        mask_values: MaskValues {
            default: MaskValues::default(),
        }
        /// Support lists: a path below the root, or an absolute one
        support: String {
            values: "path with `{shots}` and `{draw}`",
            otherwise: "supports are drawn",
        }
        /// Finds the patient in an image's file name: the first group, or the whole match; images of one patient are
        /// [resampled together](statistics.md)
        patient: String {
            values: "regular expression",
            otherwise: "patients unknown",
        }
        /// Layout `csv`: the table, below the root
        csv: String {
            values: "path",
            default: "images.csv".to_owned(),
        }
        /// The dataset's name in published results
        published_name: String {
            otherwise: "none",
        }
        /// Where the data comes from
        source: String {
            otherwise: "none",
        }
        /// What may be done with it
        licence: String {
            otherwise: "none",
        }
    }
}

section! {
    /// The keys of a `phantom` table.
    struct PhantomKeys {
        /// Pixels a side, 32 to 1024
        side: usize {
            default: PhantomSpec::default().side,
        }
        /// Images of each class to draw supports from
        valid: usize {
            default: PhantomSpec::default().valid,
        }
        /// Images of each class to test
        test: usize {
            default: PhantomSpec::default().test,
        }
        /// Which set
        seed: u64 {
            default: PhantomSpec::default().seed,
        }
    }
}

section! {
    /// Image counts that the dataset's publication states; each is checked where it is given.
    struct CountKeys {
        /// Normal images to draw supports from
        valid_normal: usize {
            otherwise: "not checked",
        }
        /// Abnormal images to draw supports from
        valid_abnormal: usize {
            otherwise: "not checked",
        }
        /// Normal test images
        test_normal: usize {
            otherwise: "not checked",
        }
        /// Abnormal test images
        test_abnormal: usize {
            otherwise: "not checked",
        }
        /// Test images of both classes
        test: usize {
            otherwise: "not checked",
        }
    }
}

/// Lists that have names.
pub(crate) const SUPPORT_LISTS: &str = "support_lists";
/// What is generated.
pub(crate) const PHANTOM: &str = "phantom";
/// What the publication counts.
pub(crate) const COUNTS: &str = "counts";

/// All keys of a dataset, in the order of the documentation: plain ones, then tables.
pub fn keys() -> Vec<Key> {
    let mut keys = EntrySpec::keys();
    let phantom = PhantomKeys::keys();
    let defaults = phantom.iter().map(|key| key.default.trim_matches('`')).collect::<Vec<_>>().join(", ");
    keys.push(Key {
        values: "table of names, each a path with `{shots}`".to_owned(),
        default: "none".to_owned(),
        ..Key::new(
            SUPPORT_LISTS,
            "Further lists, each a [draw by its name](#support_lists)",
            schema::map(String::schema()),
        )
    });
    keys.push(Key::table(
        PHANTOM,
        &phantom,
        defaults,
        "Layout `phantom`: pixels a side, images of each class to draw supports from and to test, and which set",
    ));
    keys.push(Key::table(
        COUNTS,
        &CountKeys::keys(),
        "none".to_owned(),
        "Image counts that `harness datasets verify` checks",
    ));
    keys
}

/// A JSON schema of registries of datasets.
pub fn schema() -> Schema {
    schema::document("A registry of datasets of harness", schema::map(Key::schema_of(&keys())))
}
