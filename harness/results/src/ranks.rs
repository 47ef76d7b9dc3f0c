//! The data of figures of mean ranks: variants of several methods by their ranks on each dataset, and which of them the
//! paired bootstrap does not tell apart.
//!
//! Ranks of a few datasets carry no rank test (of two there are two numbers a variant), so none is made: what is joined
//! follows from the tests over test images, draws and seeds within the datasets, of the mean over them.

use std::collections::{BTreeMap, HashMap};

use harness_experiment::{ImageScore, Selection, Shots};
use harness_metrics::Metric;
use harness_tables::row;

use crate::averages::{exact, mean};
use crate::comparisons::{SIGNIFICANCE, ranked};
use crate::families::{DatasetPair, Families, Family, FamilyKey, Quantity};
use crate::figure_data::{RankFigure, RankPlot, RankedVariant};

row! {
    /// A variant minus an earlier one on the same test images, draws and seeds, where variants have several methods:
    /// `tables/pairs.csv`, `.parquet`.
    PairRow is "pairs" {
        /// Name of the variant.
        variant: String,
        /// Name of the earlier one.
        other: String,
        /// Dataset that was scored; empty: the mean over the datasets of the experiment.
        dataset: String,
        /// Dataset that was trained on; empty where `dataset` is.
        trained_on: String,
        /// Support images of each class.
        shots: Shots,
        /// Backend that computed.
        backend: String,
        /// Rule that chose the epoch.
        selection: Selection,
        /// The image score; absent for pixel metrics that do not depend on it.
        image_score: Option<ImageScore>,
        /// The metric.
        metric: Metric,
        /// The variant's mean minus that of `other`, a fraction.
        difference: f64,
        /// Lower end of the interval.
        low: f64,
        /// Upper end of the interval.
        high: f64,
        /// Level of the interval, 0.95.
        level: f64,
        /// Two-sided, of no difference, by the nested bootstrap.
        p: f64,
        /// The same, adjusted for all pairs under the same conditions.
        p_adjusted: f64,
        /// Pairs of trainings behind it.
        count: u64,
    }
}

/// Datasets from which on tests of ranks are usual; below it a figure says that it has none.
const RANK_TESTS: usize = 6;

/// A figure for each K, rule and backend whose variants are compared with one another; `pairs` are these comparisons.
pub(crate) fn figures(all: &Families<'_>, pairs: &[PairRow]) -> Vec<RankFigure> {
    let tests = Tests::of(all, pairs);
    let mut groups: BTreeMap<(usize, usize, usize), Vec<FamilyKey>> = BTreeMap::new();
    for key in all.families.keys().filter(|key| ranked(all, **key)) {
        groups.entry((key.selection, key.backend, key.shots)).or_default().push(*key);
    }
    groups.values().filter_map(|keys| figure(all, keys, &tests)).collect()
}

/// Adjusted p values by family and the names of both variants.
struct Tests<'a>(HashMap<(FamilyKey, &'a str, &'a str), f64>);

impl<'a> Tests<'a> {
    fn of(all: &Families<'_>, pairs: &'a [PairRow]) -> Self {
        let names = &all.names;
        let p = |row: &'a PairRow| {
            let key = FamilyKey {
                shots: names.shots.iter().position(|shots| *shots == row.shots)?,
                backend: names.backends.iter().position(|backend| *backend == row.backend)?,
                selection: names.selection_index(row.selection)?,
                metric: row.metric,
                score: row.image_score,
            };
            Some(((key, row.variant.as_str(), row.other.as_str()), row.p_adjusted))
        };
        Self(pairs.iter().filter_map(p).collect())
    }

    /// What was not tested is not told apart.
    fn tells_apart(&self, key: FamilyKey, one: &str, other: &str) -> bool {
        let p = self.0.get(&(key, one, other)).or_else(|| self.0.get(&(key, other, one)));
        p.is_some_and(|p| *p < SIGNIFICANCE)
    }
}

