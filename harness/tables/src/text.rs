//! Cells laid out as Markdown, and text as LaTeX reads it. Written by hand: Markdown alone would be a dependency for
//! forty lines.

use std::collections::BTreeSet;
use std::ops::Range;

/// A table of words.
pub(crate) struct Grid {
    /// Column names.
    pub(crate) header: Vec<String>,
    /// Cells, row by row, each as wide as the header.
    pub(crate) rows: Vec<Vec<String>>,
    /// Columns that are aligned to the right.
    pub(crate) right: Vec<bool>,
    /// Cells (row, column) in bold.
    pub(crate) bold: BTreeSet<(usize, usize)>,
    /// Rows with a rule above them, in LaTeX.
    pub(crate) rules: BTreeSet<usize>,
    /// Columns under a common heading, in LaTeX.
    pub(crate) spans: Vec<(Range<usize>, String)>,
    /// Columns at the left that say what a row is of.
    pub(crate) stub: usize,
}

impl Grid {
    /// The rows, each cell through `word` and what is bold through `bold`.
    fn words(&self, word: fn(&str) -> String, bold: fn(String) -> String) -> Vec<Vec<String>> {
        let cell = |row: usize, (column, cell): (usize, &String)| {
            let cell = word(cell);
            if self.bold.contains(&(row, column)) { bold(cell) } else { cell }
        };
        self.rows
            .iter()
            .enumerate()
            .map(|(row, cells)| cells.iter().enumerate().map(|at| cell(row, at)).collect())
            .collect()
    }
}

pub(crate) fn markdown(grid: &Grid) -> String {
    if grid.header.is_empty() {
        return String::new();
    }
    let header: Vec<String> = grid.header.iter().map(|name| in_italics(&markdown_escape(name))).collect();
    let rows = grid.words(markdown_escape, |cell| format!("**{cell}**"));
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        // Three is the least a rule of dashes may have.
        cells.chain(header.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &[String]| {
        let mut line = String::from("|");
        for ((cell, width), right) in cells.iter().zip(&widths).zip(&grid.right) {
            let filled = if *right { format!(" {cell:>width$} |") } else { format!(" {cell:<width$} |") };
            line.push_str(&filled);
        }
        line.push('\n');
        line
    };
    let mut out = line(&header);
    out.push('|');
    for (width, right) in widths.iter().zip(&grid.right) {
        let rule = "-".repeat(width + 1);
        out.push_str(&if *right { format!("{rule}:|") } else { format!("{rule}-|") });
    }
    out.push('\n');
    rows.iter().for_each(|row| out.push_str(&line(row)));
    out
}

/// A column's name, without the heading it stands under.
pub(crate) fn heading(grid: &Grid, column: usize) -> &str {
    let name = grid.header[column].as_str();
    let above = grid.spans.iter().find(|(span, _)| span.contains(&column));
    above.and_then(|(_, above)| name.strip_prefix(above.as_str())).map_or(name, str::trim_start)
}

/// `p` in italics, as a heading has it.
fn in_italics(name: &str) -> String {
    match name.strip_suffix('p') {
        Some("") => "*p*".to_owned(),
        Some(before) if before.ends_with(' ') => format!("{before}*p*"),
        _ => name.to_owned(),
    }
}

fn one_line(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn markdown_escape(cell: &str) -> String {
    one_line(cell).replace('|', "\\|")
}

/// Text that any LaTeX engine can set: a character that pdfLaTeX has no letter for becomes its number.
pub fn latex_escape(cell: &str) -> String {
    let mut out = String::new();
    for c in one_line(cell).chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', c]),
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '<' => out.push_str("\\textless{}"),
            '>' => out.push_str("\\textgreater{}"),
            '|' => out.push_str("\\textbar{}"),
            '"' => out.push_str("{\\char34}"),
            '±' => out.push_str("$\\pm$"),
            '×' => out.push_str("$\\times$"),
            '−' => out.push_str("$-$"),
            '≈' => out.push_str("$\\approx$"),
            '≥' => out.push_str("$\\geq$"),
            'Δ' => out.push_str("$\\Delta$"),
            '→' => out.push_str("$\\rightarrow$"),
            '–' => out.push_str("--"),
            '…' => out.push_str("\\dots{}"),
            '†' => out.push_str("\\dag{}"),
            '‡' => out.push_str("\\ddag{}"),
            '\u{a0}' => out.push('~'),
            // Letters of Latin-1 that the oldest font encoding can't make.
            'Ð' | 'Þ' | 'ð' | 'þ' => out.push_str(&numbered(c)),
            ' '..='~' | 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ÿ' => out.push(c),
            c => out.push_str(&numbered(c)),
        }
    }
    out
}

fn numbered(c: char) -> String {
    format!("[U+{:04X}]", u32::from(c))
}
