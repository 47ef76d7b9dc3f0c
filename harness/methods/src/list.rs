//! The list of methods, and one method's options or another's behind one type.

use harness_config::{Spanned, Table};
use harness_method::declaring::{Complaint, Declared, Stage};
use harness_method::options::{Activation, Normalize};
use harness_method::parameters::Parameter;
use harness_method::{Arch, Combine, Layout, Variants};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::closed::Closed;
use crate::settings::{Encoding, Schedule, Sees, Sentences, Settings, Support};
use crate::stepped::Stepped;
use crate::{april_gan, linear_probe, madclip, memory_bank, mvfa, subspace, text_prototypes, zero_shot};

/// The key that names the method, in experiments and in stored options.
pub(crate) const KEY: &str = "method";

macro_rules! methods {
    ($($(#[$doc:meta])* $variant:ident = $name:literal in $module:ident, $computed:ident;)+) => {
        harness_config::named_enum! {
            /// A method: a set of options, and what is computed from them.
            pub enum Method {
                $($(#[$doc])* $variant = $name,)+
            }
        }

        /// The options of one of the methods, completely resolved.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum MethodOptions {
            $($(#[$doc])* $variant($module::Options),)+
        }

        /// What a part of an experiment file sets of a method's options, each with its position in the file.
        #[derive(Clone, Debug)]
        pub enum MethodOverrides {
            $($(#[$doc])* $variant($module::Overrides),)+
        }

        /// The same of each method's type.
        macro_rules! each {
            ($options:expr, $inner:ident => $result:expr) => {
                match $options {
                    $(MethodOptions::$variant($inner) => $result,)+
                }
            };
        }

        impl Method {
            /// Where options belong, for advice about one in the wrong table: the table in words, and its keys.
            pub const HOMES: &'static [(&'static str, &'static [&'static str])] =
                &[$((concat!("in [base] or a variant of the method `", $name, "`"), $module::Options::NAMES)),+];

            /// The name under which it was published, as in tables of published numbers.
            pub const fn published_name(self) -> &'static str {
                match self {
                    $(Self::$variant => <$module::Options as Settings>::PUBLISHED_NAME,)+
                }
            }

            /// The version of its numbers that this program computes. Part of every training's id.
            pub const fn version(self) -> u32 {
                match self {
                    $(Self::$variant => <$module::Options as Settings>::VERSION,)+
                }
            }

            /// The names of its options.
            pub const fn options(self) -> &'static [&'static str] {
                match self {
                    $(Self::$variant => $module::Options::NAMES,)+
                }
            }

            /// What documents say of each option.
            pub fn declared(self) -> Vec<Declared> {
                match self {
                    $(Self::$variant => $module::Options::declared(),)+
                }
            }

            /// The names of its presets; the first is the default.
            pub fn presets(self) -> Vec<&'static str> {
                match self {
                    $(Self::$variant => $module::Preset::ALL.map($module::Preset::name).to_vec(),)+
                }
            }

            /// The name of the preset that holds where none is named.
            pub fn default_preset(self) -> &'static str {
                match self {
                    $(Self::$variant => $module::Preset::default().name(),)+
                }
            }

            /// The options of the default preset.
            pub fn default_options(self) -> MethodOptions {
                match self {
                    $(Self::$variant => MethodOptions::$variant($module::Options::default()),)+
                }
            }

            /// The options of a preset of its; `None` for a name that none has.
            pub fn preset(self, name: &str) -> Option<MethodOptions> {
                match self {
                    $(Self::$variant => {
                        let preset = name.parse::<$module::Preset>().ok()?;
                        Some(MethodOptions::$variant($module::Options::preset(preset)))
                    })+
                }
            }

            /// Reads the key `preset` of a table.
            pub fn read_preset(self, table: &mut Table<'_, '_>) -> Option<Spanned<&'static str>> {
                match self {
                    $(Self::$variant => {
                        let preset: Option<Spanned<$module::Preset>> = table.optional("preset");
                        preset.map(|preset| Spanned::new(preset.span(), preset.get_ref().name()))
                    })+
                }
            }

            /// Reads every option of its that a table sets.
            pub fn read_overrides(self, table: &mut Table<'_, '_>) -> MethodOverrides {
                match self {
                    $(Self::$variant => MethodOverrides::$variant($module::Overrides::read(table)),)+
                }
            }
        }

        impl MethodOptions {
            /// Whose options they are.
            pub const fn method(&self) -> Method {
                match self {
                    $(Self::$variant(_) => Method::$variant,)+
                }
            }

            /// How it is computed.
            pub fn computation(&self) -> Computation<'_> {
                match self {
                    $(Self::$variant(options) => $computed(options),)+
                }
            }

            /// Names of the options in which two of one method differ; of two methods, none is named.
            pub fn differing(&self, other: &Self) -> Vec<&'static str> {
                match (self, other) {
                    $((Self::$variant(options), Self::$variant(other)) => options.differing(other),)+
                    _ => Vec::new(),
                }
            }

            /// The same computation with every option that can't change its numbers at its default.
            #[must_use]
            pub fn effective(&self) -> Self {
                match self {
                    $(Self::$variant(options) => Self::$variant(options.effective()),)+
                }
            }

            /// The same with every option that decides another stage at its default.
            #[must_use]
            pub fn only(&self, stage: Stage) -> Self {
                match self {
                    $(Self::$variant(options) => Self::$variant(options.only(stage)),)+
                }
            }

            fn read(method: Method, table: serde_json::Value) -> Result<Self, serde_json::Error> {
                match method {
                    $(Method::$variant => serde_json::from_value(table).map(Self::$variant),)+
                }
            }

            /// Sets what a part of a file sets of the encoding.
            pub fn set_encoding(&mut self, overrides: &EncodingOverrides) {
                each!(self, options => {
                    set(&mut options.image_size, overrides.image_size.as_ref());
                    set(&mut options.taps, overrides.taps.as_ref());
                    set(&mut options.activation, overrides.activation.as_ref());
                    set(&mut options.normalize, overrides.normalize.as_ref());
                });
            }
        }

        impl MethodOverrides {
            /// Puts what is set into options: all of it where they are of the same method, else what is of the
            /// encoding.
            pub fn apply(&self, options: &mut MethodOptions) {
                match (self, options) {
                    $((Self::$variant(overrides), MethodOptions::$variant(options)) => overrides.apply(options),)+
                    (_, options) => options.set_encoding(&self.encoding()),
                }
            }

            /// What is set of the encoding.
            pub fn encoding(&self) -> EncodingOverrides {
                match self {
                    $(Self::$variant(overrides) => EncodingOverrides {
                        image_size: overrides.image_size.clone(),
                        taps: overrides.taps.clone(),
                        activation: overrides.activation.clone(),
                        normalize: overrides.normalize.clone(),
                    },)+
                }
            }

            /// Where the image size is set, to change it.
            pub fn image_size_mut(&mut self) -> Option<&mut Spanned<usize>> {
                match self {
                    $(Self::$variant(overrides) => overrides.image_size.as_mut(),)+
                }
            }

            /// The byte at which an option's value stands, where it is set.
            pub fn offset(&self, name: &str) -> Option<usize> {
                match self {
                    $(Self::$variant(overrides) => overrides.offset(name),)+
                }
            }
        }

        /// The options that decide the id of a stage's record.
        struct Decisive<'a>(&'a MethodOptions, Stage);

        impl Serialize for Decisive<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                each!(self.0, options => options.decisive(self.1).serialize(serializer))
            }
        }

        /// All options that decide a stage first.
        struct Deciding<'a>(&'a MethodOptions, Stage);

        impl Serialize for Deciding<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                each!(self.0, options => options.deciding(self.1).serialize(serializer))
            }
        }

        impl Serialize for MethodOptions {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    // Without a name, as before there were others.
                    Self::Madclip(options) => options.serialize(serializer),
                    _ => each!(self, options => Named { method: self.method(), options }.serialize(serializer)),
                }
            }
        }
    };
}

