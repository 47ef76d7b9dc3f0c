//! The cross-dataset matrix: the numbers of each source on each target.

use std::collections::{BTreeMap, BTreeSet};

use harness_method::{ImageScore, Selection, Shots};
use harness_results::ReportDataset;
use harness_tables::{Frame, Query, row};

use crate::measure::{Measure, paper_score, rank, rule};
use crate::numbers::{Number, Wanted, numbers};
use crate::print::{Print, Reasons};
use crate::sheet::{Sheet, Table};
use crate::words::{k_name, rule_name};
use crate::{ReportError, SummaryRow};

/// What marks a number by the detection heads where the target's own score would be the map's maximum.
const BY_DETECTION: &str = "‡";

/// What the numbers of a matrix share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shared {
    pub(crate) selection: Selection,
    pub(crate) variant: String,
    pub(crate) backend: String,
    pub(crate) precision: String,
    pub(crate) shots: Shots,
    pub(crate) no_choice: bool,
    pub(crate) no_support: bool,
    pub(crate) measure: Measure,
}

/// One number of a matrix.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    number: Number,
    /// By the detection heads in place of the target's own score.
    pub(crate) by_detection: bool,
    /// The source could not train what is measured.
    untrained: bool,
    pub(crate) mean: Option<f64>,
    deviation: Option<f64>,
    pub(crate) count: u64,
    image_score: ImageScore,
}

/// A line a source, a column a target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matrix {
    pub(crate) shared: Shared,
    pub(crate) sources: Vec<String>,
    pub(crate) targets: Vec<String>,
    /// `[sources][targets]`.
    pub(crate) entries: Vec<Vec<Entry>>,
}

/// Columns of the summary that a line and a heading of a matrix are of.
const KEYS: [&str; 8] =
    ["variant", "dataset", "trained_on", "normal_shots", "abnormal_shots", "backend", "precision", "selection"];

