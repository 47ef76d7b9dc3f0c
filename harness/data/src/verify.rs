//! Looks for everything that can be wrong with a dataset's files at once: every file is read and decoded.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::{Discriminant, discriminant};
use std::path::{Path, PathBuf};

use harness_method::options::Side;
use harness_method::{Draw, DrawName, Shots};
use harness_text::count;
use rayon::prelude::*;

use crate::checks::{doubtful_patients, shared_patients};
use crate::copies::{near_copies, nearly_repeated};
use crate::dataset::Dataset;
use crate::error::{DataError, Result};
use crate::facts::Facts;
use crate::finding::{Finding, Severity};
use crate::foreign::{self, Foreign};
use crate::hashes::FileHashes;
use crate::inspect::{Looked, Unusable, inspect, named};
use crate::item::Item;
use crate::layout::Split;
use crate::layouts;
use crate::names::Names;
use crate::support_list;

fn error(message: impl ToString) -> Finding {
    Finding { severity: Severity::Error, message: message.to_string(), count: 1 }
}

fn warning(message: impl ToString) -> Finding {
    Finding { severity: Severity::Warning, message: message.to_string(), count: 1 }
}

/// Findings of one kind that are told one by one.
const TOLD: usize = 5;

/// The first few of many findings of one kind, and how many more there are.
fn few(mut findings: Vec<Finding>, what: &str) -> Vec<Finding> {
    if findings.len() > TOLD + 1 {
        let more = findings.split_off(TOLD);
        let count = more.iter().map(|finding| finding.count).sum();
        let severity = findings[0].severity;
        findings.push(Finding { severity, message: format!("and {count} more {what}"), count });
    }
    findings
}

/// Looks for everything at once; an empty list means that nothing was found. Errors come before warnings.
pub fn verify(dataset: &Dataset) -> Vec<Finding> {
    verify_with(dataset, &FileHashes::in_memory())
}

/// [`verify`] with facts of files that `hashes` may remember.
pub fn verify_with(dataset: &Dataset, hashes: &FileHashes) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut listings = Vec::new();
    for split in [Split::Valid, Split::Test] {
        match dataset.listing(split) {
            Ok(listing) => {
                findings.extend(problems(listing.problems.iter().chain(listing.missing.values())));
                findings.extend(listing.notes.iter().map(warning));
                listings.push(Listed {
                    split,
                    normal: listing.normal,
                    abnormal: listing.abnormal,
                    held_out: listing.held_out,
                });
            }
            Err(e) => findings.push(error(e)),
        }
    }
    for listed in &listings {
        check_classes(dataset, listed, &mut findings);
    }
    check_counts(dataset, &listings, &mut findings);
    check_lists(dataset, &mut findings);
    check_patients(dataset, &listings, &mut findings);
    check_files(dataset, &listings, hashes, &mut findings);
    // Listing both splits of one table or folder finds the same thing twice.
    let mut seen = BTreeSet::new();
    findings.retain(|finding| seen.insert(finding.message.clone()));
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// Problems of a listing: files of another kind in one line a folder, of the rest a few of each kind.
fn problems<'a>(problems: impl Iterator<Item = &'a DataError> + Clone) -> Vec<Finding> {
    type Key = (Discriminant<DataError>, Option<PathBuf>, Option<&'static str>);
    let mut groups: Vec<(Key, Vec<&DataError>)> = Vec::new();
    let folder_of = |problem: &DataError| match problem {
        DataError::NotAnImage { path, .. } => path.parent().map(Path::to_owned),
        _ => None,
    };
    let full: BTreeSet<PathBuf> = problems.clone().filter_map(folder_of).collect();
    for problem in problems {
        // What a folder holds instead of images says more than that it holds none.
        if matches!(problem, DataError::EmptyFolder { folder, .. } if full.contains(folder)) {
            continue;
        }
        let (path, other) = match problem {
            DataError::NotAnImage { path, what } => {
                (Some(path), Some(foreign::of_name(path).map_or(*what, |f| f.kind)))
            }
            DataError::MissingMask { image: path, .. } | DataError::MaskWithoutImage { mask: path, .. } => {
                (Some(path), None)
            }
            DataError::List { path, .. } => (Some(path), None),
            _ => (None, None),
        };
        let folder = path.and_then(|path| path.parent()).map(Path::to_owned);
        let key = (discriminant(problem), folder, other);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, group)) => group.push(problem),
            None => groups.push((key, vec![problem])),
        }
    }
    let told = |((_, folder, _), group): ((_, Option<PathBuf>, _), Vec<&DataError>)| match folder {
        Some(folder) => others(&folder, &group).map_or_else(
            || few(group.iter().map(error).collect(), &format!("like that in {}", folder.display())),
            |finding| vec![finding],
        ),
        None => group.iter().map(error).collect(),
    };
    groups.into_iter().flat_map(told).collect()
}

