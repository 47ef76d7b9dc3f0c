//! The commands: each module has a command's flags and what it does.

mod backends;
mod bench;
mod cache;
mod check;
mod clean;
mod compare;
mod completions;
mod datasets;
mod doctor;
mod examples;
mod explain;
mod man;
mod plan;
mod predict;
mod report;
mod run;
mod schema;
mod score;
mod status;
mod weights;
mod worker;

use clap::Subcommand;

use crate::exit::{Exit, Failure};
use crate::flags::BackendFolders;

/// What the program is asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::Run),
    Plan(plan::Plan),
    Status(status::Status),
    Explain(explain::Explain),
    Compare(compare::Compare),
    Report(report::Report),
    Score(score::Score),
    Predict(predict::Predict),
    #[command(subcommand)]
    Datasets(datasets::Datasets),
    #[command(subcommand)]
    Weights(weights::Weights),
    #[command(subcommand)]
    Backends(backends::Backends),
    Bench(bench::Bench),
    #[command(subcommand)]
    Cache(cache::Cache),
    Clean(clean::Clean),
    Doctor(doctor::Doctor),
    Examples(examples::Examples),
    Completions(completions::Completions),
    Man(man::Man),
    Schema(schema::Schema),
    /// Serve a run as its worker
    #[command(hide = true)]
    Worker(BackendFolders),
}

/// Does what was asked for.
pub(crate) fn perform(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Run(arguments) => run::run(arguments),
        Command::Plan(arguments) => plan::plan(arguments),
        Command::Status(arguments) => status::status(arguments),
        Command::Explain(arguments) => explain::explain(arguments),
        Command::Compare(arguments) => compare::compare(arguments),
        Command::Report(arguments) => report::report(arguments),
        Command::Score(arguments) => score::score(arguments),
        Command::Predict(arguments) => predict::predict(arguments),
        Command::Datasets(arguments) => datasets::datasets(arguments),
        Command::Weights(arguments) => weights::weights(arguments),
        Command::Backends(arguments) => backends::backends(arguments),
        Command::Bench(arguments) => bench::bench(arguments),
        Command::Cache(arguments) => cache::cache(arguments),
        Command::Clean(arguments) => clean::clean(arguments),
        Command::Examples(arguments) => examples::examples(arguments),
        Command::Doctor(arguments) => doctor::doctor(arguments),
        Command::Completions(arguments) => completions::completions(arguments),
        Command::Man(arguments) => man::man(arguments),
        Command::Schema(arguments) => schema::schema(arguments),
        Command::Worker(folders) => worker::serve(folders),
    }
}
