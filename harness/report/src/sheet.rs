//! A table of words put together row by row, and a table with its files.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

use harness_disk::write_durable;
use harness_method::Shots;
use harness_tables::{Frame, Layout, TablesError, Values, latex_escape};

use crate::print::{Print, SMOKE};
use crate::words::{ANY_K, NO_CHOICE, line};
use crate::{BEST_ON_TEST_NOTE, ReportError};

/// Words in rows.
#[derive(Default)]
pub(crate) struct Sheet {
    /// Names of the columns, and whether they are aligned to the right.
    columns: Vec<(String, bool)>,
    rows: Vec<Vec<String>>,
    /// Cells (row, column) in bold.
    bold: BTreeSet<(usize, usize)>,
    /// Rows that start a block.
    blocks: BTreeSet<usize>,
    /// Columns below a common heading.
    headings: Vec<(Range<usize>, String)>,
    /// Columns that say what a row is of: those before the first number.
    stub: usize,
}

impl Sheet {
    /// A table whose columns are words, then numbers.
    pub(crate) fn new(words: &[&str], numbers: &[&str]) -> Self {
        let stub = words.len() + numbers.iter().filter(|name| ["K", "n"].contains(name)).count();
        let columns = words.iter().map(|name| ((*name).to_owned(), false));
        let numbers = numbers.iter().map(|name| ((*name).to_owned(), true));
        Self { columns: columns.chain(numbers).collect(), stub, ..Self::default() }
    }

    /// Adds columns of numbers `heading name` below a heading.
    pub(crate) fn under(&mut self, heading: &str, names: &[&str]) {
        let start = self.columns.len();
        self.columns.extend(names.iter().map(|name| (format!("{heading} {name}"), true)));
        self.headings.push((start..self.columns.len(), heading.to_owned()));
    }

    /// Adds columns of words that say more of what a row is of.
    pub(crate) fn stub_after(&mut self, names: &[&str]) {
        self.words_after(names);
        self.stub = self.columns.len();
    }

    /// Adds columns of words.
    pub(crate) fn words_after(&mut self, names: &[&str]) {
        self.columns.extend(names.iter().map(|name| ((*name).to_owned(), false)));
    }

