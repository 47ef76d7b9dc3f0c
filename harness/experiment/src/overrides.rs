//! Options that a part of an experiment file sets; the others stay as they were. Presets are in `presets`, checks of
//! what results in `check`.

use harness_method::Options;
use harness_method::options::{
    Activation, Adapter, AdapterAttention, Aggregation, Branches, Loss, Normalize, PromptMask, PromptPosition, Prompts,
};
use toml::Spanned;

use harness_config::{Table, start};

macro_rules! overrides {
    ($($field:ident: $type:ty,)*) => {
        /// Any of `harness_method::Options`, each with its place in the file, under the same names.
        #[derive(Clone, Debug, Default)]
        pub struct Overrides {
            $(
                #[doc = concat!("`", stringify!($field), "`, where it is set.")]
                pub $field: Option<Spanned<$type>>,
            )*
        }

        impl Overrides {
            /// The names, in the order of `Options`.
            pub const KEYS: &'static [&'static str] = &[$(stringify!($field)),*];

            pub(crate) fn read(table: &mut Table<'_, '_>) -> Self {
                Self { $($field: table.optional(stringify!($field)),)* }
            }

            /// Puts what is set into complete options.
            pub fn apply(&self, options: &mut Options) {
                // Names every field, so that a new option does not compile until it can be overridden.
                let Options { $($field,)* } = options;
                $(if let Some(value) = &self.$field { $field.clone_from(value.get_ref()); })*
            }

            /// Where an option is set.
            pub(crate) fn place(&self, key: &str) -> Option<usize> {
                match key {
                    $(stringify!($field) => self.$field.as_ref().map(start),)*
                    _ => None,
                }
            }

            /// Names of the options in which two complete sets differ.
            pub(crate) fn differing(a: &Options, b: &Options) -> Vec<&'static str> {
                let mut keys = Vec::new();
                $(if a.$field != b.$field { keys.push(stringify!($field)); })*
                keys
            }
        }
    };
}

overrides! {
    image_size: usize,
    taps: Vec<usize>,
    activation: Activation,
    normalize: Normalize,
    branches: Branches,
    dual_objective: bool,
    adapter: Adapter,
    adapter_attention: AdapterAttention,
    prompts: Prompts,
    prompt_positions: Vec<PromptPosition>,
    prompt_mask: PromptMask,
    context_tokens: usize,
    loss: Loss,
    aggregation: Aggregation,
}
