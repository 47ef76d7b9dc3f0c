//! Numbers that others published (`data/published.csv`) beside ours: which of them are the same experiment, and how far
//! apart they are.

use std::collections::BTreeSet;
use std::path::Path;

use harness_method::{ImageScore, Selection};
use harness_results::ReportDataset;
use harness_tables::{Frame, PublishedRow, TablesError, Values, parse_csv};

use crate::measure::{Measure, asked_by, paper_score, rule};
use crate::print::Print;
use crate::sheet::{Sheet, Table};
use crate::words::{chosen_by, dagger, rule_name};
use crate::{ReportError, SummaryRow};

/// The data file, inside the program.
static FILE: &[u8] = include_bytes!("../data/published.csv");

/// Points by which a dataset's number may differ from a published one of the same experiment.
const BAND: f64 = 6.0;
/// The same, of the mean over datasets.
const BAND_OF_MEAN: f64 = 1.0;

/// All published numbers that are known, percent as in the file.
///
/// # Errors
/// A damaged build.
pub fn published() -> Result<Vec<PublishedRow>, TablesError> {
    parse_csv(FILE.to_vec(), Path::new("published.csv"))
}

/// The number as a fraction, as all of ours are.
pub(crate) fn fraction_of(row: &PublishedRow) -> f64 {
    row.percent / 100.0
}

/// A method, and who ran it where that was not its publisher.
pub(crate) fn named(method: &str, run_by: &str) -> String {
    if run_by == "as published" { method.to_owned() } else { format!("{method} (run by {run_by})") }
}

/// Our side of the comparison.
pub(crate) struct Ours<'a> {
    pub(crate) rows: &'a [SummaryRow],
    pub(crate) datasets: &'a [ReportDataset],
    /// Variants that are a published method, each with its name.
    pub(crate) methods: &'a [(String, String)],
    /// The variant that stands for the experiment beside methods it does not have.
    pub(crate) base: &'a str,
}

/// A published number with ours.
struct Joined<'a> {
    theirs: &'a PublishedRow,
    dataset: String,
    measure: Measure,
    value: f64,
    /// Absent where nothing of ours has this dataset and K.
    ours: Option<Own>,
    verdict: String,
}

/// Our side.
#[derive(Clone)]
struct Own {
    variant: String,
    selection: Selection,
    /// Absent for the mean over datasets, each of which has its own.
    image_score: Option<ImageScore>,
    value: f64,
    count: u64,
    /// Method, K, selection and image score are theirs.
    same: bool,
    /// There was one state alone.
    no_choice: bool,
}

impl Own {
    fn chosen_by(&self) -> Option<Selection> {
        chosen_by(self.selection, self.no_choice)
    }
}

/// The table of published numbers on the experiment's datasets; `None` where there are none.
pub(crate) fn published_table(
    ours: &Ours<'_>,
    published: &[PublishedRow],
    print: &Print,
) -> Result<Option<Table>, ReportError> {
    let mut joined: Vec<Joined<'_>> = published.iter().filter_map(|row| ours.join(row)).collect();
    if joined.is_empty() || !ours.rows.iter().any(|row| row.mean.is_some()) {
        return Ok(None);
    }
    joined.extend(ours.means(published));
    joined.sort_by_key(|row| {
        let same = row.ours.as_ref().is_some_and(|own| own.same);
        let rank = ours.datasets.iter().position(|d| d.name == row.dataset).unwrap_or(ours.datasets.len());
        (
            !same,
            row.ours.is_none(),
            row.theirs.protocol.clone(),
            rank,
            row.theirs.shots,
            row.measure,
            row.theirs.method.clone(),
        )
    });
    let near: Vec<&Joined<'_>> = joined.iter().filter(|row| row.ours.is_some()).collect();
    let all: Vec<&Joined<'_>> = joined.iter().collect();
    let further = all.len() - near.len();
    let mut notes = vec![format!(
        "A verdict is given only where method, K, selection and image score are ours: within {BAND:.0} points on a dataset, \
         within {BAND_OF_MEAN:.0} point on the mean. Everything else is context that was not run here: other methods, \
         protocols or rules, about which nothing is claimed."
    )];
    if further > 0 {
        notes.push(format!(
            "{further} further numbers (zero-shot, full normal training, other K) are in tables/published.md."
        ));
    }
    Ok(Some(Table {
        name: "published",
        heading: "Beside published numbers",
        sentence: "Published numbers on the same datasets with ours at the same K; difference: ours minus theirs."
            .to_owned(),
        brief: vec![
            "Verdicts stand where method, K, selection and image score are ours; all else was not run here.".to_owned(),
        ],
        notes,
        shown: shown(if near.is_empty() { &all } else { &near }, print)?,
        whole: Some(shown(&all, print)?),
        long: long(&all)?,
    }))
}

