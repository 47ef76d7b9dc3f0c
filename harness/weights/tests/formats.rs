//! Every published format gives the same tensors.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use harness_method::Arch;
use harness_method::options::Activation;
use harness_method::synthetic::clip_state;
use harness_tests::shared;
use harness_weights::{Floats, Heads, Kind, PickleFile, Weights, WeightsError, inspect, inspect_with};

/// The architecture of `weights/formats`.
fn arch() -> Arch {
    Arch {
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
    }
}

fn format(name: &str) -> Option<PathBuf> {
    shared(&format!("weights/formats/{name}"))
}

/// Every tensor against `clip_state` of seed 7.
fn check(path: &Path, kind: Kind, tolerance: f32) {
    let weights = Weights::open(path).unwrap();
    assert_eq!(*weights.arch(), arch(), "{}", path.display());
    assert_eq!(weights.kind(), kind);
    let state = clip_state(&arch());
    assert_eq!(weights.names().count(), state.len(), "{}", path.display());
    for expected in state {
        let tensor = weights.tensor(&expected.name).unwrap();
        assert_eq!((&tensor.name, &tensor.shape), (&expected.name, &expected.shape));
        let values = expected.values(7);
        assert_eq!(tensor.data.len(), values.len());
        let worst = tensor.data.iter().zip(&values).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f32::max);
        assert!(worst <= tolerance, "{}: {} is off by {worst}", path.display(), expected.name);
    }
    let report = inspect(path).unwrap();
    assert!(report.is_usable(), "{report:?}");
    assert_eq!(report.hash, weights.hash());
}

#[test]
fn every_format_holds_the_same_clip() {
    for (name, kind, tolerance) in [
        ("openai-torchscript.pt", Kind::TorchScript, 1e-3),
        ("state-dict.pt", Kind::TorchZip, 1e-3),
        ("training-checkpoint.pt", Kind::TorchZip, 0.0),
        ("legacy-format.pt", Kind::TorchLegacy, 0.0),
        ("open_clip.safetensors", Kind::Safetensors, 0.0),
        ("transformers", Kind::Folder, 0.0),
        ("transformers-sharded", Kind::Folder, 0.0),
        ("transformers-sharded/model.safetensors.index.json", Kind::Folder, 0.0),
        ("transformers/model.safetensors", Kind::Safetensors, 0.0),
    ] {
        let Some(path) = format(name) else { return };
        check(&path, kind, tolerance);
    }
}

#[test]
fn a_real_image_tower_opens_and_says_its_architecture() {
    let Some(path) = shared("weights/vit-s14-real.safetensors") else { return };
    let weights = Weights::open(&path).unwrap();
    let arch = weights.arch();
    assert_eq!((arch.image_size, arch.patch, arch.width, arch.layers, arch.heads), (224, 14, 384, 12, 6));
    assert_eq!((arch.embed, arch.vocab, arch.context, arch.text_width, arch.text_layers), (128, 49_408, 77, 64, 3));
    assert_eq!(weights.files(), std::slice::from_ref(&path));
    assert_eq!(weights.suggested_activation(), None);
}

#[test]
fn the_towers_share_nothing_and_leave_out_what_the_method_never_uses() {
    let weights = Weights::synthetic(&arch(), 7).unwrap();
    let image: Vec<&str> = weights.image_tower_names().collect();
    let text: Vec<&str> = weights.text_tower_names().collect();
    assert_eq!(image.len(), 3 + 2 + 2 * 12);
    assert_eq!(text.len(), 1 + 2 + 1 + 2 * 12, "positions, ln_final, projection, blocks");
    assert!(image.iter().all(|name| !text.contains(name)));
    for unused in ["visual.proj", "visual.ln_post.weight", "logit_scale", "token_embedding.weight"] {
        assert!(!image.contains(&unused) && !text.contains(&unused), "{unused}");
    }
}

