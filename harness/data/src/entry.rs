//! A dataset's table in `datasets.toml`: as typed, and checked.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use harness_config::{Findings, Spanned, Table, escaped, expand, start};
use harness_method::DrawName;
use regex::Regex;

use crate::error::{DataError, Result};
use crate::keys::{self, CountKeys, EntrySpec, PhantomKeys};
use crate::layout::Layout;
use crate::mask::MaskValues;
use crate::phantom::{self, PhantomSpec};
use crate::support_list;

/// Image counts that the dataset's publication states; each is checked where it is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Normal images to draw supports from.
    pub valid_normal: Option<usize>,
    /// Abnormal images to draw supports from.
    pub valid_abnormal: Option<usize>,
    /// Normal test images.
    pub test_normal: Option<usize>,
    /// Abnormal test images.
    pub test_abnormal: Option<usize>,
    /// Test images, both classes.
    pub test: Option<usize>,
}

impl From<CountKeys> for Counts {
    fn from(typed: CountKeys) -> Self {
        let count = |typed: Option<Spanned<usize>>| typed.map(Spanned::into_inner);
        Self {
            valid_normal: count(typed.valid_normal),
            valid_abnormal: count(typed.valid_abnormal),
            test_normal: count(typed.test_normal),
            test_abnormal: count(typed.test_abnormal),
            test: count(typed.test),
        }
    }
}

/// A dataset's table as typed.
#[derive(Debug)]
pub(crate) struct Typed {
    start: usize,
    keys: EntrySpec,
    /// By name, and where the name stands.
    support_lists: Vec<(Spanned<String>, Spanned<String>)>,
    counts: CountKeys,
    /// Where a `phantom` table begins.
    phantom_start: Option<usize>,
    phantom: PhantomKeys,
}

impl Typed {
    pub(crate) fn read(mut table: Table<'_, '_>) -> Self {
        let (start, keys) = (table.start(), EntrySpec::read(&mut table));
        let support_lists = table.table(keys::SUPPORT_LISTS).each();
        let counts = read_all(table.table(keys::COUNTS), CountKeys::read);
        let phantom = table.table(keys::PHANTOM);
        let phantom_start = phantom.is_present().then(|| phantom.start());
        let phantom = read_all(phantom, PhantomKeys::read);
        table.finish();
        Self { start, keys, support_lists, counts, phantom_start, phantom }
    }
}

/// Reads a table that has no other keys.
fn read_all<T>(mut table: Table<'_, '_>, read: impl FnOnce(&mut Table<'_, '_>) -> T) -> T {
    let keys = read(&mut table);
    table.finish();
    keys
}

fn check_phantom(typed: &PhantomKeys, findings: &mut Findings) -> PhantomSpec {
    let mut within = |name: &str, typed: Option<&Spanned<usize>>, range: RangeInclusive<usize>| {
        if let Some(value) = typed.filter(|value| !range.contains(value.get_ref())) {
            let (value_is, from, to) = (value.get_ref(), range.start(), range.end());
            findings.add(start(value), format!("{name} = {value_is}: write a whole number from {from} to {to}"));
        }
    };
    within("side", typed.side.as_ref(), phantom::SIDES);
    within("valid", typed.valid.as_ref(), phantom::COUNTS);
    within("test", typed.test.as_ref(), phantom::COUNTS);
    PhantomSpec { side: typed.side(), valid: typed.valid(), test: typed.test(), seed: typed.seed() }
}

/// A dataset's description, checked. Its folder may be missing.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name experiments use.
    pub name: String,
    /// How files are arranged.
    pub layout: Layout,
    /// The object's name in sentences (docs/method.md section 4).
    pub object: String,
    /// The imaging modality, for tables.
    pub modality: String,
    /// Whether abnormal images have masks.
    pub masks: bool,
    /// Which values of a mask mark a lesion.
    pub mask_values: MaskValues,
    /// Pattern of the support lists' paths as typed, with `{shots}`, `{draw}` and variables; without it supports are
    /// drawn.
    pub support: Option<String>,
    /// Patterns of further lists as typed, with `{shots}` and variables, by the name that they have as draws.
    pub support_lists: BTreeMap<DrawName, String>,
    /// Takes the patient from an image's file name: its first group, or all of the match.
    pub patient: Option<Regex>,
    /// Where the data comes from.
    pub source: Option<String>,
    /// What may be done with it.
    pub licence: Option<String>,
    /// The dataset's name in tables of published results.
    pub published_name: Option<String>,
    /// Expected counts.
    pub counts: Counts,
    /// Layout `csv`: the table, below the root.
    pub csv: String,
    /// Layout `phantom`: what is generated.
    pub phantom: PhantomSpec,
    /// The folder as typed, with variables.
    pub(crate) root: Option<String>,
    pub(crate) registry: PathBuf,
}

