//! Sorts the numbers of a plan's cells by what they may be averaged and compared with. It opens no file, so thousands
//! of cells are sorted before the first replicate is read.
//!
//! Everything is keyed by indices into the plan's lists: they are small, and their order is that of tables.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use harness_experiment::{Cell, ContentHash, Draw, EvaluationId, ImageScore, Plan, Selection, Shots};
use harness_metrics::{Metric, Resampling};
use harness_records::{CellRecords, ReplicateIndex, planned};

use crate::methods::several;

/// What all numbers of a family share, as indices into [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FamilyKey {
    pub(crate) shots: usize,
    pub(crate) backend: usize,
    pub(crate) selection: usize,
    pub(crate) metric: Metric,
    /// `None` for pixel metrics that do not depend on it.
    pub(crate) score: Option<ImageScore>,
}

/// The dataset that was scored and the one that was trained on, as indices into [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DatasetPair {
    pub(crate) scored: usize,
    pub(crate) trained_on: usize,
}

/// The datasets of a row. The mean over datasets sorts behind each of them, as in tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Condition {
    /// One dataset.
    On(DatasetPair),
    /// The mean over the datasets of the experiment.
    Mean,
}

/// A number of a variant on a dataset, by all its trainings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quantity {
    pub(crate) family: FamilyKey,
    pub(crate) datasets: DatasetPair,
    pub(crate) variant: usize,
}

/// One metric under the same rules, of all variants and datasets.
#[derive(Default)]
pub(crate) struct Family<'a> {
    pub(crate) datasets: BTreeMap<DatasetPair, Compared<'a>>,
}

/// One metric of all variants on one dataset. These are the numbers that a reader compares with one another, so Holm's
/// correction is over them; another metric or dataset answers another question and is not corrected for.
pub(crate) struct Compared<'a> {
    /// The images that are scored, which name their resamples.
    pub(crate) test: ContentHash,
    /// The trainings that are done, by the variant's index. A variant that is only planned has an empty list.
    pub(crate) variants: BTreeMap<usize, Vec<Member<'a>>>,
}

/// One training's number.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) draw: Draw,
    /// The draw as resamples count it: its number; names count down from the largest one.
    pub(crate) unit: u64,
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

/// What indices stand for.
pub(crate) struct Names {
    pub(crate) datasets: Vec<String>,
    pub(crate) variants: Vec<String>,
    pub(crate) shots: Vec<Shots>,
    pub(crate) backends: Vec<String>,
    pub(crate) selection: Vec<Selection>,
    /// Of each variant whether it has one state alone, so that no rule chooses anything.
    pub(crate) no_choice: Vec<bool>,
    /// Some cell is scored on another dataset than it was trained on.
    pub(crate) transfers: bool,
    /// Variants have several methods.
    pub(crate) several_methods: bool,
}

/// Index of the variant that others are compared with: the one named `base`, else the first. `None` where there is only
/// one.
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
            no_choice: plan.variants.iter().map(|variant| plan.states(variant) == 1).collect(),
            shots: plan.shots.clone(),
            backends: plan.backends.iter().map(|backend| backend.name.clone()).collect(),
            selection: plan.selection.clone(),
            transfers: plan.cells.iter().any(|cell| cell.dataset != cell.trained_on),
            several_methods: several(plan),
        }
    }

    /// Names of the dataset that was scored and of the one that was trained on; both empty for a mean over datasets.
    pub(crate) fn condition(&self, condition: Condition) -> (String, String) {
        let Condition::On(DatasetPair { scored, trained_on }) = condition else { return Default::default() };
        let name = |index: usize| self.datasets.get(index).cloned().unwrap_or_default();
        (name(scored), name(trained_on))
    }

    pub(crate) fn selection_index(&self, selection: Selection) -> Option<usize> {
        self.selection.iter().position(|known| *known == selection)
    }
}

impl Family<'_> {
    /// Indices of the variants that are planned on some dataset.
    pub(crate) fn variants(&self) -> BTreeSet<usize> {
        self.datasets.values().flat_map(|compared| compared.variants.keys().copied()).collect()
    }

    /// Bytes of replicates that are in memory while its means are made: a mean for each variant and dataset, and on
    /// each thread all trainings of one.
    pub(crate) fn bytes(&self) -> usize {
        let variants = || self.datasets.values().flat_map(|compared| compared.variants.values());
        let (means, most) = (variants().count(), variants().map(Vec::len).max().unwrap_or(0));
        let replicates = means + means.min(rayon::current_num_threads()) * most;
        replicates * Resampling::RESAMPLES * size_of::<f64>()
    }
}

