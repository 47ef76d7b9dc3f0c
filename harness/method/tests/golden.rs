//! Streams, trainable tensors and synthetic weights against the reference's values.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;

use harness_method::options::Options;
use harness_method::parameters::parameters;
use harness_method::synthetic::clip_state;
use harness_method::{Arch, streams};
use safetensors::SafeTensors;
use serde::Deserialize;

#[derive(Deserialize)]
struct Streams {
    seed: u64,
    shuffle_epoch_3_of_128: Vec<usize>,
    jitter_abnormal: Vec<f64>,
    uniform_first_8: Vec<f32>,
    normal_first_8: Vec<f32>,
    support_names: Vec<String>,
    #[serde(rename = "support_Brain_4_normal_draw_2")]
    support: Vec<String>,
}

#[derive(Deserialize)]
struct Case {
    seed: u64,
    arch: Arch,
    options: Options,
}

const CASES: [&str; 11] = [
    "released",
    "as-pretrained",
    "contrastive-fixed",
    "conv-max",
    "transformer-over-batch",
    "transformer-over-tokens",
    "normal-branch",
    "abnormal-branch",
    "single-branch",
    "image-level",
    "free-text",
];

fn read_case(folder: &Path) -> (Case, Vec<u8>) {
    let case = toml::from_str(&std::fs::read_to_string(folder.join("case.toml")).unwrap()).unwrap();
    (case, std::fs::read(folder.join("expected.safetensors")).unwrap())
}

fn f32s(tensors: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let bytes = tensors.tensor(name).unwrap().data().to_vec();
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

#[test]
fn streams_are_the_reference_s_bit_for_bit() {
    let path = harness_tests::golden("pre/streams.json");
    let golden: Streams = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(streams::permutation("shuffle.3", golden.seed, 128), golden.shuffle_epoch_3_of_128);
    let stream = streams::Stream::new("jitter.abnormal", golden.seed);
    for (k, expected) in golden.jitter_abnormal.iter().enumerate() {
        // serde_json may round an f64 in the last place.
        assert!((0.8 + 0.4 * stream.uniform(k as u64) - expected).abs() < 1e-15);
    }
    assert_eq!(streams::uniform("normal.6.shared.weight", golden.seed, 8, 0.1), golden.uniform_first_8);
    assert_eq!(streams::normal("prompt.normal.end", golden.seed, 8, 0.0, 0.02), golden.normal_first_8);
    let order = streams::permutation("support.Brain.4.normal", 2, golden.support_names.len());
    let drawn: Vec<&String> = order[..4].iter().map(|i| &golden.support_names[*i]).collect();
    assert_eq!(drawn, golden.support.iter().collect::<Vec<_>>());
}

#[test]
fn a_permutation_of_none_or_one_is_trivial() {
    assert!(streams::permutation("shuffle.0", 0, 0).is_empty());
    assert_eq!(streams::permutation("shuffle.0", 0, 1), [0]);
}

#[test]
fn trainable_tensors_have_the_names_and_shapes_of_every_golden_case() {
    for name in CASES {
        let folder = harness_tests::golden(name);
        let (case, bytes) = read_case(&folder);
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let expected: BTreeMap<String, Vec<usize>> = tensors
            .iter()
            .filter_map(|(key, view)| Some((key.strip_prefix("gradient.")?.to_owned(), view.shape().to_vec())))
            .collect();
        let ours: BTreeMap<String, Vec<usize>> =
            parameters(&case.options, &case.arch).into_iter().map(|p| (p.name, p.shape)).collect();
        assert!(!expected.is_empty());
        assert_eq!(ours, expected, "{name}");
    }
}

#[test]
fn initial_values_lie_within_five_adam_steps_of_the_golden_final_ones() {
    for name in CASES {
        let folder = harness_tests::golden(name);
        let (case, bytes) = read_case(&folder);
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        for parameter in parameters(&case.options, &case.arch) {
            let last = f32s(&tensors, &format!("final.{}", parameter.name));
            let first = parameter.values(case.seed);
            assert_eq!(first.len(), last.len());
            // One Adam step with betas 0.5 and 0.999 moves an element by a few rates at most; a wrong stream or
            // bound is far outside.
            let furthest = first.iter().zip(&last).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(furthest < 0.02, "{name}: {} moved by {furthest}", parameter.name);
        }
    }
}

#[test]
fn a_synthetic_clip_has_the_shapes_and_the_values_of_the_reference_s() {
    let Some(path) = harness_tests::shared("weights/formats/open_clip.safetensors") else { return };
    let bytes = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let arch = Arch {
        image_size: 32,
        patch: 8,
        width: 128,
        layers: 2,
        heads: 2,
        embed: 64,
        vocab: 512,
        context: 77,
        text_width: 64,
        text_layers: 2,
        text_heads: 1,
    };
    let state = clip_state(&arch);
    assert_eq!(state.len(), tensors.len());
    for tensor in state {
        assert_eq!(tensors.tensor(&tensor.name).unwrap().shape(), tensor.shape, "{}", tensor.name);
        assert_eq!(tensor.values(7), f32s(&tensors, &tensor.name), "{}", tensor.name);
    }
}
