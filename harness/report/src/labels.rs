//! Names of the things that a figure shows together, in lines that fit: two that differ never look the same.

use std::collections::{HashMap, HashSet};

use skrifa::FontRef;
use textwrap::core::Fragment;
use textwrap::wrap_algorithms::wrap_first_fit;

use crate::font::{EM, width};

/// Distance of two lines of a label.
pub(crate) const LINE: u32 = 58;

/// After these a name may go on in the next line.
const BREAKS: [char; 7] = ['-', '_', ' ', '/', ',', '+', '='];

/// Lines of each of `names`, no more than `most` and none wider than `room`. Of names that are longer what all of them
/// have in common is left out; then the middle.
pub(crate) fn labels<S: AsRef<str>>(font: &FontRef<'_>, names: &[S], room: f64, most: usize) -> Vec<Vec<String>> {
    let shelf = Shelf { font, room, most: most.max(1) };
    let names: Vec<String> = names.iter().map(|name| plain(name.as_ref())).collect();
    let long: HashSet<&str> = names.iter().map(String::as_str).filter(|name| !shelf.holds(name)).collect();
    let short = without_common(&long);
    let mut taken: HashSet<Vec<String>> = HashSet::new();
    let mut given: HashMap<&str, Vec<String>> = HashMap::new();
    // Names that fit keep their label, whatever the others are cut to.
    let (whole, cut): (Vec<&String>, Vec<&String>) = names.iter().partition(|name| !long.contains(name.as_str()));
    for name in whole.into_iter().chain(cut) {
        if given.contains_key(name.as_str()) {
            continue;
        }
        let text = short.get(name.as_str()).unwrap_or(name);
        let mut lines = shelf.cut(text, "");
        let mut number = 1;
        while taken.contains(&lines) && number <= names.len() {
            number += 1;
            lines = shelf.cut(text, &format!(" ({number})"));
        }
        taken.insert(lines.clone());
        given.insert(name, lines);
    }
    names.iter().map(|name| given.get(name.as_str()).cloned().unwrap_or_default()).collect()
}

/// A text in lines no wider than `room`.
pub(crate) fn wrapped(font: &FontRef<'_>, text: &str, room: f64) -> Vec<String> {
    Shelf { font, room, most: usize::MAX }.wrap(&plain(text))
}

/// Where the middle of lines stands that should be centred at `middle`, so that none leaves the width.
pub(crate) fn inside(font: &FontRef<'_>, lines: &[String], middle: i32, all: u32) -> i32 {
    const EDGE: i32 = 14;
    let half = lines.iter().map(|line| width(font, line, EM)).fold(0.0, f64::max).ceil() as i32 / 2;
    middle.min(all as i32 - EDGE - half).max(EDGE + half)
}

/// Lines of a label side by side with others, the longest of them.
pub(crate) fn most_lines(labels: &[Vec<String>]) -> u32 {
    labels.iter().map(|lines| lines.len() as u32).max().unwrap_or(0)
}

/// Heights of a label's lines above and below its middle, top to bottom.
pub(crate) fn offsets(lines: usize) -> impl Iterator<Item = i32> {
    let line = LINE as i32;
    (0..lines as i32).map(move |number| number * line - (lines as i32 - 1) * line / 2)
}

/// A name without what can't be drawn.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).collect()
}

/// What has room for a label.
struct Shelf<'a> {
    font: &'a FontRef<'a>,
    room: f64,
    most: usize,
}

/// A part of a name that stays on one line.
#[derive(Debug)]
struct Part<'a> {
    text: &'a str,
    width: f64,
    space: f64,
}

impl Fragment for Part<'_> {
    fn width(&self) -> f64 {
        self.width
    }

    fn whitespace_width(&self) -> f64 {
        self.space
    }

    fn penalty_width(&self) -> f64 {
        0.0
    }
}

