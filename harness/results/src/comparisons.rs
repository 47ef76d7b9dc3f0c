//! Which quantities of a family are compared with which.

use std::collections::BTreeMap;

use harness_experiment::{ImageScore, Selection};
use harness_metrics::Metric;

use crate::averages::{exact, mean};
use crate::families::{DatasetPair, Families, Family, FamilyKey, Member, Quantity};

/// Level that a test has to reach to be called significant.
pub(crate) const SIGNIFICANCE: f64 = 0.05;

/// The metrics whose best is marked in tables; the last in that of methods alone.
const MARKED: [Metric; 3] = [Metric::ImageAuroc, Metric::PixelAuroc, Metric::Pro03];

/// Pairs of quantities of one family: the first is compared with the second.
#[derive(Default)]
pub(crate) struct Comparisons {
    /// Variants with the base.
    pub(crate) base: Vec<[Quantity; 2]>,
    /// Numbers of epochs that the test set chose, with those of `last` on the same trainings.
    pub(crate) last: Vec<[Quantity; 2]>,
    /// Variants with the best, where that is not the base: of each dataset, and of the mean over them.
    pub(crate) best: Vec<WithBest>,
    /// Where variants have several methods: each variant with those before it, by the index of the earlier one.
    pub(crate) each: BTreeMap<usize, Vec<[Quantity; 2]>>,
}

/// Variants that are compared with the best.
pub(crate) struct WithBest {
    /// Index of the best variant.
    pub(crate) best: usize,
    /// It is the best in the mean over datasets; there is a pair on each of them.
    pub(crate) of_mean: bool,
    pub(crate) pairs: Vec<[Quantity; 2]>,
}

impl Comparisons {
    /// Those of a family.
    pub(crate) fn of(all: &Families<'_>, key: FamilyKey, base: Option<usize>) -> Self {
        let last = last(all, key);
        let mut comparisons = Self::default();
        for quantity in quantities(all, key) {
            comparisons.base.extend(base.and_then(|base| with(all, quantity, base)));
            let of_last = last.map(|family| Quantity { family, ..quantity });
            comparisons.last.extend(of_last.filter(|last| all.is_planned(*last)).map(|last| [quantity, last]));
        }
        let marked = MARKED.contains(&key.metric) && (key.metric != Metric::Pro03 || all.names.several_methods);
        if let Some(base) = base.filter(|_| marked) {
            comparisons.best = with_best(all, key, base);
        }
        if ranked(all, key) {
            for quantity in quantities(all, key) {
                for earlier in 0..quantity.variant {
                    comparisons.each.entry(earlier).or_default().extend(with(all, quantity, earlier));
                }
            }
        }
        comparisons
    }

    /// All pairs.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = [Quantity; 2]> {
        let best = self.best.iter().flat_map(|with_best| &with_best.pairs);
        let each = self.each.values().flatten();
        self.base.iter().chain(&self.last).chain(best).chain(each).copied()
    }
}

/// Most variants that are compared with one another, which takes a test for each pair.
pub(crate) const MOST_RANKED: usize = 24;

/// Whether all variants of a family are compared with one another, for a figure of ranks: those of several methods, of
/// cells scored on their own dataset, by each image score, and by the maps' where pixels depend on one.
pub(crate) fn ranked(all: &Families<'_>, key: FamilyKey) -> bool {
    let number = match key.metric {
        Metric::ImageAuroc => true,
        Metric::PixelAuroc => key.score.is_none_or(|score| score == ImageScore::MapMax),
        _ => false,
    };
    let names = &all.names;
    number && names.several_methods && !names.transfers && names.variants.len() <= MOST_RANKED
}

/// All planned quantities of a family, dataset by dataset.
pub(crate) fn quantities(all: &Families<'_>, family: FamilyKey) -> Vec<Quantity> {
    let datasets = all.families.get(&family).into_iter().flat_map(|family| &family.datasets);
    datasets
        .flat_map(|(datasets, compared)| compared.variants.keys().map(|variant| (*datasets, *variant)))
        .map(|(datasets, variant)| Quantity { family, datasets, variant })
        .collect()
}

