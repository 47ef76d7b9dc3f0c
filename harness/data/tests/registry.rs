//! What a `datasets.toml` may say, and what is said of its mistakes.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::path::Path;

use common::says;
use harness_data::keys::keys;
use harness_data::phantom::PhantomSpec;
use harness_data::{DataError, Dataset, Layout, MaskValues, Registry};
use harness_method::Shots;
use proptest::prelude::*;

const ENTRY: &str =
    "[Liver]\nroot = \"data/Liver\"\nlayout = \"mvfa\"\nobject = \"Liver\"\nmodality = \"CT\"\nmasks = true\n";

fn parse(text: &str) -> Result<Registry, DataError> {
    Registry::parse(text, Path::new("sets/datasets.toml"))
}

fn refusal(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn a_misspelt_key_or_value_is_reported_with_line_column_and_what_was_meant() {
    let message = refusal(&format!("{ENTRY}mask_value = \"nonzero\"\n"));
    says(&message, &["sets/datasets.toml:7:1: ", "mask_value", "in [Liver]", "did you mean `mask_values`?"]);
    let message = refusal(&ENTRY.replace("\"mvfa\"", "\"mvaf\""));
    says(&message, &["sets/datasets.toml:3:10: ", "mvaf", "did you mean `mvfa`?", "`mvfa`, `mvtec`, `csv`, `phantom`"]);
    let message =
        refusal("[A]\nlayout = \"phantom\"\nobject = \"a\"\nmodality = \"b\"\nmasks = true\nphantom = { sed = 1 }\n");
    says(&message, &["datasets.toml:6:13: ", "`sed`", "did you mean `seed`?"]);
    let message = refusal(&format!("{ENTRY}counts = {{ tests = 3 }}\n"));
    says(&message, &["datasets.toml:7:12: ", "tests", "did you mean `test`?"]);
}

#[test]
fn a_missing_key_a_wrong_type_and_broken_syntax_are_reported_with_their_position() {
    says(
        &refusal(&ENTRY.replace("masks = true\n", "")),
        &["datasets.toml:1:2: ", "`masks` is missing in [Liver]", "masks = true"],
    );
    says(&refusal(&ENTRY.replace("true", "yes")), &["datasets.toml:6:9: "]);
    says(&refusal("[Liver\nroot = 1\n"), &["datasets.toml:1:7: "]);
    says(&refusal(&ENTRY.replace("true", "1")), &["datasets.toml:6:9: ", "`masks` must be true or false"]);
    says(&refusal("Liver = 3\n"), &["datasets.toml:1:9: ", "must be a table", "[Liver]"]);
}

#[test]
fn all_mistakes_of_all_datasets_are_reported_at_once() {
    let wrong =
        ENTRY.replace("\"mvfa\"", "\"mvaf\"").replace("masks = true", "masks = 1").replace("data/Liver", "${1}");
    let text = format!("{wrong}patient = \"(\"\n\n{}", ENTRY.replace("[Liver]", "[Brain]").replace("root", "rot"));
    let message = refusal(&text);
    let positions: Vec<&str> = message.lines().map(|line| &line[..line.find(": ").unwrap()]).collect();
    let expected = ["2:8", "3:10", "6:9", "7:11", "9:2", "10:1"];
    let expected: Vec<String> = expected.iter().map(|at| format!("sets/datasets.toml:{at}")).collect();
    assert_eq!(positions, expected, "{message}");
}

#[test]
fn keys_that_do_not_fit_together_are_reported_with_what_to_write() {
    let phantom = "[A]\nlayout = \"phantom\"\nobject = \"a\"\nmodality = \"b\"\nmasks = true\n";
    for (text, parts) in [
        (ENTRY.replace("root = \"data/Liver\"\n", ""), ["`root`", "missing"]),
        (ENTRY.replace("\"Liver\"\nmod", "\" \"\nmod"), ["`object`", "stands in every sentence"]),
        (format!("{ENTRY}csv = \"a.csv\"\n"), ["`csv`", "only for layout `csv`"]),
        (format!("{ENTRY}phantom = {{}}\n"), ["`phantom`", "only for layout `phantom`"]),
        (format!("{ENTRY}support = \"{{shot}}.txt\"\n"), ["`support`", "{shots} and {draw}"]),
        (format!("{ENTRY}support = \"\"\n"), ["`support`", "remove the key to draw supports"]),
        (format!("{ENTRY}patient = \"(\"\n"), ["`patient`", "not a valid pattern"]),
        (ENTRY.replace("data/Liver", "${HARNESS"), ["`root`", "write ${NAME} or ${NAME:-default}"]),
        (ENTRY.replace("mvfa", "mvtec"), ["`support`", "name them in list files"]),
        (format!("{phantom}root = \"a\"\n"), ["remove `root`", "has no files"]),
        (format!("{phantom}support = \"a\"\n"), ["remove `support`", "has no files"]),
        (format!("{phantom}phantom = {{ side = 16 }}\n"), ["side = 16", "from 32 to 1024"]),
        (format!("{phantom}phantom = {{ test = 0 }}\n"), ["test = 0", "from 1 to 100000"]),
    ] {
        let message = refusal(&text);
        says(&message, &["sets/datasets.toml:"]);
        says(&message, &parts);
    }
}

#[test]
fn the_documentation_lists_the_keys_of_the_code() {
    let document = std::fs::read_to_string(harness_tests::root().join("docs/experiments.md")).unwrap();
    let section = &document[document.find("## `datasets.toml`").unwrap()..];
    let table = &section[section.find("| key |").unwrap()..];
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    let keys = keys();
    let expected: Vec<String> = keys
        .iter()
        .map(|key| {
            let meaning = key.meaning[..1].to_lowercase() + &key.meaning[1..];
            format!("| `{}` | {} | {} | {meaning} |", key.name, key.values, key.default)
        })
        .collect();
    assert_eq!(rows, expected);
    let values = |name: &str| keys.iter().find(|key| key.name == name).unwrap().values.as_str();
    for (table, start) in
        [("phantom", "[A]\nlayout = \"phantom\"\nobject = \"a\"\nmodality = \"b\"\nmasks = true\n"), ("counts", ENTRY)]
    {
        let names: Vec<&str> = values(table).split('`').skip(1).step_by(2).collect();
        let all = names.iter().map(|key| format!("{key} = 32")).collect::<Vec<_>>().join(", ");
        parse(&format!("{start}{table} = {{ {all} }}\n")).unwrap();
        let unknown = refusal(&format!("{start}{table} = {{ zzzzzzz = 1 }}\n"));
        names.iter().for_each(|key| says(&unknown, &[&format!("`{key}`")]));
    }
}

#[test]
fn an_unknown_dataset_is_answered_with_the_nearest_name_and_all_names() {
    let registry = parse(&format!("{ENTRY}{}", ENTRY.replace("[Liver]", "[Brain]"))).unwrap();
    let message = registry.get("liver").unwrap_err().to_string();
    says(&message, &["no dataset `liver` in sets/datasets.toml", "did you mean `Liver`?", "Brain, Liver"]);
    let message = registry.get("Kidney").unwrap_err().to_string();
    assert!(!message.contains("did you mean"), "{message}");
}

#[test]
fn a_root_starts_at_the_registrys_folder_and_takes_variables() {
    let root = |typed: &str, value: Option<&str>| {
        let registry = parse(&ENTRY.replace("data/Liver", typed)).unwrap();
        let lookup = |name: &str| (name == "DATA").then(|| value.map(str::to_owned)).flatten();
        registry.get("Liver").unwrap().root_with(&lookup).map(|root| root.unwrap())
    };
    assert_eq!(root("./data/Liver", None).unwrap(), Path::new("sets/data/Liver"));
    assert_eq!(root("/data/Liver", None).unwrap(), Path::new("/data/Liver"));
    assert_eq!(root("${DATA:-data}/Liver", None).unwrap(), Path::new("sets/data/Liver"));
    assert_eq!(root("${DATA:-data}/Liver", Some("/mnt")).unwrap(), Path::new("/mnt/Liver"));
    for value in [None, Some("")] {
        assert_eq!(root("${DATA:-data}/Liver", value).unwrap(), Path::new("sets/data/Liver"));
        let message = root("${DATA}/Liver", value).unwrap_err().to_string();
        says(&message, &["[Liver]", "`root`", "DATA", "not set", "${DATA:-default}"]);
    }
}

#[test]
fn support_lists_may_lie_outside_the_dataset_where_others_published_them() {
    let text = format!("{ENTRY}support = \"${{LISTS}}/Liver/{{shots}}-shot.txt\"\n");
    let registry = parse(&text).unwrap();
    let entry = registry.get("Liver").unwrap();
    let lists = |value: &str| entry.lists_with(&|_| Some(value.to_owned())).unwrap().unwrap();
    assert_eq!(lists("/lists"), "/lists/Liver/{shots}-shot.txt");
    let message = entry.lists_with(&|_| None).unwrap_err().to_string();
    says(&message, &["[Liver]", "`support`", "LISTS"]);
}

#[test]
fn a_missing_folder_is_reported_with_the_key_to_change() {
    let message = Dataset::open(&parse(ENTRY).unwrap(), "Liver").unwrap_err().to_string();
    says(&message, &["[Liver]", "sets/data/Liver", "change `root` in sets/datasets.toml"]);
}

#[test]
fn the_shipped_registry_has_the_six_sets_of_the_paper_and_the_phantom() {
    let registry = Registry::load(&harness_tests::root().join("datasets.toml")).unwrap();
    let names: Vec<&str> = registry.names().collect();
    assert_eq!(names, ["Brain", "Chest", "HIS", "Liver", "OCT17", "Phantom", "RESC"]);
    let none = |_: &str| None;
    for (name, object, masks, published, test) in [
        ("Brain", "Brain", true, "BrainMRI", Some(3715)),
        ("Liver", "Liver", true, "LiverCT", Some(1493)),
        ("RESC", "retinal OCT", true, "RESC", Some(1805)),
        ("OCT17", "retinal OCT", false, "OCT17", Some(968)),
        ("Chest", "Chest X-ray film", false, "ChestXray", Some(17_194)),
        ("HIS", "histopathological image", false, "HIS", None),
    ] {
        let entry = registry.get(name).unwrap();
        assert_eq!((entry.layout, entry.object.as_str(), entry.masks), (Layout::Mvfa, object, masks), "{name}");
        assert_eq!((entry.published_name.as_deref(), entry.counts.test), (Some(published), test), "{name}");
        assert!(entry.source.is_some() && entry.licence.is_some(), "{name}");
        let root = entry.root_with(&none).unwrap().unwrap();
        assert!(root.starts_with(harness_tests::root().join("data")), "{}", root.display());
    }
    let phantom = Dataset::open(&registry, "Phantom").unwrap();
    assert_eq!(phantom.entry().layout, Layout::Phantom);
    assert!(phantom.support(Shots::each(16), 0).is_ok());
}

#[test]
fn generated_entries_keep_names_objects_and_masks_and_need_no_file() {
    let text = format!(
        "{ENTRY}support = \"a/{{shots}}.txt\"\npatient = \"x\"\nmask_values = \"nonzero\"\n[Other]\nlayout = \"csv\"\n\
         root = \"nowhere\"\nobject = \"thing\"\nmodality = \"m\"\nmasks = false\n"
    );
    let generated = parse(&text).unwrap().generated(PhantomSpec { side: 32, valid: 4, test: 3, seed: 5 });
    let (liver, other) = (Dataset::open(&generated, "Liver").unwrap(), Dataset::open(&generated, "Other").unwrap());
    assert_eq!((liver.object(), liver.has_masks(), liver.mask_values()), ("Liver", true, MaskValues::Half));
    assert_eq!((other.object(), other.has_masks()), ("thing", false));
    assert!(common::errors(&liver).is_empty() && common::errors(&other).is_empty());
    assert_eq!(liver.test_set().unwrap().len(), 6);
    assert!(other.test_set().unwrap().iter().all(|item| item.mask.is_none()));
    assert_ne!(
        liver.support(Shots::each(2), 0).unwrap().hash,
        other.support(Shots::each(2), 0).unwrap().hash,
        "each entry has images of its own"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_text_is_a_registry_or_a_message_with_the_files_name(text in "[\\[\\]A-Za-z\"=\n .{}$#0-9_-]{0,80}") {
        if let Err(error) = parse(&text) {
            prop_assert!(error.to_string().starts_with("sets/datasets.toml"), "{error}");
        }
    }

    #[test]
    fn an_entry_changed_anywhere_never_panics(at in any::<prop::sample::Index>(), with in "[\\PC\n]{0,3}") {
        let text = format!("{ENTRY}support = \"${{A:-b}}/{{shots}}\"\ncounts = {{ test = 3 }}\n");
        let at = at.index(text.len());
        drop(parse(&format!("{}{with}{}", &text[..at], &text[at + 1..])));
    }
}

#[test]
fn a_windows_path_in_double_quotes_is_told_to_be_written_otherwise() {
    // `\U` and `\d` are no escapes; `\t` and `\n` are, and make a path that nobody typed.
    for (path, column) in [(r"C:\Users\me\data", 8), (r"D:\data", 8), (r"C:\tmp\new", 8)] {
        let message = refusal(&ENTRY.replace("data/Liver", path));
        assert_eq!(message.lines().count(), 1, "{message}");
        says(&message, &[&format!("datasets.toml:2:{column}: "), "write paths with `/`, or in single quotes"]);
    }
    assert!(parse(&ENTRY.replace("\"data/Liver\"", r"'C:\tmp\new'")).is_ok());
}

#[test]
fn a_key_that_stands_twice_is_named() {
    says(&refusal(&format!("{ENTRY}object = \"x\"\n")), &["datasets.toml:7:1: ", "`object` stands here a second time"]);
    // One mistake, not one for each key of the second table; a third one is another.
    let twice = refusal(&format!("{ENTRY}{ENTRY}"));
    says(&twice, &["datasets.toml:7:", "`Liver` stands here a second time"]);
    assert_eq!(twice.lines().count(), 1, "{twice}");
    let brain = ENTRY.replace("Liver", "Brain");
    let both = refusal(&format!("{ENTRY}{brain}{ENTRY}\n{brain}mask = true\n"));
    assert_eq!(both.lines().count(), 2, "{both}");
    says(&both, &["`Liver` stands here", "`Brain` stands here"]);
}

#[test]
fn a_root_that_is_a_file_is_called_one() {
    let set = common::Set::new("");
    let archive = set.write("Liver.zip", "PK");
    let registry = parse(&ENTRY.replace("data/Liver", archive.to_str().unwrap())).unwrap();
    let error = Dataset::open(&registry, "Liver").unwrap_err().to_string();
    says(&error, &["Liver.zip is a file, not a folder", "must be unpacked", "`root`"]);
}
