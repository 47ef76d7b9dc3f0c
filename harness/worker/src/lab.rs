//! A worker's equipment: one backend's session, the weights, the tap store, and what is loaded of them already.

use std::collections::BTreeSet;
use std::io::Write;
use std::rc::Rc;
use std::time::Instant;

use half::f16;
use harness_backend_abi::host::{
    Backend, BackendError, Capability, ImageTower, ImageTowerOptions, NamedTensor, Session, Status, TextTower,
    TextTowerOptions, Trainer, TrainerOptions,
};
use harness_data::Registry;
use harness_experiment::{EncoderSource, Precision, StorePrecision, Training};
use harness_features::{Key, TapStore, TapWriter};
use harness_method::heads::Heads;
use harness_method::prompts;
use harness_methods::{DeskError, Nearest, Processor, Projection};
use harness_records::{Cost, StateTensor, registry};
use harness_weights::{Floats, Weights};

use crate::encoding::{Encoding, json, unsendable};
use crate::error::{Error, failed};
use crate::events::Events;
use crate::protocol::WorldSetup;
use crate::sentences::Sentences;
use crate::session::{PROCESSOR, gemm_rate, open_session};
use crate::speed::{Times, milliseconds};
use crate::weights::{Weight, gather, open_weights};
use crate::{memory, tensors};

/// Images that go through the encoder at once.
pub(crate) const ENCODE_BATCH: usize = 16;

/// Images before they are encoded, `[3, S, S]` each, before `normalize`.
pub(crate) enum Images {
    /// 0 to 255.
    U8(Vec<Vec<u8>>),
    /// 0 to 1.
    F32(Vec<Vec<f32>>),
}

impl Images {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::U8(images) => images.len(),
            Self::F32(images) => images.len(),
        }
    }

    /// Some of them in a row.
    fn pixels(&self, which: &[usize]) -> Pixels {
        fn row<T: Copy>(images: &[Vec<T>], which: &[usize]) -> Vec<T> {
            which.iter().map(|&image| images[image].as_slice()).collect::<Vec<_>>().concat()
        }
        match self {
            Self::U8(images) => Pixels::U8(row(images, which)),
            Self::F32(images) => Pixels::F32(row(images, which)),
        }
    }

    fn keys(&self, encoding: &Encoding) -> Vec<Key> {
        match self {
            Self::U8(images) => images.iter().map(|image| encoding.key.of_pixels(image)).collect(),
            Self::F32(images) => images.iter().map(|image| encoding.key.of_f32_pixels(image)).collect(),
        }
    }
}

/// Images in a row, `[n, 3, S, S]`.
enum Pixels {
    U8(Vec<u8>),
    F32(Vec<f32>),
}

/// What a job took of the backend, since the last one was accounted for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spent {
    /// Loading the backend, its device and weights.
    load_secs: f64,
    /// Encoding, without loading.
    encode_secs: f64,
    images: u64,
    /// Images whose windows were encoded, once for each side.
    windowed: u64,
    reduced_batch: Option<u64>,
    /// Calls that encode, an image.
    encode: Times,
    /// Calls that train, a step.
    pub(crate) step: Times,
    /// Calls that score, an image.
    pub(crate) score: Times,
    /// Computing again what the device computed, by its referee and by itself.
    pub(crate) check_secs: f64,
}

/// Bytes of a bank that are given to a backend at once.
const BANK_BYTES: usize = 256 << 20;

/// A backend that compares tokens with a bank.
struct OnBackend<'a>(&'a Session);

impl Nearest for OnBackend<'_> {
    fn nearest(&mut self, queries: &[f32], bank: &[f32], width: usize) -> Result<Vec<f32>, DeskError> {
        let rows = (BANK_BYTES / size_of::<f32>() / width.max(1)).max(1);
        let mut least = vec![f32::INFINITY; queries.len() / width.max(1)];
        for bank in bank.chunks(rows * width) {
            let found = self.0.nearest(bank, queries, width).map_err(Error::from)?;
            least.iter_mut().zip(found).for_each(|(least, found)| *least = least.min(found));
        }
        Ok(least)
    }
}

/// What a worker found out before it opened its device.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// Seconds to load the backend.
    pub(crate) load_secs: f64,
    /// As [`Cost::gemm_gflops`].
    pub(crate) gemm_gflops: Option<f64>,
}