/// A quantity and the same of another variant; `None` where that is not planned or is the same.
fn with(all: &Families<'_>, quantity: Quantity, variant: usize) -> Option<[Quantity; 2]> {
    let other = Quantity { variant, ..quantity };
    (quantity.variant != variant && all.is_planned(other)).then_some([quantity, other])
}

/// The comparisons with the best variant of each dataset and of the mean over them.
fn with_best(all: &Families<'_>, key: FamilyKey, base: usize) -> Vec<WithBest> {
    let quantities = quantities(all, key);
    let mut found = Vec::new();
    let mut compare = |best: Option<usize>, datasets: &[DatasetPair], of_mean: bool| {
        // Comparisons with the base are made anyway, as a family of their own.
        let Some(best) = best.filter(|best| *best != base) else { return };
        let here = quantities.iter().filter(|quantity| datasets.contains(&quantity.datasets));
        let pairs = here.filter_map(|quantity| with(all, *quantity, best)).collect();
        found.push(WithBest { best, of_mean, pairs });
    };
    for (datasets, compared) in all.families.get(&key).into_iter().flat_map(|family| &family.datasets) {
        // The plain mean over trainings, which the tables print: the mark must stand at the number that looks best.
        let number = |members: &[Member<'_>]| {
            (!members.is_empty()).then(|| mean(&members.iter().map(|member| member.value).collect::<Vec<_>>()))
        };
        let numbers = compared.variants.iter().filter_map(|(variant, members)| Some((*variant, number(members)?)));
        compare(highest(numbers, base), &[*datasets], false);
    }
    if let Some(averaged) = all.averaged(key) {
        let variants = all.families.get(&key).map(Family::variants).unwrap_or_default();
        let number = |variant: usize| {
            let on_dataset =
                |datasets: &DatasetPair| exact(all, Quantity { family: key, datasets: *datasets, variant });
            Some((variant, mean(&averaged.iter().map(on_dataset).collect::<Option<Vec<_>>>()?)))
        };
        compare(highest(variants.into_iter().filter_map(number), base), &averaged, true);
    }
    found
}

/// The variant with the highest number; of equals the base, else the first.
fn highest(numbers: impl Iterator<Item = (usize, f64)>, base: usize) -> Option<usize> {
    /// Equal numbers that were summed in another order differ by less.
    const ROUNDING: f64 = 1e-9;
    let numbers: Vec<(usize, f64)> = numbers.collect();
    let most = numbers.iter().map(|(_, number)| *number).reduce(f64::max)?;
    let equals = || numbers.iter().filter(|(_, number)| most - number < ROUNDING).map(|(variant, _)| *variant);
    equals().find(|variant| *variant == base).or_else(|| equals().next())
}

/// The same numbers under `last`, where a family chooses by the test set.
fn last(all: &Families<'_>, key: FamilyKey) -> Option<FamilyKey> {
    let by_test = all.names.selection.get(key.selection) == Some(&Selection::BestOnTest);
    let selection = all.names.selection_index(Selection::Last).filter(|_| by_test)?;
    Some(FamilyKey { selection, score: key.stored_score(), ..key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equals_the_base_is_the_best_and_else_the_first() {
        let best = |numbers: &[(usize, f64)]| highest(numbers.iter().copied(), 1);
        assert_eq!(best(&[(0, 0.5), (1, 0.5), (2, 0.5)]), Some(1));
        assert_eq!(best(&[(0, 0.75), (1, 0.5), (2, 0.75)]), Some(0));
        assert_eq!(best(&[(0, 0.5), (1, 0.25), (2, 0.75)]), Some(2));
        // Sums in another order.
        assert_eq!(best(&[(0, 0.1 + 0.2 + 0.3), (1, 0.3 + 0.2 + 0.1)]), Some(1));
        assert_eq!(best(&[]), None);
    }
}
