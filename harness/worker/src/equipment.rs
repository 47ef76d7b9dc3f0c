//! What a worker of a benchmark measures with: a backend with synthetic weights, images and taps, loaded once.

use std::time::Instant;

use harness_backend_abi::host::{
    Backend, ImageTower, ImageTowerOptions, NamedTensor, Session, SessionOptions, TextTower, TextTowerOptions, Trainer,
    TrainerOptions,
};
use harness_experiment::Precision;
use harness_method::parameters::parameters;
use harness_method::streams;
use harness_records::{Class, StateTensor};
use harness_weights::Weights;

use crate::encoding::{json, unsendable};
use crate::error::Error;
use crate::part::Part;
use crate::sentences::Sentences;
use crate::session::gemm_rate;
use crate::tensors;
use crate::weights::{Weight, gather};
use crate::workload::Workload;

/// Everything that one measurement after the other is made with.
pub(crate) struct Equipment {
    session: Session,
    device: String,
    tower: ImageTower,
    trainer: Trainer,
    images: usize,
    /// u8 `[images, 3, S, S]`.
    pixels: Vec<u8>,
    /// One `[images, T, W]` a tap: what the tower fills.
    outputs: Vec<Vec<f32>>,
    /// One `[images, T, W]` a tap: what is trained on and scored.
    taps: Vec<Vec<f32>>,
    indices: Vec<u32>,
}

impl Equipment {
    /// Loads weights by rule into the backend's first device. Also tells how many seconds that took the backend.
    pub(crate) fn load(backend: &Backend, workload: &Workload, threads: Option<usize>) -> Result<(Self, f64), Error> {
        let Workload { arch, options, images, .. } = workload;
        let Some(device) = backend.describe().devices.first().cloned() else {
            let message = format!("backend `{}` has no device here", backend.describe().name);
            return Err(Error::Job { class: Class::Input, message });
        };
        let weights = Weights::synthetic(arch, 0)?;
        let image_names: Vec<String> = weights.image_tower_names().map(str::to_owned).collect();
        let text_names: Vec<String> = weights.text_tower_names().map(str::to_owned).collect();
        let (of_images, of_text) = (gather(&weights, &image_names)?, gather(&weights, &text_names)?);
        let sentences = Sentences::new(options, "Brain", &weights)?;
        let state: Vec<StateTensor> = parameters(options, arch)
            .into_iter()
            .map(|p| StateTensor { values: p.values(0), name: p.name, shape: p.shape })
            .collect();

        let start = Instant::now();
        let tf32 = workload.precision == Precision::Tf32;
        let session = backend.open(&SessionOptions { device: device.clone(), threads, tf32 })?;
        let tower = image_tower(&session, workload, &of_images)?;
        let text = text_tower(&session, workload, &of_text)?;
        let given = TrainerOptions::of_model(options, arch, true, 1e-3).map_err(unsendable)?;
        let mut trainer = session.create_trainer(
            &given,
            Some(&text).filter(|_| sentences.need_text_tower()),
            &sentences.tensors(),
            &tensors::named(&state),
        )?;
        let load_secs = start.elapsed().as_secs_f64();

        let (side, count) = (options.image_size, *images);
        let tap = count * tower.shape().tokens * tower.shape().width;
        let taps: Vec<Vec<f32>> =
            options.taps.iter().map(|tap_of| streams::uniform(&format!("bench.{tap_of}"), 0, tap, 1.7)).collect();
        let labels: Vec<u8> = (0..count).map(|image| (image % 2) as u8).collect();
        trainer.append_support(&slices(&taps), &labels, Some(&masks(&labels, side)))?;
        let pixels = streams::uniform("bench.pixels", 0, count * 3 * side * side, 127.5);
        let equipment = Self {
            session,
            device,
            tower,
            trainer,
            images: count,
            pixels: pixels.into_iter().map(|value| (value + 127.5) as u8).collect(),
            outputs: vec![vec![0.0; tap]; options.taps.len()],
            taps,
            indices: (0..count as u32).collect(),
        };
        Ok((equipment, load_secs))
    }

    /// The rate of products of a device of its own.
    pub(crate) fn gemm_rate(&self) -> Option<Result<f64, Error>> {
        gemm_rate(&self.session, &self.device)
    }

    /// Seconds of one measurement.
    pub(crate) fn time(&mut self, part: Part) -> Result<f64, Error> {
        if part == Part::Score {
            // The step before changed the sentences; a state that scores has encoded them once.
            self.trainer.text()?;
        }
        let start = Instant::now();
        match part {
            Part::Encode => {
                let mut outputs: Vec<&mut [f32]> = self.outputs.iter_mut().map(Vec::as_mut_slice).collect();
                self.tower.encode_u8(&self.pixels, self.images, &mut outputs)?;
            }
            Part::Step => {
                self.trainer.step(&self.indices)?;
            }
            Part::Score => {
                self.trainer.score(&slices(&self.taps), self.images, false)?;
            }
            Part::Metrics => {
                let message = "a backend was asked for metrics".to_owned();
                return Err(Error::Job { class: Class::Internal, message });
            }
        }
        Ok(start.elapsed().as_secs_f64())
    }
}

fn image_tower(session: &Session, workload: &Workload, weights: &[Weight]) -> Result<ImageTower, Error> {
    let Workload { arch, options, .. } = workload;
    let given = ImageTowerOptions {
        arch: json(arch)?,
        image_size: options.image_size,
        taps: options.taps.clone(),
        activation: json(&options.activation)?,
        normalize: json(&options.normalize)?,
        precision: workload.precision.of_numbers(),
    };
    let weights: Vec<NamedTensor<'_>> = weights.iter().map(Weight::as_named).collect();
    Ok(session.load_image_tower(&given, &weights)?)
}

fn text_tower(session: &Session, workload: &Workload, weights: &[Weight]) -> Result<TextTower, Error> {
    let given = TextTowerOptions { arch: json(&workload.arch)?, activation: json(&workload.options.activation)? };
    let weights: Vec<NamedTensor<'_>> = weights.iter().map(Weight::as_named).collect();
    Ok(session.load_text_tower(&given, &weights)?)
}

fn slices(taps: &[Vec<f32>]) -> Vec<&[f32]> {
    taps.iter().map(Vec::as_slice).collect()
}

/// A square lesion in the middle of every abnormal image: u8 `[images, S, S]`.
pub fn masks(labels: &[u8], side: usize) -> Vec<u8> {
    let inside = |at: usize| (side / 4..side / 2).contains(&at);
    let mask = |label: u8| (0..side * side).map(move |i| label * u8::from(inside(i / side) && inside(i % side)));
    labels.iter().flat_map(|label| mask(*label)).collect()
}
