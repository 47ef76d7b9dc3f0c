//! `harness run`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use harness_experiment::{EncoderSource, Filter, Plan};
use harness_records::Folder;
use harness_results::collect;
use harness_run::{Extent, Finished, Limits, Notice, Observer, Options, Pace};
use harness_text::{count, duration, group};

use crate::exit::{Exit, Failure};
use crate::flags::{ExperimentFile, Surroundings, Threads};
use crate::json::JsonLines;
use crate::output::{insist, say};
use crate::progress::Progress;
use crate::world::{planned, write_report};
use crate::{interrupt, paths, summary};

/// Run an experiment, or continue it
///
/// Trains and scores every cell that is not done yet, then writes tables, figures and report.md. Needs the datasets and
/// weights that the experiment names; with --smoke it needs neither. Press Ctrl-C to stop; run the same command again
/// to continue.
///
/// A cell that crashed, went silent, ran out of memory or met a disk error is tried once more by a new worker. Wrong
/// input, NaN or infinite values, a backend's own errors and --cell-limit are not tried again. Run the command again to
/// retry what failed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Run {
    #[command(flatten)]
    file: ExperimentFile,
    #[command(flatten)]
    surroundings: Surroundings,
    /// Results folder [default: reports/<experiment>, with --smoke reports/<experiment>-smoke]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print JSON lines on standard output, and no progress
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    threads: Threads,
    /// Keep at most GB gigabytes of encoded images; images beyond that are encoded again each time they are needed
    #[arg(long, value_name = "GB", value_parser = gigabytes)]
    cache_budget: Option<f64>,
    /// Stop a worker that was silent for SECONDS, and try its job once more
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u64).range(1..))]
    silence: u64,
    /// Run only the cells that match FILTER, such as "variant=contrastive shots=4,8"
    ///
    /// A filter is a list of terms key=value[,value], separated by spaces; a cell must match all of them. Keys:
    /// variant, dataset (trained on), target (scored), shots, draw, seed, backend, selection, status (done, failed,
    /// not-run) and cell (the beginning of an id). A status may stand alone: "failed variant=contrastive shots=4,8".
    #[arg(long, value_name = "FILTER")]
    only: Option<String>,
    /// Delete the records of the cells that match FILTER, such as "failed", and run only those cells
    #[arg(long, value_name = "FILTER")]
    rerun: Option<String>,
    /// Stop cleanly once N cells have failed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_failures: Option<u32>,
    /// Fail a job (a training, or a pass over a test set) that takes longer than SECONDS
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    cell_limit: Option<u64>,
}

const EXAMPLES: &str = "\
Examples:
  harness run experiments/quickstart.toml
  harness run experiments/example.toml --smoke
  harness run experiments/example.toml --only \"variant=base seed=0\"
  harness run experiments/example.toml --rerun failed";

/// A positive number of gigabytes.
fn gigabytes(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("must be a number of gigabytes above 0, such as 50".to_owned()),
    }
}

