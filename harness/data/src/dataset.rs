//! A registry entry with its folder found: test set, images to draw supports from, support sets. How files are arranged is
//! the layouts', how a list file reads is `support_list`'s.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use harness_method::options::Side;
use harness_method::streams::permutation;

use crate::error::{DataError, Result};
use crate::hashes::{HashOf, items_hash};
use crate::item::{Item, Source};
use crate::layouts::{self, Listing};
use crate::registry::{Entry, MaskValues, Registry};
use crate::spelling::nearest;
use crate::support_list::{self, Listed};

/// A part of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// What supports come from.
    Valid,
    /// What is scored.
    Test,
}

impl Split {
    /// The name in layouts and in `csv` tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Test => "test",
        }
    }
}

/// The images a run trains on.
#[derive(Clone, Debug)]
pub struct SupportSet {
    /// K normal images, in the list's or the draw's order.
    pub normal: Vec<Item>,
    /// K abnormal images, in the list's or the draw's order.
    pub abnormal: Vec<Item>,
    /// BLAKE3, hexadecimal, over contents of images and masks in order, with labels.
    pub hash: String,
    /// Drawn by a random stream, not named in a list.
    pub drawn: bool,
}

/// A dataset that can be read.
#[derive(Clone, Debug)]
pub struct Dataset {
    pub(crate) entry: Entry,
    /// The folder; empty for the phantom layout.
    pub(crate) root: PathBuf,
    /// Pattern of the support lists, variables replaced; `None` where supports are drawn.
    pub(crate) lists: Option<String>,
}

impl Dataset {
    /// Finds the dataset's folder. No image is looked at.
    ///
    /// # Errors
    /// [`DataError::UnknownDataset`], [`DataError::UnsetVariable`], [`DataError::NoRoot`].
    pub fn open(registry: &Registry, name: &str) -> Result<Self> {
        Self::from_entry(registry.get(name)?)
    }

