//! What support and test images must not share: content, and patients.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::error::Result;
use crate::hashes::HashOf;
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

/// Patients with images in both lists, sorted. Images of unknown patients don't count.
pub fn shared_patients(support: &[Item], test: &[Item]) -> Vec<String> {
    let patients = |items: &[Item]| -> BTreeSet<String> { items.iter().filter_map(|i| i.patient.clone()).collect() };
    patients(support).intersection(&patients(test)).cloned().collect()
}