methods! {
    /// MadCLIP (docs/method.md).
    Madclip = "madclip" in madclip, by_backend;
    /// CLIP's text similarity.
    ZeroShot = "zero-shot" in zero_shot, closed;
    /// Distance to the nearest support token.
    MemoryBank = "memory-bank" in memory_bank, closed;
    /// Logistic regression on class tokens and patch tokens.
    LinearProbe = "linear-probe" in linear_probe, closed;
    /// Class means with a share of their texts.
    TextPrototypes = "text-prototypes" in text_prototypes, closed;
    /// What lies outside the principal components of normal tokens.
    Subspace = "subspace" in subspace, closed;
    /// Residual adapters in the tower, fixed text and a bank.
    Mvfa = "mvfa" in mvfa, stepped;
    /// A linear map a tap, fixed text and a bank.
    AprilGan = "april-gan" in april_gan, stepped;
}

impl Default for Method {
    /// Before there were others.
    fn default() -> Self {
        Self::Madclip
    }
}

/// How a method is computed.
#[derive(Clone, Copy)]
pub enum Computation<'a> {
    /// MadCLIP, by a backend.
    Madclip(&'a madclip::Options),
    /// Without steps of training, here.
    Closed(&'a dyn Closed),
    /// Heads, trained by a backend; scores are completed here.
    Stepped(&'a dyn Stepped),
}

fn by_backend(options: &madclip::Options) -> Computation<'_> {
    Computation::Madclip(options)
}

fn closed<T: Closed>(options: &T) -> Computation<'_> {
    Computation::Closed(options)
}

