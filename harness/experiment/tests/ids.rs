//! An id hashes all that decides a result and nothing else; a frozen plan comes back as it was, or not at all.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use common::{World, file, file_with, hash};
use harness_experiment::{CellId, Error, Plan, Training, TrainingId};
use harness_method::Arch;
use proptest::prelude::*;

fn plan(world: &World, text: &str) -> Plan {
    world.plan(text).unwrap()
}

fn first(world: &World, text: &str) -> (TrainingId, CellId) {
    let plan = plan(world, text);
    (plan.trainings[0].id, plan.cells[0].id)
}

#[test]
fn ids_are_the_same_in_every_version_that_computes_the_same() {
    // A change here makes every stored result unknown: raise the method's version when its numbers change, and nothing
    // otherwise.
    let (training, cell) = first(&World::default(), &file(""));
    assert_eq!(
        (training.to_string(), cell.to_string()),
        ("77a6996bb84dd799".to_owned(), "eeef02aa9609c9e1".to_owned())
    );
}

#[test]
fn names_paths_order_and_what_else_is_in_the_file_do_not_enter() {
    let mut world = World::default();
    let expected = first(&world, &file(""));
    let same = |world: &World, text: &str| assert_eq!(first(world, text), expected, "{text}");
    same(&world, &file_with(&[("name", "\"other\""), ("smoke", "true")], ""));
    same(&world, &file("").replace("ViT-L-14-336px.pt", "elsewhere/ViT-L-14-336px.pt"));
    same(&world, &file("\n[variants.more]\nloss = \"contrastive\"\n"));
    same(
        &world,
        &file(
            "\n[base]\nlabel = \"w/o anything\"\n[report]\nnumbers = \"percent\"\nfigures = [\"roc\"]\nhide = [\"n\"]\n",
        ),
    );
    same(&world, &file("\n[train]\nepochs = 60\nbatch = 16\nlearning_rate = 0.001\n"));
    same(&world, &file_with(&[("datasets", "[\"Brain\", \"Liver\"]"), ("shots", "[4, 2]"), ("seeds", "[0, 1]")], ""));
    // The same images under another dataset's name.
    let facts = world.datasets["Brain"].clone();
    world.datasets.insert("Head".to_owned(), facts);
    let renamed = plan(&world, &file_with(&[("datasets", "[\"Head\"]")], ""));
    let support = plan(&world, &file("")).trainings[0].support;
    let training = Training { support, ..renamed.trainings[0].clone() };
    assert_eq!(training.identity().unwrap(), expected.0);
}

#[test]
fn everything_that_decides_the_result_enters() {
    let world = World::default();
    let expected = first(&world, &file(""));
    let differs = |world: &World, text: &str| assert_ne!(first(world, text).0, expected.0, "{text}");
    for more in [
        "\n[train]\nepochs = 61\n",
        "\n[train]\nbatch = 8\n",
        "\n[train]\nlearning_rate = 1.0000000000000002e-3\n",
        "\n[base]\nloss = \"contrastive\"\n",
        "\n[base]\nprompt_positions = [\"front\", \"end\", \"middle\"]\n",
        "image_size = 336\n",
        "taps = [6, 12]\n",
        "store = \"f16\"\n",
        "heads = 8\n",
    ] {
        differs(&world, &file(more));
    }
    for top in
        [("seeds", "[1]"), ("draws", "[1]"), ("shots", "[2]"), ("datasets", "[\"Liver\"]"), ("backends", "[\"cuda\"]")]
    {
        differs(&world, &file_with(&[top], ""));
    }
    differs(&world, &file_with(&[("backends", "[\"cuda\"]")], "precision = \"bf16\"\n"));
    differs(&world, &file("").replace("ViT-L-14-336px.pt", "ViT-B-16.pt"));
    let mut other = World::default();
    other.datasets.get_mut("Brain").unwrap().object = "head".to_owned();
    differs(&other, &file(""));
    let mut other = World::default();
    other.datasets.get_mut("Brain").unwrap().has_masks = false;
    differs(&other, &file(""));
    differs(&World { arch: Arch { text_layers: 3, ..common::VIT_L }, ..World::default() }, &file(""));
}

