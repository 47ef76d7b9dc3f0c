//! A JPEG that is damaged inside its coded pixels is refused: decoders fill in grey and say nothing.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::ops::Range;
use std::path::{Path, PathBuf};

use common::{Set, says};
use harness_data::decode::{Depth, decode};
use harness_data::{DataError, Severity};

const FILES: [&str; 5] = ["baseline", "grey", "restart", "progressive", "cmyk"];

fn file(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/jpeg/{name}.jpg"))).unwrap()
}

/// The coded pixels of each scan.
fn scans(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut scans = Vec::new();
    let mut at = 2;
    while bytes[at + 1] != 0xD9 {
        let end = at + 2 + (usize::from(bytes[at + 2]) << 8 | usize::from(bytes[at + 3]));
        let scan = bytes[at + 1] == 0xDA;
        at = end;
        while scan && !(bytes[at] == 0xFF && bytes[at + 1] != 0 && !(0xD0..=0xD7).contains(&bytes[at + 1])) {
            at += 1;
        }
        if scan {
            scans.push(end..at);
        }
    }
    scans
}

fn refusal(bytes: &[u8]) -> Option<DataError> {
    decode(bytes, Path::new("a.jpg"), Depth::Scaled).err()
}

#[test]
fn whole_files_of_every_kind_are_read() {
    for name in FILES {
        let pixels = decode(&file(name), Path::new(name), Depth::Scaled).unwrap();
        assert_eq!((pixels.width, pixels.height), (56, 40), "{name}");
    }
}

/// Of many damaged files nearly all are refused. In a file of a few blocks the code may by chance go on as another
/// picture, which nothing can tell.
#[track_caller]
fn nearly_all_are_refused(name: &str, damaged: impl Iterator<Item = Vec<u8>>) {
    let (mut all, mut taken) = (0, 0);
    for bytes in damaged {
        all += 1;
        match refusal(&bytes) {
            Some(error) => says(&error.to_string(), &["a.jpg", "fetch it again or remove it"]),
            None => taken += 1,
        }
    }
    // A progressive file's scans hold less that can't be.
    let most = if name == "progressive" { all / 4 } else { all / 8 };
    assert!(all > 20 && taken <= most, "{name}: {taken} of {all} are taken");
}

#[test]
fn a_piece_cut_out_of_a_scan_is_noticed() {
    for name in FILES {
        let bytes = file(name);
        let scan = scans(&bytes).into_iter().max_by_key(Range::len).unwrap();
        let pieces = (scan.start + 5..scan.end - 45).step_by(3);
        nearly_all_are_refused(name, pieces.map(|begin| [&bytes[..begin], &bytes[begin + 40..]].concat()));
    }
}

#[test]
fn an_end_marker_inside_a_scan_is_noticed() {
    for name in FILES {
        let bytes = file(name);
        let scan = scans(&bytes).remove(0);
        for at in (scan.start + 2..scan.end - 2).step_by(11).filter(|at| bytes[at - 1] != 0xFF) {
            let ended = [&bytes[..at], &[0xFF, 0xD9]].concat();
            let error = refusal(&ended).unwrap_or_else(|| panic!("{name}: ended at {at}")).to_string();
            says(&error, &["a.jpg", "fetch it again or remove it"]);
        }
    }
}

#[test]
fn data_after_the_last_block_are_noticed() {
    for name in FILES {
        let bytes = file(name);
        let scan = scans(&bytes).remove(0);
        let doubled = [&bytes[..scan.end], &bytes[scan.start + 10..scan.start + 60], &bytes[scan.end..]].concat();
        assert!(matches!(refusal(&doubled), Some(DataError::Damaged { .. })), "{name}");
    }
}

#[test]
fn zeros_that_cameras_write_behind_the_last_block_are_taken() {
    let bytes = file("baseline");
    let scan = scans(&bytes).remove(0);
    let padded = [&bytes[..scan.end], &[0, 0, 0], &bytes[scan.end..]].concat();
    let plain = decode(&bytes, Path::new("plain"), Depth::Scaled).unwrap();
    assert_eq!(decode(&padded, Path::new("padded"), Depth::Scaled).unwrap(), plain);
}

#[test]
fn a_restart_marker_that_is_missing_or_out_of_turn_is_noticed() {
    let bytes = file("restart");
    let markers: Vec<usize> =
        (0..bytes.len() - 1).filter(|at| bytes[*at] == 0xFF && (0xD0..=0xD7).contains(&bytes[at + 1])).collect();
    assert!(markers.len() > 5);
    for at in markers {
        let missing = [&bytes[..at], &bytes[at + 2..]].concat();
        assert!(matches!(refusal(&missing), Some(DataError::Damaged { .. })), "missing at {at}");
        let mut other = bytes.clone();
        other[at + 1] = 0xD0 + (bytes[at + 1] - 0xD0 + 3) % 8;
        assert!(matches!(refusal(&other), Some(DataError::Damaged { .. })), "out of turn at {at}");
    }
}

#[test]
fn a_run_of_other_bytes_in_a_scan_is_noticed() {
    for name in FILES {
        let bytes = file(name);
        let scan = scans(&bytes).into_iter().max_by_key(Range::len).unwrap();
        let runs = (scan.start + 10..scan.end - 70).step_by(5).map(|begin| {
            let mut other = bytes.clone();
            let mut state = begin as u32;
            for byte in &mut other[begin..begin + 64] {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = (state >> 24) as u8;
            }
            other
        });
        nearly_all_are_refused(name, runs);
    }
}

#[test]
fn verify_names_a_damaged_jpeg() {
    let set = Set::mvfa();
    let mut bytes = file("baseline");
    let scan = scans(&bytes).remove(0);
    bytes.drain(scan.start + 100..scan.start + 140);
    let path = set.write("test/good/img/n1.jpg", bytes);
    set.remove("test/good/img/n1.png");
    let errors = common::found(&set.dataset(), Severity::Error);
    assert_eq!(errors.len(), 1, "{errors:?}");
    says(&errors[0], &[path.to_str().unwrap(), "damaged"]);
}
