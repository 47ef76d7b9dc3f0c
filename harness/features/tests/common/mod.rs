//! Made-up images and taps for the store's tests, and test children. No test lives here.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use harness_features::{Entry, Key, Shape, TapStore};
use harness_method::StorePrecision;

/// Tells a test process that it is a child, and which folder it works on.
const CHILD: &str = "HARNESS_FEATURES_TEST_CHILD";

pub(crate) fn shape() -> Shape {
    Shape::new(3, 5, 8, StorePrecision::F32).unwrap()
}

pub(crate) fn key(image: usize) -> Key {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&(image as u64).to_le_bytes());
    Key::from_bytes(bytes)
}

/// Taps that tell images, taps, tokens and channels apart.
pub(crate) fn taps(image: usize, shape: Shape) -> Vec<f32> {
    (0..shape.image_len()).map(|i| ((image * 7919 + i * 31) % 4093) as f32 / 64.0 - 30.0).collect()
}

pub(crate) fn write(store: &TapStore, shape: Shape, images: impl IntoIterator<Item = usize>) -> PathBuf {
    let mut writer = store.writer(shape, "made up").unwrap();
    for image in images {
        writer.append(key(image), &taps(image, shape)).unwrap();
    }
    writer.finish_chunk().unwrap().unwrap()
}

pub(crate) fn find(store: &TapStore, shape: Shape, image: usize) -> Option<Entry> {
    store.lookup(&[key(image)], shape).unwrap().remove(0)
}

pub(crate) fn assert_holds(entry: &Entry, image: usize) {
    let mut out = vec![0.0; entry.shape().image_len()];
    entry.read_f32(&mut out).unwrap();
    assert_eq!(out, taps(image, entry.shape()), "image {image}");
}

/// Names of the files in a folder that end so.
pub(crate) fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.to_str().unwrap().ends_with(ending)).collect()
}

/// The folder to work on, in a test that was started by [`child`].
pub(crate) fn child_dir() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// Runs one test of this file in a process of its own, under a shell's `prelude` where it is not empty.
pub(crate) fn child(test: &str, dir: &Path, prelude: &str) -> Child {
    let exe = std::env::current_exe().unwrap();
    Command::new("sh")
        .args(["-c", &format!("{prelude}\nexec \"$0\" \"$@\"")])
        .arg(exe)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}
