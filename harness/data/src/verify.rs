//! Looks for everything that can be wrong with a dataset's files at once: every file is read and decoded.

use std::collections::{BTreeMap, BTreeSet};

use harness_method::options::Side;
use rayon::prelude::*;

use crate::checks::shared_patients;
use crate::dataset::Dataset;
use crate::decode::{self, Depth};
use crate::error::{DataError, Result};
use crate::item::{Item, Source, empty_advice};
use crate::layout::Split;
use crate::layouts;
use crate::mask::{MaskValues, marks};
use crate::names::Names;
use crate::support_list;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A run would fail, or its numbers would be wrong.
    Error,
    /// Worth knowing.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What, where, and what to do.
    pub message: String,
}

fn error(message: impl ToString) -> Finding {
    Finding { severity: Severity::Error, message: message.to_string() }
}

fn warning(message: impl ToString) -> Finding {
    Finding { severity: Severity::Warning, message: message.to_string() }
}

/// Looks for everything at once; an empty list means that nothing was found. Errors come before warnings.
pub fn verify(dataset: &Dataset) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut listings = Vec::new();
    for split in [Split::Valid, Split::Test] {
        match dataset.listing(split) {
            Ok(listing) => {
                findings.extend(listing.problems.iter().map(error));
                findings.extend(listing.notes.iter().map(warning));
                listings.push((split, listing.normal, listing.abnormal));
            }
            Err(e) => findings.push(error(e)),
        }
    }
    for (split, normal, abnormal) in &listings {
        check_classes(dataset, *split, normal, abnormal, &mut findings);
    }
    check_counts(dataset, &listings, &mut findings);
    check_lists(dataset, &mut findings);
    check_patients(dataset, &listings, &mut findings);
    check_files(dataset, &listings, &mut findings);
    // Listing both splits of one table or folder finds the same thing twice.
    let mut seen = BTreeSet::new();
    findings.retain(|finding| seen.insert(finding.message.clone()));
    findings.sort_by_key(|finding| finding.severity);
    findings
}

type Listed = (Split, Vec<Item>, Vec<Item>);

fn check_classes(dataset: &Dataset, split: Split, normal: &[Item], abnormal: &[Item], findings: &mut Vec<Finding>) {
    for (items, side) in [(normal, Side::Normal), (abnormal, Side::Abnormal)] {
        if !items.is_empty() {
            continue;
        }
        let location = layouts::location(dataset, split, side);
        match split {
            Split::Test => {
                let dataset = dataset.name().to_owned();
                findings.push(error(DataError::OneClass { dataset, missing: side.name(), location }));
            }
            Split::Valid => findings.push(error(format!(
                "[{}]: no {} image to take supports from ({location}); add some",
                dataset.name(),
                side.name()
            ))),
        }
    }
}

fn check_counts(dataset: &Dataset, listings: &[Listed], findings: &mut Vec<Finding>) {
    let counts = &dataset.entry().counts;
    let found = |wanted: Split| {
        listings.iter().find(|(split, ..)| *split == wanted).map(|(_, normal, abnormal)| (normal.len(), abnormal.len()))
    };
    let (valid, test) = (found(Split::Valid), found(Split::Test));
    for (what, expected, found) in [
        ("normal images in valid", counts.valid_normal, valid.map(|v| v.0)),
        ("abnormal images in valid", counts.valid_abnormal, valid.map(|v| v.1)),
        ("normal images in test", counts.test_normal, test.map(|t| t.0)),
        ("abnormal images in test", counts.test_abnormal, test.map(|t| t.1)),
        ("images in test", counts.test, test.map(|t| t.0 + t.1)),
    ] {
        if let (Some(expected), Some(found)) = (expected, found)
            && expected != found
        {
            findings.push(error(format!(
                "[{}]: {found} {what}, {expected} are expected; fetch the data again, or correct `counts` in {}",
                dataset.name(),
                dataset.entry().registry().display()
            )));
        }
    }
}

fn check_lists(dataset: &Dataset, findings: &mut Vec<Finding>) {
    let Some(pattern) = dataset.lists() else { return };
    let lists = match support_list::existing(dataset.folder(), pattern) {
        Ok(lists) => lists,
        Err(e) => return findings.push(error(e)),
    };
    if lists.is_empty() {
        findings.push(error(format!(
            "[{}]: no support list fits `{pattern}` in {}; write one, or correct `support`",
            dataset.name(),
            dataset.folder().display()
        )));
    }
    // A pool with problems of its own has been reported; without it names can't be looked up.
    let pool = dataset.support_pool().ok();
    let names = pool.as_ref().map(|(normal, abnormal)| (Names::of(normal), Names::of(abnormal)));
    for list in lists {
        let text = match support_list::text(&list.path) {
            Ok(text) => text,
            Err(e) => {
                findings.push(error(e));
                continue;
            }
        };
        let draws = list.draw.map_or_else(|| support_list::draws(&text), |draw| [draw].into());
        if draws.is_empty() {
            // No line of it can be read: which one, says reading it.
            findings.extend(support_list::parse(&list.path, &text, None, true).err().map(error));
        }
        let in_name = pattern.contains("{draw}");
        let mut unread = Vec::new();
        let mut check = |draw: u64| -> Result<()> {
            let read = support_list::parse(&list.path, &text, Some(draw), in_name)?;
            unread.clone_from(&read.unread);
            let shots = list.shots.unwrap_or(read.normal.len());
            if shots == 0 {
                return Err(DataError::NoShots { dataset: dataset.name().to_owned() });
            }
            match &names {
                Some((normal, abnormal)) => {
                    dataset.listed((&list.path, &read), shots, draw, normal, abnormal).map(|_| ())
                }
                None => read.check_count(&list.path, shots, draw),
            }
        };
        let mut wrong: Vec<String> =
            draws.into_iter().filter_map(|draw| check(draw).err()).map(|e| e.to_string()).collect();
        // A line that can't be read is met by every draw.
        wrong.dedup();
        findings.extend(wrong.iter().take(DRAWS_TOLD).map(error));
        if wrong.len() > DRAWS_TOLD {
            let more = wrong.len() - DRAWS_TOLD;
            findings.push(error(format!("{}: and {more} more of its draws are wrong", list.path.display())));
        }
        if !unread.is_empty() {
            let columns = unread.join("`, `");
            findings.push(warning(format!("{}: columns that are not read: `{columns}`", list.path.display())));
        }
    }
}

