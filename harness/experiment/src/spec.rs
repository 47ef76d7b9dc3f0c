//! An experiment as typed: every value has its type and its position, none is checked against another or the world yet.

use std::path::Path;
use std::sync::LazyLock;

use harness_config::{Findings, Key, Source, Spanned, Table, read_text, section};
use harness_method::{Arch, Draw, ImageScore, Precision, Selection, Shots, StorePrecision};
use harness_methods::{EncodingOverrides, Method, MethodOverrides};

use crate::error::Error;
use crate::printing::{FigureKind, Line, Numbers, Printing};
use crate::rules::RuleSpec;

/// Where the keys of an experiment file belong.
static HOMES: LazyLock<Vec<(&str, &[&str])>> = LazyLock::new(|| {
    let mut homes = vec![
        ("at the top of the file, above the first [table]", TopSpec::NAMES),
        ("in [encoder]", EncoderSpec::NAMES),
        ("in [encoder]", &["arch"]),
        ("in [train]", TrainSpec::NAMES),
        ("in [encoder], [base] or a variant", EncodingOverrides::SHARED_NAMES),
        ("in [base] or a variant", &["method", "preset", "label"]),
        ("in [report]", ReportSpec::NAMES),
    ];
    homes.extend_from_slice(Method::HOMES);
    homes
});

harness_config::named_enum! {
    /// Whose object's name sentences have when a model is scored on another dataset than it was trained on.
    #[derive(Default)]
    pub enum TransferObject {
        /// That of the dataset it is scored on.
        #[default]
        Target = "target",
        /// That of the dataset it was trained on.
        Source = "source",
    }
}

