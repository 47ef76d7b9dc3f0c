//! From a path to tensors under the names that its files use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use crate::WeightsError;
use crate::config::{self, Config};
use crate::kind::Kind;
use crate::mapped::Mapped;
use crate::naming::Naming;
use crate::safetensors_file;
use crate::tensor::View;
use crate::torch_file::PickleFile;

/// Tensors under the file's own names.
pub(crate) struct Source {
    pub(crate) kind: Kind,
    pub(crate) files: Vec<Arc<Mapped>>,
    pub(crate) tensors: Vec<(String, View)>,
    /// What the JSON files beside them say.
    pub(crate) configs: Vec<Config>,
    /// TorchScript classes the file mentions.
    pub(crate) classes: Vec<String>,
}

/// Weight files of a folder, in order of preference.
const FOLDER_FILES: [&str; 4] =
    ["model.safetensors", "open_clip_model.safetensors", "pytorch_model.bin", "open_clip_pytorch_model.bin"];
const INDEX_SUFFIX: &str = ".index.json";

impl Source {
    /// What is said beside tensors of these names: by the file of the library that uses them, else by the other one.
    pub(crate) fn config(&self, naming: Naming) -> Option<&Config> {
        let own = if naming == Naming::Transformers { config::TRANSFORMERS } else { config::OPEN_CLIP };
        self.configs.iter().find(|config| config.file == own).or(self.configs.first())
    }

    pub(crate) fn read(path: &Path) -> Result<Self, WeightsError> {
        if path.is_dir() {
            return Self::folder(path);
        }
        if let (Some(folder), true) = (path.parent(), path.to_string_lossy().ends_with(INDEX_SUFFIX)) {
            return Self::sharded(folder, path);
        }
        let file = Arc::new(Mapped::open(path)?);
        let (kind, tensors, classes) = tensors_of(&file)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Beside a file of any other name, `config.json` is likely to be about something else.
        let usual = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| FOLDER_FILES.contains(&name));
        Ok(Self { kind, files: vec![file], tensors, configs: configs(folder, usual)?, classes })
    }

    fn folder(folder: &Path) -> Result<Self, WeightsError> {
        for name in FOLDER_FILES {
            let file = folder.join(name);
            let index = folder.join(format!("{name}{INDEX_SUFFIX}"));
            if file.is_file() {
                let single = Self::read(&file)?;
                return Ok(Self { kind: Kind::Folder, ..single });
            }
            if index.is_file() {
                return Self::sharded(folder, &index);
            }
        }
        Err(WeightsError::Unrecognised {
            path: folder.to_owned(),
            found: format!("a folder without {}, or an index of one", FOLDER_FILES.join(", ")),
        })
    }

    fn sharded(folder: &Path, index: &Path) -> Result<Self, WeightsError> {
        #[derive(Deserialize)]
        struct Index {
            weight_map: BTreeMap<String, String>,
        }
        let Index { weight_map } = json(index)?;
        let damaged = |what: String| WeightsError::Damaged { path: index.to_owned(), what };
        let shards: BTreeSet<&str> = weight_map.values().map(String::as_str).collect();
        let (mut files, mut tensors, mut owner) = (Vec::new(), Vec::new(), BTreeMap::new());
        for shard in shards {
            if shard.is_empty() || shard.contains(['/', '\\']) || shard == ".." {
                return Err(damaged(format!("it names `{shard}`, which is not a file of its folder")));
            }
            let file = Arc::new(Mapped::open(&folder.join(shard))?);
            for (name, view) in tensors_of(&file)?.1 {
                if let Some(first) = owner.insert(name.clone(), shard) {
                    return Err(damaged(format!("tensor `{name}` is in `{first}` and in `{shard}`")));
                }
                tensors.push((name, view));
            }
            files.push(file);
        }
        if let Some((name, shard)) = weight_map.iter().find(|(name, shard)| owner.get(*name) != Some(&shard.as_str())) {
            return Err(WeightsError::Missing {
                origin: folder.join(shard).display().to_string(),
                name: name.clone(),
                expected: None,
            });
        }
        Ok(Self { kind: Kind::Folder, files, tensors, configs: configs(folder, true)?, classes: Vec::new() })
    }
}

type Read = (Kind, Vec<(String, View)>, Vec<String>);

fn tensors_of(file: &Arc<Mapped>) -> Result<Read, WeightsError> {
    match Kind::of(file.bytes()) {
        Some(Kind::TorchZip) => Ok(PickleFile::zipped(file)?.into_parts()),
        Some(Kind::TorchLegacy) => Ok(PickleFile::legacy(file)?.into_parts()),
        Some(kind) => Ok((kind, safetensors_file::tensors(file)?, Vec::new())),
        None => Err(WeightsError::Unrecognised { path: file.path().to_owned(), found: called(file.bytes()) }),
    }
}

/// What a file of no known format is, by its first bytes.
fn called(data: &[u8]) -> String {
    const KINDS: [(&[u8], &str); 9] = [
        (b"version https://", "a Git LFS pointer; fetch the file itself"),
        (b"\x1f\x8b", "compressed with gzip; unpack it"),
        (b"BZh", "compressed with bzip2; unpack it"),
        (b"\xfd7zXZ", "compressed with xz; unpack it"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it"),
        (b"GGUF", "a GGUF file; fetch the weights as safetensors"),
        (b"\x89HDF", "an HDF5 file, as Keras writes; fetch the weights as safetensors"),
        (b"<!DOCTYPE", "a web page (<!DOCTYPE html>) in place of the file; fetch it again"),
        (b"<html", "a web page in place of the file; fetch it again"),
    ];
    let start = &data[..data.len().min(16)];
    if data.get(257..262) == Some(b"ustar") {
        return "a tar archive; unpack it".to_owned();
    }
    // A model of ONNX begins with the version of its form, then with who wrote it.
    if let [0x08, 1..=20, 0x12, ..] = start {
        return "an ONNX model, which holds a graph and not a CLIP's tensors by name; fetch the weights as safetensors"
            .to_owned();
    }
    let known = KINDS.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, called)| (*called).to_owned());
    known.unwrap_or_else(|| format!("it begins with \"{}\"", start.escape_ascii()))
}

fn configs(folder: &Path, of_transformers: bool) -> Result<Vec<Config>, WeightsError> {
    let theirs = if of_transformers { Config::read(folder, config::TRANSFORMERS)? } else { None };
    Ok(theirs.into_iter().chain(Config::read(folder, config::OPEN_CLIP)?).collect())
}

fn json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, WeightsError> {
    let text = std::fs::read(path).map_err(|source| WeightsError::Io { path: path.to_owned(), source })?;
    serde_json::from_slice(&text)
        .map_err(|error| WeightsError::Damaged { path: path.to_owned(), what: error.to_string() })
}
