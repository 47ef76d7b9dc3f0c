//! From what was typed and what the world answers to a plan, or to everything that is wrong. Rules that need no world
//! are in `check`, the product of the axes in `matrix`.

use std::collections::HashSet;

use harness_method::options::Prompts;
use harness_method::{Arch, Options};
use toml::Spanned;

use crate::catalogue::{Catalogue, EncoderSource};
use crate::check;
use crate::error::Error;
use crate::expand::expand;
use crate::matrix;
use crate::plan::{Backend, Dataset, Encoder, Plan, Support, Train, Variant};
use crate::presets::Preset;
use crate::problems::Findings;
use crate::reader::start;
use crate::spec::{OptionsSpec, Selection, Spec, Typed};

/// Images scored together, last batch short (METHOD.md section 8).
pub const SCORING_BATCH: u32 = 32;

const BASE: &str = "base";

impl Spec {
    /// Checks everything and resolves every cell. `variable` gives environment variables for paths.
    ///
    /// # Errors
    /// `Problems` with all that is wrong, in the file's order.
    pub fn plan(&self, catalogue: &dyn Catalogue, variable: &dyn Fn(&str) -> Option<String>) -> Result<Plan, Error> {
        let mut planner = Planner { spec: self, typed: &self.typed, catalogue, findings: self.findings.clone() };
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
}

impl Planner<'_> {
    /// The plan without its records. Every part is tried, so that all findings come at once.
    fn plan(&mut self, variable: &dyn Fn(&str) -> Option<String>) -> Option<Plan> {
        let name = self.name();
        self.axes();
        let train = self.train();
        let backends = self.backends();
        let datasets = self.datasets();
        let supports = self.supports(&datasets);
        let encoder = self.encoder(variable);
        let variants = self.variants(encoder.as_ref().map(|encoder| &encoder.arch));
        if let Some(encoder) = &encoder {
            self.sentences(&datasets, &variants, &encoder.arch);
        }
        self.size(variants.len());
        Some(Plan {
            name: name?,
            smoke: self.typed.smoke,
            shots: plain(self.typed.shots.as_ref())?,
            draws: plain(self.typed.draws.as_ref())?,
            seeds: plain(self.typed.seeds.as_ref())?,
            selection: plain(self.typed.selection.as_ref())?,
            encoder: encoder?,
            train,
            backends,
            datasets,
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
        let Self { typed, findings, .. } = self;
        check::axis("datasets", typed.datasets.as_ref(), findings);
        check::axis("shots", typed.shots.as_ref(), findings);
        check::axis("draws", typed.draws.as_ref(), findings);
        check::axis("seeds", typed.seeds.as_ref(), findings);
        check::axis("backends", typed.backends.as_ref(), findings);
        check::axis("selection", typed.selection.as_ref(), findings);
        let on_support = items(typed.selection.as_ref()).find(|rule| *rule.get_ref() == Selection::BestOnSupport);
        if let Some(rule) = on_support {
            let message = "`selection` best-on-support is not available yet in this version: use last or best-on-test";
            findings.add(start(rule), message);
        }
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
        let mut backends = Vec::new();
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
                Err(error) => self.findings.add(place, format!("`backends`: {error}")),
            }
        }
        backends
    }

    fn datasets(&mut self) -> Vec<Dataset> {
        let mut datasets = Vec::new();
        for (place, name) in unique(self.typed.datasets.as_ref()) {
            match self.catalogue.dataset(name) {
                Ok(facts) => datasets.push(Dataset { name: name.clone(), facts }),
                Err(error) => self.findings.add(place, format!("`datasets`: {error}")),
            }
        }
        datasets
    }

    fn supports(&mut self, datasets: &[Dataset]) -> Vec<Support> {
        let mut supports = Vec::new();
        for dataset in datasets {
            for (place, shots) in unique(self.typed.shots.as_ref()).into_iter().filter(|(_, shots)| **shots > 0) {
                for (_, draw) in unique(self.typed.draws.as_ref()) {
                    match self.catalogue.support(&dataset.name, *shots, *draw) {
                        Ok(facts) => supports.push(Support {
                            dataset: dataset.name.clone(),
                            shots: *shots,
                            draw: *draw,
                            hash: facts.hash,
                        }),
                        Err(error) => {
                            let what = format!("support set of `{}`, {shots} shots, draw {draw}", dataset.name);
                            self.findings.add(place, format!("{what}: {error}"));
                        }
                    }
                }
            }
        }
        supports
    }

