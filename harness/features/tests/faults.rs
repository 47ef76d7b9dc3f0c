//! Killed and concurrent writers, full and unwritable disks, folders and chunks of other versions.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use common::{assert_holds, child, child_dir, files, find, key, shape, taps, write};
use harness_features::{Error, Filter, Shape, TapStore, clear, list};
use harness_method::StorePrecision;

#[test]
fn a_killed_writer_loses_its_chunk_in_progress_and_nothing_else() {
    if let Some(dir) = child_dir() {
        let store = TapStore::open(&dir, None).unwrap();
        write(&store, shape(), 0..3);
        let mut writer = store.writer(shape(), "").unwrap();
        writer.append(key(3), &taps(3, shape())).unwrap();
        println!("\nwriting");
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        unreachable!("the parent kills this process");
    }
    let dir = tempfile::tempdir().unwrap();
    let mut writer = child("a_killed_writer_loses_its_chunk_in_progress_and_nothing_else", dir.path(), "");
    let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "writing"));

    // While it lives, nobody touches its partial file.
    let store = TapStore::open(dir.path(), None).unwrap();
    clear(dir.path(), Filter::OlderThan(Duration::from_secs(3600))).unwrap();
    assert_eq!(files(dir.path(), "partial").len(), 1);
    assert_holds(&find(&store, shape(), 2).unwrap(), 2);
    assert!(find(&store, shape(), 3).is_none());

    writer.kill().unwrap();
    writer.wait().unwrap();
    let store = TapStore::open(dir.path(), None).unwrap();
    assert!(files(dir.path(), "partial").is_empty());
    (0..3).for_each(|image| assert_holds(&find(&store, shape(), image).unwrap(), image));
    assert!(find(&store, shape(), 3).is_none());
}

#[test]
fn a_chunk_is_closed_when_it_is_old_so_that_a_stopped_writer_loses_little() {
    let dir = tempfile::tempdir().unwrap();
    let store = TapStore::open(dir.path(), None).unwrap().with_chunk_age(Duration::ZERO);
    let mut writer = store.writer(shape(), "").unwrap();
    (0..3).for_each(|image| assert!(writer.append(key(image), &taps(image, shape())).unwrap()));
    drop(writer);
    assert_eq!(files(dir.path(), "taps").len(), 3);
    (0..3).for_each(|image| assert_holds(&find(&store, shape(), image).unwrap(), image));

    let young = TapStore::open(dir.path(), None).unwrap();
    let mut writer = young.writer(shape(), "").unwrap();
    writer.append(key(3), &taps(3, shape())).unwrap();
    drop(writer);
    assert!(find(&young, shape(), 3).is_none());
}

#[test]
fn whatever_a_killed_process_left_reads_back_whole() {
    const LARGE: [usize; 3] = [2, 64, 64];
    let shape = Shape::new(LARGE[0], LARGE[1], LARGE[2], StorePrecision::F32).unwrap();
    if let Some(dir) = child_dir() {
        let store = TapStore::open(&dir, None).unwrap().with_chunk_bytes(100_000);
        let mut writer = store.writer(shape, "").unwrap();
        for image in 0.. {
            writer.append(key(image), &taps(image, shape)).unwrap();
            println!("\nimage {image}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    for images in [1, 6, 11] {
        let mut writer = child("whatever_a_killed_process_left_reads_back_whole", dir.path(), "");
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == format!("image {images}")));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let store = TapStore::open(dir.path(), None).unwrap();
        assert!(files(dir.path(), "partial").is_empty());
        assert!(list(dir.path()).unwrap().iter().all(|chunk| chunk.contents.is_ok()));
        let keys: Vec<_> = (0..images).map(key).collect();
        let found = store.lookup(&keys, shape).unwrap();
        // Chunks hold four images; a chunk is complete before the next image begins.
        assert!(found.iter().take(images / 4 * 4).all(Option::is_some));
        for (image, entry) in found.iter().enumerate().filter_map(|(i, entry)| Some((i, entry.as_ref()?))) {
            assert_holds(entry, image);
        }
    }
}

