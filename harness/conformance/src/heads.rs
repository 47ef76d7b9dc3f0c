//! Golden cases of heads (docs/methods.md, section 9): what a backend with that capability must reproduce of methods
//! that are not MadCLIP.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use harness_backend_abi::host::{
    ImageTower, ImageTowerOptions, NamedTensor, Precision, Session, TextTowerOptions, TrainerOptions,
};
use harness_method::prompts;
use harness_method::{Arch, Side, synthetic};
use harness_methods::{Computation, MethodOptions, Scores, Stepped, class_text, mvfa};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::to_value;

use crate::compare::{COLUMNS, Tolerances, line, worst};
use crate::held::Both;
use crate::table::steps;
use crate::{CaseError, Line, Outcome, Tensor};

/// The folder of these cases beside those of MadCLIP.
const FOLDER: &str = "methods";
/// What cases call `zero-shot` with windows.
pub(crate) const WINCLIP: &str = "winclip";
/// Options of a case that are constants of the method here.
const CONSTANTS: [&str; 1] = ["slope"];

#[derive(Deserialize)]
pub(crate) struct CaseFile {
    method: String,
    seed: u64,
    object: String,
    has_masks: bool,
    learning_rate: f64,
    abnormal: Vec<usize>,
    pub(crate) normal: Vec<usize>,
    pub(crate) test: Vec<usize>,
    batches: Vec<Vec<u32>>,
    pub(crate) arch: Arch,
    options: serde_json::Map<String, serde_json::Value>,
}

/// A golden case of a method beside MadCLIP.
pub(crate) struct MethodCase {
    pub(crate) name: String,
    pub(crate) file: CaseFile,
    pub(crate) options: MethodOptions,
    pub(crate) images: Vec<u8>,
    masks: Vec<u8>,
    labels: Vec<u8>,
    expected: HashMap<String, Tensor>,
    pub(crate) weights: HashMap<String, Tensor>,
}

/// Runs the cases of heads in a folder of golden cases, by name; none where it has none. Each runs as the iterator is
/// advanced.
///
/// # Errors
/// A case that can't be read; nothing has run then.
pub fn check_heads<'a>(
    session: &'a Session,
    folder: &Path,
    precision: Precision,
) -> Result<impl Iterator<Item = Outcome> + 'a, CaseError> {
    Ok(cases(folder)?.into_iter().map(move |case| Outcome { lines: case.run(session, precision), case: case.name }))
}

/// The cases of heads in a folder of golden cases, by name.
pub(crate) fn cases(folder: &Path) -> Result<Vec<MethodCase>, CaseError> {
    MethodCase::of(&["mvfa", "april-gan"], folder)
}

impl MethodCase {
    /// The cases of some methods in a folder of golden cases, by name.
    pub(crate) fn of(methods: &[&str], folder: &Path) -> Result<Vec<Self>, CaseError> {
        let mut paths: Vec<PathBuf> = match std::fs::read_dir(folder.join(FOLDER)) {
            Ok(entries) => {
                entries.flatten().map(|entry| entry.path()).filter(|path| path.join("case.toml").is_file()).collect()
            }
            Err(_) => Vec::new(),
        };
        paths.sort();
        paths.iter().filter_map(|path| Self::read(path, methods).transpose()).collect()
    }