pub(super) fn run(arguments: &Run) -> Result<Exit, Failure> {
    let begun = (Instant::now(), SystemTime::now());
    let Run { file, surroundings, .. } = arguments;
    let (plan, world) = planned(file, surroundings)?;
    let out = paths::out(arguments.out.as_deref(), &plan.name, file.smoke);
    let folder = Folder::new(&out);
    let cache = paths::cache(&surroundings.cache)?;
    // Encoded images of a smoke test are worthless: they don't belong among those that took hours.
    let apart = file.smoke && surroundings.cache.folder.is_none();
    let taps = if apart { paths::absolute(&out.join("taps")) } else { paths::taps(&cache) };
    let filter = |text: &Option<String>| text.as_deref().map(|text| Filter::parse(text, &plan)).transpose();
    let (only, rerun) = (filter(&arguments.only)?, filter(&arguments.rerun)?);
    let threads = arguments.threads.number();
    let pace = Pace::open(&paths::pace(&cache));
    interrupt::listen()?;
    let options = Options {
        command: this_command(&[]),
        experiment: file.experiment.clone(),
        taps,
        budget: arguments.cache_budget.map(|gigabytes| (gigabytes * 1e9) as u64),
        threads,
        pace: Some(&pace),
        limits: Limits {
            silence: Duration::from_secs(arguments.silence),
            job: arguments.cell_limit.map(Duration::from_secs),
            failures: arguments.max_failures.map(|most| most as usize),
        },
        only: only.as_ref(),
        rerun: rerun.as_ref(),
        free_space: &harness_run::free_space,
        go_on: &interrupt::go_on,
        verify: surroundings.hashing.verify,
    };
    let mut progress = (!arguments.json).then(Progress::new);
    let mut lines = JsonLines;
    let observer: &mut dyn Observer = match &mut progress {
        Some(progress) => progress,
        None => &mut lines,
    };
    let looked = world.look(&plan, Extent::All, options.go_on, &mut |name, files| {
        if !arguments.json {
            say(format!("[{name}]: looking at {} images that are not known yet", group(files as u64)));
        }
    });
    world.save_hashes()?;
    looked?;
    for warning in plan.warnings.iter().cloned().chain(world.warnings()) {
        observer.notice(&Notice::Warning(&warning));
    }
    for note in world.notes() {
        observer.notice(&Notice::Remark(&note));
    }
    // Held until the report is written: a run that waits for it would delete our half-written files as leftovers.
    let lock = harness_run::lock(&folder, observer, options.go_on)?;
    let finished = harness_run::run(&plan, &folder, &lock, &world, &options, observer)?;
    if let Some(progress) = &mut progress {
        progress.clear();
    }
    if !file.smoke {
        Pace::open(&paths::pace(&cache)).learn(&plan, &folder, options.threads, begun.1)?;
    }
    world.save_hashes()?;
    let results = collect(&plan, &folder, Some(world.registry()))?;
    for note in &results.notes {
        if arguments.json { lines.notice(&Notice::Warning(note)) } else { say(format!("note: {note}")) }
    }
    let overview = write_report(&results, folder.path())?;
    if arguments.json {
        JsonLines::finished(&finished, folder.path());
    } else {
        summary::show(&overview);
        conclude(&plan, &finished, arguments, &folder, begun.0.elapsed());
    }
    Ok(match finished {
        Finished { interrupted: true, .. } => Exit::Interrupted,
        Finished { failed: 0, .. } => Exit::Done,
        _ => Exit::CellsFailed,
    })
}

/// What came of the run, and what to do next.
fn conclude(plan: &Plan, finished: &Finished, arguments: &Run, folder: &Folder, took: Duration) {
    let Finished { failed, interrupted, given_up, .. } = finished;
    let out = folder.path();
    say(format!("\n{}", outcome(finished, took)));
    say(format!("Report: {}", out.join("report.md").display()));
    let mut why = format!("reasons are in {}", out.join("report.md").display());
    if has_logs(&out.join("logs")) {
        why += &format!(", logs in {}", out.join("logs").display());
    }
    if *interrupted {
        // With --rerun, what it made again would be deleted once more.
        insist(format!("Interrupted; continue with: {}", this_command(&["--rerun"])));
    } else if *given_up {
        insist(format!("Stopped because {} failed (--max-failures); {why}", count(*failed as u64, "cell")));
    } else if *failed > 0 {
        insist(format!("{}; to try them again: {}", sentence(&why), this_command(&[])));
    } else if arguments.file.smoke {
        // The folder is the smoke test's.
        say(format!("The smoke test passed. Next: {}", this_command(&["--smoke", "--out", "--rerun"])));
    } else if plan.smoke {
        say("This was a smoke test: everything runs here, but its numbers say nothing about the method.\n\
             Next, with real weights and data:\n  \
             1. inspect your CLIP weights: harness weights inspect FILE\n  \
             2. register your images in datasets.toml and check them: harness datasets verify NAME\n  \
             3. write an experiment like experiments/example.toml, then: harness plan FILE, harness run FILE\n\
             docs/start.md goes through it step by step.");
    } else if matches!(plan.encoder.source, EncoderSource::Synthetic { .. }) {
        insist("The encoder is synthetic and untrained: these numbers say nothing about the method with real weights.");
    }
}

