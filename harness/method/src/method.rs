//! Which method computes, and the version of its numbers.

harness_config::named_enum! {
    /// A method: a set of options and what is computed from them.
    #[derive(Default)]
    pub enum Method {
        /// MadCLIP (docs/method.md).
        #[default]
        Madclip = "madclip",
    }
}

/// Version of MadCLIP here: raised when the same options come to mean other numbers, so that no old result is reused.
const MADCLIP_VERSION: u32 = 1;

impl Method {
    /// The name under which it was published, as in tables of published numbers.
    pub const fn published_name(self) -> &'static str {
        match self {
            Self::Madclip => "MadCLIP",
        }
    }

    /// The version of its numbers that this program computes. Part of every training's id.
    pub const fn version(self) -> u32 {
        match self {
            Self::Madclip => MADCLIP_VERSION,
        }
    }
}
