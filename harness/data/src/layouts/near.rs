//! Files and folders that were probably meant where one of a certain name is missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use harness_config::suggest::nearest;

use crate::dataset::Dataset;
use crate::error::DataError;

/// What people call the folders of the layouts.
const ALSO: [(&str, &[&str]); 8] = [
    ("valid", &["train", "training", "val", "validation", "support"]),
    ("train", &["training", "valid", "val"]),
    ("test", &["testing", "eval"]),
    ("good", &["normal", "healthy", "negative"]),
    ("Ungood", &["bad", "abnormal", "anomaly", "defect", "positive"]),
    ("img", &["images", "image", "imgs"]),
    ("anomaly_mask", &["label", "labels", "mask", "masks", "ground_truth"]),
    ("ground_truth", &["groundtruth", "gt", "label", "labels", "mask", "masks", "anomaly_mask"]),
];

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

/// What to do about a missing folder below `root`, where a file or folder is there that may be meant: text to put
/// behind "no such folder".
pub(super) fn folder(root: &Path, missing: &Path) -> Option<String> {
    let below = missing.strip_prefix(root).ok()?;
    let mut parent = root.to_owned();
    for part in below.components() {
        let wanted = part.as_os_str().to_str()?;
        // Compared as written: a file system that does not tell case apart has the folder.
        if parent.join(wanted).exists() {
            parent.push(wanted);
            continue;
        }
        let folders = super::folder::subfolders(&parent).ok()?;
        let also = ALSO.iter().find(|(name, _)| *name == wanted).map_or(&[][..], |(_, also)| *also);
        let same = |name: &&String| name.eq_ignore_ascii_case(wanted);
        let meant = |name: &&String| also.iter().any(|other| name.eq_ignore_ascii_case(other));
        let of_another = |name: &str| ALSO.iter().any(|(known, _)| *known == name);
        let close = || nearest(wanted, folders.iter().map(String::as_str).filter(|name| !of_another(name)));
        let found = folders.iter().find(same).or_else(|| folders.iter().find(meant)).map(String::as_str);
        return match found.or_else(close) {
            Some(found) => Some(format!("; there is `{found}` in {}: rename it to `{wanted}`", parent.display())),
            // An archive's own folder between.
            None if parent == root => {
                let between = folders.iter().find(|name| root.join(name).join(wanted).is_dir())?;
                Some(format!("; it is in `{between}`: set `root` to {}", root.join(between).display()))
            }
            None => None,
        };
    }
    None
}

/// The problem of a folder without what a layout expects in it, images or masks; `exists`: whether it is there.
pub(super) fn empty(dataset: &Dataset, folder: &Path, exists: bool, holds: &'static str) -> DataError {
    let near = if exists { None } else { self::folder(dataset.folder(), folder) };
    let what = match (exists, near) {
        (true, _) => format!("no {} in this folder", holds.trim_end_matches('s')),
        (false, Some(near)) => format!("no such folder{near}"),
        (false, None) if holds == super::folder::MASKS => {
            "no such folder; add it, or set `masks = false` for the dataset".to_owned()
        }
        (false, None) => "no such folder".to_owned(),
    };
    let (dataset, folder, layout) = (dataset.name().to_owned(), folder.to_owned(), dataset.entry().layout.name());
    DataError::EmptyFolder { dataset, folder, what, layout, holds }
}

/// A file's name less what the names of an image and of its mask differ by: extension, case, separators, and `_mask`
/// and the like with a number or without.
pub(super) fn key(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let mut key = stem.to_lowercase().replace(['-', ' ', '.'], "_");
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
pub(super) struct Looked(BTreeMap<PathBuf, BTreeMap<String, Vec<String>>>);

impl Looked {
    /// The name of the file beside `missing`, an image or a mask, that may be meant by it: the only one with the same
    /// name but for case and extension, or for a mask with the same [`key`].
    pub(super) fn file(&mut self, missing: &Path, is_mask: bool) -> Option<&str> {
        let (folder, wanted) = (missing.parent()?, key(missing.file_name()?.to_str()?));
        let files = self.0.entry(folder.to_owned()).or_insert_with(|| {
            let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten().filter(|e| e.path().is_file()) {
                let name = entry.file_name().to_string_lossy().into_owned();
                if !super::folder::is_litter(&name) {
                    files.entry(key(&name)).or_default().push(name);
                }
            }
            files
        });
        let stem = |name: &str| name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_lowercase();
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
        assert_ne!(key("000.png"), key("001_mask.png"));
        assert_eq!(key("mask.png"), "mask");
    }
}
