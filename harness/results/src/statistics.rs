//! Intervals and differences of a plan: one row a variant, dataset and metric, by the nested bootstrap over test images, draws
//! and seeds. DeLong's list is in `delong`; what is averaged, in `families`; what is
//! compared, in `comparisons`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use harness_experiment::{Plan, Selection};
use harness_metrics::{holm, smallest_wilcoxon_p};
use harness_tables::{DeLongRow, DifferenceRow, IntervalRow};
use rayon::prelude::*;

use crate::averages::{Average, Averages, place};
use crate::comparisons::{Comparisons, WithBest, quantities};
use crate::delong;
use crate::done::Records;
use crate::error::Error;
use crate::families::{ConditionKey, Families, FamilyKey, Names, Quantity, base, families};

/// Level of all intervals.
const LEVEL: f64 = 0.95;

/// Level that a test has to reach to be called significant.
const SIGNIFICANCE: f64 = 0.05;

/// What follows from all cells together.
#[derive(Default)]
pub(crate) struct Statistics {
    pub(crate) intervals: Vec<IntervalRow>,
    pub(crate) differences: Vec<DifferenceRow>,
    pub(crate) optimism: Vec<DifferenceRow>,
    pub(crate) delong: Vec<DeLongRow>,
    pub(crate) notes: Vec<String>,
}

/// Orders rows as tables are: dataset and source (the mean over datasets last), K, backend, rule, metric, score, what is compared
/// with the base before what is compared with the best, variant.
type RowKey = (ConditionKey, [usize; 4], Option<harness_experiment::ImageScore>, bool, usize);

/// The condition of a mean over datasets.
const MEAN: ConditionKey = (usize::MAX, usize::MAX);

/// Rows of a family with their places.
#[derive(Default)]
struct Rows {
    intervals: Vec<(RowKey, IntervalRow)>,
    differences: Vec<(RowKey, DifferenceRow)>,
    optimism: Vec<(RowKey, DifferenceRow)>,
}

/// The statistics of what is done of a plan.
///
/// # Errors
/// Replicates that can't be read or are not finite.
pub(crate) fn statistics(plan: &Plan, records: &Records) -> Result<Statistics, Error> {
    let all = families(plan, records);
    let base = base(plan);
    let mut rows = Rows::default();
    let mut made: Vec<Result<Rows, Error>> = Vec::new();
    for lot in lots(&all) {
        let families: Vec<(FamilyKey, Comparisons)> =
            lot.into_iter().map(|key| (key, Comparisons::of(&all, key, base))).collect();
        let whole: Vec<Quantity> = families.iter().flat_map(|(key, _)| quantities(&all, *key)).collect();
        let pairs: Vec<[Quantity; 2]> = families.iter().flat_map(|(_, comparisons)| comparisons.pairs()).collect();
        let averages = Averages::read(&all, &whole, &pairs)?;
        let of_family =
            |(key, comparisons): &(FamilyKey, Comparisons)| of_family(&all, &averages, *key, comparisons, base);
        made.par_extend(families.par_iter().map(of_family));
    }
    for made in made {
        let Rows { intervals, differences, optimism } = made?;
        rows.intervals.extend(intervals);
        rows.differences.extend(differences);
        rows.optimism.extend(optimism);
    }
    Ok(Statistics {
        intervals: sorted(rows.intervals),
        differences: sorted(rows.differences),
        optimism: sorted(rows.optimism),
        delong: delong::rows(&all, base)?,
        notes: notes(plan, &all.names, records),
    })
}

