//! Reading a golden case: `case.toml`, `expected.safetensors`, and what follows from them by seed.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use harness_method::options::{Prompts, Side};
use harness_method::parameters::parameters;
use harness_method::prompts::{self, PromptError};
use harness_method::{Arch, Options, synthetic};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

/// Why a case cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// A file or folder cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// `case.toml` is not a case.
    #[error("{path}: {source}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// `expected.safetensors` is not readable or lacks a tensor.
    #[error("{path}: {reason}")]
    Expected {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The case's sentences do not tokenise.
    #[error(transparent)]
    Prompts(#[from] PromptError),
    /// The folder holds no case.
    #[error("{0}: no folder with a case.toml in it; pass the folder that holds the cases")]
    Empty(PathBuf),
}

/// A tensor with its shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Row-major shape.
    pub shape: Vec<usize>,
    /// Values.
    pub data: Vec<f32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    seed: u64,
    object: String,
    has_masks: bool,
    learning_rate: f64,
    batches: Vec<Vec<usize>>,
    test: Vec<usize>,
    arch: Arch,
    options: Options,
}

/// Sentences of one class, with token vectors gathered.
#[derive(Clone, Debug)]
pub struct Sentences {
    /// `[N, context, Wt]`.
    pub embedded: Vec<f32>,
    /// End-of-text index of each.
    pub eot: Vec<usize>,
    /// Tokens of each state's phrase; empty for fixed sentences.
    pub lengths: Vec<usize>,
}

/// A golden case with everything a subject needs.
#[derive(Clone, Debug)]
pub struct Case {
    /// The folder's name.
    pub name: String,
    /// Sizes of the synthetic CLIP.
    pub arch: Arch,
    /// The model.
    pub options: Options,
    /// Whether focal and dice losses apply.
    pub has_masks: bool,
    /// Of Adam.
    pub learning_rate: f64,
    /// Image indices of each training step.
    pub batches: Vec<Vec<usize>>,
    /// Image indices of the test batch.
    pub test: Vec<usize>,
    /// `[N, 3, S, S]`.
    pub images: Vec<u8>,
    /// `[N, S, S]` of 0 and 1.
    pub masks: Vec<u8>,
    /// 1 = abnormal.
    pub labels: Vec<u8>,
    /// The CLIP's tensors in OpenAI's names.
    pub weights: HashMap<String, Tensor>,
    /// Initial values of the trainable tensors.
    pub initial: BTreeMap<String, Tensor>,
    /// Sentences of the normal and the abnormal class; `None` under `free`.
    pub sentences: Option<[Sentences; 2]>,
    pub(crate) expected: HashMap<String, Tensor>,
}

impl Case {
    /// Every case in the sub-folders of a folder, by name.
    ///
    /// # Errors
    /// The folder holds no case, or one that cannot be read.
    pub fn read_all(folder: &Path) -> Result<Vec<Self>, CaseError> {
        let io = |source| CaseError::Io { path: folder.to_owned(), source };
        let mut cases = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if path.join("case.toml").is_file() {
                cases.push(path);
            }
        }
        if cases.is_empty() {
            return Err(CaseError::Empty(folder.to_owned()));
        }
        cases.sort();
        cases.iter().map(|path| Self::read(path)).collect()
    }

    /// The case in one folder.
    ///
    /// # Errors
    /// A file is missing or isn't a part of a case.
    pub fn read(folder: &Path) -> Result<Self, CaseError> {
        let path = folder.join("case.toml");
        let text = std::fs::read_to_string(&path).map_err(|source| CaseError::Io { path: path.clone(), source })?;
        let file: CaseFile =
            toml::from_str(&text).map_err(|source| CaseError::Toml { path, source: Box::new(source) })?;
        let path = folder.join("expected.safetensors");
        let bytes = std::fs::read(&path).map_err(|source| CaseError::Io { path: path.clone(), source })?;
        let wrong = |reason: String| CaseError::Expected { path: path.clone(), reason };
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| wrong(e.to_string()))?;
        let raw = |name: &str| match tensors.tensor(name) {
            Ok(view) if view.dtype() == Dtype::U8 => Ok(view.data().to_vec()),
            Ok(view) => Err(wrong(format!("`{name}` is {:?}, expected U8", view.dtype()))),
            Err(e) => Err(wrong(e.to_string())),
        };
        let weights: HashMap<String, Tensor> = synthetic::clip_state(&file.arch)
            .into_iter()
            .map(|t| (t.name.clone(), Tensor { data: t.values(file.seed), shape: t.shape }))
            .collect();
        let sentences = match file.options.prompts {
            Prompts::Free => None,
            _ => Some([sentences(&file, &weights, Side::Normal)?, sentences(&file, &weights, Side::Abnormal)?]),
        };
        Ok(Self {
            name: folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            images: raw("images")?,
            masks: raw("masks")?,
            labels: raw("labels")?,
            expected: tensors
                .iter()
                .filter(|(_, view)| view.dtype() == Dtype::F32)
                .map(|(name, view)| {
                    let data = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                    (name.to_owned(), Tensor { shape: view.shape().to_vec(), data: data.collect() })
                })
                .collect(),
            initial: parameters(&file.options, &file.arch)
                .into_iter()
                .map(|p| (p.name.clone(), Tensor { data: p.values(file.seed), shape: p.shape }))
                .collect(),
            weights,
            sentences,
            arch: file.arch,
            options: file.options,
            has_masks: file.has_masks,
            learning_rate: file.learning_rate,
            batches: file.batches,
            test: file.test,
        })
    }

    /// Images of these indices, `[n, 3, S, S]`.
    pub fn images_of(&self, indices: &[usize]) -> Vec<u8> {
        let size = 3 * self.options.image_size.pow(2);
        indices.iter().flat_map(|i| &self.images[i * size..(i + 1) * size]).copied().collect()
    }
}

fn sentences(file: &CaseFile, weights: &HashMap<String, Tensor>, side: Side) -> Result<Sentences, CaseError> {
    let (arch, options) = (&file.arch, &file.options);
    let tokens = if options.prompts.learned_sides().contains(&side) {
        prompts::learned(side, &file.object, options.context_tokens, arch.context)?
    } else {
        prompts::fixed(side, &file.object, arch.context)?
    };
    let table = &weights["token_embedding.weight"].data;
    let width = arch.text_width;
    let embedded = tokens.tokens.iter().flatten().flat_map(|&id| &table[id as usize * width..][..width]);
    Ok(Sentences { embedded: embedded.copied().collect(), eot: tokens.eot, lengths: tokens.lengths })
}