impl Ours<'_> {
    /// A published number with the number of ours that stands beside it; `None` on a dataset that the experiment does
    /// not have.
    fn join<'a>(&self, theirs: &'a PublishedRow) -> Option<Joined<'a>> {
        let dataset = self.datasets.iter().find(|dataset| dataset.published.as_ref() == Some(&theirs.dataset))?;
        let measure = Measure::of(theirs.metric)?;
        let value = fraction_of(theirs);
        let own = self.own(theirs, dataset, measure);
        let verdict = verdict(own.as_ref(), value, BAND);
        Some(Joined { theirs, dataset: dataset.name.clone(), measure, value, ours: own, verdict })
    }

    fn own(&self, theirs: &PublishedRow, dataset: &ReportDataset, measure: Measure) -> Option<Own> {
        let score = paper_score(dataset.masks);
        let mut found: Vec<&SummaryRow> = self
            .rows
            .iter()
            .filter(|row| {
                row.dataset == dataset.name
                    && row.trained_on == dataset.name
                    && row.shots.k().is_some_and(|k| Some(k) == theirs.shots)
                    && row.metric == Some(measure.metric())
                    && asked_by(measure.metric(), row.image_score).contains(&Some(score))
                    && row.mean.is_some()
                    && !row.allow_overlap
            })
            .collect();
        let method = |row: &SummaryRow| self.methods.iter().any(|(v, m)| *v == row.variant && *m == theirs.method);
        // The same method and rule where there are such, else the base by the rule that looks at no test label.
        found.sort_by_key(|row| {
            (!method(row), Some(row.selection) != theirs.selection.0, row.variant != self.base, rule(row.selection))
        });
        let row = found.first()?;
        Some(Own {
            variant: row.variant.clone(),
            selection: row.selection,
            image_score: Some(score),
            value: row.mean?,
            count: row.count,
            no_choice: row.no_choice,
            same: method(row) && theirs.selection.0 == Some(row.selection) && theirs.image_score.0 == Some(score),
        })
    }

    /// Means over datasets of methods that are ours, where ours has every dataset that theirs has.
    fn means<'a>(&self, published: &'a [PublishedRow]) -> Vec<Joined<'a>> {
        let mut seen = BTreeSet::new();
        let mut means = Vec::new();
        for head in published {
            let Some(measure) = Measure::of(head.metric) else { continue };
            if !seen.insert((&head.method, &head.run_by, head.shots, &head.protocol, head.selection.name(), measure)) {
                continue;
            }
            let rows: Vec<&PublishedRow> = published
                .iter()
                .filter(|row| {
                    (&row.method, &row.run_by, row.shots, &row.protocol, &row.selection, &row.metric)
                        == (&head.method, &head.run_by, head.shots, &head.protocol, &head.selection, &head.metric)
                })
                .collect();
            let joined: Vec<Joined<'_>> = rows.iter().filter_map(|row| self.join(row)).collect();
            let owns: Vec<&Own> = joined.iter().filter_map(|row| row.ours.as_ref().filter(|own| own.same)).collect();
            let Some(first) = owns.first().filter(|_| owns.len() == rows.len() && rows.len() > 1) else { continue };
            if owns.iter().any(|own| own.variant != first.variant) {
                continue;
            }
            let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / owns.len() as f64;
            let value = mean(&mut joined.iter().map(|row| row.value));
            let own = Own {
                value: mean(&mut owns.iter().map(|own| own.value)),
                count: owns.iter().map(|own| own.count).min().unwrap_or(0),
                image_score: None,
                ..(*first).clone()
            };
            let verdict = verdict(Some(&own), value, BAND_OF_MEAN);
            let dataset = format!("mean of {}", owns.len());
            means.push(Joined { theirs: head, dataset, measure, value, ours: Some(own), verdict });
        }
        means
    }
}

