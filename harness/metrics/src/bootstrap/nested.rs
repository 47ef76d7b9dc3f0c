//! A variant that was trained several times: replicates over test images, support draws and seeds together.

use std::collections::{BTreeMap, BTreeSet};

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
/// with all of its seeds; of a single draw S - 1 of S seeds. One fewer than there are, as n draws of n would vary by
/// too little, by (n - 1) / n, which is much for two or three. Seeds are not drawn again inside of draws: how far draws
/// lie apart has it in it that their seeds differ. Variants with the same draws and seeds have the same ones in
/// resample `r`, and can be subtracted. `name` and `seed` are those of the [`Resampling`](crate::Resampling).
///
/// # Errors
/// No training, a draw and seed twice, replicates of different test sets or resamplings.
pub fn nested(name: &str, seed: u64, repetitions: &[Repetition<'_>]) -> Result<Replicates, Error> {
    let draws: BTreeSet<u64> = repetitions.iter().map(|repetition| repetition.draw).collect();
    let mut nesting = Nesting::new(draws.len());
    let mut ordered: Vec<&Repetition<'_>> = repetitions.iter().collect();
    ordered.sort_by_key(|repetition| (repetition.draw, repetition.seed));
    ordered.into_iter().try_for_each(|repetition| nesting.add(repetition))?;
    nesting.finish(name, seed)
}

/// What [`nested`] makes of trainings that are not in memory together: they are added one by one, and sums are held.
#[derive(Clone, Debug)]
pub struct Nesting {
    /// Several draws are drawn from; of one, its seeds are.
    several: bool,
    /// Draws and seeds so far.
    trainings: BTreeSet<(u64, u64)>,
    /// What is drawn, by its draw or seed.
    units: BTreeMap<u64, Unit>,
    /// Of the test set, and how many resamples it has.
    paired: Option<(u64, usize)>,
}

/// Trainings that are drawn together.
#[derive(Clone, Debug)]
struct Unit {
    count: u32,
    value: f64,
    replicates: Vec<f64>,
}

impl Nesting {
    /// Of no training yet, of so many draws.
    pub fn new(draws: usize) -> Self {
        Self { several: draws > 1, trainings: BTreeSet::new(), units: BTreeMap::new(), paired: None }
    }

    /// Adds a training. Sums are the same whenever they are added in the same order; [`nested`] adds by draw and seed,
    /// ascending.
    ///
    /// # Errors
    /// A draw and seed twice, replicates of another test set or resampling.
    pub fn add(&mut self, &Repetition { draw, seed, replicates }: &Repetition<'_>) -> Result<(), Error> {
        let of = (replicates.pairing, replicates.replicates.len());
        if *self.paired.get_or_insert(of) != of {
            return Err(Error::Unpaired { what: "test sets or resamplings" });
        }
        if !self.trainings.insert((draw, seed)) {
            return Err(Error::Unpaired { what: "trainings: a draw and seed is there twice" });
        }
        let none = || Unit { count: 0, value: 0.0, replicates: vec![0.0; of.1] };
        let unit = self.units.entry(if self.several { draw } else { seed }).or_insert_with(none);
        unit.count += 1;
        unit.value += replicates.value;
        unit.replicates.iter_mut().zip(&replicates.replicates).for_each(|(sum, value)| *sum += value);
        Ok(())
    }

    /// The mean over draws and seeds; `name` and `seed` as for [`nested`].
    ///
    /// # Errors
    /// No training.
    pub fn finish(self, name: &str, seed: u64) -> Result<Replicates, Error> {
        let Some((pairing, count)) = self.paired else { return Err(Error::Empty { what: "trainings" }) };
        let pairing = Pairing(pairing).with(self.trainings.into_iter().flat_map(|(draw, seed)| [draw, seed])).0;
        let (number, drawn) = (self.units.len(), self.units.len().saturating_sub(1).max(1));
        // Those of one resample side by side.
        let mut means = vec![0.0; count * number];
        for (place, unit) in self.units.values().enumerate() {
            let of_unit = means.iter_mut().skip(place).step_by(number);
            of_unit.zip(&unit.replicates).for_each(|(mean, sum)| *mean = sum / f64::from(unit.count));
        }
        let stream = Stream::new(&format!("bootstrap.{seed}.{name}.trainings"), seed);
        let replicate = |(r, means): (usize, &[f64])| {
            let unit = |k: usize| (stream.uniform((r * drawn + k) as u64) * number as f64) as usize;
            mean((0..drawn).map(|k| means[unit(k)]))
        };
        Ok(Replicates {
            value: mean(self.units.values().map(|unit| unit.value / f64::from(unit.count))),
            replicates: means.chunks_exact(number).enumerate().map(replicate).collect(),
            pairing,
        })
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0_u32, 0.0), |(count, sum), value| (count + 1, sum + value));
    sum / f64::from(count)
}