#[test]
fn processes_and_threads_share_a_store() {
    const EACH: usize = 24;
    // Every writer has images of its own and some that all write at the same time.
    fn work(dir: &Path, who: usize) {
        let store = TapStore::open(dir, None).unwrap().with_chunk_bytes(4000);
        let mut writer = store.writer(shape(), "").unwrap();
        for image in (0..EACH).map(|i| 1000 * who + i).chain(0..EACH) {
            if find(&store, shape(), image).is_none() {
                writer.append(key(image), &taps(image, shape())).unwrap();
            }
        }
        writer.finish().unwrap();
        let images: Vec<_> = (0..EACH).chain(1000 * who..1000 * who + EACH).collect();
        images.iter().for_each(|&image| assert_holds(&find(&store, shape(), image).unwrap(), image));
    }
    if let Some(dir) = child_dir() {
        let (dir, who) = (dir.parent().unwrap(), dir.file_name().unwrap().to_str().unwrap());
        return work(dir, who.parse().unwrap());
    }
    let dir = tempfile::tempdir().unwrap();
    let children =
        [1, 2].map(|who| child("processes_and_threads_share_a_store", &dir.path().join(who.to_string()), ""));
    let path = dir.path();
    std::thread::scope(|scope| {
        for who in [3, 4] {
            scope.spawn(move || work(path, who));
        }
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    });
    let store = TapStore::open(dir.path(), None).unwrap();
    for who in 1..=4 {
        (0..EACH).for_each(|i| assert_holds(&find(&store, shape(), 1000 * who + i).unwrap(), 1000 * who + i));
    }
    assert!(files(dir.path(), "partial").is_empty());
}

#[test]
fn eviction_under_concurrent_use_never_gives_wrong_taps() {
    let dir = tempfile::tempdir().unwrap();
    let budget = 20_000;
    let work = |who: usize| {
        let store = TapStore::open(dir.path(), Some(budget)).unwrap();
        for round in 0..40 {
            let images: Vec<_> = (0..4).map(|i| (who * 5 + round * 3 + i) % 30).collect();
            let keys: Vec<_> = images.iter().map(|&image| key(image)).collect();
            let found = store.lookup(&keys, shape()).unwrap();
            let mut writer = store.writer(shape(), "").unwrap();
            for (&image, entry) in images.iter().zip(&found) {
                match entry {
                    Some(entry) => assert_holds(entry, image),
                    None => assert!(writer.append(key(image), &taps(image, shape())).unwrap()),
                }
            }
            writer.finish().unwrap();
        }
    };
    let work = &work;
    std::thread::scope(|scope| (0..4).for_each(|who| drop(scope.spawn(move || work(who)))));
    let bytes: u64 = list(dir.path()).unwrap().iter().map(|chunk| chunk.bytes).sum();
    assert!(bytes <= budget, "{bytes}");
}

#[test]
fn a_full_disk_says_folder_and_bytes_and_leaves_nothing() {
    let shape = Shape::new(2, 64, 64, StorePrecision::F32).unwrap();
    if let Some(dir) = child_dir() {
        let store = TapStore::open(&dir, None).unwrap();
        let mut writer = store.writer(shape, "").unwrap();
        let error = writer.append(key(0), &taps(0, shape)).err().unwrap();
        assert!(matches!(error, Error::DiskFull { needed: 32_768, .. }), "{error}");
        let message = error.to_string();
        for part in [dir.to_str().unwrap(), "32768 more bytes", "harness cache clear", "--cache"] {
            assert!(message.contains(part), "{message}");
        }
        // The writer goes on where there is room: here, for nothing as large.
        assert!(writer.append(key(0), &taps(0, shape)).is_err());
        writer.finish().unwrap();
        write(&store, common::shape(), [1]);
        assert_holds(&find(&store, common::shape(), 1).unwrap(), 1);
        println!("\nfull");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // No file may grow beyond eight blocks, and the signal that would come with it is off.
    let limits = "trap '' XFSZ; ulimit -f 8";
    let child = child("a_full_disk_says_folder_and_bytes_and_leaves_nothing", dir.path(), limits);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("\nfull"), "the child did its part");
    assert!(files(dir.path(), "partial").is_empty());
    assert_eq!(files(dir.path(), ".taps").len(), 1);
}

