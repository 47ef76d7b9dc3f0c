//! A plan: what will be computed, every value present and checked, every id known.

use std::collections::BTreeSet;

use harness_method::declaring::Stage;
use harness_method::{Arch, Backend, Draw, ImageScore, Precision, Selection, Shots, Side, StorePrecision};
use harness_methods::{Method, MethodOptions, Schedule, Sees, Support as SupportSizes};
use serde::{Deserialize, Serialize};

use crate::catalogue::{DatasetFacts, EncoderSource};
use crate::epochs::EpochRange;
use crate::error::Error;
use crate::folds::Fold;
use crate::ids::{CellId, ContentHash, EvaluationId, TrainingId, identify};
use crate::printing::Printing;
use crate::rules::{Axes, Rules};
use crate::spec::TransferObject;

/// Largest number of cells of one experiment.
pub const MAX_CELLS: u64 = 100_000;

/// An experiment, checked and complete.
///
/// Serde reads and writes what decides the records, without them: [`Plan::to_toml`] and [`Plan::from_toml`] are the
/// whole plan's form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The experiment's name, safe as a folder's.
    pub name: String,
    /// It only tests that everything runs: tables say so.
    pub smoke: bool,
    /// Every K or pair, in the file's order.
    pub shots: Vec<Shots>,
    /// Every draw, in the file's order.
    pub draws: Vec<Draw>,
    /// Every seed, in the file's order.
    pub seeds: Vec<u64>,
    /// Every selection rule, in the file's order.
    pub selection: Vec<Selection>,
    /// The image scores that cells report where they can have them, in the file's order.
    #[serde(default = "all_scores", skip_serializing_if = "are_all_scores")]
    pub image_scores: Vec<ImageScore>,
    /// What sentences about a target say (docs/method.md section 8).
    #[serde(default, skip_serializing_if = "TransferObject::is_default")]
    pub transfer_object: TransferObject,
    /// How its report is printed.
    #[serde(default, skip_serializing_if = "Printing::is_default")]
    pub report: Printing,
    /// What a reader should know of how this plan came about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What makes its numbers say less than they seem to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The encoder that every cell shares.
    pub encoder: Encoder,
    /// The training settings that every cell shares.
    pub train: Train,
    /// In the file's order.
    pub backends: Vec<Backend>,
    /// What is trained on, in the file's order.
    pub datasets: Vec<Dataset>,
    /// Whose test sets are scored, in the file's order; empty: each dataset's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Dataset>,
    /// Which cells of the product of the axes take part.
    #[serde(default, skip_serializing_if = "Rules::is_empty")]
    pub rules: Rules,
    /// Support sets: datasets, then shots, then draws in the file's order.
    pub supports: Vec<Support>,
    /// In the file's order, `base` first where it is included.
    pub variants: Vec<Variant>,
    /// Each once, in the order of the first cell that needs it.
    #[serde(skip)]
    pub trainings: Vec<Training>,
    /// Each once, in the order of the first cell that needs it.
    #[serde(skip)]
    pub evaluations: Vec<Evaluation>,
    /// Variant by variant, then dataset, target, shots, draw, seed, backend and selection, each in the file's order.
    #[serde(skip)]
    pub cells: Vec<Cell>,
}

impl Plan {
    /// Cells of the whole product of the axes, before rules.
    pub fn product(&self) -> u64 {
        self.axes().size()
    }

    /// Every method of its variants, each once.
    pub fn methods(&self) -> Vec<Method> {
        let mut methods: Vec<Method> = self.variants.iter().map(|variant| variant.options.method()).collect();
        methods.sort_unstable();
        methods.dedup();
        methods
    }

    /// States of a variant's trainings: one for each epoch, or one alone where nothing is trained.
    pub fn states(&self, variant: &Variant) -> u32 {
        self.schedule(variant).map_or(1, |schedule| schedule.epochs)
    }

    /// How a variant is trained, by its method's own schedule or the experiment's; `None` where nothing is trained by
    /// steps.
    pub fn schedule(&self, variant: &Variant) -> Option<Schedule> {
        self.train.schedule(&variant.options, self.smoke)
    }

    /// Names of the variants with one state alone: no rule has anything to choose from, and all report the same
    /// numbers.
    pub fn without_choice(&self) -> BTreeSet<&str> {
        let single = self.variants.iter().filter(|variant| self.states(variant) == 1);
        single.map(|variant| variant.name.as_str()).collect()
    }

    /// Whether no rule has anything to choose from, so that all of them read one evaluation and no fold is trained.
    pub(crate) fn has_no_choice(&self, variant: &Variant) -> bool {
        self.train.has_no_choice(&variant.options, self.smoke)
    }

