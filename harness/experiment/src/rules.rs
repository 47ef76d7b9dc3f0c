//! Include and exclude rules: which cells of the product of the axes take part.

use std::fmt::Display;
use std::hash::Hash;

use harness_config::{Describe, Findings, Key, Spanned, Table, start, suggest};
use harness_method::{Draw, Selection, Shots};
use serde::{Deserialize, Serialize};

/// A cell's choice on every axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Coordinates<'a> {
    pub(crate) variant: &'a str,
    pub(crate) dataset: &'a str,
    pub(crate) target: &'a str,
    pub(crate) shots: Shots,
    pub(crate) draw: Draw,
    pub(crate) seed: u64,
    pub(crate) backend: &'a str,
    pub(crate) selection: Selection,
}

macro_rules! axes {
    ($($axis:ident: $type:ty, $coordinate:ident;)*) => {
        /// Conditions on axes. A cell meets a rule that has its choice in every list that isn't empty.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Rule {
            $(
                #[doc = concat!("Choices of `", stringify!($axis), "`; empty: any.")]
                #[serde(skip_serializing_if = "Vec::is_empty")]
                pub $axis: Vec<$type>,
            )*
        }

        impl Rule {
            /// The axes' names.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($axis)),*];

            pub(crate) fn keys() -> Vec<Key> {
                vec![$(Key::new(
                    stringify!($axis),
                    "Choices on this axis; without it, any",
                    <Vec<$type> as Describe>::schema(),
                )),*]
            }

            pub(crate) fn meets(&self, at: &Coordinates<'_>) -> bool {
                true $(&& (self.$axis.is_empty() || self.$axis.iter().any(|choice| *choice == at.$coordinate)))*
            }
        }

        /// `[[include]]` or `[[exclude]]` as typed.
        #[derive(Clone, Debug)]
        pub(crate) struct RuleSpec {
            pub(crate) start: usize,
            /// Something in it could not be read.
            pub(crate) broken: bool,
            $(pub(crate) $axis: Option<Spanned<Vec<Spanned<$type>>>>,)*
        }

        impl RuleSpec {
            pub(crate) fn read(mut table: Table<'_, '_>) -> Self {
                let before = table.findings();
                let mut rule = Self { start: table.start(), broken: false, $($axis: table.optional(stringify!($axis)),)* };
                table.finish();
                rule.broken = table.findings() > before;
                rule
            }

            pub(crate) fn rule(&self) -> Rule {
                Rule { $($axis: plain(self.$axis.as_ref()),)* }
            }

            fn is_empty(&self) -> bool {
                true $(&& self.$axis.is_none())*
            }
        }
    };
}

axes! {
    variants: String, variant;
    datasets: String, dataset;
    targets: String, target;
    shots: Shots, shots;
    draws: Draw, draw;
    seeds: u64, seed;
    backends: String, backend;
    selection: Selection, selection;
}

fn plain<T: Clone>(list: Option<&Spanned<Vec<Spanned<T>>>>) -> Vec<T> {
    list.map(|list| list.get_ref().iter().map(|item| item.get_ref().clone()).collect()).unwrap_or_default()
}

/// All rules of an experiment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Where there are any, a cell must meet one of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Rule>,
    /// A cell must meet none of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Rule>,
}

impl Rules {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    pub(crate) fn keep(&self, at: &Coordinates<'_>) -> bool {
        let included = self.include.is_empty() || self.include.iter().any(|rule| rule.meets(at));
        included && !self.exclude.iter().any(|rule| rule.meets(at))
    }
}

/// What the axes hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Axes<'a> {
    pub(crate) variants: Vec<&'a str>,
    pub(crate) datasets: Vec<&'a str>,
    /// Empty: each dataset's own.
    pub(crate) targets: Vec<&'a str>,
    pub(crate) shots: Vec<Shots>,
    pub(crate) draws: Vec<Draw>,
    pub(crate) seeds: Vec<u64>,
    pub(crate) backends: Vec<&'a str>,
    pub(crate) selection: Vec<Selection>,
}

