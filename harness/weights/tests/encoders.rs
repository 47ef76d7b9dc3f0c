//! Heads, families and tensors that are not read: a file is understood as its authors meant it, or refused by name.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use harness_method::options::Activation;
use harness_method::synthetic::clip_state;
use harness_method::{Arch, StorePrecision};
use harness_weights::{Heads, Weights, WeightsError, inspect, write_safetensors};

fn arch() -> Arch {
    Arch {
        image_size: 16,
        patch: 8,
        width: 128,
        layers: 1,
        heads: 2,
        embed: 4,
        vocab: 9,
        context: 5,
        text_width: 64,
        text_layers: 1,
        text_heads: 1,
    }
}

type Layout = Vec<(String, Vec<usize>)>;

fn layout() -> Layout {
    clip_state(&arch()).into_iter().map(|tensor| (tensor.name, tensor.shape)).collect()
}

fn write(path: &Path, layout: &Layout) {
    let count = |name: &str| layout.iter().find(|(other, _)| other == name).unwrap().1.iter().product();
    write_safetensors(path, layout, StorePrecision::F16, |name| Ok(vec![0.5; count(name)])).unwrap();
}

/// A folder with a CLIP and a file beside it.
fn folder(file: &str, config: &str, json: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join(file), &layout());
    fs::write(folder.path().join(config), json).unwrap();
    let path = folder.path().join(file);
    (folder, path)
}

const OPEN_CLIP: &str = r#"{"model_cfg": {"embed_dim": 4, "quick_gelu": true,
    "vision_cfg": {"image_size": 16, "layers": 1, "width": 128, "head_width": 32, "patch_size": 8},
    "text_cfg": {"width": 64, "heads": 2, "layers": 1}}}"#;

#[test]
fn heads_are_those_of_open_clip_s_file_in_the_folder_or_beside_the_file() {
    for file in ["open_clip_model.safetensors", "ViT-X.safetensors"] {
        let (folder, path) = folder(file, "open_clip_config.json", OPEN_CLIP);
        let paths = if file.starts_with("open") { vec![path, folder.path().to_owned()] } else { vec![path] };
        for path in paths {
            let weights = Weights::open(&path).unwrap();
            assert_eq!((weights.arch().heads, weights.arch().text_heads), (4, 2), "{}", path.display());
            assert_eq!(weights.suggested_activation(), Some(Activation::QuickGelu));
            // An option decides, so that opening has nothing to say and a report has.
            assert!(weights.notes().is_empty(), "{:?}", weights.notes());
            let notes = inspect(&path).unwrap().notes;
            assert!(notes.len() == 1 && notes[0].contains("activation `quick_gelu`"), "{notes:?}");
        }
    }
    // A file of open_clip's own `model_configs`, with its default of 64 channels a head.
    let json = r#"{"vision_cfg": {"width": 128, "layers": 1}, "text_cfg": {"width": 64, "heads": 1, "layers": 1}}"#;
    let (_folder, path) = folder("a.safetensors", "open_clip_config.json", json);
    let weights = Weights::open(&path).unwrap();
    assert_eq!((weights.arch().heads, weights.suggested_activation()), (2, Some(Activation::Gelu)));
    assert!(!weights.notes().iter().any(|note| note.contains("guess")), "{:?}", weights.notes());
}

#[test]
fn heads_that_no_file_says_are_called_a_guess() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    write(&path, &layout());
    let weights = Weights::open(&path).unwrap();
    assert_eq!((weights.arch().heads, weights.arch().text_heads), (2, 1));
    let notes = weights.notes();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("image tower's 2 attention heads are a guess") && notes[0].contains("set `heads`"));
    assert!(notes[1].contains("text tower's 1 attention heads are a guess") && notes[1].contains("set `text_heads`"));
    let given = Weights::open_with(&path, Heads { image: Some(4), text: Some(2) }).unwrap();
    assert!(given.notes().is_empty(), "heads that a person gave are no guess");
}

