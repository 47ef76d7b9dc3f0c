//! The order in which a test set was scored, found again after corrected labels have moved images in it.

use std::collections::{BTreeSet, HashMap};
#[cfg(unix)]
use std::time::Duration;
use std::time::SystemTime;

use harness_data::{FileHashes, Item, Source, images_hash};
use harness_text::count;
use itertools::Itertools;

use crate::error::Error;

/// Images whose names tell nothing that are tried in every order.
const MOST: usize = 6;
/// Images that a message names.
const NAMED: usize = 5;

/// What is known of the images of a test set as they were scored.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScoredImages {
    /// Their names then, in order; none where nothing was scored yet.
    pub(crate) names: Vec<String>,
    /// When.
    pub(crate) at: Option<SystemTime>,
}

/// The images of a test set in the order in which they were scored, which `wanted` is the hash of; where they are
/// others, `Err` has them as they are. Their `names` at that time only say which order to try: the hash of the images
/// decides.
pub(crate) fn as_scored(
    dataset: &str,
    items: Vec<Item>,
    wanted: &str,
    hashes: &FileHashes,
    names: &dyn Fn() -> Result<Vec<String>, Error>,
) -> Result<Result<Vec<Item>, Vec<Item>>, Error> {
    let unreadable = |error| Error::test_set(dataset, error);
    if images_hash(&items, &|source| hashes.of_source(source)).map_err(unreadable)? == wanted {
        return Ok(Ok(items));
    }
    let names = names()?;
    if names.len() != items.len() {
        return Ok(Err(items));
    }
    let mut known = HashMap::new();
    for item in &items {
        known.insert(item.image.to_string(), hashes.of_source(&item.image).map_err(unreadable)?);
    }
    let hash_of = |source: &Source| match known.get(&source.to_string()) {
        Some(hash) => Ok(*hash),
        None => hashes.of_source(source),
    };
    let current: Vec<&str> = items.iter().map(|item| item.name.as_str()).collect();
    for order in orders(&names, &current) {
        if images_hash(order.iter().map(|index| &items[*index]), &hash_of).map_err(unreadable)? == wanted {
            return Ok(Ok(order.into_iter().map(|index| items[index].clone()).collect()));
        }
    }
    Ok(Err(items))
}

/// How the images of a test set are others than those that were scored as `names` at that time: which are gone, which
/// are new, and where the names are the same which files were written later. `None` where nothing is known of those
/// that were scored.
pub(crate) fn difference(items: &[Item], names: &[String], at: Option<SystemTime>) -> Option<String> {
    let scored: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let current: BTreeSet<&str> = items.iter().map(|item| item.name.as_str()).collect();
    // One image or several: what follows the number.
    let told = |names: Vec<&str>, [one, many]: [&str; 2]| {
        let shown = names[..names.len().min(NAMED)].join(", ");
        let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
        let what = if names.len() == 1 { one } else { many };
        (!names.is_empty()).then(|| format!("{} {what} ({shown}{more})", count(names.len() as u64, "test image")))
    };
    if scored.is_empty() {
        return None;
    }
    let gone = told(
        scored.difference(&current).copied().collect(),
        ["that was scored is no longer there", "that were scored are no longer there"],
    );
    let new = told(
        current.difference(&scored).copied().collect(),
        ["that was not scored has come", "that were not scored have come"],
    );
    let parts: Vec<String> = gone.into_iter().chain(new).collect();
    if !parts.is_empty() {
        return Some(parts.join(", "));
    }
    let later = |item: &&Item| at.is_some_and(|at| written(item).is_some_and(|written| written > at));
    let later = told(
        items.iter().filter(later).map(|item| item.name.as_str()).collect(),
        ["changed after it was scored", "changed after they were scored"],
    );
    Some(later.unwrap_or_else(|| "a test image changed after it was scored".to_owned()))
}

/// When a file last changed, in content or by being moved there.
fn written(item: &Item) -> Option<SystemTime> {
    let Source::File(path) = &item.image else { return None };
    let metadata = std::fs::metadata(path).ok()?;
    let modified = metadata.modified().ok()?;
    #[cfg(unix)]
    let modified = {
        use std::os::unix::fs::MetadataExt;
        let nanoseconds = u32::try_from(metadata.ctime_nsec()).unwrap_or_default();
        let changed = u64::try_from(metadata.ctime()).ok().map(|seconds| Duration::new(seconds, nanoseconds));
        changed.map_or(modified, |changed| modified.max(SystemTime::UNIX_EPOCH + changed))
    };
    Some(modified)
}

