//! The names of the complete sets of options that experiments start from (docs/method.md section 9). Their values are declared with
//! the options.

harness_config::named_enum! {
    /// A complete set of options with a name.
    #[derive(Default)]
    pub enum Preset {
        /// What the published code does, at 240 px with taps 6, 12, 18 and 24.
        #[default]
        Released = "released",
        /// The same method on a CLIP used as it was pretrained.
        Clip = "clip",
    }
}
