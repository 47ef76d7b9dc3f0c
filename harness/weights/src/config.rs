//! What the JSON files beside weights say of a CLIP that shapes don't: transformers' `config.json` and open_clip's
//! `open_clip_config.json`.

use std::collections::BTreeMap;
use std::path::Path;

use harness_method::options::{Activation, Normalize};
use serde_json::Value;

use crate::WeightsError;
use crate::difference::Difference;

/// transformers' file.
pub(crate) const TRANSFORMERS: &str = "config.json";
/// open_clip's file.
pub(crate) const OPEN_CLIP: &str = "open_clip_config.json";
/// transformers' file on images.
const PREPROCESSOR: &str = "preprocessor_config.json";

/// Channels of a head where open_clip's file doesn't say.
const HEAD_WIDTH: usize = 64;

/// What a file says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    /// The file's name.
    pub(crate) file: &'static str,
    pub(crate) image: Tower,
    pub(crate) text: Tower,
    /// The activation that it states.
    pub(crate) activation: Option<Activation>,
    /// What a user should know.
    pub(crate) notes: Vec<String>,
    /// What it states that is not computed here.
    pub(crate) refusals: Vec<String>,
}

/// What a file says of one tower.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tower {
    pub(crate) width: Option<usize>,
    pub(crate) layers: Option<usize>,
    pub(crate) patch: Option<usize>,
    heads: Option<Count>,
}

#[derive(Clone, Copy, Debug)]
enum Count {
    /// As it stands there.
    Stated(usize),
    /// What the library takes where nothing stands there.
    Default(usize),
    /// Channels of each head.
    OfWidth(usize),
}

impl Tower {
    /// Attention heads of a tower of `width` channels.
    pub(crate) fn heads(&self, width: usize) -> Option<usize> {
        match self.heads? {
            Count::Stated(heads) => Some(heads),
            Count::Default(heads) => width.is_multiple_of(heads).then_some(heads),
            Count::OfWidth(channels) => (width.is_multiple_of(channels)).then_some(width / channels),
        }
    }
}

impl Config {
    /// The file `name` of a folder, where it is there.
    ///
    /// # Errors
    /// The system's; a file that is not JSON or has something other than a number where one belongs.
    pub(crate) fn read(folder: &Path, name: &'static str) -> Result<Option<Self>, WeightsError> {
        let Some(value) = table(folder, name)? else { return Ok(None) };
        let config = if name == OPEN_CLIP { open_clip(&value) } else { transformers(&value) };
        let mut config = config.map_err(|what| WeightsError::Damaged { path: folder.join(name), what })?;
        if name == TRANSFORMERS
            && let Some(images) = table(folder, PREPROCESSOR)?
        {
            normalization(&mut config, PREPROCESSOR, &images["image_mean"], &images["image_std"]);
        }
        Ok(Some(config))
    }

    /// Where the tensors' sizes contradict the file's.
    pub(crate) fn contradiction(
        &self,
        tower: &str,
        said: Option<usize>,
        what: &str,
        found: usize,
    ) -> Option<Difference> {
        let said = said.filter(|said| *said != found)?;
        Some(Difference::OtherEncoder {
            what: format!(
                "{} beside it says that the {tower} tower's {what} is {said}, its tensors have {found}; keep each weights \
                 file in a folder with its own {}",
                self.file, self.file
            ),
        })
    }
}

/// The table in a JSON file of a folder, where the file is there.
fn table(folder: &Path, name: &str) -> Result<Option<Value>, WeightsError> {
    let path = folder.join(name);
    if !path.is_file() {
        return Ok(None);
    }
    let text = std::fs::read(&path).map_err(|source| WeightsError::Io { path: path.clone(), source })?;
    let damaged = |what: String| WeightsError::Damaged { path: path.clone(), what };
    let value: Value = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    if value.is_object() { Ok(Some(value)) } else { Err(damaged("it is not a table of names and values".to_owned())) }
}

/// A whole number above 0; lists (of blocks of a ResNet, of the two sides of a patch) say nothing here.
fn number(table: &Value, key: &str) -> Result<Option<usize>, String> {
    match &table[key] {
        Value::Null | Value::Array(_) => Ok(None),
        value => match value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("`{key}` is {value}; it should be a whole number above 0")),
        },
    }
}

/// Notes another mean and deviation of images than CLIP's: one that `normalize` has, or has not.
fn normalization(config: &mut Config, file: &str, mean: &Value, deviation: &Value) {
    let three = |value: &Value| -> Option<[f64; 3]> {
        let values: Vec<f64> = value.as_array()?.iter().map(Value::as_f64).collect::<Option<_>>()?;
        values.try_into().ok()
    };
    let (Some(mean), Some(deviation)) = (three(mean), three(deviation)) else { return };
    let near = |a: [f64; 3], b: [f32; 3]| a.iter().zip(b).all(|(a, b)| (a - f64::from(b)).abs() < 2e-3);
    let is = |value: Normalize| {
        let (of_mean, of_deviation) = value.statistics();
        near(mean, of_mean) && near(deviation, of_deviation)
    };
    if is(Normalize::Clip) {
        return;
    }
    let said = format!("{file} says that {mean:?} is taken off images and that they are divided by {deviation:?}");
    config.notes.push(match [Normalize::None, Normalize::Imagenet].into_iter().find(|value| is(*value)) {
        Some(known) => {
            let known = known.name();
            format!("{said}, which `normalize = \"{known}\"` does; with another one taps differ from its authors'")
        }
        None => format!("{said}, which no value of `normalize` does: taps will differ from its authors'"),
    });
}

