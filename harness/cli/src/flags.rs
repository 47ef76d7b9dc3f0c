//! The command line as typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use harness_experiment::Precision;

use crate::exit::{Exit, Failure};

/// Declarative benchmarks for few-shot medical anomaly detection.
#[derive(Debug, Parser)]
#[command(name = "harness", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 a check found something; 2 arguments, experiment, registry, data or weights are wrong; \
3 some cells failed; 4 the system refused (folder, disk, memory); 5 a fault of the program or a backend; 130 interrupted.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run an experiment, or go on with it: what is done already is not done again
    Run(Run),
    /// Print what an experiment comes to: options, cells, costs
    Plan(Plan),
    /// Tell where a cell's numbers come from: what decided its id, what it read and cost, what happened to it
    Explain(Explain),
    /// Write tables, figures and report of a results folder anew
    Report(Report),
    /// Compute every metric of a results folder anew from stored predictions, then write its report
    Score(Score),
    /// Score images with the state of a cell or of a file, and write heat maps
    Predict(Predict),
    /// Look at registered datasets
    #[command(subcommand)]
    Datasets(Datasets),
    /// Look at weights
    #[command(subcommand)]
    Weights(Weights),
    /// Look at backends
    #[command(subcommand)]
    Backends(Backends),
    /// Measure encoding, training, scoring and metrics alone, in turns across backends
    Bench(Bench),
    /// Look at the store of encoded images
    #[command(subcommand)]
    Cache(Cache),
    /// Tell what this machine has and what is missing
    Doctor(Doctor),
    /// Serve a run as its worker
    #[command(hide = true)]
    Worker(BackendFolders),
}

/// Where backends are found besides the usual places.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct BackendFolders {
    /// A folder with backends, besides HARNESS_BACKENDS, the user's folder and the program's own; may be repeated
    #[arg(long = "backend-dir", value_name = "DIR")]
    pub(crate) folders: Vec<PathBuf>,
}

/// Where datasets and stored taps are.
#[derive(Clone, Debug, Args)]
pub(crate) struct Places {
    /// Registry of datasets [default: datasets.toml here, else beside or above the experiment]
    #[arg(long, value_name = "FILE")]
    pub(crate) datasets: Option<PathBuf>,
    /// Folder for encoded images and file hashes [default: the user's cache folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Believe no remembered hash of a file: read each again
    #[arg(long)]
    pub(crate) verify: bool,
    /// Take support sets that overlap the test set; every row of the results says so
    #[arg(long)]
    pub(crate) allow_overlap: bool,
    #[command(flatten)]
    pub(crate) backends: BackendFolders,
}

#[derive(Debug, Args)]
#[command(after_help = RUN_HELP)]
pub(crate) struct Run {
    /// Experiment file
    #[arg(value_name = "EXPERIMENT.toml")]
    pub(crate) experiment: PathBuf,
    /// Take the experiment small: generated images, an untrained encoder, two epochs; it shows that everything runs
    #[arg(long)]
    pub(crate) smoke: bool,
    #[command(flatten)]
    pub(crate) places: Places,
    /// Results folder [default: reports/<experiment>, with --smoke reports/<experiment>-smoke]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print JSON lines on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// CPU threads of a worker [default: the machine's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// Most gigabytes of encoded images to keep; past them images are encoded again each time they are needed
    #[arg(long, value_name = "GB")]
    pub(crate) cache_budget: Option<f64>,
    /// Seconds of a worker's silence after which it is taken to hang
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) silence: u64,
    /// Run only the cells that meet FILTER, such as "variant=contrastive shots=4,8"
    #[arg(long, value_name = "FILTER", long_help = FILTER_HELP)]
    pub(crate) only: Option<String>,
    /// Take away the records of the cells that meet FILTER, such as "failed", and run them again, and no others
    #[arg(long, value_name = "FILTER")]
    pub(crate) rerun: Option<String>,
    /// End the run, in a clean state, once so many cells have failed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_failures: Option<u32>,
    /// Most seconds of one job, a training or a pass over a test set; past them it fails with class time-limit
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) cell_limit: Option<u64>,
}

const FILTER_HELP: &str = "\
Run only the cells that meet FILTER: terms key=value[,value] that stand apart, all of which must hold. Keys: variant, dataset \
(trained on), target (scored), shots, draw, seed, backend, selection, status (done, failed, not-run) and cell (the beginning of \
an id). A status may stand by itself. Example: \"failed variant=contrastive shots=4,8\".";

