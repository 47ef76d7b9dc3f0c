//! The macro that makes everything out of the declarations of options: the complete set, what a file overrides,
//! presets, checks, the forms that are stored, the rows of the documents, and the schema.

use harness_config::schema::Schema;

/// An option as the documents list it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its key.
    pub name: &'static str,
    /// The values it takes, in words.
    pub values: String,
    /// Its value in each preset of its method, in their order.
    pub presets: Vec<String>,
    /// What it does: one sentence.
    pub meaning: &'static str,
    /// It may also stand in `[encoder]`, for all variants.
    pub shared: bool,
    /// The values it takes.
    pub schema: Schema,
}

/// The first stage of a cell's work that an option decides. Those before it are the same whatever its value is, so
/// their records are shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// What is learned: the training's states.
    Training,
    /// What is made of a state's scores: the evaluation's image scores and maps.
    Evaluation,
}

/// An option's value that the architecture can't take, or that contradicts another option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The option.
    pub option: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

#[doc(hidden)]
pub fn unknown<E: serde::de::Error>(name: &str) -> E {
    E::custom(format!("the option `{name}` is not known to this version of harness: a newer version wrote this"))
}

/// How many flags are set.
#[doc(hidden)]
pub const fn count_flagged(flags: &[bool]) -> usize {
    let (mut i, mut found) = (0, 0);
    while i < flags.len() {
        if flags[i] {
            found += 1;
        }
        i += 1;
    }
    found
}