fn sorted<T>(mut rows: Vec<(RowKey, T)>) -> Vec<T> {
    rows.sort_by_key(|(key, _)| *key);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Families whose replicates are in memory together, so that a file is opened once for all of them: those of one K and backend,
/// of as many metrics as fit.
fn lots(all: &Families<'_>) -> Vec<Vec<FamilyKey>> {
    /// Bytes of replicates that fit.
    const MOST: usize = 256 << 20;
    let mut by_metric: BTreeMap<(usize, usize, usize), Vec<FamilyKey>> = BTreeMap::new();
    for key in all.families.keys() {
        by_metric.entry((key.shots, key.backend, place(key.metric))).or_default().push(*key);
    }
    let (mut lots, mut held, mut before) = (Vec::<Vec<FamilyKey>>::new(), 0, None);
    for ((shots, backend, _), keys) in by_metric {
        let bytes: usize = keys.iter().map(|key| all.families[key].bytes()).sum();
        match lots.last_mut().filter(|_| before == Some((shots, backend)) && held + bytes <= MOST) {
            Some(lot) => lot.extend(keys),
            None => {
                lots.push(keys);
                held = 0;
            }
        }
        held += bytes;
        before = Some((shots, backend));
    }
    lots
}

fn of_family(
    all: &Families<'_>,
    averages: &Averages<'_>,
    key: FamilyKey,
    comparisons: &Comparisons,
    base: Option<usize>,
) -> Result<Rows, Error> {
    let order = all.averaged(key);
    let base = base.and_then(|base| all.names.variants.get(base)).map_or("", String::as_str);
    let averaged = order.as_deref();
    let mut differences =
        Pairs::of(averages, &comparisons.base).with_means(averaged)?.rows(&all.names, key, base, false)?;
    for WithBest { best, of_mean, pairs } in &comparisons.best {
        let mut pairs = Pairs::of(averages, pairs);
        if *of_mean {
            pairs = pairs.with_means(averaged)?;
            pairs.0.retain(|place, _| *place == MEAN);
        }
        differences.extend(pairs.rows(&all.names, key, &all.names.variants[*best], true)?);
    }
    let optimism = Pairs::of(averages, &comparisons.last).with_means(averaged)?;
    Ok(Rows {
        intervals: intervals(all, averages, key, averaged)?,
        differences,
        optimism: optimism.rows(&all.names, key, Selection::Last.name(), false)?,
    })
}

/// The intervals of a family, those of means over datasets included.
fn intervals(
    all: &Families<'_>,
    averages: &Averages<'_>,
    key: FamilyKey,
    averaged: Option<&[ConditionKey]>,
) -> Result<Vec<(RowKey, IntervalRow)>, Error> {
    let mut rows = Vec::new();
    for quantity in quantities(all, key) {
        if let Some(average) = averages.whole(quantity) {
            rows.push(interval(&all.names, key, quantity.place, quantity.variant, average)?);
        }
    }
    for variant in all.families[&key].variants() {
        let Some(places) = averaged else { break };
        let of = |place: &ConditionKey| averages.whole(Quantity { family: key, place: *place, variant });
        if let Some(every) = places.iter().map(of).collect::<Option<Vec<_>>>()
            && let Some(average) = Average::over(&every)?
        {
            rows.push(interval(&all.names, key, MEAN, variant, &average)?);
        }
    }
    Ok(rows)
}

/// Two means that are compared.
type Pair<'a> = [Cow<'a, Average>; 2];

/// Pairs of means that are compared, by condition and variant.
struct Pairs<'a>(BTreeMap<ConditionKey, BTreeMap<usize, Pair<'a>>>);

impl<'a> Pairs<'a> {
    /// Those that have trainings in common.
    fn of(averages: &'a Averages<'_>, compared: &[[Quantity; 2]]) -> Self {
        let mut pairs = Self(BTreeMap::new());
        for pair in compared {
            if let Some(means) = averages.pair(*pair) {
                pairs.add(pair[0].variant, pair[0].place, means.map(Cow::Borrowed));
            }
        }
        pairs
    }

    fn add(&mut self, variant: usize, place: ConditionKey, pair: Pair<'a>) {
        self.0.entry(place).or_default().insert(variant, pair);
    }

    /// The same with means over datasets, of variants that have a pair on each of them.
    fn with_means(mut self, averaged: Option<&[ConditionKey]>) -> Result<Self, Error> {
        let variants: BTreeSet<usize> = self.0.values().flat_map(BTreeMap::keys).copied().collect();
        for variant in variants {
            let Some(places) = averaged else { break };
            let every = places.iter().map(|place| self.0.get(place)?.get(&variant)).collect::<Option<Vec<_>>>();
            let Some(every) = every else { continue };
            let side = |side: usize| Average::over(&every.iter().map(|pair| &*pair[side]).collect::<Vec<_>>());
            if let (Some(of_variant), Some(of_base)) = (side(0)?, side(1)?) {
                self.add(variant, MEAN, [of_variant, of_base].map(Cow::Owned));
            }
        }
        Ok(self)
    }

