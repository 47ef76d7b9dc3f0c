//! The variants of an experiment: preset, then what is set, then whether the options can work together.

use std::collections::{HashMap, HashSet};

use harness_config::start;
use harness_method::{Arch, Options};

use super::{BASE, Planner, unique, value};
use crate::check;
use crate::plan::{Dataset, Variant};
use crate::spec::{OptionsSpec, Typed};

impl Planner<'_> {
    pub(super) fn variants(&mut self, arch: Option<&Arch>) -> Vec<Variant> {
        let Self { typed, findings, .. } = self;
        let base = resolve(typed, BASE, None);
        let check = |options: &Options| arch.map_or_else(Vec::new, |arch| options.check(arch));
        // A value that could not be read leaves a default behind, about which nothing should be said.
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
        variants
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
        // What decides whether a sentence fits, each with one of the variants it is from.
        let mut kinds = HashMap::new();
        for variant in variants.iter().filter(|variant| variant.options.names_objects()) {
            let options = &variant.options;
            let context = if options.learns_prompts() { options.context_tokens } else { 0 };
            kinds.entry((options.prompts, context)).or_insert(options);
        }
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort_unstable_by_key(|(kind, _)| *kind);
        for dataset in datasets.iter().chain(targets) {
            let offset = offsets.get(dataset.name.as_str()).copied().unwrap_or(0);
            let object = &dataset.facts.object;
            if !asked.insert(object) {
                continue;
            }
            for (_, options) in &kinds {
                if let Err(error) = self.catalogue.check_sentences(object, options, arch) {
                    self.findings.add(offset, format!("`datasets`: sentences about `{}`: {error}", dataset.name));
                }
            }
        }
    }
}

/// Preset, then [encoder], then [base], then the variant: the later wins. A variant's own preset takes the place of
/// the base's, under the same [base].
fn resolve(typed: &Typed, name: &str, variant: Option<&OptionsSpec>) -> Variant {
    let own = variant.and_then(|variant| value(variant.preset.as_ref()));
    let preset = own.or_else(|| value(typed.base.preset.as_ref())).unwrap_or_default();
    let mut options = preset.options();
    typed.encoder.overrides.apply(&mut options);
    typed.base.overrides.apply(&mut options);
    if let Some(variant) = variant {
        variant.overrides.apply(&mut options);
    }
    Variant { name: name.to_owned(), preset, options }
}

/// The offset at which an option of a variant was set, and whether the variant itself did.
fn offset(typed: &Typed, variant: Option<&OptionsSpec>, option: &str) -> (usize, bool) {
    if let Some(offset) = variant.and_then(|variant| variant.overrides.offset(option)) {
        return (offset, true);
    }
    let inherited = typed.base.overrides.offset(option).or_else(|| typed.encoder.overrides.offset(option));
    (inherited.unwrap_or(typed.encoder.start), false)
}
