//! Support sets: drawn by a random stream, or named in a list file.

use std::collections::BTreeMap;
use std::path::Path;

use harness_method::options::Side;
use harness_method::streams::permutation;
use harness_method::{Draw, Shots};

use crate::dataset::Dataset;
use crate::error::{DataError, Result};
use crate::hashes::{HashOf, set_hashes};
use crate::item::{Item, Source};
use crate::layout::Split;
use crate::layouts;
use crate::names::{Names, plain};
use crate::support_list::{self, Listed, SupportList};

/// The images a run trains on.
#[derive(Clone, Debug)]
pub struct SupportSet {
    /// Normal images, in the list's or the draw's order.
    pub normal: Vec<Item>,
    /// Abnormal images, in the list's or the draw's order.
    pub abnormal: Vec<Item>,
    /// BLAKE3, hexadecimal, over contents of images and masks in order, with labels.
    pub hash: String,
    /// The same without the order: draws with equal ones hold the same images, masks and labels.
    pub unordered: String,
    /// Drawn by a random stream, not named in a list.
    pub drawn: bool,
}

impl Dataset {
    /// The support set of so many images of each class: draw `draw` of the list file, or drawn where the dataset has no
    /// list (docs/method.md sections 5 and 6), or the list of that name. Of the images of one class the number of the
    /// other's decides nothing.
    ///
    /// # Errors
    /// Problems of the pool, [`DataError::NoShots`], [`DataError::NoDraw`], [`DataError::TooFewImages`],
    /// [`DataError::List`], [`DataError::ListCount`], [`DataError::NoList`], [`DataError::Io`].
    pub fn support(&self, shots: Shots, draw: impl Into<Draw>) -> Result<SupportSet> {
        self.support_with(shots, draw, &Source::content_hash)
    }

    /// [`Dataset::support`] with contents hashed by `hash_of`, which may remember.
    ///
    /// # Errors
    /// As [`Dataset::support`], and those of `hash_of`.
    pub fn support_with(&self, shots: Shots, draw: impl Into<Draw>, hash_of: &HashOf<'_>) -> Result<SupportSet> {
        let draw = draw.into();
        if shots.images() == 0 {
            return Err(DataError::NoShots { dataset: self.name().to_owned() });
        }
        let pattern = self.list_of(draw)?;
        let (normal, abnormal) = self.support_pool()?;
        let (normal, abnormal) = match (pattern, shots.k()) {
            (Some(pattern), Some(k)) => {
                let path = self.folder().join(support_list::expand(pattern, k as usize, draw));
                let list = support_list::read_draw(&path, pattern, draw)
                    .map_err(|error| self.with_those_there(error, &path, pattern))?;
                self.listed((&path, &list), shots, draw, &Names::of(&normal), &Names::of(&abnormal))?
            }
            (Some(pattern), None) => (
                self.of_list(pattern, shots, draw, Side::Normal, &normal)?,
                self.of_list(pattern, shots, draw, Side::Abnormal, &abnormal)?,
            ),
            (None, _) => (
                self.drawn(&normal, shots.normal as usize, draw, Side::Normal)?,
                self.drawn(&abnormal, shots.abnormal as usize, draw, Side::Abnormal)?,
            ),
        };
        let (hash, unordered) = set_hashes(normal.iter().chain(&abnormal), self.mask_values(), hash_of)?;
        Ok(SupportSet { normal, abnormal, hash, unordered, drawn: pattern.is_none() })
    }

    fn drawn(&self, pool: &[Item], shots: usize, draw: Draw, side: Side) -> Result<Vec<Item>> {
        if pool.len() < shots {
            return Err(DataError::TooFewImages {
                dataset: self.name().to_owned(),
                class: side.name(),
                location: layouts::location(self, Split::Valid, side),
                wanted: shots,
                found: pool.len(),
            });
        }
        let stream = format!("support.{}.{shots}.{}", self.name(), side.name());
        // A draw by name has a list.
        let order = permutation(&stream, draw.number().unwrap_or_default(), pool.len());
        Ok(order[..shots].iter().map(|&i| pool[i].clone()).collect())
    }

