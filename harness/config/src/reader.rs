//! Reads a TOML table key by key: mistakes are noted and reading continues; keys that nobody asked for are
//! misspellings.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problems::{Findings, Problems};
use crate::source::Source;
use crate::suggest;
use crate::value::{FromValue, Kind, wrong_kind};

/// Where the keys of a kind of file belong, for advice about one in the wrong table: the table in words, and its keys.
pub type Homes = &'static [(&'static str, &'static [&'static str])];

/// Parses a text as TOML and has `read` read its top level.
///
/// # Errors
/// Every mistake of syntax: what was recovered from broken syntax is a guess, so nothing is read from it.
pub fn parse<T>(
    source: &Source,
    findings: &mut Findings,
    homes: Homes,
    read: impl FnOnce(Table<'_, '_>) -> T,
) -> Result<T, Problems> {
    let (document, errors) = DeTable::parse_recoverable(source.text());
    // The keys of a table that stands there twice are read into the first: of each of them it would be said again.
    let mut read_into_first = 0..0;
    for error in &errors {
        let span = error.span().unwrap_or_default();
        if error.message() == DUPLICATE {
            if read_into_first.contains(&span.start) {
                continue;
            }
            read_into_first = table_at(source.text(), span.start).unwrap_or(read_into_first);
        }
        let (offset, message) = syntax(source.text(), span, error.message());
        findings.add(offset, message);
    }
    if !errors.is_empty() {
        std::mem::take(findings).into_problems(source)?;
    }
    Ok(read(Table::top(document.get_ref(), homes, findings)))
}

/// What the parser says of a key that is there twice.
const DUPLICATE: &str = "duplicate key";

/// From a place in a table's header to the end of that table; `None` for a place elsewhere.
fn table_at(text: &str, offset: usize) -> Option<Range<usize>> {
    let line = text.get(..offset)?.rfind('\n').map_or(0, |end| end + 1);
    if !text[line..].trim_start().starts_with('[') || text.get(line..offset)?.contains('=') {
        return None;
    }
    let mut end = text[line..].find('\n').map_or(text.len(), |end| line + end + 1);
    while let Some(next) =
        text.get(end..).filter(|rest| !rest.is_empty() && !rest.trim_start_matches([' ', '\t']).starts_with('['))
    {
        end = next.find('\n').map_or(text.len(), |at| end + at + 1);
    }
    Some(offset..end)
}

/// Where a mistake of syntax is, and what to do about it.
fn syntax(text: &str, span: Range<usize>, message: &str) -> (usize, String) {
    if message == DUPLICATE
        && let Some(key) = text.get(span.clone()).filter(|key| !key.is_empty())
    {
        return (span.start, format!("not TOML: `{key}` stands here a second time; remove one of the two"));
    }
    if (message.contains("escape") || message.contains("unicode"))
        && let Some(start) = basic_string(text, span.start)
    {
        let advice = "`\\` in double quotes begins an escape; write paths with `/`, or in single quotes";
        return (start, format!("not TOML: {advice}"));
    }
    (span.start, format!("not TOML: {message}; correct the syntax"))
}

/// Where the string in double quotes begins that a byte of its line is in, if that has a backslash.
fn basic_string(text: &str, offset: usize) -> Option<usize> {
    let line = text.get(..offset)?.rfind('\n').map_or(0, |end| end + 1);
    let end = text[offset..].find('\n').map_or(text.len(), |end| offset + end);
    let start = line + text.get(line..offset)?.find('"')?;
    text.get(start..end)?.contains('\\').then_some(start)
}

/// A table being read.
#[derive(Debug)]
pub struct Table<'a, 'i> {
    /// As the user would write its header: `[train]`, or `` for the top level.
    header: String,
    start: usize,
    table: Option<&'a DeTable<'i>>,
    known: Vec<&'static str>,
    homes: Homes,
    findings: &'a mut Findings,
}

impl<'a, 'i> Table<'a, 'i> {
    fn top(table: &'a DeTable<'i>, homes: Homes, findings: &'a mut Findings) -> Self {
        Self { header: String::new(), start: 0, table: Some(table), known: Vec::new(), homes, findings }
    }

    /// A table that is a value of this one. Absent ones, and values that aren't tables, read as empty.
    pub fn table<'b>(&'b mut self, key: &'static str) -> Table<'b, 'i>
    where
        'a: 'b,
    {
        self.known.push(key);
        let entry = self.table.and_then(|table| table.get_key_value(key));
        let header = self.child_header(key);
        let start = entry.map_or(self.start, |(key, _)| key.span().start);
        let table = entry.and_then(|(_, value)| as_table(&header, value, self.findings));
        Table {
            header: format!("[{header}]"),
            start,
            table,
            known: Vec::new(),
            homes: self.homes,
            findings: self.findings,
        }
    }

