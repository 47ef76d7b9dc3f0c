//! The tables of keys in docs/experiments.md are those of the code. Where one differs, the test prints what to write.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use harness_experiment::{Key, Method, Rule, keys};
use harness_method::{Arch, Options, Preset};

fn document() -> String {
    std::fs::read_to_string(harness_tests::root().join("docs/experiments.md")).unwrap()
}

/// The first table below a heading.
#[track_caller]
fn table_below(document: &str, heading: &str) -> String {
    let below = document.lines().skip_while(|line| *line != heading);
    let table: Vec<&str> =
        below.skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|')).collect();
    assert!(!table.is_empty(), "docs/experiments.md has no table below `{heading}`");
    table.join("\n")
}

#[track_caller]
fn is_written(heading: &str, rows: &[String]) {
    let written = table_below(&document(), heading);
    let expected = rows.join("\n");
    assert!(written == expected, "docs/experiments.md, below `{heading}`: write\n\n{expected}\n");
}

/// A meaning as a cell of a table has it.
fn cell(meaning: &str) -> String {
    let mut letters = meaning.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

fn row(cells: &[&str]) -> String {
    format!("| {} |", cells.join(" | "))
}

fn table_of(keys: &[Key], more: Vec<String>) -> Vec<String> {
    let head = [row(&["key", "values", "default", "meaning"]), "|---|---|---|---|".to_owned()];
    let rows = keys.iter().map(|key| row(&[&format!("`{}`", key.name), &key.values, &key.default, &cell(key.meaning)]));
    head.into_iter().chain(rows).chain(more).collect()
}

fn keys_of(table: &str) -> Vec<Key> {
    keys().into_iter().find(|(name, _)| *name == table).unwrap().1
}

#[test]
fn the_table_of_the_top_level_is_that_of_the_code() {
    is_written("## Top level", &table_of(&keys_of(""), Vec::new()));
}

#[test]
fn the_table_of_the_encoder_is_that_of_the_code() {
    let shared = Options::declared()
        .into_iter()
        .filter(|option| option.shared)
        .map(|option| row(&[&format!("`{}`", option.name), &option.values, "the preset's", &cell(option.meaning)]));
    is_written("## `[encoder]`", &table_of(&keys_of("encoder"), shared.collect()));
    let sizes = Arch::NAMES.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let document = document().replace('\n', " ");
    assert!(document.contains(&sizes), "docs/experiments.md, [encoder.arch]: write {sizes}");
}

#[test]
fn the_table_of_training_is_that_of_the_code() {
    is_written("## `[train]`", &table_of(&keys_of("train"), Vec::new()));
}

#[test]
fn the_table_of_the_report_is_that_of_the_code() {
    is_written("## `[report]`", &table_of(&keys_of("report"), Vec::new()));
}

#[test]
fn the_table_of_options_is_that_of_the_code() {
    let presets = Preset::ALL.map(|preset| format!("`{preset}`"));
    let mut head = vec!["key", "values"];
    head.extend(presets.iter().map(String::as_str));
    head.push("meaning");
    let mut rows = vec![row(&head), format!("|{}", "---|".repeat(head.len()))];
    let mut preset = vec!["`preset`".to_owned(), presets.join(", ")];
    preset.extend(presets.iter().map(|_| String::new()));
    preset.push(
        "where it starts: as the published code does (the default), or with CLIP used as it was pretrained".to_owned(),
    );
    rows.push(row(&preset.iter().map(String::as_str).collect::<Vec<_>>()));
    for option in Options::declared() {
        let mut cells = vec![format!("`{}`", option.name), option.values];
        cells.extend(option.presets.iter().map(|value| format!("`{value}`")));
        cells.push(cell(option.meaning));
        rows.push(row(&cells.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    is_written("## `[base]` and `[variants.NAME]`", &rows);
}

#[test]
fn the_tables_of_the_other_methods_options_are_those_of_the_code() {
    for method in Method::ALL.into_iter().filter(|method| *method != Method::Madclip) {
        let shared = method.options().iter().filter(|name| Options::NAMES.contains(name)).count();
        assert_eq!(shared, 4, "image_size, taps, activation and normalize are those of every method");
        let presets = method.presets();
        let mut head = vec!["key".to_owned(), "values".to_owned()];
        head.extend(presets.iter().map(|preset| format!("`{preset}`")));
        head.push("meaning".to_owned());
        let line = |cells: &[String]| row(&cells.iter().map(String::as_str).collect::<Vec<_>>());
        let mut rows = vec![line(&head), format!("|{}", "---|".repeat(head.len()))];
        for option in method.declared().into_iter().filter(|option| !Options::NAMES.contains(&option.name)) {
            let mut cells = vec![format!("`{}`", option.name), option.values];
            cells.extend(option.presets.iter().map(|value| format!("`{value}`")));
            cells.push(cell(option.meaning));
            rows.push(line(&cells));
        }
        is_written(&format!("### `method = \"{method}\"`"), &rows);
    }
}

#[test]
fn the_keys_of_rules_are_those_of_the_code() {
    let names = Rule::NAMES.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let document = document().replace('\n', " ");
    assert!(document.contains(&names), "docs/experiments.md, Rules: write {names}");
}
