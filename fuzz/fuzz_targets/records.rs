//! Results folders: whatever a file of one holds, reading the folder ends in a result or in an error, never in a panic.
#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use harness_experiment::Plan;
use harness_fuzz::results;
use harness_method::ImageScore;
use harness_metrics::{Metric, Replicates};
use harness_records::{
    CellRecords, CellState, Detail, Folder, Grids, ReplicateIndex, Statuses, chosen_epochs, journal, metrics, state,
    state_file, state_metadata,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The first byte chooses the file, the second whether it is replaced or patched.
    let [number, kind, rest @ ..] = bytes else { return };
    let files = results::files();
    let name = &files[usize::from(*number) % files.len()];
    let whole = std::fs::read(results::original().join(name)).expect("a file of the repository");
    let file = results::copy().join(name);
    std::fs::write(&file, results::damaged(&whole, kind % 2 == 1, rest)).expect("the input");
    read(&Folder::new(results::copy()));
    std::fs::write(&file, whole).expect("the file as it was");
});

/// Reads all of a folder, as reports, resumes and predictions do.
fn read(folder: &Folder) {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    let plan = PLAN.get_or_init(|| Folder::new(results::original()).read_plan().expect("the plan as it was"));
    let _ = (folder.read_plan(), folder.read_provenance(), folder.check_before(plan, Path::new("small.toml")));
    let _ = journal::entries(&folder.journal());
    let statuses = Statuses::read(plan, folder);
    for detail in [Detail::Images, Detail::Replicates, Detail::Metrics] {
        let records = CellRecords::read(folder, plan.cells.iter(), detail);
        for cell in &plan.cells {
            let state = records.cell(cell);
            if let Ok(statuses) = &statuses {
                let _ = (statuses.of(cell, &state), statuses.failure(cell));
            }
            if let CellState::Done(result) = state {
                let _ = (result.first(), result.numbers());
            }
        }
    }
    for training in &plan.trainings {
        let (_, path) = (folder.read_training(training.id), state_file(&folder.training(training.id), 1));
        let initial = state::initial(training);
        let _ = (state::read(&path, &initial), state::check(&path), state_metadata::read(&path));
    }
    for evaluation in &plan.evaluations {
        let path = folder.evaluation(evaluation.id);
        let _ = (metrics::read(&path), chosen_epochs(folder, evaluation));
        replicates(&path);
        let Some(record) = folder.read_evaluation(evaluation.id).whole() else { continue };
        let Ok(Some(mut grids)) = Grids::open(&path, &record) else { continue };
        for epoch in 0..3 {
            let _ = grids.read(epoch).and_then(|slab| slab.maps(&record).map(|_| ()));
        }
    }
}

fn replicates(path: &std::path::Path) {
    let Some(index) = ReplicateIndex::open(path).whole() else { return };
    let Ok(mut file) = index.file() else { return };
    let labels = file.labels().expect("labels of a file whose length fits");
    let mut found = Replicates { value: 0.0, replicates: Vec::new(), pairing: 0 };
    for epoch in 0..3 {
        for score in ImageScore::ALL {
            let scores = file.scores(epoch, score).expect("scores of a file whose length fits");
            assert!(scores.is_none_or(|scores| scores.len() == labels.len()));
            for metric in Metric::ALL {
                for score in [None, Some(score)] {
                    file.replicates((epoch, score, metric), &mut found).expect("replicates that are listed");
                }
            }
        }
    }
}