    /// Names of the variants that see no support set: one number stands for every K and draw.
    pub fn without_support(&self) -> BTreeSet<&str> {
        let blind = self.variants.iter().filter(|variant| variant.options.sees() == Sees::Nothing);
        blind.map(|variant| variant.name.as_str()).collect()
    }

    pub(crate) fn axes(&self) -> Axes<'_> {
        Axes {
            variants: self.variants.iter().map(|variant| variant.name.as_str()).collect(),
            datasets: self.datasets.iter().map(|dataset| dataset.name.as_str()).collect(),
            targets: self.targets.iter().map(|target| target.name.as_str()).collect(),
            shots: self.shots.clone(),
            draws: self.draws.clone(),
            seeds: self.seeds.clone(),
            backends: self.backends.iter().map(|backend| backend.name.as_str()).collect(),
            selection: self.selection.clone(),
        }
    }
}

pub(crate) fn all_scores() -> Vec<ImageScore> {
    ImageScore::ALL.to_vec()
}

fn are_all_scores(scores: &[ImageScore]) -> bool {
    scores == ImageScore::ALL
}

/// The encoder and how it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoder {
    /// Type it computes in.
    #[serde(default)]
    pub precision: Precision,
    /// Type its taps are stored in.
    #[serde(default)]
    pub store: StorePrecision,
    /// Content of its weights.
    pub weights: ContentHash,
    /// Where they are; not part of ids.
    pub source: EncoderSource,
    /// The towers' sizes.
    pub arch: Arch,
}

/// How every training runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Train {
    /// Epochs, at least 1.
    pub epochs: u32,
    /// Augmented images a step, at least 1.
    pub batch: u32,
    /// Adam's, positive and finite.
    pub learning_rate: f64,
}

impl Train {
    /// How a model is trained; `None` where nothing is trained by steps.
    fn schedule(&self, options: &MethodOptions, smoke: bool) -> Option<Schedule> {
        let &Self { epochs, batch, learning_rate } = self;
        match options.schedule() {
            _ if !options.is_trained() => None,
            // A plan that was made small is for all methods.
            Some(own) if smoke => Some(Schedule { epochs: own.epochs.min(epochs), batch: own.batch.max(batch), ..own }),
            own => own.or(Some(Schedule { epochs, batch, learning_rate })),
        }
    }

    /// Whether a model has one state, so that no rule has anything to choose from. MadCLIP of a single epoch is planned
    /// as that of several is, since ids of such plans are in use.
    pub(crate) fn has_no_choice(&self, options: &MethodOptions, smoke: bool) -> bool {
        let states = self.schedule(options, smoke).map_or(1, |schedule| schedule.epochs);
        states == 1 && options.method() != Method::Madclip
    }
}

/// A named, complete set of options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// `base`, or the name in the file.
    pub name: String,
    /// What it is called in print, where that is not its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What it started from.
    pub preset: String,
    /// What it came to.
    pub options: MethodOptions,
}

/// A dataset that takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// In the registry.
    pub name: String,
    /// What is known of it.
    #[serde(flatten)]
    pub facts: DatasetFacts,
}

/// A support set that takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Support {
    /// The dataset it is from.
    pub dataset: String,
    /// Its images of each class.
    pub shots: Shots,
    /// The draw.
    pub draw: Draw,
    /// Its content.
    pub hash: ContentHash,
    /// Content of its normal images alone, where it has others too and something learns from normal ones alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normal: Option<ContentHash>,
    /// The draw before it, in the file's order, that holds the same images in another order. A cell of this draw is
    /// left out where the same cell of that one, or of another draw between with these images, takes part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Draw>,
    /// Its folds, where `best-on-support` is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folds: Vec<Fold>,
}

/// A training, complete by itself: what decides its result, and where its support set is found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Hash of all fields but `dataset`, `shots` and `draw`.
    pub id: TrainingId,
    /// The method whose options they are.
    #[serde(default)]
    pub method: Method,
    /// [`Method::version`] when it was planned.
    pub method_version: u32,
    /// A dataset that holds the support set. Not part of the id: the images themselves are.
    pub dataset: String,
    /// Images of each class that the method sees of that support set.
    pub shots: Shots,
    /// Its draw.
    pub draw: Draw,
    /// Content of what the method sees of the support set; `None` where it sees nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<ContentHash>,
    /// What the sentences say while it learns; empty where there are none, or nothing is learned.
    pub object: String,
    /// Whether masks are learned from.
    pub has_masks: bool,
    /// Seed of initial values, jitter and order.
    pub seed: u64,
    /// Epochs.
    pub epochs: u32,
    /// Augmented images a step.
    pub batch: u32,
    /// Adam's.
    pub learning_rate: f64,
    /// Type the encoder computes in.
    #[serde(default)]
    pub precision: Precision,
    /// Type its taps are stored in.
    #[serde(default)]
    pub store: StorePrecision,
    /// Content of the weights.
    pub weights: ContentHash,
    /// Name, version and kind of device.
    pub backend: Backend,
    /// The towers' sizes.
    pub arch: Arch,
    /// The model. What decides evaluations alone has its default.
    pub options: MethodOptions,
    /// Held out from it, to choose an epoch by: its images take no part, and the order of the others has its own
    /// stream. `None`: the whole support set is trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<Fold>,
}