impl Entry {
    /// The dataset's folder, variables taken from `lookup`, relative paths from the registry file's folder. `None` for
    /// the phantom layout. The folder may be missing.
    ///
    /// # Errors
    /// [`DataError::Variable`].
    pub fn root_with(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Option<PathBuf>> {
        let Some(text) = self.filled("root", self.root.as_deref(), lookup)? else { return Ok(None) };
        let root = self.registry.parent().unwrap_or(Path::new("")).join(text);
        // Without `.` in the middle, which messages would show.
        Ok(Some(root.components().collect()))
    }

    /// The pattern of the support lists, variables taken from `lookup`: below the dataset's root, or absolute. `None`
    /// where supports are drawn.
    ///
    /// # Errors
    /// [`DataError::Variable`].
    pub fn lists_with(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>> {
        self.filled("support", self.support.as_deref(), lookup)
    }

    /// The same of the lists that have names.
    ///
    /// # Errors
    /// [`DataError::Variable`].
    pub fn named_lists_with(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Result<BTreeMap<DrawName, String>> {
        let filled = |(name, text): (&DrawName, &String)| {
            let pattern = self.filled(keys::SUPPORT_LISTS, Some(text.as_str()), lookup)?;
            Ok(pattern.map(|pattern| (*name, pattern)))
        };
        self.support_lists.iter().filter_map(|entry| filled(entry).transpose()).collect()
    }

    fn filled(
        &self,
        key: &'static str,
        text: Option<&str>,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<String>> {
        text.map(|text| expand(text, lookup)).transpose().map_err(|source| DataError::Variable {
            path: self.registry.clone(),
            dataset: self.name.clone(),
            key,
            source,
        })
    }

    /// [`Entry::root_with`] on the process's environment.
    ///
    /// # Errors
    /// [`DataError::Variable`].
    pub fn root(&self) -> Result<Option<PathBuf>> {
        self.root_with(&|name| std::env::var(name).ok())
    }

    /// The registry file.
    pub fn registry(&self) -> &Path {
        &self.registry
    }

    /// Checks a table, all of it; `None` where a finding was added.
    pub(crate) fn check(name: &str, typed: Typed, registry: &Path, findings: &mut Findings) -> Option<Self> {
        let before = findings.len();
        typed.check_layout(name, findings);
        typed.check_paths(findings);
        if let Some(object) = typed.keys.object.as_ref().filter(|object| object.get_ref().trim().is_empty()) {
            findings.add(start(object), "`object` is empty; write the object's name, which stands in every sentence");
        }
        let patient = typed.keys.patient.as_ref().and_then(|pattern| {
            let invalid = |error: regex::Error| {
                // The crate draws the pattern above the reason, and a problem is one line.
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                findings.add(start(pattern), format!("`patient` is not a valid pattern: {reason}; correct it"));
            };
            Regex::new(pattern.get_ref()).map_err(invalid).ok()
        });
        let support_lists = typed.check_named(findings);
        let phantom = check_phantom(&typed.phantom, findings);
        if findings.len() > before {
            return None;
        }
        let keys = typed.keys;
        let (mask_values, csv) = (keys.mask_values(), keys.csv());
        let value = |text: Option<Spanned<String>>| text.map(Spanned::into_inner);
        Some(Self {
            name: name.to_owned(),
            layout: keys.layout?.into_inner(),
            object: keys.object?.into_inner(),
            modality: keys.modality?.into_inner(),
            masks: keys.masks?.into_inner(),
            mask_values,
            support: value(keys.support),
            support_lists,
            patient,
            source: value(keys.source),
            licence: value(keys.licence),
            published_name: value(keys.published_name),
            counts: typed.counts.into(),
            csv,
            phantom,
            root: value(keys.root),
            registry: registry.to_owned(),
        })
    }
}

impl Typed {
    /// Keys that a layout needs, and keys that are another layout's.
    fn check_layout(&self, name: &str, findings: &mut Findings) {
        let Some(layout) = self.keys.layout.as_ref().map(|layout| *layout.get_ref()) else { return };
        if layout == Layout::Phantom {
            for (key, typed) in [("root", &self.keys.root), ("support", &self.keys.support)] {
                if let Some(typed) = typed {
                    let message = format!("layout `phantom` is generated and has no files; remove `{key}`");
                    findings.add(start(typed), message);
                }
            }
        } else if self.keys.root.is_none() {
            findings.add(self.start, format!("`root` is missing in [{name}]; write root = \"the dataset's folder\""));
        }
        let foreign = [
            (keys::PHANTOM, Layout::Phantom, self.phantom_start),
            ("csv", Layout::Csv, self.keys.csv.as_ref().map(start)),
        ];
        for (key, owner, typed) in foreign {
            if let Some(offset) = typed.filter(|_| layout != owner) {
                findings.add(offset, format!("`{key}` is only for layout `{owner}`; remove it"));
            }
        }
        if let Some((name, _)) = self.support_lists.first().filter(|_| layout == Layout::Phantom) {
            findings.add(start(name), "layout `phantom` is generated and has no files; remove `support_lists`");
        }
        if layout.supports_are_held_out() && self.keys.support.is_none() && self.support_lists.is_empty() {
            findings.add(
                self.start,
                format!(
                    "`support` is missing in [{name}]: layout `{layout}` has no abnormal images outside test/, so none can \
                     be drawn; name them in list files, for example support = \"support/{{shots}}-shot-draw{{draw}}.csv\"; \
                     every image that a list names is left out of the test set"
                ),
            );
        }
    }

    /// The lists that have names.
    fn check_named(&self, findings: &mut Findings) -> BTreeMap<DrawName, String> {
        let mut lists = BTreeMap::new();
        for (name, pattern) in &self.support_lists {
            let key = format!("{}.{}", keys::SUPPORT_LISTS, name.get_ref());
            let text = pattern.get_ref();
            if let Some(message) = escaped(text) {
                findings.add(start(pattern), message);
            }
            match expand(text, |_: &str| Some("x".to_owned())) {
                Err(error) => findings.add(start(pattern), format!("`{key}`: {error}")),
                Ok(expanded) if expanded.trim().is_empty() => {
                    findings.add(start(pattern), format!("`{key}` is empty; write the path of a list, or remove it"));
                }
                Ok(expanded) if expanded.replace("{shots}", "").contains(['{', '}']) => {
                    let message = format!(
                        "`{key}` has a placeholder other than {{shots}}; remove it: a name stands for one draw, and draws by \
                         number are `support`'s"
                    );
                    findings.add(start(pattern), message);
                }
                Ok(_) => {}
            }
            match name.get_ref().parse() {
                Ok(name) => _ = lists.insert(name, text.clone()),
                Err(error) => findings.add(start(name), format!("`{}`: {error}", keys::SUPPORT_LISTS)),
            }
        }
        lists
    }

    /// Variables and placeholders; values of variables are looked up when a dataset is opened.
    fn check_paths(&self, findings: &mut Findings) {
        let any = |_: &str| Some("x".to_owned());
        for typed in [&self.keys.root, &self.keys.support, &self.keys.csv].into_iter().flatten() {
            if let Some(message) = escaped(typed.get_ref()) {
                findings.add(start(typed), message);
            }
        }
        for (key, typed) in [("root", &self.keys.root), ("support", &self.keys.support)] {
            let Some(typed) = typed else { continue };
            match expand(typed.get_ref(), any) {
                Err(error) => findings.add(start(typed), format!("`{key}`: {error}")),
                Ok(pattern) if key == "support" && !support_list::placeholders_are_known(&pattern) => {
                    findings.add(start(typed), "`support` has a placeholder other than {shots} and {draw}; remove it");
                }
                Ok(_) => {}
            }
        }
        if let Some(support) = self.keys.support.as_ref().filter(|support| support.get_ref().trim().is_empty()) {
            findings.add(
                start(support),
                "`support` is empty; write a path below the dataset's root or an absolute one, or remove the key to draw \
                 supports",
            );
        }
    }
}
