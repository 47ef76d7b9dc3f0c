//! The formats of weights files, and how a file shows its own.

use std::fmt;

use serde::Serialize;

/// What weights are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A TorchScript archive, as OpenAI publishes.
    TorchScript,
    /// A zip file of `torch.save`.
    TorchZip,
    /// A file of `torch.save` before PyTorch 1.6.
    TorchLegacy,
    /// One safetensors file.
    Safetensors,
    /// A folder with `config.json` and one or several weight files.
    Folder,
    /// Made by rule, not read.
    Synthetic,
}

impl Kind {
    /// The format of a file by its first bytes.
    pub(crate) fn of(data: &[u8]) -> Option<Self> {
        match data {
            [b'P', b'K', 3, 4, ..] => Some(Self::TorchZip),
            [_, _, _, _, _, _, _, _, b'{', ..] => Some(Self::Safetensors),
            [0x80, 0..=5, ..] => Some(Self::TorchLegacy),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TorchScript => "TorchScript archive",
            Self::TorchZip => "torch.save file",
            Self::TorchLegacy => "torch.save file from before PyTorch 1.6",
            Self::Safetensors => "safetensors file",
            Self::Folder => "transformers folder",
            Self::Synthetic => "synthetic weights",
        })
    }
}
