//! A registry entry with its folder found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use harness_method::{Draw, DrawName};

use crate::entry::Entry;
use crate::error::{DataError, Result};
use crate::mask::MaskValues;
use crate::registry::Registry;

/// A dataset that can be read.
#[derive(Clone, Debug)]
pub struct Dataset {
    entry: Entry,
    /// The folder; empty for the phantom layout.
    root: PathBuf,
    /// Pattern of the support lists, variables replaced; `None` where supports are drawn.
    lists: Option<String>,
    /// Patterns of further lists by name, variables replaced.
    named_lists: BTreeMap<DrawName, String>,
}

impl Dataset {
    /// Finds the dataset's folder. No image is looked at.
    ///
    /// # Errors
    /// [`DataError::UnknownDataset`], [`DataError::Variable`], [`DataError::NoRoot`].
    pub fn open(registry: &Registry, name: &str) -> Result<Self> {
        Self::from_entry(registry.get(name)?)
    }

    /// [`Dataset::open`] on an entry.
    ///
    /// # Errors
    /// [`DataError::Variable`], [`DataError::NoRoot`].
    pub fn from_entry(entry: &Entry) -> Result<Self> {
        let root = entry.root()?;
        if let Some(root) = &root
            && !root.is_dir()
        {
            let (dataset, registry) = (entry.name.clone(), entry.registry().to_owned());
            return Err(DataError::NoRoot { dataset, root: root.clone(), is_file: root.exists(), registry });
        }
        let lookup = |name: &str| std::env::var(name).ok();
        let (lists, named_lists) = (entry.lists_with(&lookup)?, entry.named_lists_with(&lookup)?);
        Ok(Self { entry: entry.clone(), root: root.unwrap_or_default(), lists, named_lists })
    }

    /// The description in the registry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The name experiments use.
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// The object's name in sentences.
    pub fn object(&self) -> &str {
        &self.entry.object
    }

    /// Whether abnormal images have masks.
    pub fn has_masks(&self) -> bool {
        self.entry.masks
    }

    /// Which values of a mask mark a lesion.
    pub fn mask_values(&self) -> MaskValues {
        self.entry.mask_values
    }

    /// The folder; `None` where images are generated.
    pub fn root(&self) -> Option<&Path> {
        (!self.root.as_os_str().is_empty()).then_some(&self.root)
    }

    /// The folder; empty for the phantom layout.
    pub(crate) fn folder(&self) -> &Path {
        &self.root
    }

    /// Pattern of the support lists of draws by number, variables replaced; `None` where those are drawn.
    pub(crate) fn lists(&self) -> Option<&str> {
        self.lists.as_deref()
    }

    /// The patterns of all its lists, each with its name where it has one.
    pub(crate) fn all_lists(&self) -> impl Iterator<Item = (Option<DrawName>, &str)> {
        let named = self.named_lists.iter().map(|(name, pattern)| (Some(*name), pattern.as_str()));
        self.lists().map(|pattern| (None, pattern)).into_iter().chain(named)
    }

    /// The pattern of a draw's list; `None` where its supports are drawn.
    ///
    /// # Errors
    /// [`DataError::NoDraw`].
    pub(crate) fn list_of(&self, draw: Draw) -> Result<Option<&str>> {
        let found = match draw {
            Draw::Number(_) => self.lists(),
            Draw::Named(name) => self.named_lists.get(&name).map(String::as_str),
        };
        let drawn = draw.number().is_some() && !self.entry.layout.supports_are_held_out();
        if found.is_some() || drawn {
            return Ok(found);
        }
        let names = self.named_lists.keys().map(ToString::to_string);
        let numbers =
            (self.lists().is_some() || !self.entry.layout.supports_are_held_out()).then(|| "numbers".to_owned());
        let (dataset, registry) = (self.name().to_owned(), self.entry.registry().to_owned());
        Err(DataError::NoDraw { dataset, draw, has: names.chain(numbers).collect(), registry })
    }

    /// The patient of a file name, by the entry's pattern.
    pub(crate) fn patient_of(&self, file_name: &str) -> Option<String> {
        let found = self.entry.patient.as_ref()?.captures(file_name)?;
        found.get(1).or_else(|| found.get(0)).map(|m| m.as_str().to_owned())
    }
}
