//! From what was typed and what the world answers to a plan, or to everything that is wrong. Rules that need no world
//! are in `check`, the product of the axes in `matrix`.

mod parts;
mod variants;
mod weights;

use std::collections::HashSet;

use toml::Spanned;

use crate::catalogue::Catalogue;
use crate::check;
use crate::error::Error;
use crate::matrix;
use crate::plan::{Backend, Dataset, Plan, Train};
use crate::spec::{Selection, Spec, Typed};
use harness_config::Findings;
use harness_config::start;

/// Images scored together, last batch short (docs/method.md section 8).
pub const SCORING_BATCH: u32 = 32;

const BASE: &str = "base";

impl Spec {
    /// Checks everything and resolves every cell. `variable` gives environment variables for paths.
    ///
    /// # Errors
    /// `Problems` with all that is wrong, in the file's order.
    pub fn plan(&self, catalogue: &dyn Catalogue, variable: &dyn Fn(&str) -> Option<String>) -> Result<Plan, Error> {
        let (typed, findings) = (&self.typed, self.findings.clone());
        let mut planner = Planner { spec: self, typed, catalogue, findings, notes: self.notes.clone() };
        let plan = planner.plan(variable);
        planner.findings.into_problems(&self.source)?;
        let why = || "a value is missing, and nothing says why".to_owned();
        let mut plan = plan.ok_or_else(|| Error::Encode { what: "plan", why: why() })?;
        matrix::expand(&mut plan)?;
        Ok(plan)
    }
}

struct Planner<'a> {
    spec: &'a Spec,
    typed: &'a Typed,
    catalogue: &'a dyn Catalogue,
    findings: Findings,
    notes: Vec<String>,
}

