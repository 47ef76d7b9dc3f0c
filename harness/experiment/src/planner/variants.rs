//! The variants of an experiment: preset, then what is set, then whether the options can work together.

use std::collections::{BTreeSet, HashMap, HashSet};

use harness_config::start;
use harness_method::Arch;
use harness_methods::{MethodOptions, Sentences};

use super::{BASE, Planner, unique, value};
use crate::check;
use crate::plan::{Dataset, Variant};
use crate::spec::{OptionsSpec, Typed};

impl Planner<'_> {
    pub(super) fn variants(&mut self, arch: Option<&Arch>) -> Vec<Variant> {
        let Self { typed, findings, .. } = self;
        let base = resolve(typed, BASE, None);
        let check = |options: &MethodOptions| arch.map_or_else(Vec::new, |arch| options.check(arch));
        // Where a value could not be read its default stands, and complaints about that would mislead.
        let base_complaints = if typed.base.broken { Vec::new() } else { check(&base.options) };
        let mut variants = Vec::new();
        if typed.top.include_base() {
            for complaint in &base_complaints {
                findings.add(offset(typed, None, complaint.option).0, complaint.message.clone());
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
                    let (offset, own) = offset(typed, Some(spec), complaint.option);
                    let known = own || base_complaints.contains(&complaint);
                    let suffix = if known { String::new() } else { format!(" (variant `{}`)", variant.name) };
                    findings.add(offset, complaint.message + &suffix);
                }
            }
            variants.push(variant);
        }
        self.labels();
        variants
    }

    /// Labels tell variants apart as names do.
    fn labels(&mut self) {
        let Self { typed, findings, .. } = self;
        let base = typed.top.include_base().then_some((BASE, &typed.base));
        let others = typed.variants.iter().map(|(name, spec)| (name.get_ref().as_str(), spec));
        let mut taken: HashMap<&str, &str> = HashMap::new();
        for (name, spec) in base.into_iter().chain(others) {
            let label = spec.label.as_ref();
            let offset = label.map_or(0, start);
            let shown = label.map_or(name, |label| label.get_ref().as_str());
            if let Some(why) = check::label(shown) {
                findings.add(offset, format!("`label` of variant `{name}` {why}"));
            }
            if let Some(other) = taken.insert(shown, name)
                && other != name
            {
                let message =
                    format!("variants `{other}` and `{name}` are both printed as `{shown}`; change one `label`");
                findings.add(offset, message);
            }
        }
    }

    pub(super) fn sentences(&mut self, datasets: &[Dataset], targets: &[Dataset], variants: &[Variant], arch: &Arch) {
        let mut asked = HashSet::new();
        // The first of equal names wins, as datasets stand before targets.
        let mut offsets = HashMap::new();
        for list in [&self.typed.top.datasets, &self.typed.top.targets] {
            for (offset, name) in unique(list.as_ref()) {
                offsets.entry(name.as_str()).or_insert(offset);
            }
        }
        let kinds = variants.iter().map(|variant| variant.options.sentences());
        let kinds: BTreeSet<Sentences> = kinds.filter(|kind| *kind != Sentences::default()).collect();
        for dataset in datasets.iter().chain(targets) {
            let offset = offsets.get(dataset.name.as_str()).copied().unwrap_or(0);
            let object = &dataset.facts.object;
            if !asked.insert(object) {
                continue;
            }
            for kind in &kinds {
                if let Err(error) = self.catalogue.check_sentences(object, *kind, arch) {
                    self.findings.add(offset, format!("`datasets`: sentences about `{}`: {error}", dataset.name));
                }
            }
        }
    }
}

/// Preset, then [encoder], then [base], then the variant: the last one wins. A variant's own preset replaces that of
/// [base], and the rest of [base] still applies; of another method's, what it says of the encoding.
fn resolve(typed: &Typed, name: &str, variant: Option<&OptionsSpec>) -> Variant {
    let method = variant.map_or(typed.base.method, |variant| variant.method);
    let own = variant.and_then(|variant| value(variant.preset.as_ref()));
    let inherited = value(typed.base.preset.as_ref()).filter(|_| method == typed.base.method);
    let preset = own.or(inherited).unwrap_or_else(|| method.default_preset());
    let mut options = method.preset(preset).unwrap_or_else(|| method.default_options());
    options.set_encoding(&typed.encoder.overrides);
    typed.base.overrides.apply(&mut options);
    if let Some(variant) = variant {
        variant.overrides.apply(&mut options);
    }
    let label = match variant {
        Some(variant) => value(variant.label.as_ref()),
        None => value(typed.base.label.as_ref()),
    };
    Variant { name: name.to_owned(), label, preset: preset.to_owned(), options }
}

/// The offset at which an option of a variant was set, and whether the variant itself did.
fn offset(typed: &Typed, variant: Option<&OptionsSpec>, option: &str) -> (usize, bool) {
    if let Some(offset) = variant.and_then(|variant| variant.overrides.offset(option)) {
        return (offset, true);
    }
    let inherited = typed.base.overrides.offset(option).or_else(|| typed.encoder.overrides.offset(option));
    (inherited.unwrap_or(typed.encoder.start), false)
}
