//! The normal distribution: probabilities and quantiles.

/// The probability below `z`.
pub(crate) fn probability_below(z: f64) -> f64 {
    0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
}

/// The probability of `z` or more on both sides.
pub(crate) fn two_sided(z: f64) -> f64 {
    libm::erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// The value below which a probability between 0 and 1 lies, within 1e-12, by halving; not below -30 or above 30.
pub(crate) fn quantile(probability: f64) -> f64 {
    // Searched on the side where a probability is small and exact.
    if probability > 0.5 {
        return -quantile(1.0 - probability);
    }
    let (mut low, mut high) = (-30.0, 0.0);
    while high - low > 1e-12 {
        let middle = (low + high) / 2.0;
        if probability_below(middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_probabilities_are_those_of_tables() {
        for (probability, z) in [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.005, -2.575_829_303_548_901),
            (1e-10, -6.361_340_902_404_056),
        ] {
            assert!((quantile(probability) - z).abs() < 1e-10, "{}", quantile(probability));
            assert!((probability_below(z) / probability - 1.0).abs() < 1e-9);
        }
        assert!((two_sided(-1.959_963_984_540_054) - 0.05).abs() < 1e-15);
    }
}
