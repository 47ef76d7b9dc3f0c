//! Looking at the images and masks that a plan uses, before anything is computed: what can't be used, what is doubtful,
//! and pictures that are both support and test.

use std::collections::{BTreeMap, BTreeSet};

use harness_data::{Dataset, FileHashes, Item, Looked, Severity, Unusable, inspect, misfits, sample};
use harness_experiment::{Draw, Plan, Shots};
use harness_text::group;
use rayon::prelude::*;

use crate::error::Error;
use crate::world::World;

/// How many files are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Some of each class and split, evenly spaced, and those that are remembered.
    Sample,
    /// Each that the plan uses.
    All,
}

/// Images of a class in a sample.
const SAMPLED: usize = 50;
/// Images that are looked at between two questions whether to go on.
const TOGETHER: usize = 256;
/// From this many files that are not remembered on, it takes a while.
const MANY: usize = 500;

/// The images of a dataset that a plan uses.
#[derive(Default)]
struct Used {
    /// Shots and draws of support sets.
    supports: BTreeSet<(Shots, Draw)>,
    /// As a test set.
    tested: bool,
}

impl World {
    /// Looks at the images that a plan uses; what is found is among [`World::warnings`] and [`World::notes`]. `begun`
    /// hears of a dataset that takes a while: its name, and how many files are read.
    ///
    /// # Errors
    /// Listing a dataset; with [`Extent::All`] a support image that shows the same pixels as a test image, where that
    /// is not allowed; `Interrupted` where `go_on` says no.
    pub fn look(
        &self,
        plan: &Plan,
        extent: Extent,
        go_on: &dyn Fn() -> bool,
        begun: &mut dyn FnMut(&str, usize),
    ) -> Result<(), Error> {
        if self.generated().is_some() {
            return Ok(());
        }
        let mut used = BTreeMap::<&str, Used>::new();
        for support in &plan.supports {
            used.entry(&support.dataset).or_default().supports.insert((support.shots, support.draw));
        }
        for evaluation in plan.evaluations.iter().filter(|evaluation| !evaluation.on_fold) {
            used.entry(&evaluation.dataset).or_default().tested = true;
        }
        for (name, used) in used {
            self.look_at(name, &used, extent, go_on, begun)?;
        }
        if extent == Extent::All { self.check_pixels(plan) } else { Ok(()) }
    }

    fn look_at(
        &self,
        name: &str,
        used: &Used,
        extent: Extent,
        go_on: &dyn Fn() -> bool,
        begun: &mut dyn FnMut(&str, usize),
    ) -> Result<(), Error> {
        let known = self.known(name)?;
        let dataset = &known.dataset;
        if dataset.root().is_none() {
            return Ok(());
        }
        let mut items = BTreeMap::<String, Item>::new();
        for (shots, draw) in &used.supports {
            let set = self.support_set(&known, *shots, *draw)?;
            items.extend(set.normal.iter().chain(&set.abnormal).map(|item| (item.name.clone(), item.clone())));
        }
        let supports: Vec<Item> = items.into_values().collect();
        let tests: &[Item] = if used.tested { &known.test } else { &[] };
        let hashes = self.hashes();
        let chosen = match extent {
            Extent::All => supports.iter().chain(tests).collect(),
            Extent::Sample => [sampled(&supports, hashes), sampled(tests, hashes)].concat(),
        };
        let all = supports.len() + tests.len();
        let unknown = |item: &&&Item| Looked::remembered(item, hashes).is_none();
        let new = if chosen.len() < MANY { 0 } else { chosen.iter().filter(unknown).count() };
        if new >= MANY {
            begun(name, new);
        }
        let mut looked = Vec::new();
        for together in chosen.chunks(TOGETHER) {
            if !go_on() {
                return Err(Error::Interrupted);
            }
            looked.par_extend(together.par_iter().map(|item| Looked::at(item, hashes)));
        }
        // Sizes are in the heads, and those of all masks are few bytes.
        let misfits = (extent == Extent::Sample && dataset.has_masks()).then(|| misfits(tests, hashes));
        self.tell(dataset, &looked, misfits, all);
        Ok(())
    }

    fn tell(&self, dataset: &Dataset, looked: &[Looked<'_>], misfits: Option<Vec<String>>, all: usize) {
        let mut inspection = inspect(dataset, looked);
        if let Some(misfits) = misfits.filter(|misfits| !misfits.is_empty()) {
            inspection.unusable.retain(|(kind, _)| *kind != Unusable::Size);
            inspection.unusable.push((Unusable::Size, misfits));
        }
        let name = dataset.name();
        for (kind, messages) in inspection.unusable {
            let first = messages.first().map_or("", String::as_str);
            let what = match messages.len() {
                1 => String::new(),
                many => format!("{} {}, such as ", group(many as u64), kind.plural()),
            };
            self.add_note(Severity::Warning, format!("[{name}]: cells that use it will fail: {what}{first}"));
        }
        let extent = if looked.len() < all {
            let (some, all) = (group(looked.len() as u64), group(all as u64));
            format!(" ({some} of {all} images were looked at; `harness datasets verify` looks at all)")
        } else {
            String::new()
        };
        for finding in inspection.findings {
            self.add_note(finding.severity, format!("{}{extent}", finding.message));
        }
    }

    /// Support sets against test sets again, now that pixels are known.
    fn check_pixels(&self, plan: &Plan) -> Result<(), Error> {
        let trainings: BTreeMap<_, _> = plan.trainings.iter().map(|training| (training.id, training)).collect();
        let mut pairs = BTreeSet::new();
        for evaluation in plan.evaluations.iter().filter(|evaluation| !evaluation.on_fold) {
            // Without a support set there is nothing that could be in a test set too.
            if let Some(training) = trainings.get(&evaluation.training).filter(|training| training.support.is_some()) {
                pairs.insert((training.dataset.as_str(), training.shots, training.draw, evaluation.dataset.as_str()));
            }
        }
        self.forget_prints();
        for (dataset, shots, draw, target) in pairs {
            self.check_images(dataset, shots, draw, target)?;
        }
        Ok(())
    }
}

/// Evenly spaced images of each class, and those that are remembered.
fn sampled<'a>(items: &'a [Item], hashes: &FileHashes) -> Vec<&'a Item> {
    let (abnormal, normal): (Vec<&Item>, Vec<&Item>) = items.iter().partition(|item| item.abnormal);
    let mut chosen: BTreeMap<&str, &Item> = BTreeMap::new();
    for class in [&normal, &abnormal] {
        chosen.extend(sample(class, SAMPLED).map(|item| (item.name.as_str(), *item)));
    }
    if hashes.has_facts() {
        let known = items.par_iter().filter(|item| Looked::remembered(item, hashes).is_some());
        chosen.extend(known.map(|item| (item.name.as_str(), item)).collect::<Vec<_>>());
    }
    chosen.into_values().collect()
}
