//! What a file is and what is wrong with it: a complete report, where [`crate::Weights::open`] stops at the first
//! fault.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use harness_method::Arch;
use harness_method::options::Activation;
use serde::Serialize;

use crate::WeightsError;
use crate::arch::{self, Heads};
use crate::checkpoint::Contents;
use crate::difference::Difference;
use crate::kind::Kind;
use crate::naming;
use crate::safetensors_file;
use crate::source::Source;
use crate::tensor::View;
use crate::weights::{combine_hashes, hash_file, heads_of, suggested_activation};

/// A file of weights.
#[derive(Clone, Debug, Serialize)]
pub struct File {
    /// Where it lies.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// BLAKE3 of its bytes, hexadecimal.
    pub hash: String,
}

/// A tensor with values that are not numbers or infinite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NonFinite {
    /// OpenAI's name.
    pub name: String,
    /// How many of its values.
    pub count: usize,
}

/// What weights are.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The format.
    pub kind: Kind,
    /// The tensor names that are used, such as "OpenAI's names"; empty where it is not a CLIP.
    pub naming: String,
    /// What stands before every name, such as `state_dict.module.`; mostly empty.
    pub prefix: String,
    /// The files, in canonical order.
    pub files: Vec<File>,
    /// As [`crate::Weights::hash`].
    pub hash: String,
    /// Tensors by element type.
    pub dtypes: BTreeMap<String, usize>,
    /// The architecture, where shapes imply one.
    pub arch: Option<Arch>,
    /// What is missing, misshapen or of a wrong type; empty for usable weights.
    pub differences: Vec<Difference>,
    /// Names and shapes of tensors that this method doesn't know, under the file's names.
    pub extra: Vec<(String, Vec<usize>)>,
    /// Tensors with values that aren't finite.
    pub non_finite: Vec<NonFinite>,
    /// What a checkpoint of MadCLIP's authors shows of its model, where the file is one.
    pub checkpoint: Option<Contents>,
    /// What the file says of itself: the `__metadata__` of a safetensors file. A trained state's has `harness.state`.
    pub metadata: BTreeMap<String, String>,
    /// What a user should know.
    pub notes: Vec<String>,
}

impl Report {
    /// Whether [`crate::Weights::open`] takes the files and all values are finite.
    pub fn is_usable(&self) -> bool {
        self.arch.is_some() && self.differences.is_empty() && self.non_finite.is_empty()
    }

    /// Whether it is a trained state, this program's or the authors', instead of an encoder's weights.
    pub fn is_state(&self) -> bool {
        self.checkpoint.is_some() || self.metadata.contains_key("harness.state")
    }
}

/// Inspects weights of any known format; reads all of them.
///
/// # Errors
/// A file that can't be read as tensors: a missing one, an unknown or damaged format, a pickle that names code. Faults
/// of tensors are in the report.
pub fn inspect(path: &Path) -> Result<Report, WeightsError> {
    inspect_with(path, Heads::default())
}

/// Like [`inspect`], with the number of attention heads stated.
///
/// # Errors
/// As [`inspect`].
pub fn inspect_with(path: &Path, heads: Heads) -> Result<Report, WeightsError> {
    let source = Source::read(path)?;
    let files: Vec<File> = source
        .files
        .iter()
        .map(|file| File { path: file.path().to_owned(), bytes: file.bytes().len() as u64, hash: hash_file(file) })
        .collect();
    let mut report = Report {
        kind: source.kind,
        naming: String::new(),
        prefix: String::new(),
        hash: combine_hashes(&files.iter().map(|file| file.hash.clone()).collect::<Vec<_>>()),
        files,
        dtypes: count_types(&source.tensors),
        arch: None,
        differences: Vec::new(),
        extra: Vec::new(),
        non_finite: Vec::new(),
        checkpoint: Contents::of(source.tensors.iter().map(|(name, view)| (name.as_str(), view.shape()))),
        metadata: match (source.kind, source.files.as_slice()) {
            (Kind::Safetensors, [file]) => safetensors_file::of_itself(file)?,
            _ => BTreeMap::new(),
        },
        notes: Vec::new(),
    };
    if report.is_state() {
        for (name, view) in &source.tensors {
            let mut values = Vec::new();
            view.append_to(&mut values)?;
            count_non_finite(name, &values, &mut report.non_finite);
        }
        return Ok(report);
    }
    let heads = heads_of(&source, heads);
    report.notes.extend(suggested_activation(&source).map(activation_note));
    let all: Vec<_> = source.tensors.iter().map(|(name, view)| (name.clone(), view.shape().to_vec())).collect();
    let named = match naming::to_openai(source.tensors) {
        Ok(named) => named,
        Err(what) => {
            report.differences.push(Difference::NoArchitecture { what });
            report.extra = all;
            return Ok(report);
        }
    };
    report.naming = named.naming.to_string();
    report.prefix = named.prefix;
    report.extra = named.extra;
    report.differences = named.differences;
    match arch::deduce(&named.tensors, heads) {
        Ok(arch) => {
            let (differences, stray) = arch::compare(&arch, &named.tensors);
            // A joined tensor whose parts are at fault is reported by its parts.
            let by_parts: Vec<String> = report.differences.iter().filter_map(joined_name).collect();
            report.differences.extend(
                differences
                    .into_iter()
                    .filter(|d| !matches!(d, Difference::Missing { name, .. } if by_parts.contains(name))),
            );
            report.extra.extend(stray.into_iter().map(|name| {
                let shape = named.tensors[&name].shape();
                (name, shape)
            }));
            report.arch = Some(arch);
        }
        Err(difference) => report.differences.push(difference),
    }
    for (name, tensor) in &named.tensors {
        count_non_finite(name, &tensor.values()?, &mut report.non_finite);
    }
    Ok(report)
}

fn count_non_finite(name: &str, values: &[f32], found: &mut Vec<NonFinite>) {
    let count = values.iter().filter(|value| !value.is_finite()).count();
    if count > 0 {
        found.push(NonFinite { name: name.to_owned(), count });
    }
}

fn count_types(tensors: &[(String, View)]) -> BTreeMap<String, usize> {
    let mut types = BTreeMap::new();
    for (_, view) in tensors {
        *types.entry(view.dtype().to_string()).or_default() += 1;
    }
    types
}

/// `x` of a difference in `x (q_proj)`.
fn joined_name(difference: &Difference) -> Option<String> {
    let (Difference::Missing { name, .. } | Difference::Misshapen { name, .. }) = difference else { return None };
    name.split_once(" (").map(|(joined, _)| joined.to_owned())
}

fn activation_note(activation: Activation) -> String {
    let name = match activation {
        Activation::Gelu => "gelu",
        Activation::QuickGelu => "quick_gelu",
    };
    format!("the file's origin suggests the activation `{name}`; the option `activation` decides")
}
