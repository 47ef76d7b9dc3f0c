//! Everything wrong with an experiment file is reported at once, each with its line, its column and what to do.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::path::Path;

use common::{World, file, file_with, says};
use harness_experiment::{Error, Plan, Spec};
use proptest::prelude::*;

#[test]
fn a_misspelt_key_is_reported_with_line_column_and_what_was_meant() {
    let world = World::default();
    for (text, place, parts) in [
        (
            file_with(&[("seed", "[0]")], ""),
            "8:1: ",
            vec!["unknown key `seed` at the top of the file", "did you mean `seeds`?"],
        ),
        (file("tap = [6]\n"), "11:1: ", vec!["unknown key `tap` in [encoder]", "did you mean `taps`?"]),
        (file("\n[train]\nepoch = 3\n"), "13:1: ", vec!["in [train]", "did you mean `epochs`?"]),
        (file("\n[base]\ndual-objective = true\n"), "13:1: ", vec!["in [base]", "did you mean `dual_objective`?"]),
        (
            file("\n[variants.a]\naggregaton = \"max\"\n"),
            "13:1: ",
            vec!["in [variants.a]", "did you mean `aggregation`?"],
        ),
        (file("\n[trian]\nepochs = 3\n"), "12:2: ", vec!["unknown key `trian`", "did you mean `train`?"]),
    ] {
        let problem = world.problem(&text);
        says(&problem, &[place]);
        says(&problem, &parts);
    }
}

#[test]
fn a_key_in_the_wrong_table_is_reported_where_it_belongs() {
    let world = World::default();
    for (text, home) in [
        (file("epochs = 3\n"), "it belongs in [train]"),
        (file("\n[train]\nloss = \"siglip\"\n"), "it belongs in [base] or a variant"),
        (file("\n[base]\nprecision = \"f32\"\n"), "it belongs in [encoder]"),
        (file("\n[base]\nsmoke = true\n"), "it belongs at the top of the file"),
        (file("\n[train]\ntaps = [1]\n"), "it belongs in [encoder], [base] or a variant"),
        (file("\n[variants.a.b]\nloss = \"siglip\"\n"), "a variant's name with a dot needs quotes: [variants.\"a.b\"]"),
    ] {
        says(&world.problem(&text), &[home]);
    }
}

#[test]
fn an_unknown_dataset_backend_preset_or_value_is_reported_with_the_nearest() {
    let world = World::default();
    for (text, parts) in [
        (
            file_with(&[("datasets", "[\"Brian\"]")], ""),
            ["2:13: ", "no dataset is called `Brian`", "did you mean `Brain`?"],
        ),
        (
            file_with(&[("backends", "[\"flax\"]")], ""),
            ["6:13: ", "no backend is called `flax`", "did you mean `flex`?"],
        ),
        (
            file("\n[base]\npreset = \"relesed\"\n"),
            ["13:10: ", "can't be `relesed`", "did you mean `released`? values: `released`, `clip`"],
        ),
        (
            file_with(&[("selection", "[\"best-on-tset\"]")], ""),
            ["7:14: ", "`best-on-tset`", "did you mean `best-on-test`?"],
        ),
        (
            file("\n[base]\nprompts = \"fix\"\n"),
            ["13:11: ", "did you mean `fixed`?", "`fixed`, `learned`, `learned-abnormal`, `free`"],
        ),
        (file("precision = \"fp16\"\n"), ["11:13: ", "`fp16`", "`f32`, `tf32`, `f16`, `bf16`"]),
    ] {
        says(&world.problem(&text), &parts);
    }
    let mut none = World::default();
    none.backends.clear();
    says(&none.problem(&file("")), &["no backend is called `flex`: there is none at all"]);
}