impl Shelf<'_> {
    fn holds(&self, text: &str) -> bool {
        self.wrap(text).len() <= self.most
    }

    /// The lines that a text takes.
    fn wrap(&self, text: &str) -> Vec<String> {
        let wide = |text: &str| width(self.font, text, EM);
        let mut parts = Vec::new();
        for text in text.split_inclusive(BREAKS) {
            for text in self.pieces(text) {
                let bare = wide(text.trim_end());
                parts.push(Part { text, width: bare, space: wide(text) - bare });
            }
        }
        let lines = wrap_first_fit(&parts, &[self.room]);
        let line = |parts: &&[Part<'_>]| parts.iter().map(|part| part.text).collect::<String>().trim_end().to_owned();
        lines.iter().map(line).collect()
    }

    /// A part that is wider than a line, in pieces that are not.
    fn pieces<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while width(self.font, rest.trim_end(), EM) > self.room {
            let ends = rest.char_indices().skip(1).map(|(at, _)| at);
            let fits = |at: &usize| width(self.font, &rest[..*at], EM) <= self.room;
            let Some(first) = rest.char_indices().nth(1).map(|(at, _)| at) else { break };
            let at = ends.take_while(fits).last().unwrap_or(first);
            pieces.push(&rest[..at]);
            rest = &rest[at..];
        }
        pieces.push(rest);
        pieces
    }

    /// The lines of a text and what follows it, the text's middle left out as far as it must be.
    fn cut(&self, text: &str, after: &str) -> Vec<String> {
        let whole = self.wrap(&format!("{text}{after}"));
        if whole.len() <= self.most {
            return whole;
        }
        let chars: Vec<char> = text.chars().collect();
        let short = |keep: usize| {
            let head = keep.div_ceil(2);
            let tail = chars.len() - (keep - head);
            let short: String = chars[..head].iter().chain(&['…']).chain(&chars[tail..]).collect();
            self.wrap(&format!("{short}{after}"))
        };
        let fits = (0..chars.len()).rev().map(short).find(|lines| lines.len() <= self.most);
        fits.unwrap_or_else(|| vec!["…".to_owned()])
    }
}

/// Names without the parts that all of them have in common, in that order.
fn without_common(names: &HashSet<&str>) -> HashMap<String, String> {
    let mut parts: Vec<(&str, Vec<&str>)> =
        names.iter().map(|name| (*name, name.split_inclusive(BREAKS).collect())).collect();
    // What is common to several does not depend on their order, but which of equal choices is taken does.
    parts.sort_unstable();
    let Some((_, first)) = parts.first().filter(|_| parts.len() > 1) else { return HashMap::new() };
    let common = parts.iter().skip(1).fold(first.clone(), |common, (_, parts)| in_both(&common, parts));
    let shorten = |parts: &[&str]| {
        let (mut short, mut rest) = (String::new(), common.as_slice());
        for part in parts {
            match rest.split_first() {
                Some((next, others)) if next == part => {
                    rest = others;
                    if !short.ends_with('…') {
                        short.push('…');
                    }
                }
                _ => short.push_str(part),
            }
        }
        short
    };
    parts.iter().map(|(name, parts)| ((*name).to_owned(), shorten(parts))).collect()
}

