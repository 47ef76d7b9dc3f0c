//! The mean of a quantity over its trainings, with its replicates. Of two quantities that are compared, both means are
//! taken over the draws and seeds that both have: a difference must not come from other draws.
//!
//! Replicate *r* of every training on a test set is of the same resampled images, because resamples are named by the
//! images' hash and not by the training. That is why sums and differences are taken replicate by replicate.

use std::collections::{BTreeMap, BTreeSet};

use harness_experiment::EvaluationId;
use harness_metrics::{Difference, Metric, Nesting, Repetition, Replicates};
use harness_records::RESAMPLING_SEED;
use harness_records::{ReplicateIndex, Stored};
use rayon::prelude::*;

use crate::error::Error;
use crate::families::{DatasetPair, Families, Member, Quantity};

/// Units and seeds of trainings, ascending.
type Trainings = Vec<(u64, u64)>;

/// A quantity over some of its trainings.
type Part = (Quantity, Trainings);

/// Means of many quantities.
pub(crate) struct Averages<'a> {
    /// Trainings that have replicates, by unit and seed.
    members: BTreeMap<Quantity, BTreeMap<(u64, u64), Member<'a>>>,
    means: BTreeMap<Part, Average>,
}

impl<'a> Averages<'a> {
    /// Reads the means of quantities, and for pairs that are compared also the means over the trainings that both have.
    /// Where all quantities are of one K and backend, each evaluation's file is opened once. Trainings without
    /// replicates are left out.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn read(all: &Families<'a>, whole: &[Quantity], pairs: &[[Quantity; 2]]) -> Result<Self, Error> {
        let compared = pairs.iter().flatten();
        let members =
            whole.iter().chain(compared).map(|quantity| (*quantity, with_replicates(all, *quantity))).collect();
        let mut averages = Self { members, means: BTreeMap::new() };
        let whole = whole.iter().map(|quantity| (*quantity, averages.trainings(*quantity)));
        let parts: BTreeSet<Part> = whole
            .chain(pairs.iter().flat_map(|pair| pair.map(|quantity| (quantity, averages.in_common(*pair)))))
            .filter(|(_, trainings)| !trainings.is_empty())
            .collect();
        // An evaluation belongs to one variant and dataset, so no file is read by two threads.
        let mut by_variant: BTreeMap<(DatasetPair, usize), Vec<Part>> = BTreeMap::new();
        for part in parts {
            by_variant.entry((part.0.datasets, part.0.variant)).or_default().push(part);
        }
        let by_variant: Vec<Vec<Part>> = by_variant.into_values().collect();
        let means: Vec<Result<Vec<(Part, Average)>, Error>> =
            by_variant.into_par_iter().map(|parts| averages.of_variant(all, parts)).collect();
        for means in means {
            averages.means.extend(means?);
        }
        Ok(averages)
    }

    /// The mean over all trainings; `None` where none has replicates.
    pub(crate) fn whole(&self, quantity: Quantity) -> Option<&Average> {
        self.means.get(&(quantity, self.trainings(quantity)))
    }

    /// The means of both over the draws and seeds that both have; `None` where they have none in common.
    pub(crate) fn pair(&self, pair: [Quantity; 2]) -> Option<[&Average; 2]> {
        let trainings = self.in_common(pair);
        let [one, other] = pair.map(|quantity| self.means.get(&(quantity, trainings.clone())));
        Some([one?, other?])
    }

    /// Of cells that share an evaluation the first alone: a copy is no evidence, and what no draw and no seed decides
    /// varies with test images alone.
    fn trainings(&self, quantity: Quantity) -> Trainings {
        let mut seen = BTreeSet::new();
        let members = self.members.get(&quantity).into_iter().flatten();
        members.filter(|(_, member)| seen.insert(member.evaluation)).map(|(training, _)| *training).collect()
    }

    fn in_common(&self, [one, other]: [Quantity; 2]) -> Trainings {
        let of_other = self.members.get(&other);
        let both = |training: &&(u64, u64)| of_other.is_some_and(|members| members.contains_key(*training));
        self.members.get(&one).into_iter().flat_map(BTreeMap::keys).filter(both).copied().collect()
    }

    /// The means of parts that have variant and dataset in common.
    fn of_variant(&self, all: &Families<'a>, parts: Vec<Part>) -> Result<Vec<(Part, Average)>, Error> {
        let (mut sums, mut files) = (Vec::new(), Files::new());
        for (part, (quantity, trainings)) in parts.iter().enumerate() {
            let found = self.members.get(quantity);
            let members: Vec<&Member<'a>> = trainings.iter().filter_map(|training| found?.get(training)).collect();
            sums.push(Some(Sum::of(&members)));
            for member in members {
                let Some(index) = member.replicates else { continue };
                let file = files.entry((member.unit, member.seed, member.evaluation));
                let (_, wanted) = file.or_insert_with(|| (index, BTreeMap::new()));
                wanted.entry(stored(member.epoch, *quantity)).or_default().push(part);
            }
        }
        add(&files, &mut sums)?;
        let mut means = Vec::new();
        for (part, sum) in parts.into_iter().zip(sums) {
            let (Some(compared), Some(sum)) = (all.compared(part.0), sum) else { continue };
            means.extend(sum.average(&compared.test.to_string())?.map(|average| (part, average)));
        }
        Ok(means)
    }
}

