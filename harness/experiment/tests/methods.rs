//! Methods as variants of one experiment.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use common::{World, file, file_with};
use harness_experiment::{EvaluationId, Method, Plan, TrainingId};

const METHODS: &str = "\n[base]\nnormalize = \"clip\"\nloss = \"contrastive\"\n\n\
                       [variants.bank]\nmethod = \"memory-bank\"\npreset = \"patchcore\"\nbanks = \"both\"\n\n\
                       [variants.probe]\nmethod = \"linear-probe\"\nstrength = 1\n";

#[test]
fn a_variant_of_another_method_has_the_encoding_of_base_and_its_own_options() {
    let plan = World::default().plan(&file(METHODS)).unwrap();
    let [base, bank, probe] = [0, 1, 2].map(|i| &plan.variants[i]);
    assert_eq!(base.options.encoding(), bank.options.encoding());
    assert_eq!(base.options.encoding(), probe.options.encoding());
    assert_eq!(bank.preset, "patchcore");
    let shown = |name: &str| bank.options.shown().into_iter().find(|(option, _)| *option == name).unwrap().1;
    assert_eq!(["from_taps", "pool", "join", "banks"].map(shown), ["middle", "3", "concat", "both"]);
    assert_eq!(plan.methods(), [Method::Madclip, Method::MemoryBank, Method::LinearProbe]);
    let read = Plan::from_toml(&plan.to_toml().unwrap()).unwrap();
    assert_eq!(read, plan);
}

#[test]
fn what_decides_nothing_makes_no_second_record() {
    let seeds = [("seeds", "[0, 1]"), ("selection", "[\"last\", \"best-on-test\"]")];
    let plan = World::default().plan(&file_with(&seeds, METHODS)).unwrap();
    let trainings = |method: Method| plan.trainings.iter().filter(|training| training.method == method).count();
    assert_eq!(trainings(Method::Madclip), 2 * trainings(Method::MemoryBank));
    let bank = plan.trainings.iter().find(|training| training.method == Method::MemoryBank).unwrap();
    assert_eq!((bank.epochs, bank.steps()), (1, 0));
    let of = |variant: &str| plan.cells.iter().filter(|cell| cell.variant == variant).collect::<Vec<_>>();
    let mut evaluations: Vec<_> = of("bank").iter().map(|cell| cell.evaluation).collect();
    evaluations.sort_unstable();
    evaluations.dedup();
    assert_eq!(evaluations.len() * 4, of("bank").len(), "one evaluation for two seeds and two rules");
    // What trains has no say in the id of what does not.
    let other = World::default().plan(&file_with(&seeds, &format!("[train]\nepochs = 7\n{METHODS}"))).unwrap();
    assert!(other.trainings.iter().any(|training| training.id == bank.id));
}

#[test]
fn a_bank_of_variants_is_encoded_as_such_and_depends_on_the_seed_by_its_jitter_alone() {
    let more = "\n[variants.plain]\nmethod = \"memory-bank\"\n\n[variants.mvfa]\nmethod = \"memory-bank\"\nvariants = \"mvfa\"\n\n\
                [variants.all]\nmethod = \"memory-bank\"\nvariants = \"madclip\"\n";
    let of = |name: &str| {
        let rules = format!("{more}\n[[include]]\nvariants = [{name:?}]\n");
        let axes = [("seeds", "[0, 1]"), ("shots", "[4]"), ("draws", "[0]"), ("datasets", "[\"Brain\"]")];
        let plan = World::default().plan(&file_with(&axes, &rules)).unwrap();
        (plan.trainings.len(), plan.costs().support_encodings)
    };
    // Normal supports alone; one of sixteen is another for each seed.
    assert_eq!([of("plain"), of("mvfa"), of("all")], [(1, 4), (1, 44), (2, 4 * 15 + 2 * 4)]);
}

#[test]
fn options_of_another_method_are_refused_by_name() {
    let refused = |more: &str| World::default().plan(&file(more)).unwrap_err().to_string();
    let message = refused("\n[variants.bank]\nmethod = \"memory-bank\"\nprompts = \"free\"\n");
    assert!(message.contains("prompts") && message.contains("`madclip`"), "{message}");
    let message = refused("\n[variants.x]\nbanks = \"both\"\n");
    assert!(message.contains("banks") && message.contains("`memory-bank`"), "{message}");
    let message = refused("\n[variants.x]\nmethod = \"memory-bnk\"\n");
    assert!(message.contains("did you mean `memory-bank`"), "{message}");
    let message = refused("\n[variants.x]\nmethod = \"linear-probe\"\nstrength = 0\n");
    assert!(message.contains("choose a positive number"), "{message}");
    let message = refused("\n[variants.x]\nmethod = \"memory-bank\"\npool = 2\n");
    assert!(message.contains("`pool` is 2"), "{message}");
}

