//! Where files are when the user does not say: registry, cache, results. Only this module looks at the working folder.

use std::path::{Path, PathBuf};

use harness_records::Folder;

use crate::exit::Failure;
use crate::flags::CacheFolder;

const REGISTRY: &str = "datasets.toml";

/// Results folders are made and found here.
const REPORTS: &str = "reports";

/// The registry: the one asked for, `datasets.toml` here, or the nearest one beside or above the experiment.
pub(crate) fn registry(asked: Option<&Path>, experiment: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(asked) = asked {
        return Ok(asked.to_owned());
    }
    let here = PathBuf::from(REGISTRY);
    if here.is_file() {
        return Ok(here);
    }
    let above = experiment.map(absolute);
    let found = above.iter().flat_map(|file| file.ancestors().skip(1)).map(|folder| folder.join(REGISTRY));
    found.into_iter().find(|file| file.is_file()).ok_or_else(|| {
        let also = if experiment.is_some() { ", next to the experiment or in its parent folders" } else { "" };
        Failure::input(format!("there is no {REGISTRY} in this folder{also}; name a registry with --datasets FILE"))
    })
}

/// The cache folder.
pub(crate) fn cache(asked: &CacheFolder) -> Result<PathBuf, Failure> {
    match &asked.folder {
        Some(folder) => Ok(absolute(folder)),
        None => {
            let taps = harness_features::default_dir()?;
            Ok(taps.parent().map_or_else(|| taps.clone(), Path::to_owned))
        }
    }
}

/// The folder of encoded images in a cache folder.
pub(crate) fn taps(cache: &Path) -> PathBuf {
    cache.join("taps")
}

/// The file that remembers how fast this machine is, in a cache folder.
pub(crate) fn pace(cache: &Path) -> PathBuf {
    cache.join("pace.toml")
}

/// The file that remembers hashes in a cache folder.
pub(crate) fn hashes(cache: &Path) -> PathBuf {
    cache.join("file-hashes")
}

/// The results folder of an experiment: the one asked for, or the usual one.
pub(crate) fn out(asked: Option<&Path>, experiment: &str, smoke: bool) -> PathBuf {
    let suffix = if smoke { "-smoke" } else { "" };
    asked.map_or_else(|| Path::new(REPORTS).join(format!("{experiment}{suffix}")), Path::to_owned)
}

/// The results folders in `reports`, sorted.
pub(crate) fn results() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(REPORTS).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    folders.retain(|path| path.join("plan.toml").is_file());
    folders.sort();
    folders
}

/// The results folder that was named. What is an experiment, or the name of one, is answered with the folder that was
/// meant.
pub(crate) fn results_folder(path: &Path) -> Result<Folder, Failure> {
    if path.is_dir() {
        return Ok(Folder::new(path));
    }
    let usual = path.file_stem().map(|name| Path::new(REPORTS).join(name));
    let meant = match usual.filter(|usual| usual.join("plan.toml").is_file()) {
        Some(usual) => format!("; did you mean {}?", usual.display()),
        None => format!("; results of an experiment are in {REPORTS}/<its name>"),
    };
    let what = if path.is_file() { "this is a file, not a results folder" } else { "there is no such folder" };
    Err(Failure::input(format!("{}: {what}{meant}", path.display())))
}

/// The experiment file that was named. One that is not there is answered with the file that was meant, if one is.
pub(crate) fn experiment(path: &Path) -> Result<&Path, Failure> {
    if path.is_file() {
        return Ok(path);
    }
    let what = if path.is_dir() { "this is a folder, not an experiment file" } else { "there is no such file" };
    let name = path.file_name().map(Path::new).unwrap_or(path).with_extension("toml");
    let near = [path.with_extension("toml"), Path::new("experiments").join(&name), name];
    let meant = near.iter().find(|near| near.is_file());
    let meant = meant.map(|near| format!("; did you mean {}?", near.display())).unwrap_or_default();
    Err(Failure::input(format!("{}: {what}{meant}", path.display())))
}

/// A path that stays right in another working folder.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
