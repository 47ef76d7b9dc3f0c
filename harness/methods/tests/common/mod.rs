//! Golden cases of methods, with taps and texts from the built-in backend through its C table.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::HashMap;

use harness_backend_abi::host::{
    Backend, ImageTower, ImageTowerOptions, NamedTensor, Precision, Session, SessionOptions, TextTowerOptions, Trainer,
    TrainerOptions,
};
use harness_method::heads::Heads;
use harness_method::prompts::{self, States};
use harness_method::{Arch, Layout, Side, synthetic};
use harness_methods::{Projection, Taps, class_text};
use harness_metrics::{MapSource, PredictedMaps};
use safetensors::SafeTensors;
use serde_json::{json, to_value};

/// Relative error that is allowed (docs/method.md section 10).
const TOLERANCE: f64 = 1e-4;

/// A golden case.
pub(crate) struct Case {
    name: String,
    options: toml::Table,
    object: String,
    seed: u64,
    pub(crate) arch: Arch,
    pub(crate) has_masks: bool,
    pub(crate) batches: Vec<Vec<u32>>,
    pub(crate) abnormal: Vec<usize>,
    pub(crate) normal: Vec<usize>,
    pub(crate) test: Vec<usize>,
    pub(crate) masks: Vec<u8>,
    pub(crate) labels: Vec<u8>,
    images: Vec<u8>,
    expected: HashMap<String, Vec<f32>>,
    session: Session,
}

/// Taps of some images.
pub(crate) struct Encoded {
    values: Vec<Vec<f32>>,
    images: usize,
    grid: usize,
    width: usize,
}

impl Encoded {
    pub(crate) fn view(&self) -> Taps<'_> {
        let values = self.values.iter().map(Vec::as_slice).collect();
        Taps::new(values, self.images, self.grid, self.width).unwrap()
    }
}

impl Case {
    pub(crate) fn read(name: &str) -> Self {
        let file = |file: &str| harness_tests::golden(&format!("methods/{name}/{file}"));
        let text = std::fs::read_to_string(file("case.toml")).unwrap();
        let table: toml::Table = toml::from_str(&text).unwrap();
        let bytes = std::fs::read(file("expected.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let raw = |name: &str| tensors.tensor(name).unwrap().data().to_vec();
        let floats = tensors.iter().filter(|(_, view)| view.dtype() == safetensors::Dtype::F32).map(|(name, view)| {
            let values = view.data().chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()));
            (name.to_owned(), values.collect())
        });
        let indices = |key: &str| {
            let list = table[key].as_array().unwrap().iter();
            list.map(|index| usize::try_from(index.as_integer().unwrap()).unwrap()).collect()
        };
        // Another backend's shared library may stand in for the built-in one.
        let backend = match std::env::var_os("HARNESS_GOLDEN_PLUGIN") {
            Some(plugin) => Backend::load(std::path::Path::new(&plugin)).unwrap(),
            None => harness_backend_flex::backend().unwrap(),
        };
        Self {
            name: name.to_owned(),
            options: table["options"].as_table().unwrap().clone(),
            object: table["object"].as_str().unwrap().to_owned(),
            seed: table["seed"].as_integer().unwrap() as u64,
            arch: table["arch"].clone().try_into().unwrap(),
            has_masks: table["has_masks"].as_bool().unwrap(),
            batches: table.get("batches").map(|all| all.clone().try_into().unwrap()).unwrap_or_default(),
            abnormal: indices("abnormal"),
            normal: indices("normal"),
            test: indices("test"),
            masks: raw("masks"),
            labels: raw("labels"),
            images: raw("images"),
            expected: floats.collect(),
            session: backend.open(&SessionOptions::on("cpu")).unwrap(),
        }
    }

    /// The method's options, less some that are constants here.
    pub(crate) fn options<T: serde::de::DeserializeOwned>(&self, constants: &[&str]) -> T {
        let mut options = self.options.clone();
        constants.iter().for_each(|name| drop(options.remove(*name)));
        options.try_into().unwrap()
    }

    pub(crate) fn image_size(&self) -> usize {
        self.options["image_size"].as_integer().unwrap() as usize
    }

    pub(crate) fn tap_numbers(&self) -> Vec<usize> {
        self.options["taps"].clone().try_into().unwrap()
    }

    fn option(&self, name: &str) -> serde_json::Value {
        to_value(&self.options[name]).unwrap()
    }

    /// The CLIP's tensors that are wanted, by name.
    fn weights(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        let all = synthetic::clip_state(&self.arch).into_iter().filter(|tensor| wanted(&tensor.name));
        all.map(|tensor| (tensor.name.clone(), tensor.shape.clone(), tensor.values(self.seed))).collect()
    }

    fn weight(&self, name: &str) -> Vec<f32> {
        self.weights(|found| found == name).pop().unwrap().2
    }

    pub(crate) fn projection(&self) -> Projection {
        let [weight, bias, projection] =
            ["visual.ln_post.weight", "visual.ln_post.bias", "visual.proj"].map(|name| self.weight(name));
        Projection::new(weight, bias, projection).unwrap()
    }

    pub(crate) fn taps(&self, images: &[usize]) -> Encoded {
        let mut tower = self.tower();
        let pixels = self.pixels(images);
        let length = images.len() * tower.shape().tokens * tower.shape().width;
        let mut values = vec![vec![0.0; length]; tower.shape().taps];
        let mut buffers: Vec<&mut [f32]> = values.iter_mut().map(Vec::as_mut_slice).collect();
        tower.encode_u8(&pixels, images.len(), &mut buffers).unwrap();
        let grid = self.image_size() / self.arch.patch;
        Encoded { values, images: images.len(), grid, width: self.arch.width }
    }

