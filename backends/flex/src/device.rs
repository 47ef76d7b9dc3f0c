//! The CPU as a device, with the threads of one session.

use burn_flex::{Flex, FlexDevice};
use harness_backend_abi::plugin::{Failure, SessionOptions};
use harness_backend_burn::BurnBackend;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::FlexKernels;

/// The CPU. With `threads` a session computes on a pool of its own; without, on the process's, which has as many
/// threads as the machine has cores unless `RAYON_NUM_THREADS` says otherwise.
#[derive(Debug)]
pub struct FlexCpu {
    pool: Option<ThreadPool>,
}

impl BurnBackend for FlexCpu {
    type Backend = Flex;
    type Kernels = FlexKernels;
    const NAME: &'static str = "flex";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn devices() -> Vec<String> {
        vec!["cpu".into()]
    }

    fn open(options: &SessionOptions) -> Result<Self, Failure> {
        let pool = options.threads.map(|threads| {
            let named = ThreadPoolBuilder::new().num_threads(threads).thread_name(|index| format!("flex-{index}"));
            named.build().map_err(|cause| Failure::exhausted(format!("{threads} threads: {cause}")))
        });
        Ok(Self { pool: pool.transpose()? })
    }

    fn device(&self) -> &FlexDevice {
        &FlexDevice
    }

    fn room(&self) -> Option<u64> {
        Some(0)
    }

    fn run<R: Send>(&self, call: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(call),
            None => call(),
        }
    }
}
