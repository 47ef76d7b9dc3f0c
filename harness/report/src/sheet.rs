//! A table of words put together row by row, and a table with its files.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

use harness_disk::write_durable;
use harness_method::Shots;
use harness_tables::{Frame, TablesError, Values, latex_escape};

use crate::words::{ANY_K, NO_CHOICE};
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
}

impl Sheet {
    /// A table whose columns are words, then numbers.
    pub(crate) fn new(words: &[&str], numbers: &[&str]) -> Self {
        let columns = words.iter().map(|name| ((*name).to_owned(), false));
        let numbers = numbers.iter().map(|name| ((*name).to_owned(), true));
        Self { columns: columns.chain(numbers).collect(), ..Self::default() }
    }

    /// Adds columns of numbers `heading name` below a heading.
    pub(crate) fn under(&mut self, heading: &str, names: &[&str]) {
        let start = self.columns.len();
        self.columns.extend(names.iter().map(|name| (format!("{heading} {name}"), true)));
        self.headings.push((start..self.columns.len(), heading.to_owned()));
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
        Ok(Frame::new(columns)?.with_bold(self.bold).with_rules(self.blocks).with_headings(self.headings))
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
    /// Writes `tables/NAME.{md,tex,csv,parquet}` below a folder and returns the section of the report.
    pub(crate) fn write(&self, folder: &Path) -> Result<String, ReportError> {
        let shown = self.shown.to_markdown()?;
        let notes = noted(&self.notes, &shown);
        let tables = folder.join("tables");
        let file = |extension: &str| tables.join(format!("{}.{extension}", self.name));
        let below = notes.iter().fold(String::new(), |mut below, note| {
            let _ = write!(below, "\n{note}\n");
            below
        });
        let whole = self.whole.as_ref().map_or_else(|| Ok(shown.clone()), Frame::to_markdown)?;
        write_durable(&file("md"), format!("{whole}{below}").as_bytes())?;
        write_durable(&file("tex"), latex(&self.shown, &notes)?.as_bytes())?;
        self.long.write_csv(&file("csv"))?;
        self.long.write_parquet(&file("parquet"), self.name)?;
        let (heading, sentence, lines) = (self.heading, &self.sentence, self.shown.height());
        if lines > MOST {
            let link = format!("[tables/{0}.md](tables/{0}.md)", self.name);
            return Ok(format!("\n## {heading}\n\n{sentence} The table has {lines} lines: {link}.\n"));
        }
        Ok(format!("\n## {heading}\n\n{sentence}\n\n{shown}{below}"))
    }
}

/// Notes, and those on what was chosen on the test set, on what there was no choice for, and on pairs of shots.
pub(crate) fn noted(notes: &[String], markdown: &str) -> Vec<String> {
    let mut notes = notes.to_vec();
    if markdown.contains('†') {
        notes.push(BEST_ON_TEST_NOTE.to_owned());
    }
    let has = |is: &dyn Fn(&str) -> bool| {
        let below = notes.iter().map(String::as_str);
        std::iter::once(markdown).chain(below).any(is)
    };
    let any = markdown.lines().any(|line| line.split('|').any(|cell| cell.trim() == ANY_K));
    let (no_choice, pairs) = (has(&|text| text.contains(NO_CHOICE)), has(&has_pair));
    if no_choice {
        notes.push(format!("{NO_CHOICE}: there is one state, so every rule reports the same number."));
    }
    if any {
        notes.push(format!("K {ANY_K}: the method sees no support set, so K and draw decide nothing; it counts once."));
    }
    if pairs {
        notes.push("K of unequal numbers: normal support images + abnormal ones.".to_owned());
    }
    notes
}

/// Whether a text has a word such as `16+0`.
fn has_pair(text: &str) -> bool {
    let words = text.split(|c: char| c.is_whitespace() || "|.,;".contains(c));
    words.filter(|word| word.contains('+')).any(|word| word.parse::<Shots>().is_ok())
}

/// A table in LaTeX with its notes, made smaller where it is wider than the line.
pub(crate) fn latex(frame: &Frame, notes: &[String]) -> Result<String, ReportError> {
    let mut latex = format!(
        "% Needs the packages booktabs and graphicx.\n\\begingroup\\sbox0{{%\n{}}}%\n\
         \\ifdim\\wd0>\\linewidth\\resizebox{{\\linewidth}}{{!}}{{\\usebox0}}\\else\\usebox0\\fi\\endgroup\n",
        frame.to_latex()?
    );
    for note in notes {
        let _ = write!(latex, "\n{{\\footnotesize {}}}\n", latex_escape(note));
    }
    Ok(latex)
}
