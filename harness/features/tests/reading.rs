//! What was written is what is read, in either type, whole or in parts, and never anything else.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::os::unix::fs::FileExt;
use std::time::Instant;

use common::{assert_holds, files, find, key, shape, taps, write};
use half::f16;
use harness_features::{Error, Shape, StoreDtype, TapSet, TapStore, Verify};

#[test]
fn f32_taps_come_back_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let store = TapStore::open(dir.path(), None).unwrap();
    assert!(find(&store, shape(), 0).is_none());
    write(&store, shape(), 0..4);
    for store in [store, TapStore::open(dir.path(), None).unwrap()] {
        let keys: Vec<_> = [3, 9, 0].map(key).to_vec();
        let found = store.lookup(&keys, shape()).unwrap();
        assert_holds(found[0].as_ref().unwrap(), 3);
        assert!(found[1].is_none());
        assert_holds(found[2].as_ref().unwrap(), 0);
    }
}

#[test]
fn f16_taps_come_back_rounded_once_and_take_half_the_space() {
    let dir = tempfile::tempdir().unwrap();
    let store = TapStore::open(dir.path(), None).unwrap();
    let [single, half] = [StoreDtype::F32, StoreDtype::F16].map(|dtype| Shape::new(2, 17, 64, dtype).unwrap());
    let values: Vec<f32> = taps(0, half).iter().map(|value| value * 1.000_3).collect();
    let mut writer = store.writer(half, "").unwrap();
    writer.append(key(0), &values).unwrap();
    let chunk = writer.finish_chunk().unwrap().unwrap();
    let mut out = vec![0.0; half.image_len()];
    find(&store, half, 0).unwrap().read_f32(&mut out).unwrap();
    assert_eq!(out, values.iter().map(|&value| f16::from_f32(value).to_f32()).collect::<Vec<_>>());
    assert_ne!(out, values);
    let bytes = |path| std::fs::metadata(path).unwrap().len();
    assert!(bytes(chunk) * 10 < bytes(write(&store, single, [1])) * 6);
}

#[test]
fn a_batch_is_gathered_in_the_order_asked_for() {
    for dtype in [StoreDtype::F32, StoreDtype::F16] {
        let dir = tempfile::tempdir().unwrap();
        let store = TapStore::open(dir.path(), None).unwrap();
        let shape = Shape::new(3, 5, 8, dtype).unwrap();
        // Two chunks, and a set in another order than they were written in.
        write(&store, shape, [0, 1, 2]);
        write(&store, shape, [3, 4]);
        let order = [4, 0, 3, 1, 2];
        let entries = store.lookup(&order.map(key), shape).unwrap().into_iter().map(Option::unwrap).collect();
        let set = TapSet::new(entries).unwrap();
        assert_eq!((set.len(), set.shape()), (5, shape));
        let images = [2, 2, 0, 4];
        for tap in 0..3 {
            let mut out = vec![0.0; images.len() * shape.tap_len()];
            set.gather(tap, &images, &mut out).unwrap();
            let mut patches = vec![0.0; images.len() * 4 * 8];
            set.gather_rows(tap, &images, 1..5, &mut patches).unwrap();
            for (i, &image) in images.iter().enumerate() {
                let expected = &taps(order[image], shape)[tap * 40..(tap + 1) * 40];
                let rounded: Vec<f32> = expected.iter().map(|&v| f16::from_f32(v).to_f32()).collect();
                let expected = if dtype == StoreDtype::F16 { &rounded[..] } else { expected };
                assert_eq!(&out[i * 40..(i + 1) * 40], expected);
                assert_eq!(&patches[i * 32..(i + 1) * 32], &expected[8..]);
            }
        }
        let mut class = vec![0.0; 8];
        set.entries()[1].read_rows_f32(2, 0..1, &mut class).unwrap();
        assert_eq!(class.len(), 8);
        set.gather_rows(0, &[0], 2..2, &mut []).unwrap();
    }
}

