//! Scores as integers of the same order, so that sorting, ties and partitions work on bits.

/// A key that orders as the score does; -0.0 and 0.0 are one key. The score must not be NaN.
#[inline(always)]
pub(crate) fn key(score: f32) -> u32 {
    // Adding 0.0 turns -0.0 into 0.0. Negative numbers then have all their bits flipped, others the sign bit alone.
    let bits = (score + 0.0).to_bits();
    let negative = (bits as i32 >> 31) as u32;
    bits ^ (negative | 0x8000_0000)
}

/// The score of a key.
pub(crate) fn score(key: u32) -> f32 {
    let negative = !(key as i32 >> 31) as u32;
    f32::from_bits(key ^ (negative | 0x8000_0000))
}

#[cfg(test)]
mod tests {
    use super::{key, score};

    #[test]
    fn keys_order_as_scores_do_and_zeros_tie() {
        let ascending =
            [f32::MIN, -2.0, -1.5, -f32::MIN_POSITIVE, -1e-45, 0.0, 1e-45, 1e-3, 1.0, 1.000_000_1, f32::MAX];
        assert!(ascending.windows(2).all(|pair| key(pair[0]) < key(pair[1])));
        assert!(ascending.iter().all(|&value| score(key(value)) == value));
        assert_eq!(key(-0.0), key(0.0));
    }
}
