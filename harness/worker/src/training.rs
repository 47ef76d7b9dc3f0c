//! The job that trains: support images to taps, epochs of steps, states and curve into the record's folder. No test set
//! is known here, so nothing of one can be read.

use std::path::Path;
use std::time::Instant;

use harness_data::{Dataset, SupportImages};
use harness_experiment::{EpochRange, Fold, Training};
use harness_method::streams;
use harness_methods::Computation;
use harness_methods::stepped::NORMAL;
use harness_records::{Class, Cost, StateTensor, TrainingRecord, state, state_file, state_metadata, write_toml};
use harness_tables::{CurveRow, write_curve};

use crate::error::{Error, class_of};
use crate::events::Events;
use crate::holding::hold;
use crate::lab::Lab;
use crate::protocol::{Event, Phase};
use crate::referee::{FirstBatch, FirstStep};
use crate::resuming::{self, Beginning, Keeper};
use crate::{closed, stepped, tensors};

/// Trains, keeps the states of the epochs `keep`, and fills `folder` with the record. Where the folder has what was
/// kept of an interrupted training, it goes on there.
pub(crate) fn train(
    lab: &mut Lab,
    training: &Training,
    keep: EpochRange,
    folder: &Path,
    events: &mut Events,
) -> Result<Cost, Error> {
    let computation = training.options.computation();
    if let Computation::Closed(method) = computation {
        return closed::fit(lab, method, training, keep, folder, events);
    }
    let start = Instant::now();
    let dataset = Dataset::open(&lab.registry, &training.dataset)?;
    let set = dataset.support(training.shots, training.draw)?;
    if training.support.is_none_or(|hash| set.hash != hash.to_string()) {
        return Err(Error::Changed { what: format!("[{}]: a support image or mask", training.dataset) });
    }
    let initial = state::initial(training);
    let names = training.options.losses(training.has_masks);
    if names.is_empty() {
        let message =
            format!("the method `{}` learns from masks, and [{}] has none", training.method, training.dataset);
        return Err(Error::Job { class: Class::Input, message });
    }
    let parameters = stepped::heads(&initial);
    let layout = tensors::layout(parameters);
    let mut trainer = match computation {
        Computation::Madclip(options) => lab.trainer(training, options, &training.object, &initial)?,
        Computation::Stepped(method) => stepped::trainer(lab, method, training, &training.object, &initial)?.0,
        Computation::Closed(_) => unreachable!("fitted above"),
    };

    let options = &training.options;
    let support = SupportImages::load(&dataset, &set, options.image_size(), options.variants(), training.seed)?;
    let support = without_fold(support, training.fold.as_ref());
    let count = support.images.len();
    let kept = kept_supports(&initial, &support);
    let SupportImages { images, masks, labels, .. } = support;
    let masks = masks.filter(|_| training.has_masks);
    let batch = lab.referee.is_some().then(|| first_batch(training, &images, &labels, masks.as_deref()));
    hold(lab, &mut trainer, training, images, &labels, masks.as_deref(), &mut |held, encoded| {
        events.progress(Phase::Support, held, encoded);
    })?;

    let check = match batch {
        Some(batch) => FirstStep::of(lab, &mut trainer, training, &initial, batch)?,
        None => None,
    };
    let states = folder.join("states");
    std::fs::create_dir_all(&states).map_err(Error::file("create", &states))?;
    let steps = count.div_ceil(training.batch as usize) as u64;
    let begun = resuming::take_up(&mut trainer, training, parameters, keep, steps, folder, events)?;
    let Beginning { epoch: first, mut curve, secs: before } = begun;
    if !trainer.resumes() {
        lab.tell_once(&format!("{}: a training that is interrupted begins anew", resuming::lacking(training)), events);
    }
    let values = parameters.iter().map(|tensor| tensor.values.len()).sum();
    let mut keeper = Keeper::new(&trainer, values, lab.keeping_rate);
    let compute = Instant::now();
    for epoch in first..training.epochs {
        let begun = Instant::now();
        let order = streams::permutation(&training.shuffle_stream(epoch), training.seed, count);
        let mut sums = vec![0.0_f64; names.len()];
        for (batch, images) in order.chunks(training.batch as usize).enumerate() {
            let indices: Vec<u32> = images.iter().map(|&image| image as u32).collect();
            let called = Instant::now();
            let step = trainer.step(&indices).map_err(|source| match class_of(&source) {
                Class::Numeric => Error::Diverged { epoch, batch: batch as u32, source },
                _ => source.into(),
            })?;
            lab.spent.step.add(called.elapsed().as_secs_f64(), 1);
            for (sum, loss) in sums.iter_mut().zip(step) {
                *sum += f64::from(loss);
            }
            events.progress(
                Phase::Train,
                (u64::from(epoch) * steps + batch as u64 + 1, u64::from(training.epochs) * steps),
                lab.encoded(),
            );
        }
        let (mut loss, secs) = (0.0, begun.elapsed().as_secs_f64());
        for (name, sum) in names.iter().zip(sums) {
            let value = sum / steps as f64;
            loss += value;
            curve.push(CurveRow { epoch, steps: steps as u32, loss: (*name).to_owned(), value, secs });
        }
        if (keep.first..=keep.last).contains(&epoch) {
            let about = state_metadata::describe(training, epoch)?;
            let mut state = tensors::owned(trainer.read_state(&layout)?);
            state.extend(kept.clone());
            state::write(&state, &about, &state_file(folder, epoch))?;
        }
        if keeper.is_due() {
            let secs = before + compute.elapsed().as_secs_f64();
            let rate = keeper.keep(&mut trainer, training, parameters, &curve, secs, folder);
            lab.keeping_rate = rate.or(lab.keeping_rate);
        }
        // Last, so that an epoch which is reported was kept if it is kept at all.
        events.send(&Event::Epoch { epoch, loss });
    }
    let compute_secs = before + compute.elapsed().as_secs_f64();
    let check = check.map(|step| step.again(lab, &mut trainer, training, &initial)).transpose()?;
    write_curve(&curve, &folder.join("curve.parquet"))?;
    let cost = lab.cost(compute_secs, before + start.elapsed().as_secs_f64());
    let record = TrainingRecord { check, ..TrainingRecord::new(training.clone(), keep, cost) };
    write_toml(&record, &folder.join("training.toml"))?;
    Ok(cost)
}

