//! Which state predicts: that of a cell in a results folder, or one in a file with what is known of its model.

use std::path::{Path, PathBuf};

use harness_experiment::{EncoderSource, Evaluation, ImageScore, Training};
use harness_method::Arch;
use harness_records::{
    CellRecords, CellState, Detail, Failure, StateTensor, Statuses, state, state_file, state_metadata,
};
use harness_weights::{Checkpoint, Weights};
use harness_worker::open_weights;

use crate::cell_by_id::{CellChoice, named};
use crate::error::Error;

/// A state with all that is needed to predict.
#[derive(Clone, Debug)]
pub struct Model {
    /// The training it is of. Of a state from elsewhere, options, sizes and encoder are its own; the rest says nothing.
    pub(super) training: Training,
    /// What the sentences say.
    pub(super) object: String,
    /// Where the encoder's weights are.
    pub(super) encoder: EncoderSource,
    /// The state's file.
    state: PathBuf,
    /// After which epoch, where that is known.
    epoch: Option<u32>,
}

impl CellChoice {
    /// The model that the cell reports: at the epoch of an image score, its first without one.
    ///
    /// # Errors
    /// A cell that is not done, or does not report that score.
    pub fn model(&self, score: Option<ImageScore>) -> Result<Model, Error> {
        let Self { folder, plan, cell } = self;
        let records = CellRecords::read(folder, std::iter::once(cell), Detail::Metrics);
        let result = match records.cell(cell) {
            CellState::Done(result) => result,
            CellState::Unreadable(why) => {
                let what = format!("cell {}: {why}; running its experiment again makes the record again", named(cell));
                return Err(Error::Unusable { what });
            }
            CellState::Missing => {
                let statuses = Statuses::read(plan, folder)?;
                let why = statuses.failure(cell).map(|Failure { class, message }| format!(": {class}: {message}"));
                let why = why.unwrap_or_default();
                let what = format!("cell {} is not done{why}; run its experiment again", named(cell));
                return Err(Error::Unusable { what });
            }
        };
        let training = plan.trainings.iter().find(|training| training.id == cell.training);
        let Some(training) = training else {
            return Err(Error::record(&folder.path().join("plan.toml"), "a cell without its training"));
        };
        let epoch = match score {
            None => result.epochs.first(),
            Some(score) => result.epochs.iter().find(|(reported, _)| *reported == score),
        };
        let Some((_, epoch)) = epoch else {
            let scores: Vec<&str> = result.epochs.iter().map(|(score, _)| score.name()).collect();
            let what =
                format!("cell {} does not report this image score; it reports {}", named(cell), scores.join(", "));
            return Err(Error::Unusable { what });
        };
        let state = state_file(&folder.training(cell.training), *epoch);
        if !state.is_file() {
            return Err(Error::record(
                &state,
                "the state is missing; run its experiment again (harness run FILE), which makes it again",
            ));
        }
        let evaluation = &result.evaluated.record.evaluation;
        Ok(Model {
            // Scored as the cell was.
            training: Training { options: evaluation.options_of(training).clone(), ..training.clone() },
            object: evaluation.object.clone(),
            encoder: plan.encoder.source.clone(),
            state,
            epoch: Some(*epoch),
        })
    }
}

impl Model {
    /// A state in a file that says itself which model it is of. `None` where it does not: a checkpoint of the authors,
    /// or a state of an early version.
    ///
    /// # Errors
    /// A file that can't be read; metadata that are wrong.
    pub fn of_described(path: &Path, encoder: &EncoderSource) -> Result<Option<Self>, Error> {
        if is_pickle(path)? {
            return Ok(None);
        }
        let Some(described) = state_metadata::read(path)? else { return Ok(None) };
        let training = described.training;
        let encoder = with_heads(encoder.clone(), &training);
        Ok(Some(Self {
            object: training.object.clone(),
            epoch: Some(described.epoch),
            training,
            encoder,
            state: path.to_owned(),
        }))
    }

    /// A state in a file that does not say its model, taken as one of this training's.
    pub fn of_silent(path: &Path, training: &Training, encoder: &EncoderSource) -> Self {
        Self {
            training: training.clone(),
            object: training.object.clone(),
            encoder: encoder.clone(),
            state: path.to_owned(),
            epoch: None,
        }
    }

