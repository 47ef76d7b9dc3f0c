//! Benchmarks: encoding, a training step, scoring and metrics, each alone, in turns across backends. Each backend is in
//! a process of its own and idle while another is measured, so that a disturbance of the machine meets all alike.

mod metrics;
mod outside;
mod turns;

pub use harness_metrics::median;
pub use harness_worker::{PROCESSOR, Part, Workload};
pub use turns::{Benchmark, Measured, Subject, bench};
