//! Intervals and differences of a plan, a row for each variant, dataset and metric, by the nested bootstrap over test
//! images, draws and seeds.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use harness_experiment::{EvaluationId, ImageScore, Plan, Selection};
use harness_metrics::{holm, smallest_wilcoxon_p};
use harness_records::CellRecords;
use harness_tables::{DeLongRow, DifferenceRow, IntervalRow};
use rayon::prelude::*;

use crate::averages::{Average, Averages, rank};
use crate::comparisons::{Comparisons, MOST_RANKED, SIGNIFICANCE, WithBest, quantities};
use crate::delong;
use crate::error::Error;
use crate::families::{Condition, DatasetPair, Families, FamilyKey, Names, Quantity, base, families};
use crate::figure_data::RankFigure;
use crate::ranks::{self, PairRow};
use crate::together::together;

/// Level of all intervals.
pub(crate) const LEVEL: f64 = 0.95;

/// The statistics of all cells together.
#[derive(Default)]
pub(crate) struct Statistics {
    pub(crate) intervals: Vec<IntervalRow>,
    pub(crate) differences: Vec<DifferenceRow>,
    pub(crate) optimism: Vec<DifferenceRow>,
    /// Each variant with each earlier one, where they are ranked.
    pub(crate) pairs: Vec<PairRow>,
    pub(crate) ranks: Vec<RankFigure>,
    pub(crate) delong: Vec<DeLongRow>,
    pub(crate) notes: Vec<String>,
}

/// What rows of tables are ordered by, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Order {
    condition: Condition,
    shots: usize,
    backend: usize,
    selection: usize,
    metric: usize,
    score: Option<ImageScore>,
    with: With,
    variant: usize,
}

/// What a variant is compared with. Comparisons with the base come first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum With {
    /// The base.
    Base,
    /// `last` on the same trainings.
    Last,
    /// The variant with the highest number.
    Best,
    /// The earlier variant with this index.
    Earlier(usize),
}

impl Order {
    fn of(key: FamilyKey, condition: Condition, with: With, variant: usize) -> Self {
        let FamilyKey { shots, backend, selection, metric, score } = key;
        Self { condition, shots, backend, selection, metric: rank(metric), score, with, variant }
    }
}

/// Rows of a family.
#[derive(Default)]
struct Rows {
    intervals: Vec<(Order, IntervalRow)>,
    differences: Vec<(Order, DifferenceRow)>,
    optimism: Vec<(Order, DifferenceRow)>,
    pairs: Vec<(Order, PairRow)>,
}

/// The statistics of the cells of a plan that are done.
///
/// # Errors
/// Replicates that can't be read or are not finite.
pub(crate) fn statistics(plan: &Plan, records: &CellRecords) -> Result<Statistics, Error> {
    let all = families(plan, records);
    let base = base(plan);
    let mut rows = Rows::default();
    for batch in batches(&all) {
        let families: Vec<(FamilyKey, Comparisons)> =
            batch.into_iter().map(|key| (key, Comparisons::of(&all, key, base))).collect();
        let whole: Vec<Quantity> = families.iter().flat_map(|(key, _)| quantities(&all, *key)).collect();
        let pairs: Vec<[Quantity; 2]> = families.iter().flat_map(|(_, comparisons)| comparisons.pairs()).collect();
        let averages = Averages::read(&all, &whole, &pairs)?;
        let family =
            |(key, comparisons): &(FamilyKey, Comparisons)| family_rows(&all, &averages, *key, comparisons, base);
        let made: Vec<Result<Rows, Error>> = families.par_iter().map(family).collect();
        for made in made {
            let Rows { intervals, differences, optimism, pairs } = made?;
            rows.intervals.extend(intervals);
            rows.differences.extend(differences);
            rows.optimism.extend(optimism);
            rows.pairs.extend(pairs);
        }
    }
    let pairs = sorted(rows.pairs);
    Ok(Statistics {
        intervals: sorted(rows.intervals),
        differences: sorted(rows.differences),
        optimism: sorted(rows.optimism),
        ranks: ranks::figures(&all, &pairs),
        pairs,
        delong: delong::rows(&all, base)?,
        notes: notes(plan, &all.names, records),
    })
}