/// The backend that checks, and its equipment once something was checked.
pub(crate) struct Referee {
    backend: Backend,
    threads: Option<usize>,
    lab: Option<Box<Lab>>,
}

impl Referee {
    /// A referee that computes on the processor.
    pub(crate) fn new(backend: Backend, threads: Option<usize>) -> Self {
        Self { backend, threads, lab: None }
    }

    /// Its equipment, beside that of the device that it checks.
    pub(crate) fn lab(&mut self, beside: &Lab) -> Result<&mut Lab, Error> {
        let lab = match self.lab.take() {
            Some(lab) => lab,
            None => Box::new(beside.beside(&self.backend, self.threads)?),
        };
        Ok(self.lab.insert(lab))
    }

    /// A training as it would be on this backend, down to the keys of its images.
    pub(crate) fn own(&self, training: &Training) -> Training {
        let about = self.backend.describe();
        let device = PROCESSOR.to_owned();
        let backend = harness_experiment::Backend { name: about.name.clone(), version: about.version.clone(), device };
        Training { backend, precision: Precision::F32, ..training.clone() }
    }

    /// Its name and version.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.backend.describe().name, self.backend.describe().version)
    }
}

/// A worker's equipment.
pub(crate) struct Lab {
    session: Session,
    /// Whether the backend compares tokens with banks.
    compares: bool,
    pub(crate) registry: Registry,
    pub(crate) store: Rc<TapStore>,
    source: EncoderSource,
    weights: Option<Weights>,
    image_tower: Option<(ImageTowerOptions, ImageTower)>,
    text_tower: Option<(TextTowerOptions, TextTower)>,
    encode_batch: usize,
    gemm_gflops: Option<f64>,
    pub(crate) spent: Spent,
    /// Bytes a second at which an unfinished training was last kept.
    pub(crate) keeping_rate: Option<f64>,
    /// What checks the results of a device that compiles.
    pub(crate) referee: Option<Referee>,
    told: BTreeSet<String>,
}

impl Lab {
    /// Opens the device, the registry and the store. Weights are opened when they are needed. `known` is what was
    /// measured before.
    pub(crate) fn open(
        backend: Backend,
        setup: &WorldSetup,
        threads: Option<usize>,
        known: Known,
        referee: Option<Referee>,
    ) -> Result<Self, Error> {
        let start = Instant::now();
        let session = open_session(&backend, &setup.device, threads, setup.precision)?;
        let load_secs = known.load_secs + start.elapsed().as_secs_f64();
        let gemm_gflops = match known.gemm_gflops {
            None if setup.compared => gemm_rate(&session, &setup.device).transpose()?,
            known => known,
        };
        // On the processor the harness does, alike for all backends. What is left of 1 less a cosine is too little for
        // the rounding of TF32.
        let compares = setup.device != PROCESSOR
            && setup.precision != Precision::Tf32
            && session.backend().has(Capability::Nearest);
        Ok(Self {
            session,
            compares,
            registry: registry::load(&setup.registry, setup.generated)?,
            store: Rc::new(TapStore::open(&setup.taps, setup.budget)?),
            source: setup.encoder.clone(),
            weights: None,
            image_tower: None,
            text_tower: None,
            encode_batch: ENCODE_BATCH,
            gemm_gflops,
            spent: Spent { load_secs, ..Spent::default() },
            keeping_rate: None,
            referee,
            told: BTreeSet::new(),
        })
    }

    /// Equipment of another backend for the same jobs: on the processor, in f32.
    pub(crate) fn beside(&self, backend: &Backend, threads: Option<usize>) -> Result<Self, Error> {
        Ok(Self {
            session: open_session(backend, PROCESSOR, threads, Precision::F32)?,
            compares: false,
            registry: self.registry.clone(),
            store: Rc::clone(&self.store),
            source: self.source.clone(),
            weights: None,
            image_tower: None,
            text_tower: None,
            encode_batch: ENCODE_BATCH,
            gemm_gflops: None,
            spent: Spent::default(),
            keeping_rate: None,
            referee: None,
            told: BTreeSet::new(),
        })
    }

    /// Tells what this worker has not told yet.
    pub(crate) fn tell_once(&mut self, message: &str, events: &mut Events) {
        if self.told.insert(message.to_owned()) {
            events.note(message);
        }
    }

    /// Writes to the job's log what this worker has not written yet.
    pub(crate) fn log_once(&mut self, message: &str) {
        if self.told.insert(message.to_owned()) {
            // A line that can't be written is not worth a job.
            let _ = writeln!(std::io::stderr(), "{message}");
        }
    }

