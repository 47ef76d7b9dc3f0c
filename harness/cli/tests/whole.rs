//! Records that were damaged are noticed and made again, and nothing else; results are not replaced by those of a
//! copied experiment file.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::Path;

use common::Place;
use common::outcome::{outcome, same};

/// Records that were completed so far.
fn completed(place: &Place) -> usize {
    let text = std::fs::read_to_string(place.file("out/journal.jsonl")).unwrap();
    text.lines().filter(|line| line.contains("\"event\":\"completed\"")).count()
}

fn cut(path: &Path) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}

#[test]
fn what_is_missing_or_cut_is_made_again_and_readers_say_what_to_do() {
    let place = Place::new();
    place.run(&[]).expect(0);
    let reference = outcome(&place.file("out"));
    let row = &place.results()[0];
    let (cell, dataset) = (row.get("cell").to_owned(), place.file("datasets.toml"));
    let training = place.file("out/trainings").join(row.get("training"));
    let evaluation = place.file("out/evaluations").join(row.get("evaluation"));
    let heals = |records: usize, parts: &[&str]| {
        let before = completed(&place);
        place.run(&[]).expect(0).says(&[&["can't be used; ", "removed and"], parts].concat());
        same(&reference, &outcome(&place.file("out")), parts[0]);
        assert_eq!(completed(&place) - before, records, "{parts:?}");
        // Sizes and hashes of what was made again are those that are listed.
        assert!(place.run(&["--verify"]).expect(0).err.contains("already done"));
    };

    std::fs::remove_file(training.join("states/0001.safetensors")).unwrap();
    std::fs::create_dir(place.file("images")).unwrap();
    image::GrayImage::new(32, 32).save(place.file("images/a.png")).unwrap();
    let predict = ["predict", "--cell", &cell, "--results", "out", "--cache", "cache", "images"];
    place.harness(&predict).expect(2).says(&["0001.safetensors", "harness run"]);
    heals(1, &["0001.safetensors: it is missing"]);

    std::fs::write(evaluation.join("metrics.json"), "").unwrap();
    place.harness(&["report", "out"]).expect(0);
    let message = place.results()[0].get("message").to_owned();
    assert!(message.contains("metrics.json: 0 bytes") && message.contains("running the experiment again"), "{message}");
    place.harness(&predict).expect(2).says(&["metrics.json: 0 bytes", "again"]);
    heals(0, &["metrics.json: 0 bytes, written were"]);

    cut(&evaluation.join("replicates.bin"));
    place.harness(&["report", "out"]).expect(0);
    assert!(place.results()[0].get("message").contains("replicates.bin"));
    heals(0, &["replicates.bin: "]);

    std::fs::remove_file(evaluation.join("grids.f32")).unwrap();
    let score = ["score", "out", "--cache", "cache", "--datasets", dataset.to_str().unwrap()];
    place.harness(&score).expect(3).says(&["grids.f32", "run the experiment again"]);
    // `score` has taken the metrics away, too.
    heals(1, &["grids.f32: it is missing"]);

    // Of the same size and date, as by a failing disk: noticed where it is asked for.
    let state = training.join("states/0001.safetensors");
    let (mut bytes, written) = (std::fs::read(&state).unwrap(), state.metadata().unwrap().modified().unwrap());
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&state, bytes).unwrap();
    std::fs::File::options().append(true).open(&state).unwrap().set_modified(written).unwrap();
    assert!(place.run(&[]).expect(0).err.contains("already done"));
    place
        .run(&["--verify"])
        .expect(0)
        .says(&["can't be used; ", "0001.safetensors: its content is not what was written"]);
    same(&reference, &outcome(&place.file("out")), "--verify");
}

#[test]
fn a_copied_file_of_the_same_name_is_refused_and_a_moved_or_edited_one_is_not() {
    let place = Place::new();
    place.edit("selection = [\"last\", \"best-on-test\"]", "selection = [\"last\"]");
    place.edit("epochs = 2", "epochs = 1");
    place.run(&[]).expect(0);
    let report = || std::fs::read(place.file("out/results.csv")).unwrap();
    let before = report();
    let run = |file: &str| place.harness(&["run", file, "--cache", "cache", "--out", "out"]);
    let text = std::fs::read_to_string(place.file("small.toml")).unwrap();

    place.write("copy.toml", &text.replace("seeds = [0]", "seeds = [1]"));
    run("copy.toml").expect(2).says(&["small.toml", "copy.toml", "change the `name` in copy.toml", "--out"]);
    assert_eq!(report(), before);
    // With the same cells it replaces nothing.
    place.write("same.toml", &format!("{text}\n# a remark\n"));
    run("same.toml").expect(0);
    run("small.toml").expect(0);
    place.edit("seeds = [0]", "seeds = [2]");
    run("small.toml").expect(0);
    std::fs::rename(place.file("small.toml"), place.file("moved.toml")).unwrap();
    let text = std::fs::read_to_string(place.file("moved.toml")).unwrap();
    place.write("moved.toml", &text.replace("seeds = [2]", "seeds = [0]"));
    run("moved.toml").expect(0);
    // Where the other file has another name by now, the results are free to be taken.
    place.write("moved.toml", &text.replace("name = \"small\"", "name = \"other\""));
    place.write("small.toml", &text);
    run("small.toml").expect(0);
}