/// Several files of one other kind in a folder.
fn others(folder: &Path, group: &[&DataError]) -> Option<Finding> {
    let files = group.iter().map(|problem| match problem {
        DataError::NotAnImage { path, .. } => Some(path.as_path()),
        _ => None,
    });
    let files: Vec<&Path> = files.collect::<Option<_>>()?;
    let names = named(files.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy()));
    let (folder, number) = (folder.display(), files.len());
    let message = match foreign::of_name(files.first()?) {
        Some(Foreign { kind, advice }) if number == 1 => format!("{folder}/{names}: by its name {kind}; {advice}"),
        Some(Foreign { kind, advice }) => {
            format!("{folder}: {number} files by their names each {kind} ({names}); {advice}")
        }
        None if number == 1 => return None,
        None => format!(
            "{folder}: {number} entries are no image files by their names ({names}); only {} files belong here: move them \
             away",
            crate::limits::EXTENSIONS.join(", ")
        ),
    };
    Some(error(message))
}

/// The images of a split.
struct Listed {
    split: Split,
    normal: Vec<Item>,
    abnormal: Vec<Item>,
    /// Abnormal images that are left out because lists name them.
    held_out: usize,
}

impl Listed {
    fn items(&self) -> impl Iterator<Item = &Item> {
        self.normal.iter().chain(&self.abnormal)
    }
}

fn check_classes(dataset: &Dataset, listed: &Listed, findings: &mut Vec<Finding>) {
    let split = listed.split;
    for (items, side) in [(&listed.normal, Side::Normal), (&listed.abnormal, Side::Abnormal)] {
        if !items.is_empty() {
            continue;
        }
        let location = layouts::location(dataset, split, side);
        match split {
            Split::Test => {
                let dataset = dataset.name().to_owned();
                let held_out = if side == Side::Abnormal { listed.held_out } else { 0 };
                findings.push(error(DataError::OneClass { dataset, missing: side.name(), location, held_out }));
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
        listings.iter().find(|l| l.split == wanted).map(|listed| (listed.normal.len(), listed.abnormal.len()))
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
                "[{}]: {what}: {expected} expected, {found} found; fetch the data again, or correct `counts` in {}",
                dataset.name(),
                dataset.entry().registry().display()
            )));
        }
    }
}

fn check_lists(dataset: &Dataset, findings: &mut Vec<Finding>) {
    for (name, pattern) in dataset.all_lists() {
        check_list(dataset, name, pattern, findings);
    }
}