const RUN_HELP: &str = "\
What fails is tried once more in the same run, by a new worker, where that may help: when the worker crashed, stalled, ran out of \
memory or met a disk's refusal. Wrong input, numbers that are none, a backend's own errors and --cell-limit are not tried again. \
The same command later tries everything again that failed.";

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Experiment file
    #[arg(value_name = "EXPERIMENT.toml")]
    pub(crate) experiment: PathBuf,
    /// Take the experiment small, as `run --smoke` would
    #[arg(long)]
    pub(crate) smoke: bool,
    #[command(flatten)]
    pub(crate) places: Places,
    /// CPU threads of a worker, for the estimate of time [default: the machine's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// Print every cell
    #[arg(long)]
    pub(crate) cells: bool,
    /// Print the frozen plan as TOML
    #[arg(long, conflicts_with = "cells")]
    pub(crate) toml: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Id of a cell, or the beginning of one
    pub(crate) cell: String,
    /// Results folder [default: the one below reports/ that has the cell]
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// List every test image too
    #[arg(long)]
    pub(crate) files: bool,
    /// Registry of datasets [default: the one of the run]
    #[arg(long, value_name = "FILE")]
    pub(crate) datasets: Option<PathBuf>,
    /// Folder of remembered file hashes [default: the user's cache folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Results folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Registry of datasets, for pictures [default: the one of the run]
    #[arg(long, value_name = "FILE")]
    pub(crate) datasets: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Score {
    /// Results folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Registry of datasets, for labels and masks [default: the one of the run]
    #[arg(long, value_name = "FILE")]
    pub(crate) datasets: Option<PathBuf>,
    /// Folder for file hashes [default: the user's cache folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Believe no remembered hash of a file: read each again
    #[arg(long)]
    pub(crate) verify: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// Images, and folders of them
    #[arg(value_name = "IMAGE", required_unless_present = "test")]
    pub(crate) images: Vec<PathBuf>,
    /// Cell whose state predicts: its id, or the beginning of it
    #[arg(long, value_name = "ID", required_unless_present = "state")]
    pub(crate) cell: Option<String>,
    /// Results folder that has the cell [default: each in reports/]
    #[arg(long, value_name = "DIR", requires = "cell")]
    pub(crate) results: Option<PathBuf>,
    /// The score whose epoch predicts, where a cell reports two epochs [default: the cell's first]
    #[arg(long, value_name = "SCORE", requires = "cell", value_parser = ["map-max", "detection"])]
    pub(crate) image_score: Option<String>,
    /// File of a state, or a checkpoint of MadCLIP's authors
    #[arg(long, value_name = "FILE", conflicts_with = "cell")]
    pub(crate) state: Option<PathBuf>,
    /// Weights of the encoder [default: where the experiment has them]
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// Experiment whose model a state file is of, where it doesn't say that itself
    #[arg(long, value_name = "EXPERIMENT.toml", requires = "state")]
    pub(crate) experiment: Option<PathBuf>,
    /// Variant of the experiment [default: its only one]
    #[arg(long, value_name = "NAME", requires = "experiment")]
    pub(crate) variant: Option<String>,
    /// Dataset of the experiment that the state was trained on [default: its only one]
    #[arg(long, value_name = "NAME", requires = "experiment")]
    pub(crate) dataset: Option<String>,
    /// Score a test set of the experiment instead of images, and compute metrics
    #[arg(long, requires = "experiment", conflicts_with_all = ["images", "cell"])]
    pub(crate) test: bool,
    /// Whose test set is scored [default: that of the dataset it was trained on]
    #[arg(long, value_name = "NAME", requires = "test")]
    pub(crate) target: Option<String>,
    /// Backend that computes [default: the one that trained, or the experiment's first]
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: Option<String>,
    /// Folder for scores, maps and pictures [default: predictions/<id>]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// CPU threads of the worker [default: the machine's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    #[command(flatten)]
    pub(crate) places: Places,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Datasets {
    /// Print the registry with what is found of it
    List {
        /// Registry of datasets
        #[arg(long, value_name = "FILE")]
        datasets: Option<PathBuf>,
    },
    /// Read every file of datasets and tell what is wrong
    Verify {
        /// Names; all that are there without any
        names: Vec<String>,
        /// Registry of datasets
        #[arg(long, value_name = "FILE")]
        datasets: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Weights {
    /// Tell what a file of weights is and whether it can be used
    Inspect {
        /// File, folder or index of shards
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Backends {
    /// Print the backends that are found and what they can do
    List {
        #[command(flatten)]
        folders: BackendFolders,
    },
    /// Compare a backend with golden cases, quantity by quantity
    Check {
        /// Name of the backend
        name: String,
        /// Folder whose sub-folders are golden cases
        #[arg(long, value_name = "DIR")]
        golden: PathBuf,
        #[command(flatten)]
        folders: BackendFolders,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Backends, the first of which others are compared with [default: all that have a device]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) backends: Vec<String>,
    /// Sizes of the model: vit-b16, vit-s14, vit-l14 or tiny; weights and images are synthetic
    #[arg(long, value_name = "NAME", default_value = "vit-s14")]
    pub(crate) arch: String,
    /// Parts to measure: encode, step, score, metrics [default: all]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) parts: Vec<String>,
    /// What the image tower computes in
    #[arg(long, value_name = "TYPE", default_value = "f32", value_parser = precision)]
    pub(crate) precision: Precision,
    /// Images of a batch
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) batch: u16,
    /// CPU threads of each backend [default: the machine's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// Rounds; one more warms up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rounds: u16,
    /// Another program to measure in the same turns, such as "python3 scripts/compare-pytorch.py"
    #[arg(long, value_name = "COMMAND")]
    pub(crate) against: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) folders: BackendFolders,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    /// Print what is stored
    List {
        /// Cache folder
        #[arg(long, value_name = "DIR")]
        cache: Option<PathBuf>,
    },
    /// Remove what is stored
    Clear {
        /// Cache folder
        #[arg(long, value_name = "DIR")]
        cache: Option<PathBuf>,
        /// Only what was not used for so many days
        #[arg(long, value_name = "DAYS")]
        older_than: Option<u64>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Registry of datasets
    #[arg(long, value_name = "FILE")]
    pub(crate) datasets: Option<PathBuf>,
    /// Cache folder
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) backends: BackendFolders,
}

fn precision(name: &str) -> Result<Precision, String> {
    let known = || Precision::ALL.map(Precision::name).join(", ");
    Precision::ALL.into_iter().find(|precision| precision.name() == name).ok_or_else(|| format!("there is {}", known()))
}

/// Reads the process's arguments. Help and version are printed here.
pub(crate) fn parse() -> Result<Arguments, Failure> {
    Arguments::try_parse().map_err(|error| {
        let _ = error.print();
        let exit = if error.use_stderr() { Exit::Input } else { Exit::Done };
        Failure { exit, message: String::new() }
    })
}
