//! Predictions of a cell, a copied state and the authors' checkpoint: the stored scores again, on files of anyone.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};

use common::Place;
use harness_conformance::Case;
use harness_data::{Dataset, Registry, Source};
use harness_method::{Arch, StorePrecision};
use harness_tables::{PredictionRow, ScoreRow, read_csv, read_scores};
use harness_weights::Weights;
use image::{GrayImage, RgbImage};

/// A place whose experiment has run, and its test images as files.
fn place() -> Place {
    ran(Place::new())
}

fn ran(place: Place) -> Place {
    place.edit("selection = [\"last\", \"best-on-test\"]", "selection = [\"last\"]");
    place.run(&[]).expect(0);
    let registry = Registry::load(&place.file("datasets.toml")).unwrap();
    std::fs::create_dir(place.file("images")).unwrap();
    for (number, item) in Dataset::open(&registry, "Small").unwrap().test_set().unwrap().into_iter().enumerate() {
        let Source::Phantom(plane) = item.image else { panic!("a file in a generated set") };
        let side = plane.spec.side as u32;
        let picture = GrayImage::from_raw(side, side, plane.pixels()).unwrap();
        picture.save(place.file(&format!("images/{number:02}.png"))).unwrap();
    }
    place
}

fn predictions(place: &Place, folder: &str) -> Vec<PredictionRow> {
    read_csv(&place.file(folder).join("scores.csv")).unwrap()
}

/// What the evaluation stored after its last epoch.
fn stored(place: &Place) -> Vec<ScoreRow> {
    let evaluation = place.results()[0].get("evaluation").to_owned();
    let rows = read_scores(&place.file("out/evaluations").join(evaluation).join("scores.parquet")).unwrap();
    let last = rows.iter().map(|row| row.epoch).max().unwrap();
    rows.into_iter().filter(|row| row.epoch == last).collect()
}

fn equal(predicted: &[PredictionRow], stored: &[ScoreRow]) {
    let scores = |row: &PredictionRow| (row.map_max, row.detection);
    let expected: Vec<_> = stored.iter().map(|row| (row.map_max, row.detection)).collect();
    assert_eq!(predicted.iter().map(scores).collect::<Vec<_>>(), expected);
}

/// Values of a `.npy` file.
fn npy(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[header..].chunks_exact(4).map(|value| f32::from_le_bytes(value.try_into().unwrap())).collect()
}

fn state(place: &Place) -> PathBuf {
    let training = place.results()[0].get("training").to_owned();
    place.file("out/trainings").join(training).join("states/0001.safetensors")
}

#[test]
fn a_cell_and_a_copy_of_its_state_predict_the_stored_scores_to_the_last_bit() {
    let place = place();
    let cell = place.results()[0].get("cell").to_owned();
    let cold = ["predict", "--cell", &cell[..6], "--results", "out", "--cache", "elsewhere", "--out", "cold", "images"];
    place.harness(&cold).expect(0).says(&[&cell, "epoch 1"]);
    let stored = stored(&place);
    let rows = predictions(&place, "cold");
    equal(&rows, &stored);
    for row in &rows {
        let map = npy(&place.file("cold").join(&row.map));
        assert_eq!(map.len(), 32 * 32);
        assert_eq!(map.iter().copied().fold(f32::MIN, f32::max), row.map_max.unwrap() as f32);
        let picture = image::open(place.file("cold").join(&row.overlay)).unwrap();
        assert_eq!(picture.width(), 1640);
    }

    // With taps from the store, by a copy of the state that says itself what it is.
    std::fs::copy(state(&place), place.file("copied.safetensors")).unwrap();
    let copy = ["predict", "--state", "copied.safetensors", "--experiment", "small.toml", "--cache", "cache"];
    place.harness(&[&copy[..], &["--out", "copy", "images"]].concat()).expect(0);
    equal(&predictions(&place, "copy"), &stored);
    let left = std::fs::read_dir(place.file("copy")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with('.')), "a partial folder is left");

    let inspected = place.harness(&["weights", "inspect", "copied.safetensors"]).expect(0).out;
    for part in ["harness.state = 1", "epoch = 1", "object = Brain", "prompts = learned", "to predict with"] {
        assert!(inspected.contains(part), "`{part}` is not in: {inspected}");
    }
}