/// What decides a training. `O` is the form of its options: those that decide the id, or all of them for a reader. What
/// has a default is left out where it has it; a part that is added later must have one, and be left out too.
#[derive(Serialize)]
struct TrainingKey<'a, O> {
    method: Method,
    method_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    support: &'a Option<ContentHash>,
    object: &'a str,
    has_masks: bool,
    seed: u64,
    epochs: u32,
    batch: u32,
    learning_rate_bits: u64,
    #[serde(skip_serializing_if = "is_default")]
    precision: Precision,
    #[serde(skip_serializing_if = "is_default")]
    store: StorePrecision,
    weights: &'a ContentHash,
    backend: &'a Backend,
    arch: &'a Arch,
    options: O,
    #[serde(skip_serializing_if = "Option::is_none")]
    fold: &'a Option<Fold>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Training {
    /// Support images that it learns from.
    pub fn supports(&self) -> u64 {
        let held_out = self.fold.as_ref().map_or(0, |fold| fold.held_out.len() as u64);
        self.shots.images().saturating_sub(held_out)
    }

    /// Images that it learns from: where it is trained, the augmented variants of each support image.
    pub fn images(&self) -> u64 {
        self.supports() * self.options.variants().count() as u64
    }

    /// The sizes of its support set, as its tensors depend on them.
    pub fn support_sizes(&self) -> SupportSizes<'_> {
        let held_out = self.fold.as_ref().map_or(&[][..], |fold| &fold.held_out);
        let abnormal = held_out.iter().filter(|&&index| index < self.shots.abnormal).count();
        let of = |side: Side, held_out: usize| (self.shots.of(side) as usize).saturating_sub(held_out);
        SupportSizes {
            arch: &self.arch,
            normal: of(Side::Normal, held_out.len() - abnormal),
            abnormal: of(Side::Abnormal, abnormal),
            has_masks: self.has_masks,
        }
    }

    /// Steps of all its epochs.
    pub fn steps(&self) -> u64 {
        if !self.options.is_trained() {
            return 0;
        }
        self.images().div_ceil(u64::from(self.batch).max(1)) * u64::from(self.epochs)
    }

    /// The stream that shuffles an epoch (docs/method.md sections 5 and 8).
    pub fn shuffle_stream(&self, epoch: u32) -> String {
        match &self.fold {
            None => format!("shuffle.{epoch}"),
            Some(fold) => format!("shuffle.fold{}.{epoch}", fold.number),
        }
    }

    /// The id its fields come to.
    ///
    /// # Errors
    /// `Encode`, a mistake of this program.
    pub fn identity(&self) -> Result<TrainingId, Error> {
        identify("training", &self.key(self.options.decisive(Stage::Training))).map(TrainingId::from_bytes)
    }

    /// All that decides the id, as a tree of values for a reader: every option is in it, those without effect at their
    /// default.
    ///
    /// # Errors
    /// `Encode`, a mistake of this program.
    pub fn decided_by(&self) -> Result<serde_json::Value, Error> {
        tree("training", &self.key(self.options.deciding(Stage::Training)))
    }

    fn key<O: Serialize>(&self, options: O) -> TrainingKey<'_, O> {
        // Names every field: a new one does not compile until it is known whether it decides the result.
        let Self {
            id: _,
            dataset: _,
            shots: _,
            draw: _,
            method,
            method_version,
            support,
            object,
            has_masks,
            seed,
            epochs,
            batch,
            learning_rate,
            precision,
            store,
            weights,
            backend,
            arch,
            options: _,
            fold,
        } = self;
        TrainingKey {
            method: *method,
            method_version: *method_version,
            support,
            object,
            has_masks: *has_masks,
            seed: *seed,
            epochs: *epochs,
            batch: *batch,
            learning_rate_bits: learning_rate.to_bits(),
            precision: *precision,
            store: *store,
            weights,
            backend,
            arch,
            options,
            fold,
        }
    }
}

fn tree(what: &'static str, key: &impl Serialize) -> Result<serde_json::Value, Error> {
    serde_json::to_value(key).map_err(|error| Error::Encode { what, why: error.to_string() })
}