#[test]
fn a_value_of_the_wrong_type_is_reported_with_what_to_write() {
    let world = World::default();
    for (text, parts) in [
        (file_with(&[("shots", "4")], ""), ["3:9: ", "`shots` must be a list, not a whole number; put it in brackets"]),
        (
            file_with(&[("seeds", "[\"0\"]")], ""),
            ["5:10: ", "must be a whole number, not a string; write it without quotes"],
        ),
        (
            file_with(&[("name", "[\"a\"]")], ""),
            ["1:8: ", "must be a string, not a list; give one value, without brackets"],
        ),
        (file_with(&[("draws", "[-1]")], ""), ["4:10: ", "`draws` is -1; write a whole number from 0 to"]),
        (file_with(&[("shots", "[99999999999]")], ""), ["3:10: ", "write a whole number from 0 to 4294967295"]),
        (file("\n[train]\nlearning_rate = \"fast\"\n"), ["13:17: ", "must be a number, not a string"]),
        (file_with(&[("train", "3")], ""), ["8:9: ", "`train` must be a table, not a whole number; write [train]"]),
    ] {
        says(&world.problem(&text), &parts);
    }
}

#[test]
fn missing_keys_are_reported_with_an_example_each() {
    let problems = World::default().problems("name = \"a\"\n");
    let messages: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
    for (key, example) in [
        ("datasets", "datasets = [\"Phantom\"]"),
        ("shots", "shots = [4]"),
        ("draws", "draws = [0]"),
        ("seeds", "seeds = [0, 100, 200]"),
        ("backends", "backends = [\"flex\"]"),
        ("selection", "selection = [\"last\"]"),
        ("weights", "weights = \"path/of/weights.pt\", or \"synthetic\""),
    ] {
        let found = messages.iter().find(|m| m.contains(&format!("`{key}` is missing")));
        says(found.unwrap_or(&"nothing"), &[example]);
    }
    assert_eq!(problems.len(), 7, "{messages:#?}");
}

#[test]
fn taps_out_of_range_twice_or_out_of_order_are_refused() {
    let world = World::default();
    for (taps, message) in [
        ("[6, 25]", "`taps` [6, 25] names block 25, but the encoder has blocks 1 to 24"),
        ("[0]", "`taps` [0] names block 0"),
        ("[]", "`taps` is empty; name some of the encoder's blocks 1 to 24"),
        ("[6, 6]", "`taps` has 6 twice"),
        ("[12, 6]", "`taps` [12, 6] doesn't ascend up to 6; write [6, 12]"),
    ] {
        says(&world.problem(&file(&format!("taps = {taps}\n"))), &["11:8: ", message]);
        says(&world.problem(&file(&format!("\n[variants.deep]\ntaps = {taps}\n"))), &["13:8: ", message]);
    }
    // The preset's taps, on an encoder that doesn't have them.
    let shallow = World { arch: harness_method::Arch { layers: 12, ..common::VIT_L }, ..World::default() };
    says(&shallow.problem(&file("")), &["9:2: ", "names block 18, 24, but the encoder has blocks 1 to 12"]);
}