#[test]
fn seeds_are_directions_of_the_control_and_a_rule_gives_them_to_it_alone() {
    let more = "\n[variants.text]\nmethod = \"zero-shot\"\n\n\
                [variants.control]\nmethod = \"zero-shot\"\npreset = \"random-direction\"\n\n\
                [[include]]\nseeds = [0, 1]\n\n[[include]]\nvariants = [\"control\"]\n";
    let plan = World::default().plan(&file_with(&[("seeds", "[0, 1, 2, 3, 4]")], more)).unwrap();
    let cells = |variant: &str| plan.cells.iter().filter(|cell| cell.variant == variant).collect::<Vec<_>>();
    let ids = |variant: &str| {
        let mut ids: Vec<_> = cells(variant).iter().map(|cell| cell.training).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.len()
    };
    let sets = ids("text");
    assert_eq!((cells("text").len(), cells("control").len()), (2 * sets, 5 * sets));
    assert_eq!(ids("control"), 5 * sets, "a training for each seed");
    let control: Vec<_> = plan.trainings.iter().filter(|training| training.options.depends_on_seed()).collect();
    let control: Vec<_> = control.into_iter().filter(|training| training.method == Method::ZeroShot).collect();
    assert!(control.iter().all(|training| training.object.is_empty()), "it has no sentences");
}

/// WinCLIP beside what it is compared with.
const WINCLIP: &str = "\n[variants.text]\nmethod = \"zero-shot\"\n\n\
                       [variants.winclip]\nmethod = \"zero-shot\"\npreset = \"winclip\"\n\n\
                       [variants.few]\nmethod = \"zero-shot\"\npreset = \"winclip-few-shot\"\n";

#[test]
fn windows_are_counted_once_a_side_and_of_supports_only_where_they_are_seen() {
    let costs = |more: &str| World::default().plan(&file_with(&[("datasets", "[\"Brain\"]")], more)).unwrap();
    let of = |plan: &Plan| (plan.costs(), plan.work().encode);
    let (without, work) = of(&costs("\n[variants.text]\nmethod = \"zero-shot\"\n"));
    let plan = costs(WINCLIP);
    let (with, more) = of(&plan);
    assert_eq!(without.window_encodings, 0);
    assert_eq!((with.test_encodings, with.support_encodings), (without.test_encodings, without.support_encodings));
    // Test images, and the normal supports of every support set: 16 x 16 and 15 x 15 vectors of 768 numbers.
    let normal: u64 = plan.supports.iter().map(|support| u64::from(support.shots.normal)).sum();
    assert_eq!(with.window_encodings, 2 * (3715 + normal));
    assert_eq!(with.tap_bytes - without.tap_bytes, (3715 + normal) * (256 + 225) * 768 * 4);
    // 3530 tokens in place of 290.
    let (image, windows) = (work / (without.test_encodings + without.support_encodings) as f64, more - work);
    let times = windows / (3715 + normal) as f64 / image;
    assert!((11.0..13.0).contains(&times), "{times}");
    let listing = plan.listing(false).to_string();
    assert!(listing.contains("  windows      at most 7,438 images, once for each side"), "{listing}");
}

#[test]
fn what_a_backend_lacks_is_refused_where_a_cell_needs_it() {
    let world = World { capabilities: vec!["heads"], ..World::default() };
    let backends = [("backends", "[\"flex\", \"cuda\"]")];
    let problems = world.problems(&file_with(&backends, WINCLIP));
    assert_eq!(problems.len(), 4, "{problems:?}");
    for words in
        ["`flex` lacks the capability `windows`, which the variant `winclip` (method zero-shot) needs", "\"cuda\""]
    {
        assert!(problems.iter().any(|problem| problem.message.contains(words)), "{problems:?}");
    }
    let rest = "\n[[exclude]]\nvariants = [\"winclip\", \"few\"]\nbackends = [\"cuda\"]\n";
    assert_eq!(world.problems(&file_with(&backends, &format!("{WINCLIP}{rest}"))).len(), 2);
    let heads = "\n[variants.mvfa]\nmethod = \"mvfa\"\n";
    let world = World { capabilities: vec!["windows"], ..World::default() };
    assert!(world.problem(&file(heads)).contains("lacks the capability `heads`, which the variant `mvfa`"));
}