    /// The differences, each adjusted for the variants beside it. `base` is the name of what all are compared with, `best` says
    /// that it was chosen as the best.
    fn rows(
        &self,
        names: &Names,
        key: FamilyKey,
        base: &str,
        best: bool,
    ) -> Result<Vec<(RowKey, DifferenceRow)>, Error> {
        let mut rows = Vec::new();
        for (place, variants) in &self.0 {
            let mut condition = Vec::new();
            for (variant, [of_variant, of_base]) in variants {
                let Some(difference) = of_variant.minus(of_base)? else { continue };
                let interval = difference.interval(LEVEL)?;
                let (dataset, trained_on) = names.condition(*place);
                let row = DifferenceRow {
                    variant: names.variants[*variant].clone(),
                    base: base.to_owned(),
                    dataset,
                    trained_on,
                    shots: names.shots[key.shots],
                    backend: names.backends[key.backend].clone(),
                    selection: names.selection[key.selection],
                    image_score: key.score,
                    metric: key.metric,
                    difference: of_variant.mean - of_base.mean,
                    low: interval.low,
                    high: interval.high,
                    level: LEVEL,
                    p: difference.p_value()?,
                    p_holm: 1.0,
                    count: of_variant.count,
                };
                condition.push((row_key(key, *place, best, *variant), row));
            }
            let adjusted = holm(&condition.iter().map(|(_, row)| row.p).collect::<Vec<_>>())?;
            for ((_, row), p_holm) in condition.iter_mut().zip(adjusted) {
                row.p_holm = p_holm;
            }
            rows.extend(condition);
        }
        Ok(rows)
    }
}

fn interval(
    names: &Names,
    key: FamilyKey,
    place: ConditionKey,
    variant: usize,
    average: &Average,
) -> Result<(RowKey, IntervalRow), Error> {
    let interval = average.replicates.interval(LEVEL)?;
    let (dataset, trained_on) = names.condition(place);
    let row = IntervalRow {
        variant: names.variants[variant].clone(),
        dataset,
        trained_on,
        shots: names.shots[key.shots],
        backend: names.backends[key.backend].clone(),
        selection: names.selection[key.selection],
        image_score: key.score,
        metric: key.metric,
        mean: average.mean,
        low: interval.low,
        high: interval.high,
        level: LEVEL,
        draws: average.draws,
        count: average.count,
    };
    Ok((row_key(key, place, false, variant), row))
}

fn row_key(key: FamilyKey, condition: ConditionKey, best: bool, variant: usize) -> RowKey {
    (condition, [key.shots, key.backend, key.selection, place(key.metric)], key.score, best, variant)
}

/// What a reader should know of intervals and tests.
fn notes(plan: &Plan, names: &Names, records: &Records) -> Vec<String> {
    let mut notes = Vec::new();
    let (datasets, comparisons) = (plan.datasets.len(), plan.variants.len().saturating_sub(1));
    let smallest = smallest_wilcoxon_p(datasets);
    if datasets > 1 && !names.transfers && comparisons > 0 && (smallest * comparisons as f64) > SIGNIFICANCE {
        let corrected = match comparisons {
            1 => String::new(),
            _ => format!(
                ", {:.3} after Holm's correction for {comparisons} comparisons",
                (smallest * comparisons as f64).min(1.0)
            ),
        };
        notes.push(format!(
            "{datasets} data sets are too few for a test by ranks: a two-sided Wilcoxon test over them can't go below p = \
             {smallest:.3}{corrected}, so no difference could be significant at {SIGNIFICANCE}. The p values given here are the \
             nested bootstrap's, over test images, draws and seeds of these data sets; they say nothing about others."
        ));
    }
    let without = records.without_replicates(plan);
    if without > 0 {
        notes.push(format!(
            "{without} evaluations have no resampled metrics, so intervals and differences are without them; `harness score` \
             makes them from stored predictions."
        ));
    }
    notes
}
