//! A small backend in Rust for tests: arithmetic simple enough to predict, and faults on demand.
#![allow(dead_code, unreachable_pub, unsafe_code, clippy::unwrap_used, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;

use harness_backend_abi::host::{
    Backend, ImageTower as OpenedTower, LoadError, Session as Opened, Trainer as OpenedTrainer,
};
use harness_backend_abi::plugin::*;
use harness_backend_abi::table::Table;
use serde_json::{Value, json};

harness_backend_abi::export_backend!(Dummy);

pub const S: usize = 4;
pub const W: usize = 3;
pub const WT: usize = 2;
pub const E: usize = 2;
pub const CONTEXT: usize = 5;
pub const TAPS: usize = 2;
pub const G: usize = 2;
pub const T: usize = 5;
/// Bytes of taps that a trainer's device has room for: three images', and a little.
pub const ROOM: u64 = 3 * TAPS as u64 * 4 * (T * W) as u64 + 7;
pub const LOSSES: [&str; 3] = ["sum", "steps", "weight"];

/// Faults are asked for by device: `panic`, `oom`.
pub struct Dummy;

pub struct Open {
    threads: usize,
    calls: u64,
}

pub struct Image {
    scale: f32,
    taps: usize,
}

pub struct Text {
    bias: f32,
}

pub struct Train {
    has_masks: bool,
    rate: f64,
    weight: Vec<f32>,
    bias: Vec<f32>,
    steps: u32,
    support: Vec<f32>,
    text: f32,
    held: BTreeMap<u64, Vec<Vec<f32>>>,
}

impl Plugin for Dummy {
    type Session = Open;

    fn describe() -> Description {
        Description {
            name: "dummy".into(),
            version: "1.2.3".into(),
            devices: vec!["cpu".into()],
            precisions: vec!["f32".into(), "f16".into()],
            note: Some("for tests".into()),
            ..Description::default()
        }
    }

    fn open(options: SessionOptions) -> Result<Open, Failure> {
        match options.device.as_str() {
            "cpu" => Ok(Open { threads: options.threads.unwrap_or(1), calls: 0 }),
            "panic" => panic!("no such device: {}", options.device),
            "oom" => Err(Failure::exhausted("device `oom` has no memory")),
            other => Err(Failure::invalid(format!("device `{other}`: expected `cpu`"))),
        }
    }
}

impl Session for Open {
    type ImageTower = Image;
    type TextTower = Text;
    type Trainer = Train;

    fn load_image_tower(&mut self, options: &ImageTowerOptions, tensors: &Tensors<'_>) -> Result<Image, Failure> {
        self.calls += 1;
        let activation: String = parse("activation", &options.activation)?;
        if activation == "panic" {
            panic!("the activation panics");
        }
        if options.precision == Precision::Bf16 {
            return Err(Failure::unsupported("precision bf16"));
        }
        let scale = tensors.expect("visual.scale", &[1])?.to_f32()?[0];
        Ok(Image { scale, taps: options.taps.len() })
    }

    fn load_text_tower(&mut self, _: &TextTowerOptions, tensors: &Tensors<'_>) -> Result<Text, Failure> {
        self.calls += 1;
        Ok(Text { bias: tensors.expect("text.bias", &[])?.f32()?[0] })
    }

    fn create_trainer(
        &mut self,
        options: &TrainerOptions,
        text: Option<&Text>,
        prompts: &Tensors<'_>,
        state: &Tensors<'_>,
    ) -> Result<Train, Failure> {
        self.calls += 1;
        if let Some(eot) = prompts.get("prompt.normal.eot") {
            eot.u32()?;
        }
        let mut trainer = Train {
            has_masks: options.has_masks,
            rate: options.learning_rate,
            weight: vec![],
            bias: vec![],
            steps: 0,
            support: vec![],
            text: text.map_or(0.0, |text| text.bias),
            held: BTreeMap::new(),
        };
        trainer.write_state(state)?;
        Ok(trainer)
    }

    fn memory(&self) -> Memory {
        Memory { host_peak_bytes: 1000 * self.calls, device_peak_bytes: self.threads as u64 }
    }

    fn nearest(&mut self, bank: &[f32], queries: &[f32], width: usize, distances: &mut [f32]) -> Result<(), Failure> {
        for (distance, query) in distances.iter_mut().zip(queries.chunks_exact(width)) {
            let product = |row: &[f32]| row.iter().zip(query).map(|(a, b)| a * b).sum::<f32>();
            *distance = 1.0 - bank.chunks_exact(width).map(product).fold(f32::NEG_INFINITY, f32::max);
        }
        Ok(())
    }

    fn gemm_rate(&mut self) -> Result<f64, Failure> {
        Ok(100.0 * self.threads as f64)
    }
}

impl ImageTower for Image {
    fn shape(&self) -> ImageTowerShape {
        ImageTowerShape { image_size: S, taps: self.taps, tokens: T, width: W }
    }

