//! Options are declared once; what is stored and hashed of them can grow.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use harness_config::{Findings, Source, parse};
use harness_method::declaring::Stage;
use harness_method::options::{Adapter, AdapterAttention, Loss, Prompts};
use harness_method::{Arch, Options, Overrides, Preset, losses};

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
fn the_table_of_presets_in_the_specification_is_that_of_the_code() {
    let document = std::fs::read_to_string(harness_tests::root().join("docs/method.md")).unwrap();
    let section = document.split("## 9. ").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let cells = |line: &str| -> Vec<String> { line.split('|').map(|cell| cell.trim().to_owned()).collect() };
    // Of a cell such as "`gelu`: the reason", the value.
    let value = |cell: &str| cell.split('`').nth(1).unwrap_or_default().to_owned();
    let rows = section.lines().filter(|line| line.starts_with("| `")).map(cells);
    let written: Vec<_> = rows.map(|row| [&row[1], &row[2], &row[3]].map(|cell| value(cell))).collect();
    let [released, clip] = [Preset::Released, Preset::Clip].map(Preset::options);
    let declared = Options::declared();
    let mut differing: Vec<_> = released
        .differing(&clip)
        .into_iter()
        .map(|name| {
            let option = declared.iter().find(|option| option.name == name).unwrap();
            let preset = |at: usize| option.presets[at].trim_matches('"').to_owned();
            [name.to_owned(), preset(0), preset(1)]
        })
        .collect();
    let place = |name: &str| written.iter().position(|row| row[0] == name);
    differing.sort_by_key(|row| place(&row[0]));
    assert_eq!(written, differing);
}

#[test]
fn a_default_never_changes_under_one_version_of_the_method() {
    // Ids leave defaults out: a changed one would give every stored id another meaning. Raise the method's version with
    // it.
    let defaults = toml::to_string(&Options::default()).unwrap();
    let lines: Vec<&str> = defaults.lines().collect();
    for line in [
        "image_size = 240",
        "taps = [6, 12, 18, 24]",
        "activation = \"gelu\"",
        "normalize = \"none\"",
        "branches = \"dual\"",
        "dual_objective = true",
        "adapter = \"linear\"",
        "adapter_attention = \"batch\"",
        "prompts = \"learned\"",
        "prompt_positions = [\"end\", \"front\", \"middle\"]",
        "prompt_mask = \"none\"",
        "context_tokens = 8",
        "loss = \"siglip\"",
        "aggregation = \"mean\"",
    ] {
        assert!(lines.contains(&line), "no {line} in:\n{defaults}");
    }
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
    let decisive = |options: &Options| serde_json::to_string(&options.decisive(Stage::Training)).unwrap();
    assert_eq!(decisive(&Options::default()), "{}", "a new option with a default can't change this");
    assert_eq!(decisive(&Options { loss: Loss::Contrastive, ..Options::default() }), "{\"loss\":\"contrastive\"}");
    let idle = Options { adapter_attention: AdapterAttention::Tokens, ..Options::default() };
    assert_eq!((decisive(&idle), idle.has_effect("adapter_attention")), ("{}".to_owned(), false));
    let transformer = Options { adapter: Adapter::Transformer, ..idle };
    assert_eq!(decisive(&transformer), "{\"adapter\":\"transformer\",\"adapter_attention\":\"tokens\"}");
}

#[test]
fn a_file_overrides_the_options_it_names_and_their_positions_are_known() {
    let text = "image_size = 64\ntaps = [1]\nprompts = \"free\"\nprompt_positions = [\"end\"]\n\
                dual_objective = false\naggregation = \"max\"\n";
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
    let changed = options.differing(&Options::default());
    assert_eq!(changed.len(), text.lines().count());
    for name in changed {
        let (line, _) = source.position(overrides.offset(name).unwrap());
        assert!(text.lines().nth(line - 1).unwrap().starts_with(&format!("{name} = ")), "{name} on line {line}");
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