#[test]
fn gathered_rows_are_the_table_s_and_a_token_beyond_it_is_named() {
    let synthetic = Weights::synthetic(&arch(), 7).unwrap();
    let table = synthetic.tensor("token_embedding.weight").unwrap().data;
    let ids = [511, 0, 3, 3];
    let expected: Vec<f32> = ids.iter().flat_map(|id| &table[id * 64..(id + 1) * 64]).copied().collect();
    let ids = ids.map(|id| id as u32);
    assert_eq!(synthetic.gather_token_embeddings(&ids).unwrap(), expected);
    for name in ["open_clip.safetensors", "legacy-format.pt", "transformers"] {
        let Some(path) = format(name) else { return };
        let weights = Weights::open(&path).unwrap();
        assert_eq!(weights.gather_token_embeddings(&ids).unwrap(), expected);
        let error = weights.gather_token_embeddings(&[1, 49_406]).unwrap_err();
        assert!(matches!(error, WeightsError::TokenId { id: 49_406, vocab: 512, .. }), "{error}");
    }
}

#[test]
fn an_origin_that_suggests_an_activation_is_noted() {
    for (name, expected) in [
        ("openai-torchscript.pt", Some(Activation::QuickGelu)),
        ("transformers-sharded", Some(Activation::QuickGelu)),
        ("open_clip.safetensors", None),
        ("state-dict.pt", None),
    ] {
        let Some(path) = format(name) else { return };
        assert_eq!(Weights::open(&path).unwrap().suggested_activation(), expected, "{name}");
        let notes = inspect(&path).unwrap().notes;
        assert_eq!(
            notes.iter().any(|n| n.contains("`quick_gelu`; the option `activation` decides")),
            expected.is_some()
        );
    }
}

#[test]
fn a_report_counts_types_and_lists_what_is_no_clip_s() {
    let Some(path) = format("openai-torchscript.pt") else { return };
    let report = inspect(&path).unwrap();
    // Half precision: convolution, both projections and eight tensors in each of four blocks.
    assert_eq!(report.dtypes, BTreeMap::from([("f16".into(), 35), ("f32".into(), 27), ("i64".into(), 3)]));
    let extra: Vec<&str> = report.extra.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(extra, ["input_resolution", "context_length", "vocab_size"]);
    let Some(path) = format("training-checkpoint.pt") else { return };
    let report = inspect(&path).unwrap();
    assert_eq!(report.prefix, "state_dict.module.");
    assert_eq!(report.naming, "OpenAI's names");
    assert_eq!(report.files[0].bytes, std::fs::metadata(&path).unwrap().len());
}

#[test]
fn the_authors_checkpoint_lists_its_adapters_and_prompts() {
    let Some(path) = format("authors-checkpoint.pth") else { return };
    let file = PickleFile::open(&path).unwrap();
    let shapes: BTreeMap<&str, &[usize]> = file.tensors().collect();
    // Golden case `released`: W 64, E 48, Wt 32, four taps.
    for side in ["normal", "abnormal"] {
        for tap in 0..4 {
            for (part, shape) in [("fc1", [64, 64]), ("fc2", [48, 64]), ("fc3", [48, 64])] {
                assert_eq!(shapes[format!("{side}_det_adapters.{tap}.{part}.0.weight").as_str()], shape);
            }
        }
        for position in ["end", "front", "middle"] {
            let name = format!("prompt_maker_{side}.prompt_learner.ctx.{side}_{position}");
            let alternative = shapes.keys().find(|n| n.contains("ctx")).copied();
            assert_eq!(shapes.get(name.as_str()).copied(), Some([7, 8, 32].as_slice()), "{alternative:?}");
        }
        assert!(shapes.keys().any(|n| n.starts_with(&format!("prompt_maker_{side}.text_encoder."))));
    }
    let golden = harness_tests::golden("released/expected.safetensors");
    let bytes = std::fs::read(golden).unwrap();
    let golden = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let expected: Vec<f32> = golden
        .tensor("final.normal.1.shared.weight")
        .unwrap()
        .data()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    let found = file.tensor("normal_det_adapters.0.fc1.0.weight").unwrap();
    let worst = found.data.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-4, "{worst}");

    assert!(matches!(Weights::open(&path), Err(WeightsError::NotClip { .. })));
    let report = inspect(&path).unwrap();
    assert!(!report.is_usable() && report.is_state());
    assert!(matches!(file.tensor("nothing"), Err(WeightsError::Missing { .. })));
}