    /// The same with the encoder's weights elsewhere.
    #[must_use]
    pub fn with_weights(mut self, path: &Path) -> Self {
        let source = EncoderSource::File { path: path.to_owned(), heads: None, text_heads: None };
        self.encoder = with_heads(source, &self.training);
        self
    }

    /// The same on another backend, which must be there.
    #[must_use]
    pub fn on_backend(mut self, backend: harness_experiment::Backend) -> Self {
        self.training.backend = backend;
        self
    }

    /// The same, scored as an evaluation says: with its options where it is of the same training, and with sentences
    /// about its object where nothing else says about what.
    #[must_use]
    pub fn scored_as(mut self, evaluation: &Evaluation) -> Self {
        if evaluation.training == self.training.id {
            self.training.options = evaluation.options_of(&self.training).clone();
        }
        if self.lacks_object() {
            evaluation.object.clone_into(&mut self.object);
        }
        self
    }

    /// Whether it has sentences and nothing says about what, as a state of a method that learns nothing is of no
    /// object.
    pub fn lacks_object(&self) -> bool {
        self.object.is_empty() && self.training.options.names_objects()
    }

    /// The training it is of.
    pub fn training(&self) -> &Training {
        &self.training
    }

    /// After which epoch, where that is known.
    pub fn epoch(&self) -> Option<u32> {
        self.epoch
    }

    /// Refuses weights that are not those it was trained with.
    ///
    /// # Errors
    /// Weights that can't be read, or others.
    pub fn check_weights(&self) -> Result<(), Error> {
        let weights = open_weights(&self.encoder)?;
        if weights.hash() != self.training.weights.to_string() {
            let files: Vec<String> = weights.files().iter().map(|file| file.display().to_string()).collect();
            let what = format!(
                "{}: these weights have hash {}, the state was trained on {}",
                files.join(", "),
                weights.hash(),
                self.training.weights
            );
            return Err(Error::Unusable { what });
        }
        Ok(())
    }

    /// A file that workers read: the state's own, or one in `folder` made of a checkpoint.
    pub(super) fn state_file(&self, folder: &Path) -> Result<PathBuf, Error> {
        if !is_pickle(&self.state)? {
            return Ok(self.state.clone());
        }
        let path = folder.join("state.safetensors");
        let checkpoint = Checkpoint::open(&self.state)?;
        let state = checkpoint_state(&checkpoint, &self.training, &open_weights(&self.encoder)?)?;
        state::write(&state, &[], &path)?;
        Ok(path)
    }
}

/// The state of a checkpoint, under the encoder that it was trained with.
fn checkpoint_state(
    checkpoint: &Checkpoint,
    training: &Training,
    weights: &Weights,
) -> Result<Vec<StateTensor>, Error> {
    let Some(options) = training.options.madclip() else {
        let what = format!("a checkpoint of MadCLIP's authors is no state of the method `{}`", training.method);
        return Err(Error::Unusable { what });
    };
    let state = checkpoint.state(options, &training.arch)?;
    checkpoint.check_text_tower(weights)?;
    Ok(state
        .into_iter()
        .map(|tensor| StateTensor { name: tensor.name, shape: tensor.shape, values: tensor.data })
        .collect())
}

/// Heads are the training's, whatever the file suggests.
fn with_heads(source: EncoderSource, training: &Training) -> EncoderSource {
    match source {
        EncoderSource::File { path, .. } => {
            let Arch { heads, text_heads, .. } = training.arch;
            EncoderSource::File { path, heads: Some(heads), text_heads: Some(text_heads) }
        }
        synthetic => synthetic,
    }
}

/// Whether a file is one of torch.save, by its first bytes; a safetensors file's header begins at the ninth.
fn is_pickle(path: &Path) -> Result<bool, Error> {
    use std::io::Read;
    let mut start = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(9).read_to_end(&mut start))
        .map_err(Error::file("read the state", path))?;
    Ok(match start.as_slice() {
        [b'P', b'K', 3, 4, ..] => true,
        [_, _, _, _, _, _, _, _, b'{'] => false,
        [0x80, ..] => true,
        _ => false,
    })
}
