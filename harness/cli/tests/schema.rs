//! The schemas that editors use are those of the reader.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Place;
use jsonschema::Validator;

/// Where the documents have the schema of a kind of file.
fn documented(kind: &str) -> std::path::PathBuf {
    harness_tests::root().join(format!("docs/schema/{kind}.json"))
}

fn validator(kind: &str) -> Validator {
    let text = std::fs::read_to_string(documented(kind)).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

#[track_caller]
fn value(text: &str) -> serde_json::Value {
    serde_json::to_value(toml::from_str::<toml::Value>(text).unwrap()).unwrap()
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
        let found: Vec<_> = validator(kind).iter_errors(&value(&text)).map(|error| error.to_string()).collect();
        assert!(found.is_empty(), "{}: {found:?}", path.display());
    }
}

const EXPERIMENT: &str = r#"
name = "all"
datasets = ["Small"]
shots = [2, { normal = 4, abnormal = 0 }]
draws = [0]
seeds = [0]
backends = ["flex"]
selection = ["last"]
[encoder]
weights = "synthetic"
seed = 0
image_size = 32
taps = [1, 2]
[encoder.arch]
image_size = 32
patch = 8
width = 64
layers = 4
heads = 2
embed = 32
text_width = 32
text_layers = 1
text_heads = 2
context = 77
vocab = 49408
[train]
epochs = 1
[base]
[variants.bank]
method = "memory-bank"
[[exclude]]
variants = ["base"]
shots = [{ normal = 4, abnormal = 0 }]
"#;

const REGISTRY: &str = r#"
[Small]
layout = "phantom"
object = "brain"
modality = "MRI"
masks = true
phantom = { side = 32 }
"#;

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
    place.write("datasets.toml", REGISTRY);
    let cases: [(&str, &str, &[(&str, &str)]); 2] = [
        (
            "experiment",
            EXPERIMENT,
            &[
                ("seeds = [0]", "seed = [0]"),
                ("seeds = [0]", "seeds = 0"),
                ("seeds = [0]", ""),
                ("selection = [\"last\"]", "selection = [\"first\"]"),
                ("normal = 4", "normals = 4"),
                ("shots = [2, ", "shots = [\"2\", "),
                ("epochs = 1", "epoch = 1"),
                ("epochs = 1", "epochs = 1.5"),
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
                ("modality = \"MRI\"", ""),
                ("masks = true", "masks = true\ncounts = { tests = 3 }"),
                ("masks = true", "masks = true\nsupport_lists = { a = 3 }"),
            ],
        ),
    ];
    for (kind, text, changes) in cases {
        let validator = validator(kind);
        let (taken, said) = read(&place, kind, text);
        assert!(taken, "{said}");
        let found: Vec<_> = validator.iter_errors(&value(text)).map(|error| error.to_string()).collect();
        assert!(found.is_empty(), "{found:?}");
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            let changed = text.replacen(from, to, 1);
            let (taken, said) = read(&place, kind, &changed);
            assert!(!taken && !validator.is_valid(&value(&changed)), "{kind}, {from} -> {to}: taken {taken}, {said}");
        }
    }
}

#[test]
fn every_option_of_every_method_fits_the_schema() {
    let validator = validator("experiment");
    for method in harness_experiment::Method::ALL {
        for preset in method.presets() {
            let options = toml::to_string(&method.preset(preset).unwrap()).unwrap();
            let text = EXPERIMENT.replace("[base]", &format!("[base]\n{options}"));
            let found: Vec<_> = validator.iter_errors(&value(&text)).map(|error| error.to_string()).collect();
            assert!(found.is_empty(), "{method}, {preset}: {found:?}");
        }
    }
}
