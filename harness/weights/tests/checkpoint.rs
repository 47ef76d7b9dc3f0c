//! The authors' checkpoint of golden case `released` is that case's state after five steps, and says what it fits.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use harness_method::StorePrecision;
use harness_method::options::{Adapter, Branches, Prompts};
use harness_method::{Arch, Options};
use harness_tests::shared;
use harness_weights::{Checkpoint, Weights, WeightsError, inspect, safetensors_metadata, write_safetensors_with};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    seed: u64,
    arch: Arch,
    options: Options,
}

fn checkpoint() -> Option<(PathBuf, Case)> {
    let path = shared("weights/formats/authors-checkpoint.pth")?;
    let case = harness_tests::golden("released/case.toml");
    Some((path, toml::from_str(&std::fs::read_to_string(case).unwrap()).unwrap()))
}

#[test]
fn its_tensors_are_the_golden_state_after_five_steps() {
    let Some((path, case)) = checkpoint() else { return };
    let golden = std::fs::read(harness_tests::golden("released/expected.safetensors")).unwrap();
    let golden = safetensors::SafeTensors::deserialize(&golden).unwrap();
    let state = Checkpoint::open(&path).unwrap().state(&case.options, &case.arch).unwrap();
    let names: Vec<&str> = state.iter().map(|tensor| tensor.name.as_str()).collect();
    let mut finals: Vec<&str> = golden.names().into_iter().filter_map(|name| name.strip_prefix("final.")).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    finals.sort_unstable();
    assert_eq!(sorted, finals);
    for tensor in &state {
        let view = golden.tensor(&format!("final.{}", tensor.name)).unwrap();
        assert_eq!(view.shape(), tensor.shape);
        let expected: Vec<f32> =
            view.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
        let (mut difference, mut norm) = (0.0_f64, 0.0_f64);
        for (found, expected) in tensor.data.iter().zip(&expected) {
            difference += f64::from(found - expected).powi(2);
            norm += f64::from(*expected).powi(2);
        }
        // The conformance tolerance of parameters.
        assert!((difference / norm).sqrt() <= 1e-3, "{}: {}", tensor.name, (difference / norm).sqrt());
    }
}

#[test]
fn it_says_which_options_fit_where_those_given_do_not() {
    let Some((path, case)) = checkpoint() else { return };
    let checkpoint = Checkpoint::open(&path).unwrap();
    let refused = |change: &dyn Fn(&mut Options, &mut Arch)| {
        let (mut options, mut arch) = (case.options.clone(), case.arch.clone());
        change(&mut options, &mut arch);
        let error = checkpoint.state(&options, &arch).unwrap_err().to_string();
        let fits = "`adapter = \"linear\"` on 4 taps of width 64, embedding 48, `branches = \"dual\"`, `prompts = \"learned\"`, \
                    `prompt_positions = [\"end\", \"front\", \"middle\"]`, `context_tokens = 8` of width 32";
        assert!(error.contains(fits), "{error}");
        error
    };
    let says = |error: String, part: &str| assert!(error.contains(part), "{error}");
    says(refused(&|options, _| options.taps = vec![1, 2, 3]), "left over: abnormal_det_adapters.3.fc1.0.weight");
    says(refused(&|options, _| options.taps = vec![1, 2, 3, 4, 5]), "missing: normal_det_adapters.4.fc1.0.weight");
    says(refused(&|options, _| options.adapter = Adapter::Conv), "missing: normal_det_adapters.0.cnn.0.weight");
    says(refused(&|options, _| options.context_tokens = 4), "expected [7, 4, 32]");
    says(refused(&|_, arch| arch.width = 128), "[64, 64], expected [128, 128]");
    says(refused(&|options, _| options.prompts = Prompts::LearnedAbnormal), "left over: prompt_maker_normal");
    says(refused(&|options, _| options.branches = Branches::Single), "no counterpart of `shared.1.shared.weight`");
}

#[test]
fn its_copy_of_the_text_tower_tells_another_encoder() {
    let Some((path, case)) = checkpoint() else { return };
    let checkpoint = Checkpoint::open(&path).unwrap();
    checkpoint.check_text_tower(&Weights::synthetic(&case.arch, case.seed).unwrap()).unwrap();
    let error = checkpoint.check_text_tower(&Weights::synthetic(&case.arch, case.seed + 1).unwrap()).unwrap_err();
    assert!(matches!(&error, WeightsError::TextTower { .. }), "{error}");
    let narrow = Arch { text_width: 16, ..case.arch };
    let error = checkpoint.check_text_tower(&Weights::synthetic(&narrow, case.seed).unwrap()).unwrap_err();
    assert!(error.to_string().contains("trained with another encoder"), "{error}");
}

#[test]
fn inspection_knows_checkpoints_and_states_for_what_they_are() {
    let Some((path, _)) = checkpoint() else { return };
    let report = inspect(&path).unwrap();
    assert!(report.is_state() && !report.is_usable() && report.differences.is_empty());
    assert_eq!(report.checkpoint.unwrap().taps, 4);

    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("0000.safetensors");
    let layout = [("normal.1.det.weight".to_owned(), vec![2])];
    let about = [("harness.state", "1".to_owned()), ("epoch", "3".to_owned())];
    write_safetensors_with(&state, &layout, StorePrecision::F32, &about, |_| Ok(vec![1.0, f32::NAN])).unwrap();
    let metadata = safetensors_metadata(&state).unwrap();
    assert_eq!((metadata["format"].as_str(), metadata["epoch"].as_str()), ("pt", "3"));
    let report = inspect(&state).unwrap();
    assert!(report.is_state() && report.checkpoint.is_none());
    assert_eq!((report.metadata["epoch"].as_str(), report.non_finite[0].count), ("3", 1));
}

#[test]
fn a_file_without_adapters_is_no_checkpoint() {
    let Some(path) = shared("weights/formats/state-dict.pt") else { return };
    let error = Checkpoint::open(&path).unwrap_err();
    assert!(matches!(error, WeightsError::NotCheckpoint { .. }), "{error}");
}
