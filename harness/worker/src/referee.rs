//! What a device that compiles its kernels computed is computed again by the built-in backend: the first step of a
//! training, before it and, on the device, once more after it; and some of the images that a state scored. A kernel
//! that is wrong only at some shapes, or only once it comes out of the cache of kernels, is found by the numbers of
//! this very training, and by nothing else.

use std::path::Path;
use std::time::Instant;

use harness_backend_abi::host::{BackendError, OwnedTensor, Trainer};
use harness_conformance::{Line, Tolerances, line, worst};
use harness_data::{Item, load_image};
use harness_experiment::{Precision, StorePrecision, Training};
use harness_methods::{Computation, Scores};
use harness_records::{Check, Class, Quantity, StateTensor, state, state_file};
use rayon::prelude::*;

use crate::encoding::{Encoding, finish, writers};
use crate::error::{Error, class_of};
use crate::lab::{Images, Lab, Referee};
use crate::scorer::Scorer;
use crate::{stepped, tensors};

/// For tests and measurements: checks every device, whether it compiles or not.
pub(crate) const ALWAYS: &str = "HARNESS_CHECK_EVERY_DEVICE";
/// Images that are scored again.
const IMAGES: usize = 8;
/// A gradient is compared with its own norm, or with this part of the largest norm where its own is less: what is left
/// of a gradient that cancels out is rounding.
const LEAST_SHARE: f64 = 1e-3;

/// The support images of a training's first step, in its order: their places in the support set, pixels `[3, S, S]` of
/// 0 to 1, labels, and masks `[n, S, S]` where the training has any.
pub(crate) struct FirstBatch {
    pub(crate) indices: Vec<u32>,
    pub(crate) images: Vec<Vec<f32>>,
    pub(crate) labels: Vec<u8>,
    pub(crate) masks: Option<Vec<u8>>,
}

/// What a step computes.
struct Step {
    losses: Vec<f32>,
    /// Gradients by way of Adam's first moments; of a backend that doesn't give them, parameters after the step.
    tensors: Vec<StateTensor>,
    gradients: bool,
}

/// The first step of a training, as the referee computes it.
pub(crate) struct FirstStep {
    indices: Vec<u32>,
    names: Vec<String>,
    expected: Step,
    within: Tolerances,
    check: Check,
}

impl Step {
    /// From a state, which the trainer has again afterwards, with no moments; with `gradients` or parameters.
    fn of(trainer: &mut Trainer, from: &[StateTensor], indices: &[u32], gradients: bool) -> Result<Self, BackendError> {
        trainer.write_state(&tensors::named(from))?;
        let losses = trainer.step(indices)?;
        let layout = tensors::layout(from);
        let tensors = if gradients {
            let moments = trainer.read_moments(&layout)?.tensors.into_iter();
            let first = |tensor: OwnedTensor| {
                let name = tensor.name.strip_prefix("first.").map(str::to_owned)?;
                Some(OwnedTensor { name, ..tensor })
            };
            moments.filter_map(first).collect()
        } else {
            trainer.read_state(&layout)?
        };
        trainer.write_state(&tensors::named(from))?;
        Ok(Self { losses, tensors: tensors::owned(tensors), gradients })
    }

    /// The quantities of another one, beside this.
    fn lines(&self, names: &[String], found: &Self, within: Tolerances) -> Vec<Line> {
        let losses = names.iter().zip(&self.losses).zip(&found.losses);
        let mut lines: Vec<Line> = losses
            .map(|((name, expected), found)| line(&format!("loss.{name}"), &[*expected], &[*found], within.losses))
            .collect();
        let (label, tolerance) =
            if self.gradients { ("gradients", within.gradients) } else { ("parameters", within.parameters) };
        let largest = self.tensors.iter().map(|tensor| norm(&tensor.values)).fold(0.0, f64::max);
        let each = self.tensors.iter().zip(&found.tensors).map(|(expected, found)| {
            let plain = line(&expected.name, &expected.values, &found.values, tolerance);
            let difference: Vec<f32> = expected.values.iter().zip(&found.values).map(|(a, b)| a - b).collect();
            let size = norm(&expected.values).max(LEAST_SHARE * largest);
            let comparable = self.gradients && size > 0.0;
            if comparable { Line { error: norm(&difference) / size, tolerance, ..plain } } else { plain }
        });
        lines.extend(worst(label, each));
        lines
    }
}

impl FirstStep {
    /// Computes the first step on the device and on its referee; the trainer, which holds the support set, is at the
    /// state `initial` before and after. `None` where nothing checks this device.
    pub(crate) fn of(
        lab: &mut Lab,
        trainer: &mut Trainer,
        training: &Training,
        initial: &[StateTensor],
        batch: FirstBatch,
    ) -> Result<Option<Self>, Error> {
        refereed(lab, |referee, lab| Self::by(referee, lab, trainer, training, initial, batch))
    }

