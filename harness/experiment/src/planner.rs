//! Makes a plan of an experiment as typed and of the world's answers, or reports everything that is wrong.

mod parts;
mod variants;
mod weights;

use std::collections::HashSet;
use std::path::Path;

use harness_config::{Findings, Spanned, start};
use harness_method::{Backend, BackendInfo, Precision};

use crate::catalogue::{Catalogue, CatalogueError};
use crate::check;
use crate::error::Error;
use crate::matrix;
use crate::plan::{Dataset, Plan, Train};
use crate::seeds;
use crate::spec::{Spec, Typed};

pub(crate) use self::parts::SAME_IMAGES;

const BASE: &str = "base";

impl Plan {
    /// Reads an experiment file and plans it against the world; variables come from the environment.
    ///
    /// # Errors
    /// `Read`, or `Problems` with everything that is wrong.
    pub fn read(path: &Path, catalogue: &dyn Catalogue) -> Result<Self, Error> {
        Spec::read(path)?.plan(catalogue, &|name| std::env::var(name).ok())
    }
}

impl Spec {
    /// Checks everything and resolves every cell. `variable` gives environment variables for paths.
    ///
    /// # Errors
    /// `Problems` with all that is wrong, in the file's order.
    pub fn plan(&self, catalogue: &dyn Catalogue, variable: &dyn Fn(&str) -> Option<String>) -> Result<Plan, Error> {
        let (typed, findings) = (&self.typed, self.findings.clone());
        let notes = self.notes.clone();
        let mut planner = Planner { spec: self, typed, catalogue, findings, notes, warnings: Vec::new() };
        let plan = planner.plan(variable);
        planner.findings.into_problems(&self.source)?;
        let why = || "a value is missing, and nothing says why".to_owned();
        let mut plan = plan.ok_or_else(|| Error::Encode { what: "plan", why: why() })?;
        matrix::expand(&mut plan)?;
        parts::leave_out_repeated(&mut plan);
        plan.warnings.extend(seeds::warning(&plan));
        Ok(plan)
    }
}

struct Planner<'a> {
    spec: &'a Spec,
    typed: &'a Typed,
    catalogue: &'a dyn Catalogue,
    findings: Findings,
    notes: Vec<String>,
    warnings: Vec<String>,
}