/// The list files of one pattern; with a name each holds the one draw of that name.
fn check_list(dataset: &Dataset, name: Option<DrawName>, pattern: &str, findings: &mut Vec<Finding>) {
    let lists = match support_list::existing(dataset.folder(), pattern) {
        Ok(lists) => lists,
        Err(e) => return findings.push(error(e)),
    };
    if lists.is_empty() {
        findings.push(error(format!(
            "[{}]: no support list fits `{pattern}` in {}; write one, or correct `{}`",
            dataset.name(),
            dataset.folder().display(),
            name.map_or_else(|| "support".to_owned(), |name| format!("support_lists.{name}"))
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
        let draws: BTreeSet<Draw> = match name {
            Some(name) => [Draw::Named(name)].into(),
            None => {
                let held = list.draw.map_or_else(|| support_list::draws(&text), |draw| [draw].into());
                held.into_iter().map(Draw::Number).collect()
            }
        };
        if draws.is_empty() {
            // No line of it can be read: which one, says reading it.
            findings.extend(support_list::parse(&list.path, &text, None, true).err().map(error));
        }
        let in_name = pattern.contains("{draw}");
        let mut unread = Vec::new();
        let mut check = |draw: Draw| -> Result<()> {
            let read = match draw {
                Draw::Number(number) => support_list::parse(&list.path, &text, Some(number), in_name)?,
                Draw::Named(name) => support_list::parse_only(&list.path, &text, name)?,
            };
            unread.clone_from(&read.unread);
            // Without K in its name a list serves whatever pair it has.
            let count = |side| read.of(side).len() as u32;
            let pair = || Shots { normal: count(Side::Normal), abnormal: count(Side::Abnormal) };
            let shots = list.shots.map_or_else(pair, |k| Shots::each(k as u32));
            if shots.images() == 0 {
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
        listings.iter().filter(|listed| listed.split == split).flat_map(Listed::items).cloned().collect()
    };
    let (valid, test) = (all(Split::Valid), all(Split::Test));
    // Where lists hold supports out of the test folder, both listings have its images.
    if !dataset.entry().layout.supports_are_held_out() {
        let shared = shared_patients(&valid, &test);
        if !shared.is_empty() {
            findings.push(error(format!(
                "[{}]: {} {} images in valid and in test ({}); split by patient",
                dataset.name(),
                count(shared.len() as u64, "patient"),
                if shared.len() == 1 { "has" } else { "have" },
                some(&shared)
            )));
        }
    }
    findings.extend(doubtful_patients(dataset, &valid, &test));
}

/// The first few of many names.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let rest = if names.len() > SHOWN { ", ..." } else { "" };
    format!("{}{rest}", names[..names.len().min(SHOWN)].join(", "))
}

/// Every file once: decoding, mask against image, masks and images as a whole; then pictures against each other.
fn check_files(dataset: &Dataset, listings: &[Listed], hashes: &FileHashes, findings: &mut Vec<Finding>) {
    let items: Vec<(Split, &Item)> =
        listings.iter().flat_map(|listed| listed.items().map(|item| (listed.split, item))).collect();
    let looked: Vec<Looked<'_>> = items.par_iter().map(|(_, item)| Looked::at(item, hashes)).collect();
    let inspection = inspect(dataset, &looked);
    // What is not there was told of the listing.
    for (kind, messages) in inspection.unusable.into_iter().filter(|(kind, _)| *kind != Unusable::Missing) {
        let what = format!("like that in [{}]: {}", dataset.name(), kind.plural());
        findings.extend(few(messages.iter().map(error).collect(), &what));
    }
    findings.extend(inspection.findings);
    let mut by_pixels: BTreeMap<[u8; 32], Vec<(Split, &Item)>> = BTreeMap::new();
    for ((split, item), looked) in items.iter().zip(&looked) {
        if let Ok(image) = &looked.image {
            by_pixels.entry(image.pixels).or_default().push((*split, item));
        }
    }
    let (mut labels, mut splits, mut twice) = (Vec::new(), Vec::new(), Vec::new());
    for same in by_pixels.values() {
        let (first_split, first) = same[0];
        for (split, item) in &same[1..] {
            let bytes = |item: &Item| hashes.of_source(&item.image).ok();
            let what = || if bytes(first) == bytes(item) { "have the same content" } else { "show the same pixels" };
            let pair = || format!("[{}]: {} and {} {}", dataset.name(), first.name, item.name, what());
            if first.name == item.name {
                // One image, listed for both splits.
            } else if first.abnormal != item.abnormal {
                labels.push(error(format!("{} but different labels; remove one", pair())));
            } else if first_split != *split {
                splits.push(error(format!(
                    "{}, one in valid and one in test: a run could train on its test image; remove one",
                    pair()
                )));
            } else {
                twice.push(warning(format!("{}; they count twice", pair())));
            }
        }
    }
    for (found, what) in [(labels, "with different labels"), (splits, "in valid and in test"), (twice, "twice")] {
        findings.extend(few(found, &format!("like that in [{}]: pictures {what}", dataset.name())));
    }
    let of = |wanted: Split| -> Vec<(&Item, &Facts)> {
        let all = items.iter().zip(&looked).filter(|((split, _), _)| *split == wanted);
        all.filter_map(|((_, item), looked)| Some((*item, looked.image.as_deref().ok()?))).collect()
    };
    let (about, test) = (format!("[{}]", dataset.name()), of(Split::Test));
    findings.extend(near_copies(&about, &of(Split::Valid), &test));
    findings.extend(nearly_repeated(&about, "test image", &test));
}
