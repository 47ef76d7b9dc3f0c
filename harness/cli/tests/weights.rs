//! What a person is told about weights: by `inspect`, by `plan` and by `run`, before anything is computed with them.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Place;
use harness_method::{Arch, StorePrecision};
use harness_weights::{Weights, write_safetensors};

/// A place whose experiment reads `clip.safetensors`: the encoder of its own, with `change` made to values and
/// `more` tensors.
fn place(encoder: &str, change: impl Fn(&str, &mut Vec<f32>), more: &[&str]) -> Place {
    let place = Place::new();
    let experiment: toml::Table = toml::from_str(common::EXPERIMENT).unwrap();
    let arch: Arch = experiment["encoder"]["arch"].clone().try_into().unwrap();
    let clip = Weights::synthetic(&arch, 0).unwrap();
    let own = clip.names().map(|name| (name.to_owned(), clip.shape(name).unwrap().to_vec()));
    let layout: Vec<_> = own.chain(more.iter().map(|name| ((*name).to_owned(), vec![2]))).collect();
    write_safetensors(&place.file("clip.safetensors"), &layout, StorePrecision::F32, |name| {
        let mut values = clip.tensor(name).map_or(vec![0.0; 2], |tensor| tensor.data);
        change(name, &mut values);
        Ok(values)
    })
    .unwrap();
    let (head, tail) = common::EXPERIMENT.split_once("[encoder]").unwrap();
    let (_, train) = tail.split_once("[train]").unwrap();
    let encoder = format!("[encoder]\nweights = \"clip.safetensors\"\n{encoder}image_size = 32\ntaps = [1, 2]\n");
    place.write("small.toml", &format!("{head}{encoder}[train]{train}"));
    place
}

#[test]
fn guessed_heads_and_unknown_tensors_are_told_by_plan_run_and_inspect() {
    let more: Vec<String> = (0..12).map(|i| format!("mystery.{i}.weight")).collect();
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    let guess = "the image tower's 1 attention heads are a guess (width 64 / 64)";
    let unread = "12 tensors of the file are not read, such as `mystery.0.weight`";
    let place = place("text_heads = 1\n", |_, _| {}, &more);
    place.harness(&["plan", "small.toml", "--cache", "cache"]).expect(0).says(&["warning", guess, unread]);
    place.run(&[]).expect(0).says(&["warning", guess, unread]);
    // The text tower's width has no guess: it must be stated, which `inspect` can't.
    let told = place.harness(&["weights", "inspect", "clip.safetensors"]).expect(1).out;
    let lines: Vec<&str> = told.lines().collect();
    assert!(told.contains(unread) && told.contains("and 7 more; --json lists all"), "{told}");
    assert!(lines[lines.len() - 2].starts_with("wrong ") && lines[lines.len() - 1].starts_with("usable "), "{told}");
}

#[test]
fn heads_given_by_hand_or_by_open_clip_s_file_are_the_same_heads() {
    let hash = |place: &Place| {
        place.run(&[]).expect(0);
        let row = &place.results()[0];
        (row.get("training").to_owned(), row.get("value").to_owned())
    };
    let given = place("heads = 2\ntext_heads = 1\n", |_, _| {}, &[]);
    let beside = place("", |_, _| {}, &[]);
    beside.write(
        "open_clip_config.json",
        r#"{"model_cfg": {"vision_cfg": {"width": 64, "head_width": 32}, "text_cfg": {"width": 32, "heads": 1}}}"#,
    );
    let one = place("text_heads = 1\n", |_, _| {}, &[]);
    assert_eq!(hash(&given), hash(&beside));
    assert_ne!(hash(&given).0, hash(&one).0);
}

#[test]
fn weights_with_nan_are_the_reason_that_a_plan_and_a_run_give_and_nothing_is_begun() {
    let spoil = |name: &str, values: &mut Vec<f32>| {
        if name == "visual.ln_pre.bias" {
            values[3] = f32::NAN;
        }
    };
    let place = place("heads = 2\ntext_heads = 1\n", spoil, &[]);
    let says = ["clip.safetensors", "`visual.ln_pre.bias`", "1 of 64 values that are NaN or infinite"];
    // Twice: that they were read is not remembered as that they are sound.
    for _ in 0..2 {
        place.harness(&["plan", "small.toml", "--cache", "cache"]).expect(2).says(&says);
    }
    place.run(&[]).expect(2).says(&says);
    assert!(!place.file("out/trainings").exists());
}

#[test]
fn another_activation_than_the_weights_suggest_is_told_and_the_same_one_is_not() {
    let place = place("", |_, _| {}, &[]);
    let beside = |quick: bool| {
        let json = format!(
            r#"{{"model_cfg": {{"quick_gelu": {quick}, "vision_cfg": {{"width": 64, "head_width": 32}}, "text_cfg": {{"width": 32, "heads": 1}}}}}}"#
        );
        place.write("open_clip_config.json", &json);
        place.harness(&["plan", "small.toml", "--cache", "cache"]).expect(0)
    };
    // The preset `released` computes with GELU.
    let told = beside(true);
    told.says(&[
        "warning",
        "suggests the activation `quick_gelu`, and `gelu` is computed with",
        "activation = \"quick_gelu\"",
    ]);
    let same = beside(false);
    assert!(!same.err.contains("activation"), "{}", same.err);
}