/// An evaluation, complete by itself: predictions of a training's states on a test set, or on a fold's images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Hash of all fields but `dataset` and `test_images`.
    pub id: EvaluationId,
    /// The training whose states are scored.
    pub training: TrainingId,
    /// A dataset that holds the images. Not part of the id: the images themselves are.
    pub dataset: String,
    /// Images scored.
    pub test_images: u64,
    /// Content of the test set, or of the support set of a fold.
    pub test: ContentHash,
    /// What the sentences say; empty where there are none.
    pub object: String,
    /// Images scored together; decides scores where they depend on their batch (docs/method.md section 8).
    pub batch: u32,
    /// The states that are scored, or may be.
    pub epochs: EpochRange,
    /// The images that the training's fold holds out are scored, unaugmented and in the fold's order, instead of a test
    /// set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_fold: bool,
    /// Evaluations by whose metrics an epoch is chosen, one for each image score: only the chosen ones of `epochs` are
    /// scored here. Empty: all are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chosen_by: Vec<EvaluationId>,
    /// The model's options, where one that decides evaluations has another value than its default; else those of the
    /// training hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<MethodOptions>,
}

/// What decides an evaluation. `O` is as in [`TrainingKey`], of the options that decide no training.
#[derive(Serialize)]
struct EvaluationKey<'a, O> {
    training: &'a TrainingId,
    test: &'a ContentHash,
    object: &'a str,
    batch: u32,
    epochs: EpochRange,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    on_fold: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    chosen_by: &'a [EvaluationId],
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<O>,
}

impl Evaluation {
    /// States that are scored at most, for this many image scores that may each choose one.
    pub fn scored_epochs(&self, image_scores: usize) -> u64 {
        let all = self.epochs.count();
        if self.chosen_by.is_empty() { all } else { all.min(image_scores as u64) }
    }

    /// The model's options as scores are made by them; `training` is its training.
    pub fn options_of<'a>(&'a self, training: &'a Training) -> &'a MethodOptions {
        self.options.as_ref().unwrap_or(&training.options)
    }

    /// The id its fields come to.
    ///
    /// # Errors
    /// `Encode`, a mistake of this program.
    pub fn identity(&self) -> Result<EvaluationId, Error> {
        let options = self.options.as_ref().map(|options| options.decisive(Stage::Evaluation));
        identify("evaluation", &self.key(options)).map(EvaluationId::from_bytes)
    }

    /// All that decides the id, as a tree of values for a reader; `training` is its training.
    ///
    /// # Errors
    /// `Encode`, a mistake of this program.
    pub fn decided_by(&self, training: &Training) -> Result<serde_json::Value, Error> {
        tree("evaluation", &self.key(Some(self.options_of(training).deciding(Stage::Evaluation))))
    }

    fn key<O: Serialize>(&self, of_scores: Option<O>) -> EvaluationKey<'_, O> {
        // Names every field, as the key of a training does.
        let Self {
            id: _,
            dataset: _,
            test_images: _,
            training,
            test,
            object,
            batch,
            epochs,
            on_fold,
            chosen_by,
            options: _,
        } = self;
        let (batch, epochs, on_fold) = (*batch, *epochs, *on_fold);
        EvaluationKey { training, test, object, batch, epochs, on_fold, chosen_by, options: of_scores }
    }
}

/// A row of the experiment: one choice on every axis, and the records it reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Hash of training, evaluation and selection; rows of equal variants share it.
    pub id: CellId,
    /// Name of the variant.
    pub variant: String,
    /// Name of the dataset whose test set is scored.
    pub dataset: String,
    /// Name of the dataset that was trained on; another one in a transfer.
    pub trained_on: String,
    /// Images of each class in its support set.
    pub shots: Shots,
    /// The draw.
    pub draw: Draw,
    /// Seed.
    pub seed: u64,
    /// Name of the backend.
    pub backend: String,
    /// How the epoch is chosen.
    pub selection: Selection,
    /// The training it reads.
    pub training: TrainingId,
    /// The evaluation it reads.
    pub evaluation: EvaluationId,
    /// Evaluations by whose metrics its epoch is chosen: none for `last`; for `best-on-test` that of the source's test
    /// set, in a transfer another than `evaluation`; for `best-on-support` one for each fold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chosen_by: Vec<EvaluationId>,
    /// The image scores it reports. Never `map-max` where the segmentation heads are untrained.
    pub image_scores: Vec<ImageScore>,
    /// Whether it reports pixel metrics: segmentation heads are trained, and the test set has masks.
    pub pixel_metrics: bool,
}

/// What decides a cell's numbers.
#[derive(Serialize)]
struct CellKey<'a> {
    training: &'a TrainingId,
    evaluation: &'a EvaluationId,
    selection: Selection,
}

impl Cell {
    /// The id its fields come to.
    ///
    /// # Errors
    /// `Encode`, a mistake of this program.
    pub fn identity(&self) -> Result<CellId, Error> {
        let key = CellKey { training: &self.training, evaluation: &self.evaluation, selection: self.selection };
        identify("cell", &key).map(CellId::from_bytes)
    }
}