/// Orders of the `current` names that could be that of the `scored` ones, as indices: by whole names; then by file
/// names that only one of each has, as of a file that was moved to another class's folder; the others sorted, and few
/// in every order.
fn orders(scored: &[String], current: &[&str]) -> Vec<Vec<usize>> {
    let mut left: HashMap<&str, usize> = current.iter().enumerate().map(|(index, name)| (*name, index)).collect();
    let mut places: Vec<Option<usize>> = scored.iter().map(|name| left.remove(name.as_str())).collect();
    let mut rest: Vec<usize> = left.into_values().sorted_by_key(|index| current[*index]).collect();
    let open = |places: &[Option<usize>]| places.iter().positions(Option::is_none).collect::<Vec<_>>();
    let by_file = grouped(rest.iter().copied(), |index| file_name(current[index]));
    for (file, place) in &grouped(open(&places), |place| file_name(&scored[place])) {
        if let ([place], Some([index])) = (place.as_slice(), by_file.get(file).map(Vec::as_slice)) {
            places[*place] = Some(*index);
            rest.retain(|other| other != index);
        }
    }
    let open = open(&places).into_iter().sorted_by_key(|place| &scored[*place]).collect::<Vec<_>>();
    let arranged = |rest: Vec<usize>| {
        let mut places = places.clone();
        open.iter().zip(rest).for_each(|(place, index)| places[*place] = Some(index));
        places.into_iter().flatten().collect()
    };
    match rest.len() {
        0..=MOST => rest.iter().copied().permutations(rest.len()).map(arranged).collect(),
        _ => vec![arranged(rest)],
    }
}

fn grouped<'n>(all: impl IntoIterator<Item = usize>, by: impl Fn(usize) -> &'n str) -> HashMap<&'n str, Vec<usize>> {
    let mut groups: HashMap<&str, Vec<usize>> = HashMap::new();
    for one in all {
        groups.entry(by(one)).or_default().push(one);
    }
    groups
}

/// The last part of a '/'-separated name.
fn file_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(scored: &[&str], current: &[&str]) -> Vec<usize> {
        let scored: Vec<String> = scored.iter().map(|name| (*name).to_owned()).collect();
        orders(&scored, current).remove(0)
    }

    #[test]
    fn names_tell_where_each_image_stood() {
        assert_eq!(first(&["a", "b", "c"], &["c", "a", "b"]), [1, 2, 0]);
        // Moved to another class, with its file name and with a new one.
        assert_eq!(first(&["good/1", "bad/1", "bad/2"], &["good/1", "good/2", "bad/1"]), [0, 2, 1]);
        assert_eq!(first(&["good/1", "bad/1", "bad/2"], &["good/1", "good/1b", "bad/2"]), [0, 1, 2]);
    }

    #[test]
    fn images_that_are_others_are_named() {
        let item = |name: &str| Item {
            name: name.to_owned(),
            abnormal: false,
            image: Source::File(name.into()),
            mask: None,
            patient: None,
        };
        let told = |scored: &[&str], current: &[&str]| {
            let scored: Vec<String> = scored.iter().map(|name| (*name).to_owned()).collect();
            difference(&current.iter().map(|name| item(name)).collect::<Vec<_>>(), &scored, None)
        };
        assert_eq!(told(&["a", "b"], &["a"]).as_deref(), Some("1 test image that was scored is no longer there (b)"));
        assert_eq!(
            told(&["a", "b", "c"], &["d"]).as_deref(),
            Some(
                "3 test images that were scored are no longer there (a, b, c), 1 test image that was not scored has come (d)"
            )
        );
        assert_eq!(told(&["a"], &["a"]).as_deref(), Some("a test image changed after it was scored"));
        assert_eq!(told(&[], &["a"]), None);
    }

    #[test]
    fn few_images_of_new_names_are_tried_in_every_order_and_many_in_one() {
        let names = |from: usize, count: usize| (from..from + count).map(|i| format!("{i:03}")).collect::<Vec<_>>();
        for (count, tried) in [(1, 1), (3, 6), (6, 720), (7, 1)] {
            let current = names(100, count);
            let current: Vec<&str> = current.iter().map(String::as_str).collect();
            let found = orders(&names(0, count), &current);
            assert_eq!(found.len(), tried);
            let different: BTreeSet<&Vec<usize>> = found.iter().collect();
            let whole = |order: &Vec<usize>| order.iter().collect::<BTreeSet<_>>().len() == count;
            assert!(different.len() == tried && found.iter().all(whole));
        }
    }
}
