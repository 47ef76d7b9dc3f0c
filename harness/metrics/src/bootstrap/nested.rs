//! A variant that was trained several times: replicates over test images, support draws and seeds together. One training's
//! replicates come from `resampling`.

use std::collections::BTreeMap;

use harness_method::streams::Stream;

use super::pairing::Pairing;
use super::replicates::Replicates;
use crate::error::Error;

/// One training of a variant, measured on the test set that all of them share.
#[derive(Clone, Copy, Debug)]
pub struct Repetition<'a> {
    /// The support draw.
    pub draw: u64,
    /// The seed of the training.
    pub seed: u64,
    /// The training's metric over resamples of test images.
    pub replicates: &'a Replicates,
}

/// The mean of a metric over draws (of a draw: over its seeds), with replicates that vary as it would with other test
/// images, other draws and other seeds.
///
/// Resample `r` has the test images of every training's resample `r` and D - 1 of D draws, drawn with replacement, each
/// with all of its seeds; of a single draw S - 1 of S seeds. One fewer than there are, as n draws of n would vary by too
/// little, by (n - 1) / n, which is much for two or three. Seeds are not drawn again inside of draws: how far draws lie
/// apart has it in it that their seeds differ. Variants with the same draws and seeds have the same ones in resample `r`,
/// and can be subtracted. `name` and `seed` are those of the [`Resampling`](crate::Resampling).
///
/// # Errors
/// No training, a draw and seed twice, replicates of different test sets or resamplings.
pub fn nested(name: &str, seed: u64, repetitions: &[Repetition<'_>]) -> Result<Replicates, Error> {
    let Some(first) = repetitions.first().map(|repetition| repetition.replicates) else {
        return Err(Error::Empty { what: "trainings" });
    };
    let count = first.replicates.len();
    let mut draws: BTreeMap<u64, BTreeMap<u64, &Replicates>> = BTreeMap::new();
    for &Repetition { draw, seed, replicates } in repetitions {
        if replicates.pairing != first.pairing || replicates.replicates.len() != count {
            return Err(Error::Unpaired { what: "test sets or resamplings" });
        }
        if draws.entry(draw).or_default().insert(seed, replicates).is_some() {
            return Err(Error::Unpaired { what: "trainings: a draw and seed is there twice" });
        }
    }
    let keys = draws.iter().flat_map(|(draw, seeds)| seeds.keys().map(|seed| [*draw, *seed]));
    let pairing = Pairing(first.pairing).with(keys.flatten()).0;
    // What is drawn: draws, or the seeds of the only one.
    let units: Vec<Vec<&Replicates>> = match draws.len() {
        1 => draws.into_values().flat_map(BTreeMap::into_values).map(|training| vec![training]).collect(),
        _ => draws.into_values().map(|seeds| seeds.into_values().collect()).collect(),
    };
    let drawn = units.len().saturating_sub(1).max(1);
    let stream = Stream::new(&format!("bootstrap.{seed}.{name}.trainings"), seed);
    let replicate = |r: usize| {
        let unit = |k: usize| {
            let u = stream.uniform((r * drawn + k) as u64);
            &units[(u * units.len() as f64) as usize]
        };
        mean((0..drawn).map(|k| mean(unit(k).iter().map(|training| training.replicates[r]))))
    };
    Ok(Replicates {
        value: mean(units.iter().map(|unit| mean(unit.iter().map(|training| training.value)))),
        replicates: (0..count).map(replicate).collect(),
        pairing,
    })
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0_u32, 0.0), |(count, sum), value| (count + 1, sum + value));
    sum / f64::from(count)
}
