//! `harness compare`.

use std::path::PathBuf;

use clap::Args;
use harness_config::suggest::nearest;
use harness_experiment::{CellStatus, Filter, Plan};
use harness_metrics::Metric;
use harness_records::{CellRecords, Detail, Folder, Statuses};
use harness_report::Limit;
use harness_results::{SideBySide, Uncompared, compare_cells, compare_variants};
use harness_run::cell_by_id::find_cell;
use harness_text::{count, one_of};

use crate::exit::{Exit, Failure};
use crate::output::{print, print_sentence};
use crate::paths;

/// Compare two variants or two cells
///
/// Prints the difference of each metric, A minus B, with its 95 % interval and p by the paired bootstrap. Reads stored
/// resamples and computes no score. Variants are compared on the draws and seeds that both have; cells must have been
/// scored on the same test images.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Compare {
    /// Variant, or the beginning of a cell's id
    #[arg(value_name = "A")]
    one: String,
    /// What it is compared with
    #[arg(value_name = "B")]
    other: String,
    /// Results folder that has them [default: all in reports/]
    #[arg(long, visible_alias = "dir", value_name = "DIR")]
    results: Option<PathBuf>,
    /// Compare variants on the cells that match FILTER alone, such as "dataset=Brain shots=4"; keys are those of
    /// `harness run --only`
    #[arg(long, value_name = "FILTER")]
    only: Option<String>,
    /// Compare by all metrics, not by AUROC alone
    #[arg(long)]
    all: bool,
}

const EXAMPLES: &str = "\
Examples:
  harness compare contrastive base --results reports/example
  harness compare contrastive base --only \"dataset=Brain shots=4 selection=last\"
  harness compare 3f2a 90bc";

