//! The `__metadata__` of a state's safetensors file: the model it belongs to and how it was trained. Everything in it
//! follows from the training's id, so equal trainings write equal bytes. The keys are documented in `docs/states.md`.

use std::collections::BTreeMap;
use std::path::Path;

use harness_experiment::{ContentHash, Draw, Method, Shots, Training};
use harness_weights::safetensors_metadata;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::format;

/// Version of the keys.
const FORMAT: u32 = 1;

/// The key whose value is [`FORMAT`]: what makes a safetensors file a state.
const FORMAT_KEY: &str = "harness.state";

/// What a state's file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// The training. Where its support set is found is not known: dataset, shots and draw are empty.
    pub training: Training,
    /// The epoch after which it was read.
    pub epoch: u32,
}

/// What is written of the state after an epoch.
pub fn describe(training: &Training, epoch: u32) -> Result<Vec<(&'static str, String)>, Error> {
    let options = training.options.effective();
    let mut about = vec![
        (FORMAT_KEY, FORMAT.to_string()),
        ("harness.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("method", training.method.to_string()),
        ("method_version", training.method_version.to_string()),
        ("training", training.id.to_string()),
        ("epoch", epoch.to_string()),
        ("object", training.object.clone()),
        ("image_size", options.image_size().to_string()),
        ("taps", json(&options.taps())?),
        ("options", json(&options)?),
        ("arch", json(&training.arch)?),
        ("weights", training.weights.to_string()),
        ("precision", training.precision.name().to_owned()),
        ("store", training.store.name().to_owned()),
        ("backend", json(&training.backend)?),
        ("has_masks", training.has_masks.to_string()),
        ("seed", training.seed.to_string()),
        ("epochs", training.epochs.to_string()),
        ("batch", training.batch.to_string()),
        ("learning_rate", json(&training.learning_rate)?),
    ];
    if let Some(support) = &training.support {
        about.push(("support", support.to_string()));
    }
    if let Some(options) = options.madclip() {
        about.push(("prompts", text(&options.prompts)?));
    }
    if let Some(fold) = &training.fold {
        about.push(("fold", json(fold)?));
    }
    Ok(about)
}

/// Reads what a safetensors file says of itself; `None` where it says nothing, as a state of an early version.
///
/// # Errors
/// A file that can't be read; entries that are missing, wrong, of another version, or that don't come to the id they
/// name.
pub fn read(path: &Path) -> Result<Option<Described>, Error> {
    let entries = safetensors_metadata(path)?;
    let Some(format) = entries.get(FORMAT_KEY) else { return Ok(None) };
    let format = format.parse().map_err(|_| Error::record(path, format!("its format `{format}` is not a number")))?;
    format::known(path, format, FORMAT)?;
    match format {
        1 => parse(&entries).map(Some).map_err(|what| Error::record(path, what)),
        _ => Err(Error::record(path, format!("there is no format {format} of states"))),
    }
}

fn parse(entries: &BTreeMap<String, String>) -> Result<Described, String> {
    let entries = Entries(entries);
    let training = Training {
        id: entries.text("training")?.parse().map_err(|error| format!("`training`: {error}"))?,
        method: if entries.0.contains_key("method") { entries.named("method")? } else { Method::default() },
        method_version: entries.json("method_version")?,
        dataset: String::new(),
        shots: Shots::default(),
        draw: Draw::default(),
        support: entries.0.contains_key("support").then(|| entries.hash("support")).transpose()?,
        object: entries.text("object")?.clone(),
        has_masks: entries.json("has_masks")?,
        seed: entries.json("seed")?,
        epochs: entries.json("epochs")?,
        batch: entries.json("batch")?,
        learning_rate: entries.json("learning_rate")?,
        precision: entries.named("precision")?,
        store: entries.named("store")?,
        weights: entries.hash("weights")?,
        backend: entries.json("backend")?,
        arch: entries.json("arch")?,
        options: entries.json("options")?,
        fold: entries.0.contains_key("fold").then(|| entries.json("fold")).transpose()?,
    };
    let (method, found, ours) = (training.method, training.method_version, training.method.version());
    if found != ours {
        return Err(format!("trained with version {found} of the method `{method}`, and this program computes {ours}"));
    }
    let identity = training.identity().map_err(|error| error.to_string())?;
    if identity != training.id {
        return Err(format!("its metadata come to training {identity}, not to {}: they were edited", training.id));
    }
    Ok(Described { training, epoch: entries.json("epoch")? })
}

struct Entries<'a>(&'a BTreeMap<String, String>);

