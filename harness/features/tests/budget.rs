//! The budget, who goes first, and what `harness cache list` and `clear` see.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use common::{assert_holds, files, find, key, shape, taps, write};
use harness_features::{Error, Filter, Shape, TapStore, clear, list, summarize};
use harness_method::StorePrecision;

fn used_ago(chunk: &Path, seconds: u64) {
    let then = SystemTime::now() - Duration::from_secs(seconds);
    File::open(chunk).unwrap().set_modified(then).unwrap();
}

fn chunk_bytes() -> u64 {
    let dir = tempfile::tempdir().unwrap();
    std::fs::metadata(write(&TapStore::open(dir.path(), None).unwrap(), shape(), [0])).unwrap().len()
}

#[test]
fn the_least_recently_used_chunk_goes_first() {
    let dir = tempfile::tempdir().unwrap();
    let store = TapStore::open(dir.path(), Some(3 * chunk_bytes())).unwrap().with_chunk_bytes(u64::MAX);
    let chunks = [0, 1, 2].map(|image| write(&store, shape(), [image]));
    used_ago(&chunks[0], 300);
    used_ago(&chunks[1], 200);
    used_ago(&chunks[2], 100);
    // A lookup is a use: chunk 0 is now the youngest.
    drop(find(&store, shape(), 0).unwrap());
    write(&store, shape(), [3]);
    assert_eq!([0, 1, 2, 3].map(|image| find(&store, shape(), image).is_some()), [true, false, true, true]);
    let bytes: u64 = files(dir.path(), ".taps").iter().map(|file| file.metadata().unwrap().len()).sum();
    assert_eq!(bytes, 3 * chunk_bytes());
}

