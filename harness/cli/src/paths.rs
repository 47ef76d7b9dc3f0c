//! Where things are when the user does not say: registry, cache, results. The one place that looks at the working folder.

use std::path::{Path, PathBuf};

use crate::exit::Failure;

const REGISTRY: &str = "datasets.toml";

/// The registry: the one asked for, `datasets.toml` here, or the nearest one beside or above the experiment.
pub(crate) fn registry(asked: Option<&Path>, experiment: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(asked) = asked {
        return Ok(asked.to_owned());
    }
    let here = PathBuf::from(REGISTRY);
    if here.is_file() {
        return Ok(here);
    }
    let above = experiment.map(|file| std::path::absolute(file).unwrap_or_else(|_| file.to_owned()));
    let found = above.iter().flat_map(|file| file.ancestors().skip(1)).map(|folder| folder.join(REGISTRY));
    found.into_iter().find(|file| file.is_file()).ok_or_else(|| {
        let place = if experiment.is_some() { " or beside or above the experiment" } else { "" };
        Failure::input(format!("no {REGISTRY} here{place}; name a registry with --datasets FILE"))
    })
}

/// The cache folder.
pub(crate) fn cache(asked: Option<&Path>) -> Result<PathBuf, Failure> {
    match asked {
        Some(asked) => Ok(std::path::absolute(asked).unwrap_or_else(|_| asked.to_owned())),
        None => {
            let taps = harness_features::default_dir()?;
            Ok(taps.parent().map_or_else(|| taps.clone(), Path::to_owned))
        }
    }
}

/// The tap store in a cache folder.
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