#[test]
fn a_copied_state_needs_nothing_but_its_encoder_s_weights_and_takes_no_others() {
    let place = Place::new();
    let arch: toml::Table = toml::from_str(common::EXPERIMENT).unwrap();
    let arch: Arch = arch["encoder"]["arch"].clone().try_into().unwrap();
    for (seed, file) in [(0, "clip.safetensors"), (1, "other.safetensors")] {
        Weights::synthetic(&arch, seed).unwrap().write_safetensors(&place.file(file), StorePrecision::F32).unwrap();
    }
    let (head, tail) = common::EXPERIMENT.split_once("[encoder]").unwrap();
    let (_, train) = tail.split_once("[train]").unwrap();
    // Heads that the file itself does not suggest: the state says them.
    let encoder =
        "[encoder]\nweights = \"clip.safetensors\"\nheads = 2\ntext_heads = 1\nimage_size = 32\ntaps = [1, 2]\n";
    place.write("small.toml", &format!("{head}{encoder}[train]{train}"));
    let place = ran(place);
    std::fs::copy(state(&place), place.file("copied.safetensors")).unwrap();
    std::fs::remove_file(place.file("small.toml")).unwrap();
    let of = |weights: &str| {
        let given =
            ["predict", "--state", "copied.safetensors", "--weights", weights, "--cache", "new", "--out", "copy"];
        place.harness(&[&given[..], &["images"]].concat())
    };
    of("other.safetensors").expect(2).says(&["other.safetensors", "the state was trained on"]);
    of("clip.safetensors").expect(0);
    equal(&predictions(&place, "copy"), &stored(&place));
}

#[test]
fn bad_images_are_named_with_the_reason_and_the_others_have_their_scores() {
    let place = place();
    let cell = place.results()[0].get("cell").to_owned();
    place.write("images/01a.png", "no image");
    let png = std::fs::read(place.file("images/00.png")).unwrap();
    std::fs::write(place.file("images/zz.png"), &png[..png.len() / 2]).unwrap();
    let given =
        ["predict", "--cell", cell.as_str(), "--results", "out", "--cache", "cache", "--out", "mixed", "images"];
    let ended = place.harness(&given).expect(3);
    ended.says(&["failed: images/01a.png: ", "failed: images/zz.png: ", "2 of 14 images can't be read"]);
    let (bad, good): (Vec<_>, Vec<_>) =
        predictions(&place, "mixed").into_iter().partition(|row| !row.message.is_empty());
    equal(&good, &stored(&place));
    assert!(good.iter().all(|row| !row.map.is_empty() && !row.overlay.is_empty()));
    assert_eq!(bad.iter().map(|row| row.image.as_str()).collect::<Vec<_>>(), ["images/01a.png", "images/zz.png"]);
    assert!(bad.iter().all(|row| row.detection.is_none() && row.map_max.is_none() && row.map.is_empty()));
    // Readable ones are looked at as a dataset's are: values of 12 bits in 16 are told where they are scored.
    let dark = image::ImageBuffer::from_fn(40, 40, |x, y| image::Luma([(x + 40 * y) as u16]));
    std::fs::create_dir(place.file("scans")).unwrap();
    image::DynamicImage::ImageLuma16(dark).save(place.file("scans/dark.png")).unwrap();
    let given = ["predict", "--cell", cell.as_str(), "--results", "out", "--cache", "cache", "--out", "dark", "scans"];
    let told = ["warning: values of 1 16-bit image are from 0 to", "scans/dark.png", "nearly black"];
    place.harness(&given).expect(0).says(&told);
}

