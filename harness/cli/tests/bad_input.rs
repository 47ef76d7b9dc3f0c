//! Bad input: what, where, and what to do, with exit code 2 and before anything is written.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Place;

/// An edit of the experiment that is refused.
#[track_caller]
fn refused(from: &str, to: &str, says: &[&str]) {
    let place = Place::new();
    place.edit(from, to);
    place.run(&[]).expect(2).says(says);
    assert!(!place.file("out").exists(), "nothing was begun");
}

#[test]
fn a_misspelt_key_names_line_column_and_what_was_meant() {
    refused("epochs = 2", "epoch = 2", &["small.toml:30:1", "`epoch`", "epochs"]);
}

#[test]
fn an_unknown_dataset_suggests_the_nearest() {
    refused("datasets = [\"Small\"]", "datasets = [\"Smal\"]", &["small.toml:3:13", "Smal", "Small"]);
}

#[test]
fn an_unknown_backend_tells_which_there_are() {
    refused("backends = [\"flex\"]", "backends = [\"flexx\"]", &["small.toml:7:13", "flexx", "flex"]);
}

#[test]
fn an_unknown_preset_tells_which_there_are() {
    refused("[train]", "[base]\npreset = \"relaesed\"\n\n[train]", &["relaesed", "released"]);
}

#[test]
fn taps_out_of_range_name_the_encoder_s_blocks() {
    refused("taps = [1, 2]", "taps = [1, 3]", &["small.toml:14", "block 3", "1 to 2"]);
}

#[test]
fn an_impossible_combination_is_refused_with_the_reason() {
    refused("[train]", "[base]\nprompts = \"learned\"\ncontext_tokens = 0\n\n[train]", &["context_tokens"]);
}

#[test]
fn a_sentence_that_is_too_long_is_quoted_with_its_length() {
    let place = Place::new();
    let object = vec!["brain"; 80].join(" ");
    place.write("datasets.toml", &common::REGISTRY.replace("\"Brain\"", &format!("\"{object}\"")));
    place.run(&[]).expect(2).says(&["sentence", "77", "brain brain"]);
}

#[test]
fn weights_that_are_not_there_or_no_weights_are_named() {
    refused("weights = \"synthetic\"\nseed = 0", "weights = \"nothing.pt\"", &["small.toml:", "nothing.pt", "arch"]);
    let place = Place::new();
    place.write("some.pt", "these are no weights");
    place.harness(&["weights", "inspect", "some.pt"]).expect(2).says(&["some.pt"]);
}

#[test]
fn an_experiment_that_is_not_there_or_not_toml_is_named() {
    let place = Place::new();
    place.harness(&["run", "absent.toml"]).expect(2).says(&["absent.toml"]);
    place.write("small.toml", "name = ");
    place.run(&[]).expect(2).says(&["small.toml:1:", "not TOML"]);
}

#[test]
fn a_registry_with_a_misspelt_key_names_line_and_suggestion() {
    let place = Place::new();
    place.write("datasets.toml", &common::REGISTRY.replace("modality", "modalty"));
    place.run(&[]).expect(2).says(&["datasets.toml:", "modalty", "modality"]);
}

#[test]
fn a_file_in_place_of_a_results_folder_is_named_with_where_results_are() {
    let place = Place::new();
    for command in [&["report", "small.toml"][..], &["score", "small.toml"], &["explain", "3f2a", "small.toml"]] {
        place
            .harness(command)
            .expect(2)
            .says(&["small.toml: this is a file, not a results folder", "reports/<its name>"]);
    }
    place.write("reports/small/plan.toml", "");
    for name in ["small.toml", "small"] {
        place.harness(&["report", name]).expect(2).says(&["did you mean reports/small?"]);
    }
}

#[test]
fn an_experiment_without_its_ending_and_a_prediction_by_nothing_are_answered_with_what_to_type() {
    let place = Place::new();
    place.harness(&["run", "small"]).expect(2).says(&["small: there is no such file; did you mean small.toml?"]);
    place.harness(&["predict", "image.png"]).expect(2).says(&["--cell ID", "--only", "--state FILE"]);
}

#[test]
fn a_mistyped_value_of_a_flag_is_answered_with_the_nearest() {
    let place = Place::new();
    place.harness(&["bench", "--parts", "encod"]).expect(2).says(&["encod", "'encode'"]);
    place.harness(&["bench", "--precision", "f23"]).expect(2).says(&["f23", "[possible values: f32, tf32, f16, bf16]"]);
    place.harness(&["bench", "--arch", "vit-l16"]).expect(2).says(&["vit-l16", "'vit-l14'"]);
    let arguments = ["predict", "--cell", "3", "--image-score", "detecton", "image.png"];
    place.harness(&arguments).expect(2).says(&["detecton", "'detection'"]);
    place.harness(&["backends", "check", "flx", "--golden", "cases"]).expect(2).says(&["did you mean `flex`?"]);
}

#[test]
fn every_command_s_help_has_a_short_first_line_and_an_example() {
    let place = Place::new();
    let help = place.harness(&["--help"]).expect(0).out;
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let names: Vec<&str> = commands
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help") {
        let groups = ["datasets", "weights", "backends", "cache"];
        let help = place.harness(&[name, "--help"]).expect(0).out;
        let first = help.lines().next().unwrap();
        assert!(first.len() <= 80 && !first.ends_with('.'), "{name}: {first}");
        assert!(
            groups.contains(&name) || help.contains(&format!("harness {name} ")) && help.contains("Example"),
            "{help}"
        );
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    }
}

#[test]
fn a_registry_that_is_not_there_is_told_with_what_to_do() {
    let place = Place::new();
    place.run(&["--datasets", "none.toml"]).expect(2).says(&["none.toml"]);
}

#[test]
fn a_test_set_of_one_class_is_refused_at_plan_time() {
    let place = Place::new();
    let registry = "[Small]\nroot = \"d\"\nlayout = \"mvfa\"\nobject = \"Liver\"\nmodality = \"m\"\nmasks = true\n";
    place.write("datasets.toml", registry);
    place.run(&[]).expect(2).says(&["[Small]", "no folder"]);
    for folder in ["valid/good/img", "valid/Ungood/img", "valid/Ungood/anomaly_mask", "test/good/img"] {
        place.write(&format!("d/{folder}/.keep"), "");
    }
    place.run(&[]).expect(2).says(&["[Small]"]);
}

#[test]
fn more_threads_than_a_machine_can_use_are_cut_with_a_warning() {
    let place = Place::new();
    let most = 4 * std::thread::available_parallelism().map_or(1, usize::from);
    let ended = place.run(&["--threads", "9999", "--only", "selection=last"]).expect(0);
    ended.says(&["warning: --threads 9999: this machine has", &format!("are used: {most}")]);
    let run = std::fs::read_to_string(place.file("out/run.toml")).unwrap();
    assert!(run.contains(&format!("threads = {most}\n")), "{run}");
}

#[test]
fn wrong_arguments_end_with_2_and_help_with_0() {
    let place = Place::new();
    place.harness(&["run"]).expect(2).says(&["EXPERIMENT.toml"]);
    place.harness(&["run", "small.toml", "--threads", "0"]).expect(2);
    place.run(&["--cache-budget", "-1"]).expect(2);
    assert!(place.harness(&["--help"]).expect(0).out.contains("Exit codes"));
    assert!(place.harness(&["--version"]).expect(0).out.starts_with("harness "));
}
