//! Hashes of files are remembered as long as the files are the same, and never believed where they may not be.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use common::Set;
use harness_data::{DataError, FileHashes, images_hash, items_hash};

/// Old enough to be remembered.
fn settle(path: &Path) {
    File::options().write(true).open(path).unwrap().set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
}

/// Changes a byte and puts the time back, as `rsync --inplace -t` and `tar` do.
fn change_unseen(path: &Path) {
    let time = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let inode = File::options().write(true).open(path).unwrap();
    std::io::Write::write_all(&mut &inode, &bytes).unwrap();
    inode.set_modified(time).unwrap();
}

/// Not the hash of anything here.
const FORGED: &str = "00000000000000000000000000000000000000000000000000000000000000aa";

#[test]
fn a_cache_that_cannot_be_written_is_the_systems_fault_and_an_image_that_is_missing_is_not() {
    use std::io::{Error, ErrorKind};
    let error = |action, kind| DataError::Io { action, path: "cache".into(), source: Error::from(kind) };
    assert!(error("write the cache of hashes", ErrorKind::PermissionDenied).is_system());
    assert!(error("read", ErrorKind::StorageFull).is_system());
    assert!(!error("read", ErrorKind::NotFound).is_system());
    assert!(!error("read the folder", ErrorKind::PermissionDenied).is_system());
}

#[test]
fn a_file_changed_under_its_old_size_and_time_is_hashed_again() {
    let set = Set::new("");
    let (file, cache) = (set.write("a", "one"), set.path("cache/hashes"));
    settle(&file);
    let first = FileHashes::open(&cache, false);
    let hash = first.of(&file).unwrap();
    first.save().unwrap();
    let before = fs::metadata(&file).unwrap();
    change_unseen(&file);
    let after = fs::metadata(&file).unwrap();
    assert_eq!((before.len(), before.modified().unwrap()), (after.len(), after.modified().unwrap()));
    let again = FileHashes::open(&cache, false).of(&file).unwrap();
    assert_eq!(again, *blake3::hash(&fs::read(&file).unwrap()).as_bytes());
    assert_ne!(again, hash);
}

#[test]
fn a_cache_of_the_first_version_is_read_without_a_word_and_its_files_are_hashed_again() {
    let set = Set::new("");
    let (file, cache) = (set.write("a", "one"), set.path("hashes"));
    settle(&file);
    let body = format!("{FORGED} 3 1 1 {}\n", file.display());
    fs::write(&cache, format!("harness file hashes 1 {}\n{body}", blake3::hash(body.as_bytes()).to_hex())).unwrap();
    let hashes = FileHashes::open(&cache, false);
    assert!(hashes.note().is_none());
    assert_eq!(hashes.of(&file).unwrap(), *blake3::hash(b"one").as_bytes());
    hashes.save().unwrap();
    assert!(fs::read_to_string(&cache).unwrap().starts_with("harness file hashes 2 "));
}

#[test]
fn a_remembered_hash_is_used_until_the_file_changes() {
    let set = Set::new("");
    let (file, cache) = (set.write("a", "one"), set.path("cache/hashes"));
    settle(&file);
    let first = FileHashes::open(&cache, false);
    let hash = first.of(&file).unwrap();
    assert_eq!(hash, *blake3::hash(b"one").as_bytes());
    first.save().unwrap();
    let forged = fs::read_to_string(&cache).unwrap().replacen(blake3::hash(b"one").to_hex().as_str(), FORGED, 1);
    let body = forged.split_once('\n').unwrap().1;
    fs::write(&cache, format!("harness file hashes 2 {}\n{body}", blake3::hash(body.as_bytes()).to_hex())).unwrap();
    assert_ne!(FileHashes::open(&cache, false).of(&file).unwrap(), hash, "believed");
    assert_eq!(FileHashes::open(&cache, true).of(&file).unwrap(), hash, "verified");
    set.write("a", "two");
    assert_eq!(FileHashes::open(&cache, false).of(&file).unwrap(), *blake3::hash(b"two").as_bytes());
}

