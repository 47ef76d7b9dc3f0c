//! Options are declared once; what is stored and hashed of them can grow.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use harness_config::{Findings, Source, parse};
use harness_method::options::{Adapter, AdapterAttention, Loss, Prompts};
use harness_method::{Arch, Method, Options, Overrides, Preset, losses};

const VIT_L: Arch = Arch {
    image_size: 336,
    patch: 14,
    width: 1024,
    layers: 24,
    heads: 16,
    embed: 768,
    vocab: 49_408,
    context: 77,
    text_width: 768,
    text_layers: 12,
    text_heads: 12,
};

#[test]
fn the_default_is_what_the_published_code_does_and_clip_differs_in_four_options() {
    let (released, clip) = (Preset::Released.options(), Preset::Clip.options());
    assert_eq!(released, Options::default());
    assert_eq!((released.image_size, released.taps.as_slice()), (240, [6, 12, 18, 24].as_slice()));
    assert_eq!(released.differing(&clip), ["activation", "normalize", "adapter_attention", "prompt_mask"]);
}

#[test]
fn a_default_never_changes_under_one_version_of_the_method() {
    // Ids leave defaults out: a changed one would give every stored id another meaning. Raise the method's version with it. A
    // new option adds a line.
    let expected = "image_size = 240\ntaps = [6, 12, 18, 24]\nactivation = \"gelu\"\nnormalize = \"none\"\n\
                    branches = \"dual\"\ndual_objective = true\nadapter = \"linear\"\nadapter_attention = \"batch\"\n\
                    prompts = \"learned\"\nprompt_positions = [\"end\", \"front\", \"middle\"]\nprompt_mask = \"none\"\n\
                    context_tokens = 8\nloss = \"siglip\"\naggregation = \"mean\"\n";
    assert_eq!((toml::to_string(&Options::default()).unwrap().as_str(), Method::Madclip.version()), (expected, 1));
}

#[test]
fn an_option_that_a_stored_file_lacks_has_its_default() {
    let older: Options = toml::from_str("loss = \"contrastive\"\n").unwrap();
    assert_eq!(older, Options { loss: Loss::Contrastive, ..Options::default() });
    let json: Options = serde_json::from_str("{}").unwrap();
    assert_eq!(json, Options::default());
}

#[test]
fn an_option_of_a_newer_version_is_an_error_that_says_so() {
    for error in [
        toml::from_str::<Options>("margin = 0.5\n").unwrap_err().to_string(),
        serde_json::from_str::<Options>("{\"margin\": 0.5}").unwrap_err().to_string(),
    ] {
        assert!(
            error.contains("the option `margin` is not known to this version of harness: a newer version"),
            "{error}"
        );
    }
}

#[test]
fn stored_options_come_back_in_toml_and_json() {
    for options in Preset::ALL.map(Preset::options) {
        assert_eq!(toml::from_str::<Options>(&toml::to_string(&options).unwrap()).unwrap(), options);
        assert_eq!(serde_json::from_str::<Options>(&serde_json::to_string(&options).unwrap()).unwrap(), options);
        let stored = toml::Table::try_from(&options).unwrap();
        assert_eq!(stored.len(), Options::NAMES.len(), "every option is stored");
    }
}

#[test]
fn an_id_sees_the_options_that_differ_from_the_defaults_and_have_an_effect() {
    let decisive = |options: &Options| serde_json::to_string(&options.decisive()).unwrap();
    assert_eq!(decisive(&Options::default()), "{}", "a new option with a default can't change this");
    assert_eq!(decisive(&Options { loss: Loss::Contrastive, ..Options::default() }), "{\"loss\":\"contrastive\"}");
    let idle = Options { adapter_attention: AdapterAttention::Tokens, ..Options::default() };
    assert_eq!((decisive(&idle), idle.has_effect("adapter_attention")), ("{}".to_owned(), false));
    let transformer = Options { adapter: Adapter::Transformer, ..idle };
    assert_eq!(decisive(&transformer), "{\"adapter\":\"transformer\",\"adapter_attention\":\"tokens\"}");
}

#[test]
fn every_option_can_be_overridden_and_keeps_its_position() {
    let text = "image_size = 64\ntaps = [1]\nactivation = \"quick_gelu\"\nnormalize = \"clip\"\nbranches = \"single\"\n\
                dual_objective = false\nadapter = \"conv\"\nadapter_attention = \"tokens\"\nprompts = \"fixed\"\n\
                prompt_positions = [\"end\"]\nprompt_mask = \"causal\"\ncontext_tokens = 4\nloss = \"contrastive\"\n\
                aggregation = \"max\"\n";
    let mut findings = Findings::default();
    let source = Source::new("a.toml".into(), text.to_owned());
    let overrides = parse(&source, &mut findings, &[], |mut table| {
        let overrides = Overrides::read(&mut table);
        table.finish();
        overrides
    })
    .unwrap();
    assert!(findings.is_empty());
    let mut options = Options::default();
    overrides.apply(&mut options);
    assert_eq!(options.differing(&Options::default()), Options::NAMES);
    for (name, line) in Options::NAMES.iter().zip(1..) {
        assert_eq!(source.position(overrides.offset(name).unwrap()).0, line, "{name}");
    }
    assert_eq!(toml::from_str::<Options>(text).unwrap(), options, "the same names as stored");
}

#[test]
fn an_option_without_effect_is_not_checked() {
    let empty = Options { context_tokens: 0, prompt_positions: Vec::new(), ..Options::default() };
    let names: Vec<&str> = empty.check(&VIT_L).iter().map(|complaint| complaint.option).collect();
    assert_eq!(names, ["prompt_positions", "context_tokens"]);
    assert!(Options { prompts: Prompts::Fixed, ..empty }.check(&VIT_L).is_empty());
}

#[test]
fn every_option_is_declared_with_a_meaning_and_a_value_in_every_preset() {
    let declared = Options::declared();
    assert_eq!(declared.iter().map(|option| option.name).collect::<Vec<_>>(), Options::NAMES);
    for option in declared {
        assert!(!option.meaning.is_empty() && !option.meaning.ends_with('.'), "{}", option.name);
        assert_eq!(option.presets.len(), Preset::ALL.len());
    }
    assert_eq!(Options::SHARED_NAMES, ["image_size", "taps"]);
}

#[test]
fn without_masks_detection_is_the_only_loss() {
    assert_eq!(losses::names(&Options::default(), true), ["detection", "focal", "dice"]);
    assert_eq!(losses::names(&Options::default(), false), ["detection"]);
}