    fn encoder(&mut self, variable: &dyn Fn(&str) -> Option<String>) -> Option<Encoder> {
        let source = self.encoder_source(variable);
        let spec = &self.typed.encoder;
        let weights = start(spec.weights.as_ref()?);
        let source = source?;
        let facts = match self.catalogue.weights(&source) {
            Ok(facts) => facts,
            Err(error) => {
                self.findings.add(weights, format!("`weights`: {error}"));
                return None;
            }
        };
        let complaints = check::arch(&facts.arch);
        for (key, message) in &complaints {
            let heads = match *key {
                "heads" => spec.heads.as_ref(),
                "text_heads" => spec.text_heads.as_ref(),
                _ => None,
            };
            self.findings.add(heads.map_or(weights, start), format!("`weights`: {message}"));
        }
        (complaints.is_empty() && !spec.broken).then(|| Encoder {
            precision: value(spec.precision.as_ref()).unwrap_or_default(),
            store: value(spec.store.as_ref()).unwrap_or_default(),
            weights: facts.hash,
            source,
            arch: facts.arch,
        })
    }

    fn encoder_source(&mut self, variable: &dyn Fn(&str) -> Option<String>) -> Option<EncoderSource> {
        let spec = &self.typed.encoder;
        let weights = spec.weights.as_ref()?;
        if weights.get_ref() != "synthetic" {
            let unfit = [("seed", spec.seed.as_ref().map(start)), ("arch", spec.arch.as_ref().map(|arch| arch.start))];
            for (key, place) in unfit {
                if let Some(place) = place {
                    let message = format!("`{key}` is for weights = \"synthetic\" alone; remove it");
                    self.findings.add(place, message);
                }
            }
            let path = match expand(weights.get_ref(), variable) {
                Ok(path) if path.is_empty() => {
                    self.findings.add(start(weights), "`weights` is empty; give a file's path, or \"synthetic\"");
                    return None;
                }
                Ok(path) => path,
                Err(error) => {
                    self.findings.add(start(weights), format!("`weights`: {error}"));
                    return None;
                }
            };
            let folder = self.spec.source.path().parent().unwrap_or_else(|| std::path::Path::new(""));
            let (heads, text_heads) = (value(spec.heads.as_ref()), value(spec.text_heads.as_ref()));
            return Some(EncoderSource::File { path: folder.join(path), heads, text_heads });
        }
        for (key, heads) in [("heads", &spec.heads), ("text_heads", &spec.text_heads)] {
            if let Some(heads) = heads {
                let message = format!("synthetic weights have `{key}` in [encoder.arch]; move it there");
                self.findings.add(start(heads), message);
            }
        }
        if spec.seed.is_none() && !spec.broken {
            self.findings.add(start(weights), "synthetic weights need a `seed`; write seed = 0");
        }
        let Some(typed) = &spec.arch else {
            let message = "synthetic weights need an architecture; write [encoder.arch] and its sizes";
            self.findings.add(start(weights), message);
            return None;
        };
        let arch = typed.arch.clone()?;
        let complaints = check::arch(&arch);
        for (key, message) in &complaints {
            let place = typed.places.iter().find(|(place, _)| place == key).map_or(typed.start, |(_, place)| *place);
            self.findings.add(place, message.clone());
        }
        let seed = value(spec.seed.as_ref())?;
        complaints.is_empty().then_some(EncoderSource::Synthetic { seed, arch })
    }

    fn variants(&mut self, arch: Option<&Arch>) -> Vec<Variant> {
        let Self { typed, findings, .. } = self;
        let base = resolve(typed, BASE, None);
        let check = |options: &Options| arch.map_or_else(Vec::new, |arch| check::options(options, arch));
        // A value that could not be read leaves a default behind, about which nothing should be said.
        let base_complaints = if typed.base.broken { Vec::new() } else { check(&base.options) };
        let mut variants = Vec::new();
        if value(typed.include_base.as_ref()).unwrap_or(true) {
            for (key, message) in &base_complaints {
                findings.add(place(typed, None, key).0, message.clone());
            }
            variants.push(base);
        }
        for (name, spec) in &typed.variants {
            if name.get_ref() == BASE {
                findings.add(start(name), "the variant `base` is what [base] says; choose another name");
            } else if let Some(why) = check::name(name.get_ref()) {
                findings.add(start(name), format!("the variant's name `{}` {why}", name.get_ref()));
            }
            let variant = resolve(typed, name.get_ref(), Some(spec));
            if !(typed.base.broken || spec.broken) {
                for complaint in check(&variant.options) {
                    let (place, own) = place(typed, Some(spec), complaint.0);
                    let told = own || base_complaints.contains(&complaint);
                    let suffix = if told { String::new() } else { format!(" (variant `{}`)", variant.name) };
                    findings.add(place, complaint.1 + &suffix);
                }
            }
            variants.push(variant);
        }
        variants
    }