/// The key under which a quantity's replicates are stored.
fn stored(epoch: u32, quantity: Quantity) -> Stored {
    (epoch, quantity.family.stored_score(), quantity.family.metric)
}

/// What is read from each training's evaluations, and the indices of the sums that it is added to.
type Files<'a> = BTreeMap<(u64, u64, EvaluationId), (&'a ReplicateIndex, BTreeMap<Stored, Vec<usize>>)>;

/// Reads replicates, each once, each file in one go, and adds them up. A sum of replicates that can't be paired becomes
/// `None`.
fn add(files: &Files<'_>, sums: &mut [Option<Sum>]) -> Result<(), Error> {
    let mut replicates = Replicates { value: 0.0, replicates: Vec::new(), pairing: 0 };
    for ((draw, seed, _), (index, wanted)) in files {
        let mut file = index.file()?;
        for (stored, indices) in wanted {
            if !file.replicates(*stored, &mut replicates)? {
                continue;
            }
            let repetition = Repetition { draw: *draw, seed: *seed, replicates: &replicates };
            for index in indices {
                if let Some(sum) = &mut sums[*index]
                    && paired(sum.nesting.add(&repetition))?.is_none()
                {
                    sums[*index] = None;
                }
            }
        }
    }
    Ok(())
}

/// Trainings that are being added up to a mean.
struct Sum {
    nesting: Nesting,
    /// Mean over draws of the means over their seeds, of exact metrics.
    mean: f64,
    draws: u32,
    count: u64,
}

impl Sum {
    /// The sum of these trainings, without their replicates.
    fn of(members: &[&Member<'_>]) -> Self {
        let mut by_draw: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for member in members {
            by_draw.entry(member.unit).or_default().push(member.value);
        }
        let means: Vec<f64> = by_draw.values().map(|seeds| mean(seeds)).collect();
        // Where a seed decides nothing, its trainings are one.
        let distinct: BTreeSet<EvaluationId> = members.iter().map(|member| member.evaluation).collect();
        let (draws, count) = (means.len() as u32, distinct.len() as u64);
        Self { nesting: Nesting::new(means.len()), mean: mean(&means), draws, count }
    }

    fn average(self, test: &str) -> Result<Option<Average>, Error> {
        let replicates = paired(self.nesting.finish(test, RESAMPLING_SEED))?;
        let Self { mean, draws, count, .. } = self;
        Ok(replicates.map(|replicates| Average { mean, replicates, draws, count }))
    }
}

/// The trainings of a quantity that have its replicates.
fn with_replicates<'a>(all: &Families<'a>, quantity: Quantity) -> BTreeMap<(u64, u64), Member<'a>> {
    let has = |member: &&Member<'a>| member.replicates.is_some_and(|index| index.has(stored(member.epoch, quantity)));
    all.members(quantity).iter().filter(has).map(|member| ((member.unit, member.seed), *member)).collect()
}

/// A quantity's exact number as a mean over datasets has it; `None` where no training has replicates.
pub(crate) fn exact(all: &Families<'_>, quantity: Quantity) -> Option<f64> {
    let members = with_replicates(all, quantity);
    (!members.is_empty()).then(|| Sum::of(&members.values().collect::<Vec<_>>()).mean)
}

/// A mean over draws and seeds, or of several of them over datasets.
#[derive(Clone)]
pub(crate) struct Average {
    /// Mean over draws of the means over their seeds, of exact metrics.
    pub(crate) mean: f64,
    pub(crate) replicates: Replicates,
    pub(crate) draws: u32,
    /// Trainings; of each dataset, where they are several.
    pub(crate) count: u64,
}

impl Average {
    /// The mean over datasets, each resampled by itself; `None` where two of them are the same images.
    pub(crate) fn over(datasets: &[&Self]) -> Result<Option<Self>, Error> {
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
    pub(crate) fn minus(&self, other: &Self) -> Result<Option<Difference>, Error> {
        paired(self.replicates.minus(&other.replicates))
    }
}

/// `None` where there is nothing, and for replicates that can't be paired because they are of another truth: the next
/// run makes them again.
fn paired<T>(made: Result<T, harness_metrics::Error>) -> Result<Option<T>, Error> {
    match made {
        Ok(made) => Ok(Some(made)),
        Err(harness_metrics::Error::Unpaired { .. } | harness_metrics::Error::Empty { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The rank of a metric in tables.
pub(crate) fn rank(metric: Metric) -> usize {
    Metric::ALL.iter().position(|known| *known == metric).unwrap_or(Metric::ALL.len())
}