fn stepped<T: Stepped>(options: &T) -> Computation<'_> {
    Computation::Stepped(options)
}

#[derive(Serialize)]
struct Named<'a, O> {
    method: Method,
    #[serde(flatten)]
    options: &'a O,
}

impl<'de> Deserialize<'de> for MethodOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = serde_json::Map::deserialize(deserializer)?;
        let method = match table.remove(KEY) {
            Some(name) => serde_json::from_value(name).map_err(D::Error::custom)?,
            None => Method::default(),
        };
        Self::read(method, table.into()).map_err(D::Error::custom)
    }
}

impl MethodOptions {
    /// How images become taps.
    pub fn encoding(&self) -> Encoding<'_> {
        each!(self, options => Settings::encoding(options))
    }

    /// Side of the images, in pixels.
    pub fn image_size(&self) -> usize {
        self.encoding().image_size
    }

    /// Blocks whose outputs are used.
    pub fn taps(&self) -> &[usize] {
        self.encoding().taps
    }

    /// What of a support set it learns from.
    pub fn sees(&self) -> Sees {
        each!(self, options => options.sees())
    }

    /// Names of the groups of a backend's functions that it needs and that not every backend has.
    pub fn capabilities(&self) -> Vec<&'static str> {
        let heads = matches!(self.computation(), Computation::Stepped(_)).then_some("heads");
        let windows = (!self.encoding().windows.is_empty()).then_some("windows");
        heads.into_iter().chain(windows).collect()
    }

    /// Whether it is trained epoch by epoch.
    pub fn is_trained(&self) -> bool {
        fn trained<S: Settings>(_: &S) -> bool {
            S::TRAINED
        }
        each!(self, options => trained(options))
    }

    /// Whether its sentences name an object.
    pub fn names_objects(&self) -> bool {
        self.sentences() != Sentences::default()
    }

    /// Its sentences.
    pub fn sentences(&self) -> Sentences {
        each!(self, options => options.sentences())
    }

    /// Whether there must be masks for it to learn anything.
    pub fn needs_masks(&self) -> bool {
        each!(self, options => options.needs_masks())
    }

    /// Whether the seed decides anything.
    pub fn depends_on_seed(&self) -> bool {
        each!(self, options => options.depends_on_seed())
    }

    /// What its maps are made of, for supports with or without masks; `None` where it has no map.
    pub fn maps(&self, has_masks: bool) -> Option<Layout> {
        each!(self, options => options.maps(has_masks))
    }

    /// How two image scores of a test set become one; `None` where it has one.
    pub fn joins_scores(&self) -> Option<Combine> {
        each!(self, options => options.joins_scores())
    }

    /// The variants of a support image that it learns from.
    pub fn variants(&self) -> Variants {
        each!(self, options => options.variants())
    }

    /// Its own schedule of steps; `None` where that of the experiment holds, or there are none.
    pub fn schedule(&self) -> Option<Schedule> {
        each!(self, options => options.schedule())
    }

    /// The losses that a step reports.
    pub fn losses(&self, has_masks: bool) -> &'static [&'static str] {
        each!(self, options => options.losses(has_masks))
    }

    /// The tensors of a state.
    pub fn tensors(&self, support: Support<'_>) -> Vec<Parameter> {
        each!(self, options => options.tensors(support))
    }

    /// Floating-point operations of what is kept of a support set, beyond its encoding and steps of training.
    pub fn fit_work(&self, arch: &Arch, images: u64) -> f64 {
        each!(self, options => options.fit_work(arch, images))
    }

    /// Floating-point operations of one pass of the sentences that are trained.
    pub fn trained_text_work(&self, arch: &Arch) -> f64 {
        each!(self, options => options.trained_text_work(arch))
    }

    /// Floating-point operations of scoring one image, its taps and the sentences encoded already.
    pub fn score_work(&self, arch: &Arch, support_images: u64) -> f64 {
        each!(self, options => options.score_work(arch, support_images))
    }

    /// What the architecture can't take, and what contradicts another option.
    pub fn check(&self, arch: &Arch) -> Vec<Complaint> {
        each!(self, options => options.check(arch))
    }

    /// Every option with its value for a reader.
    pub fn shown(&self) -> Vec<(&'static str, String)> {
        each!(self, options => options.shown())
    }

    /// What the id of a stage's record hashes of these options: those that decide it first, with an effect and a value
    /// that is not the default, as a map by name.
    pub fn decisive(&self, stage: Stage) -> impl Serialize + '_ {
        Decisive(self, stage)
    }

    /// For a reader, every option that decides a stage first, as a map by name; those without effect at their default.
    pub fn deciding(&self, stage: Stage) -> impl Serialize + '_ {
        Deciding(self, stage)
    }

    /// What of a scored state these options decide: all of them where one that decides evaluations has another value
    /// than its default, `None` where the options of the training say it all.
    pub fn of_evaluation(&self) -> Option<Self> {
        (self.effective() != self.effective().only(Stage::Training)).then(|| self.clone())
    }

    /// MadCLIP's, where they are.
    pub fn madclip(&self) -> Option<&madclip::Options> {
        if let Self::Madclip(options) = self { Some(options) } else { None }
    }
}

