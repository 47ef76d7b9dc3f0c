//! Methods as variants of one experiment.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use common::{World, file, file_with};
use harness_experiment::{Method, Plan};

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
