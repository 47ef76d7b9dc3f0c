//! What support and test images must not share: content, and patients.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::error::Result;
use crate::hashes::{FileHashes, HashOf};
use crate::item::Item;

/// Pairs of names, one of each list, whose image files have the same content.
///
/// # Errors
/// Those of `hash_of`.
pub fn overlap(support: &[Item], test: &[Item], hash_of: &HashOf<'_>) -> Result<Vec<(String, String)>> {
    let hashes = |items: &[Item]| -> Result<Vec<[u8; 32]>> { items.par_iter().map(|i| hash_of(&i.image)).collect() };
    let mut by_hash: BTreeMap<[u8; 32], Vec<&str>> = BTreeMap::new();
    for (hash, item) in hashes(support)?.into_iter().zip(support) {
        by_hash.entry(hash).or_default().push(&item.name);
    }
    let mut pairs = Vec::new();
    for (hash, item) in hashes(test)?.into_iter().zip(test) {
        pairs.extend(by_hash.get(&hash).into_iter().flatten().map(|name| ((*name).to_owned(), item.name.clone())));
    }
    Ok(pairs)
}

/// What tells an image from others: its content, and its pixels where they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Print {
    /// [`FileHashes::of_source`].
    pub content: [u8; 32],
    /// [`crate::Facts::pixels`], where they are remembered.
    pub pixels: Option<[u8; 32]>,
}

impl Print {
    /// Of each item, in order.
    ///
    /// # Errors
    /// As [`FileHashes::of_source`].
    pub fn of(items: &[Item], hashes: &FileHashes) -> Result<Vec<Self>> {
        let print = |item: &Item| {
            let (content, pixels) = hashes.print(&item.image)?;
            Ok(Self { content, pixels })
        };
        items.par_iter().map(print).collect()
    }
}

/// Pairs of indices, one of each list, that are one picture: of equal content, or of equal pixels.
pub fn same_pictures(support: &[Print], test: &[Print]) -> Vec<(usize, usize)> {
    let mut by_hash: BTreeMap<[u8; 32], Vec<usize>> = BTreeMap::new();
    for (index, print) in support.iter().enumerate() {
        for hash in [Some(print.content), print.pixels].into_iter().flatten() {
            by_hash.entry(hash).or_default().push(index);
        }
    }
    let mut pairs = BTreeSet::new();
    for (index, print) in test.iter().enumerate() {
        for hash in [Some(print.content), print.pixels].into_iter().flatten() {
            pairs.extend(by_hash.get(&hash).into_iter().flatten().map(|support| (*support, index)));
        }
    }
    pairs.into_iter().collect()
}

/// Patients with images in both lists, sorted. Images of unknown patients don't count.
pub fn shared_patients(support: &[Item], test: &[Item]) -> Vec<String> {
    let patients = |items: &[Item]| -> BTreeSet<String> { items.iter().filter_map(|i| i.patient.clone()).collect() };
    patients(support).intersection(&patients(test)).cloned().collect()
}