impl<'a> Axes<'a> {
    /// Visits the cells that rules keep, the first axis slowest.
    ///
    /// # Errors
    /// The visitor's, which ends it.
    pub(crate) fn each<E>(
        &self,
        rules: &Rules,
        mut visit: impl FnMut(Coordinates<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        for &variant in &self.variants {
            for &dataset in &self.datasets {
                let own = [dataset];
                for &target in if self.targets.is_empty() { &own[..] } else { &self.targets } {
                    for &shots in &self.shots {
                        for &draw in &self.draws {
                            for &seed in &self.seeds {
                                for &backend in &self.backends {
                                    for &selection in &self.selection {
                                        let at = Coordinates {
                                            variant,
                                            dataset,
                                            target,
                                            shots,
                                            draw,
                                            seed,
                                            backend,
                                            selection,
                                        };
                                        if rules.keep(&at) {
                                            visit(at)?;
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl Axes<'_> {
    /// Cells of the product, before rules.
    pub(crate) fn size(&self) -> u64 {
        let lengths = [
            self.variants.len(),
            self.datasets.len(),
            self.targets.len().max(1),
            self.shots.len(),
            self.draws.len(),
            self.seeds.len(),
            self.backends.len(),
            self.selection.len(),
        ];
        lengths.iter().fold(1u64, |product, length| product.saturating_mul(*length as u64))
    }

    /// Notes what a rule names that no axis has.
    pub(crate) fn check(&self, kind: &'static str, rule: &RuleSpec, findings: &mut Findings) {
        if rule.is_empty() && !rule.broken {
            let message = format!("this [[{kind}]] names no axis; write conditions such as shots = [4], or remove it");
            findings.add(rule.start, message);
        }
        names(kind, "variants", rule.variants.as_ref(), &self.variants, findings);
        names(kind, "datasets", rule.datasets.as_ref(), &self.datasets, findings);
        if let (true, Some(targets)) = (self.targets.is_empty(), &rule.targets) {
            let message = format!("[[{kind}]] has `targets`, and the experiment has none; use `datasets`");
            findings.add(start(targets), message);
        } else {
            names(kind, "targets", rule.targets.as_ref(), &self.targets, findings);
        }
        values(kind, "shots", rule.shots.as_ref(), &self.shots, findings);
        values(kind, "draws", rule.draws.as_ref(), &self.draws, findings);
        values(kind, "seeds", rule.seeds.as_ref(), &self.seeds, findings);
        names(kind, "backends", rule.backends.as_ref(), &self.backends, findings);
        values(kind, "selection", rule.selection.as_ref(), &self.selection, findings);
    }
}

type List<T> = Spanned<Vec<Spanned<T>>>;

fn names(kind: &str, axis: &str, list: Option<&List<String>>, known: &[&str], findings: &mut Findings) {
    empty(kind, axis, list, findings);
    for item in list.into_iter().flat_map(|list| list.get_ref()) {
        let name = item.get_ref().as_str();
        if !known.contains(&name) {
            let near = suggest::nearest(name, known.iter().copied());
            let advice = near.map_or_else(
                || format!("it has {}", suggest::list(known.iter().copied())),
                |near| format!("did you mean `{near}`?"),
            );
            findings.add(start(item), format!("[[{kind}]]: `{axis}` of the experiment has no `{name}`; {advice}"));
        }
    }
}

fn values<T>(kind: &str, axis: &str, list: Option<&List<T>>, known: &[T], findings: &mut Findings)
where
    T: Eq + Hash + Display,
{
    empty(kind, axis, list, findings);
    for item in list.into_iter().flat_map(|list| list.get_ref()) {
        if !known.contains(item.get_ref()) {
            let known: Vec<String> = known.iter().map(ToString::to_string).collect();
            let message = format!(
                "[[{kind}]]: `{axis}` of the experiment has no `{}`; it has {}",
                item.get_ref(),
                suggest::list(known.iter().map(String::as_str))
            );
            findings.add(start(item), message);
        }
    }
}

fn empty<T>(kind: &str, axis: &str, list: Option<&List<T>>, findings: &mut Findings) {
    if let Some(list) = list.filter(|list| list.get_ref().is_empty()) {
        findings.add(start(list), format!("[[{kind}]]: `{axis}` is empty; give a value, or remove it to mean any"));
    }
}
