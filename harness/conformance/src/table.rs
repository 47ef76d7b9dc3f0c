//! Runs a case on a backend, through the host's side of its C table.

use std::collections::BTreeMap;

use harness_backend_abi::host::{
    ImageTowerOptions, NamedTensor, OwnedTensor, Precision, Session, TextTower, TextTowerOptions, Trainer,
    TrainerOptions,
};
use harness_method::options::Side;

use crate::held::Both;
use crate::{Case, Observed, Sentences, Subject};

/// Images encoded in one call.
const ENCODE_BATCH: [usize; 1] = [6];

/// How far text vectors of the same state may lie apart.
const SAME_STATE: f32 = 1e-6;

/// A backend with an open device.
pub struct ThroughTable<'a>(&'a Session, Precision, &'static [usize]);

/// A subject that runs cases on an open device, in a precision; for `tf32` the session was opened with it.
pub fn through_table(session: &Session, precision: Precision) -> ThroughTable<'_> {
    ThroughTable(session, precision, &ENCODE_BATCH)
}

impl Subject for ThroughTable<'_> {
    fn run(&mut self, case: &Case) -> Result<Observed, String> {
        let taps = self.encode(case)?;
        let taps_of = |indices: &[usize]| -> Vec<Vec<f32>> {
            let image = |tap: &Vec<f32>, i: usize| {
                let per_image = tap.len() / case.labels.len();
                tap[i * per_image..(i + 1) * per_image].to_vec()
            };
            taps.iter().map(|tap| indices.iter().flat_map(|&i| image(tap, i)).collect()).collect()
        };
        let text = match case.sentences {
            Some(_) => Some(self.text_tower(case)?),
            None => None,
        };
        let options = TrainerOptions::of_model(&case.options, &case.arch, case.has_masks, case.learning_rate);
        let options = options.map_err(text_of)?;
        let initial: Vec<NamedTensor<'_>> =
            case.initial.iter().map(|(name, tensor)| NamedTensor::f32(name, &tensor.shape, &tensor.data)).collect();
        let prompts = Prompts::of(case);
        let mut trainer =
            self.0.create_trainer(&options, text.as_ref(), &prompts.named(), &initial).map_err(text_of)?;
        let masks = case.has_masks.then_some(&case.masks[..]);
        trainer.append_support(&slices(&taps), &case.labels, masks).map_err(text_of)?;
        let wanted: Vec<(&str, &[usize])> =
            case.initial.iter().map(|(name, tensor)| (name.as_str(), &tensor.shape[..])).collect();
        let text = trainer.text().map_err(text_of)?;
        let batches: Vec<Vec<u32>> =
            case.batches.iter().map(|batch| batch.iter().map(|&i| i as u32).collect()).collect();
        let first = batches.first().ok_or("a case without batches")?;
        let gradients = by_name(trainer.gradients(first, &wanted).map_err(text_of)?);
        let losses = steps(&mut trainer, &batches, &wanted)?;
        let test = taps_of(&case.test);
        let scores = trainer.score(&slices(&test), case.test.len(), true).map_err(text_of)?;
        let held = Both::of(&mut trainer, test, case.test.len())?;
        held.iter().try_for_each(|held| held.compare(&mut trainer, true))?;
        let parameters = by_name(trainer.read_state(&wanted).map_err(text_of)?);
        // Nothing that was kept for one state may answer for another.
        trainer.write_state(&initial).map_err(text_of)?;
        let again = trainer.text().map_err(text_of)?;
        let distance = text.iter().zip(&again).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
        if distance > SAME_STATE {
            return Err(format!("with the initial state written back its text vectors are off by {distance:.1e}"));
        }
        if let Some(held) = held {
            held.compare(&mut trainer, true)?;
            held.release(&mut trainer)?;
        }
        Ok(Observed {
            taps: taps_of(&[0, 1]),
            text,
            gradients,
            losses,
            parameters,
            maps: scores.maps.unwrap_or_default(),
            detection: scores.detection,
        })
    }
}

fn named(tensors: &[OwnedTensor]) -> Vec<NamedTensor<'_>> {
    tensors.iter().map(OwnedTensor::as_named).collect()
}