    /// The case in one folder; `None` where its method is none of these.
    fn read(folder: &Path, methods: &[&str]) -> Result<Option<Self>, CaseError> {
        let path = folder.join("case.toml");
        let io = |source| CaseError::Io { path: path.clone(), source };
        let text = std::fs::read_to_string(&path).map_err(io)?;
        let of_toml = |source| CaseError::Toml { path: path.clone(), source: Box::new(source) };
        let table: toml::Table = toml::from_str(&text).map_err(of_toml)?;
        let method = table.get("method").and_then(toml::Value::as_str).unwrap_or_default();
        if !methods.contains(&method) {
            return Ok(None);
        }
        let mut file: CaseFile = toml::from_str(&text).map_err(of_toml)?;
        CONSTANTS.iter().for_each(|name| drop(file.options.remove(*name)));
        if file.method == WINCLIP {
            file.options.insert("map".to_owned(), "windows".into());
            file.options.insert("method".to_owned(), "zero-shot".into());
        } else {
            file.options.insert("method".to_owned(), file.method.clone().into());
        }
        let wrong = |reason: String| CaseError::Expected { path: path.clone(), reason };
        let options: MethodOptions =
            serde_json::from_value(file.options.clone().into()).map_err(|error| wrong(error.to_string()))?;
        let path = folder.join("expected.safetensors");
        let bytes = std::fs::read(&path).map_err(|source| CaseError::Io { path: path.clone(), source })?;
        let wrong = |reason: String| CaseError::Expected { path: path.clone(), reason };
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| wrong(error.to_string()))?;
        let raw = |name: &str| match tensors.tensor(name) {
            Ok(view) if view.dtype() == Dtype::U8 => Ok(view.data().to_vec()),
            Ok(view) => Err(wrong(format!("`{name}` is {:?}, expected U8", view.dtype()))),
            Err(error) => Err(wrong(error.to_string())),
        };
        let floats = |view: &safetensors::tensor::TensorView<'_>| {
            let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            Tensor { shape: view.shape().to_vec(), data: values.collect() }
        };
        let weights = synthetic::clip_state(&file.arch).into_iter();
        Ok(Some(Self {
            name: folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            images: raw("images")?,
            masks: raw("masks")?,
            labels: raw("labels")?,
            expected: tensors
                .iter()
                .filter(|(_, view)| view.dtype() == Dtype::F32)
                .map(|(name, view)| (name.to_owned(), floats(&view)))
                .collect(),
            weights: weights.map(|t| (t.name.clone(), Tensor { data: t.values(file.seed), shape: t.shape })).collect(),
            file,
            options,
        }))
    }

    pub(crate) fn run(&self, session: &Session, precision: Precision) -> Result<Vec<Line>, String> {
        let Computation::Stepped(method) = self.options.computation() else {
            return Err(format!("the method `{}` has no heads", self.file.method));
        };
        let (heads, arch) = (method.heads(), &self.file.arch);
        let within = Tolerances::of(precision);
        let taps = self.encode(session, precision)?;
        let of = |indices: &[usize]| self.some(&taps, indices);
        let direction = self.direction(session, method)?;

        let given = TrainerOptions::of_heads(&heads, arch, self.file.has_masks, self.file.learning_rate);
        let shape = [arch.embed];
        let mut tensors = self.weights(|name| name.starts_with("visual.transformer."));
        tensors.push(NamedTensor::f32("text.direction", &shape, &direction));
        let initial: Vec<(String, Vec<usize>, Vec<f32>)> = heads
            .parameters(arch)
            .into_iter()
            .map(|p| (p.name.clone(), p.shape.clone(), p.values(self.file.seed)))
            .collect();
        let state: Vec<NamedTensor<'_>> =
            initial.iter().map(|(name, shape, values)| NamedTensor::f32(name, shape, values)).collect();
        let wanted: Vec<(&str, &[usize])> =
            initial.iter().map(|(name, shape, _)| (name.as_str(), shape.as_slice())).collect();
        let mut trainer = session.create_trainer(&given.map_err(text)?, None, &tensors, &state).map_err(text)?;

        // In the order of a support list.
        let support = [self.file.abnormal.clone(), self.file.normal.clone()].concat();
        let labels: Vec<u8> = support.iter().map(|&i| self.labels[i]).collect();
        let area = heads.image_size.pow(2);
        let masks: Vec<u8> = support.iter().flat_map(|&i| &self.masks[i * area..][..area]).copied().collect();
        let masks = self.file.has_masks.then_some(masks.as_slice());
        trainer.append_support(&slices(&of(&support)), &labels, masks).map_err(text)?;
        let first = self.file.batches.first().ok_or("a case without batches")?;
        let gradients = trainer.gradients(first, &wanted).map_err(text)?;
        let gradients: BTreeMap<_, _> = gradients.into_iter().map(|tensor| (tensor.name, tensor.values)).collect();
        let steps = steps(&mut trainer, &self.file.batches, &wanted)?;
        let parameters = trainer.read_state(&wanted).map_err(text)?;
        let parameters: BTreeMap<_, _> = parameters.into_iter().map(|tensor| (tensor.name, tensor.values)).collect();
        let test = of(&self.file.test);
        let found = trainer.score(&slices(&test), self.file.test.len(), false).map_err(text)?;
        if let Some(held) = Both::of(&mut trainer, test, self.file.test.len())? {
            held.compare(&mut trainer, false)?;
            held.release(&mut trainer)?;
        }

        let mut lines = Vec::new();
        for (tap, found) in heads.taps.iter().zip(of(&[0, 1])) {
            lines.push(self.line(&format!("tap.{tap}"), &found, within.taps));
        }
        lines.push(self.line("text.difference", &direction, within.text));
        lines.extend(self.losses(heads.losses(self.file.has_masks), &steps, within.losses));
        for (label, prefix, found, within) in [
            ("gradients", "gradient.", &gradients, within.gradients),
            ("parameters", "final.", &parameters, within.parameters),
        ] {
            let names = self.expected.keys().filter_map(|name| name.strip_prefix(prefix));
            let each = names.map(|name| {
                let found = found.get(name).map_or(&[][..], |tensor| tensor);
                Line { quantity: name.to_owned(), ..self.line(&format!("{prefix}{name}"), found, within) }
            });
            lines.extend(worst(label, each));
        }
        if heads.bank {
            let grid = arch.grid(heads.image_size);
            let scores = mvfa::complete(&found.grids, heads.taps.len(), grid, heads.image_size).map_err(text)?;
            lines.extend(self.scores(&scores, within.scores));
        } else {
            lines.push(self.line("grids.0", &found.grids, within.scores));
        }
        Ok(lines)
    }

    fn scores(&self, scores: &Scores, within: f64) -> [Line; 4] {
        let each = scores.grids.len() / self.file.test.len().max(1) / 2;
        let half = |from: usize| -> Vec<f32> {
            scores.grids.chunks_exact(2 * each).flat_map(|image| &image[from * each..][..each]).copied().collect()
        };
        [
            self.line("grids.0", &half(0), within),
            self.line("grids.1", &half(1), within),
            self.line("detection.zero", &scores.detection, within),
            self.line("detection.few", &scores.few, within),
        ]
    }

    fn losses(&self, names: &[&str], steps: &[Vec<f32>], within: f64) -> Vec<Line> {
        let expected = self.expected.get("losses").map_or(&[][..], |tensor| &tensor.data);
        let of_column = |(column, name): (usize, &'static str)| {
            let each = expected.chunks_exact(COLUMNS.len()).enumerate().map(|(step, values)| {
                let found = match names.iter().position(|known| *known == name) {
                    Some(index) => steps.get(step).and_then(|step| step.get(index)).copied().unwrap_or(f32::NAN),
                    None => 0.0,
                };
                line(&format!("step {}", step + 1), &[values[column]], &[found], within)
            });
            worst(&format!("loss.{name}"), each)
        };
        COLUMNS.into_iter().enumerate().filter_map(of_column).collect()
    }

    pub(crate) fn line(&self, name: &str, found: &[f32], tolerance: f64) -> Line {
        let expected = self.expected.get(name).map_or(&[][..], |tensor| &tensor.data);
        line(name, expected, found, tolerance)
    }

    /// Taps of some of the images, in this order.
    pub(crate) fn some(&self, taps: &[Vec<f32>], indices: &[usize]) -> Vec<Vec<f32>> {
        let image = |tap: &Vec<f32>, i: usize| {
            let each = tap.len() / self.labels.len();
            tap[i * each..(i + 1) * each].to_vec()
        };
        taps.iter().map(|tap| indices.iter().flat_map(|&i| image(tap, i)).collect()).collect()
    }

    /// Taps of all images.
    pub(crate) fn encode(&self, session: &Session, precision: Precision) -> Result<Vec<Vec<f32>>, String> {
        let mut tower = self.tower(session, precision)?;
        let (n, shape) = (self.labels.len(), tower.shape());
        let mut taps = vec![vec![0.0; n * shape.tokens * shape.width]; shape.taps];
        let mut buffers: Vec<&mut [f32]> = taps.iter_mut().map(Vec::as_mut_slice).collect();
        tower.encode_u8(&self.images, n, &mut buffers).map_err(text)?;
        Ok(taps)
    }

    pub(crate) fn tower(&self, session: &Session, precision: Precision) -> Result<ImageTower, String> {
        let encoding = self.options.encoding();
        let options = ImageTowerOptions {
            arch: to_value(&self.file.arch).map_err(text)?,
            image_size: encoding.image_size,
            taps: encoding.taps.to_vec(),
            activation: to_value(encoding.activation).map_err(text)?,
            normalize: to_value(encoding.normalize).map_err(text)?,
            precision: precision.of_numbers(),
        };
        let weights = self.weights(|name| name.starts_with("visual."));
        session.load_image_tower(&options, &weights).map_err(text)
    }

    /// The abnormal text less the normal one.
    fn direction(&self, session: &Session, method: &dyn Stepped) -> Result<Vec<f32>, String> {
        let arch = &self.file.arch;
        let activation = to_value(self.options.encoding().activation).map_err(text)?;
        let options = TextTowerOptions { arch: to_value(arch).map_err(text)?, activation };
        let weights = self.weights(|name| !name.starts_with("visual.") && name != "token_embedding.weight");
        let mut tower = session.load_text_tower(&options, &weights).map_err(text)?;
        let table = &self.weights.get("token_embedding.weight").ok_or("no token vectors")?.data;
        let mut of = |side: Side| -> Result<Vec<f32>, String> {
            let sentences = prompts::fixed_of(method.states(), side, &self.file.object, arch.context).map_err(text)?;
            let tokens = sentences.tokens.iter().flatten();
            let row = |&id: &u32| &table[id as usize * arch.text_width..][..arch.text_width];
            let embedded: Vec<f32> = tokens.flat_map(row).copied().collect();
            let eot: Vec<u32> = sentences.eot.iter().map(|&index| index as u32).collect();
            Ok(class_text(&tower.encode(&embedded, &eot, true).map_err(text)?, arch.embed))
        };
        let normal = of(Side::Normal)?;
        Ok(of(Side::Abnormal)?.iter().zip(normal).map(|(abnormal, normal)| abnormal - normal).collect())
    }

    fn weights(&self, wanted: impl Fn(&str) -> bool) -> Vec<NamedTensor<'_>> {
        let weights = self.weights.iter().filter(|(name, _)| wanted(name));
        weights.map(|(name, tensor)| NamedTensor::f32(name, &tensor.shape, &tensor.data)).collect()
    }
}

pub(crate) fn slices(taps: &[Vec<f32>]) -> Vec<&[f32]> {
    taps.iter().map(Vec::as_slice).collect()
}

pub(crate) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
