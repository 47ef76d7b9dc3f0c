//! Which quantities of a family are compared with which. What is computed of them is in `averages` and `statistics`.

use harness_experiment::Selection;

use super::families::{Families, FamilyKey, Quantity};

/// Pairs of quantities of one family: the first is compared with the second.
#[derive(Default)]
pub(super) struct Comparisons {
    /// Variants with the base.
    pub(super) base: Vec<[Quantity; 2]>,
    /// What the test set chose, with `last` on the same trainings.
    pub(super) last: Vec<[Quantity; 2]>,
}

impl Comparisons {
    /// Those of a family.
    pub(super) fn of(all: &Families<'_>, key: FamilyKey, base: Option<usize>) -> Self {
        let last = last(all, key);
        let mut comparisons = Self::default();
        for quantity in quantities(all, key) {
            let has_base = |base: &usize| all.is_planned(Quantity { variant: *base, ..quantity });
            if let Some(base) = base.filter(|base| *base != quantity.variant).filter(has_base) {
                comparisons.base.push([quantity, Quantity { variant: base, ..quantity }]);
            }
            let of_last = last.map(|family| Quantity { family, ..quantity });
            comparisons.last.extend(of_last.filter(|last| all.is_planned(*last)).map(|last| [quantity, last]));
        }
        comparisons
    }

    /// All pairs.
    pub(super) fn pairs(&self) -> impl Iterator<Item = [Quantity; 2]> {
        self.base.iter().chain(&self.last).copied()
    }
}

/// What is planned in a family, dataset by dataset.
pub(super) fn quantities(all: &Families<'_>, family: FamilyKey) -> Vec<Quantity> {
    let conditions = all.families.get(&family).into_iter().flat_map(|family| &family.conditions);
    conditions
        .flat_map(|(place, condition)| condition.variants.keys().map(|variant| (*place, *variant)))
        .map(|(place, variant)| Quantity { family, place, variant })
        .collect()
}

/// The same numbers under `last`, where a family chooses by the test set.
fn last(all: &Families<'_>, key: FamilyKey) -> Option<FamilyKey> {
    let by_test = all.names.selection.get(key.selection) == Some(&Selection::BestOnTest);
    let selection = all.names.selection_place(Selection::Last).filter(|_| by_test)?;
    Some(FamilyKey { selection, score: key.stored_score(), ..key })
}
