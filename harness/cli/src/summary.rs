//! What a run came to, as a terminal has room for it: a line a variant, then the answer in words.

use console::{Style, measure_text_width, truncate_str};
use harness_report::{Overview, OverviewLine, OverviewNumber};
use harness_text::count;

use crate::output::{on_page, page, print, print_sentence};

/// Columns of a name at least, however narrow the terminal.
const LEAST_NAME: usize = 8;

/// Lines that are printed; the report has all.
const MOST: usize = 40;

/// Prints it on standard output.
pub(crate) fn show(overview: &Overview) {
    if overview.lines.is_empty() {
        return;
    }
    print("\n");
    print_sentence(&overview.title);
    print(table(overview, page()));
    let legend = legend(overview);
    if !legend.is_empty() {
        print_sentence(&legend);
    }
    if !overview.answer.is_empty() {
        print("\n");
    }
    for sentence in &overview.answer {
        // Backticks are Markdown's.
        print_sentence(&sentence.replace('`', ""));
    }
}

/// A cell of the table.
struct Word {
    text: String,
    style: Style,
}

impl Word {
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: Style::new() }
    }
}

/// The lines in columns that are no wider than the page.
fn table(overview: &Overview, page: Option<usize>) -> String {
    let has_differences = overview.lines.iter().flat_map(|line| &line.numbers).any(|n| !n.difference.is_empty());
    let has_undone = overview.lines.iter().any(|line| line.failed + line.not_run > 0);
    let mut head = vec![Word::plain(overview.head)];
    for measure in &overview.measures {
        head.push(Word::plain(*measure));
        if has_differences {
            head.push(Word::plain(""));
        }
    }
    let mut rows = vec![head];
    for line in overview.lines.iter().take(MOST) {
        let mut row = vec![Word::plain(&line.name)];
        for number in &line.numbers {
            row.push(value(number));
            if has_differences {
                row.push(difference(number));
            }
        }
        if has_undone {
            row.push(undone(line));
        }
        rows.push(row);
    }
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|word| measure_text_width(&word.text)).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..columns).map(widest).collect();
    if let Some(page) = page {
        let others: usize = widths.iter().skip(1).map(|width| width + 2).sum();
        widths[0] = widths[0].min(page.saturating_sub(others + 1).max(LEAST_NAME));
    }
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (word, width) in row.iter().zip(&widths) {
            let cut = truncate_str(&word.text, *width, "…");
            let gap = " ".repeat(width - measure_text_width(&cut));
            let style = if at == 0 { Style::new().dim() } else { word.style.clone() };
            line += &format!("{}{gap}  ", on_page(&cut, &style));
        }
        text += line.trim_end();
        text.push('\n');
    }
    if overview.lines.len() > MOST {
        text += &format!("and {} more\n", overview.lines.len() - MOST);
    }
    text
}

/// The number with the sign that legends explain.
fn value(number: &OverviewNumber) -> Word {
    let sign = match (number.best, number.near) {
        (true, _) => "●",
        (_, true) => "≈",
        _ => "",
    };
    let text = if number.value.is_empty() { "–".to_owned() } else { format!("{}{sign}", number.value) };
    Word { text, style: if number.best { Style::new().bold() } else { Style::new() } }
}

fn difference(number: &OverviewNumber) -> Word {
    let style = match (number.differs, number.difference.starts_with('+')) {
        (true, true) => Style::new().green(),
        (true, false) => Style::new().red(),
        _ => Style::new().dim(),
    };
    Word { text: format!("{}{}", number.difference, if number.differs { "*" } else { "" }), style }
}

fn undone(line: &OverviewLine) -> Word {
    let part = |number: usize, word: &str| (number > 0).then(|| format!("{number} {word}"));
    let parts: Vec<String> =
        [part(line.failed, "failed"), part(line.not_run, "not run")].into_iter().flatten().collect();
    let style = if line.failed > 0 { Style::new().red() } else { Style::new() };
    Word { text: parts.join(", "), style }
}

/// What the signs mean, and what the table leaves out.
fn legend(overview: &Overview) -> String {
    let numbers = || overview.lines.iter().flat_map(|line| &line.numbers);
    let mut parts = Vec::new();
    if numbers().any(|number| number.best) {
        parts.push("● best".to_owned());
    }
    if numbers().any(|number| number.near) {
        parts.push("≈ not shown to be worse than the best".to_owned());
    }
    if numbers().any(|number| number.differs) {
        parts.push("* differs from the base (Holm)".to_owned());
    }
    if numbers().any(|number| number.value.contains('†')) {
        parts.push("† epoch chosen on the test set".to_owned());
    }
    if overview.further > 0 {
        parts.push(format!("{} in the report", count(overview.further as u64, "more group")));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overview() -> Overview {
        let number = |value: &str, difference: &str, best, differs| OverviewNumber {
            value: value.to_owned(),
            difference: difference.to_owned(),
            differs,
            best,
            near: false,
        };
        let line = |name: &str, numbers, failed| OverviewLine { name: name.to_owned(), numbers, failed, not_run: 0 };
        Overview {
            head: "variant",
            measures: vec!["AC", "AS"],
            lines: vec![
                line("base", vec![number("0.941", "", true, false), number("0.865", "", false, false)], 0),
                line(
                    "a-variant-with-a-long-name",
                    vec![number("0.938", "−0.003", false, false), number("0.904", "+0.039", true, true)],
                    0,
                ),
                line("broken", vec![OverviewNumber::default(), OverviewNumber::default()], 3),
            ],
            ..Overview::default()
        }
    }

    #[test]
    fn a_table_has_a_line_a_variant_and_fits_the_page() {
        let expected = "\
variant                     AC              AS
base                        0.941●          0.865
a-variant-with-a-long-name  0.938   −0.003  0.904●  +0.039*
broken                      –               –                3 failed
";
        assert_eq!(table(&overview(), None), expected);
        let narrow = table(&overview(), Some(60));
        assert!(narrow.lines().all(|line| measure_text_width(line) < 60), "{narrow}");
        assert!(narrow.contains("a-variant-with-…  0.938"), "{narrow}");
        assert_eq!(legend(&overview()), "● best; * differs from the base (Holm)");
    }
}
