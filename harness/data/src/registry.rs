//! `datasets.toml`: the datasets that experiments may name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use harness_config::{Findings, Source, read_text, suggest};

use crate::entry::{Counts, Entry, Typed};
use crate::error::{DataError, Result};
use crate::layout::Layout;
use crate::mask::MaskValues;
use crate::phantom::PhantomSpec;

/// All entries of a `datasets.toml`, by name.
#[derive(Clone, Debug)]
pub struct Registry {
    path: PathBuf,
    entries: BTreeMap<String, Entry>,
}

impl Registry {
    /// Reads a registry file.
    ///
    /// # Errors
    /// [`DataError::Io`]; [`DataError::Registry`] with everything wrong with the file.
    pub fn load(path: &Path) -> Result<Self> {
        let text = read_text(path).map_err(DataError::io("read", path))?;
        Self::parse(&text, path)
    }

    /// [`Registry::load`] on a text; `path` is for messages and relative roots.
    ///
    /// # Errors
    /// [`DataError::Registry`] with everything wrong with the text.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let source = Source::new(path.to_owned(), text.to_owned());
        let mut findings = Findings::default();
        let typed = harness_config::parse(&source, &mut findings, &[], |top| top.each_table(Typed::read))?;
        let mut entries = BTreeMap::new();
        for (name, typed) in typed {
            let name = name.into_inner();
            if let Some(entry) = Entry::check(&name, typed, path, &mut findings) {
                entries.insert(name, entry);
            }
        }
        findings.into_problems(&source)?;
        Ok(Self { path: path.to_owned(), entries })
    }

    /// Every entry as generated data of this kind, each from a seed of its own: the same names, objects and masks,
    /// without files and without what is known of them. An experiment can be tried out on it at no cost.
    #[must_use]
    pub fn generated(&self, spec: PhantomSpec) -> Self {
        let entries = (0..).zip(&self.entries).map(|(number, (name, entry))| {
            let phantom = PhantomSpec { seed: spec.seed.wrapping_add(number), ..spec };
            let entry = Entry {
                layout: Layout::Phantom,
                mask_values: MaskValues::default(),
                support: None,
                patient: None,
                source: None,
                licence: None,
                published_name: None,
                counts: Counts::default(),
                phantom,
                root: None,
                ..entry.clone()
            };
            (name.clone(), entry)
        });
        Self { path: self.path.clone(), entries: entries.collect() }
    }

    /// The entry of that name.
    ///
    /// # Errors
    /// [`DataError::UnknownDataset`] with the nearest name and all names.
    pub fn get(&self, name: &str) -> Result<&Entry> {
        self.entries.get(name).ok_or_else(|| DataError::UnknownDataset {
            name: name.to_owned(),
            path: self.path.clone(),
            suggestion: suggest::nearest(name, self.names()).map(str::to_owned),
            known: self.names().map(str::to_owned).collect(),
        })
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