pub(super) fn compare(arguments: &Compare) -> Result<Exit, Failure> {
    let Compare { one, other, .. } = arguments;
    let metrics: &[Metric] = if arguments.all { &Metric::ALL } else { &[Metric::ImageAuroc, Metric::PixelAuroc] };
    let folders = match &arguments.results {
        Some(path) => vec![paths::results_folder(path)?.path().to_owned()],
        None => paths::results(),
    };
    if folders.is_empty() {
        return Err(Failure::input("there are no results in reports/; name a results folder with --results DIR"));
    }
    let mut plans = Vec::new();
    for path in &folders {
        let folder = Folder::new(path);
        match folder.read_plan() {
            Ok(plan) => plans.push((plan, folder)),
            Err(error) if arguments.results.is_some() => return Err(error.into()),
            Err(_) => {}
        }
    }
    let has = |plan: &Plan, name: &str| plan.variants.iter().any(|variant| variant.name == name);
    let both: Vec<&(Plan, Folder)> = plans.iter().filter(|(plan, _)| has(plan, one) && has(plan, other)).collect();
    match both.as_slice() {
        [(plan, folder)] => return variants(plan, folder, arguments, metrics),
        [] => {}
        several => {
            let names: Vec<String> = several.iter().map(|(_, folder)| folder.path().display().to_string()).collect();
            return Err(Failure::input(format!(
                "several results folders have the variants `{one}` and `{other}`; name one with --results: {}",
                one_of(&names)
            )));
        }
    }
    let known = |name: &str| plans.iter().any(|(plan, _)| has(plan, name));
    if known(one) || known(other) {
        let variants: Vec<&str> =
            plans.iter().flat_map(|(plan, _)| plan.variants.iter().map(|variant| variant.name.as_str())).collect();
        let wrong = if known(one) { other } else { one };
        let near = nearest(wrong, variants.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
        return Err(Failure::input(format!(
            "no results folder has both `{one}` and `{other}` as variants{} There are {}",
            near.unwrap_or_else(|| ".".to_owned()),
            variants.join(", ")
        )));
    }
    cells(&folders, arguments, metrics)
}

/// Two variants of one results folder.
fn variants(plan: &Plan, folder: &Folder, arguments: &Compare, metrics: &[Metric]) -> Result<Exit, Failure> {
    let Compare { one, other, only, .. } = arguments;
    let mut plan = plan.clone();
    if let Some(only) = only {
        let filter = Filter::parse(only, &plan)?;
        let statuses = Statuses::read(&plan, folder)?;
        let records = CellRecords::read(folder, plan.cells.iter(), Detail::Metrics);
        let status: Vec<CellStatus> = plan.cells.iter().map(|cell| statuses.of(cell, &records.cell(cell))).collect();
        let mut status = status.into_iter();
        plan.cells.retain(|cell| status.next().is_some_and(|status| filter.meets(cell, status)));
    }
    let found = compare_variants(&plan, folder, [one, other], metrics)?;
    if found.is_empty() {
        return Err(Failure::input(format!(
            "`{one}` and `{other}` have no finished cells in common in {}: the same dataset, K, draw, seed, backend and \
             selection",
            folder.path().display()
        )));
    }
    for together in found.chunk_by(|a, b| a.of == b.of) {
        let of = &together[0].of;
        let dataset = match (of.dataset.as_str(), of.trained_on.as_str()) {
            ("", _) => "mean over datasets".to_owned(),
            (dataset, source) if dataset != source => format!("{dataset}, trained on {source}"),
            (dataset, _) => dataset.to_owned(),
        };
        print_sentence(&format!(
            "{one} - {other}: {dataset}, K = {}, {}, {}, {} each",
            of.shots,
            of.selection,
            of.backend,
            count(together[0].count, "training")
        ));
        print(lines(together));
    }
    print_sentence(&note(&found));
    Ok(Exit::Done)
}

/// Two cells, by their ids.
fn cells(folders: &[PathBuf], arguments: &Compare, metrics: &[Metric]) -> Result<Exit, Failure> {
    if arguments.only.is_some() {
        return Err(Failure::input("--only is for variants; two cells are named by their ids"));
    }
    let (one, other) = (find_cell(folders, &arguments.one)?, find_cell(folders, &arguments.other)?);
    let choices = [&one, &other];
    let found = match compare_cells(choices.map(|choice| (&choice.folder, &choice.cell)), metrics)? {
        Ok(found) => found,
        Err(Uncompared::NotDone(which)) => {
            let choice = choices[which.min(1)];
            return Err(Failure::input(format!(
                "cell {} is not done; run the experiment in {} first",
                choice.id(),
                choice.folder.path().display()
            )));
        }
        Err(Uncompared::OtherImages) => {
            return Err(Failure::input(format!(
                "cells {} ({}) and {} ({}) were scored on other images or labels, so that their difference says nothing",
                one.id(),
                one.cell.dataset,
                other.id(),
                other.cell.dataset
            )));
        }
    };
    if found.is_empty() {
        return Err(Failure::input("the two cells have no resampled metric in common; see harness score --help"));
    }
    for (sign, choice) in ["A", "B"].into_iter().zip(choices) {
        let cell = &choice.cell;
        print_sentence(&format!(
            "{sign}: {} {}, {}, K = {}, draw {}, seed {}, {}, {}",
            cell.id, cell.variant, cell.dataset, cell.shots, cell.draw, cell.seed, cell.selection, cell.backend
        ));
    }
    print(lines(&found));
    print_sentence(&note(&found));
    Ok(Exit::Done)
}

/// A line a metric.
fn lines(rows: &[SideBySide]) -> String {
    let name = |row: &SideBySide| {
        let score = row.image_score.map(|score| format!(" ({score})")).unwrap_or_default();
        format!("{}{score}", row.metric.name())
    };
    let width = rows.iter().map(|row| name(row).len()).max().unwrap_or(0);
    let mut text = String::new();
    for row in rows {
        let ([one, other], [low, high]) = (row.values, row.interval);
        let p = if row.p < 0.001 { "< 0.001".to_owned() } else { format!("= {:.3}", row.p) };
        text += &format!(
            "  {:width$}  {one:.3} - {other:.3} = {:+.3} [{low:+.3}, {high:+.3}], p {p}\n",
            name(row),
            one - other
        );
    }
    text
}

/// What the numbers do not say.
fn note(rows: &[SideBySide]) -> String {
    let alone = if rows.iter().all(|row| row.count == 1) { Limit::Alone.sentence() } else { "" };
    format!("{alone} p is not corrected for several comparisons.").trim_start().to_owned()
}