#[test]
fn winclip_without_supports_has_one_record_for_all_that_it_does_not_see() {
    let plan = World::default().plan(&file_with(&[("seeds", "[0, 1]")], WINCLIP)).unwrap();
    let text = |variant: &str| {
        let mut ids: Vec<_> =
            plan.cells.iter().filter(|cell| cell.variant == variant).map(|cell| cell.training).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.len()
    };
    assert_eq!(text("winclip"), text("text"));
    assert_eq!(text("few"), plan.supports.len(), "a seed decides nothing");
}

/// Ids of the trainings and evaluations of a variant's cells, each once.
fn records(plan: &Plan, variant: &str) -> (BTreeSet<TrainingId>, BTreeSet<EvaluationId>) {
    let cells = || plan.cells.iter().filter(|cell| cell.variant == variant);
    (cells().map(|cell| cell.training).collect(), cells().map(|cell| cell.evaluation).collect())
}

const AXES: [(&str, &str); 4] = [
    ("shots", "[2, 4, { normal = 4, abnormal = 0 }]"),
    ("draws", "[0, 1]"),
    ("seeds", "[0, 1, 2]"),
    ("include_base", "false"),
];

#[test]
fn what_sees_nothing_is_one_record_for_all_supports() {
    let more = "\n[variants.text]\nmethod = \"zero-shot\"\n\n\
                [variants.control]\nmethod = \"zero-shot\"\npreset = \"random-direction\"\n";
    let world = World::default();
    let plan = world.plan(&file_with(&AXES, more)).unwrap();
    assert_eq!(plan.cells.len(), 2 * 3 * 2 * 3);
    let counts = |variant: &str| {
        let (trainings, evaluations) = records(&plan, variant);
        (trainings.len(), evaluations.len())
    };
    assert_eq!((counts("text"), counts("control")), ((1, 1), (3, 3)), "a seed decides the control alone");
    assert_eq!((plan.trainings.len(), plan.supports.len()), (4, 0));
    let text = &plan.trainings[0];
    assert_eq!((text.support, text.shots.images(), text.object.as_str(), text.has_masks), (None, 0, "", false));
    assert_eq!(plan.costs().support_encodings, 0);
    assert!(!world.asked.borrow().iter().any(|question| question.starts_with("support")), "none is needed");
    assert_eq!(Plan::from_toml(&plan.to_toml().unwrap()).unwrap(), plan);
    // Where no support set could be drawn, and whatever it is trained on.
    let axes = [("shots", "[999]"), ("datasets", "[\"Brain\", \"OCT17\"]"), ("include_base", "false")];
    let other = world.plan(&file_with(&[&axes[..], &[("targets", "[\"Brain\"]")]].concat(), more)).unwrap();
    assert_eq!(records(&other, "text"), records(&plan, "text"));
    // Beside a method that sees, draws of the same images are left out of it too.
    let beside = World { repeats: [(1.into(), 0.into())].into(), ..World::default() };
    let axes = [("draws", "[0, 1]")];
    let both = beside.plan(&file_with(&axes, "\n[variants.text]\nmethod = \"zero-shot\"\n")).unwrap();
    assert_eq!((both.cells.len(), both.supports.len(), both.warnings.len()), (2, 1, 1));
}

#[test]
fn what_sees_normal_images_alone_is_one_record_whatever_else_there_is() {
    let more = "\n[variants.bank]\nmethod = \"memory-bank\"\n\n[variants.subspace]\nmethod = \"subspace\"\n\n\
                [variants.both]\nmethod = \"memory-bank\"\nbanks = \"both\"\n\n\
                [[exclude]]\nvariants = [\"both\"]\nshots = [{ normal = 4, abnormal = 0 }]\n";
    let plan = World::default().plan(&file_with(&AXES, more)).unwrap();
    for variant in ["bank", "subspace"] {
        let (trainings, evaluations) = records(&plan, variant);
        assert_eq!((trainings.len(), evaluations.len()), (4, 4), "{variant}: K 2 and 4, two draws");
    }
    assert_eq!(records(&plan, "both").0.len(), 4);
    let bank = plan.trainings.iter().find(|training| training.shots.to_string() == "4+0").unwrap();
    assert!(!bank.has_masks, "masks are of images that it does not see");
    assert_eq!((bank.images(), bank.support_sizes().abnormal), (4, 0));
    assert_eq!(Plan::from_toml(&plan.to_toml().unwrap()).unwrap(), plan);
    // A plan where nothing looks at normal images alone says nothing of them.
    let base = World::default().plan(&file("")).unwrap().to_toml().unwrap();
    assert!(!base.contains("normal = \""), "{base}");
}

