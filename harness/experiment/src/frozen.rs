//! A plan as the text of `plan.toml`: everything resolved, the same bytes for the same plan.

use std::collections::BTreeMap;

use harness_method::{Draw, Selection, Shots};
use harness_methods::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::ser::ValueSerializer;

use crate::epochs::EpochRange;
use crate::error::Error;
use crate::ids::{CellId, EvaluationId, TrainingId};
use crate::matrix;
use crate::plan::{Cell, Evaluation, Plan, Training};

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

/// The form of the current format, to which readers of older ones convert. Keys that aren't known are ignored: should
/// one have decided a record, the ids show it.
#[derive(Deserialize)]
struct Stored {
    records: Records,
    #[serde(flatten)]
    settings: Settings,
}

/// All but the records, which follow from it.
#[derive(Deserialize)]
struct Settings {
    methods: BTreeMap<String, u32>,
    #[serde(flatten)]
    plan: Plan,
}

impl Settings {
    /// The plan with its records.
    fn expand(self) -> Result<Plan, Error> {
        let Self { methods, mut plan } = self;
        methods.iter().try_for_each(|(name, version)| check_method(name, *version))?;
        matrix::expand(&mut plan)?;
        Ok(plan)
    }
}

/// The first line.
const TITLE: &str = "# A frozen plan: written by harness, not to be edited.\n";

/// What stands before the records.
const RECORDS: &str = "\n[records]\n";

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
    shots: Shots,
    draw: Draw,
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
    shots: Shots,
    draw: Draw,
    seed: u64,
    backend: String,
    selection: Selection,
    training: TrainingId,
    evaluation: EvaluationId,
}

impl Records {
    fn write(&self, text: &mut String) -> Result<(), toml::ser::Error> {
        rows(text, "trainings", &self.trainings)?;
        rows(text, "evaluations", &self.evaluations)?;
        rows(text, "cells", &self.cells)
    }

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
        let methods = self.methods().into_iter().map(|method| (method.name(), method.version())).collect();
        let head = Head { format: PLAN_FORMAT, plan: self, methods };
        let mut text = String::from(TITLE);
        text.push_str(&toml::to_string(&head).map_err(encode)?);
        text.push_str(RECORDS);
        Records::of(self).write(&mut text).map_err(encode)?;
        Ok(text)
    }

    /// Reads a frozen plan of this or an older format. Its records are computed again and must be those in the text, so
    /// that nothing runs under an id that does not fit.
    ///
    /// # Errors
    /// `Frozen` for other text, a newer format, another version of a method, or a text that was edited.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        // Most of the text are records, which take long to parse: where all is well, their text is compared instead.
        if let Some(plan) = read_unchanged(text) {
            return Ok(plan);
        }
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
        let Stored { records, settings } = stored;
        let plan = settings.expand()?;
        if Records::of(&plan) != records {
            return Err(frozen(
                "its records don't follow from its settings: it was edited, or a newer version wrote it",
                AGAIN,
            ));
        }
        Ok(plan)
    }
}

/// The plan of a text of this format that has exactly the records this version computes. `None` where anything else is
/// the case: the text is then read in full, to be accepted all the same or refused with the reason.
fn read_unchanged(text: &str) -> Option<Plan> {
    let (settings, records) = text.split_once(RECORDS)?;
    settings.strip_prefix(TITLE)?.strip_prefix(&format!("format = {PLAN_FORMAT}\n"))?;
    let plan = toml::from_str::<Settings>(settings).ok()?.expand().ok()?;
    let mut expected = String::with_capacity(records.len());
    Records::of(&plan).write(&mut expected).ok()?;
    (expected == records).then_some(plan)
}

/// Refuses a plan if this version would compute other numbers for its records.
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
