//! Which numbers are averaged, and which are compared with which. What is computed of them is in `averages`; no file is
//! opened here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use harness_experiment::{ContentHash, EvaluationId, ImageScore, Plan, Selection};
use harness_metrics::{Metric, Resampling};
use harness_records::ReplicateIndex;

use crate::done::{Records, planned};

/// What all numbers of a family share. Places are those in the plan's lists, which order tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FamilyKey {
    pub(crate) shots: usize,
    pub(crate) backend: usize,
    pub(crate) selection: usize,
    pub(crate) metric: Metric,
    /// `None` for pixel metrics that do not depend on it.
    pub(crate) score: Option<ImageScore>,
}

/// Place of the dataset that was scored and of the one that was trained on, in [`Names`].
pub(crate) type ConditionKey = (usize, usize);

/// A number of a variant on a dataset, by all its trainings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quantity {
    pub(crate) family: FamilyKey,
    pub(crate) place: ConditionKey,
    pub(crate) variant: usize,
}

/// One metric under the same rules, of all variants and datasets.
#[derive(Default)]
pub(crate) struct Family<'a> {
    pub(crate) conditions: BTreeMap<ConditionKey, Condition<'a>>,
}

/// One metric of all variants on one dataset: the family of a correction.
pub(crate) struct Condition<'a> {
    /// The images that are scored, which name their resamples.
    pub(crate) test: ContentHash,
    /// What is done, by the variant's place. A variant that is planned alone has an empty list.
    pub(crate) variants: BTreeMap<usize, Vec<Member<'a>>>,
}

/// One training's number.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) draw: u64,
    pub(crate) seed: u64,
    pub(crate) epoch: u32,
    /// The exact metric.
    pub(crate) value: f64,
    pub(crate) evaluation: EvaluationId,
    pub(crate) replicates: Option<&'a ReplicateIndex>,
}

/// All families of a plan.
pub(crate) struct Families<'a> {
    pub(crate) names: Names,
    pub(crate) families: BTreeMap<FamilyKey, Family<'a>>,
}

/// What places stand for.
pub(crate) struct Names {
    pub(crate) datasets: Vec<String>,
    pub(crate) variants: Vec<String>,
    pub(crate) shots: Vec<u32>,
    pub(crate) backends: Vec<String>,
    pub(crate) selection: Vec<Selection>,
    /// Some cell is scored on another dataset than it was trained on.
    pub(crate) transfers: bool,
}

/// Place of the variant that others are compared with: the one named `base`, else the first. `None` where there is but one.
pub(crate) fn base(plan: &Plan) -> Option<usize> {
    let named = || plan.variants.iter().position(|variant| variant.name == "base").unwrap_or(0);
    (plan.variants.len() > 1).then(named)
}

impl Names {
    fn of(plan: &Plan) -> Self {
        let mut datasets: Vec<String> = Vec::new();
        for dataset in plan.datasets.iter().chain(&plan.targets) {
            if !datasets.contains(&dataset.name) {
                datasets.push(dataset.name.clone());
            }
        }
        Self {
            datasets,
            variants: plan.variants.iter().map(|variant| variant.name.clone()).collect(),
            shots: plan.shots.clone(),
            backends: plan.backends.iter().map(|backend| backend.name.clone()).collect(),
            selection: plan.selection.clone(),
            transfers: plan.cells.iter().any(|cell| cell.dataset != cell.trained_on),
        }
    }

    /// Names of the dataset that was scored and of the one that was trained on; both empty for a mean over datasets.
    pub(crate) fn condition(&self, (dataset, trained_on): ConditionKey) -> (String, String) {
        let name = |place: usize| self.datasets.get(place).cloned().unwrap_or_default();
        (name(dataset), name(trained_on))
    }

    pub(crate) fn selection_place(&self, selection: Selection) -> Option<usize> {
        self.selection.iter().position(|known| *known == selection)
    }
}

