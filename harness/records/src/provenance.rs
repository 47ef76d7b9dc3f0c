//! `run.toml`: how a results folder was last written to.

use std::path::{Path, PathBuf};

use harness_data::Registry;
use harness_data::phantom::PhantomSpec;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::format::Stored;
use crate::registry;

/// `run.toml`: what was there when the folder was last written to. Not part of any id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Of this file.
    pub format: u32,
    /// Version of the program.
    pub harness: String,
    /// Widest vector instructions of the CPU: results are promised equal for the same binary and level.
    pub cpu_level: String,
    /// Threads the workers were given; 0 is the machine's.
    pub threads: usize,
    /// The command line, as a shell would take it again; empty where an earlier version wrote the file.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// The experiment file.
    pub experiment: PathBuf,
    /// The dataset registry.
    pub registry: PathBuf,
    /// Support and test images were allowed to overlap.
    pub allow_overlap: bool,
    /// What was generated in place of every dataset's own images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<PhantomSpec>,
    /// The results folder, as an absolute path; absent in files of versions that did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// What a reader of the numbers should know of the data, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_notes: Vec<String>,
}

impl Stored for Provenance {
    const FORMAT: u32 = 1;

    fn parse(format: u32, text: &str) -> Option<Result<Self, toml::de::Error>> {
        match format {
            1 => Some(toml::from_str(text)),
            _ => None,
        }
    }
}

impl Provenance {
    /// How a run of this process is done.
    pub fn new(experiment: &Path, registry: &Path, threads: Option<usize>, allow_overlap: bool) -> Self {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self {
            format: Self::FORMAT,
            harness: env!("CARGO_PKG_VERSION").to_owned(),
            cpu_level: cpu_level().to_owned(),
            threads: threads.unwrap_or(0),
            command: String::new(),
            experiment: absolute(experiment),
            registry: absolute(registry),
            allow_overlap,
            generated: None,
            folder: None,
            data_notes: Vec::new(),
        }
    }

    /// The registry as the run saw it, or another file in its place.
    ///
    /// # Errors
    /// A registry that can't be read or is wrong.
    pub fn registry(&self, asked: Option<&Path>) -> Result<Registry, Error> {
        registry::load(asked.unwrap_or(&self.registry), self.generated)
    }
}

/// Widest vector instructions that kernels choose by.
pub(crate) fn cpu_level() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            return "x86-64 avx512";
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            return "x86-64 avx2";
        }
    }
    std::env::consts::ARCH
}
