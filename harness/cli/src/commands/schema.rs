//! `harness schema`.

use clap::{Args, ValueEnum};

use crate::exit::{Exit, Failure};
use crate::output::print;

/// Print the JSON schema of experiment files or of registries of datasets
///
/// Editors complete and check TOML by it: with an extension such as Even Better TOML, write `#:schema PATH` in the
/// first line of a file.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  harness schema experiment > experiment.schema.json")]
pub(crate) struct Schema {
    /// The kind of file
    file: File,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum File {
    /// An experiment
    Experiment,
    /// A registry of datasets, `datasets.toml`
    Datasets,
}

pub(super) fn schema(arguments: &Schema) -> Result<Exit, Failure> {
    let schema = match arguments.file {
        File::Experiment => harness_experiment::schema(),
        File::Datasets => harness_data::keys::schema(),
    };
    print(format!("{schema:#}\n"));
    Ok(Exit::Done)
}