#[test]
fn where_no_image_can_be_read_every_one_is_named_and_nothing_is_computed() {
    let place = place();
    let cell = place.results()[0].get("cell").to_owned();
    place.write("bad/one.png", "no image");
    let png = std::fs::read(place.file("images/00.png")).unwrap();
    std::fs::write(place.file("bad/two.png"), &png[..png.len() / 2]).unwrap();
    let of = |images: &[&str]| {
        let given = ["predict", "--cell", cell.as_str(), "--results", "out", "--cache", "cache", "--out", "pictures"];
        place.harness(&[&given, images].concat()).expect(2)
    };
    of(&["bad"]).says(&["2 of 2 images", "one.png", "two.png"]);
    of(&["images/01.png", "bad/three.png"]).says(&["bad/three.png: there is no such file"]);
    std::fs::create_dir(place.file("empty")).unwrap();
    of(&["empty"]).says(&["empty", "there is no image in this folder"]);
    assert!(!place.file("pictures").exists(), "a refused call leaves nothing");
}

#[test]
fn a_cell_that_is_unknown_ambiguous_or_not_done_says_so() {
    let place = place();
    place.edit("seeds = [0]", "seeds = [0, 1]");
    place.run(&[]).expect(0);
    let of = |id: &str| place.harness(&["predict", "--cell", id, "--results", "out", "images"]).expect(2);
    of("xyz").says(&["`xyz`", "none of the 2 cells of out"]);
    of("").says(&["2 cells have ids that begin with", "seed 0", "seed 1"]);
    let rows = place.results();
    std::fs::remove_dir_all(place.file("out/evaluations").join(rows[0].get("evaluation"))).unwrap();
    of(rows[0].get("cell")).says(&[rows[0].get("cell"), "is not done"]);
    place.harness(&["predict", "--cell", "a", "images"]).expect(2).says(&["--results DIR"]);
}

#[test]
fn a_state_needs_its_encoder_and_one_that_is_silent_its_experiment() {
    let place = place();
    std::fs::copy(state(&place), place.file("copied.safetensors")).unwrap();
    let of = |further: &[&str]| {
        let given = ["predict", "--state", "copied.safetensors", "--cache", "cache", "images"];
        place.harness(&[&given, further].concat()).expect(2)
    };
    of(&[]).says(&["--weights FILE", "--experiment FILE"]);
    of(&["--experiment", "small.toml", "--variant", "other"]).says(&["the experiment has no variant `other`", "base"]);
    place
        .harness(&["predict", "--state", "none.pth", "--experiment", "small.toml", "images"])
        .expect(2)
        .says(&["none.pth"]);
}

#[test]
fn scores_that_depend_on_their_batch_are_not_predicted() {
    let place = Place::new();
    place.edit("selection = [\"last\", \"best-on-test\"]", "selection = [\"last\"]");
    place.write("small.toml", &(common::EXPERIMENT.to_owned() + "\n[base]\nadapter = \"transformer\"\n"));
    place.run(&[]).expect(0);
    RgbImage::new(8, 8).save(place.file("a.png")).unwrap();
    let cell = place.results()[0].get("cell").to_owned();
    place
        .harness(&["predict", "--cell", &cell, "--results", "out", "--cache", "cache", "a.png"])
        .expect(2)
        .says(&["adapter_attention = \"batch\"", "adapter_attention = \"tokens\""]);
}

/// The experiment whose training is golden case `released`.
const RELEASED: &str = r#"
name = "released"
datasets = ["Liver"]
targets = ["Liver", "Other"]
shots = [1]
draws = [0]
seeds = [0]
backends = ["flex"]
selection = ["last"]

[encoder]
weights = "synthetic"
seed = 0
image_size = 48
taps = [1, 2, 3, 4]

[encoder.arch]
image_size = 48
patch = 8
width = 64
layers = 4
heads = 2
embed = 48
vocab = 49408
context = 77
text_width = 32
text_layers = 2
text_heads = 2

[variants.other]
context_tokens = 4
"#;