#[test]
fn a_combination_that_can_not_work_is_refused_with_the_reason() {
    let world = World::default();
    let synthetic = |changes: &[(&str, usize)], more: &str| {
        let sizes = [
            ("image_size", 96),
            ("patch", 8),
            ("width", 64),
            ("layers", 4),
            ("heads", 2),
            ("embed", 32),
            ("vocab", 49_408),
            ("context", 77),
            ("text_width", 32),
            ("text_layers", 1),
            ("text_heads", 1),
        ];
        let lines = sizes.map(|(key, size)| {
            let size = changes.iter().find(|change| change.0 == key).map_or(size, |change| change.1);
            format!("{key} = {size}\n")
        });
        let top = file_with(&[], "").replace("\"ViT-L-14-336px.pt\"", "\"synthetic\"\nseed = 0\ntaps = [1, 4]");
        format!("{top}\n[encoder.arch]\n{}{more}", lines.concat())
    };
    assert!(world.plan(&synthetic(&[], "")).is_ok());
    for (text, parts) in [
        (file("\n[base]\nprompt_positions = []\n"), ["`prompt_positions` is empty", "learned prompts need one"]),
        (
            file("\n[base]\nprompt_positions = [\"end\", \"end\"]\n"),
            ["`prompt_positions` has `end` twice", "remove one"],
        ),
        (file("\n[base]\ncontext_tokens = 0\n"), ["`context_tokens` is 0", "choose 1 or more"]),
        (file("image_size = 13\n"), ["`image_size` 13 is smaller than the encoder's patch of 14", "at least 14"]),
        (file("image_size = 5000\n"), ["`image_size` 5000 is too large", "at most 4096"]),
        (file("precision = \"f16\"\n"), ["the backend `flex` computes in f32 only", "or another backend"]),
        (file("seed = 1\n"), ["`seed` is only for weights = \"synthetic\"", "remove it"]),
        (file("heads = 7\n"), ["7 `heads` don't divide `width` 1024", "a divisor"]),
        (synthetic(&[("vocab", 512)], ""), ["`prompts` needs a vocabulary of 49408 entries", "prompts = \"free\""]),
        (
            synthetic(&[("width", 60)], "\n[base]\nadapter = \"transformer\"\n"),
            ["8 heads, which don't divide", "`linear` or `conv`"],
        ),
        (synthetic(&[("layers", 0)], ""), ["`layers` is 0", "from 1 to 1024"]),
        (synthetic(&[("image_size", 4)], ""), ["`image_size` 4 is smaller than `patch` 8", "one patch a side"]),
        (synthetic(&[("text_heads", 3)], ""), ["3 `text_heads` don't divide `text_width` 32", "a divisor"]),
        (file("\n[train]\nepochs = 0\n"), ["`epochs` is 0", "choose 1 or more"]),
        (file("\n[train]\nlearning_rate = -1\n"), ["`learning_rate` is -1", "a positive number"]),
        (file("\n[train]\nlearning_rate = nan\n"), ["`learning_rate` is NaN", "a positive number"]),
        (file_with(&[("shots", "[0]")], ""), ["`shots` is 0", "choose 1 or more"]),
        (file_with(&[("shots", "[]")], ""), ["`shots` is empty", "at least one value"]),
        (file_with(&[("seeds", "[0, 1, 0]")], ""), ["`seeds` has `0` twice, first as element 1", "remove one"]),
        (file_with(&[("include_base", "false")], ""), ["leaves no variant", "[variants.NAME]"]),
        (file_with(&[("name", "\"a/b\"")], ""), ["can't be a folder's name", "letters, digits"]),
        (
            file("\n[variants.base]\nloss = \"contrastive\"\n"),
            ["the variant `base` is what [base] says", "another name"],
        ),
        (file_with(&[("shots", "[64]")], ""), ["support set of `Brain`, 64 shots, draw 0", "there are 32"]),
    ] {
        says(&world.problem(&text), &parts);
    }
}

#[test]
fn a_backend_without_a_device_is_refused_at_its_name() {
    let world = World { devices: Vec::new(), ..World::default() };
    says(&world.problem(&file("")), &["6:13: ", "backend `flex` finds no device on this machine"]);
}

#[test]
fn a_sentence_over_77_tokens_is_quoted_with_its_length() {
    let problem = World::default().problem(&file_with(&[("datasets", "[\"Wordy\"]")], ""));
    says(
        &problem,
        &["2:13: ", "sentences about `Wordy`", "tokens, the text tower takes 77", "shorten the object's name"],
    );
    let problem = World::default().problem(&file("\n[base]\ncontext_tokens = 75\n"));
    says(&problem, &["the text tower takes 77", "or lower `context_tokens`"]);
    // No sentence, nothing to be too long.
    assert!(
        World::default().plan(&file_with(&[("datasets", "[\"Wordy\"]")], "\n[base]\nprompts = \"free\"\n")).is_ok()
    );
}

#[test]
fn missing_weights_and_unset_variables_are_reported_at_their_place() {
    let world = World::default();
    let with = |weights: &str| file("").replace("ViT-L-14-336px.pt", weights);
    says(&world.problem(&with("missing.pt")), &["10:11: ", "experiments/missing.pt: no such file"]);
    says(&world.problem(&with("${NOWHERE}/a.pt")), &["10:11: ", "NOWHERE is not set", "${NOWHERE:-default}"]);
    says(&world.problem(&with("")), &["10:11: ", "`weights` is empty"]);
    says(&world.problem(&with("synthetic").replace("[encoder]", "[encoder]\nseed = 0")), &["[encoder.arch]"]);
}

