//! What planning needs to know of the world, as questions: datasets, support sets, weights, backends, sentences.
//! Planning itself reads no file.

use std::fmt;
use std::path::PathBuf;

use harness_config::suggest;
use harness_method::{Arch, BackendInfo, Draw, Shots};
use harness_methods::Sentences;
use serde::{Deserialize, Serialize};

use crate::ids::ContentHash;

/// The world as a plan sees it. Answers must not change while a plan is made; each question is asked once.
pub trait Catalogue {
    /// A dataset by its name in the registry.
    ///
    /// # Errors
    /// An unknown name ([`CatalogueError::unknown`]), or a dataset that can't be read.
    fn dataset(&self, name: &str) -> Result<DatasetFacts, CatalogueError>;

    /// The support set of so many images of each class under a draw.
    ///
    /// # Errors
    /// Too few images, a missing list, a bad mask.
    fn support(&self, dataset: &str, shots: Shots, draw: Draw) -> Result<SupportFacts, CatalogueError>;

    /// Patients of a support set's images, the abnormal ones first, `None` for an image of an unknown patient; an
    /// empty list where no patient is known. Only asked for `best-on-support`, which must not split a patient between
    /// folds.
    ///
    /// # Errors
    /// As [`Catalogue::support`].
    fn patients(&self, dataset: &str, shots: Shots, draw: Draw) -> Result<Vec<Option<String>>, CatalogueError>;

    /// Whether a support set may be trained on for the test set of another dataset, `target`.
    ///
    /// # Errors
    /// An image that is in both.
    fn check_transfer(&self, dataset: &str, shots: Shots, draw: Draw, target: &str) -> Result<(), CatalogueError>;

    /// The encoder's weights.
    ///
    /// # Errors
    /// A file that is missing or does not hold a CLIP.
    fn weights(&self, encoder: &EncoderSource) -> Result<WeightsFacts, CatalogueError>;

    /// What a backend says of itself, by its name.
    ///
    /// # Errors
    /// An unknown name ([`CatalogueError::unknown`]), or a backend that can't be loaded here.
    fn backend(&self, name: &str) -> Result<BackendInfo, CatalogueError>;

    /// Whether the sentences about an object fit the tokenizer and the text tower's context. Not asked for
    /// methods without sentences. Depends only on `sentences` and `arch`.
    ///
    /// # Errors
    /// A sentence that is too long, or a name that the tokenizer can't take.
    fn check_sentences(&self, object: &str, sentences: Sentences, arch: &Arch) -> Result<(), CatalogueError>;
}

/// What is known of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetFacts {
    /// What its sentences call the thing on the images, such as `Brain`.
    pub object: String,
    /// Whether abnormal images have masks; without them only detection is trained and pixels are not scored.
    pub has_masks: bool,
    /// Images of the test set, both classes.
    pub test_images: u64,
    /// Content of the test set: images, masks, labels, order.
    pub test_hash: ContentHash,
}

/// What is known of a support set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupportFacts {
    /// Content of its images, masks and labels, in order.
    pub hash: ContentHash,
    /// The same without the order: draws with equal ones hold the same images.
    pub set: ContentHash,
    /// Drawn by a random stream that has the dataset's name in it, not named in a list.
    pub drawn: bool,
}

/// Where the encoder's weights come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EncoderSource {
    /// A weights file. Heads that aren't given are width / 64.
    File {
        /// Variables replaced, relative ones below the experiment file's folder.
        path: PathBuf,
        /// Attention heads of the image tower.
        #[serde(skip_serializing_if = "Option::is_none")]
        heads: Option<usize>,
        /// Attention heads of the text tower.
        #[serde(skip_serializing_if = "Option::is_none")]
        text_heads: Option<usize>,
    },
    /// An untrained CLIP that needs no file (docs/method.md section 5).
    Synthetic {
        /// Of its values.
        seed: u64,
        /// Of its towers.
        arch: Arch,
    },
}

/// What is known of weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightsFacts {
    /// Content of the weights; not of their heads, which are in `arch`.
    pub hash: ContentHash,
    /// The towers' sizes, heads included.
    pub arch: Arch,
}

/// A question the world can't answer: which and why, and what to do where the world knows. Planning adds the position
/// in the experiment file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueError {
    message: String,
    suggestions: Vec<String>,
}

impl CatalogueError {
    /// An error that says what, why and what to do.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), suggestions: Vec::new() }
    }

    /// No `kind` (such as "dataset") has this name; `known` are the names there are, of which the nearest is suggested.
    pub fn unknown<'a>(kind: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let message = format!("no {kind} is called `{name}`");
        if known.is_empty() {
            return Self::new(format!("{message}: there is none at all"));
        }
        match suggest::nearest(name, known.iter().copied()) {
            Some(near) => Self { message, suggestions: vec![near.to_owned()] },
            None => Self::new(format!("{message}; there are {}", suggest::list(known))),
        }
    }

    /// Adds names that may have been meant, best first.
    #[must_use]
    pub fn suggest(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.suggestions.extend(names);
        self
    }

    /// Names that may have been meant, best first.
    pub fn suggestions(&self) -> &[String] {
        &self.suggestions
    }
}

impl fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.suggestions.as_slice() {
            [] => Ok(()),
            names => write!(f, "; did you mean {}?", suggest::list(names.iter().map(String::as_str))),
        }
    }
}

impl std::error::Error for CatalogueError {}
