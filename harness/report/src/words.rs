//! How numbers and reasons read in tables, captions and figures.

use harness_method::{Selection, Shots};

/// What a reader of a single training's interval has to know.
pub(crate) const ALONE: &str =
    "One training each: the intervals are over test images alone and know no other seed or draw.";

/// What tables say in place of a rule that had one state to choose from.
pub(crate) const NO_CHOICE: &str = "no choice";

/// What tables say in place of a K that decides nothing.
pub(crate) const ANY_K: &str = "any";

/// A K as tables print it.
pub(crate) fn k_name(shots: Shots, no_support: bool) -> String {
    if no_support { ANY_K.to_owned() } else { shots.to_string() }
}

/// The rule that a number was chosen by; `None` where there was nothing to choose from.
pub(crate) fn chosen_by(selection: Selection, no_choice: bool) -> Option<Selection> {
    (!no_choice).then_some(selection)
}

/// A rule as tables print it.
pub(crate) fn rule_name(selection: Selection, no_choice: bool) -> &'static str {
    if no_choice && selection != Selection::Last { NO_CHOICE } else { selection.name() }
}

/// A fraction with the mark of what it was chosen by.
pub(crate) fn fraction(value: f64, selection: impl Into<Option<Selection>>) -> String {
    format!("{value:.3}{}", dagger(selection))
}

/// A mean with its standard deviation, where it has one, and the mark of what it was chosen by.
pub(crate) fn mean(mean: f64, deviation: Option<f64>, selection: impl Into<Option<Selection>>) -> String {
    match deviation {
        Some(deviation) => format!("{mean:.3} ± {deviation:.3}{}", dagger(selection)),
        None => fraction(mean, selection),
    }
}

/// The mark of what was chosen on the test set.
pub(crate) fn dagger(selection: impl Into<Option<Selection>>) -> &'static str {
    if selection.into() == Some(Selection::BestOnTest) { "†" } else { "" }
}

/// A difference of fractions, signed, with a true minus.
pub(crate) fn signed(value: f64) -> String {
    let words = format!("{value:+.3}");
    // What rounds to zero has no sign.
    if words.trim_start_matches(['+', '-']) == "0.000" { "0.000".to_owned() } else { words.replace('-', "−") }
}

/// A p value with three decimals.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// The least and the largest of some counts.
pub(crate) fn range(counts: impl IntoIterator<Item = u64>) -> String {
    let bounds = counts.into_iter().fold(None, |bounds: Option<(u64, u64)>, count| {
        let (low, high) = bounds.unwrap_or((count, count));
        Some((low.min(count), high.max(count)))
    });
    match bounds {
        Some((low, high)) if low < high => format!("{low} to {high}"),
        Some((count, _)) => count.to_string(),
        None => "0".to_owned(),
    }
}

/// A reason that leaves the table readable; the report lists it in full.
pub(crate) fn short(message: &str, most: usize) -> String {
    let cut = message.char_indices().nth(most).map(|(at, _)| &message[..at]);
    cut.map_or_else(|| message.to_owned(), |start| format!("{}…", start.trim_end()))
}

/// Text on one line.
pub(crate) fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
