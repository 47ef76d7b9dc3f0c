//! A TOML table read key by key: what is wrong is noted and reading goes on, what is left over is a misspelling. What
//! keys mean is in `spec`.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problems::Findings;
use crate::suggest;
use crate::value::{FromValue, Kind, wrong_kind};

/// Where the keys of an experiment file live, for those who put one in the wrong place.
const HOMES: [(&str, &[&str]); 4] = [
    (
        "at the top of the file, above the first [table]",
        &[
            "name",
            "datasets",
            "targets",
            "shots",
            "draws",
            "seeds",
            "backends",
            "selection",
            "image_scores",
            "transfer_object",
            "smoke",
            "include_base",
        ],
    ),
    ("in [encoder]", &["weights", "seed", "heads", "text_heads", "precision", "store", "arch", "image_size", "taps"]),
    ("in [train]", &["epochs", "batch", "learning_rate"]),
    (
        "in [base] or a variant",
        &[
            "preset",
            "activation",
            "normalize",
            "branches",
            "dual_objective",
            "adapter",
            "adapter_attention",
            "prompts",
            "prompt_positions",
            "prompt_mask",
            "context_tokens",
            "loss",
            "aggregation",
        ],
    ),
];

/// A table being read.
pub(crate) struct Table<'a, 'i> {
    /// As the user would write its header: `[train]`, or `` for the top level.
    header: String,
    start: usize,
    table: Option<&'a DeTable<'i>>,
    known: Vec<&'static str>,
    findings: &'a mut Findings,
}

impl<'a, 'i> Table<'a, 'i> {
    pub(crate) fn top(table: &'a DeTable<'i>, findings: &'a mut Findings) -> Self {
        Self { header: String::new(), start: 0, table: Some(table), known: Vec::new(), findings }
    }

    /// A table that is a value of this one. Absent ones, and values that aren't tables, read as empty.
    pub(crate) fn table<'b>(&'b mut self, key: &'static str) -> Table<'b, 'i>
    where
        'a: 'b,
    {
        self.known.push(key);
        let entry = self.table.and_then(|table| table.get_key_value(key));
        let header = self.child_header(key);
        let start = entry.map_or(self.start, |(key, _)| key.span().start);
        let table = entry.and_then(|(_, value)| as_table(&header, value, self.findings));
        Table { header: format!("[{header}]"), start, table, known: Vec::new(), findings: self.findings }
    }

    /// Reads every value as a table, in the file's order, whatever the names are.
    pub(crate) fn each_table<T>(self, mut read: impl FnMut(Table<'_, 'i>) -> T) -> Vec<(Spanned<String>, T)> {
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
                findings: &mut *self.findings,
            };
            all.push((Spanned::new(key.span(), name), read(child)));
        }
        all
    }

    /// Reads every table of a list of tables, `[[key]]`, in the file's order.
    pub(crate) fn tables<T>(&mut self, key: &'static str, mut read: impl FnMut(Table<'_, 'i>) -> T) -> Vec<T> {
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
                findings: &mut *self.findings,
            }));
        }
        all
    }

    /// Whether the table stands in the file.
    pub(crate) fn is_present(&self) -> bool {
        self.table.is_some()
    }

    /// Where the table begins.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// Findings so far, to tell whether reading a part added any.
    pub(crate) fn findings(&self) -> usize {
        self.findings.len()
    }

    /// A value that may be absent.
    pub(crate) fn optional<T: FromValue>(&mut self, key: &'static str) -> Option<Spanned<T>> {
        self.known.push(key);
        let value = self.table?.get(key)?;
        Spanned::from_value(key, value, self.findings)
    }

    /// A value that must be there; `example` is what to write.
    pub(crate) fn required<T: FromValue>(&mut self, key: &'static str, example: &str) -> Option<Spanned<T>> {
        if self.table.is_none_or(|table| !table.contains_key(key)) {
            let place = if self.header.is_empty() { "at the top of the file" } else { &format!("in {}", self.header) };
            self.findings.add(self.start, format!("`{key}` is missing {place}; write {key} = {example}"));
        }
        self.optional(key)
    }

    /// Notes every key that nobody asked for.
    pub(crate) fn finish(&mut self) {
        let Some(table) = self.table else { return };
        let place = if self.header.is_empty() { "at the top of the file" } else { &format!("in {}", self.header) };
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) {
                continue;
            }
            let near = suggest::nearest(name, self.known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            let home =
                HOMES.iter().find(|(_, keys)| keys.contains(&name)).map(|(home, _)| format!("it belongs {home}"));
            let advice = match (near, home) {
                (Some(near), Some(home)) => format!("{near} Or {home}"),
                (Some(advice), None) | (None, Some(advice)) => advice,
                (None, None) if value.get_ref().is_table() && self.header.starts_with("[variants.") => {
                    let first = self.header.trim_start_matches("[variants.").trim_end_matches(']');
                    format!("a variant's name with a dot needs quotes: [variants.\"{first}.{name}\"]")
                }
                (None, None) => format!("keys here: {}", suggest::list(self.known.iter().copied())),
            };
            self.findings.add(key.span().start, format!("unknown key `{name}` {place}; {advice}"));
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
pub(crate) fn start<T>(value: &Spanned<T>) -> usize {
    let Range { start, .. } = value.span();
    start
}