/// Wrong draws of one list that are told one by one.
const DRAWS_TOLD: usize = 5;

fn check_patients(dataset: &Dataset, listings: &[Listed], findings: &mut Vec<Finding>) {
    let all = |split: Split| -> Vec<Item> {
        listings.iter().filter(|l| l.0 == split).flat_map(|(_, n, a)| n.iter().chain(a)).cloned().collect()
    };
    let (valid, test) = (all(Split::Valid), all(Split::Test));
    // Where lists hold supports out of the test folder, both listings have its images.
    if !dataset.entry().layout.supports_are_held_out() {
        let shared = shared_patients(&valid, &test);
        if !shared.is_empty() {
            findings.push(error(format!(
                "[{}]: {} patients have images in valid and in test ({}); split by patient",
                dataset.name(),
                shared.len(),
                some(&shared)
            )));
        }
    }
    if dataset.entry().patient.is_some() {
        let unknown: Vec<String> =
            valid.iter().chain(&test).filter(|item| item.patient.is_none()).map(|item| item.name.clone()).collect();
        if !unknown.is_empty() {
            findings.push(warning(format!(
                "[{}]: `patient` does not fit {} file names ({}); their patients count as unknown",
                dataset.name(),
                unknown.len(),
                some(&unknown)
            )));
        }
    }
}

/// The first few of many names.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let rest = if names.len() > SHOWN { ", ..." } else { "" };
    format!("{}{rest}", names[..names.len().min(SHOWN)].join(", "))
}

/// Reads every file once: hash, decoding, mask against image; then contents against each other.
fn check_files(dataset: &Dataset, listings: &[Listed], findings: &mut Vec<Finding>) {
    let items: Vec<(Split, &Item)> =
        listings.iter().flat_map(|(split, n, a)| n.iter().chain(a).map(move |item| (*split, item))).collect();
    let checked: Vec<(Option<[u8; 32]>, Vec<Finding>)> =
        items.par_iter().map(|(_, item)| check_item(item, dataset.mask_values())).collect();
    let mut by_hash: BTreeMap<[u8; 32], Vec<(Split, &Item)>> = BTreeMap::new();
    for ((split, item), (hash, found)) in items.iter().zip(checked) {
        findings.extend(found);
        if let Some(hash) = hash {
            by_hash.entry(hash).or_default().push((*split, item));
        }
    }
    for same in by_hash.values() {
        let (first_split, first) = same[0];
        for (split, item) in &same[1..] {
            let pair = format!("{} and {} have the same content", first.name, item.name);
            if first.name == item.name {
                // One image, listed for both splits.
            } else if first.abnormal != item.abnormal {
                findings.push(error(format!("[{}]: {pair} but different labels; remove one", dataset.name())));
            } else if first_split != *split {
                findings.push(error(format!(
                    "[{}]: {pair}, one in valid and one in test: a run could train on its test image; remove one",
                    dataset.name()
                )));
            } else {
                findings.push(warning(format!("[{}]: {pair}; they count twice", dataset.name())));
            }
        }
    }
}

fn check_item(item: &Item, values: MaskValues) -> (Option<[u8; 32]>, Vec<Finding>) {
    let mut findings = Vec::new();
    let read = |source: &Source, depth| -> Result<([u8; 32], decode::Pixels)> {
        match source {
            Source::File(path) => {
                let bytes = decode::read(path)?;
                let pixels = decode::decode(&bytes, path, depth)?;
                Ok((*blake3::hash(&bytes).as_bytes(), pixels))
            }
            Source::Phantom(_) => Ok((source.content_hash()?, source.pixels(depth)?)),
        }
    };
    let image = read(&item.image, Depth::Scaled).map_err(|e| findings.push(error(e))).ok();
    if let Some(source) = &item.mask {
        match read(source, values.depth()) {
            Err(e) => findings.push(error(e)),
            Ok((_, mask)) => {
                let grey: Vec<u8> = mask.to_grey().into_iter().map(|value| values.flatten(value)).collect();
                if !grey.iter().any(|&v| marks(v)) {
                    let largest = grey.iter().copied().max().unwrap_or(0);
                    let any = source.pixels(Depth::Nonzero).is_ok_and(|p| p.to_grey().into_iter().any(|v| v > 0));
                    let advice = empty_advice(largest, any);
                    findings.push(error(format!("{source}: the mask of an abnormal image is empty: {advice}")));
                }
                if let Some((_, image)) = &image
                    && (image.width, image.height) != (mask.width, mask.height)
                {
                    findings.push(error(DataError::MaskSize {
                        mask: source.path(),
                        mask_width: mask.width as u32,
                        mask_height: mask.height as u32,
                        image: item.image.path(),
                        width: image.width as u32,
                        height: image.height as u32,
                    }));
                }
            }
        }
    }
    (image.map(|(hash, _)| hash), findings)
}
