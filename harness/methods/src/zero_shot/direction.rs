//! A random direction in the space of texts: the control that shows what any direction gives for nothing.

use harness_method::streams::Stream;

/// Its length. A logit is then within 10 of 0, so that no sigmoid is rounded to 0 or 1; the order of scores does not
/// depend on it.
const LENGTH: f64 = 0.1;

/// The direction of a seed, `[embed]`, of length 0.1: standard normal draws of the stream `direction.<seed>`, the same
/// for every dataset.
pub fn random_direction(seed: u64, embed: usize) -> Vec<f32> {
    // The seed stands in the name: under one name a seed's draws are those of the seed before, moved by one place, so
    // neighbours would share eleven of the twelve draws of every value.
    let stream = Stream::new(&format!("direction.{seed}"), 0);
    let drawn: Vec<f64> = (0..embed as u64).map(|at| stream.standard_normal(at)).collect();
    let length = drawn.iter().map(|value| value * value).sum::<f64>().sqrt();
    drawn.into_iter().map(|value| (LENGTH * value / length) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direction_is_that_of_its_seed() {
        // By a program of its own, docs/method.md section 5 in NumPy.
        let expected: [(u64, [f32; 4]); 2] = [
            (0, [0.013_797_22, -0.083_950_14, 0.047_951_48, -0.021_509_68]),
            (7, [-0.049_348_09, -0.044_612_834, -0.012_277_262, 0.073_645_98]),
        ];
        for (seed, expected) in expected {
            let found = random_direction(seed, 4);
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-7), "{seed}: {found:?}");
        }
    }

    #[test]
    fn directions_have_one_length_and_differ_from_seed_to_seed() {
        let directions: Vec<Vec<f32>> = (0..100).map(|seed| random_direction(seed, 768)).collect();
        for (number, direction) in directions.iter().enumerate() {
            let product = |other: &[f32]| direction.iter().zip(other).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            assert!((product(direction).sqrt() - LENGTH).abs() < 1e-6);
            // Two of 768 channels are nearly at right angles.
            assert!(directions[..number].iter().all(|other| product(other).abs() < 0.2 * LENGTH * LENGTH));
        }
    }
}
