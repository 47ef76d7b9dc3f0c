//! Intervals and differences of a plan: one row a variant, dataset and metric, by the nested bootstrap over test images, draws
//! and seeds. DeLong's list is in `delong`; what is averaged and compared, in `families`.

use std::collections::BTreeMap;

use harness_experiment::{Plan, Selection};
use harness_metrics::{holm, smallest_wilcoxon_p};
use harness_tables::{DeLongRow, DifferenceRow, IntervalRow};
use rayon::prelude::*;

use super::averages::{Average, Loaded, place};
use super::delong;
use super::families::{ConditionKey, Families, Family, FamilyKey, Names, base, families};
use super::records::Records;
use crate::error::Error;

/// Level of all intervals.
const LEVEL: f64 = 0.95;

/// Level that a test has to reach to be called significant.
const SIGNIFICANCE: f64 = 0.05;

/// What follows from all cells together.
#[derive(Default)]
pub(super) struct Statistics {
    pub(super) intervals: Vec<IntervalRow>,
    pub(super) differences: Vec<DifferenceRow>,
    pub(super) optimism: Vec<DifferenceRow>,
    pub(super) delong: Vec<DeLongRow>,
    pub(super) notes: Vec<String>,
}

/// Orders rows as tables are: dataset and source (the mean over datasets last), K, backend, rule, metric, score, variant.
type RowKey = (ConditionKey, [usize; 4], Option<harness_experiment::ImageScore>, usize);

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
pub(super) fn statistics(plan: &Plan, records: &Records) -> Result<Statistics, Error> {
    let all = families(plan, records);
    let base = base(plan);
    let keys: Vec<FamilyKey> = all.families.keys().copied().collect();
    // Family by family: the replicates of all would not fit into memory.
    let made: Vec<Result<Rows, Error>> = keys.par_iter().map(|key| of_family(&all, *key, base)).collect();
    let mut rows = Rows::default();
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

fn of_family(all: &Families<'_>, key: FamilyKey, base: Option<usize>) -> Result<Rows, Error> {
    let family = &all.families[&key];
    let mut rows = Rows::default();
    let mut bases = BTreeMap::new();
    for (place, condition) in &family.conditions {
        if let Some(members) = base.and_then(|base| condition.variants.get(&base)) {
            bases.insert(*place, Loaded::read(condition, members, key)?);
        }
    }
    // The same trainings under `last`, where this family chooses by the test set.
    let last = all
        .names
        .selection_place(Selection::Last)
        .filter(|_| all.names.selection.get(key.selection) == Some(&Selection::BestOnTest));
    let last =
        last.map(|selection| FamilyKey { selection, score: key.score.filter(|_| !key.metric.needs_masks()), ..key });
    let last = last.and_then(|key| Some((key, all.families.get(&key)?)));

    let (mut differences, mut optimism) = (Pairs::default(), Pairs::default());
    for variant in family.variants() {
        let mut averages = BTreeMap::new();
        for (place, condition) in &family.conditions {
            let Some(members) = condition.variants.get(&variant) else { continue };
            let read;
            let loaded = match bases.get(place).filter(|_| base == Some(variant)) {
                Some(loaded) => loaded,
                None => {
                    read = Loaded::read(condition, members, key)?;
                    &read
                }
            };
            if let Some(average) = &loaded.average {
                averages.insert(*place, average.clone());
            }
            if let Some(base) = bases.get(place).filter(|_| base != Some(variant))
                && let Some(pair) = loaded.in_common(base)?
            {
                differences.add(variant, *place, pair);
            }
            if let Some((last_key, last)) = last
                && let Some(condition) = last.conditions.get(place)
                && let Some(members) = condition.variants.get(&variant)
                && let Some(pair) = loaded.in_common(&Loaded::read(condition, members, last_key)?)?
            {
                optimism.add(variant, *place, pair);
            }
        }
        for (place, average) in &averages {
            rows.intervals.push(interval(&all.names, key, *place, variant, average)?);
        }
        if let Some(order) = averaged(&all.names, family)
            && let Some(every) = order.iter().map(|place| averages.get(place)).collect::<Option<Vec<_>>>()
            && let Some(average) = Average::over(&every)?
        {
            rows.intervals.push(interval(&all.names, key, MEAN, variant, &average)?);
        }
    }
    let order = averaged(&all.names, family);
    let base_name = base.and_then(|base| all.names.variants.get(base)).map_or("", String::as_str);
    rows.differences = differences.rows(&all.names, key, base_name, order.as_deref())?;
    rows.optimism = optimism.rows(&all.names, key, Selection::Last.name(), order.as_deref())?;
    Ok(rows)
}

/// The conditions that a mean over datasets is of, ordered by the datasets' names so that their order in the file does not show.
/// `None` where there is but one, or where models are transferred.
fn averaged(names: &Names, family: &Family<'_>) -> Option<Vec<ConditionKey>> {
    let mut places: Vec<ConditionKey> = family.conditions.keys().copied().collect();
    places.sort_by_key(|(dataset, _)| names.datasets.get(*dataset));
    (!names.transfers && places.len() > 1).then_some(places)
}

/// Pairs of means that are compared, by condition and variant.
#[derive(Default)]
struct Pairs(BTreeMap<ConditionKey, BTreeMap<usize, [Average; 2]>>);

impl Pairs {
    fn add(&mut self, variant: usize, place: ConditionKey, pair: [Average; 2]) {
        self.0.entry(place).or_default().insert(variant, pair);
    }

    /// The differences, those over datasets included, each adjusted for the variants beside it.
    fn rows(
        mut self,
        names: &Names,
        key: FamilyKey,
        base: &str,
        averaged: Option<&[ConditionKey]>,
    ) -> Result<Vec<(RowKey, DifferenceRow)>, Error> {
        let variants: Vec<usize> = self.0.values().flat_map(BTreeMap::keys).copied().collect();
        for variant in variants {
            let Some(places) = averaged else { break };
            let every = places.iter().map(|place| self.0.get(place)?.get(&variant)).collect::<Option<Vec<_>>>();
            let Some(every) = every else { continue };
            let side = |side: usize| Average::over(&every.iter().map(|pair| &pair[side]).collect::<Vec<_>>());
            if let (Some(of_variant), Some(of_base)) = (side(0)?, side(1)?) {
                self.add(variant, MEAN, [of_variant, of_base]);
            }
        }
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
                    selection: names.selection[key.selection].name().to_owned(),
                    image_score: key.score_name().to_owned(),
                    metric: key.metric.name().to_owned(),
                    difference: of_variant.mean - of_base.mean,
                    low: interval.low,
                    high: interval.high,
                    level: LEVEL,
                    p: difference.p_value()?,
                    p_holm: 1.0,
                    count: of_variant.count,
                };
                condition.push((row_key(key, *place, *variant), row));
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
        selection: names.selection[key.selection].name().to_owned(),
        image_score: key.score_name().to_owned(),
        metric: key.metric.name().to_owned(),
        mean: average.mean,
        low: interval.low,
        high: interval.high,
        level: LEVEL,
        draws: average.draws,
        count: average.count,
    };
    Ok((row_key(key, place, variant), row))
}

fn row_key(key: FamilyKey, condition: ConditionKey, variant: usize) -> RowKey {
    (condition, [key.shots, key.backend, key.selection, place(key.metric)], key.score, variant)
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
