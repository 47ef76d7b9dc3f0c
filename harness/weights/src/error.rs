//! What can be wrong with weights. Every message names the file and the tensor, and says what to do where that isn't
//! plain.

use std::path::PathBuf;

use thiserror::Error;

/// Why weights can't be read or written.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// No known format.
    #[error(
        "{}: not a weights file ({found}); known formats are OpenAI's TorchScript archive, torch.save's files, safetensors and a \
         transformers folder", path.display()
    )]
    Unrecognised {
        /// File or folder.
        path: PathBuf,
        /// What is there instead.
        found: String,
    },
    /// A known format that contradicts itself, mostly because the end is missing.
    #[error("{}: damaged or cut short: {what}; fetch the file again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it breaks.
        what: String,
    },
    /// A pickle that names code outside the list of what tensors need.
    #[error(
        "{}: its pickle would run `{global}`; nothing was run. Only tensors, numbers, texts and plain containers are read: \
         save the state dict alone, or as safetensors", path.display()
    )]
    Forbidden {
        /// The file.
        path: PathBuf,
        /// Module and name.
        global: String,
    },
    /// A module saved whole, with its class, instead of its state dict.
    #[error(
        "{}: a whole module was saved (`torch.save(model, ...)`), whose class `{class}` would have to be run; nothing was run. \
         Save `model.state_dict()` instead, or as safetensors", path.display()
    )]
    WholeModule {
        /// The file.
        path: PathBuf,
        /// Module and name of the class.
        class: String,
    },
    /// A legal file that uses something not read here.
    #[error("{}: {what}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What, and what to do.
        what: String,
    },
    /// Tensors, but not those of a CLIP of the kind docs/method.md section 1 describes.
    #[error("{origin}: not a CLIP with a vision transformer: {what}")]
    NotClip {
        /// Where the weights come from.
        origin: String,
        /// What speaks against it.
        what: String,
    },
    /// Tensors of another kind of encoder, or with parts that are not read though its results depend on them.
    #[error("{origin}: {what}")]
    OtherEncoder {
        /// Where the weights come from.
        origin: String,
        /// What it is, and what to do.
        what: String,
    },
    /// A tensor with values that are NaN or infinite.
    #[error(
        "{origin}: tensor `{name}` holds {found}; every result would be wrong: fetch the file again, or use weights of an \
         earlier step of their training"
    )]
    NotFinite {
        /// Where the weights come from.
        origin: String,
        /// The file's own name of the tensor.
        name: String,
        /// What it holds, such as "3 values that are NaN or infinite".
        found: String,
    },
    /// A tensor whose values can't be those of a trained encoder.
    #[error(
        "{origin}: tensor `{name}` holds {found}; no trained encoder has that: fetch the file again, or look how it was written"
    )]
    NotTrained {
        /// Where the weights come from.
        origin: String,
        /// The file's own name of the tensor.
        name: String,
        /// What it holds, such as "nothing but zeros".
        found: String,
    },
    /// A tensor that the architecture has and the weights don't.
    #[error("{origin}: tensor `{name}` is missing{}", expected.as_ref().map_or(String::new(), |s| format!(" (expected shape {s:?})")))]
    Missing {
        /// Where the weights come from.
        origin: String,
        /// The file's own name.
        name: String,
        /// The shape it should have, where that is known.
        expected: Option<Vec<usize>>,
    },
    /// A tensor of another shape than the architecture implies.
    #[error("{origin}: tensor `{name}` has shape {found:?}, the architecture implies {expected:?}")]
    Misshapen {
        /// Where the weights come from.
        origin: String,
        /// OpenAI's name.
        name: String,
        /// The shape it should have.
        expected: Vec<usize>,
        /// The shape it has.
        found: Vec<usize>,
    },
    /// A tensor of other elements than floating-point numbers.
    #[error("{origin}: tensor `{name}` holds {found}, not floating-point numbers")]
    NotFloat {
        /// Where the weights come from.
        origin: String,
        /// The tensor.
        name: String,
        /// Its element type.
        found: String,
    },
    /// An impossible architecture.
    #[error("{origin}: {what}")]
    Arch {
        /// Where the weights come from.
        origin: String,
        /// What is wrong with it.
        what: String,
    },
    /// A token the vocabulary doesn't have.
    #[error(
        "{origin}: token {id} is outside the vocabulary of {vocab} entries; sentences need CLIP's 49,408 (free prompts need none)"
    )]
    TokenId {
        /// Where the weights come from.
        origin: String,
        /// The token's id.
        id: u32,
        /// Rows of `token_embedding.weight`.
        vocab: usize,
    },
    /// The file changed after it was opened.
    #[error("{}: changed while it was in use; keep weights still during a run", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A finite value that has no finite half-precision counterpart.
    #[error("{}: tensor `{name}` has {value}, beyond half precision; write f32", path.display())]
    Overflow {
        /// The file being written.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The value.
        value: f32,
    },
    /// Values that don't fit the layout they were announced with.
    #[error("{}: tensor `{name}` came with {found} values, its shape has {expected}", path.display())]
    Length {
        /// The file being written.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Elements of its shape.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// A file of torch.save other than a checkpoint of MadCLIP's authors.
    #[error(
        "{}: not a trained state: it has no tensors `normal_det_adapters...`, as a checkpoint of MadCLIP's authors has; \
         `harness weights inspect` shows what it is", path.display()
    )]
    NotCheckpoint {
        /// The file.
        path: PathBuf,
    },
    /// A trainable tensor without a counterpart in the authors' code.
    #[error(
        "{origin}: the authors' code has no counterpart of `{name}`, so none of their checkpoints fits these options; this one fits {fits}"
    )]
    NoCounterpart {
        /// The checkpoint.
        origin: String,
        /// The tensor.
        name: String,
        /// Options that it fits.
        fits: String,
    },
    /// A checkpoint of the authors that does not fit the options.
    #[error("{origin}: it does not fit the options: {}it fits {fits}", lists(missing, misshapen, extra))]
    Unfit {
        /// The checkpoint.
        origin: String,
        /// The authors' names of tensors that the options need and the file lacks.
        missing: Vec<String>,
        /// The authors' names of tensors of another shape, with both shapes.
        misshapen: Vec<String>,
        /// Tensors of the file that the options don't use.
        extra: Vec<String>,
        /// Options that it fits.
        fits: String,
    },
    /// A checkpoint of the authors that was trained with another encoder.
    #[error(
        "{origin}: it was trained with another encoder: its copy of the text tower's `{name}`: {what}; use the weights it was trained with"
    )]
    TextTower {
        /// The checkpoint.
        origin: String,
        /// OpenAI's name of the tensor.
        name: String,
        /// How the two differ.
        what: String,
    },
}

/// What is wrong, a few names of each kind.
fn lists(missing: &[String], misshapen: &[String], extra: &[String]) -> String {
    const NAMED: usize = 4;
    let list = |kind: &str, names: &[String]| match names.len() {
        0 => String::new(),
        count => {
            let more = if count > NAMED { format!(" and {} more", count - NAMED) } else { String::new() };
            format!("{kind}: {}{more}; ", names[..count.min(NAMED)].join(", "))
        }
    };
    list("missing", missing) + &list("misshapen", misshapen) + &list("left over", extra)
}