fn transformers(value: &Value) -> Result<Config, String> {
    // Of a file that leaves the heads out, transformers takes these.
    const VISION_HEADS: usize = 12;
    const TEXT_HEADS: usize = 8;
    let mut config = Config { file: TRANSFORMERS, ..Config::default() };
    let mut omitted: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for (tower, key, heads) in [("image", "vision_config", VISION_HEADS), ("text", "text_config", TEXT_HEADS)] {
        let table = &value[key];
        if !table.is_object() {
            continue;
        }
        let stated = number(table, "num_attention_heads")?;
        if stated.is_none() {
            omitted.entry(("num_attention_heads", heads.to_string())).or_default().push(tower);
        }
        let said = Tower {
            width: number(table, "hidden_size")?,
            layers: number(table, "num_hidden_layers")?,
            patch: number(table, "patch_size")?,
            heads: Some(stated.map_or(Count::Default(heads), Count::Stated)),
        };
        let activation = table["hidden_act"].as_str();
        let known = match activation {
            Some("quick_gelu") => Some(Activation::QuickGelu),
            Some("gelu") => Some(Activation::Gelu),
            Some(other) => {
                config.notes.push(format!("{TRANSFORMERS} says the activation `{other}` of the {tower} tower, {NEAR}"));
                None
            }
            None => {
                omitted.entry(("hidden_act", "quick_gelu".to_owned())).or_default().push(tower);
                Some(Activation::QuickGelu)
            }
        };
        epsilon(&mut config, TRANSFORMERS, tower, &table["layer_norm_eps"]);
        if tower == "image" {
            (config.image, config.activation) = (said, known);
        } else {
            if let (Some(image), Some(text)) =
                (config.activation, known.filter(|text| Some(*text) != config.activation))
            {
                let (image, text) = (image.name(), text.name());
                config.notes.push(format!(
                    "{TRANSFORMERS} says the activation `{text}` of the text tower and `{image}` of the image tower, and one is \
                     computed with in both: text features will differ from its authors'"
                ));
            }
            config.text = said;
        }
    }
    config.notes.extend(omitted.into_iter().map(|((key, default), towers)| {
        let towers = match towers.as_slice() {
            [one] => format!("{one} tower"),
            several => format!("{} towers", several.join(" and ")),
        };
        format!("{TRANSFORMERS} has no `{key}` for the {towers}, and transformers' default is {default}")
    }));
    Ok(config)
}

/// Of an activation or a norm that the options don't have.
const NEAR: &str = "which is not computed here: taps and text features will differ a little from its authors'";

fn epsilon(config: &mut Config, file: &str, tower: &str, value: &Value) {
    if let Some(epsilon) = value.as_f64().filter(|epsilon| (epsilon / 1e-5 - 1.0).abs() > 1e-3) {
        config.notes.push(format!("{file} says {epsilon:e} for the epsilon of the {tower} tower's norms, {NEAR}"));
    }
}

fn open_clip(value: &Value) -> Result<Config, String> {
    // A file of the hub has the model's table in `model_cfg`; open_clip's own are that table.
    let model = if value["model_cfg"].is_object() { &value["model_cfg"] } else { value };
    let (vision, text) = (&model["vision_cfg"], &model["text_cfg"]);
    let mut config = Config { file: OPEN_CLIP, ..Config::default() };
    if vision.is_object() {
        config.image = Tower {
            width: number(vision, "width")?,
            layers: number(vision, "layers")?,
            patch: number(vision, "patch_size")?,
            heads: Some(Count::OfWidth(number(vision, "head_width")?.unwrap_or(HEAD_WIDTH))),
        };
        let quick = model["quick_gelu"].as_bool().unwrap_or(false);
        config.activation = Some(if quick { Activation::QuickGelu } else { Activation::Gelu });
    }
    if text.is_object() {
        config.text = Tower {
            width: number(text, "width")?,
            layers: number(text, "layers")?,
            patch: None,
            heads: Some(number(text, "heads")?.map_or(Count::Default(8), Count::Stated)),
        };
        if text["no_causal_mask"].as_bool() == Some(true) {
            config.refusals.push("`no_causal_mask`: its tokens see those after them".to_owned());
        }
        if let Some(pool) = text["pool_type"].as_str().filter(|pool| *pool != "argmax") {
            config.refusals.push(format!("`pool_type` \"{pool}\": its features are those of another token"));
        }
        if let Some(tokenizer) = text["hf_tokenizer_name"].as_str() {
            let what = format!("`hf_tokenizer_name` \"{tokenizer}\": its sentences are other tokens than CLIP's");
            config.refusals.push(what);
        }
        if let Some(model) = text["hf_model_name"].as_str() {
            config.refusals.push(format!("`hf_model_name` \"{model}\": its text tower is of another kind"));
        }
    }
    normalization(&mut config, OPEN_CLIP, &value["preprocess_cfg"]["mean"], &value["preprocess_cfg"]["std"]);
    for (tower, table) in [("image", vision), ("text", text)] {
        if let Some(form) = table["act_kwargs"]["approximate"].as_str().filter(|form| *form != "none") {
            config.notes.push(format!("{OPEN_CLIP} says GELU by its {form} form for the {tower} tower, {NEAR}"));
        }
        epsilon(&mut config, OPEN_CLIP, tower, &table["norm_kwargs"]["eps"]);
    }
    Ok(config)
}