/// The matrices of an experiment; none where every cell was scored on the dataset it was trained on.
///
/// # Errors
/// Polars' own.
pub(crate) fn matrices(
    rows: &[SummaryRow],
    datasets: &[ReportDataset],
    variants: &[String],
    backends: &[String],
) -> Result<Vec<Matrix>, ReportError> {
    if rows.iter().all(|row| row.dataset == row.trained_on) {
        return Ok(Vec::new());
    }
    let named = |name: fn(&SummaryRow) -> &str| -> Vec<&ReportDataset> {
        let names: BTreeSet<&str> = rows.iter().map(name).collect();
        datasets.iter().filter(|dataset| names.contains(dataset.name.as_str())).collect()
    };
    let (sources, targets) = (named(|row| &row.trained_on), named(|row| &row.dataset));
    let planned: Vec<(Shared, Vec<Pair<'_>>)> = all_shared(rows, variants, backends)
        .into_iter()
        .map(|shared| (shared.clone(), shared.pairs(&sources, &targets)))
        .collect();
    let wanted: Vec<Wanted> =
        planned.iter().flat_map(|(shared, pairs)| pairs.iter().flat_map(|pair| shared.wanted(*pair))).collect();
    let mut found = numbers(&wanted, rows, &KEYS)?.into_iter();
    let mut matrices = Vec::new();
    for (shared, pairs) in planned {
        let columns = pairs.len() / sources.len().max(1);
        let found: Vec<Number> = found.by_ref().take(2 * pairs.len()).collect();
        let entries: Vec<Entry> =
            pairs.iter().zip(found.as_chunks::<2>().0).map(|(pair, found)| shared.entry(*pair, found)).collect();
        if entries.iter().any(|entry| entry.mean.is_some()) {
            matrices.push(Matrix {
                sources: sources.iter().map(|source| source.name.clone()).collect(),
                targets: pairs.iter().take(columns).map(|(_, target)| target.name.clone()).collect(),
                entries: entries.chunks(columns.max(1)).map(<[Entry]>::to_vec).collect(),
                shared,
            });
        }
    }
    Ok(matrices)
}

/// A source and a target.
type Pair<'a> = (&'a ReportDataset, &'a ReportDataset);

/// What numbers can share, in the order to print.
fn all_shared(rows: &[SummaryRow], variants: &[String], backends: &[String]) -> Vec<Shared> {
    let mut found = BTreeMap::new();
    for row in rows {
        for measure in Measure::ALL {
            // What sees no support set is the same at every K, and stands at the first.
            let shots = (!row.no_support).then_some(row.shots);
            let backend = rank(backends, &row.backend);
            let order = (rule(row.selection), rank(variants, &row.variant), backend, &row.precision, shots, measure);
            found.entry(order).or_insert_with(|| Shared {
                selection: row.selection,
                variant: row.variant.clone(),
                backend: row.backend.clone(),
                precision: row.precision.clone(),
                shots: row.shots,
                no_choice: row.no_choice,
                no_support: row.no_support,
                measure,
            });
        }
    }
    found.into_values().collect()
}

impl Shared {
    /// Each source with each target, source by source. Segmentation of images without masks can't be measured.
    fn pairs<'a>(&self, sources: &[&'a ReportDataset], targets: &[&'a ReportDataset]) -> Vec<Pair<'a>> {
        let has_measure = |target: &&ReportDataset| target.masks || !self.measure.metric().needs_masks();
        let targets: Vec<&ReportDataset> = targets.iter().copied().filter(has_measure).collect();
        sources.iter().flat_map(|source| targets.iter().map(move |target| (*source, *target))).collect()
    }

    /// The number by the target's own score, and by the detection heads for a source that can't train the others.
    fn wanted(&self, (source, target): Pair<'_>) -> [Wanted; 2] {
        [paper_score(target.masks), paper_score(false)].map(|score| Wanted {
            variant: self.variant.clone(),
            dataset: target.name.clone(),
            trained_on: source.name.clone(),
            shots: self.shots,
            backend: self.backend.clone(),
            precision: self.precision.clone(),
            selection: self.selection,
            metric: Some(self.measure.metric()),
            image_score: Some(score),
            ..Wanted::default()
        })
    }

    fn entry(&self, (source, target): Pair<'_>, [own, detection]: &[Number; 2]) -> Entry {
        let measure = self.measure;
        let by_detection = measure == Measure::Ac && target.masks && !source.masks && own.mean.is_none();
        let number = if by_detection { detection } else { own };
        let untrained = measure == Measure::As && !source.masks && number.group_is_done();
        Entry {
            number: number.clone(),
            by_detection: by_detection && number.mean.is_some(),
            untrained: untrained && number.mean.is_none(),
            mean: number.mean,
            deviation: number.deviation,
            count: number.count.unwrap_or(0),
            image_score: paper_score(target.masks && !by_detection),
        }
    }
}

/// What stands in place of segmentation that was not learned.
const UNTRAINED: &str = "source has no masks";

impl Entry {
    fn words(&self, print: &Print, reasons: &mut Reasons) -> String {
        match self {
            Self { untrained: true, .. } => UNTRAINED.to_owned(),
            Self { by_detection: true, .. } => self.number.words(print, reasons) + BY_DETECTION,
            _ => self.number.words(print, reasons),
        }
    }

    /// Why there is no number, in a word or two.
    pub(crate) fn why_missing(&self) -> &'static str {
        if self.untrained { UNTRAINED } else { self.number.why_missing() }
    }

    fn message(&self) -> String {
        if self.untrained { UNTRAINED.to_owned() } else { self.number.message() }
    }
}

row! {
    /// One number a row: the table as programs read it.
    LongRow is "cross-dataset" {
        selection: Selection,
        variant: String,
        backend: String,
        precision: String,
        measure: String,
        trained_on: String,
        dataset: String,
        image_score: Option<ImageScore>,
        message: String,
        shots: Option<u64>,
        mean: Option<f64>,
        deviation: Option<f64>,
        count: u64,
        no_choice: bool,
        normal_shots: u64,
        abnormal_shots: u64,
    }
}

row! {
    /// A number as the table prints it, for the pivot.
    Word is "words" {
        line: u32,
        target: String,
        words: String,
    }
}

