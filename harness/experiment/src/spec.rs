//! An experiment as typed: every value has its type and its place, none is checked against another or the world. That
//! is `planner`.

use std::fmt;
use std::path::Path;

use harness_method::Arch;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::encoder::{Precision, StorePrecision};
use crate::error::Error;
use crate::overrides::Overrides;
use crate::presets::Preset;
use crate::rules::RuleSpec;
use harness_config::{Findings, Homes, Source, Table};

harness_config::choices!(ImageScore, Precision, Preset, Selection, StorePrecision, TransferObject);

/// Where the keys of an experiment file belong.
const HOMES: Homes = &[
    (
        "at the top of the file, above the first [table]",
        &[
            "name",
            "datasets",
            "targets",
            "shots",
            "draws",
            "seeds",
            "backends",
            "selection",
            "image_scores",
            "transfer_object",
            "smoke",
            "include_base",
        ],
    ),
    ("in [encoder]", &["weights", "seed", "heads", "text_heads", "precision", "store", "arch", "image_size", "taps"]),
    ("in [train]", &["epochs", "batch", "learning_rate"]),
    (
        "in [base] or a variant",
        &[
            "preset",
            "activation",
            "normalize",
            "branches",
            "dual_objective",
            "adapter",
            "adapter_attention",
            "prompts",
            "prompt_positions",
            "prompt_mask",
            "context_tokens",
            "loss",
            "aggregation",
        ],
    ),
];

/// How the epoch that is reported is chosen (docs/method.md section 8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// The last epoch.
    #[default]
    Last,
    /// The epoch that is best on the test set, as the authors do: optimistic by construction.
    BestOnTest,
    /// The epoch that is best by cross-validation inside the support set.
    BestOnSupport,
}

impl Selection {
    /// All rules.
    pub const ALL: [Self; 3] = [Self::Last, Self::BestOnTest, Self::BestOnSupport];

    /// The name in experiment files, ids and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::BestOnTest => "best-on-test",
            Self::BestOnSupport => "best-on-support",
        }
    }
}

/// How an image's score is made (docs/method.md section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageScore {
    /// The largest value of the anomaly map; the paper's for datasets with masks.
    MapMax,
    /// The detection heads' score; the paper's for datasets without masks.
    Detection,
}

impl ImageScore {
    /// Both, in the order of tables.
    pub const ALL: [Self; 2] = [Self::MapMax, Self::Detection];

    /// The name in experiment files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::MapMax => "map-max",
            Self::Detection => "detection",
        }
    }

    pub(crate) fn all() -> Vec<Self> {
        Self::ALL.to_vec()
    }

    pub(crate) fn are_all(scores: &[Self]) -> bool {
        scores == Self::ALL
    }
}

impl fmt::Display for ImageScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whose object's name sentences have when a model is scored on another dataset than it was trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferObject {
    /// That of the dataset it is scored on.
    #[default]
    Target,
    /// That of the dataset it was trained on.
    Source,
}

impl TransferObject {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An experiment file that is TOML. Values of a wrong type and unknown keys are remembered, so that
/// [`Spec::plan`] can tell them together with everything else.
#[derive(Clone, Debug)]
pub struct Spec {
    pub(crate) source: Source,
    pub(crate) findings: Findings,
    pub(crate) typed: Typed,
    /// What was done to it since it was typed.
    pub(crate) notes: Vec<String>,
}

/// The values. `None` is absent or, with a finding, unreadable.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    pub(crate) name: Option<Spanned<String>>,
    pub(crate) smoke: bool,
    pub(crate) include_base: Option<Spanned<bool>>,
    pub(crate) datasets: Option<Spanned<Vec<Spanned<String>>>>,
    pub(crate) shots: Option<Spanned<Vec<Spanned<u32>>>>,
    pub(crate) draws: Option<Spanned<Vec<Spanned<u64>>>>,
    pub(crate) seeds: Option<Spanned<Vec<Spanned<u64>>>>,
    pub(crate) backends: Option<Spanned<Vec<Spanned<String>>>>,
    pub(crate) selection: Option<Spanned<Vec<Spanned<Selection>>>>,
    pub(crate) image_scores: Option<Spanned<Vec<Spanned<ImageScore>>>>,
    pub(crate) targets: Option<Spanned<Vec<Spanned<String>>>>,
    pub(crate) transfer_object: Option<Spanned<TransferObject>>,
    pub(crate) include: Vec<RuleSpec>,
    pub(crate) exclude: Vec<RuleSpec>,
    /// The file was made small: backends that aren't there are left out.
    pub(crate) reduced: bool,
    pub(crate) encoder: EncoderSpec,
    pub(crate) train: TrainSpec,
    pub(crate) base: OptionsSpec,
    pub(crate) variants: Vec<(Spanned<String>, OptionsSpec)>,
}

/// `[encoder]`.
#[derive(Clone, Debug)]
pub(crate) struct EncoderSpec {
    pub(crate) start: usize,
    /// Something in it could not be read: what follows from it is not checked, or every slip would be told twice.
    pub(crate) broken: bool,
    pub(crate) weights: Option<Spanned<String>>,
    pub(crate) seed: Option<Spanned<u64>>,
    pub(crate) arch: Option<ArchSpec>,
    pub(crate) heads: Option<Spanned<usize>>,
    pub(crate) text_heads: Option<Spanned<usize>>,
    pub(crate) precision: Option<Spanned<Precision>>,
    pub(crate) store: Option<Spanned<StorePrecision>>,
    /// `image_size` and `taps` alone.
    pub(crate) overrides: Overrides,
}