#[test]
fn wrong_indices_and_lengths_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let store = TapStore::open(dir.path(), None).unwrap();
    write(&store, shape(), [0]);
    let entry = find(&store, shape(), 0).unwrap();
    let mut tap = vec![0.0; 40];
    assert!(matches!(entry.read_f32(&mut tap), Err(Error::Length { found: 40, expected: 120, .. })));
    assert!(matches!(entry.read_tap_f32(3, &mut tap), Err(Error::OutOfRange { what: "tap", index: 3, count: 3 })));
    assert!(matches!(entry.read_rows_f32(0, 4..6, &mut tap[..16]), Err(Error::OutOfRange { what: "token", .. })));
    #[expect(clippy::reversed_empty_ranges, reason = "what is refused")]
    let reversed = 3..2;
    assert!(matches!(entry.read_rows_f32(0, reversed, &mut []), Err(Error::OutOfRange { what: "token", .. })));
    let set = TapSet::new(vec![entry]).unwrap();
    assert!(matches!(set.gather(0, &[1], &mut tap), Err(Error::OutOfRange { what: "image", index: 1, count: 1 })));
    assert!(matches!(set.gather(0, &[0, 0], &mut tap), Err(Error::Length { found: 40, expected: 80, .. })));
    assert!(TapSet::new(vec![]).is_err());
    let mut writer = store.writer(shape(), "").unwrap();
    assert!(matches!(writer.append(key(1), &tap), Err(Error::Length { found: 40, expected: 120, .. })));
    for (taps, tokens, width) in [(0, 1, 1), (1, 0, 1), (1, 1, 0), (1 << 11, 1, 1), (1, 1, usize::MAX)] {
        assert!(matches!(Shape::new(taps, tokens, width, StoreDtype::F32), Err(Error::BadShape { .. })));
    }
}

#[test]
fn a_key_that_holds_another_shape_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let store = TapStore::open(dir.path(), None).unwrap();
    let file = write(&store, shape(), [0]);
    let other = Shape::new(3, 5, 8, StoreDtype::F16).unwrap();
    let message = store.lookup(&[key(0)], other).err().unwrap().to_string();
    let expected = format!("{} holds taps of shape [3, 5, 8] f32, [3, 5, 8] f16 was expected", file.display());
    assert_eq!(message, expected);
}

#[test]
fn values_that_can_not_be_kept_are_refused_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = TapStore::open(dir.path(), None).unwrap();
    for (dtype, value) in [(StoreDtype::F32, f32::NAN), (StoreDtype::F16, 7e4), (StoreDtype::F16, f32::INFINITY)] {
        let shape = Shape::new(3, 5, 8, dtype).unwrap();
        let mut writer = store.writer(shape, "").unwrap();
        writer.append(key(0), &taps(0, shape)).unwrap();
        let mut values = taps(1, shape);
        values[40 + 3 * 8 + 5] = value;
        let error = writer.append(key(1), &values).err().unwrap();
        assert!(matches!(error, Error::NotStorable { tap: 1, token: 3, .. }), "{error}");
        assert_eq!(error.to_string().contains("store f32"), value == 7e4, "{error}");
        writer.finish().unwrap();
        assert!(find(&store, shape, 1).is_none());
        store.forget(find(&store, shape, 0).unwrap().chunk()).unwrap();
    }
}

#[test]
fn a_corrupt_chunk_is_a_miss_with_a_note_and_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(&TapStore::open(dir.path(), None).unwrap(), shape(), 0..3);
    let handle = std::fs::OpenOptions::new().read(true).write(true).open(&file).unwrap();
    // Header 64, stride 512; a byte in tap 2 of image 1.
    flip(&handle, 64 + 512 + 2 * 160 + 77);
    let store = TapStore::open(dir.path(), None).unwrap();
    assert_holds(&find(&store, shape(), 0).unwrap(), 0);
    let whole = write(&store, shape(), [2]);
    let found = store.lookup(&[0, 1, 2].map(key), shape()).unwrap();
    assert_eq!([0, 1, 2].map(|image| found[image].is_some()), [false, false, true], "a copy elsewhere serves");
    assert_holds(found[2].as_ref().unwrap(), 2);
    let notes = store.take_notes();
    assert_eq!(notes.len(), 1, "{notes:?}");
    for part in [file.to_str().unwrap(), "tap 2 of image 1", "differs from its checksum", "encoded again"] {
        assert!(notes[0].contains(part), "{part:?} not in: {}", notes[0]);
    }
    assert!(!file.exists() && whole.exists());
    write(&store, shape(), [0, 1]);
    assert_holds(&find(&store, shape(), 1).unwrap(), 1);
}

