//! What is left of the product of the axes after the rules, and the support sets that it needs.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::convert::Infallible;

use harness_config::{start, suggest};
use harness_method::{BackendInfo, Draw, ImageScore, Selection, Shots, Side};
use harness_methods::Sees;

use super::{List, Planner, unique};
use crate::folds::folds;
use crate::ids::ContentHash;
use crate::plan::{Cell, Dataset, MAX_CELLS, Plan, Support, Train, Variant, all_scores};
use crate::rules::{Axes, Coordinates, RuleSpec, Rules};
use crate::spec::Typed;

/// The axes as typed, each value once.
pub(super) fn axes<'a>(typed: &'a Typed, variants: &'a [Variant]) -> Axes<'a> {
    let names = |list: Option<&'a List<String>>| unique(list).into_iter().map(|(_, name)| name.as_str()).collect();
    fn values<T: Copy + Eq + std::hash::Hash>(list: Option<&List<T>>) -> Vec<T> {
        unique(list).into_iter().map(|(_, value)| *value).collect()
    }
    Axes {
        variants: variants.iter().map(|variant| variant.name.as_str()).collect(),
        datasets: names(typed.top.datasets.as_ref()),
        targets: names(typed.top.targets.as_ref()),
        shots: values(typed.top.shots.as_ref()),
        draws: values(typed.top.draws.as_ref()),
        seeds: values(typed.top.seeds.as_ref()),
        backends: names(typed.top.backends.as_ref()),
        selection: values(typed.top.selection.as_ref()),
    }
}

/// What some cell needs: nothing else of the product is asked about.
#[derive(Default)]
pub(super) struct Parts {
    /// Some cell takes part.
    any: bool,
    /// Dataset, shots, draw.
    supports: BTreeSet<(String, Shots, Draw)>,
    /// Those of them whose normal images some variant learns from alone.
    normal: BTreeSet<(String, Shots, Draw)>,
    /// Those of them whose folds choose an epoch.
    folded: BTreeSet<(String, Shots, Draw)>,
    /// Support sets with the other datasets they are scored on.
    transfers: BTreeSet<(String, Shots, Draw, String)>,
    /// Pairs of unequal numbers with the variants that learn from them.
    unbalanced: BTreeSet<(Shots, String)>,
    /// Variants with the backends that compute them.
    computed: BTreeSet<(String, String)>,
    /// Datasets with the variants that are trained on them.
    trained: BTreeSet<(String, String)>,
}

/// What planning asks of a variant before its cells are made.
#[derive(Clone, Copy)]
struct Asked {
    sees: Sees,
    /// There is one state, so no fold chooses.
    no_choice: bool,
}

impl Parts {
    fn keep(&mut self, at: &Coordinates<'_>, Asked { sees, no_choice }: Asked) {
        self.any = true;
        self.trained.insert((at.dataset.to_owned(), at.variant.to_owned()));
        self.computed.insert((at.variant.to_owned(), at.backend.to_owned()));
        if at.shots.k().is_none() {
            self.unbalanced.insert((at.shots, at.variant.to_owned()));
        }
        // What sees nothing needs no support set.
        if sees == Sees::Nothing {
            return;
        }
        let key = (at.dataset.to_owned(), at.shots, at.draw);
        if at.dataset != at.target {
            self.transfers.insert((at.dataset.to_owned(), at.shots, at.draw, at.target.to_owned()));
        }
        if at.selection == Selection::BestOnSupport && !no_choice {
            self.folded.insert(key.clone());
        }
        if sees == Sees::Normal && at.shots.abnormal > 0 {
            self.normal.insert(key.clone());
        }
        self.supports.insert(key);
    }
}

