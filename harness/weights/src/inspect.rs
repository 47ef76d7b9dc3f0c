//! What a file is and what is wrong with it: a complete report, where [`crate::Weights::open`] stops at the first
//! fault.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use harness_method::Arch;
use serde::Serialize;

use crate::WeightsError;
use crate::arch::{self, Heads};
use crate::checkpoint::Contents;
use crate::difference::Difference;
use crate::kind::Kind;
use crate::known;
use crate::reading::Reading;
use crate::safetensors_file;
use crate::source::Source;
use crate::tensor::View;
use crate::weights::{combine_hashes, hash_file};

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
    /// The file's own name.
    pub name: String,
    /// How many of its values.
    pub count: usize,
    /// Whether the method computes with it.
    pub used: bool,
}

/// A tensor whose values can't be those of a trained encoder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unfit {
    /// The file's own name.
    pub name: String,
    /// What it holds, such as "nothing but zeros".
    pub found: String,
    /// Whether the method computes with it.
    pub used: bool,
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
    /// The published file that this is, by its SHA-256, such as "OpenAI ViT-L/14@336px".
    pub known: Option<String>,
    /// Tensors by element type.
    pub dtypes: BTreeMap<String, usize>,
    /// The architecture, where shapes imply one.
    pub arch: Option<Arch>,
    /// What is missing, misshapen, of a wrong type or of another kind of encoder; empty for usable weights.
    pub differences: Vec<Difference>,
    /// Names and shapes of tensors that this method doesn't know, under the file's names.
    pub extra: Vec<(String, Vec<usize>)>,
    /// Tensors with values that aren't finite.
    pub non_finite: Vec<NonFinite>,
    /// Tensors of an encoder with values that no trained one has.
    pub unfit: Vec<Unfit>,
    /// What a checkpoint of MadCLIP's authors shows of its model, where the file is one.
    pub checkpoint: Option<Contents>,
    /// What the file says of itself: the `__metadata__` of a safetensors file. A trained state's has `harness.state`.
    pub metadata: BTreeMap<String, String>,
    /// What a user should know.
    pub notes: Vec<String>,
}

impl Report {
    /// Whether [`crate::Weights::open`] takes the files and all values that are used may be those of a trained encoder.
    pub fn is_usable(&self) -> bool {
        let values = !self.non_finite.iter().any(|tensor| tensor.used) && !self.unfit.iter().any(|tensor| tensor.used);
        self.arch.is_some() && self.differences.is_empty() && values
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
        known: match source.files.as_slice() {
            [file] => known::name(file.bytes()).map(str::to_owned),
            _ => None,
        },
        files,
        dtypes: count_types(&source.tensors),
        arch: None,
        differences: Vec::new(),
        extra: Vec::new(),
        non_finite: Vec::new(),
        unfit: Vec::new(),
        checkpoint: Contents::of(source.tensors.iter().map(|(name, view)| (name.as_str(), view.shape()))),
        metadata: match (source.kind, source.files.as_slice()) {
            (Kind::Safetensors, [file]) => safetensors_file::of_itself(file)?,
            _ => BTreeMap::new(),
        },
        notes: Vec::new(),
    };
    if report.is_state() {
        for (name, view) in &source.tensors {
            let count = view.count_non_finite()?;
            if count > 0 {
                report.non_finite.push(NonFinite { name: name.clone(), count, used: true });
            }
        }
        return Ok(report);
    }
    let Reading { named, arch, differences, extra, activation, notes } = Reading::of(source, heads);
    let suggested = activation.map(|activation| {
        format!("the weights' origin suggests the activation `{activation}`; the option `activation` decides")
    });
    let notes = suggested.into_iter().chain(notes).collect();
    (report.arch, report.differences, report.extra, report.notes) = (arch, differences, extra, notes);
    if let Some(named) = named {
        report.naming = named.naming.to_string();
        for (name, tensor) in &named.tensors {
            let (count, used) = (tensor.count_non_finite()?, arch::is_used(name));
            if count > 0 {
                report.non_finite.push(NonFinite { name: named.own_name(name), count, used });
            } else if let Some(found) = tensor.unfit(name)? {
                report.unfit.push(Unfit { name: named.own_name(name), found, used });
            }
        }
        report.prefix = named.prefix;
    }
    Ok(report)
}

fn count_types(tensors: &[(String, View)]) -> BTreeMap<String, usize> {
    let mut types = BTreeMap::new();
    for (_, view) in tensors {
        *types.entry(view.dtype().to_string()).or_default() += 1;
    }
    types
}