impl TransferObject {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

type List<T> = Vec<Spanned<T>>;

section! {
    /// The plain keys at the top of the file.
    struct TopSpec {
        /// Name of the experiment and, unless `--out` says otherwise, of its folder in `reports/`; letters, digits,
        /// `-`, `_`, `.`
        name: String {
            required: "\"my-experiment\"",
        }
        /// What is trained on, and scored on unless there are `targets`; names in [`datasets.toml`](#datasetstoml)
        datasets: List<String> {
            values: "list of names",
            required: "[\"Phantom\"]",
        }
        /// Support images of each class, K, or how many of [normal and abnormal ones](#unbalanced-supports)
        shots: List<Shots> {
            required: "[4]",
        }
        /// Which support set of that K: the number of a list file, or the random seed where there is none, or the name
        /// of one of the dataset's [published lists](#support_lists)
        draws: List<Draw> {
            values: "list of whole numbers from 0, and of names",
            required: "[0]",
        }
        /// Seed of initial values, colour jitter and the order of images; at least 12 apart where deviations over seeds
        /// matter, since nearer ones [share draws](method.md)
        seeds: List<u64> {
            values: "list of whole numbers from 0",
            required: "[0, 100, 200]",
        }
        /// What computes; `harness backends list` prints which there are
        backends: List<String> {
            values: "list of names",
            required: "[\"flex\"]",
        }
        /// How the reported epoch is [chosen](#selection)
        selection: List<Selection> {
            required: "[\"last\"]",
        }
        /// What is scored: see [transfer](#transfer)
        targets: List<String> {
            values: "list of names",
            otherwise: "each dataset itself",
        }
        /// Which dataset's `object` the prompts name when a model is scored on another dataset
        transfer_object: TransferObject {
            default: TransferObject::default(),
        }
        /// The image scores to report, where a cell can have them
        image_scores: List<ImageScore> {
            otherwise: "all",
        }
        /// Whether `[base]` itself is the variant `base`
        include_base: bool {
            default: true,
        }
        /// The experiment only tests that everything runs; every table says so
        smoke: bool {
            default: false,
        }
    }
}

section! {
    /// The plain keys of `[encoder]`.
    struct EncoderSpec {
        /// Weights in OpenAI's archive, a `torch.save` file, safetensors or a transformers folder; or an untrained
        /// encoder
        weights: String {
            values: "path or `\"synthetic\"`",
            required: "\"path/of/weights.pt\", or \"synthetic\"",
        }
        /// What the encoder computes in; the trainer's numbers are f32 always. Under `tf32`, products of f32 matrices
        /// may round their factors to TF32, in encoder and trainer; under the others they may not. `harness backends
        /// list` shows what a backend has
        precision: Precision {
            default: Precision::default(),
        }
        /// What taps are stored in; `f16` halves the space and is part of ids
        store: StorePrecision {
            default: StorePrecision::default(),
        }
        /// Attention heads of the image tower
        heads: usize {
            otherwise: "what a file says",
        }
        /// Attention heads of the text tower
        text_heads: usize {
            otherwise: "what a file says",
        }
        /// Seed of the values of synthetic weights
        seed: u64 {
            otherwise: "required for synthetic",
        }
    }
}

section! {
    /// The keys of `[train]`.
    struct TrainSpec {
        /// Passes over the augmented support images, 16 of each: 32 K
        epochs: u32 {
            values: "whole number from 1",
            default: 60,
        }
        /// Images a step
        batch: u32 {
            values: "whole number from 1",
            default: 16,
        }
        /// Step size of Adam
        learning_rate: f64 {
            values: "positive number",
            default: 1e-3,
        }
    }
}

section! {
    /// The keys of `[report]`.
    struct ReportSpec {
        /// The kinds of [figures](reports.md#figures) that are drawn
        figures: List<FigureKind> {
            otherwise: "all",
        }
        /// What figures are as wide as: a column of 85 mm, or a page of 175 mm
        figure_width: Line {
            default: Printing::default().figure_width,
        }
        /// What LaTeX tables are no wider than: a column of 85 mm, or a page of 120 mm
        table_width: Line {
            default: Printing::default().table_width,
        }
        /// How tables for people write fractions
        numbers: Numbers {
            default: Numbers::default(),
        }
        /// Columns, or metrics, that tables for people leave out, as they are headed: `["AS", "n"]`
        hide: List<String> {
            values: "list of names",
            otherwise: "none",
        }
    }
}

/// An experiment file that is TOML. Values of a wrong type and unknown keys are remembered, so that
/// [`Spec::plan`] can report them together with everything else.
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
    pub(crate) top: TopSpec,
    pub(crate) include: Vec<RuleSpec>,
    pub(crate) exclude: Vec<RuleSpec>,
    /// The file was made small: backends that aren't there are left out.
    pub(crate) reduced: bool,
    pub(crate) encoder: EncoderTable,
    pub(crate) train: TrainSpec,
    pub(crate) report: ReportSpec,
    pub(crate) base: OptionsSpec,
    pub(crate) variants: Vec<(Spanned<String>, OptionsSpec)>,
}

/// `[encoder]`.
#[derive(Clone, Debug)]
pub(crate) struct EncoderTable {
    pub(crate) start: usize,
    /// Something in it could not be read: what follows from it is not checked, or every slip would be reported twice.
    pub(crate) broken: bool,
    pub(crate) keys: EncoderSpec,
    pub(crate) arch: Option<ArchSpec>,
    /// The options that may stand here for all variants.
    pub(crate) overrides: EncodingOverrides,
}

/// `[encoder.arch]`: complete, or `None` with findings.
#[derive(Clone, Debug)]
pub(crate) struct ArchSpec {
    pub(crate) start: usize,
    pub(crate) arch: Option<Arch>,
    /// Where each size stands.
    pub(crate) offsets: Vec<(&'static str, usize)>,
}

/// `[base]` or a variant.
#[derive(Clone, Debug)]
pub(crate) struct OptionsSpec {
    /// Something in it could not be read: what follows from it is not checked, or every slip would be reported twice.
    pub(crate) broken: bool,
    pub(crate) method: Method,
    pub(crate) label: Option<Spanned<String>>,
    pub(crate) preset: Option<Spanned<&'static str>>,
    pub(crate) overrides: MethodOverrides,
}

impl Spec {
    /// Reads an experiment file.
    ///
    /// # Errors
    /// `Read` for a file that can't be read, `Problems` for text that isn't TOML. What is wrong with values comes from
    /// [`Spec::plan`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = read_text(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::parse(path, text)
    }