impl From<madclip::Options> for MethodOptions {
    fn from(options: madclip::Options) -> Self {
        Self::Madclip(options)
    }
}

/// What a part of an experiment file sets of how images become taps: it holds for every method.
#[derive(Clone, Debug, Default)]
pub struct EncodingOverrides {
    /// `image_size`, where it is set.
    pub image_size: Option<Spanned<usize>>,
    /// `taps`, where they are set.
    pub taps: Option<Spanned<Vec<usize>>>,
    /// `activation`, where it is set.
    pub activation: Option<Spanned<Activation>>,
    /// `normalize`, where it is set.
    pub normalize: Option<Spanned<Normalize>>,
}

impl EncodingOverrides {
    /// Names of the options that may stand in `[encoder]`.
    pub const SHARED_NAMES: &'static [&'static str] = madclip::Options::SHARED_NAMES;

    /// Reads the options that may stand in `[encoder]`.
    pub fn read_shared(table: &mut Table<'_, '_>) -> Self {
        Self { image_size: table.optional("image_size"), taps: table.optional("taps"), ..Self::default() }
    }

    /// The byte at which an option's value stands, where it is set.
    pub fn offset(&self, name: &str) -> Option<usize> {
        match name {
            "image_size" => self.image_size.as_ref().map(harness_config::start),
            "taps" => self.taps.as_ref().map(harness_config::start),
            "activation" => self.activation.as_ref().map(harness_config::start),
            "normalize" => self.normalize.as_ref().map(harness_config::start),
            _ => None,
        }
    }
}

fn set<T: Clone>(option: &mut T, value: Option<&Spanned<T>>) {
    if let Some(value) = value {
        option.clone_from(value.get_ref());
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn options_of_every_method_read_as_they_were_written_and_ids_leave_defaults_out() {
        for method in Method::ALL {
            for preset in method.presets() {
                let options = method.preset(preset).unwrap();
                let text = toml::to_string(&options).unwrap();
                assert_eq!(text.contains("method = "), method != Method::Madclip, "{text}");
                assert_eq!(toml::from_str::<MethodOptions>(&text).unwrap(), options);
                let json = serde_json::to_string(&options).unwrap();
                assert_eq!(serde_json::from_str::<MethodOptions>(&json).unwrap(), options);
            }
            for stage in [Stage::Training, Stage::Evaluation] {
                let decisive = serde_json::to_string(&method.default_options().decisive(stage)).unwrap();
                assert_eq!(decisive, "{}", "{method}");
            }
            assert_eq!(method.version(), 1, "raise it with the numbers");
        }
        assert!(serde_json::from_str::<MethodOptions>("{\"method\":\"none\"}").is_err());
    }
}