/// The longest list of parts that both have in the same order.
fn in_both<'a>(one: &[&'a str], other: &[&str]) -> Vec<&'a str> {
    let mut longest = vec![vec![0usize; other.len() + 1]; one.len() + 1];
    for i in (0..one.len()).rev() {
        for j in (0..other.len()).rev() {
            longest[i][j] = match one[i] == other[j] {
                true => longest[i + 1][j + 1] + 1,
                false => longest[i + 1][j].max(longest[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut found) = (0, 0, Vec::new());
    while i < one.len() && j < other.len() {
        if one[i] == other[j] {
            found.push(one[i]);
            (i, j) = (i + 1, j + 1);
        } else if longest[i + 1][j] >= longest[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    found
}

/// The height of each row of a plot: one line's, and more where its label has more lines.
pub(crate) fn heights(labels: &[Vec<String>], row: u32) -> Vec<u32> {
    labels.iter().map(|lines| row + (lines.len() as u32).saturating_sub(1) * LINE).collect()
}

/// Each plot with the labels of its rows, which stand one plot after the other in `labels`.
pub(crate) fn by_plot<'a, P>(
    plots: &'a [P],
    labels: &'a [Vec<String>],
    rows: impl Fn(&P) -> usize + 'a,
) -> impl Iterator<Item = (&'a P, &'a [Vec<String>])> {
    let mut rest = labels;
    plots.iter().map(move |plot| {
        let (here, others) = rest.split_at(rows(plot).min(rest.len()));
        rest = others;
        (plot, here)
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::font;

    const ROOM: f64 = 510.0;

    fn of(names: &[&str], most: usize) -> Vec<Vec<String>> {
        let font = font::font().unwrap();
        let labels = labels(&font, names, ROOM, most);
        for lines in &labels {
            assert!(!lines.is_empty() && lines.len() <= most, "{lines:?}");
            assert!(lines.iter().all(|line| width(&font, line, EM) <= ROOM), "{lines:?}");
        }
        let distinct = |all: &[Vec<String>]| all.iter().collect::<HashSet<_>>().len();
        assert_eq!(distinct(&labels), names.iter().collect::<HashSet<_>>().len(), "{labels:?}");
        labels
    }

    #[test]
    fn a_name_that_fits_stays_on_its_line_and_a_longer_one_goes_on_between_its_words() {
        let labels = of(&["base", "adapter-residual-alpha-0.1-naive-mean"], 3);
        assert_eq!(labels[0], ["base"]);
        assert_eq!(labels[1], ["adapter-residual-", "alpha-0.1-naive-", "mean"]);
    }

    #[test]
    fn names_that_differ_at_their_end_middle_or_beginning_are_told_apart_on_one_line() {
        let [mean, max, ..] =
            &of(&["adapter-residual-alpha-0.1-naive-mean", "adapter-residual-alpha-0.1-naive-max"], 1)[..]
        else {
            unreachable!()
        };
        assert_eq!((mean, max), (&vec!["…mean".to_owned()], &vec!["…max".to_owned()]));
        of(&["adapter-linear-loss-siglip-mean-of-all", "adapter-conv-loss-siglip-mean-of-all"], 1);
        // What is common is left out wherever it is.
        let long = ["adapter-a1-loss-of-sentences-max-mean", "adapter-a2-loss-of-sentences-top-k-mean"];
        assert_eq!(of(&long, 1), [vec!["…a1-…max-…".to_owned()], vec!["…a2-…top-k-…".to_owned()]]);
        of(&["prompt-learned-at-front-of-sentence", "prompt-learned-at-middle-of-sentence"], 1);
        // No place between words, and what differs is in the middle of what is cut.
        let (a, b) =
            (format!("{}x{}", "w".repeat(40), "w".repeat(40)), format!("{}y{}", "w".repeat(40), "w".repeat(40)));
        of(&[&a, &b], 1);
    }

    #[test]
    fn thirty_long_names_are_thirty_labels_that_keep_what_differs() {
        let names: Vec<String> = (0..30)
            .map(|i| format!("variant-number-{i:02}-with-{}-branches-linear-adapter", ["dual", "single"][i % 2]))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for (i, lines) in of(&names, 2).iter().enumerate() {
            assert_eq!(lines.concat(), format!("…{i:02}-…{}-…", ["dual", "single"][i % 2]));
        }
    }

    #[test]
    fn whatever_names_there_are_labels_fit_and_differ() {
        let mut names = vec![String::new(), "-".repeat(90), "脑".repeat(60), "…".to_owned(), " ".repeat(50)];
        names.extend((0..40).map(|i| format!("{}{i}", "same".repeat(30))));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let font = font::font().unwrap();
        for most in [1, 2, 3] {
            let labels = labels(&font, &names[5..], ROOM, most);
            assert_eq!(labels.iter().collect::<HashSet<_>>().len(), 40, "{labels:?}");
        }
        labels(&font, &names, ROOM, 2);
        labels(&font, &names, 5.0, 2);
    }
}
