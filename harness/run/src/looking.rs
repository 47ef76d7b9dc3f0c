//! Looking at the images and masks that a plan uses, before anything is computed: what can't be used, what is doubtful,
//! and pictures that are both support and test.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use harness_data::{
    Dataset, FileHashes, Item, Looked, Severity, SupportSet, Unusable, doubtful_patients, inspect, misfits, sample,
};
use harness_experiment::{Draw, Plan, Shots};
use harness_method::options::Activation;
use harness_text::{count, group};
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

/// Stands in the warning of a file that can't be used.
pub const WILL_FAIL: &str = "cells that use it will fail";

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
        self.compare_activations(plan);
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
        let mut sets = Vec::new();
        for (shots, draw) in &used.supports {
            let set = self.support_set(&known, *shots, *draw)?;
            sets.push((*shots, Rc::clone(&set)));
            items.extend(set.normal.iter().chain(&set.abnormal).map(|item| (item.name.clone(), item.clone())));
        }
        let supports: Vec<Item> = items.into_values().collect();
        let tests: &[Item] = if used.tested { &known.test } else { &[] };
        let of_patients = doubtful_patients(dataset, &supports, tests);
        of_patients.into_iter().for_each(|finding| self.add_note(finding.severity, finding.message));
        shared_classes(name, &sets).into_iter().for_each(|note| self.add_note(Severity::Warning, note));
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

    /// Warns where the encoder's files suggest another activation than is computed with.
    fn compare_activations(&self, plan: &Plan) {
        let Some(suggested) = self.suggested_activation() else { return };
        let used = plan.trainings.iter().map(|training| training.options.encoding().activation);
        let others: BTreeSet<&str> = used.filter(|used| *used != suggested).map(Activation::name).collect();
        if let Some(other) = others.first() {
            let note = format!(
                "the weights' origin suggests the activation `{suggested}`, and `{other}` is computed with; with the wrong one \
                 taps and text features differ: set `activation = \"{suggested}\"` unless `{other}` is meant"
            );
            self.add_note(Severity::Warning, note);
        }
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
            self.add_note(Severity::Warning, format!("[{name}]: {WILL_FAIL}: {what}{first}"));
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

/// Draws of one number of shots that all have the same images of one class, and others of the other.
fn shared_classes(dataset: &str, sets: &[(Shots, Rc<SupportSet>)]) -> Vec<String> {
    type Names<'a> = BTreeSet<BTreeSet<&'a str>>;
    let mut by_shots: BTreeMap<Shots, [Names<'_>; 2]> = BTreeMap::new();
    for (shots, set) in sets {
        let of_shots = by_shots.entry(*shots).or_default();
        for (names, items) in of_shots.iter_mut().zip([&set.normal, &set.abnormal]) {
            names.insert(items.iter().map(|item| item.name.as_str()).collect());
        }
    }
    let told = |(shots, [normal, abnormal]): (Shots, [Names<'_>; 2])| {
        let (class, other, images) = match (normal.len(), abnormal.len()) {
            (1, 2..) => ("normal", "abnormal", normal.first()?.len()),
            (2.., 1) => ("abnormal", "normal", abnormal.first()?.len()),
            _ => return None,
        };
        (images > 0).then(|| {
            format!(
                "[{dataset}], K {shots}: all draws have the same {}; they differ in the {other} ones alone, so that n counts \
                 draws that are not independent, and ± is too small for new {class} images",
                count(images as u64, &format!("{class} support image"))
            )
        })
    };
    by_shots.into_iter().filter_map(told).collect()
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

#[cfg(test)]
mod tests {
    use harness_data::Source;

    use super::*;

    fn set(normal: &[&str], abnormal: &[&str]) -> Rc<SupportSet> {
        let items = |names: &[&str], abnormal| -> Vec<Item> {
            let item = |name: &&str| Item {
                name: (*name).to_owned(),
                abnormal,
                image: Source::File((*name).into()),
                mask: None,
                patient: None,
            };
            names.iter().map(item).collect()
        };
        let (normal, abnormal) = (items(normal, false), items(abnormal, true));
        Rc::new(SupportSet { normal, abnormal, hash: String::new(), unordered: String::new(), drawn: true })
    }

    #[test]
    fn draws_that_share_all_images_of_a_class_are_told() {
        let two = Shots::each(2);
        let shared = [(two, set(&["a", "b"], &["x", "y"])), (two, set(&["b", "c"], &["y", "x"]))];
        let told = shared_classes("Set", &shared);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("[Set], K 2: all draws have the same 2 abnormal support images"), "{told:?}");
        let other = [(two, set(&["a", "b"], &["x", "y"])), (two, set(&["b", "c"], &["x", "z"]))];
        assert!(shared_classes("Set", &other).is_empty());
        // One draw shares nothing, and a class of no image has none in common.
        assert!(shared_classes("Set", &shared[..1]).is_empty());
        let normal = Shots { normal: 2, abnormal: 0 };
        let alone = [(normal, set(&["a", "b"], &[])), (normal, set(&["b", "c"], &[]))];
        assert!(shared_classes("Set", &alone).is_empty());
    }
}