impl Entries<'_> {
    fn text(&self, key: &str) -> Result<&String, String> {
        self.0.get(key).ok_or_else(|| format!("its metadata lack `{key}`"))
    }

    fn json<T: DeserializeOwned>(&self, key: &str) -> Result<T, String> {
        serde_json::from_str(self.text(key)?).map_err(|error| format!("its metadata's `{key}`: {error}"))
    }

    /// A value that is a name, written without quotes.
    fn named<T: DeserializeOwned>(&self, key: &str) -> Result<T, String> {
        let name = serde_json::Value::String(self.text(key)?.clone());
        serde_json::from_value(name).map_err(|error| format!("its metadata's `{key}`: {error}"))
    }

    fn hash(&self, key: &str) -> Result<ContentHash, String> {
        self.text(key)?.parse().map_err(|error| format!("its metadata's `{key}`: {error}"))
    }
}

fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::record(Path::new("a state's metadata"), error))
}

/// A name as JSON has it, without its quotes.
fn text(value: &impl Serialize) -> Result<String, Error> {
    Ok(json(value)?.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::state::StateTensor;
    use harness_experiment::{Backend, Fold, Precision, StorePrecision, TrainingId};
    use harness_method::Arch;
    use harness_method::Preset;

    fn training() -> Training {
        let arch = Arch {
            image_size: 336,
            patch: 14,
            width: 64,
            layers: 24,
            heads: 1,
            embed: 8,
            vocab: 49_408,
            context: 77,
            text_width: 8,
            text_layers: 1,
            text_heads: 1,
        };
        let mut training = Training {
            id: TrainingId::from_bytes([0; 8]),
            method: Method::Madclip,
            method_version: Method::Madclip.version(),
            dataset: "Brain".to_owned(),
            shots: Shots::each(4),
            draw: 1.into(),
            support: Some(ContentHash::from_bytes([7; 32])),
            object: "a \"quoted\" name".to_owned(),
            has_masks: true,
            seed: u64::MAX,
            epochs: 60,
            batch: 16,
            learning_rate: 1e-3 / 3.0,
            precision: Precision::Bf16,
            store: StorePrecision::F16,
            weights: ContentHash::from_bytes([9; 32]),
            backend: Backend { name: "flex".to_owned(), version: "1".to_owned(), device: "cpu".to_owned() },
            arch,
            options: Preset::Released.options().into(),
            fold: Some(Fold { number: 1, of: 2, held_out: vec![0, 5] }),
        };
        training.id = training.identity().unwrap();
        training
    }

    fn written(about: &[(&str, String)]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0003.safetensors");
        let state = [StateTensor { name: "a".to_owned(), shape: vec![1], values: vec![1.0] }];
        crate::state::write(&state, about, &path).unwrap();
        (folder, path)
    }

    #[test]
    fn a_state_names_its_training_but_not_where_its_images_were() {
        let training = training();
        let (_folder, path) = written(&describe(&training, 3).unwrap());
        let found = read(&path).unwrap().unwrap();
        let expected = Training { dataset: String::new(), shots: Shots::default(), draw: Draw::default(), ..training };
        assert_eq!(found, Described { training: expected, epoch: 3 });
    }

    #[test]
    fn equal_ids_write_equal_bytes_whatever_the_dataset_is_called() {
        let training = training();
        // Without effect on a linear adapter.
        let adapter_attention = harness_method::options::AdapterAttention::Tokens;
        let options = harness_method::Options { adapter_attention, ..training.options.madclip().unwrap().clone() };
        let (dataset, options) = ("Head".to_owned(), options.into());
        let other = Training { dataset, shots: Shots::each(9), draw: Draw::default(), options, ..training.clone() };
        assert_eq!(other.identity().unwrap(), training.id);
        let (_one, first) = written(&describe(&training, 0).unwrap());
        let (_two, second) = written(&describe(&other, 0).unwrap());
        assert_eq!(std::fs::read(first).unwrap(), std::fs::read(second).unwrap());
    }

    #[test]
    fn a_silent_file_is_a_state_of_an_early_version() {
        let (_folder, path) = written(&[]);
        assert_eq!(read(&path).unwrap(), None);
    }

    #[test]
    fn edited_and_foreign_metadata_are_refused_with_the_entry_named() {
        type About = Vec<(&'static str, String)>;
        let says = |change: &dyn Fn(&mut About), expected: &str| {
            let mut about = describe(&training(), 3).unwrap();
            change(&mut about);
            let (_folder, path) = written(&about);
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("0003.safetensors"), "{error}");
        };
        let set = |about: &mut About, key: &str, value: &str| {
            about.iter_mut().filter(|(known, _)| *known == key).for_each(|(_, old)| *old = value.to_owned());
        };
        says(&|about| set(about, "seed", "1"), "they were edited");
        says(&|about| set(about, "harness.state", "2"), "format 2");
        says(&|about| set(about, "harness.state", "new"), "`new`");
        says(&|about| set(about, "method_version", "99"), "version 99 of the method `madclip`");
        says(&|about| set(about, "precision", "f8"), "`precision`");
        says(&|about| set(about, "options", "{\"loss\":\"hinge\"}"), "`options`");
        says(&|about| set(about, "options", "{\"margin\":1}"), "a newer version wrote this");
        says(&|about| about.retain(|(key, _)| *key != "weights"), "lack `weights`");
    }
}
