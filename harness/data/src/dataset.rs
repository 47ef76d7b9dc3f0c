//! A registry entry with its folder found.

use std::path::{Path, PathBuf};

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
        let lists = entry.lists_with(&|name| std::env::var(name).ok())?;
        Ok(Self { entry: entry.clone(), root: root.unwrap_or_default(), lists })
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

    /// Pattern of the support lists, variables replaced; `None` where supports are drawn.
    pub(crate) fn lists(&self) -> Option<&str> {
        self.lists.as_deref()
    }

    /// The patient of a file name, by the entry's pattern.
    pub(crate) fn patient_of(&self, file_name: &str) -> Option<String> {
        let found = self.entry.patient.as_ref()?.captures(file_name)?;
        found.get(1).or_else(|| found.get(0)).map(|m| m.as_str().to_owned())
    }
}