#[test]
fn how_parts_are_joined_is_an_option_of_evaluations() {
    let rules = ["range", "sum", "zero", "few"];
    let variant = |rule| format!("\n[variants.{rule}]\nmethod = \"mvfa\"\ncombine = \"{rule}\"\n");
    let more: String = rules.map(variant).concat();
    let axes = [("selection", "[\"last\", \"best-on-support\"]"), ("include_base", "false")];
    let plan = World::default().plan(&file_with(&axes, &more)).unwrap();
    assert_eq!(plan.trainings.len(), 5, "one, and four folds");
    let all: Vec<_> = rules.iter().map(|rule| records(&plan, rule)).collect();
    assert!(all.iter().all(|(trainings, _)| *trainings == all[0].0));
    let evaluations: BTreeSet<_> = all.iter().flat_map(|(_, evaluations)| evaluations).collect();
    assert_eq!((evaluations.len(), plan.evaluations.len()), (2 * 4, 4 * (2 + 4)));
    // The default is left out, as all are, and only what is scored by another rule says so.
    let alone = World::default().plan(&file_with(&axes, &variant("range"))).unwrap();
    assert_eq!(records(&alone, "range"), all[0]);
    assert_eq!(plan.evaluations.iter().filter(|evaluation| evaluation.options.is_none()).count(), 6);
    let training = plan.trainings.iter().find(|training| training.fold.is_none()).unwrap();
    let joined = |rule: &str| {
        let cell = plan.cells.iter().find(|cell| cell.variant == rule).unwrap();
        let evaluation = plan.evaluations.iter().find(|evaluation| evaluation.id == cell.evaluation).unwrap();
        assert_eq!(evaluation.decided_by(training).unwrap()["options"]["combine"], rule);
        evaluation.options_of(training).joins_scores().unwrap().to_string()
    };
    assert_eq!(rules.map(joined), rules);
    assert!(training.decided_by().unwrap()["options"].get("combine").is_none());
    assert_eq!(Plan::from_toml(&plan.to_toml().unwrap()).unwrap(), plan);
}

#[test]
fn one_state_leaves_no_rule_a_choice_and_plans_no_fold() {
    let axes = [
        ("shots", "[1, 4, { normal = 4, abnormal = 0 }]"),
        ("selection", "[\"last\", \"best-on-test\", \"best-on-support\"]"),
        ("include_base", "false"),
        ("targets", "[\"Brain\", \"Liver\"]"),
    ];
    let plan = World::default().plan(&file_with(&axes, "\n[variants.bank]\nmethod = \"memory-bank\"\n")).unwrap();
    assert_eq!((plan.trainings.len(), plan.evaluations.len(), plan.cells.len()), (2, 4, 3 * 3 * 2));
    assert!(plan.cells.iter().all(|cell| cell.chosen_by.is_empty()));
    // Where there is something to choose, images have to be held out.
    let problem = World::default().problem(&file_with(&[("shots", "[1]"), axes[1]], ""));
    assert!(problem.contains("`shots` 1 leaves nothing to cross-validate"), "{problem}");
    // MadCLIP of one epoch keeps the ids that it had.
    let one = [("selection", "[\"last\", \"best-on-support\"]")];
    let plan = World::default().plan(&file_with(&one, "\n[train]\nepochs = 1\n")).unwrap();
    assert_eq!(plan.trainings.len(), 5);
}

#[test]
fn a_method_that_learns_from_masks_alone_is_refused_where_there_are_none() {
    let more = "\n[variants.april]\nmethod = \"april-gan\"\n";
    let axes = [("datasets", "[\"Brain\", \"Chest\"]")];
    let problem = World::default().problem(&file_with(&axes, more));
    let advice = "leave that out: [[exclude]] with variants = [\"april\"], datasets = [\"Chest\"]";
    common::says(&problem, &["`april` (method april-gan) learns from masks alone, and [Chest] has none", advice]);
    let rule = "\n[[exclude]]\nvariants = [\"april\"]\ndatasets = [\"Chest\"]\n";
    assert!(World::default().plan(&file_with(&axes, &format!("{more}{rule}"))).is_ok());
}
