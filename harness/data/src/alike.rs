//! Files by names that are nearly those that were looked for, and files that nobody means.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

/// Endings of the names of masks, which images' names don't have.
const MASK_ENDINGS: [&str; 16] = [
    "_mask",
    "_masks",
    "_segmentation",
    "_seg",
    "_gt",
    "_groundtruth",
    "_ground_truth",
    "_label",
    "_labels",
    "_lesion",
    "_anno",
    "_annotation",
    "_anomaly",
    "_roi",
    "_manual1",
    "_bm",
];

/// Whether a file or folder is hidden, or left behind by systems, archives and file servers.
pub fn is_litter(name: &str) -> bool {
    const LITTER: [&str; 12] = [
        "Thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "Icon\r",
        "__MACOSX",
        "@eaDir",
        "#recycle",
        "@Recycle",
        "$RECYCLE.BIN",
        "System Volume Information",
        "lost+found",
        "__pycache__",
    ];
    name.starts_with('.') || LITTER.iter().any(|litter| litter.eq_ignore_ascii_case(name))
}

/// A name with letters and their accents in one, as most systems write them.
pub(crate) fn composed(name: &str) -> String {
    name.nfc().collect()
}

/// What to say behind a name that can't be told by eye from the one that was looked for.
pub(crate) fn by_form(found: &str, wanted: &str) -> &'static str {
    if found != wanted && composed(found) == composed(wanted) {
        " (its accents are stored in another Unicode form, as macOS does)"
    } else {
        ""
    }
}

/// A file's name less what the names of an image and of its mask differ by: extension, case, separators, and `_mask`
/// and the like with a number or without.
pub(crate) fn key(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let mut key = composed(stem).to_lowercase().replace(['-', ' ', '.'], "_");
    loop {
        let unnumbered = key.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_');
        let shorter = [key.as_str(), unnumbered].into_iter().find_map(|key| {
            let without = |ending: &&str| key.strip_suffix(ending).filter(|rest| !rest.is_empty());
            MASK_ENDINGS.iter().find_map(without)
        });
        match shorter.or_else(|| key.strip_prefix("mask_")).map(str::to_owned) {
            Some(shorter) => key = shorter,
            None => return key,
        }
    }
}

/// Folders that were looked into for files that may be meant.
#[derive(Default)]
pub(crate) struct Looked(BTreeMap<PathBuf, BTreeMap<String, Vec<String>>>);

impl Looked {
    /// The name of the file beside `missing`, an image or a mask, that may be meant by it: the only one with the same
    /// name but for case and extension, or for a mask with the same [`key`].
    pub(crate) fn file(&mut self, missing: &Path, is_mask: bool) -> Option<&str> {
        let (folder, wanted) = (missing.parent()?, key(missing.file_name()?.to_str()?));
        let files = self.0.entry(folder.to_owned()).or_insert_with(|| {
            let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten().filter(|e| e.path().is_file()) {
                let name = entry.file_name().to_string_lossy().into_owned();
                if !is_litter(&name) {
                    files.entry(key(&name)).or_default().push(name);
                }
            }
            files
        });
        let stem = |name: &str| composed(name.rsplit_once('.').map_or(name, |(stem, _)| stem)).to_lowercase();
        let typed = stem(missing.file_name()?.to_str()?);
        let (same, other): (Vec<&String>, Vec<&String>) =
            files.get(&wanted)?.iter().partition(|name| stem(name) == typed);
        match (same.as_slice(), other.as_slice()) {
            ([one], _) => Some(one),
            ([], [one]) if is_mask => Some(one),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_mask_and_its_image_have_one_key() {
        for mask in [
            "ISIC_01.png",
            "isic_01.JPG",
            "ISIC-01_segmentation.png",
            "ISIC_01_Mask.png",
            "ISIC_01_mask_1.png",
            "ISIC 01.bm.png",
            "ISIC_01_GT.tif",
            "mask_ISIC_01.png",
            "ISIC_01_seg_mask.png",
        ] {
            assert_eq!(key(mask), "isic_01", "{mask}");
        }
        assert_eq!(key("benign (315)_mask_1.png"), key("benign (315).png"));
        assert_eq!(key("pie\u{301}.png"), key("pi\u{e9}.png"));
        assert_ne!(key("000.png"), key("001_mask.png"));
        assert_eq!(key("mask.png"), "mask");
    }
}
