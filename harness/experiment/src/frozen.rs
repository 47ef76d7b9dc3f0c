//! A plan as the text of `plan.toml`: everything resolved, the same bytes for the same plan.

use std::collections::BTreeMap;

use harness_method::{Method, Selection};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::ser::ValueSerializer;

use crate::error::Error;
use crate::ids::{CellId, EvaluationId, TrainingId};
use crate::matrix;
use crate::plan::{Cell, EpochRange, Evaluation, Plan, Training};

/// Version of the format of `plan.toml`. Format 1 was never released.
pub const PLAN_FORMAT: u32 = 2;

const AGAIN: &str = "plan the experiment again";

#[derive(Serialize)]
struct Head<'a> {
    format: u32,
    #[serde(flatten)]
    plan: &'a Plan,
    /// The version of each method whose results are planned.
    methods: BTreeMap<&'static str, u32>,
}

/// Read before anything else, so that another version is named as such.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// The form of the current format, to which readers of older ones convert. Keys that aren't known are ignored: should one
/// have decided a record, the ids show it.
#[derive(Deserialize)]
struct Stored {
    methods: BTreeMap<String, u32>,
    records: Records,
    #[serde(flatten)]
    plan: Plan,
}

#[derive(PartialEq, Deserialize)]
struct Records {
    trainings: Vec<TrainingRow>,
    evaluations: Vec<EvaluationRow>,
    cells: Vec<CellRow>,
}

/// A training by its coordinates; what they stand for is above in the file.
#[derive(PartialEq, Serialize, Deserialize)]
struct TrainingRow {
    id: TrainingId,
    dataset: String,
    shots: u32,
    draw: u64,
    seed: u64,
    backend: String,
    /// Number of the fold held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fold: Option<u32>,
}

#[derive(PartialEq, Serialize, Deserialize)]
struct EvaluationRow {
    id: EvaluationId,
    training: TrainingId,
    dataset: String,
    epochs: EpochRange,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    on_fold: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    chosen_by: Vec<EvaluationId>,
}

#[derive(PartialEq, Serialize, Deserialize)]
struct CellRow {
    id: CellId,
    variant: String,
    dataset: String,
    /// Where it is another dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trained_on: Option<String>,
    shots: u32,
    draw: u64,
    seed: u64,
    backend: String,
    selection: Selection,
    training: TrainingId,
    evaluation: EvaluationId,
}

impl Records {
    fn of(plan: &Plan) -> Self {
        let training = |training: &Training| TrainingRow {
            id: training.id,
            dataset: training.dataset.clone(),
            shots: training.shots,
            draw: training.draw,
            seed: training.seed,
            backend: training.backend.name.clone(),
            fold: training.fold.as_ref().map(|fold| fold.number),
        };
        let evaluation = |evaluation: &Evaluation| EvaluationRow {
            id: evaluation.id,
            training: evaluation.training,
            dataset: evaluation.dataset.clone(),
            epochs: evaluation.epochs,
            on_fold: evaluation.on_fold,
            chosen_by: evaluation.chosen_by.clone(),
        };
        let cell = |cell: &Cell| CellRow {
            id: cell.id,
            variant: cell.variant.clone(),
            dataset: cell.dataset.clone(),
            trained_on: (cell.trained_on != cell.dataset).then(|| cell.trained_on.clone()),
            shots: cell.shots,
            draw: cell.draw,
            seed: cell.seed,
            backend: cell.backend.clone(),
            selection: cell.selection,
            training: cell.training,
            evaluation: cell.evaluation,
        };
        Self {
            trainings: plan.trainings.iter().map(training).collect(),
            evaluations: plan.evaluations.iter().map(evaluation).collect(),
            cells: plan.cells.iter().map(cell).collect(),
        }
    }
}

impl Plan {
    /// The frozen plan: format version, everything that decides the records, then a line for each record.
    ///
    /// # Errors
    /// `Encode`, a mistake of this program.
    pub fn to_toml(&self) -> Result<String, Error> {
        let encode = |error: toml::ser::Error| Error::Encode { what: "plan.toml", why: error.to_string() };
        let method = Method::Madclip;
        let head = Head { format: PLAN_FORMAT, plan: self, methods: [(method.name(), method.version())].into() };
        let mut text = String::from("# A frozen plan: written by harness, not to be edited.\n");
        text.push_str(&toml::to_string(&head).map_err(encode)?);
        text.push_str("\n[records]\n");
        let Records { trainings, evaluations, cells } = Records::of(self);
        rows(&mut text, "trainings", &trainings).map_err(encode)?;
        rows(&mut text, "evaluations", &evaluations).map_err(encode)?;
        rows(&mut text, "cells", &cells).map_err(encode)?;
        Ok(text)
    }

    /// Reads a frozen plan of this or an older format. Its records are computed again and must be those in the text, so that
    /// nothing runs under an id that does not fit.
    ///
    /// # Errors
    /// `Frozen` for other text, a newer format, another version of a method, or a text that was edited.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let Format { format } = parse(text)?;
        // An older format has a line here: its reader, then the conversion to the current form.
        let stored: Stored = match format {
            PLAN_FORMAT => parse(text)?,
            1 => return Err(frozen("format 1, which was written before the first release", AGAIN)),
            newer => {
                let what = format!(
                    "format {newer}, written by a newer version of harness; this one reads up to {PLAN_FORMAT}"
                );
                return Err(frozen(what, "use the newer version, or plan the experiment again"));
            }
        };
        let Stored { methods, records, mut plan } = stored;
        methods.iter().try_for_each(|(name, version)| check_method(name, *version))?;
        matrix::expand(&mut plan)?;
        if Records::of(&plan) != records {
            return Err(frozen("its records don't follow from its settings: it was edited", AGAIN));
        }
        Ok(plan)
    }
}

/// Refuses a plan whose records stand for numbers that this version does not compute.
fn check_method(name: &str, version: u32) -> Result<(), Error> {
    let Ok(method) = name.parse::<Method>() else {
        let what = format!("it uses the method `{name}`, which this version of harness does not have");
        return Err(frozen(what, "use the version that planned it"));
    };
    let ours = method.version();
    if version == ours {
        return Ok(());
    }
    let what = format!("planned for version {version} of the method `{name}`; this version of harness computes {ours}");
    Err(frozen(what, "plan the experiment again, or use the version that planned it"))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    toml::from_str(text).map_err(|error| frozen(error.to_string().trim_end(), AGAIN))
}

fn frozen(what: impl Into<String>, advice: &'static str) -> Error {
    Error::Frozen { what: what.into(), advice }
}

fn rows<T: Serialize>(text: &mut String, key: &str, rows: &[T]) -> Result<(), toml::ser::Error> {
    text.push_str(key);
    text.push_str(" = [\n");
    for row in rows {
        text.push_str("  ");
        row.serialize(ValueSerializer::new(text))?;
        text.push_str(",\n");
    }
    text.push_str("]\n");
    Ok(())
}