#[test]
fn all_problems_come_in_one_go_in_the_files_order() {
    let text = "name = \"a b\"\ndatasets = [\"Brian\", \"Liver\"]\nshots = 4\ndraws = [0]\nseeds = [0]\nbackends = [\"flex\"]\n\
                selection = [\"last\"]\ncolour = 3\n\n[encoder]\nweights = \"missing.pt\"\n\n[train]\nepochs = 0\n\n\
                [variants.x]\nloss = \"hinge\"\n";
    let Err(Error::Problems(problems)) = World::default().plan(text) else { panic!() };
    assert_eq!(
        problems.to_string(),
        "experiments/test.toml:1:8: the experiment's name `a b` can't be a folder's name; use only letters, digits, `-`, `_` and `.`\n\
         experiments/test.toml:2:13: `datasets`: no dataset is called `Brian`; did you mean `Brain`?\n\
         experiments/test.toml:3:9: `shots` must be a list, not a whole number; put it in brackets\n\
         experiments/test.toml:8:1: unknown key `colour` at the top of the file; keys here: `name`, `datasets`, `shots`, `draws`, `seeds`, `backends`, `selection`, \
         `targets`, `transfer_object`, `image_scores`, `include_base`, `smoke`, `include`, `exclude`, `encoder`, `train`, `report`, `base`, `variants`\n\
         experiments/test.toml:11:11: `weights`: experiments/missing.pt: no such file\n\
         experiments/test.toml:14:10: `epochs` is 0; choose 1 or more\n\
         experiments/test.toml:17:8: `loss` can't be `hinge`; values: `siglip`, `siglip-scaled`, `contrastive`, `cross-entropy`"
    );
}

#[test]
fn text_that_is_no_toml_is_reported_with_its_place() {
    let error = World::default().plan("name = \"a\nshots = [4]\n").unwrap_err().to_string();
    says(&error, &["experiments/test.toml:1:", "not TOML", "correct the syntax"]);
    let error = World::default().plan("name = \"a\"\nname = \"b\"\n").unwrap_err().to_string();
    says(&error, &["experiments/test.toml:2:1: ", "`name` stands here a second time"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Plan::read(Path::new("no/such.toml"), &World::default()).unwrap_err().to_string();
    says(&error, &["no/such.toml", "cannot read the experiment file"]);
}

#[test]
fn more_cells_than_anyone_wants_are_refused_before_they_are_made() {
    let many: Vec<String> = (0..400).map(|i| i.to_string()).collect();
    let many = format!("[{}]", many.join(", "));
    says(&World::default().problem(&file_with(&[("seeds", &many), ("draws", &many)], "")), &["160000 cells", "split"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_file_changed_anywhere_is_a_plan_or_problems_inside_it(at in any::<prop::sample::Index>(), drop in 0usize..4, with in "[\\PC\n]{0,4}") {
        let text = std::fs::read_to_string(harness_tests::root().join("experiments/quickstart.toml")).unwrap();
        let at = (0..=at.index(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap();
        let end = (at + drop..=text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
        let changed = format!("{}{with}{}", &text[..at], &text[end..]);
        match World::default().plan(&changed) {
            Ok(plan) => prop_assert!(!plan.cells.is_empty()),
            Err(Error::Problems(problems)) => {
                prop_assert!(!problems.list.is_empty());
                let lines = changed.lines().count().max(1);
                prop_assert!(problems.list.iter().all(|p| (1..=lines + 1).contains(&p.line) && p.column >= 1));
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn any_text_is_refused_in_words(text in "[\\PC\n]{0,60}") {
        match Spec::parse(Path::new("a.toml"), text) {
            Ok(spec) => drop(spec.plan(&World::default(), &|_| None)),
            Err(error) => prop_assert!(error.to_string().starts_with("a.toml:")),
        }
    }
}
