//! The schemas that editors use are those of the reader.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod common;

use std::io::Write;
use std::process::{Command, Stdio};

use common::{EXPERIMENT, Place, REGISTRY};
use serde_json::Value;

/// Where the documents have the schema of a kind of file.
fn documented(kind: &str) -> std::path::PathBuf {
    harness_tests::root().join(format!("docs/schema/{kind}.json"))
}

#[track_caller]
fn value(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Value>(text).unwrap()).unwrap()
}

/// What Python's `jsonschema` says against each document, nothing where it takes it; `None`, after a word, where
/// there is no such package.
fn complaints(kind: &str, documents: &[Value]) -> Option<Vec<Vec<String>>> {
    const SCRIPT: &str = "\
import json, sys
from jsonschema import Draft7Validator
schema = json.load(open(sys.argv[1]))
Draft7Validator.check_schema(schema)
validator = Draft7Validator(schema)
print(json.dumps([[e.message for e in validator.iter_errors(d)] for d in json.load(sys.stdin)]))
";
    let python = std::env::var("HARNESS_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python).args(["-c", "import jsonschema"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        println!("skipped: `{python}` lacks jsonschema; HARNESS_PYTHON names another");
        return None;
    }
    let mut command = Command::new(&python);
    command.args(["-c", SCRIPT]).arg(documented(kind)).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(serde_json::to_string(documents).unwrap().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn the_schemas_in_the_documents_are_those_of_the_program() {
    let place = Place::new();
    for kind in ["experiment", "datasets"] {
        let printed = place.harness(&["schema", kind]).expect(0).out;
        let written = std::fs::read_to_string(documented(kind)).unwrap_or_default();
        assert!(
            printed == written,
            "write docs/schema/{kind}.json anew: harness schema {kind} > docs/schema/{kind}.json"
        );
    }
}

#[test]
fn shipped_files_fit_their_schema_and_name_it() {
    let root = harness_tests::root();
    let experiments = std::fs::read_dir(root.join("experiments")).unwrap().map(|entry| entry.unwrap().path());
    let experiments = experiments.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let mut files: Vec<_> = experiments.map(|path| (path, "experiment", "../docs/schema/experiment.json")).collect();
    files.push((root.join("datasets.toml"), "datasets", "docs/schema/datasets.json"));
    assert!(files.len() > 5);
    for (path, kind, schema) in files {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().next(), Some(format!("#:schema {schema}").as_str()), "{}", path.display());
        let Some(found) = complaints(kind, &[value(&text)]) else { continue };
        assert_eq!(found, [Vec::<String>::new()], "{}", path.display());
    }
}

/// The experiment of all tests, with what it lacks of the file's tables.
fn experiment() -> String {
    EXPERIMENT.replace("shots = [2]", "shots = [2, { normal = 4, abnormal = 0 }]")
        + r#"
[base]
[variants.bank]
method = "memory-bank"
[[exclude]]
variants = ["base"]
shots = [{ normal = 4, abnormal = 0 }]
"#
}

/// The reader of experiments, `plan`, or of registries, `datasets list`, on this text: whether it takes it, and what it
/// says.
fn read(place: &Place, kind: &str, text: &str) -> (bool, String) {
    place.write(&format!("{kind}.toml"), text);
    let ended = match kind {
        "experiment" => place.harness(&["plan", "experiment.toml", "--cache", "cache"]),
        _ => place.harness(&["datasets", "list", "--datasets", "datasets.toml"]),
    };
    (ended.code == Some(0), ended.err)
}

#[test]
fn what_the_reader_refuses_by_its_key_or_kind_the_schema_refuses() {
    let place = Place::new();
    let experiment = experiment();
    type Changes<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&str, &str, Changes<'_>); 2] = [
        (
            "experiment",
            &experiment,
            &[
                ("seeds = [0]", "seed = [0]"),
                ("seeds = [0]", "seeds = 0"),
                ("seeds = [0]", ""),
                ("selection = [\"last\", ", "selection = [\"first\", "),
                ("normal = 4", "normals = 4"),
                ("shots = [2, ", "shots = [\"2\", "),
                ("epochs = 2", "epoch = 2"),
                ("epochs = 2", "epochs = 1.5"),
                ("[base]", "[base]\npreset = \"none\""),
                ("[base]", "[base]\nbranches = 1"),
                ("[base]", "[base]\nbranch = \"dual\""),
                ("method = \"memory-bank\"", "method = \"bank\""),
                ("variants = [\"base\"]", "variant = [\"base\"]"),
                ("weights = \"synthetic\"", "weight = \"synthetic\""),
                ("patch = 8\n", ""),
                ("patch = 8", "patch = true"),
            ],
        ),
        (
            "datasets",
            REGISTRY,
            &[
                ("object", "objekt"),
                ("masks = true", "masks = \"yes\""),
                ("\"phantom\"", "\"folders\""),
                ("side = 32", "sides = 32"),
                ("side = 32", "side = \"32\""),
                ("modality = \"generated\"", ""),
                ("masks = true", "masks = true\ncounts = { tests = 3 }"),
                ("masks = true", "masks = true\nsupport_lists = { a = 3 }"),
            ],
        ),
    ];
    for (kind, text, changes) in cases {
        let (taken, said) = read(&place, kind, text);
        assert!(taken, "{said}");
        let changed: Vec<String> = changes
            .iter()
            .map(|(from, to)| {
                assert!(text.contains(from), "{from}");
                text.replacen(from, to, 1)
            })
            .collect();
        for (changed, (from, to)) in changed.iter().zip(changes) {
            let (taken, said) = read(&place, kind, changed);
            assert!(!taken, "{kind}, {from} -> {to}: {said}");
        }
        let documents: Vec<Value> =
            std::iter::once(text).chain(changed.iter().map(String::as_str)).map(value).collect();
        let Some(found) = complaints(kind, &documents) else { continue };
        assert!(found[0].is_empty(), "{:?}", found[0]);
        for (found, (from, to)) in found[1..].iter().zip(changes) {
            assert!(!found.is_empty(), "{kind}, {from} -> {to}: the schema takes it");
        }
    }
}

#[test]
fn every_option_of_every_method_fits_the_schema() {
    let mut documents = Vec::new();
    for method in harness_experiment::Method::ALL {
        for preset in method.presets() {
            let options = toml::to_string(&method.preset(preset).unwrap()).unwrap();
            documents.push(value(&experiment().replace("[base]", &format!("[base]\n{options}"))));
        }
    }
    let Some(found) = complaints("experiment", &documents) else { return };
    for (document, found) in documents.iter().zip(found) {
        assert!(found.is_empty(), "{}: {found:?}", document["base"]);
    }
}
