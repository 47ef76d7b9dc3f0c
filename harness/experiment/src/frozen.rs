//! A plan as the text of `plan.toml`: everything resolved, the same bytes for the same plan. Not the listing that
//! people read before a run.

use serde::{Deserialize, Serialize};
use toml::ser::ValueSerializer;

use crate::error::Error;
use crate::ids::{CellId, EvaluationId, METHOD_VERSION, TrainingId};
use crate::matrix;
use crate::plan::{Cell, EpochRange, Evaluation, Plan, Training};
use crate::spec::Selection;

/// Version of the format of `plan.toml`.
pub const PLAN_FORMAT: u32 = 1;

#[derive(Serialize)]
struct Head<'a> {
    format: u32,
    method_version: u32,
    #[serde(flatten)]
    plan: &'a Plan,
}

/// Read before anything else, so that another version is named as such.
#[derive(Deserialize)]
struct Versions {
    format: u32,
    method_version: u32,
}

#[derive(Deserialize)]
struct Whole {
    records: Records,
    #[serde(flatten)]
    plan: Plan,
}

#[derive(PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Records {
    trainings: Vec<TrainingRow>,
    evaluations: Vec<EvaluationRow>,
    cells: Vec<CellRow>,
}

/// A training by its coordinates; what they stand for is above in the file.
#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
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
        let head = Head { format: PLAN_FORMAT, method_version: METHOD_VERSION, plan: self };
        let mut text = String::from("# A frozen plan: written by harness, not to be edited.\n");
        text.push_str(&toml::to_string(&head).map_err(encode)?);
        text.push_str("\n[records]\n");
        let Records { trainings, evaluations, cells } = Records::of(self);
        rows(&mut text, "trainings", &trainings).map_err(encode)?;
        rows(&mut text, "evaluations", &evaluations).map_err(encode)?;
        rows(&mut text, "cells", &cells).map_err(encode)?;
        Ok(text)
    }

    /// Reads a frozen plan. Its records are computed again and must be those in the text, so that nothing runs under
    /// an id that does not fit.
    ///
    /// # Errors
    /// `Frozen` for other text, another version, or a text that was edited.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let frozen = |what: String| Error::Frozen { what };
        let parse = |error: toml::de::Error| frozen(error.to_string().trim_end().to_owned());
        let versions: Versions = toml::from_str(text).map_err(parse)?;
        if versions.format != PLAN_FORMAT {
            return Err(frozen(format!("format {}, and this version reads {PLAN_FORMAT}", versions.format)));
        }
        if versions.method_version != METHOD_VERSION {
            let found = versions.method_version;
            return Err(frozen(format!("method version {found}, and this version computes {METHOD_VERSION}")));
        }
        let Whole { records, mut plan } = toml::from_str(text).map_err(parse)?;
        matrix::expand(&mut plan)?;
        if Records::of(&plan) != records {
            return Err(frozen("its records don't follow from its settings: it was edited".to_owned()));
        }
        Ok(plan)
    }
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