fn sorted<T>(mut rows: Vec<(Order, T)>) -> Vec<T> {
    rows.sort_by_key(|(order, _)| *order);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Batches of families with replicates that fit into memory together. All metrics of an evaluation are in one file, and
/// an evaluation is of one K and backend, so families that share both are read together and each file is opened once a
/// batch.
fn batches(all: &Families<'_>) -> Vec<Vec<FamilyKey>> {
    /// Bytes of replicates in memory.
    const MOST: usize = 256 << 20;
    let mut by_metric: BTreeMap<(usize, usize, usize), Vec<FamilyKey>> = BTreeMap::new();
    for key in all.families.keys() {
        by_metric.entry((key.shots, key.backend, rank(key.metric))).or_default().push(*key);
    }
    let (mut batches, mut held, mut before) = (Vec::<Vec<FamilyKey>>::new(), 0, None);
    for ((shots, backend, _), keys) in by_metric {
        let bytes: usize = keys.iter().map(|key| all.families[key].bytes()).sum();
        match batches.last_mut().filter(|_| before == Some((shots, backend)) && held + bytes <= MOST) {
            Some(batch) => batch.extend(keys),
            None => {
                batches.push(keys);
                held = 0;
            }
        }
        held += bytes;
        before = Some((shots, backend));
    }
    batches
}

/// All rows of a family.
fn family_rows(
    all: &Families<'_>,
    averages: &Averages<'_>,
    key: FamilyKey,
    comparisons: &Comparisons,
    base: Option<usize>,
) -> Result<Rows, Error> {
    let averaged = all.averaged(key);
    let averaged = averaged.as_deref();
    let names = &all.names;
    let base = base.and_then(|base| names.variants.get(base)).map_or("", String::as_str);
    let with_base = Pairs::of(averages, &comparisons.base).with_means(averaged)?;
    let mut differences = with_base.rows(names, key, (base, With::Base))?;
    for WithBest { best, of_mean, pairs } in &comparisons.best {
        let mut pairs = Pairs::of(averages, pairs);
        if *of_mean {
            // The best on a dataset may be another than the best in the mean, so these pairs serve only to make the
            // mean.
            pairs = pairs.with_means(averaged)?;
            pairs.0.retain(|condition, _| *condition == Condition::Mean);
        }
        differences.extend(pairs.rows(names, key, (&names.variants[*best], With::Best))?);
    }
    let with_last = Pairs::of(averages, &comparisons.last).with_means(averaged)?;
    Ok(Rows {
        intervals: intervals(all, averages, key, averaged)?,
        differences,
        optimism: with_last.rows(names, key, (Selection::Last.name(), With::Last))?,
        pairs: each_pair(all, averages, key, &comparisons.each)?,
    })
}

/// Each variant with each earlier one: in the mean over datasets, or on the only one. A reader looks at all of these
/// pairs together, so p values are adjusted for all of them.
fn each_pair(
    all: &Families<'_>,
    averages: &Averages<'_>,
    key: FamilyKey,
    each: &BTreeMap<usize, Vec<[Quantity; 2]>>,
) -> Result<Vec<(Order, PairRow)>, Error> {
    let (names, averaged) = (&all.names, all.averaged(key));
    let (mut rows, mut differences) = (Vec::new(), Vec::new());
    for (earlier, pairs) in each {
        let pairs = Pairs::of(averages, pairs).with_means(averaged.as_deref())?;
        let conditions = pairs.0.iter().filter(|(condition, _)| averaged.is_none() || **condition == Condition::Mean);
        for (condition, variants) in conditions {
            for (variant, [one, other]) in variants {
                let Some(difference) = one.minus(other)? else { continue };
                let interval = difference.interval(LEVEL)?;
                let (dataset, trained_on) = names.condition(*condition);
                let row = PairRow {
                    variant: names.variants[*variant].clone(),
                    other: names.variants[*earlier].clone(),
                    dataset,
                    trained_on,
                    shots: names.shots[key.shots],
                    backend: names.backends[key.backend].clone(),
                    selection: names.selection[key.selection],
                    image_score: key.score,
                    metric: key.metric,
                    difference: one.mean - other.mean,
                    low: interval.low,
                    high: interval.high,
                    level: LEVEL,
                    p: difference.p_value()?,
                    p_adjusted: 1.0,
                    count: one.count,
                };
                rows.push((Order::of(key, *condition, With::Earlier(*earlier), *variant), row));
                differences.push(difference);
            }
        }
    }
    let p: Vec<f64> = rows.iter().map(|(_, row)| row.p).collect();
    rows.iter_mut().zip(together(&differences, &p)).for_each(|((_, row), p)| row.p_adjusted = p);
    Ok(rows)
}

/// The intervals of a family, those of means over datasets included.
fn intervals(
    all: &Families<'_>,
    averages: &Averages<'_>,
    key: FamilyKey,
    averaged: Option<&[DatasetPair]>,
) -> Result<Vec<(Order, IntervalRow)>, Error> {
    let mut rows = Vec::new();
    for quantity in quantities(all, key) {
        if let Some(average) = averages.whole(quantity) {
            rows.push(interval(&all.names, key, Condition::On(quantity.datasets), quantity.variant, average)?);
        }
    }
    let Some(averaged) = averaged else { return Ok(rows) };
    for variant in all.families[&key].variants() {
        let on_dataset =
            |datasets: &DatasetPair| averages.whole(Quantity { family: key, datasets: *datasets, variant });
        // A mean without one of the datasets would be of another quantity.
        if let Some(every) = averaged.iter().map(on_dataset).collect::<Option<Vec<_>>>()
            && let Some(average) = Average::over(&every)?
        {
            rows.push(interval(&all.names, key, Condition::Mean, variant, &average)?);
        }
    }
    Ok(rows)
}

/// Two means that are compared: of a variant, and of what it is compared with.
pub(crate) type Pair<'a> = [Cow<'a, Average>; 2];