    /// Element = first pixel of the image in 0..1 times scale plus the tap's number; 255 in the first image panics.
    fn encode(&mut self, images: Images<'_>, batch: usize, taps: &mut [&mut [f32]]) -> Result<(), Failure> {
        let first = |image: usize| match images {
            Images::U8(pixels) => f32::from(pixels[image * 3 * S * S]) / 255.0,
            Images::F32(pixels) => pixels[image * 3 * S * S],
        };
        assert!(first(0) < 1.0, "a white image");
        for (number, tap) in taps.iter_mut().enumerate() {
            for image in 0..batch {
                tap[image * T * W..(image + 1) * T * W].fill(first(image) * self.scale + number as f32);
            }
        }
        Ok(())
    }

    /// Element = first pixel of the image in 0..1 times scale, plus the window's number.
    fn encode_windows(
        &mut self,
        images: Images<'_>,
        batch: usize,
        side: usize,
        windows: &mut [f32],
    ) -> Result<(), Failure> {
        let n = self.shape().windows(side).unwrap();
        for (number, window) in windows.chunks_exact_mut(W).enumerate() {
            assert!(number < batch * n);
            let first = match images {
                Images::U8(pixels) => f32::from(pixels[number / n * 3 * S * S]) / 255.0,
                Images::F32(pixels) => pixels[number / n * 3 * S * S],
            };
            window.fill(first * self.scale + (number % n) as f32);
        }
        Ok(())
    }
}

impl TextTower for Text {
    fn shape(&self) -> TextTowerShape {
        TextTowerShape { context: CONTEXT, width: WT, embed: E }
    }

    fn encode(&mut self, embedded: &[f32], eot: &[u32], causal: bool, out: &mut [f32]) -> Result<(), Failure> {
        for (n, &eot) in eot.iter().enumerate() {
            let row = &embedded[(n * CONTEXT + eot as usize) * WT..][..WT];
            for (out, value) in out[n * E..(n + 1) * E].iter_mut().zip(row) {
                *out = value + self.bias + f32::from(u8::from(causal));
            }
        }
        Ok(())
    }
}

impl Trainer for Train {
    fn shape(&self) -> TrainerShape {
        TrainerShape {
            image_size: S,
            grid: G,
            taps: TAPS,
            grids: TAPS,
            has_detection: true,
            tokens: T,
            width: W,
            embed: E,
            has_masks: self.has_masks,
            losses: LOSSES.len(),
        }
    }

    fn append_support(&mut self, taps: &[&[f32]], labels: &[u8], _: Option<&[u8]>) -> Result<(), Failure> {
        self.support.extend((0..labels.len()).map(|n| taps[0][n * T * W] + f32::from(labels[n])));
        Ok(())
    }

    /// Losses: sum of the chosen supports, steps so far, weight 0. The weights then fall by the rate.
    fn step(&mut self, indices: &[u32], losses: &mut [f32]) -> Result<(), Failure> {
        let sum = indices.iter().map(|&index| self.support[index as usize]).sum();
        losses.copy_from_slice(&[sum, self.steps as f32, self.weight[0]]);
        if losses.iter().all(|loss| loss.is_finite()) {
            self.weight.iter_mut().for_each(|weight| *weight -= self.rate as f32);
            self.steps += 1;
        }
        Ok(())
    }

    fn gradients(&mut self, indices: &[u32], out: &mut Outputs<'_>) -> Result<(), Failure> {
        let n = indices.len() as f32;
        out.fill("weight", &[2, 2], &self.weight.iter().map(|weight| weight * n).collect::<Vec<_>>())?;
        out.fill("bias", &[2], &self.bias)
    }

    fn read_state(&mut self, out: &mut Outputs<'_>) -> Result<(), Failure> {
        out.fill("weight", &[2, 2], &self.weight)?;
        out.fill("bias", &[2], &self.bias)
    }

    fn write_state(&mut self, state: &Tensors<'_>) -> Result<(), Failure> {
        if let Some(other) = state.iter().find(|tensor| !["weight", "bias"].contains(&tensor.name)) {
            return Err(Failure::invalid(format!("tensor `{}` is not a parameter", other.name)));
        }
        let (weight, bias) = (state.expect("weight", &[2, 2])?.f32()?, state.expect("bias", &[2])?.f32()?);
        (self.weight, self.bias, self.steps) = (weight.to_vec(), bias.to_vec(), 0);
        Ok(())
    }

    /// First moments are the steps so far, second ones zeros.
    fn read_moments(&mut self, out: &mut Outputs<'_>) -> Result<u64, Failure> {
        for (moment, value) in [("first", self.steps as f32), ("second", 0.0)] {
            out.fill(&format!("{moment}.weight"), &[2, 2], &[value; 4])?;
            out.fill(&format!("{moment}.bias"), &[2], &[value; 2])?;
        }
        Ok(self.steps.into())
    }