/// Steps on some batches, the losses of each. Behind the first of them the trainer loses its moments and gets them
/// back, where its backend can: the next steps must not show it.
pub(crate) fn steps(
    trainer: &mut Trainer,
    batches: &[Vec<u32>],
    parameters: &[(&str, &[usize])],
) -> Result<Vec<Vec<f32>>, String> {
    let mut losses = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        losses.push(trainer.step(batch).map_err(text_of)?);
        if number == 0 && trainer.resumes() {
            let state = trainer.read_state(parameters).map_err(text_of)?;
            let moments = trainer.read_moments(parameters).map_err(text_of)?;
            trainer.write_state(&named(&state)).map_err(text_of)?;
            trainer.write_moments(&named(&moments.tensors), moments.steps).map_err(text_of)?;
        }
    }
    Ok(losses)
}

impl ThroughTable<'_> {
    /// The same with so many images encoded in one call, and after the last of these from the first again.
    pub(crate) fn in_batches(self, batches: &'static [usize]) -> Self {
        Self(self.0, self.1, batches)
    }

    /// Taps of all images, `[N, T, W]` each.
    fn encode(&self, case: &Case) -> Result<Vec<Vec<f32>>, String> {
        let options = ImageTowerOptions::of_model(&case.options, &case.arch, self.1.of_numbers()).map_err(text_of)?;
        let weights = weights(case, |name| name.starts_with("visual."));
        let mut tower = self.0.load_image_tower(&options, &weights).map_err(text_of)?;
        let n = case.labels.len();
        let (per_image, per_tap) = (case.images.len() / n, tower.shape().tokens * tower.shape().width);
        let mut taps = vec![vec![0.0; n * per_tap]; tower.shape().taps];
        let (mut from, mut batches) = (0, self.2.iter().cycle());
        while from < n {
            let to = n.min(from + batches.next().copied().unwrap_or(n));
            let mut buffers: Vec<&mut [f32]> =
                taps.iter_mut().map(|tap| &mut tap[from * per_tap..to * per_tap]).collect();
            let images = &case.images[from * per_image..to * per_image];
            tower.encode_u8(images, to - from, &mut buffers).map_err(text_of)?;
            from = to;
        }
        Ok(taps)
    }

    fn text_tower(&self, case: &Case) -> Result<TextTower, String> {
        let options = TextTowerOptions::of_model(&case.options, &case.arch).map_err(text_of)?;
        let weights = weights(case, |name| !name.starts_with("visual.") && name != "token_embedding.weight");
        self.0.load_text_tower(&options, &weights).map_err(text_of)
    }
}

/// Sentences of both classes as the interface takes them.
struct Prompts {
    floats: Vec<(String, Vec<usize>, Vec<f32>)>,
    indices: Vec<(String, Vec<usize>, Vec<u32>)>,
}

impl Prompts {
    fn of(case: &Case) -> Self {
        let mut prompts = Self { floats: Vec::new(), indices: Vec::new() };
        for (side, sentences) in Side::BOTH.iter().zip(case.sentences.iter().flatten()) {
            let Sentences { embedded, eot, lengths } = sentences;
            let learned = case.options.prompts.learned_sides().contains(side);
            let name = |what: &str| format!("{}.{}.{what}", if learned { "prompt" } else { "fixed" }, side.name());
            let n = eot.len();
            let shape = vec![n, case.arch.context, case.arch.text_width];
            prompts.floats.push((name("embedded"), shape, embedded.clone()));
            let mut add = |what: &str, values: &[usize]| {
                prompts.indices.push((name(what), vec![n], values.iter().map(|&i| i as u32).collect()));
            };
            add("eot", eot);
            if learned {
                add("lengths", lengths);
            }
        }
        prompts
    }

    fn named(&self) -> Vec<NamedTensor<'_>> {
        let floats = self.floats.iter().map(|(name, shape, values)| NamedTensor::f32(name, shape, values));
        let indices = self.indices.iter().map(|(name, shape, values)| NamedTensor::u32(name, shape, values));
        floats.chain(indices).collect()
    }
}

fn weights(case: &Case, wanted: impl Fn(&str) -> bool) -> Vec<NamedTensor<'_>> {
    case.weights
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, tensor)| NamedTensor::f32(name, &tensor.shape, &tensor.data))
        .collect()
}

fn slices(taps: &[Vec<f32>]) -> Vec<&[f32]> {
    taps.iter().map(Vec::as_slice).collect()
}

fn by_name(tensors: Vec<OwnedTensor>) -> BTreeMap<String, Vec<f32>> {
    tensors.into_iter().map(|tensor| (tensor.name, tensor.values)).collect()
}

fn text_of(error: impl std::fmt::Display) -> String {
    error.to_string()
}