/// `[encoder.arch]`: complete, or `None` with findings.
#[derive(Clone, Debug)]
pub(crate) struct ArchSpec {
    pub(crate) start: usize,
    pub(crate) arch: Option<Arch>,
    pub(crate) places: Vec<(&'static str, usize)>,
}

/// `[train]`.
#[derive(Clone, Debug)]
pub(crate) struct TrainSpec {
    pub(crate) epochs: Option<Spanned<u32>>,
    pub(crate) batch: Option<Spanned<u32>>,
    pub(crate) learning_rate: Option<Spanned<f64>>,
}

/// `[base]` or a variant.
#[derive(Clone, Debug)]
pub(crate) struct OptionsSpec {
    /// Something in it could not be read: what follows from it is not checked, or every slip would be told twice.
    pub(crate) broken: bool,
    pub(crate) preset: Option<Spanned<Preset>>,
    pub(crate) overrides: Overrides,
}

impl Spec {
    /// Reads an experiment file.
    ///
    /// # Errors
    /// `Read` for a file that can't be read, `Problems` for text that isn't TOML. What is wrong with values comes from
    /// [`Spec::plan`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::parse(path, text)
    }

    /// The same from text; `path` names it in messages and is where relative paths begin.
    ///
    /// # Errors
    /// `Problems` for text that isn't TOML.
    pub fn parse(path: &Path, text: String) -> Result<Self, Error> {
        let source = Source::new(path.to_owned(), text);
        let mut findings = Findings::default();
        let typed = harness_config::parse(&source, &mut findings, HOMES, Typed::read)?;
        Ok(Self { source, findings, typed, notes: Vec::new() })
    }

    /// The experiment's name as typed, if it is a string.
    pub fn name(&self) -> Option<&str> {
        self.typed.name.as_ref().map(|name| name.get_ref().as_str())
    }

    /// Whether it only tests that everything runs.
    pub fn is_smoke(&self) -> bool {
        self.typed.smoke
    }
}

impl Typed {
    fn read(mut top: Table<'_, '_>) -> Self {
        let typed = Self {
            name: top.required("name", "\"my-experiment\""),
            smoke: top.optional("smoke").is_some_and(|smoke| *smoke.get_ref()),
            include_base: top.optional("include_base"),
            datasets: top.required("datasets", "[\"Phantom\"]"),
            shots: top.required("shots", "[4]"),
            draws: top.required("draws", "[0]"),
            seeds: top.required("seeds", "[0, 1, 2]"),
            backends: top.required("backends", "[\"flex\"]"),
            selection: top.required("selection", "[\"last\"]"),
            image_scores: top.optional("image_scores"),
            targets: top.optional("targets"),
            transfer_object: top.optional("transfer_object"),
            include: top.tables("include", RuleSpec::read),
            exclude: top.tables("exclude", RuleSpec::read),
            reduced: false,
            encoder: EncoderSpec::read(top.table("encoder")),
            train: TrainSpec::read(top.table("train")),
            base: OptionsSpec::read(top.table("base")),
            variants: top.table("variants").each_table(OptionsSpec::read),
        };
        top.finish();
        typed
    }
}

impl EncoderSpec {
    fn read(mut table: Table<'_, '_>) -> Self {
        let (start, before) = (table.start(), table.findings());
        let mut spec = Self {
            start,
            broken: false,
            weights: table.required("weights", "\"path/of/weights.pt\", or \"synthetic\""),
            seed: table.optional("seed"),
            heads: table.optional("heads"),
            text_heads: table.optional("text_heads"),
            precision: table.optional("precision"),
            store: table.optional("store"),
            overrides: Overrides {
                image_size: table.optional("image_size"),
                taps: table.optional("taps"),
                ..Overrides::default()
            },
            arch: ArchSpec::read(table.table("arch")),
        };
        table.finish();
        spec.broken = table.findings() > before;
        spec
    }
}

impl ArchSpec {
    fn read(mut table: Table<'_, '_>) -> Option<Self> {
        if !table.is_present() {
            return None;
        }
        let start = table.start();
        let mut places = Vec::new();
        let mut size = |key: &'static str, example: &str| {
            let value: Spanned<usize> = table.required(key, example)?;
            places.push((key, value.span().start));
            Some(value.into_inner())
        };
        // Every key is read before the first missing one ends it.
        let image_size = size("image_size", "96");
        let patch = size("patch", "8");
        let width = size("width", "128");
        let layers = size("layers", "4");
        let heads = size("heads", "2");
        let embed = size("embed", "64");
        let vocab = size("vocab", "49408");
        let context = size("context", "77");
        let text_width = size("text_width", "64");
        let text_layers = size("text_layers", "2");
        let text_heads = size("text_heads", "1");
        table.finish();
        let complete = || {
            Some(Arch {
                image_size: image_size?,
                patch: patch?,
                width: width?,
                layers: layers?,
                heads: heads?,
                embed: embed?,
                vocab: vocab?,
                context: context?,
                text_width: text_width?,
                text_layers: text_layers?,
                text_heads: text_heads?,
            })
        };
        Some(Self { start, arch: complete(), places })
    }
}

impl TrainSpec {
    fn read(mut table: Table<'_, '_>) -> Self {
        let spec = Self {
            epochs: table.optional("epochs"),
            batch: table.optional("batch"),
            learning_rate: table.optional("learning_rate"),
        };
        table.finish();
        spec
    }
}

impl OptionsSpec {
    fn read(mut table: Table<'_, '_>) -> Self {
        let before = table.findings();
        let (preset, overrides) = (table.optional("preset"), Overrides::read(&mut table));
        table.finish();
        Self { broken: table.findings() > before, preset, overrides }
    }
}