    /// [`Dataset::open`] on an entry.
    ///
    /// # Errors
    /// [`DataError::UnsetVariable`], [`DataError::NoRoot`].
    pub fn from_entry(entry: &Entry) -> Result<Self> {
        let root = entry.root()?;
        if let Some(root) = &root
            && !root.is_dir()
        {
            let registry = entry.registry().to_owned();
            return Err(DataError::NoRoot { dataset: entry.name.clone(), root: root.clone(), registry });
        }
        let lists = entry.support_with(&|name| std::env::var(name).ok())?;
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

    /// The test set: normal images, then abnormal ones, each byte-sorted by name. With layout `mvtec`, without the images
    /// that any support list names.
    ///
    /// # Errors
    /// The first problem of the test split: a missing or empty folder, a mask without image or the reverse, a file that is
    /// no image, [`DataError::OneClass`].
    pub fn test_set(&self) -> Result<Vec<Item>> {
        let Listing { mut normal, abnormal, .. } = self.listing(Split::Test)?.complete()?;
        for (items, missing) in [(&normal, Side::Normal), (&abnormal, Side::Abnormal)] {
            if items.is_empty() {
                let place = layouts::place(self, Split::Test, missing);
                return Err(DataError::OneClass { dataset: self.name().to_owned(), missing: missing.name(), place });
            }
        }
        normal.extend(abnormal);
        Ok(normal)
    }

    /// The images supports may be taken from, normal and abnormal, each byte-sorted by name. With layout `mvtec` the
    /// abnormal ones are the test folder's, which only list files may name.
    ///
    /// # Errors
    /// The first problem of the split, as for [`Dataset::test_set`]; a class may be empty.
    pub fn support_pool(&self) -> Result<(Vec<Item>, Vec<Item>)> {
        let listing = self.listing(Split::Valid)?.complete()?;
        Ok((listing.normal, listing.abnormal))
    }

    /// The support set of K = `shots` normal and K abnormal images: draw `draw` of the list file, or drawn where the dataset
    /// has no list (docs/method.md sections 5 and 6).
    ///
    /// # Errors
    /// Problems of the pool, [`DataError::NoShots`], [`DataError::TooFewImages`], [`DataError::List`],
    /// [`DataError::ListCount`], [`DataError::Io`].
    pub fn support(&self, shots: usize, draw: u64) -> Result<SupportSet> {
        self.support_with(shots, draw, &Source::content_hash)
    }

    /// [`Dataset::support`] with contents hashed by `hash_of`, which may remember.
    ///
    /// # Errors
    /// As [`Dataset::support`], and those of `hash_of`.
    pub fn support_with(&self, shots: usize, draw: u64, hash_of: &HashOf<'_>) -> Result<SupportSet> {
        if shots == 0 {
            return Err(DataError::NoShots { dataset: self.name().to_owned() });
        }
        let (normal, abnormal) = self.support_pool()?;
        let (normal, abnormal) = match &self.lists {
            Some(pattern) => self.listed(pattern, shots, draw, &normal, &abnormal)?,
            None => {
                (self.drawn(&normal, shots, draw, Side::Normal)?, self.drawn(&abnormal, shots, draw, Side::Abnormal)?)
            }
        };
        let hash = items_hash(normal.iter().chain(&abnormal), self.mask_values(), hash_of)?;
        Ok(SupportSet { normal, abnormal, hash, drawn: self.lists.is_none() })
    }

    /// Everything of a split, with what is wrong with it.
    pub(crate) fn listing(&self, split: Split) -> Result<Listing> {
        layouts::list(self, split)
    }

    /// The patient of a file name, by the entry's pattern.
    pub(crate) fn patient_of(&self, file_name: &str) -> Option<String> {
        let found = self.entry.patient.as_ref()?.captures(file_name)?;
        found.get(1).or_else(|| found.get(0)).map(|m| m.as_str().to_owned())
    }

    fn drawn(&self, pool: &[Item], shots: usize, draw: u64, side: Side) -> Result<Vec<Item>> {
        if pool.len() < shots {
            return Err(DataError::TooFewImages {
                dataset: self.name().to_owned(),
                class: side.name(),
                place: layouts::place(self, Split::Valid, side),
                wanted: shots,
                found: pool.len(),
            });
        }
        let stream = format!("support.{}.{shots}.{}", self.name(), side.name());
        let order = permutation(&stream, draw, pool.len());
        Ok(order[..shots].iter().map(|&i| pool[i].clone()).collect())
    }

    fn listed(
        &self,
        pattern: &str,
        shots: usize,
        draw: u64,
        normal: &[Item],
        abnormal: &[Item],
    ) -> Result<(Vec<Item>, Vec<Item>)> {
        let path = self.root.join(support_list::expand(pattern, shots, draw));
        let list = support_list::read(&path, Some(draw), pattern.contains("{draw}"))?;
        let mut sides = Vec::new();
        for (listed, pool, side) in [(&list.normal, normal, Side::Normal), (&list.abnormal, abnormal, Side::Abnormal)] {
            if listed.len() != shots {
                let class = side.name();
                return Err(DataError::ListCount { path, class, draw, found: listed.len(), wanted: shots });
            }
            sides.push(self.resolve(&path, listed, pool, side)?);
        }
        let abnormal = sides.pop().unwrap_or_default();
        Ok((sides.pop().unwrap_or_default(), abnormal))
    }

    /// The pool's items of those names: whole names below the root, or file names where these are unique.
    fn resolve(&self, path: &Path, listed: &[Listed], pool: &[Item], side: Side) -> Result<Vec<Item>> {
        let wrong = |line, message| DataError::List { path: path.to_owned(), line, message };
        let mut by_name: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
        for item in pool {
            by_name.entry(&item.name).or_default().push(item);
            if let Some((_, file_name)) = item.name.rsplit_once('/') {
                by_name.entry(file_name).or_default().push(item);
            }
        }
        let mut seen = BTreeMap::new();
        let mut items = Vec::new();
        for entry in listed {
            let item = match by_name.get(entry.image.as_str()).map(Vec::as_slice) {
                Some([item]) => *item,
                Some(_) => {
                    let message =
                        format!("`{}` is the name of several images; write the path below the root", entry.image);
                    return Err(wrong(entry.line, message));
                }
                None => {
                    let place = layouts::place(self, Split::Valid, side);
                    let near = nearest(&entry.image, by_name.keys().copied());
                    let near = near.map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default();
                    let message = format!("`{}` is not among the {} images of {place}{near}", entry.image, side.name());
                    return Err(wrong(entry.line, message));
                }
            };
            if let Some(first) = seen.insert(&item.name, entry.line) {
                return Err(wrong(
                    entry.line,
                    format!("`{}` is listed a second time (first in line {first})", item.name),
                ));
            }
            if let (Some(mask), Some(Source::File(expected))) = (&entry.mask, &item.mask)
                && self.root.join(mask) != *expected
            {
                let message =
                    format!("mask `{mask}`: the layout's mask of this image is {}; write that one", expected.display());
                return Err(wrong(entry.line, message));
            }
            items.push(item.clone());
        }
        Ok(items)
    }
}
