//! Backends side by side, in an experiment and in a benchmark.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Ended, Place};
use harness_records::Folder;
use harness_results::collect;
use harness_tables::{BackendRow, read_scores};

/// The small experiment on two backends, of which plugins stand for those that are not built in.
fn compared(backends: [&str; 2]) -> (Place, Vec<BackendRow>) {
    let place = Place::new();
    place.edit("backends = [\"flex\"]", &format!("backends = [\"{}\", \"{}\"]", backends[0], backends[1]));
    std::fs::create_dir(place.file("backends")).unwrap();
    for name in backends.iter().filter(|name| **name != "flex") {
        harness_faulty::install(&place.file("backends"), name).unwrap();
    }
    place.run(&["--backend-dir", "backends"]).expect(0);
    let folder = Folder::new(place.file("out"));
    let rows = collect(&folder.read_plan().unwrap(), &folder, None).unwrap().report.backends;
    (place, rows)
}

#[test]
fn two_backends_that_compute_the_same_differ_by_nothing() {
    let (_, rows) = compared(["faulty", "twin"]);
    let [one, other] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((one.backend.as_str(), other.backend.as_str()), ("faulty", "twin"));
    assert_eq!((one.map_difference, one.score_difference), (None, None));
    assert_eq!((other.map_difference, other.score_difference), (Some(0.0), Some(0.0)));
    assert_eq!((one.image_auroc, one.pixel_auroc), (other.image_auroc, other.pixel_auroc));
    // Both rules of the experiment.
    assert_eq!((one.cells, other.cells), (2, 2));
}

#[test]
fn what_each_backend_took_is_told_and_is_possible() {
    let (_, rows) = compared(["flex", "faulty"]);
    assert_eq!(rows.len(), 2);
    for row in &rows {
        let times = [row.load_secs, row.encode_rate, row.step_p50_ms, row.step_p95_ms, row.score_rate];
        assert!(times.iter().all(|time| time.is_some_and(|time| time.is_finite() && time > 0.0)), "{row:?}");
        assert!(row.step_p95_ms >= row.step_p50_ms, "{row:?}");
        assert!(row.gemm_share.is_some_and(|share| share > 0.0), "{row:?}");
        assert!(row.host_bytes.is_none_or(|bytes| bytes > 1 << 20), "{row:?}");
        assert!(row.image_auroc.is_some_and(|auroc| (0.0..=1.0).contains(&auroc)), "{row:?}");
        assert_eq!((row.device.as_str(), row.precision.as_str()), ("cpu", "f32"));
    }
}

/// The other backend computes something else: the difference is the one that the stored scores have.
#[test]
fn the_largest_difference_is_that_of_the_stored_scores() {
    let (place, rows) = compared(["flex", "faulty"]);
    let plan = Folder::new(place.file("out")).read_plan().unwrap();
    let scores = |backend: &str| {
        let cell = plan.cells.iter().find(|cell| cell.backend == backend).unwrap();
        let folder = place.file("out/evaluations").join(cell.evaluation.to_string());
        let rows = read_scores(&folder.join("scores.parquet")).unwrap();
        let last = rows.iter().map(|row| row.epoch).max().unwrap();
        let last = rows.into_iter().filter(move |row| row.epoch == last);
        last.flat_map(|row| [row.map_max.unwrap(), row.detection.unwrap()]).collect::<Vec<f64>>()
    };
    let (one, other) = (scores("flex"), scores("faulty"));
    let largest = one.iter().zip(&other).map(|(one, other)| (one - other).abs()).fold(0.0, f64::max);
    assert_eq!(rows[1].score_difference, Some(largest));
    // A map's maximum can't differ by more than the map does.
    let of_maxima = one.iter().zip(&other).step_by(2).map(|(one, other)| (one - other).abs()).fold(0.0, f64::max);
    assert!(rows[1].map_difference.is_some_and(|map| map > 0.0 && map >= of_maxima), "{rows:?}");
}