#[test]
fn heads_given_by_hand_win_and_a_file_that_says_others_is_named() {
    let (_folder, path) = folder("a.safetensors", "open_clip_config.json", OPEN_CLIP);
    let weights = Weights::open_with(&path, Heads { image: Some(8), text: Some(2) }).unwrap();
    assert_eq!((weights.arch().heads, weights.arch().text_heads), (8, 2));
    let said = weights.notes().iter().find(|note| note.contains("attention heads")).unwrap();
    assert!(said.contains("8 attention heads, as `heads` says; open_clip_config.json says 4"), "{said}");
}

#[test]
fn a_file_beside_the_weights_that_contradicts_them_is_refused_with_both_numbers() {
    for (from, to, what, said, found) in [
        ("\"width\": 128", "\"width\": 1280", "image tower's width", 1280, 128),
        ("\"layers\": 1, \"width\"", "\"layers\": 32, \"width\"", "image tower's number of blocks", 32, 1),
        ("\"patch_size\": 8", "\"patch_size\": 14", "image tower's patch", 14, 8),
        ("\"width\": 64", "\"width\": 512", "text tower's width", 512, 64),
        ("\"heads\": 2, \"layers\": 1", "\"heads\": 2, \"layers\": 12", "text tower's number of blocks", 12, 1),
    ] {
        let json = OPEN_CLIP.replace(from, to);
        assert_ne!(json, OPEN_CLIP);
        let (_folder, path) = folder("a.safetensors", "open_clip_config.json", &json);
        let error = Weights::open(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("{what} is {said}, its tensors have {found}")), "{error}");
        assert!(!inspect(&path).unwrap().is_usable());
    }
    let json = r#"{"vision_config": {"hidden_size": 768, "num_attention_heads": 12}}"#;
    let (_folder, path) = folder("model.safetensors", "config.json", json);
    let error = Weights::open(&path).unwrap_err().to_string();
    assert!(error.contains("config.json") && error.contains("768") && error.contains("128"), "{error}");
    // Beside a file of another name it is about something else.
    let (_folder, path) = folder("a.safetensors", "config.json", json);
    assert_eq!(Weights::open(&path).unwrap().arch().heads, 2);
}