impl Planner<'_> {
    /// The plan without its records. Every part is tried, so that all findings come at once.
    fn plan(&mut self, variable: &dyn Fn(&str) -> Option<String>) -> Option<Plan> {
        let name = self.name();
        self.axes();
        let train = self.train();
        let backends = self.backends();
        let datasets = self.datasets("datasets", self.typed.datasets.as_ref());
        let targets = self.datasets("targets", self.typed.targets.as_ref());
        let encoder = self.encoder(variable);
        let variants = self.variants(encoder.as_ref().map(|encoder| &encoder.arch));
        let axes = parts::axes(self.typed, &variants);
        let rules = self.rules(&axes);
        let parts = self.parts(&axes, &rules);
        let supports = self.supports(&datasets, &parts);
        self.transfers(&datasets, &targets, &parts);
        let image_scores = self.image_scores(&datasets, &parts);
        if let Some(encoder) = &encoder {
            self.sentences(&datasets, &targets, &variants, &encoder.arch);
        }
        Some(Plan {
            name: name?,
            smoke: self.typed.smoke,
            shots: plain(self.typed.shots.as_ref())?,
            draws: plain(self.typed.draws.as_ref())?,
            seeds: plain(self.typed.seeds.as_ref())?,
            selection: plain(self.typed.selection.as_ref())?,
            image_scores,
            transfer_object: value(self.typed.transfer_object.as_ref()).unwrap_or_default(),
            notes: std::mem::take(&mut self.notes),
            encoder: encoder?,
            train,
            backends,
            datasets,
            targets,
            rules,
            supports,
            variants,
            trainings: Vec::new(),
            evaluations: Vec::new(),
            cells: Vec::new(),
        })
    }

    fn name(&mut self) -> Option<String> {
        let name = self.typed.name.as_ref()?;
        if let Some(why) = check::name(name.get_ref()) {
            self.findings.add(start(name), format!("the experiment's name `{}` {why}", name.get_ref()));
        }
        Some(name.get_ref().clone())
    }

    fn axes(&mut self) {
        let Self { typed, findings, catalogue, .. } = self;
        check::axis("datasets", typed.datasets.as_ref(), findings);
        check::axis("shots", typed.shots.as_ref(), findings);
        check::axis("draws", typed.draws.as_ref(), findings);
        check::axis("seeds", typed.seeds.as_ref(), findings);
        check::axis("backends", typed.backends.as_ref(), findings);
        check::axis("selection", typed.selection.as_ref(), findings);
        check::axis("targets", typed.targets.as_ref(), findings);
        check::axis("image_scores", typed.image_scores.as_ref(), findings);
        if let (Some(object), None) = (&typed.transfer_object, &typed.targets) {
            let message = "`transfer_object` is for experiments with `targets`; add targets = [...], or remove it";
            findings.add(start(object), message);
        }
        for rule in items(typed.selection.as_ref()).filter(|rule| !catalogue.selects_by(*rule.get_ref())) {
            let message = format!(
                "`selection` {} is not available yet in this version: use last or best-on-test",
                rule.get_ref().name()
            );
            findings.add(start(rule), message);
        }
        let on_support = items(typed.selection.as_ref()).find(|rule| *rule.get_ref() == Selection::BestOnSupport);
        for shots in items(typed.shots.as_ref()) {
            match shots.get_ref() {
                0 => findings.add(start(shots), "`shots` is 0; choose 1 or more"),
                1 if on_support.is_some() => {
                    let message = "`shots` 1 leaves nothing to cross-validate for best-on-support; choose 2 or more, \
                                   or selection last or best-on-test";
                    findings.add(start(shots), message);
                }
                _ => {}
            }
        }
        if typed.include_base.as_ref().is_some_and(|base| !base.get_ref()) && typed.variants.is_empty() {
            let place = typed.include_base.as_ref().map_or(0, start);
            let message = "`include_base = false` leaves no variant; remove it, or add a [variants.NAME]";
            findings.add(place, message);
        }
    }

    fn train(&mut self) -> Train {
        let Self { typed, findings, .. } = self;
        let spec = &typed.train;
        for (key, value) in [("epochs", &spec.epochs), ("batch", &spec.batch)] {
            if let Some(value) = value.as_ref().filter(|value| *value.get_ref() == 0) {
                findings.add(start(value), format!("`{key}` is 0; choose 1 or more"));
            }
        }
        if let Some(rate) = &spec.learning_rate
            && !(rate.get_ref().is_finite() && *rate.get_ref() > 0.0)
        {
            let message = format!("`learning_rate` is {}; choose a positive number, such as 1e-3", rate.get_ref());
            findings.add(start(rate), message);
        }
        Train {
            epochs: value(spec.epochs.as_ref()).unwrap_or(60),
            batch: value(spec.batch.as_ref()).unwrap_or(16),
            learning_rate: value(spec.learning_rate.as_ref()).unwrap_or(1e-3),
        }
    }

    fn backends(&mut self) -> Vec<Backend> {
        let precision = self.typed.encoder.precision.as_ref();
        let wanted = value(precision).unwrap_or_default();
        let (mut backends, mut missing) = (Vec::new(), Vec::new());
        for (place, name) in unique(self.typed.backends.as_ref()) {
            match self.catalogue.backend(name) {
                Ok(facts) if facts.precisions.contains(&wanted) => {
                    backends.push(Backend { name: name.clone(), version: facts.version, device: facts.device });
                }
                Ok(facts) => {
                    let has: Vec<_> = facts.precisions.iter().map(|precision| precision.name()).collect();
                    let message = format!(
                        "`precision` {}: the backend `{name}` computes in {} alone; choose that, or another backend",
                        wanted.name(),
                        has.join(", ")
                    );
                    self.findings.add(precision.map_or(place, start), message);
                }
                Err(error) if self.typed.reduced => missing.push((place, name, error)),
                Err(error) => self.findings.add(place, format!("`backends`: {error}")),
            }
        }
        for (place, name, error) in missing {
            if backends.is_empty() {
                self.findings.add(place, format!("`backends`: {error}"));
            } else {
                self.notes.push(format!("the backend `{name}` is left out: {error}"));
            }
        }
        backends
    }

    fn datasets(&mut self, key: &str, names: Option<&List<String>>) -> Vec<Dataset> {
        let mut datasets = Vec::new();
        for (place, name) in unique(names) {
            match self.catalogue.dataset(name) {
                Ok(facts) => datasets.push(Dataset { name: name.clone(), facts }),
                Err(error) => self.findings.add(place, format!("`{key}`: {error}")),
            }
        }
        datasets
    }
}

fn value<T: Clone>(spanned: Option<&Spanned<T>>) -> Option<T> {
    spanned.map(|spanned| spanned.get_ref().clone())
}

type List<T> = Spanned<Vec<Spanned<T>>>;

fn items<T>(list: Option<&List<T>>) -> impl Iterator<Item = &Spanned<T>> {
    list.into_iter().flat_map(|list| list.get_ref())
}

fn plain<T: Clone>(list: Option<&List<T>>) -> Option<Vec<T>> {
    Some(items(Some(list?)).map(|item| item.get_ref().clone()).collect())
}

/// Elements with their places, each once: what is there twice is asked about once.
fn unique<T: Eq + std::hash::Hash>(list: Option<&List<T>>) -> Vec<(usize, &T)> {
    let mut seen = HashSet::new();
    items(list).filter(|item| seen.insert(item.get_ref())).map(|item| (start(item), item.get_ref())).collect()
}