#[test]
fn a_cell_that_one_backend_could_not_do_is_compared_for_none() {
    let place = Place::new();
    place.edit("backends = [\"flex\"]", "backends = [\"flex\", \"faulty\"]");
    place.edit("seeds = [0]", "seeds = [0, 1]");
    place.edit("selection = [\"last\", \"best-on-test\"]", "selection = [\"last\"]");
    std::fs::create_dir(place.file("backends")).unwrap();
    harness_faulty::install(&place.file("backends"), "faulty").unwrap();
    let mut command = place.command(&["run", "small.toml", "--cache", "cache", "--out", "out"]);
    command.args(["--backend-dir", "backends"]).env("HARNESS_FAULT", "nan").env("HARNESS_FAULT_CALL", "trainer_step");
    command.env("HARNESS_FAULT_ONCE", place.file("marker"));
    Ended::of(command.output().unwrap()).expect(3);
    let folder = Folder::new(place.file("out"));
    let rows = collect(&folder.read_plan().unwrap(), &folder, None).unwrap().report.backends;
    assert!(rows.len() == 2 && rows.iter().all(|row| row.cells == 1), "{rows:?}");
}

#[test]
fn a_single_backend_is_compared_with_nothing() {
    let place = Place::new();
    place.run(&[]).expect(0);
    let folder = Folder::new(place.file("out"));
    assert!(collect(&folder.read_plan().unwrap(), &folder, None).unwrap().report.backends.is_empty());
}

#[test]
fn a_benchmark_measures_every_part_on_every_backend_as_often_as_asked() {
    let place = Place::new();
    std::fs::create_dir(place.file("backends")).unwrap();
    harness_faulty::install(&place.file("backends"), "faulty").unwrap();
    let arguments = ["bench", "--arch", "tiny", "--batch", "4", "--rounds", "2", "--backend-dir", "backends"];
    let told = place.harness(&arguments).expect(0).out;
    for part in ["encode", "step", "score", "metrics", "flex", "faulty", "rate to first", "GFLOP/s in f32"] {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
    let json = place.harness(&[&arguments[..], &["--json", "--backends", "faulty,flex"]].concat()).expect(0).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let subjects = json["measured"]["subjects"].as_array().unwrap();
    assert_eq!(subjects.iter().map(|subject| &subject["name"]).collect::<Vec<_>>(), ["faulty", "flex"]);
    for subject in subjects {
        for part in ["encode", "step", "score"] {
            let times = subject[part].as_array().unwrap();
            assert!(times.len() == 2 && times.iter().all(|time| time.as_f64().unwrap() > 0.0), "{subject}");
        }
    }
}

#[cfg(unix)]
#[test]
fn another_program_is_measured_in_the_same_turns_and_leaves_out_what_it_does_not_do() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let program = "#!/bin/sh\nread -r workload\necho other 1.0\nwhile read -r part; do case $part in encode) echo 0.5 ;; \
                   *) echo - ;; esac; done\n";
    place.write("other", program);
    std::fs::set_permissions(place.file("other"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let arguments = ["bench", "--arch", "tiny", "--batch", "2", "--rounds", "3", "--backends", "flex", "--json"];
    let json = place.harness(&[&arguments[..], &["--against", "./other"]].concat()).expect(0).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let other = &json["measured"]["subjects"][1];
    assert_eq!(other["name"], "other 1.0");
    assert_eq!(other["encode"], serde_json::json!([0.5, 0.5, 0.5]));
    assert_eq!(other["step"], serde_json::json!([]));
    let none = place.harness(&[&arguments[..], &["--against", "./absent"]].concat()).expect(2);
    none.says(&["can't start `./absent`"]);
}

#[test]
fn a_benchmark_refuses_sizes_and_backends_that_are_not_there() {
    let place = Place::new();
    place.harness(&["bench", "--arch", "vit-b"]).expect(2).says(&["vit-b16", "tiny"]);
    place.harness(&["bench", "--arch", "tiny", "--parts", "decode"]).expect(2).says(&["encode, step, score, metrics"]);
    place
        .harness(&["bench", "--arch", "tiny", "--backends", "flexx"])
        .expect(2)
        .says(&["no backend is called `flexx`"]);
}