#[test]
fn what_a_file_states_that_is_not_computed_is_refused_or_said() {
    for (text, says) in [("\"no_causal_mask\": true", "no_causal_mask"), ("\"pool_type\": \"last\"", "pool_type")] {
        let json = OPEN_CLIP.replace("\"heads\": 2", &format!("\"heads\": 2, {text}"));
        let (_folder, path) = folder("a.safetensors", "open_clip_config.json", &json);
        let error = Weights::open(&path).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    for (text, says) in [
        ("\"hf_tokenizer_name\": \"bert-base-uncased\"", "other tokens than CLIP's"),
        ("\"hf_model_name\": \"roberta-base\"", "text tower is of another kind"),
    ] {
        let json = OPEN_CLIP.replace("\"heads\": 2", &format!("\"heads\": 2, {text}"));
        let (_folder, path) = folder("a.safetensors", "open_clip_config.json", &json);
        let error = Weights::open(&path).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let json = r#"{"vision_config": {"num_attention_heads": 2, "hidden_act": "gelu_new", "layer_norm_eps": 1e-6}}"#;
    let (folder, _) = folder("model.safetensors", "config.json", json);
    let weights = Weights::open(folder.path()).unwrap();
    assert_eq!(weights.suggested_activation(), None);
    let notes = weights.notes().join("\n");
    assert!(notes.contains("`gelu_new`") && notes.contains("1e-6"), "{notes}");
}

#[test]
fn images_that_are_normalised_otherwise_than_clip_s_are_noted() {
    const CLIP: &str = r#""mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]"#;
    for (values, says) in [
        (CLIP, None),
        (r#""mean": null"#, None),
        (r#""mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]"#, Some("`normalize = \"imagenet\"` does")),
        (r#""mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]"#, Some("which no value of `normalize` does")),
    ] {
        let end = OPEN_CLIP.strip_suffix('}').unwrap();
        let open_clip = format!("{end}, \"preprocess_cfg\": {{{values}}}}}");
        let (_folder, first) = folder("a.safetensors", "open_clip_config.json", &open_clip);
        let stated = r#"{"num_attention_heads": 2, "hidden_act": "gelu"}"#;
        let config = format!(r#"{{"vision_config": {stated}, "text_config": {}}}"#, stated.replace('2', "1"));
        let (beside, second) = folder("model.safetensors", "config.json", &config);
        let images = format!("{{{}}}", values.replace("mean", "image_mean").replace("std", "image_std"));
        fs::write(beside.path().join("preprocessor_config.json"), images).unwrap();
        for (path, file) in [(first, "open_clip_config.json"), (second, "preprocessor_config.json")] {
            let notes = Weights::open(&path).unwrap().notes().to_vec();
            assert_eq!(notes.len(), usize::from(says.is_some()), "{notes:?}");
            assert!(notes.iter().all(|note| note.starts_with(file) && note.contains(says.unwrap())), "{notes:?}");
        }
    }
}

#[test]
fn two_activations_are_noted_as_one_is_computed_with() {
    let json = r#"{"vision_config": {"num_attention_heads": 2, "hidden_act": "quick_gelu"},
        "text_config": {"num_attention_heads": 1, "hidden_act": "gelu"}}"#;
    let (_folder, path) = folder("model.safetensors", "config.json", json);
    let weights = Weights::open(&path).unwrap();
    assert_eq!(weights.suggested_activation(), Some(Activation::QuickGelu));
    let notes = weights.notes();
    assert!(
        notes.len() == 1 && notes[0].contains("`gelu` of the text tower and `quick_gelu` of the image tower"),
        "{notes:?}"
    );
}

#[test]
fn tensors_that_the_encoder_computes_with_and_that_are_not_read_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    for (name, says) in [
        ("positional_embedding_res", "LongCLIP"),
        ("visual.transformer.resblocks.0.ls_1.gamma", "layer scales"),
        ("transformer.resblocks.0.ls_2.gamma", "layer scales"),
        ("visual.transformer.resblocks.0.attn.q_norm.weight", "norms of queries and keys"),
        ("visual.transformer.resblocks.0.ln_attn.weight", "norms"),
        ("visual.transformer.resblocks.0.attn.logit_scale", "parts of blocks"),
        ("visual.conv1.bias", "biases"),
        ("visual.register_tokens", "register tokens"),
        ("visual.rope.freqs", "positions"),
        ("visual.relative_position_bias_table", "positions"),
        ("visual.norm_mid.weight", "norms"),
        ("text_projection.bias", "biases"),
        ("visual.prompt_embeddings", "learned tokens"),
        ("visual.transformer.resblocks.0.attn.q_proj.lora_A", "LoRA"),
        ("base.lora_B", "LoRA"),
        ("visual.transformer.resblocks.0.adapter.down.weight", "adapters"),
        ("seg_adapter.0.fc1.weight", "adapters"),
    ] {
        let mut all = layout();
        all.push((name.to_owned(), vec![2]));
        write(&path, &all);
        let error = Weights::open(&path).unwrap_err();
        assert!(matches!(error, WeightsError::OtherEncoder { .. }), "{name}: {error}");
        let error = error.to_string();
        assert!(error.contains(name) && error.contains(says), "{name}: {error}");
        assert!(!inspect(&path).unwrap().is_usable(), "{name}");
    }
}

#[test]
fn tensors_that_decide_nothing_are_unused_and_unknown_ones_are_counted_in_a_note() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let harmless = [
        "logit_bias",
        "attn_mask",
        "visual.attn_pool.query",
        "visual.head.weight",
        "optimizer.state.0.exp_avg",
        "model_ema.visual.proj",
        "audio.conv1.weight",
    ];
    let mut all = layout();
    all.extend(harmless.iter().map(|name| ((*name).to_owned(), vec![2])));
    write(&path, &all);
    let guess = |note: &String| note.contains("are a guess");
    let weights = Weights::open(&path).unwrap();
    assert!(weights.notes().iter().all(guess), "{:?}", weights.notes());
    let report = inspect(&path).unwrap();
    assert!(report.is_usable() && report.extra.len() == harmless.len(), "{report:?}");

    all.extend((0..12).map(|i| (format!("mystery.{i}.weight"), vec![2])));
    write(&path, &all);
    let weights = Weights::open(&path).unwrap();
    let notes: Vec<&String> = weights.notes().iter().filter(|note| !guess(note)).collect();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].starts_with("12 tensors of the file are not read, such as `mystery.0.weight`"), "{notes:?}");
    assert!(notes[0].contains("and 9 more: if they belong to the encoder"), "{notes:?}");
}

#[test]
fn other_families_are_called_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let image: Vec<String> = layout().into_iter().map(|(name, _)| name).filter(|n| n.starts_with("visual.")).collect();
    let image: Vec<&str> = image.iter().map(String::as_str).collect();
    let bare: Vec<&str> = image.iter().map(|name| &name["visual.".len()..]).collect();
    let cases: [(&[&str], &str); 22] = [
        (&["visual.conv1.weight", "visual.layer1.0.conv1.weight", "visual.attnpool.k_proj.weight"], "a ResNet CLIP"),
        (&["vision_model.embeddings.patch_embedding.weight", "vision_model.head.probe"], "a SigLIP"),
        (&["visual.trunk.patch_embed.proj.weight", "visual.trunk.attn_pool.latent", "logit_bias"], "a SigLIP"),
        (&["visual.trunk.cls_token", "text.transformer.embeddings.word_embeddings.weight"], "a BiomedCLIP"),
        (&["visual.conv1.weight", "text.transformer.embeddings.word_embeddings.weight"], "text tower of Hugging Face"),
        (&["visual.conv1.weight", "bert.embeddings.word_embeddings.weight"], "a Chinese-CLIP"),
        (&["visual.cls_token", "visual.pos_embed", "visual.blocks.0.attn.q_proj.weight"], "an EVA-CLIP"),
        (&["visual.conv1.weight", "text.cls_emb", "text_decoder.resblocks.0.ln_1.weight"], "a CoCa"),
        (&["image_encoder.model.patch_embed.blocks.0.weight", "text_encoder.embedding_layer.weight"], "a MobileCLIP"),
        (
            &["cls_token", "pos_embed", "mask_token", "patch_embed.proj.weight", "blocks.0.ls1.gamma"],
            "a DINOv2 image tower",
        ),
        (&["teacher.backbone.cls_token", "teacher.backbone.blocks.0.ls1.gamma"], "a DINOv2 image tower"),
        (&["embeddings.cls_token", "encoder.layer.0.layer_scale1.lambda1"], "a DINOv2 image tower"),
        (&["embeddings.register_tokens", "layer.0.attention.q_proj.weight"], "a DINOv3 image tower"),
        (&["storage_tokens", "cls_token", "rope_embed.periods"], "a DINOv3 image tower"),
        (&["cls_token", "pos_embed", "patch_embed.proj.weight", "norm.weight"], "timm's names"),
        (&["vit.embeddings.patch_embeddings.projection.weight"], "transformers' names"),
        (&["image_encoder.pos_embed", "mask_decoder.iou_token.weight"], "a SAM"),
        (&["layer1.0.conv1.weight", "fc.weight"], "a ResNet"),
        (&["visual.trunk.stages.0.blocks.0.gamma"], "a CLIP with a ConvNeXt"),
        (
            &["text_model.embeddings.token_embedding.weight", "text_model.encoder.layers.0.layer_norm1.weight"],
            "text tower alone",
        ),
        (&image, "CLIP's image tower alone: it has no text tower"),
        (&bare, "CLIP's image tower alone: it has no text tower"),
    ];
    for (names, says) in cases {
        write(&path, &names.iter().map(|name| ((*name).to_owned(), vec![2])).collect());
        let error = Weights::open(&path).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("only CLIPs with a vision transformer"), "{names:?}: {error}");
        let report = inspect(&path).unwrap();
        assert!(!report.is_usable() && report.differences.len() == 1, "{report:?}");
    }
    // Names and shapes of the tables alone: 37 x 37 positions are DINOv2's.
    let tables = [
        ("cls_token", vec![1, 1, 8]),
        ("pos_embed", vec![1, 1370, 8]),
        ("patch_embed.proj.weight", vec![8, 3, 14, 14]),
    ];
    write(&path, &tables.map(|(name, shape)| (name.to_owned(), shape)).to_vec());
    let error = Weights::open(&path).unwrap_err().to_string();
    assert!(error.contains("a DINOv2 image tower: it has no text tower"), "{error}");
}

