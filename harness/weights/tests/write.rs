//! Written weights are what was read, or they aren't there.
#![expect(clippy::unwrap_used, reason = "tests")]

use harness_method::Arch;
use harness_weights::{Kind, Precision, Weights, WeightsError, write_safetensors, write_safetensors_with};

fn weights() -> Weights {
    let arch = Arch {
        image_size: 28,
        patch: 14,
        width: 64,
        layers: 2,
        heads: 1,
        embed: 8,
        vocab: 20,
        context: 7,
        text_width: 64,
        text_layers: 1,
        text_heads: 1,
    };
    Weights::synthetic(&arch, 11).unwrap()
}

#[test]
fn f32_comes_back_exactly_and_f16_within_its_rounding() {
    let folder = tempfile::tempdir().unwrap();
    let weights = weights();
    for (precision, tolerance) in [(Precision::F32, 0.0), (Precision::F16, 1.0 / 2048.0)] {
        let path = folder.path().join("clip.safetensors");
        weights.write_safetensors(&path, precision).unwrap();
        let back = Weights::open(&path).unwrap();
        assert_eq!((back.arch(), back.kind()), (weights.arch(), Kind::Safetensors));
        assert!(back.names().eq(weights.names()));
        for name in weights.names() {
            let (a, b) = (weights.tensor(name).unwrap(), back.tensor(name).unwrap());
            assert_eq!(a.shape, b.shape);
            let within =
                a.data.iter().zip(&b.data).all(|(x, y)| (x - y).abs() <= tolerance * x.abs() + tolerance * 1e-3);
            assert!(within, "{name}");
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
}

#[test]
fn a_failed_write_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.safetensors");
    std::fs::write(&path, "old").unwrap();
    let layout = [("a".to_owned(), vec![2]), ("b".to_owned(), vec![2])];
    let short =
        write_safetensors(&path, &layout, Precision::F32, |name| Ok(vec![0.0; if name == "a" { 2 } else { 1 }]));
    assert!(matches!(short, Err(WeightsError::Length { expected: 2, found: 1, .. })));
    let big = write_safetensors(&path, &layout, Precision::F16, |_| Ok(vec![1.0, 1e6]));
    assert!(matches!(&big, Err(WeightsError::Overflow { value, .. }) if *value == 1e6), "{big:?}");
    let twice = [("a".to_owned(), vec![1]), ("a".to_owned(), vec![1])];
    assert!(write_safetensors(&path, &twice, Precision::F32, |_| Ok(vec![0.0])).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let below_a_file = path.join("clip.safetensors");
    assert!(matches!(weights().write_safetensors(&below_a_file, Precision::F32), Err(WeightsError::Io { .. })));
}

#[test]
fn equal_tensors_and_metadata_give_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let about: Vec<(&str, String)> =
        ["seed", "epoch", "arch", "options", "backend"].map(|key| (key, key.to_owned())).to_vec();
    let layout = [("b".to_owned(), vec![2]), ("a".to_owned(), vec![1, 3])];
    let mut files = ["one", "two"].map(|name| folder.path().join("new").join(name)).into_iter().map(|path| {
        let values = |name: &str| Ok(vec![0.5; if name == "a" { 3 } else { 2 }]);
        write_safetensors_with(&path, &layout, Precision::F32, &about, values).unwrap();
        std::fs::read(path).unwrap()
    });
    let (one, two) = (files.next().unwrap(), files.next().unwrap());
    assert_eq!(one, two);
    let text = String::from_utf8_lossy(&one);
    assert!(
        text.contains(r#""__metadata__":{"arch":"arch","backend":"backend","epoch":"epoch","format":"pt""#),
        "{text}"
    );
}
