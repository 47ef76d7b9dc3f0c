//! Folders that were probably meant where one of a certain name is missing.

use std::path::Path;

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