    fn by(
        referee: &mut Referee,
        lab: &mut Lab,
        trainer: &mut Trainer,
        training: &Training,
        initial: &[StateTensor],
        batch: FirstBatch,
    ) -> Result<Self, Error> {
        let FirstBatch { indices, images, labels, masks } = batch;
        let gradients = trainer.resumes();
        let found =
            Step::of(trainer, stepped::heads(initial), &indices, gradients).map_err(|source| {
                match class_of(&source) {
                    Class::Numeric => Error::Diverged { epoch: 0, batch: 0, source },
                    _ => source.into(),
                }
            })?;
        // The very taps that the trainer holds, unless the store has no room for them.
        let encoded = lab.encoded();
        let (_, taps) = lab.taps(training, &Encoding::of(training)?, &Images::F32(images), None)?;
        let same_taps = lab.encoded() == encoded;
        let own = referee.own(training);
        let check = Check::new(referee.name());
        let other = referee.lab(lab)?;
        let mut trainer = match own.options.computation() {
            Computation::Madclip(options) => other.trainer(&own, options, &own.object, initial)?,
            Computation::Stepped(method) => stepped::trainer(other, method, &own, &own.object, initial)?.0,
            Computation::Closed(_) => return Err(Error::internal("a first step of a method without steps")),
        };
        let slices: Vec<&[f32]> = taps.iter().map(Vec::as_slice).collect();
        trainer.append_support(&slices, &labels, masks.as_deref())?;
        let all: Vec<u32> = (0..labels.len() as u32).collect();
        let expected = Step::of(&mut trainer, stepped::heads(initial), &all, gradients)?;
        let names = own.options.losses(own.has_masks).iter().map(|name| (*name).to_owned()).collect();
        let precision = if same_taps { of_trainer(training.precision) } else { training.precision };
        let mut step = Self { indices, names, expected, within: Tolerances::of(precision), check };
        step.compare(&found, "the first step", training)?;
        Ok(step)
    }

    /// Computes the step on the device once more, after the training: as the process is now, with all that was tuned
    /// meanwhile.
    pub(crate) fn again(
        mut self,
        lab: &mut Lab,
        trainer: &mut Trainer,
        training: &Training,
        initial: &[StateTensor],
    ) -> Result<Check, Error> {
        let begun = Instant::now();
        let found = Step::of(trainer, stepped::heads(initial), &self.indices, self.expected.gradients)?;
        lab.spent.check_secs += begun.elapsed().as_secs_f64();
        self.compare(&found, "the first step, computed again after the training", training)?;
        Ok(self.check)
    }

    fn compare(&mut self, found: &Step, what: &str, training: &Training) -> Result<(), Error> {
        judge(self.expected.lines(&self.names, found, self.within), what, training, &mut self.check)
    }
}

/// Scores of a few images by the last state that is scored, taken as they come from the device.
pub(crate) struct Sample {
    epoch: u32,
    images: Vec<usize>,
    /// Of how many of them the tensors are there.
    sent: usize,
    /// One after the other, for each tensor of the images.
    tensors: Vec<Vec<f32>>,
    scores: Scores,
}

impl Sample {
    /// Of `count` images, spread over all of them. `None` where nothing checks this device.
    pub(crate) fn new(lab: &Lab, count: usize, epoch: Option<u32>) -> Option<Self> {
        lab.referee.as_ref()?;
        let some = count.min(IMAGES);
        let images = (0..some).map(|i| i * count / some).collect();
        Some(Self { epoch: epoch?, images, sent: 0, tensors: Vec::new(), scores: Scores::default() })
    }

    /// Takes what belongs to the sample of images `at..at + n`, which are scored in order: tensors that go into a
    /// score, none where the device holds them from an earlier state, and what came out.
    pub(crate) fn take(&mut self, epoch: u32, at: usize, n: usize, tensors: &[&[f32]], found: &Scores) {
        let of = |image: usize, values: &[f32]| {
            let length = values.len() / n;
            image * length..(image + 1) * length
        };
        for (place, image) in self.images.iter().enumerate() {
            if !(at..at + n).contains(image) {
                continue;
            }
            let image = image - at;
            if place == self.sent && !tensors.is_empty() {
                self.sent += 1;
                self.tensors.resize(tensors.len(), Vec::new());
                let into = self.tensors.iter_mut().zip(tensors);
                into.for_each(|(into, values)| into.extend_from_slice(&values[of(image, values)]));
            }
            if epoch != self.epoch {
                continue;
            }
            for (into, values) in [
                (&mut self.scores.grids, &found.grids),
                (&mut self.scores.detection, &found.detection),
                (&mut self.scores.few, &found.few),
            ] {
                into.extend_from_slice(&values[of(image, values)]);
            }
        }
    }