#[test]
fn an_option_without_effect_does_not_enter() {
    let world = World::default();
    let id = |more: &str| first(&world, &file(&format!("\n[base]\n{more}")));
    assert_eq!(id("adapter_attention = \"tokens\"\n"), first(&world, &file("")), "there is no transformer adapter");
    let fixed = "prompts = \"fixed\"\n";
    let idle = "context_tokens = 4\nprompt_mask = \"causal\"\nprompt_positions = [\"end\"]\n";
    assert_eq!(id(fixed), id(&format!("{fixed}{idle}")), "there are no contexts");
    assert_ne!(id(idle), id(""), "now there are");
    // Without sentences an object's name decides nothing, neither of the training nor of the evaluation.
    let mut renamed = World::default();
    renamed.datasets.get_mut("Brain").unwrap().object = "head".to_owned();
    let free = file("\n[base]\nprompts = \"free\"\n");
    assert_eq!(first(&world, &free), first(&renamed, &free));
}

#[test]
fn a_training_does_not_know_the_test_set_and_an_evaluation_does() {
    let world = World::default();
    let mut other = World::default();
    other.datasets.get_mut("Brain").unwrap().test_hash = hash("other images");
    let (one, two) = (plan(&world, &file("")), plan(&other, &file("")));
    assert_eq!(one.trainings, two.trainings);
    assert_ne!(one.evaluations[0].id, two.evaluations[0].id);
    assert_ne!(one.cells[0].id, two.cells[0].id);
}

const BROAD: &[(&str, &str)] = &[
    ("datasets", "[\"Liver\", \"Chest\"]"),
    ("seeds", "[0, 1]"),
    ("selection", "[\"last\", \"best-on-test\"]"),
    ("smoke", "true"),
];

#[test]
fn a_frozen_plan_comes_back_as_it_was_byte_for_byte() {
    for text in [
        file_with(BROAD, "\n[variants.\"a.b\"]\nprompts = \"free\"\n\n[variants.clip]\npreset = \"clip\"\n"),
        std::fs::read_to_string(harness_tests::root().join("experiments/quickstart.toml")).unwrap(),
    ] {
        let plan = plan(&World::default(), &text);
        let frozen = plan.to_toml().unwrap();
        let back = Plan::from_toml(&frozen).unwrap();
        assert_eq!(back, plan);
        assert_eq!(back.to_toml().unwrap(), frozen);
    }
}

