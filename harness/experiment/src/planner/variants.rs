//! The variants of an experiment: preset, then what is set, then whether the options can work together.

use std::collections::HashSet;

use harness_method::options::Prompts;
use harness_method::{Arch, Options};

use super::{BASE, Planner, unique, value};
use crate::check;
use crate::plan::{Dataset, Variant};
use crate::presets::Preset;
use crate::spec::{OptionsSpec, Typed};
use harness_config::start;

impl Planner<'_> {
    pub(super) fn variants(&mut self, arch: Option<&Arch>) -> Vec<Variant> {
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

    pub(super) fn sentences(&mut self, datasets: &[Dataset], targets: &[Dataset], variants: &[Variant], arch: &Arch) {
        let mut asked = HashSet::new();
        let mut places = unique(self.typed.datasets.as_ref());
        places.extend(unique(self.typed.targets.as_ref()));
        for dataset in datasets.iter().chain(targets) {
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
