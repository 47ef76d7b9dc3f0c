//! Where a cell's numbers come from: what decided its ids, what its records cost and read, where they are and what
//! happened to them.

use std::collections::HashSet;
use std::path::Path;

use harness_data::{Dataset, FileHashes, Item, Registry};
use harness_experiment::{Cell, CellId, ContentHash, Evaluation, Plan, Selection, Training};
use harness_records::{
    CellRecords, CellState, Check, Cost, Detail, Entry, Failure, Folder, Found, Quantity, RecordId, Statuses, journal,
};
use harness_worker::open_weights;
use harness_worker::test_set;
use serde_json::Value;

use crate::error::Error;

/// A heading with lines of a name and a value each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// What it is about.
    pub title: String,
    /// Names and values.
    pub lines: Vec<(String, String)>,
}

impl Section {
    fn new(title: String) -> Self {
        Self { title, lines: Vec::new() }
    }

    fn line(&mut self, name: impl Into<String>, value: impl ToString) {
        self.lines.push((name.into(), value.to_string()));
    }
}

/// All that is known of a cell. With `registry`, also the files that it read, those of test sets only where
/// `every_file` is asked for.
///
/// # Errors
/// A journal that can't be read. What can't be read of records and datasets stands in the sections.
pub fn explain(
    plan: &Plan,
    folder: &Folder,
    id: CellId,
    registry: Option<(&Registry, &FileHashes)>,
    every_file: bool,
) -> Result<Vec<Section>, Error> {
    let same: Vec<&Cell> = plan.cells.iter().filter(|cell| cell.id == id).collect();
    let Some(cell) = same.first() else { return Ok(Vec::new()) };
    let statuses = Statuses::read(plan, folder)?;
    let entries = journal::entries(&folder.journal())?.known;
    let mut head = Section::new(format!("cell {id}"));
    // Cells that share the id differ in names, and in what decides nothing.
    let each = |of: &dyn Fn(&Cell) -> String| {
        let mut values: Vec<String> = Vec::new();
        for value in same.iter().map(|cell| of(cell)) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    };
    for variant in each(&|cell| cell.variant.clone()) {
        head.line("variant", variant);
    }
    head.line("dataset", &cell.dataset);
    if cell.trained_on != cell.dataset {
        head.line("trained on", &cell.trained_on);
    }
    let blind = plan.without_support().contains(cell.variant.as_str());
    let idle = if blind { " (decides nothing: no support set is seen)" } else { "" };
    head.line("shots", format!("{}{idle}", each(&|cell| cell.shots.explained()).join(", ")));
    head.line("draw", format!("{}{idle}", each(&|cell| cell.draw.to_string()).join(", ")));
    head.line("seed", each(&|cell| cell.seed.to_string()).join(", "));
    head.line("backend", &cell.backend);
    let records = CellRecords::read(folder, std::iter::once(*cell), Detail::Metrics);
    let state = records.cell(cell);
    let status = statuses.of(cell, &state);
    head.line("status", status.name());
    match (&state, statuses.failure(cell)) {
        (CellState::Unreadable(why), _) => head.line("why", why),
        (CellState::Missing, Some(Failure { class, message })) => head.line("why", format!("{class}: {message}")),
        _ => {}
    }
    head.line("decided by", "training, evaluation and selection");
    head.line("  training", cell.training);
    head.line("  evaluation", cell.evaluation);
    let single = cell.selection != Selection::Last && plan.without_choice().contains(cell.variant.as_str());
    let no_choice = if single { " (no choice: there is one state)" } else { "" };
    head.line("  selection", format!("{}{no_choice}", cell.selection));
    let mut sections = vec![head];
    let find = |id| plan.evaluations.iter().find(|evaluation| evaluation.id == id);
    let mut listed = HashSet::new();
    for (role, evaluation) in
        std::iter::once(("", cell.evaluation)).chain(cell.chosen_by.iter().map(|id| (CHOOSER, *id)))
    {
        let Some(evaluation) = find(evaluation) else { continue };
        let Some(training) = plan.trainings.iter().find(|training| training.id == evaluation.training) else {
            continue;
        };
        if listed.insert(RecordId::from(training.id)) {
            sections.push(of_training(plan, folder, training, &entries, registry)?);
        }
        if listed.insert(RecordId::from(evaluation.id)) {
            sections.push(of_evaluation(folder, evaluation, training, role, &entries, registry, every_file)?);
        }
    }
    Ok(sections)
}

const CHOOSER: &str = ", which chooses the epoch";

fn of_training(
    plan: &Plan,
    folder: &Folder,
    training: &Training,
    entries: &[Entry],
    registry: Option<(&Registry, &FileHashes)>,
) -> Result<Section, Error> {
    let id = training.id;
    let fold = training.fold.as_ref().map(|fold| format!(", fold {}", fold.number)).unwrap_or_default();
    let mut section = Section::new(format!("training {id}{fold}"));
    decided(&mut section, &training.decided_by()?);
    let record = folder.read_training(id);
    kept(&mut section, &folder.training(id), record.map(|record| (record.cost, record.check)));
    attempts(&mut section, entries, id.into());
    let Some((registry, hashes)) = registry else { return Ok(section) };
    section.line("read", "");
    match open_weights(&plan.encoder.source) {
        Ok(weights) => {
            for file in weights.files() {
                let hash = hashes.of(&file).map_or_else(|error| error.to_string(), hex);
                section.line("  weights", format!("{hash}  {}", file.display()));
            }
        }
        Err(error) => section.line("  weights", error),
    }
    let Some(planned) = &training.support else {
        section.line("  support", "none: the method sees no support set, so K and draw decide nothing");
        return Ok(section);
    };
    let support =
        Dataset::open(registry, &training.dataset).and_then(|dataset| dataset.support(training.shots, training.draw));
    match support {
        Ok(set) => {
            if set.hash != planned.to_string() {
                section.line("  support", "changed since then: these are not the images that it was trained on");
            }
            set.abnormal.iter().chain(&set.normal).for_each(|item| files(&mut section, "support", item, hashes));
        }
        Err(error) => section.line("  support", error),
    }
    Ok(section)
}

