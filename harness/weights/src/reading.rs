//! What a source's tensors are together: a CLIP with its architecture, or all that speaks against it.

use std::collections::BTreeMap;

use harness_method::Arch;
use harness_method::options::Activation;

use crate::arch::{self, Heads};
use crate::difference::Difference;
use crate::family;
use crate::leftover::{self, Leftover};
use crate::naming::{self, Named};
use crate::source::Source;

/// Names that a note or a message gives of several.
const NAMED: usize = 3;

/// A source's tensors, understood as far as they can be.
pub(crate) struct Reading {
    /// Under OpenAI's names, where they are a CLIP's.
    pub(crate) named: Option<Named>,
    pub(crate) arch: Option<Arch>,
    /// What is wrong, the first cause first; empty for usable weights. Under the file's own names.
    pub(crate) differences: Vec<Difference>,
    /// Names and shapes of tensors that are not read.
    pub(crate) extra: Vec<(String, Vec<usize>)>,
    pub(crate) activation: Option<Activation>,
    pub(crate) notes: Vec<String>,
}

impl Reading {
    pub(crate) fn of(mut source: Source, heads: Heads) -> Self {
        let quick = source.classes.iter().any(|class| class.ends_with(".QuickGELU")).then_some(Activation::QuickGelu);
        let mut reading = Self {
            named: None,
            arch: None,
            differences: Vec::new(),
            extra: Vec::new(),
            activation: quick.or(source.configs.first().and_then(|config| config.activation)),
            notes: Vec::new(),
        };
        let tensors = std::mem::take(&mut source.tensors);
        let all = || tensors.iter().map(|(name, view)| (name.clone(), view.shape().to_vec())).collect();
        if let Some(what) = family::beside(&tensors) {
            reading.extra = all();
            reading.differences.push(Difference::OtherEncoder { what });
            return reading;
        }
        if !naming::has_mark(&tensors)
            && let Some(what) = family::other(&tensors)
        {
            reading.extra = all();
            reading.differences.push(Difference::OtherEncoder { what });
            return reading;
        }
        let extra = all();
        match naming::to_openai(tensors) {
            Ok(named) => reading.understand(named, &source, heads, quick),
            Err(what) => {
                reading.extra = extra;
                reading.differences.push(Difference::NoArchitecture { what });
            }
        }
        reading
    }

    fn understand(&mut self, named: Named, source: &Source, heads: Heads, quick: Option<Activation>) {
        let config = source.config(named.naming);
        self.activation = quick.or(config.and_then(|config| config.activation));
        if let Some(config) = config {
            self.notes.extend(config.notes.iter().cloned());
            self.differences.extend(config.refusals.iter().map(|what| Difference::OtherEncoder {
                what: format!("{} says {what}, which is not computed here; use another CLIP", config.file),
            }));
        }
        let leftovers = self.leftovers(&named);
        if !named.has_text_tower() {
            self.differences.push(Difference::OtherEncoder { what: family::without_text() });
            self.named = Some(named);
            return;
        }
        // What a person has to undo comes first; else a missing tensor may explain one that is not known.
        let (undo, parts): (Vec<_>, Vec<_>) = leftovers.into_iter().partition(|(undo, _)| *undo);
        self.differences.extend(undo.into_iter().map(|(_, difference)| difference));
        let mut wrong = named.differences.clone();
        match arch::deduce(&named.tensors, heads, config) {
            Ok((arch, notes)) => {
                self.notes.extend(notes);
                let (differences, stray) = arch::compare(&arch, &named.tensors);
                wrong.extend(differences.iter().find_map(other_ratio));
                // A joined tensor whose parts are at fault is reported by its parts.
                let by_parts: Vec<&str> =
                    named.differences.iter().filter_map(|d| d.name().and_then(naming::joined)).collect();
                let new = |d: &Difference| d.name().is_none_or(|name| !by_parts.contains(&name));
                wrong.extend(differences.into_iter().filter(new));
                self.extra.extend(stray.into_iter().map(|name| (named.own_name(&name), named.tensors[&name].shape())));
                self.arch = Some(arch);
            }
            Err(difference) => wrong.push(difference),
        }
        self.differences.extend(wrong.into_iter().map(|difference| difference.renamed(|name| named.own_name(name))));
        self.differences.extend(parts.into_iter().map(|(_, difference)| difference));
        self.named = Some(named);
    }

    /// What the tensors mean that no CLIP has: what is wrong with them, and whether a person has to undo it.
    fn leftovers(&mut self, named: &Named) -> Vec<(bool, Difference)> {
        let mut parts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut unknown = Vec::new();
        for (name, view) in &named.extra {
            match leftover::classify(&named.prefix, name, view) {
                Leftover::Harmless => {}
                Leftover::Part(what) => parts.entry(what).or_default().push(name),
                Leftover::Unknown => unknown.push(name.as_str()),
            }
            self.extra.push((name.clone(), view.shape().to_vec()));
        }
        if !unknown.is_empty() {
            let are = if unknown.len() == 1 {
                "1 tensor of the file is".to_owned()
            } else {
                format!("{} tensors of the file are", unknown.len())
            };
            self.notes.push(format!(
                "{are} not read, such as {}: if they belong to the encoder, its taps and text features are wrong",
                few(&unknown)
            ));
        }
        let part = |(what, names): (&str, Vec<&str>)| {
            let (what, advice) = what.split_once("; ").map_or((what, None), |(what, advice)| (what, Some(advice)));
            let way_out = advice.unwrap_or("use a CLIP without them");
            let what =
                format!("it has {what} that are not read, so its results would be others: {}; {way_out}", few(&names));
            (advice.is_some(), Difference::OtherEncoder { what })
        };
        parts.into_iter().map(part).collect()
    }
}

/// Of perceptrons that are not four times as wide as their tower.
fn other_ratio(difference: &Difference) -> Option<Difference> {
    let Difference::Misshapen { name, expected, found } = difference else { return None };
    let ([wide, width], [found, same]) = (expected.as_slice(), found.as_slice()) else { return None };
    (name.ends_with("mlp.c_fc.weight") && width == same).then(|| Difference::OtherEncoder {
        what: format!(
            "`{name}` makes {found} channels of {width}, where only {wide}, four times as many, are computed here (open_clip's \
             ViT-g, ViT-bigG and ViT-e have others): use a ViT-B, ViT-L or ViT-H"
        ),
    })
}

fn few(names: &[&str]) -> String {
    let listed = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > NAMED { format!("{listed} and {} more", names.len() - NAMED) } else { listed }
}