/// The `N` names that are flagged.
#[doc(hidden)]
pub const fn only_flagged<const N: usize>(names: &[&'static str], flags: &[bool]) -> [&'static str; N] {
    let mut found = [""; N];
    let (mut i, mut n) = (0, 0);
    while i < names.len() {
        if flags[i] {
            found[n] = names[i];
            n += 1;
        }
        i += 1;
    }
    found
}

/// Declares the options of a method as a struct `Options`, with `Overrides` for what a file sets. The module that uses
/// it has an enum `Preset` in scope, made by `named_enum!`, whose first variant is the default, and `use`s
/// [`harness_method::declaring`](crate::declaring).
///
/// `released` is the default, which ids leave out: it never changes under one version of the method. `in Preset::X`
/// gives the value in another preset; without it the preset has the default. `decides` is the [`Stage`] that it decides
/// first, the training where it is not given. Where `effective` is false, the option decides nothing and is not
/// checked. Its first lines are what the documents say of it.
#[macro_export]
macro_rules! declare {
    ($(
        $(#[doc = $doc:literal])+
        $option:ident: $type:ty {
            released: $released:expr,
            $(in $preset:path: $in_preset:expr,)*
            $(values: $values:literal,)?
            $(shared: $shared:literal,)?
            $(decides: $stage:expr,)?
            $(effective: $effective:expr,)?
            $(check: $check:expr,)?
        }
    )+) => {
        /// The model, completely resolved, under the keys of experiment files and golden cases.
        ///
        /// Stored forms have every option. Reading one, an option that is missing has its default, the value of the
        /// preset `released`, so that a file written before the option existed stays readable; one that is not known is
        /// an error.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
        pub struct Options {
            $($(#[doc = $doc])+ pub $option: $type,)+
        }

        impl Options {
            /// The options' names, in the order of declaration.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($option)),+];

            /// Names of the options that may also stand in `[encoder]`, for all variants.
            pub const SHARED_NAMES: &'static [&'static str] =
                &only_flagged::<{ count_flagged(Self::SHARED) }>(Self::NAMES, Self::SHARED);

            const SHARED: &'static [bool] = &[$(harness_config::first!($($shared,)? false)),+];

            /// The complete set of options of a preset.
            pub fn preset(preset: Preset) -> Self {
                #[allow(unused_mut, reason = "a method may have one preset")]
                let mut options = Self { $($option: $released,)+ };
                $($(if preset == $preset {
                    options.$option = $in_preset;
                })*)+
                options
            }

            /// The same model with every option that can't change its numbers at its default: two sets of options that
            /// come to the same here train the same model.
            #[must_use]
            pub fn effective(&self) -> Self {
                let mut options = self.clone();
                $(
                    if !self.has_effect(stringify!($option)) {
                        options.$option = $released;
                    }
                )+
                options
            }

            /// The same with every option that decides another stage at its default.
            #[must_use]
            pub fn only(&self, stage: Stage) -> Self {
                let mut options = self.clone();
                $(
                    if harness_config::first!($($stage,)? Stage::Training) != stage {
                        options.$option = $released;
                    }
                )+
                options
            }

            /// Whether an option can change this model's numbers.
            pub fn has_effect(&self, name: &str) -> bool {
                match name {
                    $($(stringify!($option) => {
                        let effective: fn(&Self) -> bool = $effective;
                        effective(self)
                    })?)+
                    _ => true,
                }
            }

            /// What the architecture can't take, and what contradicts another option. Options without effect pass.
            pub fn check(&self, arch: &Arch) -> Vec<Complaint> {
                let mut complaints = Vec::new();
                $($(
                    let check: fn(&Self, &Arch) -> Option<String> = $check;
                    let option = stringify!($option);
                    if self.has_effect(option) && let Some(message) = check(self, arch) {
                        complaints.push(Complaint { option, message });
                    }
                )?)+
                complaints
            }

            /// Names of the options in which two complete sets differ.
            pub fn differing(&self, other: &Self) -> Vec<&'static str> {
                let mut names = Vec::new();
                $(
                    if self.$option != other.$option {
                        names.push(stringify!($option));
                    }
                )+
                names
            }

            /// Every option with its value for a reader.
            pub fn shown(&self) -> Vec<(&'static str, String)> {
                vec![$((stringify!($option), self.$option.shown())),+]
            }

            /// What documents say of every option.
            pub fn declared() -> Vec<Declared> {
                let presets = Preset::ALL.map(Self::preset);
                vec![$(Declared {
                    name: stringify!($option),
                    values: harness_config::first!($($values.to_owned(),)? <$type as Describe>::values()),
                    presets: presets.iter().map(|options| options.$option.shown()).collect(),
                    meaning: concat!($($doc),+).trim(),
                    shared: harness_config::first!($($shared,)? false),
                    schema: <$type as Describe>::schema(),
                }),+]
            }
        }

        impl Default for Options {
            fn default() -> Self {
                Self::preset(Preset::default())
            }
        }

        /// The effective options that differ from their defaults.
        struct Decisive(Options);

        impl Serialize for Decisive {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let (options, default) = (&self.0, Options::default());
                let mut map = serializer.serialize_map(Some(options.differing(&default).len()))?;
                $(
                    if options.$option != default.$option {
                        map.serialize_entry(stringify!($option), &options.$option)?;
                    }
                )+
                map.end()
            }
        }

        /// The effective options of a stage.
        struct Deciding(Options, Stage);

        impl Serialize for Deciding {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                $(
                    if harness_config::first!($($stage,)? Stage::Training) == self.1 {
                        map.serialize_entry(stringify!($option), &self.0.$option)?;
                    }
                )+
                map.end()
            }
        }

        impl Options {
            /// What the id of a stage's record hashes of these options: those that decide it first, with an effect and
            /// a value that is not the default, as a map by name. So a new option with a default changes no id.
            pub fn decisive(&self, stage: Stage) -> impl Serialize + use<> {
                Decisive(self.effective().only(stage))
            }

            /// For a reader, every option that decides a stage first, as a map by name; those without effect at their
            /// default.
            pub fn deciding(&self, stage: Stage) -> impl Serialize + use<> {
                Deciding(self.effective(), stage)
            }
        }

        impl<'de> Deserialize<'de> for Options {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_map(Stored)
            }
        }

        struct Stored;

        impl<'de> Visitor<'de> for Stored {
            type Value = Options;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of options")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Options, A::Error> {
                let mut options = Options::default();
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        $(stringify!($option) => options.$option = map.next_value()?,)+
                        _ => return Err(unknown(&name)),
                    }
                }
                Ok(options)
            }
        }

        /// The options that a part of an experiment file sets, each with its position in the file.
        #[derive(Clone, Debug, Default)]
        pub struct Overrides {
            $(
                #[doc = concat!("`", stringify!($option), "`, where it is set.")]
                pub $option: Option<Spanned<$type>>,
            )+
        }

        impl Overrides {
            /// Reads every option of a table, `[base]` or a variant.
            pub fn read(table: &mut Table<'_, '_>) -> Self {
                Self { $($option: table.optional(stringify!($option)),)+ }
            }

            /// Reads the options that may stand in `[encoder]`.
            pub fn read_shared(table: &mut Table<'_, '_>) -> Self {
                Self {
                    $($option: if harness_config::first!($($shared,)? false) { table.optional(stringify!($option)) } else { None },)+
                }
            }

            /// Puts what is set into complete options.
            pub fn apply(&self, options: &mut Options) {
                $(
                    if let Some(value) = &self.$option {
                        options.$option.clone_from(value.get_ref());
                    }
                )+
            }

            /// The byte at which an option's value stands, where it is set.
            pub fn offset(&self, name: &str) -> Option<usize> {
                match name {
                    $(stringify!($option) => self.$option.as_ref().map(start),)+
                    _ => None,
                }
            }
        }
    };
}