fn of_evaluation(
    folder: &Folder,
    evaluation: &Evaluation,
    training: &Training,
    role: &str,
    entries: &[Entry],
    registry: Option<(&Registry, &FileHashes)>,
    every_file: bool,
) -> Result<Section, Error> {
    let id = evaluation.id;
    let mut section = Section::new(format!("evaluation {id}{role}"));
    decided(&mut section, &evaluation.decided_by(training)?);
    let record = folder.read_evaluation(id);
    if let Found::Whole(record) = &record {
        let epochs: Vec<String> = record.epochs.iter().map(ToString::to_string).collect();
        section.line("scored epochs", epochs.join(", "));
    }
    kept(&mut section, &folder.evaluation(id), record.map(|record| (record.cost, record.check)));
    attempts(&mut section, entries, id.into());
    let what = if evaluation.on_fold { "held-out support images" } else { "test images" };
    let (count, dataset) = (evaluation.test_images, &evaluation.dataset);
    section.line("read", format!("{count} {what} of [{dataset}]; BLAKE3 of all {}", evaluation.test));
    if let Some((registry, hashes)) = registry.filter(|_| every_file) {
        match test_set::items(registry, evaluation, training) {
            Ok(items) => items.iter().for_each(|item| files(&mut section, "image", item, hashes)),
            Err(error) => section.line("  images", error),
        }
    }
    Ok(section)
}

/// What decided an id, field by field.
fn decided(section: &mut Section, tree: &Value) {
    section.line("decided by", "");
    flatten(section, "  ", tree);
}

fn flatten(section: &mut Section, prefix: &str, value: &Value) {
    let Value::Object(map) = value else { return };
    for (key, value) in map {
        let name = format!("{prefix}{key}");
        match value {
            Value::Object(_) => flatten(section, &format!("{name}."), value),
            Value::Number(bits) if key == "learning_rate_bits" => {
                section.line(format!("{prefix}learning_rate"), f64::from_bits(bits.as_u64().unwrap_or(0)));
            }
            Value::String(text) => section.line(name, text),
            other => section.line(name, other),
        }
    }
}

/// Where a record is and what it took.
fn kept(section: &mut Section, path: &Path, record: Found<(Cost, Option<Check>)>) {
    let (cost, check) = match record {
        Found::Whole(known) => known,
        Found::Missing => return section.line("record", "not there"),
        Found::Unreadable(why) => return section.line("record", why),
    };
    section.line("record", path.display());
    let memory = cost.peak_memory_bytes.map(|bytes| format!(", peak memory {}", harness_text::bytes(bytes)));
    let windows = match cost.windowed {
        0 => String::new(),
        images => format!(" and {images} images' windows of one side"),
    };
    section.line(
        "cost",
        format!(
            "{:.1} s, of which {:.1} s encoding {} images{windows} and {:.1} s computing{}",
            cost.total_secs,
            cost.encode_secs,
            cost.encoded,
            cost.compute_secs,
            memory.unwrap_or_default()
        ),
    );
    if let Some(Check { by, quantities }) = check {
        section.line("checked by", format!("{by}, in {:.1} s", cost.check_secs.unwrap_or_default()));
        for Quantity { of, name, error, tolerance } in quantities {
            section.line(format!("  {name}"), format!("{error:.1e} off, at most {tolerance:.0e}: {of}"));
        }
    }
}

/// What the journal says of a record.
fn attempts(section: &mut Section, entries: &[Entry], id: RecordId) {
    let mut count = 0;
    for entry in entries {
        let (at, what) = match entry {
            Entry::Completed { at, record, secs, attempt } if *record == id => {
                count += 1;
                (at, format!("attempt {attempt} completed in {secs:.1} s"))
            }
            Entry::Failed { at, record, class, message, attempt } if *record == id => {
                count += 1;
                (at, format!("attempt {attempt} failed, {class}: {message}"))
            }
            Entry::Removed { at, record, why } if *record == id => {
                let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                (at, format!("deleted, to be computed again{why}"))
            }
            _ => continue,
        };
        section.line("journal", format!("{}: {what}", harness_text::date(*at)));
    }
    section.line("attempts", count);
}

fn files(section: &mut Section, role: &str, item: &Item, hashes: &FileHashes) {
    let hash = |source| hashes.of_source(source).map_or_else(|error| error.to_string(), hex);
    let class = if item.abnormal { "abnormal" } else { "normal" };
    section.line(format!("  {role}, {class}"), format!("{}  {}", hash(&item.image), item.image));
    if let Some(mask) = &item.mask {
        section.line(format!("  {role}, mask"), format!("{}  {mask}", hash(mask)));
    }
}

fn hex(bytes: [u8; 32]) -> String {
    ContentHash::from_bytes(bytes).to_string()
}