/// Pairs of means that are compared, by condition and variant.
pub(crate) struct Pairs<'a>(pub(crate) BTreeMap<Condition, BTreeMap<usize, Pair<'a>>>);

impl<'a> Pairs<'a> {
    /// Those that have trainings in common.
    pub(crate) fn of(averages: &'a Averages<'_>, compared: &[[Quantity; 2]]) -> Self {
        let mut pairs = Self(BTreeMap::new());
        for pair in compared {
            if let Some(means) = averages.pair(*pair) {
                pairs.add(Condition::On(pair[0].datasets), pair[0].variant, means.map(Cow::Borrowed));
            }
        }
        pairs
    }

    fn add(&mut self, condition: Condition, variant: usize, pair: Pair<'a>) {
        self.0.entry(condition).or_default().insert(variant, pair);
    }

    /// The same with means over datasets, for variants that have a pair on each of them.
    pub(crate) fn with_means(mut self, averaged: Option<&[DatasetPair]>) -> Result<Self, Error> {
        let Some(averaged) = averaged else { return Ok(self) };
        let variants: BTreeSet<usize> = self.0.values().flat_map(BTreeMap::keys).copied().collect();
        for variant in variants {
            let on_dataset = |datasets: &DatasetPair| self.0.get(&Condition::On(*datasets))?.get(&variant);
            let Some(every) = averaged.iter().map(on_dataset).collect::<Option<Vec<_>>>() else { continue };
            let side = |side: usize| Average::over(&every.iter().map(|pair| &*pair[side]).collect::<Vec<_>>());
            if let (Some(variants), Some(others)) = (side(0)?, side(1)?) {
                self.add(Condition::Mean, variant, [variants, others].map(Cow::Owned));
            }
        }
        Ok(self)
    }

