//! The few-shot table: a line for each K and variant, a column for each dataset and measure, a block for each selection
//! rule and K, and published lines below.

use std::collections::{BTreeMap, BTreeSet};

use harness_method::{ImageScore, Selection, Shots};
use harness_results::ReportDataset;
use harness_tables::{DifferenceRow, Frame, PublishedRow, row};

use crate::best::{BRIEF, Mark, NOTE, marks};
use crate::comparisons::{Condition, Differences};
use crate::means::{has_mean, mean_over, score_of_mean};
use crate::measure::{Measure, paper_score, rank, rule};
use crate::numbers::{Number, Wanted, numbers};
use crate::print::{Print, Reasons};
use crate::published_lines::{Published, PublishedLine, published_lines};
use crate::sheet::{Sheet, Table};
use crate::words::{NO_CHOICE, chosen_by, k_name, range, rule_name};
use crate::{ReportError, SummaryRow};

/// What the table is made of.
pub(crate) struct Material<'a> {
    pub(crate) rows: &'a [SummaryRow],
    pub(crate) datasets: &'a [ReportDataset],
    pub(crate) variants: &'a [String],
    pub(crate) print: &'a Print,
    pub(crate) published: &'a [PublishedRow],
    pub(crate) differences: &'a [DifferenceRow],
}

/// The numbers of one variant, rule and K.
struct Line<'a> {
    selection: Selection,
    variant: &'a str,
    backend: &'a str,
    precision: &'a str,
    allow_overlap: bool,
    shots: Shots,
    no_choice: bool,
    no_support: bool,
    /// Its numbers stand for other rules, too.
    several_rules: bool,
    /// One for each column of the table.
    numbers: Vec<Number>,
    /// One for each column, then one for each mean.
    marks: Vec<Mark>,
}

/// A column of a dataset.
type Column<'a> = (&'a ReportDataset, Measure);

/// The lines and columns of the table.
struct FewShot<'a> {
    datasets: Vec<&'a ReportDataset>,
    columns: Vec<Column<'a>>,
    /// Measures that have a mean over datasets.
    means: Vec<Measure>,
    lines: Vec<Line<'a>>,
    published: BTreeMap<PublishedLine<'a>, Published<'a>>,
}

/// Columns before the first number.
const FIRST: usize = 7;

/// Columns of the summary that a line and a heading of the table are of.
const KEYS: [&str; 9] = [
    "variant",
    "dataset",
    "trained_on",
    "normal_shots",
    "abnormal_shots",
    "backend",
    "precision",
    "allow_overlap",
    "selection",
];

/// The few-shot table of cells that were scored on the dataset they were trained on; `None` where none is done.
///
/// # Errors
/// Polars' own.
pub(crate) fn few_shot(from: &Material<'_>) -> Result<Option<Table>, ReportError> {
    let Some(table) = FewShot::of(from)? else { return Ok(None) };
    let mut reasons = Reasons::default();
    let sheet = table.sheet(from.print, &mut reasons);
    let (sheet, everywhere) = sheet.without_constant(&["selection", "backend", "precision", "overlap"]);
    let notes = everywhere.into_iter().chain(table.notes()).chain(reasons.note()).collect();
    Ok(Some(Table {
        name: "few-shot",
        heading: "Few-shot detection and segmentation",
        sentence: "Each variant at each K, trained and scored on the same dataset, a block for each rule that chose the epoch."
            .to_owned(),
        brief: table.brief(),
        notes,
        shown: sheet.frame()?,
        whole: None,
        long: Frame::of(&table.long())?,
    }))
}

impl<'a> FewShot<'a> {
    fn of(from: &Material<'a>) -> Result<Option<Self>, ReportError> {
        let rows: Vec<&SummaryRow> = from.rows.iter().filter(|row| row.dataset == row.trained_on).collect();
        let scored: BTreeSet<&str> = rows.iter().map(|row| row.dataset.as_str()).collect();
        let datasets: Vec<&ReportDataset> =
            from.datasets.iter().filter(|dataset| scored.contains(dataset.name.as_str())).collect();
        let columns: Vec<Column<'_>> = datasets
            .iter()
            .flat_map(|dataset| Measure::of_dataset(dataset).map(|measure| (*dataset, measure)))
            .collect();
        let mut lines = all_lines(&rows, from.variants, from.print);
        let wanted: Vec<Wanted> =
            lines.iter().flat_map(|line| columns.iter().map(|column| line.wanted(*column))).collect();
        // Line by line and column by column, as they were asked for: no pivot is left to do.
        let mut found = numbers(&wanted, from.rows, &KEYS)?.into_iter();
        for line in &mut lines {
            line.numbers = found.by_ref().take(columns.len()).collect();
        }
        if lines.iter().all(|line| line.numbers.iter().all(|number| number.mean.is_none())) {
            return Ok(None);
        }
        let means = Measure::ALL.into_iter().filter(|measure| has_mean(&datasets, *measure)).collect();
        let shots: BTreeSet<u32> = lines.iter().filter_map(|line| line.shots.k()).collect();
        let published = published_lines(from.published, &datasets, &shots);
        let mut table = Self { datasets, columns, means, lines, published };
        table.mark(&Differences::of(from.differences));
        table.print_once();
        Ok(Some(table))
    }

