//! [`Weights`]: a CLIP that can be read tensor by tensor, from files or made by rule.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use harness_method::Arch;
use harness_method::options::Activation;
use harness_method::synthetic::{Synthetic, clip_state};

use crate::WeightsError;
use crate::arch::{self, Heads, is_used};
use crate::kind::Kind;
use crate::mapped::Mapped;
use crate::naming::{Joined, Named, Naming};
use crate::reading::Reading;
use crate::source::Source;
use crate::tensor::{Floats, Tensor};

const TOKEN_EMBEDDING: &str = "token_embedding.weight";

/// A complete CLIP under OpenAI's names. Values stay in the mapped files until they are asked for, so that opening
/// costs no memory.
#[derive(Debug)]
pub struct Weights {
    origin: String,
    kind: Kind,
    arch: Arch,
    /// Tensors there are, in canonical order (that of `clip_state`).
    layout: Vec<Synthetic>,
    values: Values,
    hash: OnceLock<String>,
    activation: Option<Activation>,
    notes: Vec<String>,
}

#[derive(Debug)]
enum Values {
    Files { files: Vec<Arc<Mapped>>, tensors: BTreeMap<String, Joined>, naming: Naming, prefix: String },
    Rule { seed: u64 },
}

impl Weights {
    /// Opens weights of any known format (docs/method.md section 12), heads as a file beside them states or as
    /// published towers of their width have, else width / 64. `path` is a file, a folder, or a folder's `*.index.json`.
    ///
    /// # Errors
    /// No such file, an unknown or damaged format, a pickle that names code, no CLIP, one with parts that are not read,
    /// one that the file beside it contradicts, or a tensor that is missing, misshapen or no float's.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        Self::open_with(path, Heads::default())
    }

    /// Like [`Self::open`], with the number of attention heads stated.
    ///
    /// # Errors
    /// As [`Self::open`]; also heads that don't divide a tower's width.
    pub fn open_with(path: &Path, heads: Heads) -> Result<Self, WeightsError> {
        let origin = path.display().to_string();
        let source = Source::read(path)?;
        let (kind, files) = (source.kind, source.files.clone());
        let Reading { named, arch, differences, activation, notes, .. } = Reading::of(source, heads);
        match (named, arch, differences.into_iter().next()) {
            (Some(Named { naming, prefix, tensors, .. }), Some(arch), None) => {
                let layout = clip_state(&arch).into_iter().filter(|t| tensors.contains_key(&t.name)).collect();
                let values = Values::Files { files, tensors, naming, prefix };
                Ok(Self { origin, kind, arch, layout, values, hash: OnceLock::new(), activation, notes })
            }
            (_, _, Some(difference)) => Err(difference.into_error(origin)),
            (_, _, None) => Err(WeightsError::NotClip { origin, what: "it has no tensors".to_owned() }),
        }
    }

    /// An untrained CLIP by rule (docs/method.md section 5, `clip_state`).
    ///
    /// # Errors
    /// An architecture with a size of zero, one beyond any CLIP's, or heads that don't divide a width.
    pub fn synthetic(arch: &Arch, seed: u64) -> Result<Self, WeightsError> {
        let origin = format!("synthetic weights, seed {seed}");
        if let Err(what) = arch::check(arch) {
            return Err(WeightsError::Arch { origin, what });
        }
        Ok(Self {
            origin,
            kind: Kind::Synthetic,
            layout: clip_state(arch),
            arch: arch.clone(),
            values: Values::Rule { seed },
            hash: OnceLock::new(),
            activation: None,
            notes: Vec::new(),
        })
    }

    /// The architecture.
    pub fn arch(&self) -> &Arch {
        &self.arch
    }

    /// What the weights are read from.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The activation that the files' origin suggests (TorchScript classes, the JSON files beside them). The option
    /// `activation` decides; a user may want to know where the two differ.
    pub fn suggested_activation(&self) -> Option<Activation> {
        self.activation
    }

    /// What a user should know before computing with these weights: what is a guess, what in the files is not read.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The files that hold the values, in canonical order; none for synthetic weights.
    pub fn files(&self) -> Vec<PathBuf> {
        match &self.values {
            Values::Files { files, .. } => files.iter().map(|file| file.path().to_owned()).collect(),
            Values::Rule { .. } => Vec::new(),
        }
    }

    /// BLAKE3, in hexadecimal, of what decides the values. One file: its bytes, as `b3sum` prints; several:
    /// [`combine_hashes`] of theirs in the order of [`Self::files`]; synthetic: architecture and seed. Heads and
    /// activation of files are not in it: they are options. Reads every byte on the first call; a caller that caches
    /// files' hashes can use [`combine_hashes`] instead.
    pub fn hash(&self) -> &str {
        self.hash.get_or_init(|| match &self.values {
            Values::Files { files, .. } => {
                combine_hashes(&files.iter().map(|file| hash_file(file)).collect::<Vec<_>>())
            }
            Values::Rule { seed } => hash_rule(&self.arch, *seed),
        })
    }

    /// Names of all tensors there are, in canonical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.layout.iter().map(|tensor| tensor.name.as_str())
    }

    /// Names of the tensors that make images into taps: no `ln_post`, no projection.
    pub fn image_tower_names(&self) -> impl Iterator<Item = &str> {
        self.names()
            .filter(|name| name.starts_with("visual.") && !name.starts_with("visual.ln_post") && *name != "visual.proj")
    }

    /// Names of the tensors that make token vectors into text vectors. The token table isn't among them:
    /// [`Self::gather_token_embeddings`] reads the rows that are needed.
    pub fn text_tower_names(&self) -> impl Iterator<Item = &str> {
        self.names().filter(|name| !name.starts_with("visual.") && !matches!(*name, TOKEN_EMBEDDING | "logit_scale"))
    }

    /// A tensor's shape, or nothing where there is no such tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.layout.iter().find(|tensor| tensor.name == name).map(|tensor| tensor.shape.as_slice())
    }

    /// A tensor's values, converted to f32.
    ///
    /// # Errors
    /// No such tensor, or a file that changed since it was opened.
    pub fn tensor(&self, name: &str) -> Result<Tensor, WeightsError> {
        let tensor = self.layout.iter().find(|tensor| tensor.name == name).ok_or_else(|| self.missing(name))?;
        let data = match &self.values {
            Values::Files { tensors, .. } => tensors.get(name).ok_or_else(|| self.missing(name))?.values()?,
            Values::Rule { seed } => tensor.values(*seed),
        };
        Ok(Tensor { name: name.to_owned(), shape: tensor.shape.clone(), data })
    }

    /// A tensor's values in f16 where the file has them so, else in f32: half the memory where all of a tower is held.
    ///
    /// # Errors
    /// As [`Self::tensor`]; values that are NaN or infinite.
    pub fn floats(&self, name: &str) -> Result<Floats, WeightsError> {
        match &self.values {
            Values::Files { tensors, .. } => {
                let tensor = tensors.get(name).ok_or_else(|| self.missing(name))?;
                self.check(name, tensor)?;
                tensor.floats()
            }
            Values::Rule { .. } => Ok(Floats::F32(self.tensor(name)?.data)),
        }
    }

    /// Reads every value that is computed with.
    ///
    /// # Errors
    /// The first tensor with values that are NaN, infinite or so large that they overflow, or a matrix of nothing but
    /// zeros; a file that changed since it was opened.
    pub fn check_values(&self) -> Result<(), WeightsError> {
        let Values::Files { tensors, naming, prefix, .. } = &self.values else { return Ok(()) };
        tensors.iter().filter(|(name, _)| is_used(name)).try_for_each(|(name, tensor)| {
            self.check(name, tensor)?;
            let origin = self.origin.clone();
            match tensor.unfit(name)? {
                Some(found) => Err(WeightsError::NotTrained { origin, name: naming.own_name(prefix, name), found }),
                None => Ok(()),
            }
        })
    }

    fn check(&self, name: &str, tensor: &Joined) -> Result<(), WeightsError> {
        let count = tensor.count_non_finite()?;
        if count == 0 {
            return Ok(());
        }
        let Values::Files { naming, prefix, .. } = &self.values else { return Ok(()) };
        let total: usize = tensor.shape().iter().product();
        Err(WeightsError::NotFinite {
            origin: self.origin.clone(),
            name: naming.own_name(prefix, name),
            found: format!("{count} of {total} values that are NaN or infinite"),
        })
    }

    fn missing(&self, name: &str) -> WeightsError {
        WeightsError::Missing { origin: self.origin.clone(), name: name.to_owned(), expected: None }
    }

    /// Rows of the token table, `[ids, Wt]` row-major.
    ///
    /// # Errors
    /// An id that the vocabulary doesn't have (synthetic ones are often small), or a file that changed.
    pub fn gather_token_embeddings(&self, ids: &[u32]) -> Result<Vec<f32>, WeightsError> {
        let vocab = self.arch.vocab;
        let row = |id: &u32| {
            usize::try_from(*id).ok().filter(|row| *row < vocab).ok_or_else(|| WeightsError::TokenId {
                origin: self.origin.clone(),
                id: *id,
                vocab,
            })
        };
        let rows = ids.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        let width = self.arch.text_width;
        let mut gathered = Vec::with_capacity(rows.len() * width);
        match &self.values {
            Values::Files { tensors, .. } => {
                let view = tensors.get(TOKEN_EMBEDDING).and_then(|table| table.0.first());
                for row in rows {
                    view.map_or(Ok(()), |view| view.append_row(row, &mut gathered))?;
                }
            }
            Values::Rule { .. } => {
                let table = self.tensor(TOKEN_EMBEDDING)?.data;
                rows.iter().for_each(|row| gathered.extend_from_slice(&table[row * width..(row + 1) * width]));
            }
        }
        Ok(gathered)
    }
}

/// The hash of several files from their own, in order; that of one file is its own.
pub fn combine_hashes(hashes: &[String]) -> String {
    match hashes {
        [one] => one.clone(),
        several => blake3::hash(several.join("\n").as_bytes()).to_hex().to_string(),
    }
}

pub(crate) fn hash_file(file: &Mapped) -> String {
    blake3::Hasher::new().update_rayon(file.bytes()).finalize().to_hex().to_string()
}

/// Every size by name, so that neither the order of fields nor a serialisation decides ids.
fn hash_rule(arch: &Arch, seed: u64) -> String {
    let Arch { image_size, patch, width, layers, heads, embed, vocab, context, text_width, text_layers, text_heads } =
        arch;
    let text = format!(
        "synthetic CLIP 1 seed={seed} image_size={image_size} patch={patch} width={width} layers={layers} heads={heads} \
         embed={embed} vocab={vocab} context={context} text_width={text_width} text_layers={text_layers} \
         text_heads={text_heads}"
    );
    blake3::hash(text.as_bytes()).to_hex().to_string()
}