    /// Encodes and scores the sample on the referee. `items` are all images, `states` is the training's record.
    pub(crate) fn check(
        self,
        lab: &mut Lab,
        training: &Training,
        items: &[Item],
        states: &Path,
        object: &str,
    ) -> Result<Check, Error> {
        let checked = refereed(lab, |referee, lab| self.by(referee, lab, training, items, states, object))?;
        checked.ok_or_else(|| Error::internal("a sample without a referee"))
    }

    fn by(
        self,
        referee: &mut Referee,
        lab: &Lab,
        training: &Training,
        items: &[Item],
        states: &Path,
        object: &str,
    ) -> Result<Check, Error> {
        let own = referee.own(training);
        let mut check = Check::new(referee.name());
        let other = referee.lab(lab)?;
        let size = own.options.image_size();
        let load = |&image: &usize| load_image(&items[image].image, size);
        let pixels = Images::U8(self.images.par_iter().map(load).collect::<Result<_, _>>()?);
        let encodings = Encoding::all(&own)?;
        let store = std::rc::Rc::clone(&other.store);
        let mut writers = writers(&store, &encodings, self.images.len(), &format!("{} check", own.dataset))?;
        let mut expected = Vec::new();
        for (number, encoding) in encodings.iter().enumerate() {
            expected.extend(other.taps(&own, encoding, &pixels, writers.get_mut(number))?.1);
        }
        finish(writers)?;
        // Stored halves may round to either side.
        let rounded = if training.store == StorePrecision::F16 { Precision::F16 } else { Precision::F32 };
        let taps = [training.precision, rounded].map(|precision| Tolerances::of(precision).taps);
        let each = expected.iter().zip(&self.tensors).enumerate();
        let each = each.map(|(tensor, (expected, found))| {
            line(&format!("tensor {tensor}"), expected, found, taps[0].max(taps[1]))
        });
        let mut lines: Vec<Line> = worst("taps", each).into_iter().collect();
        // Distances to supports that the referee encodes in f32 tell nothing of an encoder that rounds.
        let exact = training.precision == Precision::F32 && training.store == StorePrecision::F32;
        if exact || matches!(own.options.computation(), Computation::Madclip(_)) {
            let state = state::read(&state_file(states, self.epoch), &state::initial(training))?;
            let slices: Vec<&[f32]> = self.tensors.iter().map(Vec::as_slice).collect();
            let scores =
                Scorer::new(other, &own, object, &state)?.score(other, &own, None, &slices, self.images.len())?;
            let within = Tolerances::of(of_trainer(training.precision)).scores;
            let found = &self.scores;
            for (name, expected, found) in [
                ("grids", &scores.grids, &found.grids),
                ("detection", &scores.detection, &found.detection),
                ("few", &scores.few, &found.few),
            ] {
                if !(expected.is_empty() && found.is_empty()) {
                    lines.push(line(name, expected, found, within));
                }
            }
        }
        judge(lines, &format!("{} images", self.images.len()), training, &mut check)?;
        Ok(check)
    }
}

/// A check by the device's referee, and what it took; `None` where there is none.
fn refereed<T>(
    lab: &mut Lab,
    check: impl FnOnce(&mut Referee, &mut Lab) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    let Some(mut referee) = lab.referee.take() else { return Ok(None) };
    let begun = Instant::now();
    let made = check(&mut referee, lab);
    lab.spent.check_secs += begun.elapsed().as_secs_f64();
    lab.referee = Some(referee);
    made.map(Some)
}

/// What a trainer computes in, in a session of this precision.
fn of_trainer(precision: Precision) -> Precision {
    if precision == Precision::Tf32 { precision } else { Precision::F32 }
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

/// Keeps what was compared, or fails.
fn judge(lines: Vec<Line>, what: &str, training: &Training, check: &mut Check) -> Result<(), Error> {
    if let Some(wrong) = lines.iter().max_by(|a, b| a.share().total_cmp(&b.share())).filter(|line| !line.passes()) {
        let Line { quantity, error, tolerance, worst } = wrong;
        let worst = worst.as_ref().map(|worst| format!(" ({worst})")).unwrap_or_default();
        let (by, name) = (&check.by, &training.backend.name);
        let message = format!(
            "{what}: `{quantity}`{worst} of backend `{name}` is {error:.1e} off from what {by} computes, at most \
             {tolerance:.0e} is allowed, so its results can't be trusted; see with `harness backends check {name}` \
             whether its kernels are wrong, and empty its cache of kernels (CubeCL's: `autotune` and \
             `cubecl-without-tf32` in the folder for configurations, ~/.config)"
        );
        return Err(Error::Job { class: Class::Numeric, message });
    }
    check.quantities.extend(lines.into_iter().map(|line| Quantity {
        of: what.to_owned(),
        name: line.quantity,
        error: line.error,
        tolerance: line.tolerance,
    }));
    Ok(())
}

#[cfg(test)]
mod tests;