    /// Marks each line's numbers. Compared are lines that differ in the variant alone.
    fn mark(&mut self, differences: &Differences<'_>) {
        let mut blocks: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (at, line) in self.lines.iter().enumerate() {
            let shared = (rule(line.selection), line.backend, line.precision, line.allow_overlap, line.shots);
            blocks.entry(shared).or_default().push(at);
        }
        for block in blocks.into_values() {
            let mut columns = Vec::new();
            for (at, (dataset, measure)) in self.columns.iter().enumerate() {
                let values = block.iter().map(|line| self.lines[*line].numbers[at].mean).collect();
                let compared = Some((dataset.name.as_str(), paper_score(dataset.masks)));
                columns.push(self.marks(&block, values, (*measure, compared), differences));
            }
            for measure in &self.means {
                let values = block.iter().map(|line| self.mean(&self.lines[*line], *measure).ok()).collect();
                let compared = score_of_mean(&self.datasets, *measure).map(|score| ("", score));
                columns.push(self.marks(&block, values, (*measure, compared), differences));
            }
            for (index, line) in block.iter().enumerate() {
                self.lines[*line].marks = columns.iter().map(|column| column[index]).collect();
            }
        }
    }

    /// Leaves one line of what has one state, as its numbers are the same by every rule, and of what sees no support
    /// set, as they are at every K. Compared it is by each rule and at each K, so a mark stays where it has it by and
    /// at all of them.
    fn print_once(&mut self) {
        let mut kept: Vec<Line<'a>> = Vec::new();
        for line in std::mem::take(&mut self.lines) {
            let same = |other: &&mut Line<'_>| {
                (line.no_support || (line.no_choice && line.shots == other.shots))
                    && (line.variant, line.backend, line.precision) == (other.variant, other.backend, other.precision)
                    && (line.selection == other.selection || line.no_choice)
                    && line.allow_overlap == other.allow_overlap
                    && line.numbers.iter().zip(&other.numbers).all(|(number, other)| number.mean == other.mean)
                    // What failed or was not run stands by each rule.
                    && (line.selection == other.selection || line.numbers.iter().chain(&other.numbers).all(Number::is_whole))
            };
            match kept.iter_mut().find(same) {
                Some(other) => {
                    other.several_rules |= line.selection != other.selection;
                    let marks = other.marks.iter_mut().zip(&line.marks);
                    marks.filter(|(mark, other)| **mark != **other).for_each(|(mark, _)| *mark = Mark::None);
                }
                None => kept.push(line),
            }
        }
        self.lines = kept;
    }

    /// The marks of a column in a block of lines; `compared` is the dataset and image score of its differences, where
    /// it can have some. A number that stands alone has none.
    fn marks(
        &self,
        block: &[usize],
        values: Vec<Option<f64>>,
        (measure, compared): (Measure, Option<(&str, ImageScore)>),
        differences: &Differences<'_>,
    ) -> Vec<Mark> {
        let numbers: Vec<(&str, Option<f64>)> =
            block.iter().zip(values).map(|(line, value)| (self.lines[*line].variant, value)).collect();
        let Some(line) = block.first().map(|line| &self.lines[*line]) else { return Vec::new() };
        if numbers.iter().filter(|(_, number)| number.is_some()).count() < 2 {
            return vec![Mark::None; numbers.len()];
        }
        marks(&numbers, |variant, best| {
            let (dataset, score) = compared?;
            let condition = Condition {
                dataset,
                trained_on: dataset,
                shots: line.shots,
                backend: line.backend,
                selection: line.selection,
                metric: measure.metric(),
                image_score: Some(score),
            };
            Some(differences.get(condition, variant, best)?.p_holm)
        })
    }

    /// The mean of a line over all datasets that have the measure, or which are missing.
    fn mean(&self, line: &Line<'_>, measure: Measure) -> Result<f64, String> {
        let value = |dataset: &ReportDataset| {
            let at = self.columns.iter().position(|(known, m)| known.name == dataset.name && *m == measure)?;
            line.numbers.get(at)?.mean
        };
        mean_over(&self.datasets, measure, value)
    }

    /// The table as people read it.
    fn sheet(&self, print: &Print, reasons: &mut Reasons) -> Sheet {
        let mut sheet = Sheet::new(&["selection", "method", "backend", "precision", "overlap"], &["K", "n"]);
        for dataset in &self.datasets {
            let names: Vec<&str> = Measure::of_dataset(dataset).map(Measure::name).collect();
            sheet.under(&dataset.name, &names);
        }
        if !self.means.is_empty() {
            let names: Vec<&str> = self.means.iter().map(|measure| measure.name()).collect();
            sheet.under("mean", &names);
        }
        let mut last = None;
        for line in &self.lines {
            // What has no support set stands first, beside the first K.
            let shots =
                if line.no_support { self.lines.first().map_or(line.shots, |line| line.shots) } else { line.shots };
            if last != Some((line.selection, shots)) {
                sheet.block();
                last = Some((line.selection, shots));
            }
            sheet.push(self.words(line, print, reasons));
            let best = line.marks.iter().enumerate().filter(|(_, mark)| **mark == Mark::Best);
            best.for_each(|(at, _)| sheet.embolden(FIRST + at));
        }
        if !self.published.is_empty() {
            sheet.block();
        }
        for (other, values) in &self.published {
            let blank = String::new;
            let mut words =
                vec![other.protocol(), other.name(), blank(), blank(), blank(), other.shots.to_string(), blank()];
            words.extend(self.columns.iter().map(|(dataset, measure)| other.cell(values, dataset, *measure, print)));
            words.extend(self.means.iter().map(|measure| other.mean(values, &self.datasets, *measure, print)));
            sheet.push(words);
        }
        sheet
    }

    fn words(&self, line: &Line<'_>, print: &Print, reasons: &mut Reasons) -> Vec<String> {
        let rule = if line.several_rules { NO_CHOICE } else { rule_name(line.selection, line.no_choice) };
        let mut words = vec![
            rule.to_owned(),
            print.variant(line.variant).to_owned(),
            line.backend.to_owned(),
            line.precision.to_owned(),
            if line.allow_overlap { "allowed" } else { "none" }.to_owned(),
            k_name(line.shots, line.no_support),
            range(line.numbers.iter().filter(|number| number.mean.is_some()).filter_map(|number| number.count)),
        ];
        words.extend(line.numbers.iter().map(|number| number.words(print, reasons)));
        words.extend(self.means.iter().map(|measure| {
            self.mean(line, *measure)
                .map_or_else(|missing| missing, |mean| print.fraction(mean, chosen_by(line.selection, line.no_choice)))
        }));
        words.iter_mut().skip(FIRST).zip(&line.marks).for_each(|(word, mark)| word.push_str(mark.sign()));
        words
    }

    /// What its caption says.
    fn brief(&self) -> Vec<String> {
        let mut brief =
            vec!["AC: image AUROC; AS: pixel AUROC; mean ± standard deviation over n trainings.".to_owned()];
        if self.lines.iter().flat_map(|line| &line.marks).any(|mark| *mark != Mark::None) {
            brief.push(format!("At one K: {}", BRIEF.replacen("Bold", "bold", 1)));
        }
        brief
    }

    /// What stands below the table.
    fn notes(&self) -> Vec<String> {
        let mut notes = vec![
            "AC: image AUROC, by the map's maximum where the dataset has masks, else by the detection heads. AS: pixel AUROC. \
             Mean ± sample standard deviation over draws and seeds; n counts the trainings behind each number."
                .to_owned(),
        ];
        if !self.means.is_empty() {
            notes.push(
                "mean: the mean over datasets of their means; seeds and draws are not counted as datasets.".to_owned(),
            );
        }
        if self.lines.iter().flat_map(|line| &line.marks).any(|mark| *mark != Mark::None) {
            notes.push(format!(
                "Marks compare variants of a block at the same K; published rows are not marked. {NOTE}"
            ));
        }
        if !self.published.is_empty() {
            notes.push(
                "Lines marked \"not run here\" are published numbers under their own protocols; sources are in the table of \
                 published numbers."
                    .to_owned(),
            );
        }
        notes
    }

    /// The table as programs read it.
    fn long(&self) -> Vec<LongRow> {
        let mut rows = Vec::new();
        for line in &self.lines {
            let cells = self.columns.iter().zip(&line.numbers).zip(&line.marks);
            rows.extend(cells.map(|(((dataset, measure), number), mark)| line.long(dataset, *measure, number, *mark)));
        }
        for (other, values) in &self.published {
            let row = |(dataset, measure): &Column<'_>| {
                let value = other.value(values, dataset, *measure)?;
                Some(LongRow {
                    run: "published".to_owned(),
                    selection: other.selection_name().to_owned(),
                    method: other.name(),
                    dataset: dataset.name.clone(),
                    measure: measure.name().to_owned(),
                    shots: Some(u64::from(other.shots)),
                    normal_shots: u64::from(other.shots),
                    abnormal_shots: u64::from(other.shots),
                    mean: Some(value),
                    message: other.protocol.to_owned(),
                    ..LongRow::default()
                })
            };
            rows.extend(self.columns.iter().filter_map(row));
        }
        rows
    }
}