#[test]
fn chunks_that_a_live_reader_holds_are_never_evicted() {
    let dir = tempfile::tempdir().unwrap();
    let budget = 2 * chunk_bytes();
    let store = TapStore::open(dir.path(), Some(budget)).unwrap().with_chunk_bytes(u64::MAX);
    let reader = TapStore::open(dir.path(), None).unwrap();
    let old = write(&store, shape(), [0]);
    used_ago(&old, 1000);
    let held = find(&reader, shape(), 0).unwrap();
    used_ago(&old, 1000);
    write(&store, shape(), [1]);
    write(&store, shape(), [2]);
    assert_eq!([0, 1, 2].map(|image| find(&store, shape(), image).is_some()), [true, false, true]);
    assert_holds(&held, 0);

    // With both in use there is no room, and nothing is lost by trying.
    let also_held = find(&store, shape(), 2).unwrap();
    let mut writer = store.writer(shape(), "made up").unwrap();
    writer.append(key(3), &taps(3, shape())).unwrap();
    match writer.finish() {
        Err(Error::OverBudget { needed, budget: b, in_use, .. }) => {
            assert_eq!((needed, b, in_use), (chunk_bytes(), budget, budget));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!([0, 2, 3].map(|image| find(&store, shape(), image).is_some()), [true, true, false]);
    drop((held, also_held));
    write(&store, shape(), [3]);
    assert_holds(&find(&store, shape(), 3).unwrap(), 3);
}

#[test]
fn a_chunk_that_another_process_evicted_is_a_miss_and_a_copy_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = TapStore::open(dir.path(), None).unwrap();
    let first = write(&store, shape(), [0, 1]);
    drop(find(&store, shape(), 0).unwrap());
    std::fs::remove_file(first).unwrap();
    write(&TapStore::open(dir.path(), None).unwrap(), shape(), [1]);
    assert!(find(&store, shape(), 0).is_none());
    assert_holds(&find(&store, shape(), 1).unwrap(), 1);
}

#[test]
fn an_image_larger_than_the_budget_is_refused_when_it_is_appended() {
    let dir = tempfile::tempdir().unwrap();
    let store = TapStore::open(dir.path(), Some(100)).unwrap();
    let mut writer = store.writer(shape(), "").unwrap();
    let error = writer.append(key(0), &taps(0, shape())).err().unwrap();
    assert!(matches!(error, Error::OverBudget { budget: 100, .. }), "{error}");
    drop(writer);
    assert!(files(dir.path(), "partial").is_empty());
}

#[test]
fn what_is_said_to_fit_fits() {
    for chunk in [1, 3000, u64::MAX] {
        let dir = tempfile::tempdir().unwrap();
        let budget = 40_000;
        let store = TapStore::open(dir.path(), Some(budget)).unwrap().with_chunk_bytes(chunk);
        let most = (0..1000).rev().find(|&n| store.fits(n, &[shape()]).unwrap()).unwrap();
        assert!(most >= 15, "{most} images of 480 bytes in chunks of {chunk}");
        assert!(store.fits(0, &[shape()]).unwrap() && !store.fits(most + 1, &[shape()]).unwrap());
        assert!(most < 2 || !store.fits(most, &[shape(); 2]).unwrap(), "each shape takes its own");
        let keys: Vec<_> = (0..most as usize).map(key).collect();
        let mut writer = store.writer(shape(), &"x".repeat(5000)).unwrap();
        for (image, &key) in keys.iter().enumerate() {
            writer.append(key, &taps(image, shape())).unwrap();
        }
        writer.finish().unwrap();
        assert!(store.lookup(&keys, shape()).unwrap().iter().all(Option::is_some));
    }
    let dir = tempfile::tempdir().unwrap();
    let store = TapStore::open(dir.path(), None).unwrap();
    assert!(store.fits(1, &[shape()]).unwrap());
    assert!(!store.fits(u64::MAX, &[shape()]).unwrap());
    let large = Shape::new(1 << 10, 1 << 20, 1 << 20, StorePrecision::F32).unwrap();
    assert!(!store.fits(1, &[large]).unwrap(), "more than any disk");
}

#[test]
fn the_list_says_what_is_there_for_people() {
    let dir = tempfile::tempdir().unwrap();
    assert!(list(&dir.path().join("absent")).unwrap().is_empty());
    let store = TapStore::open(dir.path(), None).unwrap();
    let old = write(&store, shape(), [0, 1]);
    used_ago(&old, 500);
    write(&store, shape(), [2]);
    let half = Shape::new(3, 5, 8, StorePrecision::F16).unwrap();
    let mut writer = store.writer(half, "Brain µ").unwrap();
    writer.append(key(3), &taps(3, half)).unwrap();
    writer.finish().unwrap();
    std::fs::write(dir.path().join("00000000000000aa.taps"), b"not a chunk").unwrap();

    let chunks = list(dir.path()).unwrap();
    assert_eq!(chunks.len(), 4);
    assert_eq!(chunks[0].file, old);
    let contents = chunks[0].contents.as_ref().unwrap();
    assert_eq!((contents.label.as_str(), contents.images, contents.shape), ("made up", 2, shape()));
    assert!(contents.created.elapsed().unwrap() < Duration::from_secs(600));
    let age = chunks[0].last_used.elapsed().unwrap().as_secs();
    assert!((500..600).contains(&age));

    let encodings = summarize(&chunks);
    let lines: Vec<_> = encodings.iter().map(|e| (e.label.as_str(), e.shape.as_str(), e.chunks, e.images)).collect();
    assert_eq!(
        lines,
        [("Brain µ", "[3, 5, 8] f16", 1, 1), ("made up", "[3, 5, 8] f32", 2, 3), ("unreadable chunks", "", 1, 0),]
    );
    assert_eq!(encodings.iter().map(|e| e.bytes).sum::<u64>(), chunks.iter().map(|c| c.bytes).sum::<u64>());
    assert!(encodings[1].last_used.elapsed().unwrap() < Duration::from_secs(300));
}

#[test]
fn clearing_frees_what_it_says_and_leaves_foreign_files_alone() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(clear(&dir.path().join("absent"), Filter::All).unwrap().chunks, 0);
    let store = TapStore::open(dir.path(), None).unwrap();
    let old = write(&store, shape(), [0]);
    used_ago(&old, 7200);
    write(&store, shape(), [1]);
    std::fs::write(dir.path().join("thesis.taps"), b"mine").unwrap();

    let cleared = clear(dir.path(), Filter::OlderThan(Duration::from_secs(3600))).unwrap();
    assert_eq!((cleared.chunks, cleared.bytes, cleared.bytes_in_use), (1, chunk_bytes(), 0));
    let held = find(&store, shape(), 1).unwrap();
    let cleared = clear(dir.path(), Filter::All).unwrap();
    assert_eq!((cleared.chunks, cleared.bytes, cleared.bytes_in_use), (1, chunk_bytes(), chunk_bytes()));
    assert_holds(&held, 1);
    drop(held);
    assert!(find(&store, shape(), 1).is_none());
    assert!(dir.path().join("thesis.taps").exists());
    write(&store, shape(), [1]);
    assert_holds(&find(&store, shape(), 1).unwrap(), 1);
}
