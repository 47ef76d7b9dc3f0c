//! How far a results folder is, what is left, what nobody needs, and choosing one of its cells by a filter.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use common::Place;

/// All files below a folder, with their sizes and when they were changed.
fn files(folder: &Path) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.metadata().unwrap() {
            folder if folder.is_dir() => files.extend(self::files(&path)),
            file => {
                files.insert(path, (file.len(), file.modified().unwrap()));
            }
        }
    }
    files
}

/// Bytes of the files below a folder whose names end like this.
fn bytes(folder: &Path, ending: &str) -> u64 {
    let ends = |path: &Path| path.to_string_lossy().ends_with(ending);
    files(folder).iter().filter(|(path, _)| ends(path)).map(|(_, (bytes, _))| bytes).sum()
}

/// Two variants and two seeds, of which the first variant's are done.
fn half_done() -> Place {
    let place = Place::new();
    place.edit("seeds = [0]", "seeds = [0, 1]");
    place.edit("epochs = 2", "epochs = 2\n[variants.single]\nbranches = \"single\"");
    place.run(&["--only", "variant=base"]).expect(0);
    place
}

#[test]
fn a_folder_tells_what_is_done_and_left_and_a_plan_what_a_run_would_do() {
    let place = half_done();
    let before = files(&place.file("out"));
    let told = place.harness(&["status", "out"]).expect(0).out;
    for part in [
        "small, in out: 4 of 8 cells done, 4 not run",
        "last run began ",
        "; ended ",
        "base           4        0        0",
        "single         0        0        4",
        "left: 4 cells (2 models to train, 4 test sets to score)",
    ] {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&place.harness(&["status", "out", "--json"]).expect(0).out).unwrap();
    assert_eq!((&json["cells"]["done"], &json["left"]["trainings"]), (&4.into(), &2.into()));
    assert!(json["running"].is_null());
    assert_eq!(files(&place.file("out")), before, "a status writes nothing");

    let plan = ["plan", "small.toml", "--cache", "cache", "--out", "out"];
    let told = place.harness(&plan).expect(0).out;
    assert!(told.contains("in out: 4 of 8 cells done, 4 not run"), "{told}");
    assert!(told.contains("left         2 models to train, 4 test sets to score, about "), "{told}");
    place.run(&[]).expect(0);
    let told = place.harness(&plan).expect(0).out;
    assert!(told.ends_with("in out: all 8 cells done\n"), "{told}");
    assert!(place.harness(&["status", "out"]).expect(0).out.contains("all 8 cells done"));
}

#[test]
fn a_plan_counts_the_disk_that_grids_and_states_take() {
    let place = half_done();
    place.run(&[]).expect(0);
    let told = place.harness(&["plan", "small.toml", "--cache", "cache"]).expect(0).out;
    let line = told.lines().find(|line| line.starts_with("  results ")).unwrap();
    let (grids, states) =
        (bytes(&place.file("out/evaluations"), "grids.f32"), bytes(&place.file("out/trainings"), ".safetensors"));
    assert!(line.contains(&format!("{} of grids", harness_text::bytes(grids))), "{line}: {grids}");
    // Headers of the files come to a little; `best-on-test` may choose the last epoch, which is kept once.
    let counted = place.harness(&["plan", "small.toml", "--cache", "cache", "--toml"]).expect(0).out;
    let counted = harness_experiment::Plan::from_toml(&counted).unwrap().costs().state_bytes;
    assert!(states <= counted * 13 / 10 && counted <= 2 * states, "{counted} counted, {states} there");
}

#[test]
fn records_that_no_cell_needs_are_named_and_deleted_when_asked() {
    let place = half_done();
    place.harness(&["clean", "out"]).expect(0);
    place.edit("seeds = [0, 1]", "seeds = [0]");
    place.edit("epochs = 2", "epochs = 1");
    place.run(&["--only", "variant=base"]).expect(0);
    let records = |kind: &str| std::fs::read_dir(place.file("out").join(kind)).unwrap().count();
    // With one epoch both rules read one evaluation.
    assert_eq!((records("trainings"), records("evaluations")), (3, 5));
    let ended = place.harness(&["clean", "out"]).expect(0);
    ended.says(&["nothing was deleted", "harness clean out --yes"]);
    assert!(ended.out.contains("2 trainings and 4 evaluations that no cell of `small` needs"), "{}", ended.out);
    assert_eq!((records("trainings"), records("evaluations")), (3, 5));
    let told = place.harness(&["clean", "out", "--yes"]).expect(0).out;
    assert!(told.contains("deleted 2 trainings and 4 evaluations"), "{told}");
    assert_eq!((records("trainings"), records("evaluations")), (1, 1));
    // What the plan names is whole.
    assert_eq!(place.run(&["--only", "variant=base", "--json"]).expect(0).last_event()["reused"], 2);
    assert!(place.harness(&["clean", "out"]).expect(0).out.contains("every record in out is needed"));
}

#[test]
fn a_filter_chooses_the_cell_that_predicts_and_says_which_cells_it_is_about_where_there_are_several() {
    let place = half_done();
    image::RgbImage::from_pixel(32, 32, image::Rgb([90, 90, 90])).save(place.file("one.png")).unwrap();
    let predict = |filter: &str| place.harness(&["predict", "--only", filter, "--results", "out", "one.png"]);
    predict("variant=base seed=1 selection=last").expect(0).says(&["base, trained on Small, K 2, draw 0, seed 1"]);
    predict("variant=base seed=1").expect(2).says(&["2 cells match", "add terms until one is left", "best-on-test"]);
    predict("variant=bsae").expect(2).says(&["did you mean `base`"]);
    predict("variant=single failed").expect(2).says(&["no cell matches"]);
    predict("variant=single seed=0 selection=last").expect(2).says(&["is not done"]);
}