#[test]
fn the_authors_checkpoint_predicts_the_golden_maps_and_scores_and_measures_a_test_set() {
    let Some(checkpoint) = harness_tests::shared("weights/formats/authors-checkpoint.pth") else { return };
    let golden = harness_tests::golden("released");
    let case = Case::read(&golden).unwrap();
    let place = Place::new();
    let liver = common::REGISTRY.replace("Small", "Liver").replace("Brain", "Liver");
    let other = liver.replace("[Liver]", "[Other]").replace("seed = 1", "seed = 2");
    place.write("datasets.toml", &format!("{liver}{other}"));
    place.write("released.toml", RELEASED);
    let side = case.options.image_size;
    std::fs::create_dir(place.file("images")).unwrap();
    for (number, index) in case.test.iter().enumerate() {
        let planar = case.images_of(&[*index]);
        let pixel = |x: u32, y: u32| {
            let at = y as usize * side + x as usize;
            image::Rgb([planar[at], planar[side * side + at], planar[2 * side * side + at]])
        };
        RgbImage::from_fn(side as u32, side as u32, pixel).save(place.file(&format!("images/{number}.png"))).unwrap();
    }
    let checkpoint = checkpoint.to_str().unwrap();
    let given =
        ["predict", "--state", checkpoint, "--experiment", "released.toml", "--cache", "cache", "--out", "found"];
    let of = |further: &[&str]| place.harness(&[&given[..], &["--overwrite"], further].concat());
    of(&["images", "--variant", "base"]).expect(0);

    let bytes = std::fs::read(golden.join("expected.safetensors")).unwrap();
    let expected = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let values = |name: &str| -> Vec<f32> {
        let data = expected.tensor(name).unwrap().data().to_vec();
        data.chunks_exact(4).map(|value| f32::from_le_bytes(value.try_into().unwrap())).collect()
    };
    let error = |found: &[f32], expected: &[f32]| {
        assert_eq!(found.len(), expected.len());
        let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
        squares(&mut found.iter().zip(expected).map(|(a, b)| f64::from(a - b)))
            / squares(&mut expected.iter().map(|value| f64::from(*value)))
    };
    let rows = predictions(&place, "found");
    let maps: Vec<f32> = rows.iter().flat_map(|row| npy(&place.file("found").join(&row.map))).collect();
    let detection: Vec<f32> = rows.iter().map(|row| row.detection.unwrap() as f32).collect();
    // The conformance tolerance of scores.
    assert!(error(&maps, &values("maps")) <= 1e-3, "maps: {:.1e}", error(&maps, &values("maps")));
    assert!(
        error(&detection, &values("detection")) <= 1e-3,
        "detection: {:.1e}",
        error(&detection, &values("detection"))
    );

    let measured = of(&["--test", "--variant", "base"]).expect(0).out;
    assert!(measured.contains("image_auroc (map-max)") && measured.contains("pro_0_3"), "{measured}");
    assert!(place.file("found/metrics.json").is_file() && place.file("found/scores.parquet").is_file());

    let transferred = of(&["--test", "--variant", "base", "--target", "Other"]).expect(0).out;
    assert!(transferred.contains("pro_0_3") && transferred != measured, "{transferred}");
    of(&["--test", "--variant", "base", "--target", "Lung"]).expect(2).says(&["no target `Lung`", "Liver, Other"]);

    of(&["images"]).expect(2).says(&["several variants", "--variant: base, other"]);
    of(&["images", "--variant", "other"]).expect(2).says(&["does not fit", "`context_tokens = 8`"]);
    let seed =
        std::fs::read_to_string(place.file("released.toml")).unwrap().replace("seed = 0\nimage", "seed = 1\nimage");
    place.write("released.toml", &seed);
    of(&["images", "--variant", "base"]).expect(2).says(&["trained with another encoder"]);
    let weights = ["predict", "--state", checkpoint, "--weights", checkpoint, "images"];
    place.harness(&weights).expect(2).says(&["doesn't describe its model", "--experiment FILE"]);
}