    /// The weights, which must be those the training was planned with.
    pub(crate) fn weights(&mut self, training: &Training) -> Result<&Weights, Error> {
        let weights = match self.weights.take() {
            Some(weights) => weights,
            None => {
                let start = Instant::now();
                let weights = open_weights(&self.source)?;
                weights.hash();
                self.spent.load_secs += start.elapsed().as_secs_f64();
                weights
            }
        };
        if weights.hash() != training.weights.to_string() {
            return Err(Error::Changed { what: "the encoder's weights".to_owned() });
        }
        Ok(self.weights.insert(weights))
    }

    /// A trainer of MadCLIP with this state, whose sentences speak of `object`.
    pub(crate) fn trainer(
        &mut self,
        training: &Training,
        options: &harness_method::Options,
        object: &str,
        state: &[StateTensor],
    ) -> Result<Trainer, Error> {
        let sentences = Sentences::new(options, object, self.weights(training)?)?;
        if sentences.need_text_tower() {
            self.load_text_tower(training)?;
        }
        let Training { arch, has_masks, learning_rate, .. } = training;
        let given = TrainerOptions::of_model(options, arch, *has_masks, *learning_rate).map_err(unsendable)?;
        let text = self.text_tower.as_ref().filter(|_| sentences.need_text_tower()).map(|(_, tower)| tower);
        Ok(self.session.create_trainer(&given, text, &sentences.tensors(), &tensors::named(state))?)
    }

    /// A trainer of heads with this state, which compare tokens with `direction`, `[embed]`.
    pub(crate) fn heads_trainer(
        &mut self,
        training: &Training,
        heads: &Heads,
        direction: &[f32],
        state: &[StateTensor],
    ) -> Result<Trainer, Error> {
        let Training { arch, has_masks, learning_rate, .. } = training;
        let given = TrainerOptions::of_heads(heads, arch, *has_masks, *learning_rate).map_err(unsendable)?;
        let blocks = match (heads.residual > 0.0, heads.taps.first(), heads.taps.last()) {
            (true, Some(first), Some(last)) => *first..*last,
            _ => 0..0,
        };
        let weights = self.weights(training)?;
        let start = Instant::now();
        let prefixes: Vec<String> = blocks.map(|block| format!("visual.transformer.resblocks.{block}.")).collect();
        let wanted = |name: &&str| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let names: Vec<String> = weights.image_tower_names().filter(wanted).map(str::to_owned).collect();
        let blocks = gather(weights, &names)?;
        let shape = [direction.len()];
        let mut tensors: Vec<NamedTensor<'_>> = blocks.iter().map(Weight::as_named).collect();
        tensors.push(NamedTensor::f32("text.direction", &shape, direction));
        let trainer = self.session.create_trainer(&given, None, &tensors, &tensors::named(state))?;
        self.spent.load_secs += start.elapsed().as_secs_f64();
        Ok(trainer)
    }

    /// Some images under an encoding: taps, one `[n, T, W]` a tap, or windows `[n, count, E]`. From the store, or
    /// encoded and, where there is a writer, stored. Also the images' keys.
    pub(crate) fn taps(
        &mut self,
        training: &Training,
        encoding: &Encoding,
        images: &Images,
        writer: Option<&mut TapWriter<'_>>,
    ) -> Result<(Vec<Key>, Vec<Vec<f32>>), Error> {
        let keys = images.keys(encoding);
        let shape = encoding.shape;
        let found = self.store.lookup(&keys, shape)?;
        for note in self.store.take_notes() {
            // To the job's log; a note that can't be written is not worth a job.
            let _ = writeln!(std::io::stderr(), "{note}");
        }
        let mut taps = vec![vec![0.0; images.len() * shape.tap_len()]; shape.taps()];
        let mut missing = Vec::new();
        for (image, entry) in found.iter().enumerate() {
            let Some(entry) = entry else {
                missing.push(image);
                continue;
            };
            for (tap, out) in taps.iter_mut().enumerate() {
                entry.read_tap_f32(tap, &mut out[image * shape.tap_len()..][..shape.tap_len()])?;
            }
        }
        drop(found);
        if !missing.is_empty() {
            self.encode_into(training, encoding, images, &missing, &mut taps)?;
            if let Some(writer) = writer {
                let mut values = Vec::with_capacity(shape.image_len());
                for image in missing {
                    values.clear();
                    for tap in &taps {
                        values.extend_from_slice(&tap[image * shape.tap_len()..][..shape.tap_len()]);
                    }
                    writer.append(keys[image], &values)?;
                }
            }
        }
        Ok((keys, taps))
    }