impl Family<'_> {
    /// Places of the variants that are planned on some dataset.
    pub(crate) fn variants(&self) -> BTreeSet<usize> {
        self.conditions.values().flat_map(|condition| condition.variants.keys().copied()).collect()
    }

    /// Bytes of replicates that are in memory when its means are made: a mean a variant and dataset, and on each thread all
    /// trainings of one.
    pub(crate) fn bytes(&self) -> usize {
        let variants = || self.conditions.values().flat_map(|condition| condition.variants.values());
        let (means, most) = (variants().count(), variants().map(Vec::len).max().unwrap_or(0));
        let replicates = means + means.min(rayon::current_num_threads()) * most;
        replicates * Resampling::RESAMPLES * size_of::<f64>()
    }
}

impl<'a> Families<'a> {
    /// The conditions that a family's mean over datasets is of, ordered by the datasets' names so that their order in the file
    /// does not show. `None` where there is but one, or where models are transferred.
    pub(crate) fn averaged(&self, key: FamilyKey) -> Option<Vec<ConditionKey>> {
        let mut places: Vec<ConditionKey> = self.families.get(&key)?.conditions.keys().copied().collect();
        places.sort_by_key(|(dataset, _)| self.names.datasets.get(*dataset));
        (!self.names.transfers && places.len() > 1).then_some(places)
    }

    /// Whether some cell is planned to give the quantity.
    pub(crate) fn is_planned(&self, Quantity { family, place, variant }: Quantity) -> bool {
        let condition = self.families.get(&family).and_then(|family| family.conditions.get(&place));
        condition.is_some_and(|condition| condition.variants.contains_key(&variant))
    }

    /// The trainings of a quantity that are done.
    pub(crate) fn members(&self, quantity: Quantity) -> &[Member<'a>] {
        let condition = self.families.get(&quantity.family).and_then(|family| family.conditions.get(&quantity.place));
        condition.and_then(|condition| condition.variants.get(&quantity.variant)).map_or(&[], Vec::as_slice)
    }
}

impl FamilyKey {
    /// The image score that its replicates are stored under: pixel metrics are stored once for both.
    pub(crate) fn stored_score(self) -> Option<ImageScore> {
        self.score.filter(|_| !self.metric.needs_masks())
    }

    /// The name of its image score; empty without one.
    pub(crate) fn score_name(self) -> &'static str {
        self.score.map_or("", ImageScore::name)
    }
}

/// Sorts a plan's cells into families.
pub(crate) fn families<'a>(plan: &Plan, records: &'a Records) -> Families<'a> {
    let names = Names::of(plan);
    let tests: HashMap<EvaluationId, ContentHash> =
        plan.evaluations.iter().map(|evaluation| (evaluation.id, evaluation.test)).collect();
    let mut families: BTreeMap<FamilyKey, Family<'a>> = BTreeMap::new();
    for cell in &plan.cells {
        let place = |names: &[String], name: &str| names.iter().position(|known| known == name);
        let places = (
            place(&names.datasets, &cell.dataset),
            place(&names.datasets, &cell.trained_on),
            place(&names.variants, &cell.variant),
            place(&names.backends, &cell.backend),
            names.shots.iter().position(|shots| *shots == cell.shots),
            names.selection_place(cell.selection),
            tests.get(&cell.evaluation),
        );
        // A frozen plan that names what it does not have is refused where its rows are made.
        let (Some(dataset), Some(trained_on), Some(variant), Some(backend), Some(shots), Some(selection), Some(test)) =
            places
        else {
            continue;
        };
        let numbers = records.done(cell).map(|done| done.numbers()).unwrap_or_default();
        for (metric, score) in planned(cell) {
            let key = FamilyKey { shots, backend, selection, metric, score };
            let condition = families.entry(key).or_default().conditions.entry((dataset, trained_on));
            let condition = condition.or_insert_with(|| Condition { test: *test, variants: BTreeMap::new() });
            let members = condition.variants.entry(variant).or_default();
            let number = numbers.iter().find(|number| number.metric == metric && number.score == score);
            if let Some(number) = number {
                members.push(Member {
                    draw: cell.draw,
                    seed: cell.seed,
                    epoch: number.epoch,
                    value: number.value,
                    evaluation: cell.evaluation,
                    replicates: records.replicates(cell),
                });
            }
        }
    }
    for members in families.values_mut().flat_map(|family| family.conditions.values_mut()) {
        for members in members.variants.values_mut() {
            members.sort_unstable_by_key(|member| (member.draw, member.seed));
        }
    }
    Families { names, families }
}