    /// Reads every value as a table, in the file's order, whatever the names are.
    pub fn each_table<T>(self, mut read: impl FnMut(Table<'_, 'i>) -> T) -> Vec<(Spanned<String>, T)> {
        let mut entries: Vec<_> = self.table.into_iter().flatten().collect();
        // The order of the file, whichever map the table was parsed into.
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut all = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let name = key.get_ref().to_string();
            let header = self.child_header(&name);
            let Some(table) = as_table(&header, value, self.findings) else { continue };
            let child = Table {
                header: format!("[{header}]"),
                start: key.span().start,
                table: Some(table),
                known: Vec::new(),
                homes: self.homes,
                findings: &mut *self.findings,
            };
            all.push((Spanned::new(key.span(), name), read(child)));
        }
        all
    }

    /// Reads every value as one of a type, in the file's order, whatever the names are.
    pub fn each<T: FromValue>(self) -> Vec<(Spanned<String>, Spanned<T>)> {
        let mut entries: Vec<_> = self.table.into_iter().flatten().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut all = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let name = key.get_ref().to_string();
            if let Some(value) = Spanned::from_value(&self.child_header(&name), value, self.findings) {
                all.push((Spanned::new(key.span(), name), value));
            }
        }
        all
    }

    /// Reads every table of a list of tables, `[[key]]`, in the file's order.
    pub fn tables<T>(&mut self, key: &'static str, mut read: impl FnMut(Table<'_, 'i>) -> T) -> Vec<T> {
        self.known.push(key);
        let Some(value) = self.table.and_then(|table| table.get(key)) else { return Vec::new() };
        let Some(list) = value.get_ref().as_array() else {
            let message = format!("`{key}` must be a list of tables; write [[{key}]] and its keys below");
            self.findings.add(value.span().start, message);
            return Vec::new();
        };
        let header = self.child_header(key);
        let mut all = Vec::with_capacity(list.len());
        for item in list {
            let Some(table) = as_table(&header, item, self.findings) else { continue };
            all.push(read(Table {
                header: format!("[[{header}]]"),
                start: item.span().start,
                table: Some(table),
                known: Vec::new(),
                homes: self.homes,
                findings: &mut *self.findings,
            }));
        }
        all
    }

    /// Whether the table stands in the file.
    pub fn is_present(&self) -> bool {
        self.table.is_some()
    }

    /// Where the table begins.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Findings so far, to tell whether reading a part added any.
    pub fn findings(&self) -> usize {
        self.findings.len()
    }

    /// A value that may be absent.
    pub fn optional<T: FromValue>(&mut self, key: &'static str) -> Option<Spanned<T>> {
        self.known.push(key);
        let value = self.table?.get(key)?;
        Spanned::from_value(key, value, self.findings)
    }

    /// A value that must be there; `example` is what to write.
    pub fn required<T: FromValue>(&mut self, key: &'static str, example: &str) -> Option<Spanned<T>> {
        if self.table.is_none_or(|table| !table.contains_key(key)) {
            let within = if self.header.is_empty() { "at the top of the file" } else { &format!("in {}", self.header) };
            self.findings.add(self.start, format!("`{key}` is missing {within}; write {key} = {example}"));
        }
        self.optional(key)
    }

    /// Notes every key that nobody asked for.
    pub fn finish(&mut self) {
        let Some(table) = self.table else { return };
        let within = if self.header.is_empty() { "at the top of the file" } else { &format!("in {}", self.header) };
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) {
                continue;
            }
            let near = suggest::nearest(name, self.known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            let home =
                self.homes.iter().find(|(_, keys)| keys.contains(&name)).map(|(home, _)| format!("it belongs {home}"));
            let advice = match (near, home) {
                (Some(near), Some(home)) => format!("{near} Or {home}"),
                (Some(advice), None) | (None, Some(advice)) => advice,
                (None, None) if value.get_ref().is_table() && self.header.starts_with("[variants.") => {
                    let first = self.header.trim_start_matches("[variants.").trim_end_matches(']');
                    format!("a variant's name with a dot needs quotes: [variants.\"{first}.{name}\"]")
                }
                (None, None) => format!("keys here: {}", suggest::list(self.known.iter().copied())),
            };
            self.findings.add(key.span().start, format!("unknown key `{name}` {within}; {advice}"));
        }
    }

    fn child_header(&self, key: &str) -> String {
        let parent = self.header.trim_matches(['[', ']']);
        let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let key = if plain && !key.is_empty() { key.to_owned() } else { format!("{key:?}") };
        if parent.is_empty() { key } else { format!("{parent}.{key}") }
    }
}

fn as_table<'a, 'i>(key: &str, value: &'a Spanned<DeValue<'i>>, findings: &mut Findings) -> Option<&'a DeTable<'i>> {
    let table = value.get_ref().as_table();
    if table.is_none() {
        wrong_kind(key, value, Kind::Table, findings);
    }
    table
}

/// The first byte of a spanned value.
pub fn start<T>(value: &Spanned<T>) -> usize {
    let Range { start, .. } = value.span();
    start
}