#[test]
fn a_frozen_plan_that_was_edited_or_is_of_another_version_is_refused() {
    let frozen = plan(&World::default(), &file_with(BROAD, "")).to_toml().unwrap();
    let refusal = |text: &str| match Plan::from_toml(text) {
        Err(error @ Error::Frozen { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    for (from, to, why) in [
        ("epochs = 60", "epochs = 61", "it was edited"),
        ("loss = \"siglip\"", "loss = \"contrastive\"", "it was edited"),
        ("test_images = 1493", "test_images = 1492x", "plan the experiment again"),
        (
            "format = 2",
            "format = 9",
            "format 9, written by a newer version of harness; this one reads up to 2; use the newer",
        ),
        ("format = 2", "format = 1", "format 1, which was written before the first release; plan the experiment again"),
        (
            "madclip = 1",
            "madclip = 7",
            "planned for version 7 of the method `madclip`; this version of harness computes 1",
        ),
        ("madclip = 1", "patchcore = 1", "it uses the method `patchcore`, which this version of harness does not have"),
        ("loss = ", "margin = 0.5\nloss = ", "the option `margin` is not known to this version of harness"),
        ("[records]", "[record]", "plan the experiment again"),
    ] {
        assert!(frozen.contains(from), "{from}");
        common::says(&refusal(&frozen.replacen(from, to, 1)), &["frozen plan: ", why]);
    }
    let half = &frozen[..frozen.len() / 2];
    common::says(&refusal(half), &["plan the experiment again"]);
}

#[test]
fn a_key_that_is_missing_or_new_keeps_a_frozen_plan_readable() {
    let plan = plan(&World::default(), &file_with(BROAD, ""));
    let frozen = plan.to_toml().unwrap();
    for (from, to) in [
        ("aggregation = \"mean\"\n", ""),
        ("store = \"f32\"\n", ""),
        ("precision = \"f32\"\n", ""),
        ("smoke = true\n", "smoke = true\ncolour = \"red\"\n"),
        ("test_images = 1493\n", "test_images = 1493\npatients = 12\n"),
        ("[train]\n", "[train]\npatience = 3\n"),
        ("seed = 0, backend", "seed = 0, worker = 3, backend"),
    ] {
        assert!(frozen.contains(from), "{from}");
        assert_eq!(Plan::from_toml(&frozen.replace(from, to)).unwrap(), plan, "{from}");
    }
}

#[test]
fn an_id_has_one_spelling() {
    let id: TrainingId = "00112233445566ff".parse().unwrap();
    assert_eq!(id.to_string(), "00112233445566ff");
    for wrong in ["00112233445566FF", "00112233445566f", "00112233445566ffa", "00112233445566fg", ""] {
        let message = wrong.parse::<TrainingId>().unwrap_err().to_string();
        common::says(&message, &["training id", "16 characters 0-9 and a-f"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_frozen_plan_changed_anywhere_is_refused_or_the_same(at in any::<prop::sample::Index>(), with in "[ -~]") {
        let plan = plan(&World::default(), &file_with(BROAD, ""));
        let frozen = plan.to_toml().unwrap();
        let at = at.index(frozen.len());
        let changed = format!("{}{with}{}", &frozen[..at], &frozen[at + 1..]);
        if let Ok(back) = Plan::from_toml(&changed) {
            // What does not decide a record may change: names, paths, comments.
            let ids = |plan: &Plan| plan.cells.iter().map(|cell| cell.id).collect::<Vec<_>>();
            prop_assert_eq!(ids(&back), ids(&plan));
        }
    }

    #[test]
    fn any_seed_draw_and_size_comes_back_from_a_frozen_plan(seed in 0..=i64::MAX as u64, draw in 0..=i64::MAX as u64, shots in 1u32..=32, rate in 1e-9f64..1e3) {
        let (seed, draw, shots) = (format!("[{seed}]"), format!("[{draw}]"), format!("[{shots}]"));
        let text = file_with(&[("seeds", &seed), ("draws", &draw), ("shots", &shots)], &format!("\n[train]\nlearning_rate = {rate:?}\n"));
        let plan = plan(&World::default(), &text);
        prop_assert_eq!(Plan::from_toml(&plan.to_toml().unwrap()).unwrap(), plan);
    }
}

#[test]
fn what_a_report_is_printed_by_comes_back_with_a_plan_and_no_two_variants_are_printed_alike() {
    let world = World::default();
    let more = "\n[report]\nnumbers = \"percent\"\ntable_width = \"column\"\n[base]\nlabel = \"released\"\n\
                [variants.more]\nlabel = \"contrastive loss\"\nloss = \"contrastive\"\n[variants.plain]\n";
    let planned = plan(&world, &file(more));
    let labels: Vec<Option<&str>> = planned.variants.iter().map(|variant| variant.label.as_deref()).collect();
    assert_eq!(labels, [Some("released"), Some("contrastive loss"), None], "a variant does not inherit a label");
    assert_eq!(Plan::from_toml(&planned.to_toml().unwrap()).unwrap(), planned);
    // What has none is written as ever.
    let plain = plan(&world, &file("")).to_toml().unwrap();
    assert!(!plain.contains("label") && !plain.contains("[report]"), "{plain}");
    for (more, says) in [
        ("\n[variants.a]\nlabel = \"base\"\n", "variants `base` and `a` are both printed as `base`"),
        (
            "\n[variants.a]\nlabel = \"x\"\n[variants.b]\nlabel = \"x\"\n",
            "variants `a` and `b` are both printed as `x`",
        ),
        ("\n[variants.a]\nlabel = \" \"\n", "`label` of variant `a` is empty"),
        ("\n[variants.a]\nlabel = \"two\\nlines\"\n", "write it on one line"),
        ("\n[report]\nfigures = [\"rock\"]\n", "roc"),
    ] {
        let problem = world.problem(&file(more));
        assert!(problem.contains(says), "{problem}");
    }
}
