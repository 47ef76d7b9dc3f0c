//! `harness status`.

use clap::Args;
use harness_records::{Entry, journal};
use harness_run::{Counts, Standing, standing};
use harness_text::{count, date, group};
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::flags::ResultsFolder;
use crate::output::print;
use crate::paths::results_folder;

/// Show how far a results folder is
///
/// What is done, what failed and why, and what is left. It reads records and the journal, writes nothing, and can be
/// asked while a run is working on the folder.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  harness status reports/example\n  harness status reports/example --json")]
pub(crate) struct Status {
    #[command(flatten)]
    results: ResultsFolder,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Cells that are named for each reason of a failure.
const NAMED: usize = 5;

pub(super) fn status(arguments: &Status) -> Result<Exit, Failure> {
    let folder = results_folder(&arguments.results.folder)?;
    let plan = folder.read_plan()?;
    let standing = standing(&plan, &folder)?;
    let holder = folder.in_use();
    let last = last_run(&journal::entries(&folder.journal())?.known, holder.as_deref());
    if arguments.json {
        print(format!("{}\n", as_json(&plan.name, &standing, holder.as_deref(), last.as_deref())));
        return Ok(Exit::Done);
    }
    print(format!("{}, in {}: {}\n", plan.name, folder.path().display(), words(standing.cells)));
    if let Some(last) = last {
        print(format!("{last}\n"));
    }
    print(format!("\n{}", by_variant(&standing)));
    if standing.cells.all() > standing.cells.done {
        print(format!(
            "\nleft: {} ({} to train, {} to score)\n",
            count((standing.cells.failed + standing.cells.not_run) as u64, "cell"),
            count(standing.trainings as u64, "model"),
            count(standing.left.evaluations.len() as u64, "test set"),
        ));
    }
    print(reasons(&standing));
    Ok(Exit::Done)
}

/// Cells by what became of them, in words.
pub(super) fn words(counts: Counts) -> String {
    let Counts { done, failed, not_run } = counts;
    let all = count(counts.all() as u64, "cell");
    if done == counts.all() {
        return format!("all {all} done");
    }
    let number = |number: usize| group(number as u64);
    let failed = if failed > 0 { format!(", {} failed", number(failed)) } else { String::new() };
    let not_run = if not_run > 0 { format!(", {} not run", number(not_run)) } else { String::new() };
    format!("{} of {all} done{failed}{not_run}", number(done))
}

/// When the folder was last run, and how that ended.
fn last_run(entries: &[Entry], holder: Option<&str>) -> Option<String> {
    let begun = entries.iter().rposition(|entry| matches!(entry, Entry::Run { .. }))?;
    let Some(Entry::Run { at, .. }) = entries.get(begun) else { return None };
    let ended = entries[begun..].iter().find_map(|entry| match entry {
        Entry::Ended { at, interrupted, given_up } => Some((*at, *interrupted, *given_up)),
        _ => None,
    });
    let how = match (ended, holder) {
        (_, Some("")) => "it is running now".to_owned(),
        (_, Some(holder)) => format!("it is running now ({holder})"),
        (Some((at, true, _)), None) => format!("interrupted {}", date(at)),
        (Some((at, _, true)), None) => format!("stopped {} because too many cells failed (--max-failures)", date(at)),
        (Some((at, ..)), None) => format!("ended {}", date(at)),
        (None, None) => "it was killed, or is running where its lock can't be seen".to_owned(),
    };
    Some(format!("last run began {}; {how}", date(*at)))
}

/// A line for each variant.
fn by_variant(standing: &Standing<'_>) -> String {
    let name = |(name, _): &(&str, Counts)| name.chars().count();
    let width = standing.variants.iter().map(name).max().unwrap_or(0).max("variant".len());
    let mut text = format!("{:width$}  {:>7}  {:>7}  {:>7}\n", "variant", "done", "failed", "not run");
    for (name, Counts { done, failed, not_run }) in &standing.variants {
        text += &format!("{name:width$}  {done:>7}  {failed:>7}  {not_run:>7}\n");
    }
    text
}

/// Why cells failed: a reason, and the first cells that it stopped.
fn reasons(standing: &Standing<'_>) -> String {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for (cell, why) in &standing.failed {
        let named = format!(
            "{} {}, {}, K {}, draw {}, seed {}, {}",
            cell.id, cell.variant, cell.dataset, cell.shots, cell.draw, cell.seed, cell.selection
        );
        match reasons.iter_mut().find(|(known, _)| known == why) {
            Some((_, cells)) => cells.push(named),
            None => reasons.push((why, vec![named])),
        }
    }
    let mut text = String::new();
    for (why, cells) in reasons {
        text += &format!("\n{} failed: {why}\n", count(cells.len() as u64, "cell"));
        for cell in cells.iter().take(NAMED) {
            text += &format!("  {cell}\n");
        }
        if cells.len() > NAMED {
            text += &format!("  and {} more\n", group((cells.len() - NAMED) as u64));
        }
    }
    text
}

fn as_json(experiment: &str, standing: &Standing<'_>, holder: Option<&str>, last: Option<&str>) -> Value {
    let counts = |counts: &Counts| json!({ "done": counts.done, "failed": counts.failed, "not_run": counts.not_run });
    let variants = standing.variants.iter().map(|(name, of)| json!({ "variant": name, "cells": counts(of) }));
    let failed = standing.failed.iter().map(|(cell, why)| json!({ "cell": cell, "why": why }));
    json!({
        "experiment": experiment,
        "cells": counts(&standing.cells),
        "variants": variants.collect::<Vec<_>>(),
        "failed": failed.collect::<Vec<_>>(),
        "left": { "trainings": standing.trainings, "evaluations": standing.left.evaluations.len() },
        "running": holder,
        "last_run": last,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_counted_in_words() {
        let counts = |done, failed, not_run| words(Counts { done, failed, not_run });
        assert_eq!(counts(9, 0, 0), "all 9 cells done");
        assert_eq!(counts(1, 0, 0), "all 1 cell done");
        assert_eq!(counts(3, 2, 4), "3 of 9 cells done, 2 failed, 4 not run");
        assert_eq!(counts(0, 0, 2000), "0 of 2,000 cells done, 2,000 not run");
    }

    #[test]
    fn the_last_run_is_told_with_its_end() {
        let run = |at| Entry::Run { format: 1, at, harness: String::new(), cells: 1, reused: 0 };
        let ended = |at, interrupted| Entry::Ended { at, interrupted, given_up: false };
        let end = |entries: &[Entry], holder| last_run(entries, holder).unwrap_or_default();
        assert_eq!(last_run(&[], None), None);
        assert!(end(&[run(0), ended(1, false)], None).contains("; ended 1970-01-01 00:00"), "ended");
        assert!(end(&[run(0), ended(1, true)], None).contains("; interrupted"), "interrupted");
        assert!(end(&[run(0), ended(1, false), run(2)], None).contains("; it was killed"), "killed");
        assert!(end(&[run(0), ended(1, false), run(2)], Some("process 7 host")).contains("now (process 7 host)"));
    }
}