impl Planner<'_> {
    pub(super) fn rules(&mut self, axes: &Axes<'_>) -> Rules {
        let typed = self.typed;
        for (kind, rules) in [("include", &typed.include), ("exclude", &typed.exclude)] {
            rules.iter().for_each(|rule| axes.check(kind, rule, &mut self.findings));
        }
        let all = |rules: &[RuleSpec]| rules.iter().map(RuleSpec::rule).collect();
        Rules { include: all(&typed.include), exclude: all(&typed.exclude) }
    }

    /// What is left of the product after the rules; nothing where it is too large to go through.
    pub(super) fn parts(&mut self, axes: &Axes<'_>, rules: &Rules, variants: &[Variant], train: &Train) -> Parts {
        let mut parts = Parts::default();
        let cells = axes.size();
        if cells > MAX_CELLS {
            let message = format!(
                "the lists multiply to {cells} cells, more than {MAX_CELLS}; split the experiment into several files"
            );
            self.findings.add(0, message);
            return parts;
        }
        let asked = |variant: &Variant| {
            let options = &variant.options;
            Asked { sees: options.sees(), no_choice: train.has_no_choice(options, self.typed.top.smoke()) }
        };
        let asked: HashMap<&str, Asked> =
            variants.iter().map(|variant| (variant.name.as_str(), asked(variant))).collect();
        let Ok(()) = axes.each::<Infallible>(rules, |at| {
            if let Some(asked) = asked.get(at.variant) {
                parts.keep(&at, *asked);
            }
            Ok(())
        });
        let first = self.typed.include.first().or(self.typed.exclude.first());
        if let Some(rule) = first.filter(|_| !parts.any && self.findings.is_empty()) {
            self.findings.add(rule.start, "the rules leave no cell; loosen [[include]] or [[exclude]]");
        }
        parts
    }

    /// Refuses support sets that lack a class which a variant learns from, or of which no image can be held out to
    /// choose an epoch by.
    pub(super) fn seen(&mut self, variants: &[Variant], parts: &Parts) {
        for (offset, shots) in unique(self.typed.top.shots.as_ref()) {
            self.foldable(offset, *shots, parts);
            // Without an image at all, or with K and K, other checks speak.
            if shots.k().is_some() {
                continue;
            }
            for class in Side::BOTH {
                let lacks = |variant: &&Variant| {
                    let used = parts.unbalanced.contains(&(*shots, variant.name.clone()));
                    used && !self.is_broken(variant) && variant.options.sees().lacks(*shots) == Some(class)
                };
                let lacking: Vec<&Variant> = variants.iter().filter(lacks).collect();
                if lacking.is_empty() {
                    continue;
                }
                let from = if lacking.iter().any(|variant| variant.options.sees() == Sees::Both) {
                    "images of both classes"
                } else {
                    "normal images"
                };
                let name = |variant: &&Variant| format!("`{}` (method {})", variant.name, variant.options.method());
                let them = if lacking.len() == 1 { "learns" } else { "learn" };
                let names: Vec<String> = lacking.iter().map(name).collect();
                let quoted: Vec<String> = lacking.iter().map(|variant| format!("{:?}", variant.name)).collect();
                let message = format!(
                    "`shots` {} has no {class} image, and {} {them} from {from}; give both classes, or leave that out: \
                     [[exclude]] with variants = [{}], shots = [{}]",
                    shots.explained(),
                    and(&names),
                    quoted.join(", "),
                    shots.typed()
                );
                self.findings.add(offset, message);
            }
        }
    }

    /// Refuses support sets of which no image can be held out where one has to be.
    fn foldable(&mut self, offset: usize, shots: Shots, parts: &Parts) {
        let folded = || parts.folded.iter().any(|(_, folded, _)| *folded == shots);
        if shots.images() == 0 || shots.fewest() > 1 || !folded() {
            return;
        }
        let message = match shots.k() {
            Some(_) => {
                "`shots` 1 leaves nothing to cross-validate for best-on-support; choose 2 or more, or selection last \
                        or best-on-test"
                    .to_owned()
            }
            None => format!(
                "`shots` {} leaves nothing to cross-validate for best-on-support, which holds out images of both classes: \
                 it needs at least 2 of each; choose selection last or best-on-test, or leave that out: [[exclude]] with \
                 selection = [\"best-on-support\"], shots = [{}]",
                shots.explained(),
                shots.typed()
            ),
        };
        self.findings.add(offset, message);
    }

    /// Refuses variants that learn from masks alone on datasets that have none.
    pub(super) fn masks(&mut self, datasets: &[Dataset], variants: &[Variant], parts: &Parts) {
        let offsets: HashMap<&str, usize> =
            unique(self.typed.top.datasets.as_ref()).into_iter().map(|(at, name)| (name.as_str(), at)).collect();
        for dataset in datasets.iter().filter(|dataset| !dataset.facts.has_masks) {
            for variant in variants.iter().filter(|variant| variant.options.needs_masks()) {
                let Variant { name, options, .. } = variant;
                if self.is_broken(variant) || !parts.trained.contains(&(dataset.name.clone(), name.clone())) {
                    continue;
                }
                let message = format!(
                    "`datasets`: `{name}` (method {}) learns from masks alone, and [{dataset}] has none; leave that out: \
                     [[exclude]] with variants = [{name:?}], datasets = [{dataset:?}]",
                    options.method(),
                    dataset = dataset.name
                );
                self.findings.add(offsets.get(dataset.name.as_str()).copied().unwrap_or(0), message);
            }
        }
    }

    /// Refuses what a backend can't compute: it lacks a group of functions that a variant needs.
    pub(super) fn capable(&mut self, backends: &[(usize, BackendInfo)], variants: &[Variant], parts: &Parts) {
        for (offset, backend) in backends {
            let name = &backend.name;
            for variant in variants {
                let has = |needed: &&str| backend.capabilities.iter().any(|capability| capability == needed);
                for lacking in variant.options.capabilities().iter().filter(|needed| !has(needed)) {
                    let computes = parts.computed.contains(&(variant.name.clone(), name.clone()));
                    if !computes || self.is_broken(variant) {
                        continue;
                    }
                    let message = format!(
                        "`backends`: `{name}` lacks the capability `{lacking}`, which the variant `{}` (method {}) needs; \
                         choose another backend, or leave that out: [[exclude]] with variants = [{:?}], backends = [{name:?}]",
                        variant.name,
                        variant.options.method(),
                        variant.name
                    );
                    self.findings.add(*offset, message);
                }
            }
        }
    }

    /// Whether some of what a variant says could not be read: its method or options may be others.
    fn is_broken(&self, variant: &Variant) -> bool {
        let own = self.typed.variants.iter().find(|(name, _)| *name.get_ref() == variant.name);
        self.typed.base.broken || own.is_some_and(|(_, spec)| spec.broken)
    }

    pub(super) fn supports(&mut self, datasets: &[Dataset], parts: &Parts) -> Vec<Support> {
        let mut supports = Vec::new();
        let mut drawn = Vec::new();
        for dataset in datasets {
            for (offset, shots) in
                unique(self.typed.top.shots.as_ref()).into_iter().filter(|(_, shots)| shots.images() > 0)
            {
                let mut sets = HashMap::new();
                for (_, draw) in unique(self.typed.top.draws.as_ref()) {
                    let key = (dataset.name.clone(), *shots, *draw);
                    if !parts.supports.contains(&key) {
                        continue;
                    }
                    let what = format!("support set of `{}`, {shots} shots, draw {draw}", dataset.name);
                    let facts = match self.catalogue.support(&dataset.name, *shots, *draw) {
                        Ok(facts) => facts,
                        Err(error) => {
                            self.findings.add(offset, format!("{what}: {error}"));
                            continue;
                        }
                    };
                    let mut support = Support {
                        dataset: dataset.name.clone(),
                        shots: *shots,
                        draw: *draw,
                        hash: facts.hash,
                        normal: None,
                        repeats: sets.get(&facts.set).copied(),
                        folds: Vec::new(),
                    };
                    sets.entry(facts.set).or_insert(*draw);
                    if facts.drawn {
                        drawn.push((dataset, *shots, *draw, facts.set));
                    }
                    if parts.normal.contains(&key) {
                        let normal = Sees::Normal.of(*shots);
                        match self.catalogue.support(&dataset.name, normal, *draw) {
                            Ok(facts) => support.normal = Some(facts.hash),
                            Err(error) => self.findings.add(offset, format!("{what}, its normal images: {error}")),
                        }
                    }
                    if parts.folded.contains(&key) && shots.fewest() > 1 {
                        let patients = self.catalogue.patients(&dataset.name, *shots, *draw);
                        match patients.map(|patients| folds(*shots, &patients)) {
                            Ok(Some(folds)) => support.folds = folds,
                            Ok(None) => {
                                let message = "its patients can't be split into folds with both classes for \
                                               best-on-support; leave the draw out by a rule, or use last";
                                self.findings.add(offset, format!("{what}: {message}"));
                            }
                            Err(error) => self.findings.add(offset, format!("{what}: {error}")),
                        }
                    }
                    supports.push(support);
                }
            }
        }
        self.confounded(&drawn);
        supports
    }

    /// Warns of datasets with the same test images whose supports are drawn: the dataset's name decides the draw.
    fn confounded(&mut self, drawn: &[(&Dataset, Shots, Draw, ContentHash)]) {
        let mut groups: Vec<(ContentHash, Vec<&str>)> = Vec::new();
        let mut first: HashMap<(ContentHash, Shots, Draw), (&str, ContentHash)> = HashMap::new();
        for (dataset, shots, draw, set) in drawn {
            let test = dataset.facts.test_hash;
            let (other, other_set) = *first.entry((test, *shots, *draw)).or_insert((&dataset.name, *set));
            if other_set == *set {
                continue;
            }
            match groups.iter_mut().find(|(known, _)| *known == test) {
                Some((_, group)) if group.contains(&dataset.name.as_str()) => {}
                Some((_, group)) => group.push(&dataset.name),
                None => groups.push((test, vec![other, &dataset.name])),
            }
        }
        let names = |group: Vec<&str>| group.into_iter().map(|name| format!("[{name}]")).collect::<Vec<_>>();
        self.warnings.extend(groups.into_iter().map(|(_, group)| {
            format!(
                "{} have the same test images but other support images, as a dataset's name decides which are drawn: \
                 their difference is partly that of the support sets; name the same images in lists (`support`)",
                and(&names(group))
            )
        }));
    }

    pub(super) fn transfers(&mut self, datasets: &[Dataset], targets: &[Dataset], parts: &Parts) {
        let offsets: HashMap<&str, usize> =
            unique(self.typed.top.targets.as_ref()).into_iter().map(|(offset, name)| (name.as_str(), offset)).collect();
        let names = |list: &[Dataset]| list.iter().map(|dataset| dataset.name.clone()).collect::<HashSet<_>>();
        let (datasets, targets) = (names(datasets), names(targets));
        for (dataset, shots, draw, target) in &parts.transfers {
            if shots.images() == 0 || !datasets.contains(dataset) || !targets.contains(target) {
                continue;
            }
            if let Err(error) = self.catalogue.check_transfer(dataset, *shots, *draw, target) {
                let offset = offsets.get(target.as_str()).copied().unwrap_or(0);
                let message = format!("`{dataset}`, {shots} shots, draw {draw}, scored on `{target}`: {error}");
                self.findings.add(offset, message);
            }
        }
    }

    /// The image scores asked for. Refused where a cell could report none of them.
    pub(super) fn image_scores(&mut self, datasets: &[Dataset], parts: &Parts) -> Vec<ImageScore> {
        let Some(typed) = &self.typed.top.image_scores else { return all_scores() };
        let scores: Vec<ImageScore> = typed.get_ref().iter().map(|score| *score.get_ref()).collect();
        if !scores.is_empty() && scores.iter().all(|score| score.needs_maps()) {
            let used: HashSet<&str> = parts.supports.iter().map(|(name, ..)| name.as_str()).collect();
            let used = |dataset: &&Dataset| used.contains(dataset.name.as_str());
            let without = datasets.iter().filter(used).filter(|dataset| !dataset.facts.has_masks);
            let names: Vec<&str> = without.map(|dataset| dataset.name.as_str()).collect();
            if !names.is_empty() {
                let message = format!(
                    "`image_scores` {} needs maps, and without masks nothing trains them: {}; add \"{}\", or leave the \
                     dataset out",
                    scores.iter().map(|score| score.name()).collect::<Vec<_>>().join(", "),
                    suggest::list(names),
                    ImageScore::Detection
                );
                self.findings.add(start(typed), message);
            }
        }
        scores
    }
}