#[test]
fn bytes_that_rot_after_the_first_read_are_found_when_always_verified() {
    for verify in [Verify::FirstTouch, Verify::Always] {
        let dir = tempfile::tempdir().unwrap();
        let store = TapStore::open(dir.path(), None).unwrap().with_verify(verify);
        let file = write(&store, shape(), [0]);
        let entry = find(&store, shape(), 0).unwrap();
        assert_holds(&entry, 0);
        flip(&std::fs::OpenOptions::new().read(true).write(true).open(&file).unwrap(), 64);
        let again = entry.read_tap_f32(0, &mut [0.0; 40]);
        assert_eq!(again.is_err(), verify == Verify::Always);
    }
}

#[test]
fn a_torn_chunk_is_passed_over_and_its_images_are_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let whole = write(&TapStore::open(dir.path(), None).unwrap(), shape(), [0]);
    let bytes = std::fs::read(&whole).unwrap();
    for length in [0, 10, 64, 127, 128, 600, bytes.len() - 1] {
        std::fs::write(&whole, &bytes[..length]).unwrap();
        let store = TapStore::open(dir.path(), None).unwrap();
        assert!(find(&store, shape(), 0).is_none(), "{length} bytes");
        assert!(harness_features::list(dir.path()).unwrap()[0].contents.is_err());
    }
    let store = TapStore::open(dir.path(), None).unwrap();
    write(&store, shape(), [0]);
    assert_holds(&find(&store, shape(), 0).unwrap(), 0);
}

#[test]
fn a_chunk_whose_length_changed_since_it_was_indexed_is_a_miss() {
    let dir = tempfile::tempdir().unwrap();
    let store = TapStore::open(dir.path(), None).unwrap();
    let file = write(&store, shape(), [0]);
    drop(find(&store, shape(), 0).unwrap());
    std::fs::write(&file, b"short").unwrap();
    assert!(find(&store, shape(), 0).is_none());
}

#[test]
fn an_image_is_stored_once_a_chunk() {
    let dir = tempfile::tempdir().unwrap();
    let store = TapStore::open(dir.path(), None).unwrap();
    let mut writer = store.writer(shape(), "").unwrap();
    assert!(writer.append(key(0), &taps(0, shape())).unwrap());
    assert!(!writer.append(key(0), &taps(0, shape())).unwrap());
    writer.finish().unwrap();
    let chunks = harness_features::list(dir.path()).unwrap();
    assert_eq!(chunks[0].contents.as_ref().unwrap().images, 1);
}

#[test]
fn a_dropped_writer_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let store = TapStore::open(dir.path(), None).unwrap();
    let mut writer = store.writer(shape(), "").unwrap();
    writer.append(key(0), &taps(0, shape())).unwrap();
    drop(writer);
    store.writer(shape(), "").unwrap().finish().unwrap();
    assert!(find(&store, shape(), 0).is_none());
    assert!(files(dir.path(), ".taps").is_empty() && files(dir.path(), "partial").is_empty());
}

#[test]
fn only_chunks_of_this_store_can_be_forgotten() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = TapStore::open(dir.path(), None).unwrap();
    let foreign = write(&TapStore::open(other.path(), None).unwrap(), shape(), [0]);
    for file in [foreign.clone(), dir.path().join("FORMAT")] {
        assert!(matches!(store.forget(&file), Err(Error::NotAChunk { .. })));
        assert!(file.exists());
    }
}

#[test]
fn a_thousand_small_images_are_found_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = TapStore::open(dir.path(), None).unwrap().with_chunk_bytes(50_000);
    let mut writer = store.writer(shape(), "").unwrap();
    for image in 0..1000 {
        writer.append(key(image), &taps(image, shape())).unwrap();
    }
    writer.finish().unwrap();
    assert!(files(dir.path(), ".taps").len() >= 10);
    let keys: Vec<_> = (0..1000).map(key).collect();
    let store = TapStore::open(dir.path(), None).unwrap();
    let begin = Instant::now();
    let found = store.lookup(&keys, shape()).unwrap();
    // Milliseconds in truth; the limit is for a machine that does something else.
    assert!(begin.elapsed().as_secs() < 5);
    for (image, entry) in found.iter().enumerate() {
        assert_holds(entry.as_ref().unwrap(), image);
    }
}

fn flip(file: &std::fs::File, at: u64) {
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}
