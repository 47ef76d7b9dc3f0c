//! Images turned by right angles: exact, without interpolation, and no corner is made up.

use rayon::prelude::*;

/// Images `[n, 3, S, S]` as they are, then all of them turned counter-clockwise by 90, by 180 and by 270 degrees:
/// `[4 n, 3, S, S]`.
pub fn turned(images: &[u8], side: usize) -> Vec<u8> {
    let area = side * side;
    let mut out = images.to_vec();
    for _ in 1..4 {
        let mut next = vec![0; images.len()];
        let last = &out[out.len() - images.len()..];
        next.par_chunks_exact_mut(area.max(1)).zip(last.par_chunks_exact(area.max(1))).for_each(|(next, plane)| {
            for (place, pixel) in next.iter_mut().enumerate() {
                let (row, column) = (place / side, place % side);
                *pixel = plane[column * side + side - 1 - row];
            }
        });
        out.extend(next);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_moves_the_right_column_to_the_top_and_keeps_channels_and_images_apart() {
        let images: Vec<u8> = (0..24).collect();
        let found = turned(&images, 2);
        assert_eq!(found.len(), 96);
        assert_eq!(found[..24], images);
        // The first image's first two channels, once, twice and three times.
        assert_eq!(found[24..32], [1, 3, 0, 2, 5, 7, 4, 6]);
        assert_eq!(found[48..52], [3, 2, 1, 0]);
        assert_eq!(found[72..76], [2, 0, 3, 1]);
        // The second image's first channel.
        assert_eq!(found[36..40], [13, 15, 12, 14]);
        assert!(turned(&[], 2).is_empty());
    }
}
