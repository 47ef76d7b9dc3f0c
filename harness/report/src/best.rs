//! The best of the numbers of a column, and those that are not significantly worse.

use crate::comparisons::ALPHA;

/// The note below a table with these marks.
pub(crate) const NOTE: &str = "Bold: the best, ties at three decimals included. ≈: compared with the best and not significantly \
     worse (p ≥ 0.05, two-sided, by the paired bootstrap, adjusted by Holm over all that are compared with the same best on the \
     measure). A number without a mark that could not be compared is not known to be worse. The best was chosen by the numbers that \
     are then tested, so differences from it are somewhat too large and significance is claimed a little too often (winner's \
     curse).";

/// The same in a caption.
pub(crate) const BRIEF: &str = "Bold: the best; ≈: not significantly worse than it (p ≥ 0.05, Holm).";

/// How a number compares with those beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Worse, or not compared with the best.
    #[default]
    None,
    /// The best.
    Best,
    /// Compared with the best and not significantly worse.
    Near,
}

impl Mark {
    /// For programs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Best => "best",
            Self::Near => "not significantly worse",
        }
    }

    /// The sign after the number; the best is bold instead.
    pub(crate) fn sign(self) -> &'static str {
        if self == Self::Near { "\u{a0}≈" } else { "" }
    }
}

/// The marks of variants by their numbers, higher being better. `p` is the adjusted p of a variant compared with
/// another as the best, where that was done.
pub(crate) fn marks(numbers: &[(&str, Option<f64>)], p: impl Fn(&str, &str) -> Option<f64>) -> Vec<Mark> {
    let most = numbers.iter().filter_map(|(_, number)| *number).fold(f64::NEG_INFINITY, f64::max);
    // Numbers that print alike are a tie.
    let leads = |number: f64| format!("{number:.3}") == format!("{most:.3}");
    let mut leaders: Vec<(&str, f64)> =
        numbers.iter().filter_map(|(variant, number)| Some((*variant, number.filter(|n| leads(*n))?))).collect();
    leaders.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mark = |(variant, number): &(&str, Option<f64>)| match number {
        None => Mark::None,
        Some(number) if leads(*number) => Mark::Best,
        Some(_) => {
            let compared = leaders.iter().find_map(|(leader, _)| p(variant, leader));
            if compared.is_some_and(|p| p >= ALPHA) { Mark::Near } else { Mark::None }
        }
    };
    numbers.iter().map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Marks where `compared` were compared with `best`.
    fn marked(numbers: &[(&str, Option<f64>)], best: &str, compared: &[(&str, f64)]) -> Vec<Mark> {
        let p = |variant: &str, with: &str| {
            let found = compared.iter().find(|(name, _)| with == best && *name == variant);
            found.map(|(_, p)| *p)
        };
        marks(numbers, p)
    }

    #[test]
    fn a_number_is_near_if_it_was_compared_with_the_best_and_is_not_significantly_worse() {
        let numbers = [("a", Some(0.8)), ("b", Some(0.9)), ("c", Some(0.7)), ("d", Some(0.6)), ("e", None)];
        let found = marked(&numbers, "b", &[("a", 0.05), ("c", 0.049), ("e", 1.0)]);
        assert_eq!(found, [Mark::Near, Mark::Best, Mark::None, Mark::None, Mark::None]);
        // Compared with another than the best.
        assert_eq!(marked(&numbers, "c", &[("a", 1.0)])[0], Mark::None);
    }

    #[test]
    fn numbers_that_print_alike_lead_together_and_the_higher_is_compared_with_first() {
        let numbers = [("a", Some(0.9001)), ("b", Some(0.9004)), ("c", Some(0.8))];
        assert_eq!(marked(&numbers, "b", &[("c", 0.5)]), [Mark::Best, Mark::Best, Mark::Near]);
        assert_eq!(marked(&numbers, "a", &[("c", 0.5)])[2], Mark::Near);
        let p = |_: &str, with: &str| Some(if with == "b" { 0.01 } else { 1.0 });
        assert_eq!(marks(&numbers, p)[2], Mark::None);
        assert!(marks(&[], p).is_empty());
    }
}