    /// The same from text; `path` names it in messages and is where relative paths begin.
    ///
    /// # Errors
    /// `Problems` for text that isn't TOML.
    pub fn parse(path: &Path, text: String) -> Result<Self, Error> {
        let source = Source::new(path.to_owned(), text);
        let mut findings = Findings::default();
        let typed = harness_config::parse(&source, &mut findings, &HOMES, Typed::read)?;
        Ok(Self { source, findings, typed, notes: Vec::new() })
    }

    /// The experiment's name as typed, if it is a string.
    pub fn name(&self) -> Option<&str> {
        self.typed.top.name.as_ref().map(|name| name.get_ref().as_str())
    }

    /// Whether it only tests that everything runs.
    pub fn is_smoke(&self) -> bool {
        self.typed.top.smoke()
    }
}

impl ReportSpec {
    pub(crate) fn printing(&self) -> Printing {
        let list = |list: &List<String>| list.iter().map(|item| item.get_ref().clone()).collect();
        let kinds = |list: &List<FigureKind>| list.iter().map(|item| *item.get_ref()).collect();
        Printing {
            figures: self.figures.as_ref().map(|figures| kinds(figures.get_ref())),
            figure_width: self.figure_width(),
            table_width: self.table_width(),
            numbers: self.numbers(),
            hide: self.hide.as_ref().map(|hide| list(hide.get_ref())).unwrap_or_default(),
        }
    }
}

impl Typed {
    fn read(mut top: Table<'_, '_>) -> Self {
        let typed = Self {
            top: TopSpec::read(&mut top),
            include: top.tables("include", RuleSpec::read),
            exclude: top.tables("exclude", RuleSpec::read),
            reduced: false,
            encoder: EncoderTable::read(top.table("encoder")),
            train: {
                let mut table = top.table("train");
                let train = TrainSpec::read(&mut table);
                table.finish();
                train
            },
            report: {
                let mut table = top.table("report");
                let report = ReportSpec::read(&mut table);
                table.finish();
                report
            },
            base: OptionsSpec::read(top.table("base"), Method::default()),
            variants: Vec::new(),
        };
        let base = typed.base.method;
        let typed =
            Self { variants: top.table("variants").each_table(|table| OptionsSpec::read(table, base)), ..typed };
        top.finish();
        typed
    }
}

impl EncoderTable {
    fn read(mut table: Table<'_, '_>) -> Self {
        let (start, before) = (table.start(), table.findings());
        let (keys, overrides) = (EncoderSpec::read(&mut table), EncodingOverrides::read_shared(&mut table));
        let arch = ArchSpec::read(table.table("arch"));
        table.finish();
        Self { start, broken: table.findings() > before, keys, arch, overrides }
    }
}

impl ArchSpec {
    fn read(mut table: Table<'_, '_>) -> Option<Self> {
        if !table.is_present() {
            return None;
        }
        let (start, mut offsets) = (table.start(), Vec::new());
        let arch = Arch::read(&mut table, &mut offsets);
        table.finish();
        Some(Self { start, arch, offsets })
    }
}

impl OptionsSpec {
    /// Reads a table whose method is `inherited` where it names none.
    fn read(mut table: Table<'_, '_>, inherited: Method) -> Self {
        let before = table.findings();
        let method = table.optional("method").map_or(inherited, Spanned::into_inner);
        let label = table.optional("label");
        let (preset, overrides) = (method.read_preset(&mut table), method.read_overrides(&mut table));
        table.finish();
        Self { broken: table.findings() > before, method, label, preset, overrides }
    }
}

/// The keys of the tables of an experiment file with plain values, by the table's name; the top level's is empty. Those
/// of `[base]` and variants are [`Method::declared`].
pub fn keys() -> Vec<(&'static str, Vec<Key>)> {
    vec![
        ("", TopSpec::keys()),
        ("encoder", EncoderSpec::keys()),
        ("train", TrainSpec::keys()),
        ("report", ReportSpec::keys()),
    ]
}