/// Dataset, K and the draw that others repeat.
type FirstDraw<'a> = (&'a str, Shots, Draw);

/// What a warning says of a draw that repeats another.
pub(crate) const SAME_IMAGES: &str = "the same images as draw";

/// Removes support sets that no cell of an expanded plan uses, as they repeat another, and warns of what was left out.
pub(super) fn leave_out_repeated(plan: &mut Plan) {
    if plan.supports.iter().all(|support| support.repeats.is_none()) {
        return;
    }
    let key = |cell: &Cell| (cell.trained_on.clone(), cell.shots, cell.draw);
    let used: HashSet<(String, Shots, Draw)> = plan.cells.iter().map(key).collect();
    // Dataset, K and first draw, with the draws that hold the same images; in part: some cells of them are kept.
    let mut repeated: Vec<(FirstDraw<'_>, Vec<String>)> = Vec::new();
    let mut in_part = Vec::new();
    for support in &plan.supports {
        let Some(first) = support.repeats else { continue };
        let (at, of) = ((support.dataset.as_str(), support.shots, first), support.draw);
        if used.contains(&(support.dataset.clone(), support.shots, of)) {
            in_part.push(format!(
                "[{}], K {}: draw {of} holds {SAME_IMAGES} {first}; its cells stand only where draw {first} \
                 has none",
                support.dataset, support.shots
            ));
            continue;
        }
        match repeated.iter_mut().find(|(known, _)| *known == at) {
            Some((_, draws)) => draws.push(of.to_string()),
            None => repeated.push((at, vec![of.to_string()])),
        }
    }
    let warnings = repeated.into_iter().map(|((dataset, shots, first), draws)| {
        let (draws, them) = match draws.as_slice() {
            [one] => (format!("draw {one} holds"), "is left out"),
            several => (format!("draws {} hold", and(several)), "are left out"),
        };
        format!("[{dataset}], K {shots}: {draws} {SAME_IMAGES} {first} and {them}; n counts them once")
    });
    let warnings: Vec<String> = warnings.chain(in_part).collect();
    plan.warnings.extend(warnings);
    plan.supports.retain(|support| used.contains(&(support.dataset.clone(), support.shots, support.draw)));
}

/// "a, b and c".
fn and(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