    /// The differences. `with` is the name of what all variants are compared with, and its kind.
    ///
    /// A p value is adjusted for the variants beside it: the comparisons that a reader sees together, on one metric,
    /// dataset, K, rule and backend, and chooses the smallest from. What has one state is not compared with its `last`,
    /// as it is the same, and counts for none.
    fn rows(
        &self,
        names: &Names,
        key: FamilyKey,
        (base, with): (&str, With),
    ) -> Result<Vec<(Order, DifferenceRow)>, Error> {
        let mut rows = Vec::new();
        for (condition, variants) in &self.0 {
            let mut beside = Vec::new();
            for (variant, [of_variant, of_base]) in variants {
                // Replicate r of both is of the same images, draws and seeds, so what they share cancels.
                let Some(difference) = of_variant.minus(of_base)? else { continue };
                let interval = difference.interval(LEVEL)?;
                let (dataset, trained_on) = names.condition(*condition);
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
                beside.push((Order::of(key, *condition, with, *variant), row));
            }
            let tested = |order: &Order| with != With::Last || names.no_choice.get(order.variant) != Some(&true);
            let family: Vec<f64> = beside.iter().filter(|(order, _)| tested(order)).map(|(_, row)| row.p).collect();
            let of_family = beside.iter_mut().filter(|(order, _)| tested(order));
            for ((_, row), p_holm) in of_family.zip(holm(&family)?) {
                row.p_holm = p_holm;
            }
            rows.extend(beside);
        }
        Ok(rows)
    }
}

fn interval(
    names: &Names,
    key: FamilyKey,
    condition: Condition,
    variant: usize,
    average: &Average,
) -> Result<(Order, IntervalRow), Error> {
    let interval = average.replicates.interval(LEVEL)?;
    let (dataset, trained_on) = names.condition(condition);
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
    Ok((Order::of(key, condition, With::Base, variant), row))
}

/// Remarks on intervals and tests, for the report.
fn notes(plan: &Plan, names: &Names, records: &CellRecords) -> Vec<String> {
    let mut notes = Vec::new();
    let (datasets, comparisons) = (plan.datasets.len(), plan.variants.len().saturating_sub(1));
    let smallest = smallest_wilcoxon_p(datasets);
    if datasets > 1 && !names.transfers && comparisons > 0 && (smallest * comparisons as f64) > SIGNIFICANCE {
        let corrected = if comparisons == 1 {
            String::new()
        } else {
            let smallest = (smallest * comparisons as f64).min(1.0);
            format!(", {smallest:.3} after Holm's correction for {comparisons} comparisons")
        };
        notes.push(format!(
            "{datasets} datasets are too few for a rank test: a two-sided Wilcoxon test over them can't go below p = \
             {smallest:.3}{corrected}, so no difference could be significant at {SIGNIFICANCE}. The p values given here are the \
             nested bootstrap's, over test images, draws and seeds of these datasets; they say nothing about others."
        ));
    }
    if names.several_methods && names.variants.len() > MOST_RANKED {
        notes.push(format!(
            "{} variants are too many to compare each with each: there are no figures of ranks for more than {MOST_RANKED}.",
            names.variants.len()
        ));
    }
    let blind: Vec<String> = plan.without_support().into_iter().map(|name| format!("`{name}`")).collect();
    if !blind.is_empty() {
        notes.push(format!(
            "No support set is seen by {}: n counts its cells of all K and draws once, and intervals of its values are over test \
             images alone, and over its seeds where they decide something.",
            blind.join(", ")
        ));
    }
    let without = without_replicates(plan, records);
    if without > 0 {
        notes.push(format!(
            "{} no resampled metrics and {} left out of intervals and differences: there are none on a test set with fewer \
             than two images or patients of a class; `harness score` computes those that are missing for another reason.",
            if without == 1 { "1 evaluation has".to_owned() } else { format!("{without} evaluations have") },
            if without == 1 { "is" } else { "are" }
        ));
    }
    notes
}

/// How many evaluations have metrics of test sets and no replicates.
fn without_replicates(plan: &Plan, records: &CellRecords) -> usize {
    let of_cells: HashSet<EvaluationId> = plan.cells.iter().map(|cell| cell.evaluation).collect();
    let measured = of_cells.iter().filter_map(|id| records.evaluation(*id));
    measured.filter(|evaluated| evaluated.replicates.is_none()).count()
}