    /// Windows of these sides, projected.
    pub(crate) fn windows(&self, images: &[usize], sides: &[usize]) -> Vec<(usize, Vec<f32>)> {
        let (mut tower, pixels, projection) = (self.tower(), self.pixels(images), self.projection());
        let mut of = |&side: &usize| {
            let count = images.len() * tower.shape().windows(side).unwrap();
            let mut tokens = vec![0.0; count * self.arch.width];
            tower.encode_windows_u8(&pixels, images.len(), side, &mut tokens).unwrap();
            (side, projection.project(&tokens))
        };
        sides.iter().map(&mut of).collect()
    }

    /// Taps with windows.
    pub(crate) fn view<'a>(&self, taps: &'a Encoded, windows: &'a [(usize, Vec<f32>)]) -> Taps<'a> {
        let windows = windows.iter().map(|(side, values)| (*side, values.as_slice())).collect();
        taps.view().with_windows(windows, self.arch.embed).unwrap()
    }

    fn pixels(&self, images: &[usize]) -> Vec<u8> {
        let bytes = 3 * self.image_size().pow(2);
        images.iter().flat_map(|&i| &self.images[i * bytes..][..bytes]).copied().collect()
    }

    fn tower(&self) -> ImageTower {
        let options = ImageTowerOptions {
            arch: to_value(self.arch.clone()).unwrap(),
            image_size: self.image_size(),
            taps: self.tap_numbers(),
            activation: self.option("activation"),
            normalize: self.option("normalize"),
            precision: Precision::F32,
        };
        let weights = self.weights(|name| name.starts_with("visual."));
        let named: Vec<_> = weights.iter().map(|(name, shape, values)| NamedTensor::f32(name, shape, values)).collect();
        self.session.load_image_tower(&options, &named).unwrap()
    }

    /// A class's fixed text.
    pub(crate) fn text(&self, side: Side) -> Vec<f32> {
        let options = TextTowerOptions {
            arch: to_value(self.arch.clone()).unwrap(),
            activation: json!(self.option("activation")),
        };
        let weights = self.weights(|name| !name.starts_with("visual.") && name != "token_embedding.weight");
        let named: Vec<_> = weights.iter().map(|(name, shape, values)| NamedTensor::f32(name, shape, values)).collect();
        let mut tower = self.session.load_text_tower(&options, &named).unwrap();
        let sentences = prompts::fixed_of(States::Mvfa, side, &self.object, self.arch.context).unwrap();
        let (table, width) = (self.weight("token_embedding.weight"), self.arch.text_width);
        let tokens = sentences.tokens.iter().flatten();
        let embedded: Vec<f32> = tokens.flat_map(|&id| &table[id as usize * width..][..width]).copied().collect();
        let eot: Vec<u32> = sentences.eot.iter().map(|&index| index as u32).collect();
        class_text(&tower.encode(&embedded, &eot, true).unwrap(), self.arch.embed)
    }

    /// The abnormal class's text less the normal one's.
    pub(crate) fn difference(&self) -> Vec<f32> {
        let [normal, abnormal] = Side::BOTH.map(|side| self.text(side));
        abnormal.iter().zip(normal).map(|(abnormal, normal)| abnormal - normal).collect()
    }

    /// A trainer of heads with their initial values or another state, whose blocks are the case's.
    pub(crate) fn trainer(&self, heads: &Heads, learning_rate: f64) -> Trainer {
        let options = TrainerOptions::of_heads(heads, &self.arch, self.has_masks, learning_rate).unwrap();
        let initial: Vec<_> = heads
            .parameters(&self.arch)
            .into_iter()
            .map(|p| (p.name.clone(), p.shape.clone(), p.values(self.seed)))
            .collect();
        let (direction, shape) = (self.difference(), [self.arch.embed]);
        let blocks = self.weights(|name| name.starts_with("visual.transformer."));
        let mut given: Vec<NamedTensor<'_>> =
            blocks.iter().map(|(name, shape, values)| NamedTensor::f32(name, shape, values)).collect();
        given.push(NamedTensor::f32("text.direction", &shape, &direction));
        let state: Vec<NamedTensor<'_>> =
            initial.iter().map(|(name, shape, values)| NamedTensor::f32(name, shape, values)).collect();
        self.session.create_trainer(&options, None, &given, &state).unwrap()
    }

    pub(crate) fn expected(&self, name: &str) -> Vec<f32> {
        self.expected.get(name).unwrap_or_else(|| panic!("{}: no tensor {name}", self.name)).clone()
    }

    #[track_caller]
    pub(crate) fn close(&self, name: &str, found: &[f32]) {
        close(&format!("{}: {name}", self.name), found, &self.expected(name));
    }

    #[track_caller]
    pub(crate) fn maps_are_close(&self, layout: impl Into<Layout>, grids: &[f32]) {
        let (grid, size) = (self.image_size() / self.arch.patch, self.image_size());
        let source = PredictedMaps::new(layout.into(), grids, grid, size).unwrap();
        let mut maps = vec![0.0; source.images() * source.pixels()];
        for (image, map) in maps.chunks_exact_mut(source.pixels()).enumerate() {
            source.read(image, map).unwrap();
        }
        self.close("maps", &maps);
    }
}

/// The norm of the difference over the norm of what is expected.
#[track_caller]
pub(crate) fn close(name: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    let error = difference / norm(&mut expected.iter().map(|value| f64::from(*value)));
    assert!(error < TOLERANCE, "{name}: relative error {error:.1e}");
}