/// The lines of these rows, in the order to print, without their numbers. The order of rules and variants is the
/// experiment's, which no column holds, so they are ordered here and not by a query.
fn all_lines<'a>(rows: &[&'a SummaryRow], variants: &[String], print: &Print) -> Vec<Line<'a>> {
    let mut lines = BTreeMap::new();
    for row in rows {
        let (backend, precision) = (row.backend.as_str(), row.precision.as_str());
        let variant = rank(variants, &row.variant);
        let order = (rule(row.selection), row.shots, variant, print.backend(backend), (precision, row.allow_overlap));
        lines.entry(order).or_insert_with(|| Line {
            selection: row.selection,
            variant: &row.variant,
            backend,
            precision,
            allow_overlap: row.allow_overlap,
            shots: row.shots,
            no_choice: row.no_choice,
            no_support: row.no_support,
            several_rules: false,
            numbers: Vec::new(),
            marks: Vec::new(),
        });
    }
    lines.into_values().collect()
}

impl Line<'_> {
    fn wanted(&self, (dataset, measure): Column<'_>) -> Wanted {
        Wanted {
            variant: self.variant.to_owned(),
            dataset: dataset.name.clone(),
            trained_on: dataset.name.clone(),
            shots: self.shots,
            backend: self.backend.to_owned(),
            precision: self.precision.to_owned(),
            allow_overlap: self.allow_overlap,
            selection: self.selection,
            metric: Some(measure.metric()),
            image_score: Some(paper_score(dataset.masks)),
        }
    }

    fn long(&self, dataset: &ReportDataset, measure: Measure, number: &Number, mark: Mark) -> LongRow {
        let planned = number.failed.is_some();
        LongRow {
            run: "here".to_owned(),
            selection: self.selection.name().to_owned(),
            method: self.variant.to_owned(),
            backend: self.backend.to_owned(),
            precision: self.precision.to_owned(),
            dataset: dataset.name.clone(),
            measure: measure.name().to_owned(),
            image_score: Some(paper_score(dataset.masks)),
            mark: mark.word().to_owned(),
            shots: self.shots.k().map(u64::from),
            mean: number.mean,
            deviation: number.deviation,
            count: number.count.unwrap_or(0),
            failed: number.failed.unwrap_or(0),
            not_run: number.not_run.unwrap_or(0),
            message: if planned { number.message.clone().unwrap_or_default() } else { "not planned".to_owned() },
            no_choice: self.no_choice,
            no_support: self.no_support,
            normal_shots: u64::from(self.shots.normal),
            abnormal_shots: u64::from(self.shots.abnormal),
        }
    }
}

row! {
    /// One number a row: the table as programs read it.
    #[derive(Default)]
    LongRow is "few-shot" {
        run: String,
        selection: String,
        method: String,
        backend: String,
        precision: String,
        dataset: String,
        measure: String,
        image_score: Option<ImageScore>,
        mark: String,
        shots: Option<u64>,
        mean: Option<f64>,
        deviation: Option<f64>,
        count: u64,
        failed: u64,
        not_run: u64,
        message: String,
        no_choice: bool,
        no_support: bool,
        normal_shots: u64,
        abnormal_shots: u64,
    }
}