    /// Adds columns of numbers.
    pub(crate) fn numbers_after(&mut self, names: &[&str]) {
        self.columns.extend(names.iter().map(|name| ((*name).to_owned(), true)));
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// Makes the cell of the last row in that column bold.
    pub(crate) fn embolden(&mut self, column: usize) {
        self.bold.insert((self.rows.len().saturating_sub(1), column));
    }

    /// Starts a block: a rule above the next row.
    pub(crate) fn block(&mut self) {
        self.blocks.insert(self.rows.len());
    }

    /// The table without those of the named columns that have one value, and a note of these values.
    pub(crate) fn without_constant(mut self, names: &[&str]) -> (Self, Option<String>) {
        let mut said = Vec::new();
        for name in names {
            let Some(at) = self.columns.iter().position(|(column, _)| column == name) else { continue };
            let mut words: Vec<&String> = self.rows.iter().filter_map(|row| row.get(at)).collect();
            words.retain(|word| !word.is_empty());
            let further = words.iter().any(|word| Some(word) != words.first());
            let word = words.first().map(|word| (*word).clone());
            if !further {
                // That no overlap was allowed is what everybody expects.
                said.extend(word.filter(|word| word != "none").map(|word| format!("{name} {word}")));
                self.remove(at);
            }
        }
        let note = (!said.is_empty()).then(|| format!("All rows that were run here: {}.", said.join(", ")));
        (self, note)
    }

    fn remove(&mut self, at: usize) {
        self.columns.remove(at);
        self.stub -= usize::from(at < self.stub);
        self.rows.iter_mut().filter(|row| at < row.len()).for_each(|row| {
            row.remove(at);
        });
        let shift = |column: usize| if column > at { column - 1 } else { column };
        let bold = std::mem::take(&mut self.bold);
        self.bold = bold.into_iter().filter(|(_, c)| *c != at).map(|(row, c)| (row, shift(c))).collect();
        self.headings.iter_mut().for_each(|(span, _)| *span = shift(span.start)..shift(span.end));
    }

    /// The table as a frame.
    pub(crate) fn frame(self) -> Result<Frame, TablesError> {
        let mut names = BTreeSet::new();
        let mut columns = Vec::new();
        for (at, (name, right)) in self.columns.iter().enumerate() {
            // Two columns of one name can't be told apart in a frame.
            let mut free = (1..).map(|i| if i == 1 { name.clone() } else { format!("{name} ({i})") });
            let name = free.find(|name| !names.contains(name)).unwrap_or_default();
            names.insert(name.clone());
            let cells = self.rows.iter().map(|row| row.get(at).cloned().unwrap_or_default()).collect();
            columns.push((name, if *right { Values::Measure(cells) } else { Values::Text(cells) }));
        }
        Ok(Frame::new(columns)?
            .with_bold(self.bold)
            .with_rules(self.blocks)
            .with_headings(self.headings)
            .with_stub(self.stub))
    }
}

/// Lines of a table that the report prints; a longer one is a link.
const MOST: usize = 200;

/// A table as the report prints it and as programs read it.
pub(crate) struct Table {
    /// Name of its files.
    pub(crate) name: &'static str,
    /// Heading of its section.
    pub(crate) heading: &'static str,
    /// What it shows.
    pub(crate) sentence: String,
    /// What a caption says of its signs, in a few words.
    pub(crate) brief: Vec<String>,
    /// Paragraphs below it.
    pub(crate) notes: Vec<String>,
    /// The table for people.
    pub(crate) shown: Frame,
    /// The table of the `.md` file, where that is more than the report prints.
    pub(crate) whole: Option<Frame>,
    /// The table for programs, one number a row.
    pub(crate) long: Frame,
}

impl Table {
    /// Writes `tables/NAME.{md,tex,caption.tex,csv,parquet}` below a folder and returns the section of the report.
    pub(crate) fn write(&self, folder: &Path, print: &Print) -> Result<String, ReportError> {
        let text = self.text(print)?;
        text.write(folder, self.name)?;
        let tables = folder.join("tables");
        let long = if print.smoke { self.long.clone().with_flag("smoke", true)? } else { self.long.clone() };
        long.write_csv(&tables.join(format!("{}.csv", self.name)))?;
        long.write_parquet(&tables.join(format!("{}.parquet", self.name)), self.name)?;
        let (heading, sentence, lines) = (self.heading, &self.sentence, self.shown.height());
        if lines > MOST {
            let link = format!("[tables/{0}.md](tables/{0}.md)", self.name);
            return Ok(format!("\n## {heading}\n\n{sentence} The table has {lines} lines: {link}.\n"));
        }
        Ok(format!("\n## {heading}\n\n{sentence}\n\n{}{}", text.shown, text.below))
    }

    /// Names of the columns, headings included.
    pub(crate) fn columns(&self) -> Result<Vec<String>, ReportError> {
        columns_of(&self.shown)
    }

    fn text(&self, print: &Print) -> Result<TableText, ReportError> {
        let shown = self.shown.clone().without(&print.hide)?;
        let whole = self.whole.clone().map(|whole| whole.without(&print.hide)).transpose()?;
        let (brief, notes) = ([std::slice::from_ref(&self.sentence), &self.brief[..]].concat(), &self.notes);
        TableText::of(&shown, whole.as_ref(), (&brief, notes), print)
    }
}

/// A table for people as its files have it.
pub(crate) struct TableText {
    /// The table that the report prints.
    pub(crate) shown: String,
    /// Its notes.
    pub(crate) below: String,
    whole: Option<String>,
    tex: String,
    caption: String,
}

impl TableText {
    /// The texts of a table, of one that is more than the report prints, and of what its caption and its notes say.
    pub(crate) fn of(
        shown: &Frame,
        whole: Option<&Frame>,
        (brief, notes): (&[String], &[String]),
        print: &Print,
    ) -> Result<Self, ReportError> {
        let markdown = shown.to_markdown()?;
        let signs = signs(&markdown, notes);
        let all: Vec<String> = print.unit().into_iter().chain(notes.iter().cloned()).chain(signs.clone()).collect();
        let smoke = if print.smoke { format!("**{SMOKE}**\n\n") } else { String::new() };
        let below = all.iter().fold(String::new(), |mut below, note| {
            let _ = write!(below, "\n{}\n", in_italics(note, "*", "*"));
            below
        });
        let said = (print.smoke.then(|| format!("{SMOKE}."))).into_iter().chain(brief.iter().cloned());
        let caption: Vec<String> = said.chain(print.unit()).chain(signs).collect();
        Ok(Self {
            tex: latex(shown, &all, print)?,
            caption: caption_of(&caption),
            whole: whole.map(|whole| Ok::<_, ReportError>(smoke.clone() + &whole.to_markdown()?)).transpose()?,
            shown: smoke + &markdown,
            below,
        })
    }