/// The images of the first step of the first epoch, whichever epoch this process begins with.
fn first_batch(training: &Training, images: &[Vec<f32>], labels: &[u8], masks: Option<&[Vec<u8>]>) -> FirstBatch {
    let mut first = streams::permutation(&training.shuffle_stream(0), training.seed, images.len());
    first.truncate(training.batch as usize);
    FirstBatch {
        images: first.iter().map(|&image| images[image].clone()).collect(),
        labels: first.iter().map(|&image| labels[image]).collect(),
        masks: masks.map(|masks| first.iter().flat_map(|&image| masks[image].iter().copied()).collect()),
        indices: first.into_iter().map(|image| image as u32).collect(),
    }
}

/// The augmented images of what a fold does not hold out, in their order.
fn without_fold(support: SupportImages, fold: Option<&Fold>) -> SupportImages {
    let Some(fold) = fold else { return support };
    let SupportImages { images, masks, labels, origins, shots } = support;
    let kept: Vec<bool> = origins.iter().map(|&origin| !fold.held_out.contains(&(origin as u32))).collect();
    fn keep<T>(list: Vec<T>, kept: &[bool]) -> Vec<T> {
        list.into_iter().zip(kept).filter(|(_, kept)| **kept).map(|(item, _)| item).collect()
    }
    SupportImages {
        images: keep(images, &kept),
        masks: masks.map(|masks| keep(masks, &kept)),
        labels: keep(labels, &kept),
        origins: keep(origins, &kept),
        shots,
    }
}

/// The normal supports, 0 to 255, where states hold them.
fn kept_supports(initial: &[StateTensor], support: &SupportImages) -> Option<StateTensor> {
    let tensor = initial.last().filter(|tensor| tensor.name == NORMAL)?;
    let pixels = support.normal_as_they_are();
    let values: Vec<f32> = pixels.into_iter().flatten().map(|value| (value * 255.0).round()).collect();
    Some(StateTensor { values, ..tensor.clone() })
}