fn figure(all: &Families<'_>, keys: &[FamilyKey], tests: &Tests<'_>) -> Option<RankFigure> {
    let plots: Vec<RankPlot> = keys.iter().filter_map(|key| plot(all, *key, tests)).collect();
    let (key, names) = (keys.first().filter(|_| !plots.is_empty())?, &all.names);
    let (shots, selection) = (names.shots[key.shots], names.selection[key.selection]);
    let backend = names.backends[key.backend].as_str();
    let several = if names.backends.len() > 1 { format!("-{backend}") } else { String::new() };
    let mut caption = format!(
        "Variants by mean rank: K = {}, selection {}, {backend}. Rank 1 is the best; filled: the mean over datasets of the ranks of \
         means over draws and seeds, hollow: the rank on each dataset.",
        shots.explained(),
        selection.name()
    );
    let counts = || plots.iter().map(|plot| plot.datasets.len());
    let (least, most) = (counts().min().unwrap_or(0), counts().max().unwrap_or(0));
    caption += &match (least, most) {
        (1, 1) => " Ranks on one dataset are an order, and carry no rank test.".to_owned(),
        (few, several) if few < RANK_TESTS => {
            let few = if few < several { format!("{few} to {several}") } else { few.to_string() };
            format!(" Ranks over {few} datasets carry no rank test, and none is made.")
        }
        _ => " No rank test is made.".to_owned(),
    };
    caption += &format!(
        " Bars with dots join variants that are not told apart {}: p ≥ {SIGNIFICANCE} in the paired nested bootstrap over test images, \
         draws and seeds within the datasets, adjusted for all pairs of a plot. Variants without a common bar are told apart \
         on these datasets; nothing is said of others.",
        if most > 1 { "in the mean over the datasets" } else { "on the dataset" }
    );
    for plot in plots.iter().filter(|plot| !plot.left_out.is_empty()) {
        let left_out = plot.left_out.join(", ");
        caption += &format!(" {}: without a number on each dataset, so not ranked: {left_out}.", plot.measure);
    }
    let name = format!("ranks-k{shots}{several}-{}", selection.name());
    Some(RankFigure { name, caption, selection, plots })
}

fn plot(all: &Families<'_>, key: FamilyKey, tests: &Tests<'_>) -> Option<RankPlot> {
    let family = all.families.get(&key)?;
    let datasets = all.averaged(key).unwrap_or_else(|| family.datasets.keys().copied().collect());
    let (mut numbers, mut left_out) = (Vec::new(), Vec::new());
    for variant in Family::variants(family) {
        let on = |datasets: &DatasetPair| exact(all, Quantity { family: key, datasets: *datasets, variant });
        match datasets.iter().map(on).collect::<Option<Vec<f64>>>() {
            Some(values) => numbers.push((variant, values)),
            None => left_out.push(all.names.variants[variant].clone()),
        }
    }
    if numbers.len() < 2 {
        return None;
    }
    let by_dataset: Vec<Vec<f64>> = (0..datasets.len())
        .map(|at| ranks(&numbers.iter().map(|(_, values)| values[at]).collect::<Vec<_>>()))
        .collect();
    let mut variants: Vec<RankedVariant> = Vec::new();
    for (index, (variant, _)) in numbers.iter().enumerate() {
        let ranks: Vec<f64> = by_dataset.iter().map(|ranks| ranks[index]).collect();
        variants.push(RankedVariant { label: all.names.variants[*variant].clone(), rank: mean(&ranks), ranks });
    }
    // The sort is stable, so equals keep the experiment's order.
    variants.sort_by(|a, b| a.rank.total_cmp(&b.rank));
    let joined = groups(variants.len(), |a, b| !tests.tells_apart(key, &variants[a].label, &variants[b].label));
    let by = key.score.filter(|_| !key.metric.needs_masks()).map(|score| format!(" by {}", score.name()));
    let measure = if key.metric.needs_masks() { "Pixel AUROC" } else { "Image AUROC" };
    Some(RankPlot {
        measure: measure.to_owned() + &by.unwrap_or_default(),
        datasets: datasets.iter().map(|pair| all.names.datasets[pair.scored].clone()).collect(),
        variants,
        joined,
        left_out,
    })
}