    fn sentences(&mut self, datasets: &[Dataset], variants: &[Variant], arch: &Arch) {
        let mut asked = HashSet::new();
        let places = unique(self.typed.datasets.as_ref());
        for dataset in datasets {
            let place = places.iter().find(|(_, name)| **name == dataset.name).map_or(0, |(place, _)| *place);
            for variant in variants {
                let options = &variant.options;
                if options.prompts == Prompts::Free {
                    continue;
                }
                let learned = !options.prompts.learned_sides().is_empty();
                let context = if learned { options.context_tokens } else { 0 };
                let object = &dataset.facts.object;
                if !asked.insert((object, format!("{:?}", options.prompts), context)) {
                    continue;
                }
                if let Err(error) = self.catalogue.check_sentences(object, options, arch) {
                    self.findings.add(place, format!("`datasets`: sentences about `{}`: {error}", dataset.name));
                }
            }
        }
    }

    fn size(&mut self, variants: usize) {
        let typed = self.typed;
        let lengths = [
            variants,
            items(typed.datasets.as_ref()).count(),
            items(typed.shots.as_ref()).count(),
            items(typed.draws.as_ref()).count(),
            items(typed.seeds.as_ref()).count(),
            items(typed.backends.as_ref()).count(),
            items(typed.selection.as_ref()).count(),
        ];
        let cells = lengths.iter().fold(1usize, |product, length| product.saturating_mul(*length));
        if cells > matrix::MAX_CELLS {
            let message = format!(
                "the lists multiply to {cells} cells, more than {}; split the experiment into several files",
                matrix::MAX_CELLS
            );
            self.findings.add(0, message);
        }
    }
}

/// Preset, then [encoder], then [base], then the variant: the later wins. A variant's own preset takes the place of
/// the base's, under the same [base].
fn resolve(typed: &Typed, name: &str, variant: Option<&OptionsSpec>) -> Variant {
    let own = variant.and_then(|variant| value(variant.preset.as_ref()));
    let preset: Preset = own.or_else(|| value(typed.base.preset.as_ref())).unwrap_or_default();
    let mut options = preset.options();
    typed.encoder.overrides.apply(&mut options);
    typed.base.overrides.apply(&mut options);
    if let Some(variant) = variant {
        variant.overrides.apply(&mut options);
    }
    Variant { name: name.to_owned(), preset, options }
}

/// Where an option of a variant was set, and whether the variant itself did.
fn place(typed: &Typed, variant: Option<&OptionsSpec>, key: &str) -> (usize, bool) {
    if let Some(place) = variant.and_then(|variant| variant.overrides.place(key)) {
        return (place, true);
    }
    let inherited = typed.base.overrides.place(key).or_else(|| typed.encoder.overrides.place(key));
    (inherited.unwrap_or(typed.encoder.start), false)
}

fn value<T: Clone>(spanned: Option<&Spanned<T>>) -> Option<T> {
    spanned.map(|spanned| spanned.get_ref().clone())
}

fn items<T>(list: Option<&Spanned<Vec<Spanned<T>>>>) -> impl Iterator<Item = &Spanned<T>> {
    list.into_iter().flat_map(|list| list.get_ref())
}

fn plain<T: Clone>(list: Option<&Spanned<Vec<Spanned<T>>>>) -> Option<Vec<T>> {
    Some(items(Some(list?)).map(|item| item.get_ref().clone()).collect())
}

/// Elements with their places, each once: what is there twice is asked about once.
fn unique<T: Eq + std::hash::Hash>(list: Option<&Spanned<Vec<Spanned<T>>>>) -> Vec<(usize, &T)> {
    let mut seen = HashSet::new();
    items(list).filter(|item| seen.insert(item.get_ref())).map(|item| (start(item), item.get_ref())).collect()
}
