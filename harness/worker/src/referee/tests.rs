//! A backend whose products go wrong once they come out of its tuning cache is found, wherever in a training that
//! begins.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use harness_backend_abi::host::Backend;
use harness_data::{Dataset, Source, images_hash};
use harness_experiment::{EncoderSource, EpochRange, Evaluation, Training};
use harness_faulty::tuned::{self, Wrong};
use harness_method::options::Prompts;
use harness_method::{Arch, Draw, Options, Shots};
use harness_records::{EvaluationRecord, TrainingRecord, registry};
use harness_weights::Weights;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::evaluating::evaluate;
use crate::events::Events;
use crate::lab::Known;
use crate::protocol::{Task, WorldSetup};
use crate::session::PROCESSOR;
use crate::training::train;

const REGISTRY: &str = "[Small]\nlayout = \"phantom\"\nobject = \"Brain\"\nmodality = \"generated\"\nmasks = true\n\
                        phantom = { side = 32, valid = 1, test = 6, seed = 1 }\n";

/// The backend's faults are the process's.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A tiny training and an evaluation of it, in a folder of their own.
struct Place {
    _alone: MutexGuard<'static, ()>,
    folder: TempDir,
    setup: WorldSetup,
    training: Training,
    evaluation: Evaluation,
}

impl Place {
    fn new() -> Self {
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("datasets.toml");
        std::fs::write(&path, REGISTRY).unwrap();
        let arch: Arch = serde_json::from_value(json!({
            "image_size": 32, "patch": 8, "width": 16, "layers": 2, "heads": 2, "embed": 8,
            "vocab": 2, "context": 8, "text_width": 8, "text_layers": 1, "text_heads": 1,
        }))
        .unwrap();
        let options = Options { image_size: 32, taps: vec![1, 2], prompts: Prompts::Free, ..Options::default() };
        let dataset = Dataset::open(&registry::load(&path, None).unwrap(), "Small").unwrap();
        let of_set = |value: serde_json::Value| serde_json::from_value(value).unwrap();
        let shots: Shots = serde_json::from_value(json!(1)).unwrap();
        let draw: Draw = serde_json::from_value(json!(0)).unwrap();
        let support = dataset.support(shots, draw).unwrap().hash;
        let weights = Weights::synthetic(&arch, 0).unwrap().hash().to_string();
        let training: Training = serde_json::from_value(json!({
            "id": "0123456789abcdef", "method": "madclip", "method_version": 1, "dataset": "Small", "shots": 1,
            "draw": 0, "support": support, "object": "", "has_masks": true, "seed": 0, "epochs": 7, "batch": 8,
            "learning_rate": 1e-3, "weights": weights,
            "backend": {"name": "faulty", "version": "1", "device": "cpu"}, "arch": arch,
            "options": harness_methods::MethodOptions::from(options),
        }))
        .unwrap();
        let items = dataset.test_set().unwrap();
        let evaluation: Evaluation = of_set(json!({
            "id": "0123456789abcdef", "training": "0123456789abcdef", "dataset": "Small", "test_images": items.len(),
            "test": images_hash(&items, &Source::content_hash).unwrap(), "object": "", "batch": 5,
            "epochs": EpochRange::all(7),
        }));
        let setup = WorldSetup {
            registry: path,
            generated: None,
            taps: folder.path().join("taps"),
            budget: None,
            device: PROCESSOR.to_owned(),
            encoder: EncoderSource::Synthetic { seed: 0, arch },
            precision: Precision::F32,
            compared: false,
        };
        Self { _alone, folder, setup, training, evaluation }
    }

