//! Numbers of several trainings as one, with its replicates, and two of them compared on the draws and seeds they share. Which
//! belong together is decided in `families`; how resamples are joined, in `harness-metrics`.

use std::collections::BTreeMap;

use harness_metrics::{Difference, Metric, Repetition, Replicates, nested};

use super::families::{Condition, FamilyKey, Member};
use crate::error::Error;
use crate::truth::RESAMPLING_SEED;

/// Trainings of a variant with their replicates.
pub(super) struct Loaded<'a> {
    test: String,
    members: BTreeMap<(u64, u64), (Member<'a>, Replicates)>,
    /// The mean of all of them; `None` of none.
    pub(super) average: Option<Average>,
}

/// A mean over draws and seeds, or of several of them over datasets.
#[derive(Clone)]
pub(super) struct Average {
    /// Mean over draws of the means over their seeds, of exact metrics.
    pub(super) mean: f64,
    pub(super) replicates: Replicates,
    pub(super) draws: u32,
    /// Trainings; of each dataset, where they are several.
    pub(super) count: u64,
}

impl<'a> Loaded<'a> {
    /// Reads the replicates of a variant. Trainings that have none are left out.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn read(condition: &Condition<'a>, members: &[Member<'a>], key: FamilyKey) -> Result<Self, Error> {
        let mut loaded = BTreeMap::new();
        // Pixel metrics are stored once for both image scores.
        let score = key.score.filter(|_| !key.metric.needs_masks());
        for member in members {
            let Some(index) = member.replicates else { continue };
            if let Some(replicates) = index.replicates(member.epoch, score, key.metric)? {
                loaded.insert((member.draw, member.seed), (*member, replicates));
            }
        }
        let mut loaded = Self { test: condition.test.to_string(), members: loaded, average: None };
        loaded.average = loaded.average_of(|_| true)?;
        Ok(loaded)
    }

    /// The means of both over the draws and seeds that both have; `None` where they have none in common.
    pub(super) fn in_common(&self, other: &Self) -> Result<Option<[Average; 2]>, Error> {
        if self.members.keys().eq(other.members.keys()) {
            return Ok(self.average.clone().zip(other.average.clone()).map(<[_; 2]>::from));
        }
        let both = |key: &(u64, u64)| self.members.contains_key(key) && other.members.contains_key(key);
        let (Some(of_self), Some(of_other)) = (self.average_of(both)?, other.average_of(both)?) else {
            return Ok(None);
        };
        Ok(Some([of_self, of_other]))
    }

    fn average_of(&self, which: impl Fn(&(u64, u64)) -> bool) -> Result<Option<Average>, Error> {
        let members = || self.members.iter().filter(|(key, _)| which(key));
        let repetitions: Vec<Repetition<'_>> =
            members().map(|(&(draw, seed), (_, replicates))| Repetition { draw, seed, replicates }).collect();
        if repetitions.is_empty() {
            return Ok(None);
        }
        let Some(replicates) = paired(nested(&self.test, RESAMPLING_SEED, &repetitions))? else { return Ok(None) };
        let mut by_draw: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for (&(draw, _), (member, _)) in members() {
            by_draw.entry(draw).or_default().push(member.value);
        }
        let means: Vec<f64> = by_draw.values().map(|seeds| mean(seeds)).collect();
        let (draws, count) = (means.len() as u32, repetitions.len() as u64);
        Ok(Some(Average { mean: mean(&means), replicates, draws, count }))
    }
}

impl Average {
    /// The mean over datasets, each resampled by itself; `None` where two of them are the same images.
    pub(super) fn over(datasets: &[&Self]) -> Result<Option<Self>, Error> {
        let sets: Vec<&Replicates> = datasets.iter().map(|average| &average.replicates).collect();
        let Some(replicates) = paired(Replicates::mean(&sets))? else { return Ok(None) };
        let means: Vec<f64> = datasets.iter().map(|average| average.mean).collect();
        Ok(Some(Self {
            mean: mean(&means),
            replicates,
            draws: datasets.iter().map(|average| average.draws).min().unwrap_or(0),
            count: datasets.iter().map(|average| average.count).min().unwrap_or(0),
        }))
    }

    /// This less another, resample by resample.
    pub(super) fn minus(&self, other: &Self) -> Result<Option<Difference>, Error> {
        paired(self.replicates.minus(&other.replicates))
    }
}

/// `None` for what can't be paired, as replicates of another truth that a run in between will make anew.
fn paired<T>(made: Result<T, harness_metrics::Error>) -> Result<Option<T>, Error> {
    match made {
        Ok(made) => Ok(Some(made)),
        Err(harness_metrics::Error::Unpaired { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Metrics in the order of tables.
pub(super) fn place(metric: Metric) -> usize {
    Metric::ALL.iter().position(|known| *known == metric).unwrap_or(Metric::ALL.len())
}
