//! Ten thousand cells: how long a plan, a report and a restart take. Made from a few real records, copied under the ids of a
//! plan that is as large as the largest study. Slow to make, so it is asked for:
//!
//! ```text
//! cargo test --release --test scale -- --ignored --nocapture
//! ```
//!
//! It needs 5 GB below the folder for temporary files, and a machine without other work.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::print_stdout, reason = "what it measured")]

mod common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
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
phantom = { side = 32, valid = 16, test = 20, seed = 1 }

[Second]
layout = "phantom"
object = "Brain"
modality = "generated"
masks = true
phantom = { side = 32, valid = 16, test = 20, seed = 2 }
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

#[test]
#[ignore = "makes 10,000 cells and measures; needs minutes, 5 GB and a quiet machine"]
fn a_plan_and_a_report_of_ten_thousand_cells_are_quick() {
    let place = Place::new();
    place.write("datasets.toml", REGISTRY);
    place.edit("datasets = [\"Small\"]", "datasets = [\"First\", \"Second\"]");
    // A few real records.
    place.edit("draws = [0]", "draws = [0, 1]");
    place.edit("seeds = [0]", "seeds = [0, 1]");
    place.run(&[]).expect(0);
    // The plan of many.
    place.edit("shots = [2]", "shots = [1, 2, 4, 8, 16]");
    place.edit("draws = [0, 1]", "draws = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]");
    place.edit("seeds = [0, 1]", "seeds = [0, 1, 2, 3, 4]");
    place.edit("[train]", VARIANTS);
    let arguments = ["plan", "small.toml", "--cache", "cache"];
    measured(&place, &arguments);
    let plan = measured(&place, &arguments);
    plan.print("plan, hashes cached");

    let text = place.harness(&["plan", "small.toml", "--cache", "cache", "--toml"]).expect(0).out;
    fill(&place, &text);
    // The first writes figures and tables anew and warms the system's memory of files.
    measured(&place, &["report", "many"]);
    let report = measured(&place, &["report", "many"]);
    report.print("report");
    let restart = measured(&place, &["run", "small.toml", "--cache", "cache", "--out", "many"]);
    restart.print("restart with nothing to do, and report");
    assert!(plan.secs < 2.0 && report.secs < 5.0 && report.mebibytes < 1024);
}

/// Makes the results folder `many` of a plan from the records of the small one in `out`.
fn fill(place: &Place, text: &str) {
    let plan = Plan::from_toml(text).unwrap();
    assert_eq!(plan.cells.len(), 10_000);
    let (from, to) = (Folder::new(place.file("out")), Folder::new(place.file("many")));
    let small = from.read_plan().unwrap();
    std::fs::create_dir_all(to.path()).unwrap();
    std::fs::write(to.path().join("plan.toml"), text).unwrap();
    std::fs::copy(from.path().join("run.toml"), to.path().join("run.toml")).unwrap();
    let template = from.read_training(small.trainings[0].id).unwrap().unwrap();
    let curve = from.training(small.trainings[0].id).join("curve.parquet");
    for training in &plan.trainings {
        let folder = to.training(training.id);
        std::fs::create_dir_all(&folder).unwrap();
        let record = TrainingRecord { training: training.clone(), ..template.clone() };
        std::fs::write(folder.join("training.toml"), toml::to_string(&record).unwrap()).unwrap();
        std::fs::copy(&curve, folder.join("curve.parquet")).unwrap();
    }
    // Templates of the same images and epochs.
    let mut templates: HashMap<_, Vec<(EvaluationRecord, PathBuf)>> = HashMap::new();
    for evaluation in &small.evaluations {
        let record = from.read_evaluation(evaluation.id).unwrap().unwrap();
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
            copy(&source.join(name), &folder.join(name));
        }
    }
}

/// A copy with blocks of its own, as records have.
fn copy(from: &Path, to: &Path) {
    std::fs::write(to, std::fs::read(from).unwrap()).unwrap();
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