    fn made(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        // Nothing goes on where the run before it failed.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Trains and scores on a backend as a new worker would: what was checked of either, or the first failure.
    fn run(&self, backend: Backend, checked: bool) -> Result<[Option<Check>; 2], Error> {
        let referee = checked.then(|| Referee::new(harness_backend_flex::backend().unwrap(), Some(1)));
        let mut lab = Lab::open(backend, &self.setup, Some(1), Known::default(), referee)?;
        let mut events = Events::new(File::create(self.folder.path().join("events")).unwrap());
        let (states, folder) = (self.made("training"), self.made("evaluation"));
        train(&mut lab, &self.training, EpochRange { first: 6, last: 6 }, &states, &mut events)?;
        let task = Task { evaluation: self.evaluation.clone(), epochs: vec![6], folder: folder.clone() };
        evaluate(&mut lab, &mut Vec::new(), &self.training, &states, &[task], &mut events)?;
        let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
        let training: TrainingRecord = toml::from_str(&read(states.join("training.toml"))).unwrap();
        let evaluation: EvaluationRecord = toml::from_str(&read(folder.join("evaluation.toml"))).unwrap();
        assert_eq!(training.cost.check_secs.is_some(), checked);
        Ok([training.check, evaluation.check])
    }
}

#[test]
fn a_product_that_goes_wrong_in_the_tuning_cache_is_found_wherever_that_begins() {
    let place = Place::new();
    let [training, evaluation] = place.run(tuned::backend(None).unwrap(), true).unwrap();
    let (training, evaluation) = (training.unwrap(), evaluation.unwrap());
    assert!(training.by.starts_with("flex "));
    let names = |check: &Check| check.quantities.iter().map(|quantity| quantity.name.clone()).collect::<Vec<_>>();
    let step = ["loss.detection", "loss.focal", "loss.dice", "gradients"];
    assert_eq!(names(&training), [step, step].concat());
    assert_eq!(names(&evaluation), ["taps", "grids", "detection"]);
    let all = training.quantities.iter().chain(&evaluation.quantities);
    assert!(all.clone().all(|quantity| quantity.error <= quantity.tolerance / 10.0), "{training:?} {evaluation:?}");

    let mut found = [0, 0, 0];
    for hits in 0..100 {
        let run = place.run(tuned::backend(Some(Wrong::AfterHits(hits))).unwrap(), true);
        let error = run.err().unwrap_or_else(|| panic!("after {hits} hits nothing was found"));
        assert_eq!(error.class(), Class::Numeric, "{error}");
        let message = error.to_string();
        let guard = ["the first step: ", "the first step, computed again", "8 images: "];
        let guard = guard.iter().position(|words| message.starts_with(words));
        found[guard.unwrap_or_else(|| panic!("{message}"))] += 1;
        for words in ["`harness backends check faulty`", "~/.config", "flex "] {
            assert!(message.contains(words), "{message}");
        }
    }
    assert!(found[0] > 0 && found[1] > 0 && found.iter().sum::<i32>() == 100, "{found:?}");
    // What no guard looks at is what would have passed.
    assert_eq!(place.run(tuned::backend(Some(Wrong::AfterHits(3))).unwrap(), false).unwrap(), [None, None]);
    let late = place.run(tuned::backend(Some(Wrong::AfterHits(119))).unwrap(), true).unwrap_err().to_string();
    assert!(late.starts_with("8 images: "), "{late}");
}

#[test]
fn a_panic_on_a_thread_of_the_device_is_the_status_of_the_call_that_met_it() {
    let place = Place::new();
    for hits in [0, 1, 50] {
        let wrong = |words| Some(Wrong::Thread(hits, words));
        let error = place.run(tuned::backend(wrong("an address that nothing may read")).unwrap(), false).unwrap_err();
        let message = error.to_string();
        assert!(error.class() == Class::Backend && message.contains("trainer_step"), "{message}");
        assert!(message.contains("a thread of the device panicked") && message.contains("an address"), "{message}");
        let error = place.run(tuned::backend(wrong("CUDA_ERROR_OUT_OF_MEMORY: out of memory")).unwrap(), false);
        assert_eq!(error.unwrap_err().class(), Class::Exhausted);
    }
}