/// The verdict on a pair of numbers.
fn verdict(own: Option<&Own>, theirs: f64, band: f64) -> String {
    let Some(own) = own.filter(|own| own.same) else { return "not run here".to_owned() };
    // A difference of the band itself is inside, whatever rounding made of it.
    let points = (own.value - theirs).abs() * 100.0;
    let word = if points <= band + 1e-9 { "within" } else { "outside" };
    format!("{word} {band:.0} point{}", if band == 1.0 { "" } else { "s" })
}

fn shots(row: &PublishedRow) -> String {
    row.shots.map_or_else(|| "all normal".to_owned(), |shots| shots.to_string())
}

/// As people read it.
fn shown(rows: &[&Joined<'_>], print: &Print) -> Result<Frame, ReportError> {
    let words = ["dataset", "measure", "method", "protocol", "selection", "variant", "our selection"];
    let mut sheet = Sheet::new(&words, &["K", "theirs", "ours", "difference"]);
    sheet.words_after(&["verdict", "source"]);
    for row in rows {
        let theirs = row.theirs;
        let of = |of: &dyn Fn(&Own) -> String| row.ours.as_ref().map_or_else(|| "–".to_owned(), of);
        let note =
            if theirs.note.contains("another transcription") { format!("; {}", theirs.note) } else { String::new() };
        sheet.push(vec![
            row.dataset.clone(),
            row.measure.name().to_owned(),
            named(&theirs.method, &theirs.run_by),
            theirs.protocol.clone(),
            theirs.selection.name().to_owned(),
            of(&|own| print.variant(&own.variant).to_owned()),
            of(&|own| rule_name(own.selection, own.no_choice).to_owned()),
            shots(theirs),
            print.fraction(row.value, theirs.selection.0),
            of(&|own| print.fraction(own.value, own.chosen_by())),
            of(&|own| print.signed(own.value - row.value) + dagger(own.chosen_by())),
            row.verdict.clone(),
            format!("{}{note}", theirs.source),
        ]);
    }
    Ok(sheet.frame()?)
}

/// One number a row.
fn long(rows: &[&Joined<'_>]) -> Result<Frame, ReportError> {
    let text = |name: &str, of: &dyn Fn(&Joined<'_>) -> String| {
        (name.to_owned(), Values::Text(rows.iter().map(|row| of(row)).collect()))
    };
    let own =
        |name: &str, of: &dyn Fn(&Own) -> String| text(name, &|row| row.ours.as_ref().map(of).unwrap_or_default());
    let number = |name: &str, of: &dyn Fn(&Joined<'_>) -> Option<f64>| {
        (name.to_owned(), Values::Number(rows.iter().map(|row| of(row)).collect()))
    };
    let count = rows.iter().map(|row| row.ours.as_ref().map_or(0, |own| own.count)).collect();
    Ok(Frame::new(vec![
        text("dataset", &|row| row.dataset.clone()),
        text("published_as", &|row| row.theirs.dataset.clone()),
        text("metric", &|row| row.theirs.metric.name().to_owned()),
        text("method", &|row| row.theirs.method.clone()),
        text("run_by", &|row| row.theirs.run_by.clone()),
        text("shots", &|row| shots(row.theirs)),
        text("protocol", &|row| row.theirs.protocol.clone()),
        text("selection", &|row| row.theirs.selection.name().to_owned()),
        text("image_score", &|row| row.theirs.image_score.name().to_owned()),
        number("theirs", &|row| Some(row.value)),
        own("our_variant", &|own| own.variant.clone()),
        own("our_selection", &|own| own.selection.name().to_owned()),
        own("our_image_score", &|own| own.image_score.map_or("of each dataset", ImageScore::name).to_owned()),
        number("ours", &|row| row.ours.as_ref().map(|own| own.value)),
        ("our_count".to_owned(), Values::Count(count)),
        number("difference", &|row| row.ours.as_ref().map(|own| own.value - row.value)),
        text("verdict", &|row| row.verdict.clone()),
        text("source", &|row| row.theirs.source.clone()),
        text("note", &|row| row.theirs.note.clone()),
    ])?)
}
