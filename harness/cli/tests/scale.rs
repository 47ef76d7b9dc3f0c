//! How long a plan, a report and a restart take with a thousand, ten thousand and a hundred thousand cells, which
//! should be linear in them. Made from a few real records, linked under the ids of a plan as large as it is asked for.
//! Slow to make, so it is not run by itself:
//!
//! ```text
//! CELLS=1000,10000,100000 cargo test --release --test scale -- --ignored --nocapture
//! ```
//!
//! `CELLS` is a list of 1,000, 10,000 and 100,000; all of them without it. It wants a machine without other work.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::print_stdout, reason = "what it measured")]

mod common;

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::Place;
use harness_experiment::Plan;
use harness_records::{EvaluationRecord, Folder, TrainingRecord};

const REGISTRY: &str = r#"
[First]
layout = "phantom"
object = "Brain"
modality = "generated"
masks = true
phantom = { side = 32, valid = 60, test = 20, seed = 1 }

[Second]
layout = "phantom"
object = "Brain"
modality = "generated"
masks = true
phantom = { side = 32, valid = 60, test = 20, seed = 2 }
"#;

/// Ten variants with the base.
const VARIANTS: &str = r#"
[variants.contrastive]
loss = "contrastive"
[variants.fixed]
prompts = "fixed"
[variants.free]
prompts = "free"
[variants.single]
branches = "single"
[variants.normal]
branches = "normal"
[variants.abnormal]
branches = "abnormal"
[variants.plain]
dual_objective = false
[variants.conv]
adapter = "conv"
[variants.max]
aggregation = "max"

[train]"#;

/// What a command took.
struct Took {
    secs: f64,
    /// Seconds of all processors.
    processor: f64,
    mebibytes: u64,
}

impl Took {
    fn print(&self, what: &str) {
        println!("{what}: {:.2} s, {:.2} s of processors, {} MiB", self.secs, self.processor, self.mebibytes);
    }
}

/// Cells that can be asked for, with the draws and seeds that come to them.
const SIZES: [(usize, u32, u32); 3] = [(1000, 5, 1), (10_000, 10, 5), (100_000, 10, 50)];

#[test]
#[ignore = "makes up to 100,000 cells and measures; needs many minutes and a quiet machine"]
fn plan_report_and_restart_are_linear_in_cells() {
    let asked = std::env::var("CELLS").unwrap_or_else(|_| "1000,10000,100000".to_owned());
    let asked: Vec<usize> = asked.split(',').map(|cells| cells.trim().parse().unwrap()).collect();
    for (cells, draws, seeds) in SIZES.into_iter().filter(|(cells, ..)| asked.contains(cells)) {
        let [plan, report, restart] = times(cells, draws, seeds);
        println!("{cells} cells");
        plan.print("  plan, hashes cached");
        report.print("  report");
        restart.print("  restart with nothing to do, and report");
        if cells == 10_000 {
            assert!(plan.secs < 2.0 && report.secs < 5.0 && report.mebibytes < 1024);
        }
    }
}

/// What `plan`, `report` and `run` of a complete folder take.
fn times(cells: usize, draws: u32, seeds: u32) -> [Took; 3] {
    let place = Place::new();
    place.write("datasets.toml", REGISTRY);
    place.edit("datasets = [\"Small\"]", "datasets = [\"First\", \"Second\"]");
    // A few real records.
    place.edit("draws = [0]", "draws = [0, 1]");
    place.edit("seeds = [0]", "seeds = [0, 1]");
    place.run(&[]).expect(0);
    // The plan of many.
    let list = |count: u32| (0..count).map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
    place.edit("shots = [2]", "shots = [1, 2, 4, 8, 16]");
    place.edit("draws = [0, 1]", &format!("draws = [{}]", list(draws)));
    place.edit("seeds = [0, 1]", &format!("seeds = [{}]", list(seeds)));
    place.edit("[train]", VARIANTS);
    let arguments = ["plan", "small.toml", "--cache", "cache"];
    measured(&place, &arguments);
    let plan = measured(&place, &arguments);
    let text = place.harness(&["plan", "small.toml", "--cache", "cache", "--toml"]).expect(0).out;
    fill(&place, &text, cells);
    // The first writes figures and tables and warms the system's memory of files.
    measured(&place, &["report", "many"]);
    let report = measured(&place, &["report", "many"]);
    let restart = measured(&place, &["run", "small.toml", "--cache", "cache", "--out", "many"]);
    [plan, report, restart]
}

