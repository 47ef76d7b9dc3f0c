//! A [`BurnBackend`] as a plugin of the interface.

use std::marker::PhantomData;

use harness_backend_abi::plugin::{Capability, Description, Failure, Plugin, Precision, SessionOptions};

use crate::{BurnBackend, BurnSession, panics};

/// A [`BurnBackend`] as the interface sees it: `export_backend!(BurnPlugin<MyBackend>)`.
#[derive(Clone, Copy, Debug)]
pub struct BurnPlugin<D>(PhantomData<fn() -> D>);

/// All that the functions here do, and that kernels are compiled at run time.
const ALL_AND_COMPILES: [Capability; Capability::ALL.len() + 1] = {
    let mut all = [Capability::Compiles; Capability::ALL.len() + 1];
    let mut i = 0;
    while i < Capability::ALL.len() {
        all[i] = Capability::ALL[i];
        i += 1;
    }
    all
};

impl<D: BurnBackend> Plugin for BurnPlugin<D> {
    const CAPABILITIES: &'static [Capability] = if D::COMPILES { &ALL_AND_COMPILES } else { &Capability::ALL };
    type Session = BurnSession<D>;

    fn describe() -> Description {
        Description {
            name: D::NAME.to_owned(),
            version: D::VERSION.to_owned(),
            devices: D::devices(),
            precisions: D::precisions().iter().map(|precision| precision.name().to_owned()).collect(),
            note: D::note(),
            ..Description::default()
        }
    }

    fn open(options: SessionOptions) -> Result<BurnSession<D>, Failure> {
        let devices = D::devices();
        if !devices.contains(&options.device) {
            let (name, device) = (D::NAME, &options.device);
            return Err(Failure::invalid(format!("`{name}` has no device `{device}` here; it has {devices:?}")));
        }
        if options.threads == Some(0) {
            return Err(Failure::invalid("`threads` is 0, expected at least 1"));
        }
        if options.tf32 && !D::precisions().contains(&Precision::Tf32) {
            return Err(Failure::unsupported(format!("`{}` has no option `tf32`", D::NAME)));
        }
        if D::COMPILES {
            panics::watch();
        }
        D::open(&options).map(BurnSession::new)
    }
}
