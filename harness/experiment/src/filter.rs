//! Which cells are meant: `variant=contrastive shots=4`, as people type it on a command line.

use std::fmt::{self, Display};
use std::str::FromStr;

use harness_config::suggest;
use harness_method::Selection;

use crate::error::Error;
use crate::plan::{Cell, Plan};
use crate::rules::{Coordinates, Rule};

harness_config::named_enum! {
    /// What became of a cell so far.
    pub enum CellStatus {
        /// It has its numbers.
        Done = "done",
        /// Something it needs failed, and was not made since.
        Failed = "failed",
        /// Neither.
        NotRun = "not-run",
    }
}

/// Keys of a filter, each with its other spelling.
const KEYS: [(&str, &str); 10] = [
    ("variant", "variants"),
    ("dataset", "datasets"),
    ("target", "targets"),
    ("shots", "shot"),
    ("draw", "draws"),
    ("seed", "seeds"),
    ("backend", "backends"),
    ("selection", "selections"),
    ("status", "statuses"),
    ("cell", "cells"),
];

/// Conditions on cells, all of which a cell must meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    text: String,
    rule: Rule,
    /// Empty: any.
    statuses: Vec<CellStatus>,
    /// Beginnings of ids; empty: any.
    cells: Vec<String>,
}

impl Filter {
    /// Reads terms `key=value[,value]` separated by blanks. Keys are those of rules, in singular or plural, besides
    /// `status` and `cell` (the beginning of an id); shots of unequal numbers are typed `16+0`, normal images first; a
    /// status may stand by itself, as in `failed`. `dataset` is the one that was trained on, `target` the one that was
    /// scored.
    ///
    /// # Errors
    /// `Filter` for a key or value that the plan does not have, with what it has.
    pub fn parse(text: &str, plan: &Plan) -> Result<Self, Error> {
        let mut filter = Self { text: text.to_owned(), rule: Rule::default(), statuses: Vec::new(), cells: Vec::new() };
        let mut seen = Vec::new();
        for term in text.split_whitespace() {
            filter.term(term, plan, &mut seen).map_err(|what| Error::Filter { text: text.to_owned(), what })?;
        }
        if seen.is_empty() {
            let what = "it is empty; write for example `failed` or `variant=base shots=4`".to_owned();
            return Err(Error::Filter { text: text.to_owned(), what });
        }
        Ok(filter)
    }

    /// Whether a cell of this status is meant.
    pub fn meets(&self, cell: &Cell, status: CellStatus) -> bool {
        let at = Coordinates {
            variant: &cell.variant,
            dataset: &cell.trained_on,
            target: &cell.dataset,
            shots: cell.shots,
            draw: cell.draw,
            seed: cell.seed,
            backend: &cell.backend,
            selection: cell.selection,
        };
        let id = || cell.id.to_string();
        self.rule.meets(&at)
            && (self.statuses.is_empty() || self.statuses.contains(&status))
            && (self.cells.is_empty() || self.cells.iter().any(|beginning| id().starts_with(beginning)))
    }

    fn term(&mut self, term: &str, plan: &Plan, seen: &mut Vec<&'static str>) -> Result<(), String> {
        let (key, values) = match term.split_once('=') {
            Some((key, values)) => (known_key(key)?, values),
            None if CellStatus::ALL.iter().any(|status| status.name() == term) => ("status", term),
            None => {
                let known = CellStatus::ALL.map(CellStatus::name);
                return Err(match suggest::nearest(term, known) {
                    Some(near) => format!("`{term}` is not a term; did you mean `{near}`?"),
                    None => format!("`{term}` is not a term; write terms like shots=4 or variant=base,other"),
                });
            }
        };
        if seen.contains(&key) {
            return Err(format!("`{key}` is given twice; write its values in one term, as in shots=2,4"));
        }
        seen.push(key);
        let values: Vec<&str> = values.split(',').map(str::trim).filter(|value| !value.is_empty()).collect();
        if values.is_empty() {
            return Err(format!("`{key}` has no value"));
        }
        let axes = plan.axes();
        let rule = &mut self.rule;
        match key {
            "variant" => rule.variants = names(key, &values, &axes.variants)?,
            "dataset" => rule.datasets = names(key, &values, &axes.datasets)?,
            "target" => {
                let scored = if axes.targets.is_empty() { &axes.datasets } else { &axes.targets };
                rule.targets = names(key, &values, scored)?;
            }
            "shots" => rule.shots = numbers(key, &values, &axes.shots)?,
            "draw" => rule.draws = numbers(key, &values, &axes.draws)?,
            "seed" => rule.seeds = numbers(key, &values, &axes.seeds)?,
            "backend" => rule.backends = names(key, &values, &axes.backends)?,
            "selection" => {
                let known: Vec<&str> = axes.selection.iter().map(|rule| rule.name()).collect();
                let chosen = names(key, &values, &known)?;
                let meant = |rule: &&Selection| chosen.iter().any(|name| name == rule.name());
                rule.selection = axes.selection.iter().filter(meant).copied().collect();
            }
            "status" => {
                let known = CellStatus::ALL.map(CellStatus::name);
                let chosen = names(key, &values, &known)?;
                self.statuses = CellStatus::ALL.into_iter().filter(|s| chosen.iter().any(|n| n == s.name())).collect();
            }
            _ => {
                for value in values {
                    if !plan.cells.iter().any(|cell| cell.id.to_string().starts_with(value)) {
                        return Err(format!(
                            "no cell's id begins with `{value}`; `harness plan FILE --cells` lists them"
                        ));
                    }
                    self.cells.push(value.to_owned());
                }
            }
        }
        Ok(())
    }
}

impl Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn known_key(typed: &str) -> Result<&'static str, String> {
    if let Some((key, _)) = KEYS.iter().find(|(key, other)| *key == typed || *other == typed) {
        return Ok(key);
    }
    let known = || KEYS.iter().map(|(key, _)| *key);
    Err(match suggest::nearest(typed, known()) {
        Some(near) => format!("there is no key `{typed}`; did you mean `{near}`?"),
        None => format!("there is no key `{typed}`; keys are {}", suggest::list(known())),
    })
}

fn names(key: &str, values: &[&str], known: &[&str]) -> Result<Vec<String>, String> {
    let known_name = |value: &&str| {
        if known.contains(value) {
            return Ok((*value).to_owned());
        }
        Err(match suggest::nearest(value, known.iter().copied()) {
            Some(near) => format!("{key} `{value}` is not in the experiment; did you mean `{near}`?"),
            None => unknown(key, value, &suggest::list(known.iter().copied())),
        })
    };
    values.iter().map(known_name).collect()
}

fn numbers<T: FromStr + PartialEq + Display>(key: &str, values: &[&str], known: &[T]) -> Result<Vec<T>, String> {
    let number = |value: &&str| match value.parse() {
        Ok(number) if known.contains(&number) => Ok(number),
        _ => {
            let known: Vec<String> = known.iter().map(ToString::to_string).collect();
            Err(unknown(key, value, &suggest::list(known.iter().map(String::as_str))))
        }
    };
    values.iter().map(number).collect()
}

fn unknown(key: &str, value: &str, known: &str) -> String {
    format!("{key} `{value}` is not in the experiment; it has {known}")
}