#[test]
fn heads_can_be_stated_and_must_divide_the_width() {
    let Some(path) = format("open_clip.safetensors") else { return };
    let weights = Weights::open_with(&path, Heads { image: Some(4), text: Some(2) }).unwrap();
    assert_eq!((weights.arch().heads, weights.arch().text_heads), (4, 2));
    let heads = Heads { image: Some(3), text: None };
    let error = Weights::open_with(&path, heads).unwrap_err();
    assert!(error.to_string().contains("3 attention heads don't divide the image tower's width 128"), "{error}");
    assert!(!inspect_with(&path, heads).unwrap().is_usable());
    assert!(Weights::open_with(&path, Heads { image: Some(0), text: None }).is_err());
}

#[test]
fn a_synthetic_clip_that_cannot_be_is_refused() {
    for change in [
        |a: &mut Arch| a.heads = 3,
        |a: &mut Arch| a.width = 0,
        |a: &mut Arch| a.layers = usize::MAX,
        |a: &mut Arch| a.patch = 64,
    ] {
        let mut arch = arch();
        change(&mut arch);
        assert!(matches!(Weights::synthetic(&arch, 0), Err(WeightsError::Arch { .. })), "{arch:?}");
    }
}

#[test]
fn a_synthetic_hash_follows_architecture_and_seed() {
    let hash = |arch: &Arch, seed| Weights::synthetic(arch, seed).unwrap().hash().to_owned();
    let mut other = arch();
    other.heads = 4;
    assert_eq!(hash(&arch(), 7), hash(&arch(), 7));
    assert_ne!(hash(&arch(), 7), hash(&arch(), 8));
    assert_ne!(hash(&arch(), 7), hash(&other, 7));
}

#[test]
fn several_files_hash_as_their_hashes_in_order() {
    let Some(path) = format("transformers-sharded") else { return };
    let weights = Weights::open(&path).unwrap();
    let hashes: Vec<String> =
        weights.files().iter().map(|file| blake3::hash(&std::fs::read(file).unwrap()).to_hex().to_string()).collect();
    assert_eq!(hashes.len(), 5);
    assert_eq!(weights.hash(), harness_weights::combine_hashes(&hashes));
    assert_eq!(harness_weights::combine_hashes(&hashes[..1]), hashes[0]);
}

#[test]
fn halves_leave_a_file_of_f16_as_they_are_and_nothing_else_does() {
    for (file, halves) in [("openai-torchscript.pt", true), ("state-dict.pt", true), ("open_clip.safetensors", false)] {
        let Some(path) = shared(&format!("weights/formats/{file}")) else { return };
        let weights = Weights::open(&path).unwrap();
        for name in weights.names().map(str::to_owned).collect::<Vec<_>>() {
            let wide = weights.tensor(&name).unwrap().data;
            match weights.floats(&name).unwrap() {
                Floats::F16(values) => {
                    assert!(halves, "{file}: {name}");
                    assert_eq!(values.iter().map(|half| half.to_f32()).collect::<Vec<_>>(), wide, "{file}: {name}");
                }
                Floats::F32(values) => assert_eq!(values, wide, "{file}: {name}"),
            }
        }
        let image = weights.floats("visual.conv1.weight").unwrap();
        assert_eq!(matches!(image, Floats::F16(_)), halves, "{file}");
    }
}