/// Makes the results folder `many` of a plan from the records of the small one in `out`.
fn fill(place: &Place, text: &str, cells: usize) {
    let plan = Plan::from_toml(text).unwrap();
    assert_eq!(plan.cells.len(), cells);
    let (from, to) = (Folder::new(place.file("out")), Folder::new(place.file("many")));
    let small = from.read_plan().unwrap();
    std::fs::create_dir_all(to.path()).unwrap();
    std::fs::write(to.path().join("plan.toml"), text).unwrap();
    std::fs::copy(from.path().join("run.toml"), to.path().join("run.toml")).unwrap();
    let template = from.read_training(small.trainings[0].id).whole().unwrap();
    let curve = from.training(small.trainings[0].id).join("curve.parquet");
    for training in &plan.trainings {
        let folder = to.training(training.id);
        std::fs::create_dir_all(&folder).unwrap();
        let record = TrainingRecord { training: training.clone(), ..template.clone() };
        std::fs::write(folder.join("training.toml"), toml::to_string(&record).unwrap()).unwrap();
        std::fs::hard_link(&curve, folder.join("curve.parquet")).unwrap();
    }
    // Templates of the same images and epochs.
    let mut templates: HashMap<_, Vec<(EvaluationRecord, PathBuf)>> = HashMap::new();
    for evaluation in &small.evaluations {
        let record = from.read_evaluation(evaluation.id).whole().unwrap();
        templates
            .entry((evaluation.test, evaluation.epochs))
            .or_default()
            .push((record, from.evaluation(evaluation.id)));
    }
    for (i, evaluation) in plan.evaluations.iter().enumerate() {
        let templates = &templates[&(evaluation.test, evaluation.epochs)];
        let (record, source) = &templates[i % templates.len()];
        let folder = to.evaluation(evaluation.id);
        std::fs::create_dir_all(&folder).unwrap();
        let record = EvaluationRecord { evaluation: evaluation.clone(), ..record.clone() };
        std::fs::write(folder.join("evaluation.toml"), toml::to_string(&record).unwrap()).unwrap();
        for name in ["scores.parquet", "grids.f32", "metrics.json", "replicates.bin"] {
            // Links: what is read of them is in memory either way, and copies of so many would fill the disk.
            std::fs::hard_link(source.join(name), folder.join(name)).unwrap();
        }
    }
}

/// Runs a command to its end and looks at its memory meanwhile.
fn measured(place: &Place, arguments: &[&str]) -> Took {
    let begun = Instant::now();
    let mut child = place.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let place = PathBuf::from(format!("/proc/{}", child.id()));
    let (mut kibibytes, mut ticks) = (0, 0);
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        let text = std::fs::read_to_string(place.join("status")).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        kibibytes = kibibytes.max(peak.unwrap_or(0));
        // After the name in brackets, the 12th and 13th fields are user and system time in hundredths of a second.
        let text = std::fs::read_to_string(place.join("stat")).unwrap_or_default();
        let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        ticks = ticks.max(fields.filter_map(|field| field.parse::<u64>().ok()).sum());
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(ended.success(), "{arguments:?}");
    Took { secs: begun.elapsed().as_secs_f64(), processor: ticks as f64 / 100.0, mebibytes: kibibytes / 1024 }
}
