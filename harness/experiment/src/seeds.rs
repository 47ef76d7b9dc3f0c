//! Seeds that are too near each other for a deviation over them to be one.

use harness_method::parameters::Initial;

use crate::plan::{Plan, Training};

/// Uniform draws that a normal initial value is the sum of (docs/method.md, section 5). Values of seeds nearer than
/// that share some of them.
const DRAWS: u64 = 12;

/// A warning where seeds share draws of initial values.
pub(crate) fn warning(plan: &Plan) -> Option<String> {
    let mut seeds = plan.seeds.clone();
    seeds.sort_unstable();
    let (one, next) = seeds.windows(2).map(|pair| (pair[0], pair[1])).find(|(one, next)| next - one < DRAWS)?;
    if !plan.trainings.iter().any(begins_with_normal_values) {
        return None;
    }
    let shared = DRAWS - (next - one);
    Some(format!(
        "seeds {one} and {next} share {shared} of the {DRAWS} draws behind each normal initial value (docs/method.md, section \
         5), so deviations over seeds may come out too small; take seeds further apart, such as seeds = [0, 100, 200]"
    ))
}

fn begins_with_normal_values(training: &Training) -> bool {
    let tensors = training.options.tensors(training.support_sizes());
    tensors.iter().any(|tensor| matches!(tensor.initial, Initial::Normal(_)))
}
