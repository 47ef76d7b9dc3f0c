//! The two numbers of the field's tables, AC and AS, and how one of them reads in a cell. Which cells a table has is in the
//! table's module.

use harness_results::ReportDataset;

use crate::SummaryRow;
use crate::wide::{number, short};

/// A column of the field's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Measure {
    /// Image AUROC.
    Ac,
    /// Pixel AUROC.
    As,
}

impl Measure {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Ac, Self::As];

    /// The column's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ac => "AC",
            Self::As => "AS",
        }
    }

    /// The metric's name (docs/method.md section 8).
    pub(crate) fn metric(self) -> &'static str {
        match self {
            Self::Ac => "image_auroc",
            Self::As => "pixel_auroc",
        }
    }

    /// The metric in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Ac => "Image AUROC",
            Self::As => "Pixel AUROC",
        }
    }

    /// The metric in words, within a sentence.
    pub(crate) fn words_within(self) -> &'static str {
        match self {
            Self::Ac => "image AUROC",
            Self::As => "pixel AUROC",
        }
    }

    /// Whether a metric by an image score is this measure by `score`. Pixel metrics of `last` depend on no score.
    pub(crate) fn is(self, metric: &str, image_score: &str, score: &str) -> bool {
        metric == self.metric() && (image_score == score || (self == Self::As && image_score.is_empty()))
    }

    /// The measure among the rows of one group.
    pub(crate) fn find<'a>(self, group: &[&'a SummaryRow], score: &str) -> Option<&'a SummaryRow> {
        group.iter().copied().find(|row| self.is(&row.metric, &row.image_score, score))
    }
}

/// What the paper ranks images by: the map's maximum where there are masks, else the detection heads.
pub(crate) fn paper_score(masks: bool) -> &'static str {
    if masks { "map-max" } else { "detection" }
}

/// A measure of a group as a cell: the number and how many of its cells are missing from it, or why there is none.
pub(crate) fn cell(group: &[&SummaryRow], measure: Measure, score: &str) -> String {
    match measure.find(group, score) {
        Some(row) => {
            let missing: Vec<String> = [(row.failed, "failed"), (row.not_run, "not run")]
                .into_iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, word)| format!("{count} {word}"))
                .collect();
            if missing.is_empty() { number(row) } else { format!("{} ({})", number(row), missing.join(", ")) }
        }
        None => why_missing(group, measure, score),
    }
}

fn why_missing(group: &[&SummaryRow], measure: Measure, score: &str) -> String {
    const MOST: usize = 40;
    let Some(head) = group.first() else { return "not planned".to_owned() };
    if head.failed > 0 {
        let reason = if head.message.is_empty() { "no reason recorded" } else { &head.message };
        format!("failed: {}", short(reason, MOST))
    } else if head.not_run > 0 {
        "not run".to_owned()
    } else if measure == Measure::Ac {
        format!("no {score}")
    } else if score == paper_score(true) {
        "no maps".to_owned()
    } else {
        "no masks".to_owned()
    }
}

/// A fraction with what it was chosen by.
pub(crate) fn fraction(value: f64, selection: &str) -> String {
    format!("{value:.3}{}", dagger(selection))
}

/// The mark of what was chosen on the test set.
pub(crate) fn dagger(selection: &str) -> &'static str {
    if selection == "best-on-test" { "†" } else { "" }
}

/// A difference of fractions, signed, with a true minus.
pub(crate) fn signed(value: f64) -> String {
    let words = format!("{value:+.3}");
    // What rounds to zero has no sign.
    if words.trim_start_matches(['+', '-']) == "0.000" { "0.000".to_owned() } else { words.replace('-', "−") }
}

/// A p-value with three decimals.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// Places of names in the order to print; what is not listed comes after, by name.
pub(crate) fn place<'a>(names: &[String], name: &'a str) -> (usize, &'a str) {
    (names.iter().position(|known| known == name).unwrap_or(names.len()), name)
}

/// A data set, and what was trained on where that is another, in words. An empty name is the mean over data sets: of all, or of
/// those that have the image score.
pub(crate) fn place_words(datasets: &[ReportDataset], dataset: &str, source: &str, score: &str) -> String {
    match (dataset, source) {
        ("", _) if score != paper_score(false) && datasets.iter().any(|dataset| !dataset.masks) => {
            "mean of data sets with masks".to_owned()
        }
        ("", _) => "mean of data sets".to_owned(),
        (dataset, source) if dataset != source => format!("{dataset}, trained on {source}"),
        (dataset, _) => dataset.to_owned(),
    }
}

/// Rules in the order of tables.
pub(crate) fn rule(selection: &str) -> (usize, &str) {
    const RULES: [&str; 3] = ["last", "best-on-support", "best-on-test"];
    (RULES.iter().position(|rule| *rule == selection).unwrap_or(RULES.len()), selection)
}

/// The data sets of the rows: as given, then those not given, by name, with masks where a number needs them.
pub(crate) fn datasets(given: &[ReportDataset], rows: &[SummaryRow]) -> Vec<ReportDataset> {
    let mut found = given.to_vec();
    let mut names: Vec<&str> = rows.iter().flat_map(|row| [row.dataset.as_str(), row.trained_on.as_str()]).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        if !found.iter().any(|dataset| dataset.name == name) {
            let needs = |row: &SummaryRow| row.metric == Measure::As.metric() || row.image_score == "map-max";
            let masks = rows.iter().any(|row| row.dataset == name && needs(row));
            found.push(ReportDataset { name: name.to_owned(), masks, published: None });
        }
    }
    found.retain(|dataset| rows.iter().any(|row| row.dataset == dataset.name || row.trained_on == dataset.name));
    found
}
