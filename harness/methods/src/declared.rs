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
                }
            }
        }
    };
}

pub(crate) use method_options;
