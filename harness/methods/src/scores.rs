//! What a method says of images.

/// The factor of a similarity with a text, in every method: its sigmoid is the softmax over both texts.
pub const TEMPERATURE: f32 = 100.0;

/// What a method says of some images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// `[images, n, G, G]`; empty where there is no map.
    pub grids: Vec<f32>,
    /// One an image, higher for more abnormal.
    pub detection: Vec<f32>,
    /// Where two image scores are joined, the second; else empty.
    pub few: Vec<f32>,
}

/// Grids of n lists `[images, G, G]` as `[images, n, G, G]`.
pub(crate) fn interleaved(lists: &[Vec<f32>], images: usize) -> Vec<f32> {
    let points = lists.first().map_or(0, Vec::len) / images.max(1);
    (0..images)
        .flat_map(|image| lists.iter().flat_map(move |list| &list[image * points..][..points]))
        .copied()
        .collect()
}

/// The mean of the floor(n / 100) largest values, at least one.
pub(crate) fn mean_of_largest(values: &[f32]) -> f32 {
    let count = (values.len() / 100).max(1).min(values.len());
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    sorted[..count].iter().sum::<f32>() / count as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_hundredth_decides_and_at_least_one_token() {
        let values: Vec<f32> = (0..289).map(|i| (i * 7 % 289) as f32).collect();
        assert_eq!(mean_of_largest(&values), 287.5);
        assert_eq!(mean_of_largest(&[1.0, 3.0, 2.0]), 3.0);
    }

    #[test]
    fn grids_of_one_image_stand_together() {
        assert_eq!(interleaved(&[vec![1.0, 2.0], vec![3.0, 4.0]], 2), [1.0, 3.0, 2.0, 4.0]);
        assert!(interleaved(&[], 2).is_empty());
    }
}
