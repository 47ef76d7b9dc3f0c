//! `harness run`.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use harness_experiment::{EncoderSource, Filter, Plan};
use harness_records::Folder;
use harness_results::collect;
use harness_run::{Finished, Limits, Notice, Observer, Options, Pace};

use super::{planned, print, say, write_results};
use crate::arguments::Run;
use crate::exit::{Exit, Failure};
use crate::lines::Lines;
use crate::paths;
use crate::terminal::Terminal;

/// Set by the first signal; the second ends the process.
pub(super) static INTERRUPTED: AtomicBool = AtomicBool::new(false);

pub(super) fn run(arguments: &Run) -> Result<Exit, Failure> {
    let (plan, world) = planned(&arguments.experiment, arguments.smoke, &arguments.places)?;
    let suffix = if arguments.smoke { "-smoke" } else { "" };
    let usual = || Path::new("reports").join(format!("{}{suffix}", plan.name));
    let out = arguments.out.clone().unwrap_or_else(usual);
    let folder = Folder::new(&out);
    let cache = paths::cache(arguments.places.cache.as_deref())?;
    // Taps that say nothing don't belong among those that took hours.
    let taps = match arguments.smoke && arguments.places.cache.is_none() {
        true => std::path::absolute(out.join("taps")).unwrap_or_else(|_| out.join("taps")),
        false => paths::taps(&cache),
    };
    let budget = match arguments.cache_budget {
        Some(gigabytes) if !(gigabytes.is_finite() && gigabytes > 0.0) => {
            return Err(Failure::input(format!("--cache-budget {gigabytes} is no positive number of gigabytes")));
        }
        gigabytes => gigabytes.map(|gigabytes| (gigabytes * 1e9) as u64),
    };
    let filter = |text: &Option<String>| text.as_deref().map(|text| Filter::parse(text, &plan)).transpose();
    let (only, rerun) = (filter(&arguments.only)?, filter(&arguments.rerun)?);
    listen()?;
    let options = Options {
        experiment: arguments.experiment.clone(),
        taps,
        budget,
        threads: arguments.threads.map(usize::from),
        limits: Limits {
            silence: Duration::from_secs(arguments.silence),
            job: arguments.cell_limit.map(Duration::from_secs),
            failures: arguments.max_failures.map(|most| most as usize),
        },
        only: only.as_ref(),
        rerun: rerun.as_ref(),
        free_space: &harness_run::free_space,
        go_on: &|| !INTERRUPTED.load(Ordering::Relaxed),
    };
    let mut terminal = Terminal::new();
    let mut lines = Lines;
    let observer: &mut dyn Observer = if arguments.json { &mut lines } else { &mut terminal };
    for warning in world.warnings() {
        observer.notice(&Notice::Warning(&warning));
    }
    let begun = SystemTime::now();
    // Held until the report is written: who waits for it would take our half-written files for leftovers.
    let lock = harness_run::lock(&folder, observer, options.go_on)?;
    let finished = harness_run::run(&plan, &folder, &lock, &world, &options, observer)?;
    terminal.clear();
    if !arguments.smoke {
        Pace::open(&paths::pace(&cache)).learn(&plan, &folder, options.threads, begun)?;
    }
    world.save_hashes()?;
    let results = collect(&plan, &folder, Some(world.registry()))?;
    for note in &results.notes {
        if arguments.json { lines.notice(&Notice::Warning(note)) } else { terminal.line(&format!("note: {note}")) }
    }
    let table = write_results(&results, folder.path())?;
    if arguments.json {
        Lines::finished(&finished, folder.path());
    } else {
        print(format!("\n{table}\n"));
        conclude(&plan, &finished, arguments, &folder);
    }
    Ok(match finished {
        Finished { interrupted: true, .. } => Exit::Interrupted,
        Finished { failed: 0, .. } => Exit::Done,
        _ => Exit::CellsFailed,
    })
}

/// What a person should know at the end, and do next.
fn conclude(plan: &Plan, finished: &Finished, arguments: &Run, folder: &Folder) {
    let Finished { done, failed, reused, interrupted, given_up } = finished;
    let out = folder.path().display();
    say(format!("{done} cells done, {reused} reused, {failed} failed; tables, figures and report.md are in {out}"));
    if *interrupted {
        let smoke = if arguments.smoke { " --smoke" } else { "" };
        say(format!("interrupted; go on with: harness run {}{smoke}", arguments.experiment.display()));
    } else if *given_up {
        say(format!(
            "ended since {failed} cells failed (--max-failures); why is in {out}/report.md, logs are in {out}/logs"
        ));
    } else if *failed > 0 {
        say(format!("why cells failed is in {out}/report.md, logs are in {out}/logs; run again to try them again"));
    } else if plan.smoke {
        say(
            "This was a smoke test: it shows that everything runs here, and its numbers say nothing about the method.\n\
             Next, with real weights and data:\n  \
             1. put CLIP weights somewhere and look at them: harness weights inspect ViT-L-14-336px.pt\n  \
             2. register your images in datasets.toml and check them: harness datasets verify NAME\n  \
             3. write an experiment like experiments/example.toml, look at its plan, then run it: harness plan FILE, \
             harness run FILE",
        );
    } else if matches!(plan.encoder.source, EncoderSource::Synthetic { .. }) {
        say("The encoder is synthetic and untrained: these numbers say nothing about the method with real weights.");
    }
}

/// Ctrl-C and termination signals end a run in a clean state; a second one ends it at once.
pub(super) fn listen() -> Result<(), Failure> {
    let handler = || {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted as i32);
        }
        say("\nending in a clean state; once more to end at once");
    };
    ctrlc::set_handler(handler)
        .map_err(|error| Failure { exit: Exit::System, message: format!("can't listen for Ctrl-C: {error}") })
}
