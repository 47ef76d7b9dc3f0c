//! What support and test images must not share: content, and patients.

use std::collections::{BTreeMap, BTreeSet};

use harness_text::count;
use rayon::prelude::*;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::finding::{Finding, Severity};
use crate::hashes::{FileHashes, HashOf};
use crate::inspect::named;
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

/// What is doubtful about patients: names that `patient` does not fit, and a class of the test set that is one
/// patient's, of which no resample can be drawn.
pub fn doubtful_patients(dataset: &Dataset, supports: &[Item], test: &[Item]) -> Vec<Finding> {
    let found = |severity, message: String| {
        let message = format!("[{}]: {message}", dataset.name());
        Finding { severity, message, count: 1 }
    };
    let mut findings = Vec::new();
    if dataset.entry().patient.is_some() {
        let all: BTreeMap<&str, &Item> = supports.iter().chain(test).map(|item| (item.name.as_str(), item)).collect();
        let unknown: Vec<&str> = all.values().filter(|i| i.patient.is_none()).map(|i| i.name.as_str()).collect();
        if !unknown.is_empty() {
            let message = format!(
                "`patient` does not fit {} of {} ({}): each of these images counts as a patient of its own, so that intervals \
                 are too narrow where a patient has several; correct the pattern",
                if unknown.len() == all.len() { "any".to_owned() } else { unknown.len().to_string() },
                count(all.len() as u64, "file name"),
                named(unknown)
            );
            findings.push(found(Severity::Warning, message));
        }
    }
    for (abnormal, class) in [(false, "normal"), (true, "abnormal")] {
        let of_class: Vec<&Item> = test.iter().filter(|item| item.abnormal == abnormal).collect();
        let patients: BTreeSet<Option<&str>> = of_class.iter().map(|item| item.patient.as_deref()).collect();
        let (severity, which) = match (of_class.len(), patients.first()) {
            (all @ 2.., Some(Some(patient))) if patients.len() == 1 => {
                (Severity::Warning, format!("all {all} {class} test images are of one patient, `{patient}`"))
            }
            (1, _) => (Severity::Note, format!("there is one {class} test image alone")),
            _ => continue,
        };
        let why = "there are no intervals on this test set, since resamples are drawn of at least two of each class";
        findings.push(found(severity, format!("{which}: {why}")));
    }
    findings
}
