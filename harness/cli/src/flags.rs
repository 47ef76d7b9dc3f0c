//! Flags that several commands share. The rest of a command's flags are declared beside the command.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::output::warn;

/// Where backends are found besides the usual folders.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct BackendFolders {
    /// Also look for backends in DIR, before HARNESS_BACKENDS, the user's folder and the program's folder; may be
    /// repeated
    #[arg(long = "backend-dir", value_name = "DIR")]
    pub(crate) folders: Vec<PathBuf>,
}

/// The dataset registry of commands that read an experiment or nothing.
#[derive(Clone, Debug, Args)]
pub(crate) struct RegistryFile {
    /// Dataset registry [default: datasets.toml in this folder, then next to the experiment, then in its parent
    /// folders]
    #[arg(long, value_name = "FILE")]
    pub(crate) datasets: Option<PathBuf>,
}

/// The dataset registry of commands that read a results folder.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunRegistry {
    /// Dataset registry [default: the one that the run used]
    #[arg(long, value_name = "FILE")]
    pub(crate) datasets: Option<PathBuf>,
}

/// The cache folder.
#[derive(Clone, Debug, Args)]
pub(crate) struct CacheFolder {
    /// Folder for encoded images and file hashes [default: the user's cache folder]
    #[arg(id = "cache", long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}

/// How files are hashed.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Hashing {
    /// Re-read every file instead of trusting cached hashes
    #[arg(long)]
    pub(crate) verify: bool,
}

/// CPU threads.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Threads {
    /// CPU threads of a worker, at most 4 times as many as the machine has [default: as many as it has]
    #[arg(long = "threads", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    number: Option<u32>,
}

/// Threads for each of the machine's. More are no faster, and thousands take its memory.
const THREADS_EACH: usize = 4;

impl Threads {
    /// The number asked for, or the largest that is used, with a warning.
    pub(crate) fn number(self) -> Option<usize> {
        let asked = self.number? as usize;
        let here = std::thread::available_parallelism().map_or(1, usize::from);
        let most = THREADS_EACH * here;
        if asked > most {
            warn(format!(
                "--threads {asked}: this machine has {here}, and at most {THREADS_EACH} times that are used: {most}"
            ));
        }
        Some(asked.min(most))
    }
}

/// An experiment, as it is or small.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExperimentFile {
    /// Experiment file
    #[arg(value_name = "EXPERIMENT.toml")]
    pub(crate) experiment: PathBuf,
    /// Use a small version of the experiment (generated images, an untrained encoder, two epochs) to see that
    /// everything runs
    #[arg(long)]
    pub(crate) smoke: bool,
}

/// A results folder.
#[derive(Clone, Debug, Args)]
pub(crate) struct ResultsFolder {
    /// Results folder, such as reports/example
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

/// What an experiment's names stand for: datasets, files, backends.
#[derive(Clone, Debug, Args)]
pub(crate) struct Surroundings {
    #[command(flatten)]
    pub(crate) registry: RegistryFile,
    #[command(flatten)]
    pub(crate) cache: CacheFolder,
    #[command(flatten)]
    pub(crate) hashing: Hashing,
    /// Allow support images that are also test images (marked in every row of the results)
    #[arg(long)]
    pub(crate) allow_overlap: bool,
    #[command(flatten)]
    pub(crate) backends: BackendFolders,
}

/// Reads one of several values by name: a mistyped one is answered with the nearest and with all of them.
pub(crate) fn one_of<T, const N: usize>(all: [T; N], name: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    PossibleValuesParser::new(all.map(name))
        .try_map(move |typed| all.into_iter().find(|value| name(*value) == typed).ok_or("unknown value"))
}