#[test]
fn a_file_that_is_still_young_is_not_remembered() {
    let set = Set::new("");
    let (file, cache) = (set.write("a", "one"), set.path("hashes"));
    let hashes = FileHashes::open(&cache, false);
    let before = hashes.of(&file).unwrap();
    change_unseen(&file);
    assert_ne!(hashes.of(&file).unwrap(), before);
    hashes.save().unwrap();
    assert!(!cache.exists(), "there is nothing to remember");
}

#[test]
fn a_damaged_cache_is_taken_as_empty_and_replaced() {
    let set = Set::new("");
    let (file, cache) = (set.write("a", "one"), set.path("hashes"));
    settle(&file);
    let hashes = FileHashes::open(&cache, false);
    hashes.of(&file).unwrap();
    hashes.save().unwrap();
    let good = fs::read(&cache).unwrap();
    for length in 0..good.len() {
        fs::write(&cache, &good[..length]).unwrap();
        let note = FileHashes::open(&cache, false).note().map(str::to_owned).unwrap();
        common::says(&note, &[cache.to_str().unwrap(), "is damaged", "hashed again"]);
    }
    // The hash of another content, under a checksum that does not fit.
    let text = String::from_utf8(good.clone()).unwrap();
    let other = blake3::hash(b"other").to_hex();
    let forged = text.replace(blake3::hash(b"one").to_hex().as_str(), other.as_str());
    fs::write(&cache, forged).unwrap();
    let hashes = FileHashes::open(&cache, false);
    assert_eq!(hashes.of(&file).unwrap(), *blake3::hash(b"one").as_bytes());
    hashes.save().unwrap();
    assert_eq!(fs::read(&cache).unwrap(), good);
}

#[test]
fn two_writers_of_one_cache_lose_nothing_of_each_other() {
    let set = Set::new("");
    let cache = set.path("hashes");
    let files = ["a", "b"].map(|name| set.write(name, name));
    files.iter().for_each(|file| settle(file));
    let writers = [0, 1].map(|_| FileHashes::open(&cache, false));
    for (writer, file) in writers.iter().zip(&files) {
        writer.of(file).unwrap();
    }
    writers.iter().for_each(|writer| writer.save().unwrap());
    let text = fs::read_to_string(&cache).unwrap();
    assert!(files.iter().all(|file| text.contains(file.canonicalize().unwrap().to_str().unwrap())), "{text}");
}

#[test]
fn a_missing_file_is_named() {
    let set = Set::new("");
    let message = FileHashes::in_memory().of(&set.path("none.png")).unwrap_err().to_string();
    common::says(&message, &["none.png", "can't find"]);
}

#[test]
fn predictions_hash_by_images_alone_and_metrics_by_labels_too() {
    let set = Set::mvfa();
    let test = set.dataset().test_set().unwrap();
    let values = set.dataset().mask_values();
    let of = |source: &harness_data::Source| source.content_hash();
    let (images, items) = (images_hash(&test, &of).unwrap(), items_hash(&test, values, &of).unwrap());
    let mut turned = test.clone();
    turned.iter_mut().for_each(|item| item.abnormal = !item.abnormal);
    assert_eq!(images_hash(&turned, &of).unwrap(), images);
    assert_ne!(items_hash(&turned, values, &of).unwrap(), items);
    turned.reverse();
    assert_ne!(images_hash(&turned, &of).unwrap(), images);
}

#[test]
fn a_cache_of_a_newer_version_is_taken_as_empty_with_a_note_and_replaced() {
    let set = Set::new("");
    let (file, cache) = (set.write("a", "one"), set.path("hashes"));
    settle(&file);
    let checksum = blake3::hash(b"{}\n").to_hex();
    fs::write(&cache, format!("harness file hashes 7 {checksum}\n{{}}\n")).unwrap();
    let hashes = FileHashes::open(&cache, false);
    common::says(hashes.note().unwrap(), &[cache.to_str().unwrap(), "version 7", "reads up to 2", "hashed again"]);
    hashes.of(&file).unwrap();
    hashes.save().unwrap();
    assert!(FileHashes::open(&cache, false).note().is_none());
    assert!(fs::read_to_string(&cache).unwrap().starts_with("harness file hashes 2 "));
}