    fn write_moments(&mut self, moments: &Tensors<'_>, steps: u64) -> Result<(), Failure> {
        for moment in ["first", "second"] {
            moments.expect(&format!("{moment}.weight"), &[2, 2])?.f32()?;
            moments.expect(&format!("{moment}.bias"), &[2])?.f32()?;
        }
        self.steps = steps as u32;
        Ok(())
    }

    fn text(&mut self, out: &mut [f32]) -> Result<(), Failure> {
        out.fill(self.text);
        Ok(())
    }

    fn score(&mut self, taps: &[&[f32]], batch: usize, out: ScoreBuffers<'_>) -> Result<(), Failure> {
        for image in 0..batch {
            for (number, tap) in taps.iter().enumerate() {
                out.grids[(image * TAPS + number) * G * G..][..G * G].fill(tap[image * T * W]);
            }
            out.detection[image] = taps[0][image * T * W] * self.weight[0];
        }
        if let Some(maps) = out.maps {
            maps.fill(0.25);
        }
        Ok(())
    }

    fn room(&self) -> Option<u64> {
        ROOM.checked_sub(self.held.values().flatten().map(|tap| 4 * tap.len() as u64).sum())
    }

    /// Taps whose first value is negative find the device full.
    fn hold_taps(&mut self, set: u64, taps: &[&[f32]], _: usize) -> Result<(), Failure> {
        if taps[0][0] < 0.0 {
            return Err(Failure::exhausted("no room for taps"));
        }
        self.held.insert(set, taps.iter().map(|tap| tap.to_vec()).collect());
        Ok(())
    }

    fn score_held(&mut self, set: u64, indices: &[u32], out: ScoreBuffers<'_>) -> Result<(), Failure> {
        let some = |tap: &Vec<f32>| -> Vec<f32> {
            indices.iter().flat_map(|&image| &tap[image as usize * T * W..][..T * W]).copied().collect()
        };
        let taps: Vec<Vec<f32>> = self.held[&set].iter().map(some).collect();
        self.score(&taps.iter().map(Vec::as_slice).collect::<Vec<_>>(), indices.len(), out)
    }

    fn release_taps(&mut self, set: u64) -> Result<(), Failure> {
        self.held.remove(&set);
        Ok(())
    }
}

pub fn arch() -> Value {
    json!({"image_size": 4, "patch": 2, "width": W, "embed": E, "context": CONTEXT, "text_width": WT})
}

pub fn open() -> Opened {
    open_on(&backend().unwrap(), "cpu")
}

/// Dummy's table, changed, and what the host makes of it.
pub fn changed(change: impl FnOnce(&mut Table)) -> Result<Backend, LoadError> {
    // SAFETY: the table of a built-in backend.
    let mut changed = unsafe { *table() };
    change(&mut changed);
    // SAFETY: leaked, hence readable for good; what tests change is what the call must notice.
    unsafe { Backend::from_table(Box::leak(Box::new(changed))) }
}

pub fn open_on(backend: &Backend, device: &str) -> Opened {
    backend.open(&SessionOptions::on(device)).unwrap()
}

pub fn image_options() -> ImageTowerOptions {
    ImageTowerOptions {
        arch: arch(),
        image_size: S,
        taps: vec![1, 2],
        activation: json!("gelu"),
        normalize: json!("none"),
        precision: Precision::F32,
    }
}

pub fn text_options() -> TextTowerOptions {
    TextTowerOptions { arch: arch(), activation: json!("gelu") }
}

pub fn trainer_options(has_masks: bool) -> TrainerOptions {
    TrainerOptions {
        model: Model::Madclip,
        options: json!({"image_size": S, "taps": [1, 2]}),
        arch: arch(),
        has_masks,
        learning_rate: 0.001,
        losses: LOSSES.map(str::to_owned).to_vec(),
    }
}

pub const WEIGHT: [f32; 4] = [1.0, 2.0, 3.0, 4.0];
pub const BIAS: [f32; 2] = [5.0, 6.0];

pub fn state() -> [NamedTensor<'static>; 2] {
    [NamedTensor::f32("weight", &[2, 2], &WEIGHT), NamedTensor::f32("bias", &[2], &BIAS)]
}

pub fn image_tower(session: &Opened, scale: f32) -> OpenedTower {
    session.load_image_tower(&image_options(), &[NamedTensor::f32("visual.scale", &[1], &[scale])]).unwrap()
}

pub fn trainer(session: &Opened) -> OpenedTrainer {
    session.create_trainer(&trainer_options(false), None, &[], &state()).unwrap()
}

/// Two taps of `n` images, every element of image `i` being `values[i]`.
pub fn taps(values: &[f32]) -> Vec<f32> {
    values.iter().flat_map(|&value| [value; T * W]).collect()
}