impl Planner<'_> {
    /// The plan without its records. Every part is tried, so that all findings come at once.
    fn plan(&mut self, variable: &dyn Fn(&str) -> Option<String>) -> Option<Plan> {
        let name = self.name();
        self.axes();
        let train = self.train();
        let (backends, infos) = self.backends();
        let datasets = self.datasets("datasets", self.typed.top.datasets.as_ref());
        let targets = self.datasets("targets", self.typed.top.targets.as_ref());
        let encoder = self.encoder(variable);
        let variants = self.variants(encoder.as_ref().map(|encoder| &encoder.arch));
        let axes = parts::axes(self.typed, &variants);
        let rules = self.rules(&axes);
        let parts = self.parts(&axes, &rules, &variants, &train);
        self.seen(&variants, &parts);
        self.capable(&infos, &variants, &parts);
        self.masks(&datasets, &variants, &parts);
        let supports = self.supports(&datasets, &parts);
        self.transfers(&datasets, &targets, &parts);
        let image_scores = self.image_scores(&datasets, &parts);
        if let Some(encoder) = &encoder {
            self.sentences(&datasets, &targets, &variants, &encoder.arch);
        }
        Some(Plan {
            name: name?,
            smoke: self.typed.top.smoke(),
            shots: plain(self.typed.top.shots.as_ref())?,
            draws: plain(self.typed.top.draws.as_ref())?,
            seeds: plain(self.typed.top.seeds.as_ref())?,
            selection: plain(self.typed.top.selection.as_ref())?,
            image_scores,
            transfer_object: self.typed.top.transfer_object(),
            report: self.typed.report.printing(),
            notes: std::mem::take(&mut self.notes),
            warnings: std::mem::take(&mut self.warnings),
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
        let name = self.typed.top.name.as_ref()?;
        if let Some(why) = check::name(name.get_ref()) {
            self.findings.add(start(name), format!("the experiment's name `{}` {why}", name.get_ref()));
        }
        Some(name.get_ref().clone())
    }

    fn axes(&mut self) {
        let Self { typed, findings, .. } = self;
        check::axis("datasets", typed.top.datasets.as_ref(), findings);
        check::axis("shots", typed.top.shots.as_ref(), findings);
        check::axis("draws", typed.top.draws.as_ref(), findings);
        check::axis("seeds", typed.top.seeds.as_ref(), findings);
        check::axis("backends", typed.top.backends.as_ref(), findings);
        check::axis("selection", typed.top.selection.as_ref(), findings);
        check::axis("targets", typed.top.targets.as_ref(), findings);
        check::axis("image_scores", typed.top.image_scores.as_ref(), findings);
        if let (Some(object), None) = (&typed.top.transfer_object, &typed.top.targets) {
            let message = "`transfer_object` is for experiments with `targets`; add targets = [...], or remove it";
            findings.add(start(object), message);
        }
        for shots in items(typed.top.shots.as_ref()).filter(|shots| shots.get_ref().images() == 0) {
            findings.add(start(shots), "`shots` is 0; choose 1 or more");
        }
        if !typed.top.include_base() && typed.variants.is_empty() {
            let offset = typed.top.include_base.as_ref().map_or(0, start);
            let message = "`include_base = false` leaves no variant; remove it, or add a [variants.NAME]";
            findings.add(offset, message);
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
        Train { epochs: spec.epochs(), batch: spec.batch(), learning_rate: spec.learning_rate() }
    }

    /// The backends, and what each says of itself with its place in the file.
    fn backends(&mut self) -> (Vec<Backend>, Vec<(usize, BackendInfo)>) {
        let typed = &self.typed.encoder.keys;
        let (mut backends, mut infos, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for (offset, name) in unique(self.typed.top.backends.as_ref()) {
            match self.backend(name, typed.precision()) {
                Ok((backend, info)) => {
                    backends.push(backend);
                    infos.push((offset, info));
                }
                Err(Unfit::Precision(message)) => {
                    self.findings.add(typed.precision.as_ref().map_or(offset, start), message);
                }
                Err(Unfit::Missing(error)) if self.typed.reduced => missing.push((offset, name, error)),
                Err(Unfit::Missing(error)) => self.findings.add(offset, format!("`backends`: {error}")),
            }
        }
        for (offset, name, error) in missing {
            if backends.is_empty() {
                self.findings.add(offset, format!("`backends`: {error}"));
            } else {
                self.notes.push(format!("the backend `{name}` is left out: {error}"));
            }
        }
        (backends, infos)
    }

    fn backend(&self, name: &str, precision: Precision) -> Result<(Backend, BackendInfo), Unfit> {
        let info = self.catalogue.backend(name).map_err(Unfit::Missing)?;
        if !info.computes_in(precision) {
            return Err(Unfit::Precision(format!(
                "`precision` {precision}: the backend `{name}` computes in {} only; choose that, or another backend",
                info.known_precisions().iter().map(|precision| precision.name()).collect::<Vec<_>>().join(", ")
            )));
        }
        match info.on_default_device() {
            Some(backend) => Ok((backend, info)),
            None => {
                let why = info.note.map(|note| format!(": {note}")).unwrap_or_default();
                let message = format!("backend `{name}` finds no device on this machine{why}");
                Err(Unfit::Missing(CatalogueError::new(message)))
            }
        }
    }

    fn datasets(&mut self, key: &str, names: Option<&List<String>>) -> Vec<Dataset> {
        let mut datasets = Vec::new();
        for (offset, name) in unique(names) {
            match self.catalogue.dataset(name) {
                Ok(facts) => datasets.push(Dataset { name: name.clone(), facts }),
                Err(error) => self.findings.add(offset, format!("`{key}`: {error}")),
            }
        }
        datasets
    }
}

/// Why a backend can't take part.
enum Unfit {
    /// It isn't here, or has no device.
    Missing(CatalogueError),
    /// It does not compute in the encoder's precision.
    Precision(String),
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

/// Elements with their offsets in the file, without repetitions.
fn unique<T: Eq + std::hash::Hash>(list: Option<&List<T>>) -> Vec<(usize, &T)> {
    let mut seen = HashSet::new();
    items(list).filter(|item| seen.insert(item.get_ref())).map(|item| (start(item), item.get_ref())).collect()
}