/// Ranks of numbers, the highest first; equals share the mean of theirs.
fn ranks(numbers: &[f64]) -> Vec<f64> {
    /// Equal numbers that were summed in another order differ by less.
    const ROUNDING: f64 = 1e-9;
    let rank = |number: &f64| {
        let above = numbers.iter().filter(|other| **other > number + ROUNDING).count() as f64;
        let equal = numbers.iter().filter(|other| (**other - number).abs() <= ROUNDING).count() as f64;
        above + (equal + 1.0) / 2.0
    };
    numbers.iter().map(rank).collect()
}

/// Groups whose members are all joined to one another, which together have every pair that is joined: of the largest
/// possible groups those that are needed, the largest first.
fn groups(count: usize, joined: impl Fn(usize, usize) -> bool) -> Vec<Vec<usize>> {
    let beside = |one: usize| (0..count).filter(|other| *other != one && joined(one, *other)).collect::<Vec<_>>();
    let beside: Vec<Vec<usize>> = (0..count).map(beside).collect();
    let mut largest = Vec::new();
    extend(&beside, &mut Vec::new(), (0..count).collect(), Vec::new(), &mut largest);
    largest.iter_mut().for_each(|group: &mut Vec<usize>| group.sort_unstable());
    largest.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    let mut covered = std::collections::BTreeSet::new();
    let mut needed = Vec::new();
    for group in largest.into_iter().filter(|group| group.len() > 1) {
        let pairs = || group.iter().enumerate().flat_map(|(at, a)| group[at + 1..].iter().map(move |b| (*a, *b)));
        if pairs().any(|pair| !covered.contains(&pair)) {
            covered.extend(pairs());
            needed.push(group);
        }
    }
    needed.sort();
    needed
}

/// Bron and Kerbosch's search with a pivot: all groups that can't be extended.
fn extend(
    beside: &[Vec<usize>],
    group: &mut Vec<usize>,
    mut open: Vec<usize>,
    mut seen: Vec<usize>,
    found: &mut Vec<Vec<usize>>,
) {
    let common =
        |of: &[usize], with: usize| of.iter().copied().filter(|v| beside[with].contains(v)).collect::<Vec<_>>();
    let Some(pivot) = open.iter().chain(&seen).copied().max_by_key(|v| common(&open, *v).len()) else {
        found.push(group.clone());
        return;
    };
    for next in open.clone().into_iter().filter(|v| !beside[pivot].contains(v)) {
        group.push(next);
        extend(beside, group, common(&open, next), common(&seen, next), found);
        group.pop();
        open.retain(|v| *v != next);
        seen.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_share_their_ranks() {
        assert_eq!(ranks(&[0.5, 0.9, 0.5, 0.1]), [2.5, 1.0, 2.5, 4.0]);
        // Sums in another order.
        assert_eq!(ranks(&[0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1]), [1.5, 1.5]);
        assert!(ranks(&[]).is_empty());
    }

    #[test]
    fn every_pair_that_is_joined_is_in_a_group_and_no_other_pair_is() {
        let told_apart = [(0, 2), (0, 3), (1, 4)];
        let joined = |a: usize, b: usize| !told_apart.contains(&(a.min(b), a.max(b)));
        let found = groups(5, joined);
        for (a, b) in (0..5).flat_map(|a| (a + 1..5).map(move |b| (a, b))) {
            let together = found.iter().any(|group| group.contains(&a) && group.contains(&b));
            assert_eq!(together, joined(a, b), "{a} and {b}: {found:?}");
        }
        // A gap in the middle is no bridge: 0 and 1, 0 and 4, and what is left of 1 to 4.
        assert_eq!(found, [vec![0, 1], vec![0, 4], vec![1, 2, 3], vec![2, 3, 4]]);
        assert_eq!(groups(3, |_, _| true), [vec![0, 1, 2]]);
        assert!(groups(3, |_, _| false).is_empty());
        assert!(groups(0, |_, _| true).is_empty());
    }

    #[test]
    fn many_groups_are_few_where_few_are_enough() {
        // Neighbours alone are joined.
        assert_eq!(groups(24, |a, b| a.abs_diff(b) <= 3).len(), 21);
        // The most groups that cannot be extended, 3 to the 8th.
        let found = groups(24, |a, b| a / 3 != b / 3);
        assert_eq!(found.len(), 129);
    }
}