    /// The lists that are there beside the one that isn't.
    fn with_those_there(&self, error: DataError, path: &Path, pattern: &str) -> DataError {
        match error {
            DataError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                let there = support_list::existing(self.folder(), pattern).unwrap_or_default();
                let name = |file: support_list::ListFile| {
                    let path = file.path.strip_prefix(self.folder()).unwrap_or(&file.path);
                    path.display().to_string()
                };
                DataError::MissingList { path: path.to_owned(), there: there.into_iter().map(name).collect() }
            }
            error => error,
        }
    }

    /// The images of one class of an unbalanced pair: those of that class in the list of so many shots.
    fn of_list(&self, pattern: &str, shots: Shots, draw: Draw, side: Side, pool: &[Item]) -> Result<Vec<Item>> {
        let wanted = shots.of(side);
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let path = self.folder().join(support_list::expand(pattern, wanted as usize, draw));
        let list = support_list::read_draw(&path, pattern, draw).map_err(|error| match error {
            DataError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                DataError::NoList { path: path.clone(), class: side.name(), wanted, shots }
            }
            error => error,
        })?;
        let names = Names::of(pool);
        check_spaces(&path, &list, side, &names)?;
        list.check_class(&path, side, shots, draw)?;
        self.resolve(&path, list.of(side), &names, side)
    }

    /// The images that a list names for a draw, normal and abnormal.
    ///
    /// # Errors
    /// [`DataError::ListCount`], [`DataError::List`].
    pub(crate) fn listed(
        &self,
        (path, list): (&Path, &SupportList),
        shots: Shots,
        draw: Draw,
        normal: &Names<'_>,
        abnormal: &Names<'_>,
    ) -> Result<(Vec<Item>, Vec<Item>)> {
        check_spaces(path, list, Side::Normal, normal)?;
        check_spaces(path, list, Side::Abnormal, abnormal)?;
        list.check_count(path, shots, draw)?;
        let normal = self.resolve(path, &list.normal, normal, Side::Normal)?;
        Ok((normal, self.resolve(path, &list.abnormal, abnormal, Side::Abnormal)?))
    }

    /// The images of those names.
    fn resolve(&self, path: &Path, listed: &[Listed], pool: &Names<'_>, side: Side) -> Result<Vec<Item>> {
        let wrong = |line, message| DataError::List { path: path.to_owned(), line, message };
        let mut seen = BTreeMap::new();
        let mut items = Vec::new();
        for entry in listed {
            let found = pool.find(&entry.image).map_err(|message| wrong(entry.line, message))?;
            let Some(item) = found else {
                let location = layouts::location(self, Split::Valid, side);
                let near = pool.near(&entry.image).map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default();
                let message = format!("`{}` is not among the {} images of {location}{near}", entry.image, side.name());
                return Err(wrong(entry.line, message));
            };
            if let Some(first) = seen.insert(&item.name, entry.line) {
                return Err(wrong(
                    entry.line,
                    format!("`{}` is listed a second time (first in line {first})", item.name),
                ));
            }
            if let (Some(mask), Some(Source::File(expected))) = (&entry.mask, &item.mask)
                && self.folder().join(mask) != *expected
                && self.folder().join(plain(mask)) != *expected
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

/// Refuses a list in which spaces separate names, where one of the images it means has a space in its name.
fn check_spaces(path: &Path, list: &SupportList, side: Side, pool: &Names<'_>) -> Result<()> {
    const MOST_WORDS: usize = 8;
    let words = list.of(side);
    let has = |name: &str| matches!(pool.find(name), Ok(Some(_)));
    for at in (0..words.len()).filter(|_| list.in_lines) {
        let names = (2..=MOST_WORDS).map_while(|length| words.get(at..at + length));
        let joined = names.map(|words| words.iter().map(|word| word.image.as_str()).collect::<Vec<_>>().join(" "));
        if let Some(name) = joined.filter(|_| !has(&words[at].image)).find(|name| has(name)) {
            let message = format!(
                "`{name}` is the name of an image, but in this format a space begins the next name: write the list as a table \
                 with columns label,image"
            );
            return Err(DataError::List { path: path.to_owned(), line: words[at].line, message });
        }
    }
    Ok(())
}