#[test]
fn a_folder_that_can_not_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), b"").unwrap();
    let below = dir.path().join("file/taps");
    let error = TapStore::open(&below, None).err().unwrap();
    assert!(matches!(error, Error::Folder { .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains(below.to_str().unwrap()) && message.contains("--cache"), "{message}");
}

#[test]
fn a_read_only_folder_serves_readers_and_refuses_writers_before_they_work() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    write(&TapStore::open(dir.path(), None).unwrap(), shape(), [0]);
    let mode = |mode| std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    // A privileged user may write all the same; then there is nothing to see.
    let bound = std::fs::write(dir.path().join("probe"), b"").is_err();
    let store = TapStore::open(dir.path(), None).unwrap();
    assert_holds(&find(&store, shape(), 0).unwrap(), 0);
    if bound {
        let error = store.writer(shape(), "").err().unwrap();
        assert!(matches!(error, Error::Folder { .. }), "{error}");
    }
    mode(0o755);
}

#[test]
fn a_folder_of_another_version_is_used_with_a_note_and_its_unknown_chunks_are_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let chunk = write(&TapStore::open(dir.path(), None).unwrap(), shape(), [0]);
    set_version(&chunk, 9);
    std::fs::write(dir.path().join("FORMAT"), "harness taps 9\n").unwrap();
    let store = TapStore::open(dir.path(), None).unwrap();
    assert!(find(&store, shape(), 0).is_none());
    write(&store, shape(), [0]);
    assert_holds(&find(&store, shape(), 0).unwrap(), 0);
    let notes = store.take_notes();
    assert_eq!(notes.len(), 2, "{notes:?}");
    let parts = [dir.path().to_str().unwrap(), "`harness taps 9`", "encoded again"];
    assert!(parts.iter().all(|part| notes[0].contains(part)), "{}", notes[0]);
    let parts = [chunk.to_str().unwrap(), "version is 9, of a newer program", "encoded again"];
    assert!(parts.iter().all(|part| notes[1].contains(part)), "{}", notes[1]);
    assert!(store.take_notes().is_empty(), "each note is given once");
    // What another version made is not ours to remove, until a person clears it.
    assert!(chunk.exists());
    drop(store);
    assert_eq!(clear(dir.path(), Filter::All).unwrap().chunks, 2);
    let store = TapStore::open(dir.path(), None).unwrap();
    assert!(store.take_notes().is_empty());
    assert_eq!(std::fs::read_to_string(dir.path().join("FORMAT")).unwrap(), "harness taps 1\n");
}

#[test]
fn a_chunk_of_another_version_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let chunk = write(&TapStore::open(dir.path(), None).unwrap(), shape(), [0]);
    for (version, expected) in [
        (9, "its format version is 9, of a newer program; this one reads up to 1"),
        (0, "there is no format version 0"),
    ] {
        set_version(&chunk, version);
        assert!(find(&TapStore::open(dir.path(), None).unwrap(), shape(), 0).is_none());
        let reason = list(dir.path()).unwrap().remove(0).contents.err().unwrap();
        assert_eq!(reason, expected);
    }
}

#[test]
fn an_unfinished_format_file_of_a_killed_process_is_swept() {
    let dir = tempfile::tempdir().unwrap();
    let left = dir.path().join(format!("{}abc", harness_disk::TEMPORARY));
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(7200);
    std::fs::File::create(&left).unwrap().set_modified(long_ago).unwrap();
    TapStore::open(dir.path(), None).unwrap();
    assert!(!left.exists());
}

fn set_version(chunk: &Path, version: u8) {
    use std::os::unix::fs::FileExt;
    std::fs::OpenOptions::new().write(true).open(chunk).unwrap().write_all_at(&[version], 8).unwrap();
}