/// The matrices below one another; `None` where there are none.
pub(crate) fn cross_dataset(matrices: &[Matrix], print: &Print) -> Result<Option<Table>, ReportError> {
    let Some(widest) = matrices.iter().map(|matrix| &matrix.targets).max_by_key(|targets| targets.len()) else {
        return Ok(None);
    };
    let mut sheet = Sheet::new(&["selection", "variant", "backend", "precision"], &["K"]);
    sheet.stub_after(&["measure", "trained on"]);
    sheet.numbers_after(&widest.iter().map(String::as_str).collect::<Vec<_>>());
    let mut reasons = Reasons::default();
    let mut cells = cells(matrices, widest, print, &mut reasons)?.into_iter();
    for matrix in matrices {
        sheet.block();
        let shared = &matrix.shared;
        for (source, cells) in matrix.sources.iter().zip(&mut cells) {
            let mut words = vec![
                rule_name(shared.selection, shared.no_choice).to_owned(),
                print.variant(&shared.variant).to_owned(),
                shared.backend.clone(),
                shared.precision.clone(),
                k_name(shared.shots, shared.no_support),
                shared.measure.name().to_owned(),
                source.clone(),
            ];
            words.extend(cells.into_iter().map(|cell| cell.unwrap_or_else(|| "no masks".to_owned())));
            sheet.push(words);
        }
    }
    let mut notes = vec![
        "AC: image AUROC, by the map's maximum where the target has masks, else by the detection heads; AS: pixel AUROC. Mean \
         ± sample standard deviation over draws and seeds. On the diagonal, source and target are the same dataset."
            .to_owned(),
    ];
    if matrices.iter().flat_map(|matrix| matrix.entries.iter().flatten()).any(|entry| entry.by_detection) {
        notes.push(format!(
            "{BY_DETECTION} by the detection heads: the source has no masks, so its segmentation heads are untrained."
        ));
    }
    let (sheet, everywhere) = sheet.without_constant(&["selection", "variant", "backend", "precision", "K", "measure"]);
    notes.splice(0..0, everywhere);
    notes.extend(reasons.note());
    Ok(Some(Table {
        name: "cross-dataset",
        heading: "Cross-dataset",
        sentence: "Trained on the dataset of the line, scored on the test set of the column.".to_owned(),
        brief: vec!["AC: image AUROC; AS: pixel AUROC; mean ± standard deviation.".to_owned()],
        notes,
        shown: sheet.frame()?,
        whole: None,
        long: Frame::of(&long(matrices))?,
    }))
}

/// The words of every line of every matrix, below the headings of the widest.
fn cells(
    matrices: &[Matrix],
    widest: &[String],
    print: &Print,
    reasons: &mut Reasons,
) -> Result<Vec<Vec<Option<String>>>, ReportError> {
    let lines = matrices.iter().flat_map(|matrix| matrix.entries.iter().map(|line| (&matrix.targets, line)));
    let mut words = Vec::new();
    for (line, (targets, entries)) in (0..).zip(lines) {
        for (target, entry) in targets.iter().zip(entries) {
            words.push(Word { line, target: target.clone(), words: entry.words(print, reasons) });
        }
    }
    Ok(Query::of(&words)?.pivot(&["line"], "target", widest, "words")?)
}

fn long(matrices: &[Matrix]) -> Vec<LongRow> {
    let mut rows = Vec::new();
    for Matrix { shared, sources, targets, entries } in matrices {
        for (source, line) in sources.iter().zip(entries) {
            rows.extend(targets.iter().zip(line).map(|(target, entry)| LongRow {
                selection: shared.selection,
                variant: shared.variant.clone(),
                backend: shared.backend.clone(),
                precision: shared.precision.clone(),
                measure: shared.measure.name().to_owned(),
                trained_on: source.clone(),
                dataset: target.clone(),
                image_score: Some(entry.image_score),
                message: entry.message(),
                shots: shared.shots.k().map(u64::from),
                mean: entry.mean,
                deviation: entry.deviation,
                count: entry.count,
                no_choice: shared.no_choice,
                normal_shots: u64::from(shared.shots.normal),
                abnormal_shots: u64::from(shared.shots.abnormal),
            }));
        }
    }
    rows
}