    /// Encodes the images `which` into `taps`. Where the backend has no memory for a batch, it gets half of one from
    /// then on.
    fn encode_into(
        &mut self,
        training: &Training,
        encoding: &Encoding,
        images: &Images,
        which: &[usize],
        taps: &mut [Vec<f32>],
    ) -> Result<(), Error> {
        self.load_image_tower(training, encoding)?;
        let windows = match encoding.key.windows {
            Some(side) => Some((side, self.projection(training)?)),
            None => None,
        };
        let start = Instant::now();
        let length = encoding.shape.tap_len();
        let mut rest = which;
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(rest.len().min(self.encode_batch));
            // Images side by side, as they are where none is stored, are encoded where they belong.
            let side_by_side = batch.windows(2).all(|pair| pair[1] == pair[0] + 1);
            let values = batch.len() * length;
            let mut apart = vec![vec![0.0; if side_by_side { 0 } else { values }]; taps.len()];
            let mut out: Vec<&mut [f32]> = if side_by_side {
                taps.iter_mut().map(|tap| &mut tap[batch[0] * length..][..values]).collect()
            } else {
                apart.iter_mut().map(Vec::as_mut_slice).collect()
            };
            let done = match &windows {
                Some((side, projection)) => self.encode_windows(images, batch, *side, projection, out[0]),
                None => self.encode_batch(images, batch, &mut out),
            };
            match done {
                Err(error) if error.status == Status::ResourceExhausted && self.encode_batch == ENCODE_BATCH => {
                    self.encode_batch = ENCODE_BATCH / 2;
                    self.spent.reduced_batch = Some(self.encode_batch as u64);
                    continue;
                }
                done => done?,
            }
            if encoding.shape.dtype() == StorePrecision::F16 {
                // As they will be read: a result must not tell whether taps came from the store.
                let all = out.iter_mut().flat_map(|tap| tap.iter_mut());
                all.for_each(|value| *value = f16::from_f32(*value).to_f32());
            }
            for (tap, out) in taps.iter_mut().zip(&apart) {
                for (&image, values) in batch.iter().zip(out.chunks_exact(length)) {
                    tap[image * length..][..length].copy_from_slice(values);
                }
            }
            rest = after;
        }
        self.spent.encode_secs += start.elapsed().as_secs_f64();
        let count = if windows.is_some() { &mut self.spent.windowed } else { &mut self.spent.images };
        *count += which.len() as u64;
        Ok(())
    }

    fn encode_batch(&mut self, images: &Images, batch: &[usize], out: &mut [&mut [f32]]) -> Result<(), BackendError> {
        let Some((_, tower)) = &mut self.image_tower else { unreachable!("loaded by the caller") };
        let pixels = images.pixels(batch);
        let start = Instant::now();
        match &pixels {
            Pixels::U8(pixels) => tower.encode_u8(pixels, batch.len(), out)?,
            Pixels::F32(pixels) => tower.encode_f32(pixels, batch.len(), out)?,
        }
        self.spent.encode.add(start.elapsed().as_secs_f64(), batch.len());
        Ok(())
    }

    /// Windows `[n, count, E]` of some images, as unit vectors in the space of texts.
    fn encode_windows(
        &mut self,
        images: &Images,
        batch: &[usize],
        side: usize,
        projection: &Projection,
        out: &mut [f32],
    ) -> Result<(), BackendError> {
        let Some((_, tower)) = &mut self.image_tower else { unreachable!("loaded by the caller") };
        let mut tokens = vec![0.0; out.len() / projection.embed() * projection.width()];
        match &images.pixels(batch) {
            Pixels::U8(pixels) => tower.encode_windows_u8(pixels, batch.len(), side, &mut tokens)?,
            Pixels::F32(pixels) => tower.encode_windows_f32(pixels, batch.len(), side, &mut tokens)?,
        }
        out.copy_from_slice(&projection.project(&tokens));
        Ok(())
    }

    /// Images that went through the encoder since costs were last taken, once for each side of windows too.
    pub(crate) fn encoded(&self) -> u64 {
        self.spent.images + self.spent.windowed
    }

    /// What compares tokens with a bank.
    pub(crate) fn nearest(&self) -> Box<dyn Nearest + '_> {
        if self.compares { Box::new(OnBackend(&self.session)) } else { Box::new(Processor) }
    }

    /// The tower's last norm and projection.
    pub(crate) fn projection(&mut self, training: &Training) -> Result<Projection, Error> {
        let weights = self.weights(training)?;
        let tensor = |name: &str| -> Result<Vec<f32>, Error> {
            Ok(match weights.floats(name)? {
                Floats::F32(values) => values,
                Floats::F16(values) => values.into_iter().map(f16::to_f32).collect(),
            })
        };
        let (weight, bias) = (tensor("visual.ln_post.weight")?, tensor("visual.ln_post.bias")?);
        Projection::new(weight, bias, tensor("visual.proj")?).map_err(failed)
    }

    fn load_image_tower(&mut self, training: &Training, encoding: &Encoding) -> Result<(), Error> {
        if self.image_tower.as_ref().is_some_and(|(options, _)| *options == encoding.tower) {
            return Ok(());
        }
        // The old one's memory is free before the new one takes its own.
        self.image_tower = None;
        let weights = self.weights(training)?;
        let start = Instant::now();
        let names: Vec<String> = weights.image_tower_names().map(str::to_owned).collect();
        let tensors = gather(weights, &names)?;
        let named: Vec<NamedTensor<'_>> = tensors.iter().map(Weight::as_named).collect();
        let tower = self.session.load_image_tower(&encoding.tower, &named)?;
        self.image_tower = Some((encoding.tower.clone(), tower));
        self.spent.load_secs += start.elapsed().as_secs_f64();
        Ok(())
    }

    /// Features `[n, E]` of fixed sentences, not normalised.
    pub(crate) fn encode_sentences(
        &mut self,
        training: &Training,
        sentences: &prompts::Sentences,
    ) -> Result<Vec<f32>, Error> {
        self.load_text_tower(training)?;
        let embedded = self.weights(training)?.gather_token_embeddings(&sentences.tokens.concat())?;
        let eot: Vec<u32> = sentences.eot.iter().map(|&index| index as u32).collect();
        let Some((_, tower)) = &mut self.text_tower else { unreachable!("loaded above") };
        Ok(tower.encode(&embedded, &eot, true)?)
    }

    fn load_text_tower(&mut self, training: &Training) -> Result<(), Error> {
        let options = TextTowerOptions {
            arch: json(&training.arch)?,
            activation: json(&training.options.encoding().activation)?,
        };
        if self.text_tower.as_ref().is_some_and(|(loaded, _)| *loaded == options) {
            return Ok(());
        }
        self.text_tower = None;
        let weights = self.weights(training)?;
        let start = Instant::now();
        let names: Vec<String> = weights.text_tower_names().map(str::to_owned).collect();
        let tensors = gather(weights, &names)?;
        let named: Vec<NamedTensor<'_>> = tensors.iter().map(Weight::as_named).collect();
        let tower = self.session.load_text_tower(&options, &named)?;
        self.text_tower = Some((options, tower));
        self.spent.load_secs += start.elapsed().as_secs_f64();
        Ok(())
    }

    /// What a job took: these, and what was spent since the last call of this.
    pub(crate) fn cost(&mut self, compute_secs: f64, total_secs: f64) -> Cost {
        let spent = std::mem::take(&mut self.spent);
        let known = |bytes: u64| (bytes > 0).then_some(bytes);
        let memory = self.session.memory().unwrap_or_default();
        Cost {
            encode_secs: spent.encode_secs,
            encoded: spent.images,
            windowed: spent.windowed,
            compute_secs,
            total_secs,
            peak_memory_bytes: known(memory.host_peak_bytes).max(memory::peak("self")),
            device_memory_bytes: known(memory.device_peak_bytes),
            reduced_encode_batch: spent.reduced_batch,
            load_secs: Some(spent.load_secs),
            encode_rate: spent.encode.rate(),
            step_p50_ms: spent.step.percentile(0.5).map(milliseconds),
            step_p95_ms: spent.step.percentile(0.95).map(milliseconds),
            score_rate: spent.score.rate(),
            gemm_gflops: self.gemm_gflops,
            check_secs: (spent.check_secs > 0.0).then_some(spent.check_secs),
        }
    }
}