impl<'a> Families<'a> {
    /// The datasets that a family's mean is over, ordered by name so that their order in the experiment's file does not
    /// decide the last digit of the sum. `None` where there is only one, or where models are transferred: a mean over
    /// pairs of datasets would count each dataset several times.
    pub(crate) fn averaged(&self, key: FamilyKey) -> Option<Vec<DatasetPair>> {
        let mut datasets: Vec<DatasetPair> = self.families.get(&key)?.datasets.keys().copied().collect();
        datasets.sort_by_key(|pair| self.names.datasets.get(pair.scored));
        (!self.names.transfers && datasets.len() > 1).then_some(datasets)
    }

    /// Whether some cell is planned to give the quantity.
    pub(crate) fn is_planned(&self, quantity: Quantity) -> bool {
        self.compared(quantity).is_some_and(|compared| compared.variants.contains_key(&quantity.variant))
    }

    /// The trainings of a quantity that are done.
    pub(crate) fn members(&self, quantity: Quantity) -> &[Member<'a>] {
        let compared = self.compared(quantity);
        compared.and_then(|compared| compared.variants.get(&quantity.variant)).map_or(&[], Vec::as_slice)
    }

    /// The numbers beside which a quantity stands.
    pub(crate) fn compared(&self, quantity: Quantity) -> Option<&Compared<'a>> {
        self.families.get(&quantity.family)?.datasets.get(&quantity.datasets)
    }
}

impl FamilyKey {
    /// The image score that its replicates are stored under: pixel metrics are stored once for both.
    pub(crate) fn stored_score(self) -> Option<ImageScore> {
        self.score.filter(|_| !self.metric.needs_masks())
    }
}

/// Sorts a plan's cells into families.
pub(crate) fn families<'a>(plan: &Plan, records: &'a CellRecords) -> Families<'a> {
    let names = Names::of(plan);
    let indices = Indices::of(&names);
    let tests: HashMap<EvaluationId, ContentHash> =
        plan.evaluations.iter().map(|evaluation| (evaluation.id, evaluation.test)).collect();
    let unit = |draw: Draw| {
        let place = || plan.draws.iter().position(|known| *known == draw).unwrap_or(plan.draws.len());
        draw.number().unwrap_or_else(|| u64::MAX - place() as u64)
    };
    let mut families: BTreeMap<FamilyKey, Family<'a>> = BTreeMap::new();
    for cell in &plan.cells {
        // A frozen plan that names something it does not have is refused where its rows are made.
        let (Some(found), Some(test)) = (indices.cell(cell), tests.get(&cell.evaluation)) else { continue };
        let CellIndices { datasets, variant, backend, shots, selection } = found;
        let numbers = records.cell(cell).done().map(|done| done.numbers()).unwrap_or_default();
        let replicates = records.evaluation(cell.evaluation).and_then(|evaluated| evaluated.replicates.as_ref());
        for (metric, score) in planned(cell) {
            let key = FamilyKey { shots, backend, selection, metric, score };
            let compared = families.entry(key).or_default().datasets.entry(datasets);
            let compared = compared.or_insert_with(|| Compared { test: *test, variants: BTreeMap::new() });
            let members = compared.variants.entry(variant).or_default();
            let number = numbers.iter().find(|number| number.metric == metric && number.score == score);
            members.extend(number.map(|number| Member {
                draw: cell.draw,
                unit: unit(cell.draw),
                seed: cell.seed,
                epoch: number.epoch,
                value: number.value,
                evaluation: cell.evaluation,
                replicates,
            }));
        }
    }
    for compared in families.values_mut().flat_map(|family| family.datasets.values_mut()) {
        for members in compared.variants.values_mut() {
            members.sort_unstable_by_key(|member| (member.draw, member.seed));
        }
    }
    Families { names, families }
}

/// Indices by name, so that sorting stays linear in cells.
struct Indices<'a> {
    datasets: HashMap<&'a str, usize>,
    variants: HashMap<&'a str, usize>,
    backends: HashMap<&'a str, usize>,
    names: &'a Names,
}

/// A cell as indices.
struct CellIndices {
    datasets: DatasetPair,
    variant: usize,
    backend: usize,
    shots: usize,
    selection: usize,
}

impl<'a> Indices<'a> {
    fn of(names: &'a Names) -> Self {
        let by_name =
            |names: &'a [String]| names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
        Self {
            datasets: by_name(&names.datasets),
            variants: by_name(&names.variants),
            backends: by_name(&names.backends),
            names,
        }
    }

    /// `None` where a cell names something that the plan does not list.
    fn cell(&self, cell: &Cell) -> Option<CellIndices> {
        let dataset = |name: &str| self.datasets.get(name).copied();
        Some(CellIndices {
            datasets: DatasetPair { scored: dataset(&cell.dataset)?, trained_on: dataset(&cell.trained_on)? },
            variant: self.variants.get(cell.variant.as_str()).copied()?,
            backend: self.backends.get(cell.backend.as_str()).copied()?,
            shots: self.names.shots.iter().position(|shots| *shots == cell.shots)?,
            selection: self.names.selection_index(cell.selection)?,
        })
    }
}
