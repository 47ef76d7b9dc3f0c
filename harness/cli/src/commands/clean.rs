//! `harness clean`.

use clap::Args;
use harness_records::RecordKind;
use harness_run::clean;
use harness_text::{bytes, count};

use crate::exit::{Exit, Failure};
use crate::flags::ResultsFolder;
use crate::interrupt;
use crate::output::{print, say};
use crate::paths::results_folder;
use crate::progress::Progress;

/// Delete records that no cell of a results folder needs
///
/// An edited experiment leaves records of cells that it no longer has; they come back if the old settings do. Without
/// --yes it says what it would delete. Encoded images are not in a results folder: see `harness cache`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  harness clean reports/example\n  harness clean reports/example --yes")]
pub(crate) struct Clean {
    #[command(flatten)]
    results: ResultsFolder,
    /// Delete them
    #[arg(long)]
    yes: bool,
}

pub(super) fn clean(arguments: &Clean) -> Result<Exit, Failure> {
    let folder = results_folder(&arguments.results.folder)?;
    let plan = folder.read_plan()?;
    interrupt::listen()?;
    // A run that goes on meanwhile may be about to name other records.
    let lock = harness_run::lock(&folder, &mut Progress::new(), &interrupt::go_on)?;
    let records = clean::unneeded(&plan, &folder)?;
    if records.is_empty() {
        print(format!("every record in {} is needed\n", folder.path().display()));
        return Ok(Exit::Done);
    }
    let of = |kind: RecordKind| records.iter().filter(|unneeded| unneeded.record.kind() == kind).count() as u64;
    let what = format!(
        "{} and {} that no cell of `{}` needs, {}",
        count(of(RecordKind::Training), "training"),
        count(of(RecordKind::Evaluation), "evaluation"),
        plan.name,
        bytes(records.iter().map(|unneeded| unneeded.bytes).sum())
    );
    if arguments.yes {
        clean::remove(&folder, &lock, &records)?;
        print(format!("deleted {what}\n"));
    } else {
        print(format!("{what}\n"));
        for unneeded in &records {
            print(format!("  {}  {}\n", folder.record(unneeded.record).display(), bytes(unneeded.bytes)));
        }
        say(format!("nothing was deleted; to delete them: harness clean {} --yes", folder.path().display()));
    }
    Ok(Exit::Done)
}
