//! First inputs of each target.

use std::path::Path;

use crate::{archive, pickle, picture, results};

/// Inputs by target and name.
///
/// # Panics
/// Where the repository's own files can't be read.
pub fn all(root: &Path) -> Vec<(&'static str, String, Vec<u8>)> {
    let mut seeds = Vec::new();
    let ascii = |text: String| text.into_bytes().into_iter().filter(u8::is_ascii).collect::<Vec<u8>>();
    let read = |path: &Path| std::fs::read_to_string(path).expect("a file of the repository");
    seeds.push(("registry", "shipped".to_owned(), ascii(read(&root.join("datasets.toml")))));
    for entry in std::fs::read_dir(root.join("experiments")).expect("the folder of experiments") {
        let path = entry.expect("an entry of the folder").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            seeds.push(("experiment", name, ascii(read(&path))));
        }
    }
    for (name, text) in [
        ("table", "label,image,mask\n0,a.png,\n1,b.png,m/b.png\n"),
        ("lines", "n-0: a.png b.png\na-0: c.png d.png\nn-1: a.png\na-1: c.png\n"),
    ] {
        seeds.push(("support_list", name.to_owned(), text.into()));
    }
    for format in 0..4 {
        for colour in 0..6 {
            // A leading 0 is a picture as it is, see the target.
            let bytes = [vec![0], picture::encoded(format, colour, 5, 4, 9)].concat();
            seeds.push(("images", format!("{format}-{colour}"), bytes));
            seeds.push(("images", format!("made-{format}-{colour}"), vec![1, format, colour, 5, 4, 9, 0, 0]));
        }
    }
    let storage: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    let zip = archive::zip(&[("x/data.pkl", &pickle::one_tensor()), ("x/data/0", &storage)]);
    let script = archive::zip(&[
        ("x/constants.pkl", b"\x80\x02).".as_slice()),
        ("x/data.pkl", &pickle::one_tensor()),
        ("x/byteorder", b"little"),
        ("x/data/0", &storage),
    ]);
    for (name, bytes) in [("zip", zip), ("script", script), ("legacy", pickle::legacy())] {
        seeds.push(("weights", name.to_owned(), bytes));
    }
    seeds.push(("pickle", "tensor".to_owned(), pickle::one_tensor()));
    let header =
        b"{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}";
    seeds.push(("safetensors", "one".to_owned(), [&[16], header.as_slice()].concat()));
    for (number, name) in results::files().iter().enumerate() {
        let bytes = std::fs::read(results::original().join(name)).expect("a file of the repository");
        let chosen = [number as u8, 0];
        if bytes.len() < 8192 {
            seeds.push(("records", format!("{number}-whole"), [&chosen, bytes.as_slice()].concat()));
        }
        seeds.push(("records", format!("{number}-patched"), vec![number as u8, 1, 0xff, 0xff, 9, 0, 1]));
    }
    seeds
}
