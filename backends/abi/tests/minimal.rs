//! The documented example in C, `minimal.c`: built as anybody would build it, found, loaded and used.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

#[path = "common/c.rs"]
mod c;

use harness_backend_abi::host::{
    Backend, Capability, DType, ImageTowerOptions, NamedTensor, PluginFolder, Precision, Session, SessionOptions,
    Status, TextTowerOptions, Version, discover,
};
use serde_json::json;

fn minimal() -> Backend {
    let folder = tempfile::tempdir().unwrap();
    let path = c::plugin_of_file(folder.path(), "minimal", "minimal.c");
    let found = discover(&[PluginFolder::named(folder.path())], &[]).unwrap();
    assert_eq!((found.len(), found[0].name.as_str(), &found[0].path), (1, "minimal", &path));
    Backend::load(&path).unwrap()
}

fn session(backend: &Backend) -> Session {
    backend.open(&SessionOptions::on("cpu")).unwrap()
}

fn options() -> ImageTowerOptions {
    ImageTowerOptions {
        arch: json!({"patch": 2, "width": 3}),
        image_size: 4,
        taps: vec![1, 2],
        activation: json!("gelu"),
        normalize: json!("none"),
        precision: Precision::F32,
    }
}

#[test]
fn a_backend_in_c_is_loaded_and_encodes() {
    let backend = minimal();
    assert_eq!(backend.describe().name, "minimal");
    assert_eq!(backend.interface(), Version::HARNESS);
    // The one it names besides is from the future, and none of the host's business.
    assert_eq!(backend.capabilities(), [Capability::ImageTower, Capability::Memory]);

    let session = session(&backend);
    assert_eq!(session.memory().unwrap().host_peak_bytes, 4096);
    let weights = [NamedTensor::f32("a", &[1], &[1.0]), NamedTensor::f32("b", &[2], &[1.0, 2.0])];
    let mut tower = session.load_image_tower(&options(), &weights).unwrap();
    let mut images = vec![10_u8; 2 * 3 * 4 * 4];
    images[48..].fill(30);
    let (mut one, mut two) = (vec![0.0; 2 * 5 * 3], vec![0.0; 2 * 5 * 3]);
    tower.encode_u8(&images, 2, &mut [&mut one, &mut two]).unwrap();
    assert_eq!(one, [[10.0; 15], [30.0; 15]].concat());
    assert_eq!(one, two);
}

#[test]
fn a_backend_in_c_says_what_it_can_not_do() {
    let backend = minimal();
    let options_with_threads = SessionOptions { threads: Some(2), ..SessionOptions::on("cpu") };
    let error = backend.open(&options_with_threads).unwrap_err();
    assert_eq!(error.status, Status::InvalidArgument);
    assert!(error.message.contains("expected {\"device\":\"cpu\"}"), "{error}");

    let session = session(&backend);
    let half = NamedTensor::new("visual.proj", DType::F16, &[1], &[0, 0]);
    let error = session.load_image_tower(&options(), &[half]).unwrap_err();
    assert_eq!((error.status, error.message.as_str()), (Status::Unsupported, "tensor `visual.proj` is not f32"));
    let text = TextTowerOptions { arch: json!({"context": 1, "text_width": 1, "embed": 1}), activation: json!("gelu") };
    let error = session.load_text_tower(&text, &[]).unwrap_err();
    assert!(error.status == Status::Unsupported && error.message.contains("`text_tower`"), "{error}");
}
