//! From a path to tensors under the names that its files use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use crate::WeightsError;
use crate::kind::Kind;
use crate::mapped::Mapped;
use crate::safetensors_file;
use crate::tensor::View;
use crate::torch_file::PickleFile;

/// What transformers' `config.json` says beyond shapes.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) vision_config: TowerConfig,
    #[serde(default)]
    pub(crate) text_config: TowerConfig,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct TowerConfig {
    pub(crate) num_attention_heads: Option<usize>,
    pub(crate) hidden_act: Option<String>,
}

/// Tensors under the file's own names.
pub(crate) struct Source {
    pub(crate) kind: Kind,
    pub(crate) files: Vec<Arc<Mapped>>,
    pub(crate) tensors: Vec<(String, View)>,
    pub(crate) config: Option<Config>,
    /// TorchScript classes the file mentions.
    pub(crate) classes: Vec<String>,
}

/// Weight files of a folder, in order of preference.
const FOLDER_FILES: [&str; 4] =
    ["model.safetensors", "open_clip_model.safetensors", "pytorch_model.bin", "open_clip_pytorch_model.bin"];
const INDEX_SUFFIX: &str = ".index.json";

impl Source {
    pub(crate) fn read(path: &Path) -> Result<Self, WeightsError> {
        if path.is_dir() {
            return Self::folder(path);
        }
        if let (Some(folder), true) = (path.parent(), path.to_string_lossy().ends_with(INDEX_SUFFIX)) {
            return Self::sharded(folder, path);
        }
        let file = Arc::new(Mapped::open(path)?);
        let (kind, tensors, classes) = tensors_of(&file)?;
        Ok(Self { kind, files: vec![file], tensors, config: None, classes })
    }

    fn folder(folder: &Path) -> Result<Self, WeightsError> {
        for name in FOLDER_FILES {
            let file = folder.join(name);
            let index = folder.join(format!("{name}{INDEX_SUFFIX}"));
            if file.is_file() {
                let single = Self::read(&file)?;
                return Ok(Self { kind: Kind::Folder, config: config(folder)?, ..single });
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
        Ok(Self { kind: Kind::Folder, files, tensors, config: config(folder)?, classes: Vec::new() })
    }
}

type Read = (Kind, Vec<(String, View)>, Vec<String>);

fn tensors_of(file: &Arc<Mapped>) -> Result<Read, WeightsError> {
    match Kind::of(file.bytes()) {
        Some(Kind::TorchZip) => Ok(PickleFile::zipped(file)?.into_parts()),
        Some(Kind::TorchLegacy) => Ok(PickleFile::legacy(file)?.into_parts()),
        Some(kind) => Ok((kind, safetensors_file::tensors(file)?, Vec::new())),
        None => {
            let start = &file.bytes()[..file.bytes().len().min(16)];
            let found = if start.starts_with(b"version https://") {
                "a Git LFS pointer; fetch the file itself".to_owned()
            } else {
                format!("it begins with \"{}\"", start.escape_ascii())
            };
            Err(WeightsError::Unrecognised { path: file.path().to_owned(), found })
        }
    }
}

fn config(folder: &Path) -> Result<Option<Config>, WeightsError> {
    let path = folder.join("config.json");
    if path.is_file() { json(&path).map(Some) } else { Ok(None) }
}

fn json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, WeightsError> {
    let text = std::fs::read(path).map_err(|source| WeightsError::Io { path: path.to_owned(), source })?;
    serde_json::from_slice(&text)
        .map_err(|error| WeightsError::Damaged { path: path.to_owned(), what: error.to_string() })
}
