//! Looking at the images and masks that a plan uses, before anything is computed: what can't be used, what is doubtful,
//! and pictures that are both support and test.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use harness_data::{
    Dataset, Facts, FileHashes, Item, Looked, Severity, SupportSet, Unusable, doubtful_patients, inspect, misfits,
    near_copies, nearly_repeated, repeated, sample,
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
        let pairs = learned_and_scored(plan);
        if extent == Extent::All {
            self.check_pixels(&pairs)?;
        }
        self.look_for_copies(&pairs, extent)
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
        self.tell_repeated(name, &looked, tests, used.supports.iter().zip(sets.iter().map(|(_, set)| set)));
        // Sizes are in the heads, and those of all masks are few bytes.
        let misfits = (extent == Extent::Sample && dataset.has_masks()).then(|| misfits(tests, hashes));
        self.tell(dataset, &looked, misfits, all);
        Ok(())
    }

    /// Warns of pictures that a test set or a support set has more than once.
    fn tell_repeated<'a>(
        &self,
        name: &str,
        looked: &[Looked<'_>],
        tests: &[Item],
        sets: impl Iterator<Item = (&'a (Shots, Draw), &'a Rc<SupportSet>)>,
    ) {
        let facts: BTreeMap<&str, &Facts> = looked
            .iter()
            .filter_map(|looked| Some((looked.item.name.as_str(), looked.image.as_deref().ok()?)))
            .collect();
        let known = |item: &'_ Item| facts.get(item.name.as_str()).copied();
        let tests: Vec<(&Item, &Facts)> = tests.iter().filter_map(|item| Some((item, known(item)?))).collect();
        let about = format!("[{name}]");
        let mut findings = repeated(&about, "test image", &tests);
        findings.extend(nearly_repeated(&about, "test image", &tests));
        for ((shots, draw), set) in sets {
            let items = set.normal.iter().chain(&set.abnormal);
            let images: Vec<(&Item, &Facts)> = items.filter_map(|item| Some((item, known(item)?))).collect();
            findings.extend(repeated(&format!("{about}, K {shots}, draw {draw}"), "support image", &images));
        }
        findings.into_iter().for_each(|finding| self.add_note(finding.severity, finding.message));
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
    fn check_pixels(&self, pairs: &BTreeSet<Pair<'_>>) -> Result<(), Error> {
        self.forget_prints();
        pairs.iter().try_for_each(|(dataset, target, shots, draw)| self.check_images(dataset, *shots, *draw, target))
    }

    /// Warns of support images that look nearly the same as test images.
    fn look_for_copies(&self, pairs: &BTreeSet<Pair<'_>>, extent: Extent) -> Result<(), Error> {
        let mut sets = BTreeMap::<(&str, &str), Vec<(Shots, Draw)>>::new();
        for (dataset, target, shots, draw) in pairs {
            sets.entry((dataset, target)).or_default().push((*shots, *draw));
        }
        // What was looked at is remembered; a file that can't be read was told of.
        let hashes = self.hashes();
        let facts = |item: &Item| match extent {
            Extent::All => hashes.facts(&item.image).ok(),
            Extent::Sample => hashes.known_facts(&item.image),
        };
        for ((dataset, target), sets) in sets {
            let (source, scored) = (self.known(dataset)?, self.known(target)?);
            if source.dataset.root().is_none() || scored.dataset.root().is_none() {
                continue;
            }
            let mut learned = BTreeMap::<String, (Item, Arc<Facts>)>::new();
            for (shots, draw) in sets {
                let set = self.support_set(&source, shots, draw)?;
                for item in set.normal.iter().chain(&set.abnormal) {
                    learned.extend(facts(item).map(|facts| (item.name.clone(), (item.clone(), facts))));
                }
            }
            let test: Vec<(&Item, Arc<Facts>)> =
                scored.test.par_iter().filter_map(|item| Some((item, facts(item)?))).collect();
            let learned: Vec<(&Item, &Facts)> = learned.values().map(|(item, facts)| (item, &**facts)).collect();
            let test: Vec<(&Item, &Facts)> = test.iter().map(|(item, facts)| (*item, &**facts)).collect();
            let about =
                if dataset == target { format!("[{dataset}]") } else { format!("[{dataset}], scored on [{target}]") };
            if let Some(finding) = near_copies(&about, &learned, &test) {
                self.add_note(finding.severity, finding.message);
            }
        }
        Ok(())
    }
}

/// What is learned from and what is scored: dataset, target, shots and draw.
type Pair<'a> = (&'a str, &'a str, Shots, Draw);

/// Of a plan. Without a support set there is nothing that could be in a test set too.
fn learned_and_scored(plan: &Plan) -> BTreeSet<Pair<'_>> {
    let trainings: BTreeMap<_, _> = plan.trainings.iter().map(|training| (training.id, training)).collect();
    let evaluations = plan.evaluations.iter().filter(|evaluation| !evaluation.on_fold);
    let pairs = evaluations.filter_map(|evaluation| {
        let training = trainings.get(&evaluation.training).filter(|training| training.support.is_some())?;
        Some((training.dataset.as_str(), evaluation.dataset.as_str(), training.shots, training.draw))
    });
    pairs.collect()
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