#[test]
fn perceptrons_of_another_width_are_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let mut all = layout();
    let name = "visual.transformer.resblocks.0.mlp.c_fc.weight";
    all.iter_mut().find(|(other, _)| other == name).unwrap().1 = vec![560, 128];
    write(&path, &all);
    let error = Weights::open(&path).unwrap_err().to_string();
    assert!(error.contains(name) && error.contains("560 channels of 128") && error.contains("only 512"), "{error}");
}

/// A CLIP of one block under transformers' names.
fn transformers() -> Layout {
    let mut all: Layout = Vec::new();
    let mut add = |name: String, shape: &[usize]| all.push((name, shape.to_vec()));
    for (tower, width) in [("vision_model", 128), ("text_model", 64)] {
        let block = format!("{tower}.encoder.layers.0");
        for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            add(format!("{block}.self_attn.{part}.weight"), &[width, width]);
            add(format!("{block}.self_attn.{part}.bias"), &[width]);
        }
        for (part, rows, columns) in [("fc1", 4 * width, width), ("fc2", width, 4 * width)] {
            add(format!("{block}.mlp.{part}.weight"), &[rows, columns]);
            add(format!("{block}.mlp.{part}.bias"), &[rows]);
        }
        let norms = [format!("{block}.layer_norm1"), format!("{block}.layer_norm2")];
        let outer = if tower == "vision_model" { ["pre_layrnorm", "post_layernorm"] } else { ["final_layer_norm"; 2] };
        let mut names: Vec<String> = outer.iter().map(|name| format!("{tower}.{name}")).chain(norms).collect();
        names.dedup();
        for norm in names {
            add(format!("{norm}.weight"), &[width]);
            add(format!("{norm}.bias"), &[width]);
        }
    }
    add("vision_model.embeddings.class_embedding".to_owned(), &[128]);
    add("vision_model.embeddings.patch_embedding.weight".to_owned(), &[128, 3, 8, 8]);
    add("vision_model.embeddings.position_embedding.weight".to_owned(), &[5, 128]);
    add("text_model.embeddings.token_embedding.weight".to_owned(), &[9, 64]);
    add("text_model.embeddings.position_embedding.weight".to_owned(), &[5, 64]);
    add("text_projection.weight".to_owned(), &[4, 64]);
    all
}

