//! The options that every method has, declared with those of its own.

/// Declares a method's options: those of the encoding, then its own.
macro_rules! method_options {
    ($($own:tt)*) => {
        harness_method::declare! {
            /// Side of the images the encoder sees, in pixels; at least one patch, at most 4096
            image_size: usize {
                released: 240,
                shared: true,
                check: |options, arch| harness_method::options::checks::image_size(options.image_size, arch.patch),
            }
            /// Blocks whose outputs are used, counted from 1
            taps: Vec<usize> {
                released: vec![6, 12, 18, 24],
                values: "ascending list of whole numbers from 1",
                shared: true,
                check: |options, arch| harness_method::options::checks::taps(&options.taps, arch.layers),
            }
            /// Activation inside both towers
            activation: harness_method::options::Activation {
                released: harness_method::options::Activation::Gelu,
            }
            /// Mean and deviation taken off an image just before the encoder
            normalize: harness_method::options::Normalize {
                released: harness_method::options::Normalize::None,
            }
            $($own)*
        }

        impl Options {
            pub(crate) fn encoded(&self) -> $crate::settings::Encoding<'_> {
                $crate::settings::Encoding {
                    image_size: self.image_size,
                    taps: &self.taps,
                    activation: self.activation,
                    normalize: self.normalize,
                    windows: &[],
                }
            }
        }
    };
}

/// Declares the options of a method whose heads are trained by steps: those of every method, its own, and its schedule.
macro_rules! stepped_options {
    (epochs: $epochs:literal, batch: $batch:literal; $($own:tt)*) => {
        $crate::declared::method_options! {
            $($own)*
            /// The abnormal class's phrases in fixed sentences: MadCLIP's seven, or the five that MVFA and APRIL-GAN
            /// have
            states: harness_method::prompts::States {
                released: harness_method::prompts::States::Mvfa,
            }
            /// Passes over the variants of the support images
            epochs: u32 {
                released: $epochs,
                values: "whole number from 1",
                check: |options, _| (options.epochs == 0).then(|| "`epochs` is 0; choose at least 1".to_owned()),
            }
            /// Images a step
            batch: u32 {
                released: $batch,
                values: "whole number from 1",
                check: |options, _| (options.batch == 0).then(|| "`batch` is 0; choose at least 1".to_owned()),
            }
            /// Step size of Adam
            learning_rate: Real {
                released: Real(1e-3),
                values: "positive number",
                check: |options, _| (!(options.learning_rate.0.is_finite() && options.learning_rate.0 > 0.0)).then(|| {
                    format!("`learning_rate` is {}; choose a positive number", options.learning_rate)
                }),
            }
        }

        impl Options {
            fn steps(&self) -> $crate::settings::Schedule {
                let (epochs, batch) = (self.epochs, self.batch);
                $crate::settings::Schedule { epochs, batch, learning_rate: self.learning_rate.0 }
            }
        }
    };
}

pub(crate) use method_options;
pub(crate) use stepped_options;