/// Words as a sentence begins.
fn sentence(words: &str) -> String {
    let mut rest = words.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

/// Whether a worker that failed has printed anything.
fn has_logs(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| match entry.metadata() {
        Ok(file) if file.is_file() => file.len() > 0,
        Ok(_) => has_logs(&entry.path()),
        Err(_) => false,
    })
}

/// Cells by what became of them.
fn outcome(finished: &Finished, took: Duration) -> String {
    let Finished { done, failed, reused, interrupted, .. } = *finished;
    let cells = |number: usize| count(number as u64, "cell");
    let took = duration(took);
    match (done, reused, failed) {
        (0, 0, 0) if interrupted => format!("No cell was done in {took}."),
        (0, 0, 0) => "No cell matched, so nothing was done.".to_owned(),
        (0, 1, 0) => "The cell was already done.".to_owned(),
        (0, reused, 0) => format!("All {} were already done.", cells(reused)),
        (done, 0, 0) => format!("{} done in {took}.", cells(done)),
        (done, reused, 0) => format!("{} done in {took}; {reused} were already done.", cells(done)),
        (done, 0, failed) => format!("{} done, {failed} failed, in {took}.", cells(done)),
        (done, reused, failed) => {
            format!("{} done, {failed} failed, in {took}; {reused} were already done.", cells(done))
        }
    }
}

/// The command line as a shell would take it again, without some options.
fn this_command(without: &[&str]) -> String {
    command(std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()), without)
}

/// [`this_command`] of these arguments.
fn command(arguments: impl Iterator<Item = String>, without: &[&str]) -> String {
    let (mut words, mut is_value) = (vec!["harness".to_owned()], false);
    for argument in arguments {
        let option = argument.split_once('=').map_or(argument.as_str(), |(option, _)| option);
        if std::mem::take(&mut is_value) {
            continue;
        }
        if without.contains(&option) {
            is_value = option == argument && option != "--smoke";
        } else {
            words.push(quoted(&argument));
        }
    }
    words.join(" ")
}

/// A word of a shell's command line.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("--only"), "--only");
        assert_eq!(quoted("variant=base seed=0"), "'variant=base seed=0'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn advice_repeats_the_options_but_those_that_would_do_harm() {
        let typed = "run a.toml --rerun failed --out x --datasets my.toml --rerun=failed --smoke --cache c";
        let advice = |without: &[&str]| command(typed.split(' ').map(str::to_owned), without);
        assert_eq!(advice(&["--rerun"]), "harness run a.toml --out x --datasets my.toml --smoke --cache c");
        assert_eq!(advice(&["--smoke", "--out", "--rerun"]), "harness run a.toml --datasets my.toml --cache c");
    }

    #[test]
    fn the_last_line_says_what_became_of_every_cell() {
        let took = Duration::from_secs(282);
        let of = |done, reused, failed, interrupted| {
            outcome(&Finished { done, reused, failed, interrupted, ..Finished::default() }, took)
        };
        assert_eq!(of(9, 0, 0, false), "9 cells done in 4m 42s.");
        assert_eq!(of(0, 9, 0, false), "All 9 cells were already done.");
        assert_eq!(of(2, 7, 0, false), "2 cells done in 4m 42s; 7 were already done.");
        assert_eq!(of(1, 5, 3, false), "1 cell done, 3 failed, in 4m 42s; 5 were already done.");
        assert_eq!(of(0, 0, 0, false), "No cell matched, so nothing was done.");
        assert_eq!(of(0, 0, 0, true), "No cell was done in 4m 42s.");
    }
}
