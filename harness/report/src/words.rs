//! How numbers and reasons read in tables, captions and figures.

use harness_method::{Selection, Shots};

/// What intervals do not know, the narrowest view first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// One training stands for each variant.
    Alone,
    /// Several seeds were trained on one support set.
    OneSet,
}

impl Limit {
    /// What a reader of the intervals has to know.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Alone => {
                "One training each: the intervals are over test images alone and know no other seed or draw."
            }
            Self::OneSet => {
                "One support set: the intervals know test images and other seeds, but no other support set."
            }
        }
    }
}

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

/// The mark of what was chosen on the test set.
pub(crate) fn dagger(selection: impl Into<Option<Selection>>) -> &'static str {
    if selection.into() == Some(Selection::BestOnTest) { "†" } else { "" }
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

/// Text on one line.
pub(crate) fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
