//! `harness examples`.

use std::path::PathBuf;

use clap::Args;
use harness_disk::write_durable;

use crate::exit::{Exit, Failure};
use crate::output::say;

/// Write the example experiments and a registry of datasets into a folder
///
/// They are those of the repository, for an installation without one. Files that are there already stay as they are.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  harness examples study\n  harness run study/experiments/quickstart.toml")]
pub(crate) struct Examples {
    /// Folder for the files; made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

macro_rules! files {
    ($($path:literal,)+) => {
        /// Paths in the repository, and what the files hold.
        const FILES: &[(&str, &str)] = &[$(($path, include_str!(concat!("../../../../", $path))),)+];
    };
}

files! {
    "datasets.toml",
    "docs/schema/datasets.json",
    "docs/schema/experiment.json",
    "experiments/ablation.toml",
    "experiments/backends.toml",
    "experiments/cross_dataset.toml",
    "experiments/example.toml",
    "experiments/few_shot.toml",
    "experiments/fidelity.toml",
    "experiments/methods.toml",
    "experiments/protocols.toml",
    "experiments/quickstart.toml",
}

pub(super) fn examples(arguments: &Examples) -> Result<Exit, Failure> {
    let folder = &arguments.folder;
    let refused = |error: std::io::Error| Failure {
        exit: Exit::System,
        message: format!("can't write the examples to {}: {error}", folder.display()),
    };
    for (path, text) in FILES {
        let file = folder.join(path);
        if file.symlink_metadata().is_ok() {
            let same = std::fs::read(&file).is_ok_and(|found| found == text.as_bytes());
            if !same {
                say(format!("{} is there already, with other contents; it was left as it is", file.display()));
            }
            continue;
        }
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent).map_err(refused)?;
        }
        write_durable(&file, text.as_bytes())
            .map_err(|error| Failure { exit: Exit::System, message: error.to_string() })?;
    }
    let quickstart = folder.join("experiments/quickstart.toml");
    say(format!("the examples are in {}; try one with: harness run {}", folder.display(), quickstart.display()));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_example_of_the_repository_is_in_the_program() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let listed: BTreeSet<&str> = FILES.iter().map(|(path, _)| *path).collect();
        for folder in ["experiments", "docs/schema"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let path = format!("{folder}/{}", entry.unwrap().file_name().display());
                assert!(listed.contains(path.as_str()), "add {path} to the list");
            }
        }
    }
}