    /// Writes `tables/NAME.{md,tex,caption.tex}` below a folder.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> Result<(), ReportError> {
        let file = |extension: &str| folder.join(format!("tables/{name}.{extension}"));
        let whole = self.whole.as_ref().unwrap_or(&self.shown);
        write_durable(&file("md"), format!("{whole}{}", self.below).as_bytes())?;
        write_durable(&file("tex"), self.tex.as_bytes())?;
        Ok(write_durable(&file("caption.tex"), self.caption.as_bytes())?)
    }
}

/// Names of the columns of a table, each with the heading above it.
pub(crate) fn columns_of(frame: &Frame) -> Result<Vec<String>, ReportError> {
    let markdown = frame.to_markdown()?;
    let head = markdown.lines().next().unwrap_or_default();
    Ok(head.trim_matches('|').split('|').map(|name| name.trim().replace('*', "")).collect())
}

/// What is to be said of what was chosen on the test set, of what there was no choice for, and of pairs of shots, where
/// a table or its notes have such.
fn signs(markdown: &str, notes: &[String]) -> Vec<String> {
    let mut signs = Vec::new();
    if markdown.contains('†') {
        signs.push(BEST_ON_TEST_NOTE.to_owned());
    }
    let has = |is: &dyn Fn(&str) -> bool| {
        let below = notes.iter().map(String::as_str);
        std::iter::once(markdown).chain(below).any(is)
    };
    let any = markdown.lines().any(|line| line.split('|').any(|cell| cell.trim() == ANY_K));
    if has(&|text| text.contains(NO_CHOICE)) {
        signs.push(format!("{NO_CHOICE}: there is one state, so every rule reports the same number."));
    }
    if any {
        signs.push(format!("K {ANY_K}: the method sees no support set, so K and draw decide nothing; it counts once."));
    }
    if has(&has_pair) {
        signs.push("K of unequal numbers: normal support images + abnormal ones.".to_owned());
    }
    signs
}

/// Whether a text has a word such as `16+0`.
fn has_pair(text: &str) -> bool {
    let words = text.split(|c: char| c.is_whitespace() || "|.,;".contains(c));
    words.filter(|word| word.contains('+')).any(|word| word.parse::<Shots>().is_ok())
}

/// Each `p` that is a word of its own between what opens and what closes italics.
fn in_italics(text: &str, open: &str, close: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        let alone = (before.is_whitespace() || before == '(')
            && letters.peek().is_none_or(|next| next.is_whitespace() || ":,;.)-".contains(*next));
        if c == 'p' && alone {
            let _ = write!(out, "{open}p{close}");
        } else {
            out.push(c);
        }
        before = c;
    }
    out
}

/// A table in LaTeX; its notes are comments, since a page has no room for them.
fn latex(frame: &Frame, notes: &[String], print: &Print) -> Result<String, ReportError> {
    let layout = Layout { millimetres: print.millimetres, banner: if print.smoke { SMOKE } else { "" } };
    let table = frame.to_latex(&layout)?;
    let more = if table.contains("{longtable}") { " and longtable, outside of floats and columns" } else { "" };
    let mut latex = format!("% Needs the package booktabs{more}. The caption is in the file beside this one.\n");
    for note in notes {
        let _ = writeln!(latex, "% {}", line(note));
    }
    Ok(latex + &table)
}

/// A `\caption` of sentences.
fn caption_of(sentences: &[String]) -> String {
    let of = |sentence: &String| in_italics(&latex_escape(&sentence.replace('`', "")), "\\textit{", "}");
    format!("\\caption{{{}}}%\n", sentences.iter().map(of).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::in_italics;

    #[test]
    fn a_p_that_is_a_word_is_in_italics_and_no_other() {
        let found = in_italics("p: two-sided (p ≥ 0.05); p-values, apart, no map, K, p", "*", "*");
        assert_eq!(found, "*p*: two-sided (*p* ≥ 0.05); *p*-values, apart, no map, K, *p*");
    }
}