#[test]
fn messages_name_tensors_as_the_file_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    write(&path, &transformers());
    assert_eq!(Weights::open(&path).unwrap().arch().layers, 1);
    for name in [
        "vision_model.encoder.layers.0.self_attn.k_proj.weight",
        "vision_model.pre_layrnorm.bias",
        "text_model.encoder.layers.0.mlp.fc1.weight",
        "text_model.embeddings.token_embedding.weight",
        "text_projection.weight",
    ] {
        let mut all = transformers();
        all.retain(|(other, _)| other != name);
        write(&path, &all);
        let error = Weights::open(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}` is missing")), "{error}");
    }
    let mut all = transformers();
    all.iter_mut().find(|(name, _)| name == "vision_model.embeddings.position_embedding.weight").unwrap().1 =
        vec![7, 128];
    write(&path, &all);
    let error = Weights::open(&path).unwrap_err().to_string();
    assert!(error.contains("`vision_model.embeddings.position_embedding.weight` has shape [7, 128]"), "{error}");
    // Below a prefix, and with the text tower apart, as open_clip writes some.
    let mut all: Layout = layout()
        .into_iter()
        .map(|(name, shape)| {
            let text = if name.starts_with("visual.") || name == "logit_scale" { "" } else { "text." };
            (format!("module.{text}{name}"), shape)
        })
        .collect();
    all.retain(|(name, _)| name != "module.text.ln_final.weight");
    write(&path, &all);
    let error = Weights::open(&path).unwrap_err().to_string();
    assert!(error.contains("`module.text.ln_final.weight` is missing"), "{error}");
}

#[test]
fn what_transformers_file_leaves_out_is_told_with_the_default_that_is_taken() {
    let json = r#"{"vision_config": {"num_attention_heads": 2}, "text_config": {"num_attention_heads": 1}}"#;
    let (_folder, path) = folder("model.safetensors", "config.json", json);
    let weights = Weights::open(&path).unwrap();
    assert_eq!(weights.suggested_activation(), Some(Activation::QuickGelu));
    assert_eq!(
        weights.notes(),
        ["config.json has no `hidden_act` for the image and text towers, and transformers' default is quick_gelu"]
    );
    let json =
        r#"{"vision_config": {"num_attention_heads": 2, "hidden_act": "gelu"}, "text_config": {"hidden_act": "gelu"}}"#;
    let (_folder, path) = folder("model.safetensors", "config.json", json);
    let weights = Weights::open(&path).unwrap();
    assert_eq!((weights.suggested_activation(), weights.arch().text_heads), (Some(Activation::Gelu), 8));
    assert_eq!(
        weights.notes(),
        ["config.json has no `num_attention_heads` for the text tower, and transformers' default is 8"]
    );
}

#[test]
fn weights_of_zeros_or_beyond_all_measure_are_found_before_anything_is_computed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let write = |spoiled: &str, value: f32, precision| {
        let layout = layout();
        let count = |name: &str| layout.iter().find(|(other, _)| other == name).unwrap().1.iter().product();
        write_safetensors(&path, &layout, precision, |name| {
            let mut values = vec![0.5; count(name)];
            if name == spoiled {
                values.fill(value);
            }
            Ok(values)
        })
        .unwrap();
        (Weights::open(&path).unwrap().check_values(), inspect(&path).unwrap())
    };
    let matrix = "visual.transformer.resblocks.0.mlp.c_fc.weight";
    for (name, value, says) in [
        (matrix, 0.0, "nothing but zeros"),
        (matrix, -0.0, "nothing but zeros"),
        ("visual.ln_pre.weight", 0.0, "nothing but zeros"),
        ("ln_final.bias", 1e30, "64 of 64 values beyond 1.1e12"),
    ] {
        let (checked, report) = write(name, value, StorePrecision::F32);
        let error = checked.unwrap_err().to_string();
        assert!(error.contains("a.safetensors") && error.contains(name) && error.contains(says), "{error}");
        assert!(!report.is_usable() && report.unfit.len() == 1 && report.unfit[0].found.contains(says), "{report:?}");
    }
    // Biases may be zero, large values are not beyond all measure, and what is not used does no harm.
    for (name, value, precision) in [
        ("ln_final.bias", 0.0, StorePrecision::F32),
        (matrix, 60_000.0, StorePrecision::F16),
        (matrix, 1e9, StorePrecision::F32),
        ("visual.proj", 0.0, StorePrecision::F32),
    ] {
        let (checked, report) = write(name, value, precision);
        assert!(checked.is_ok() && report.is_usable(), "{name}: {report:?}");
    }
}
