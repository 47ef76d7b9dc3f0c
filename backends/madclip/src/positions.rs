//! Position tables at another grid: bicubic with antialiasing, half-pixel centres (docs/method.md section 1).

use harness_method::keys_kernel;

/// Resizes the grid part of a position table `[1 + from * from, width]` to `[1 + to * to, width]`; the class row stays.
pub(crate) fn resize(table: &[f32], from: usize, to: usize, width: usize) -> Vec<f32> {
    if from == to {
        return table.to_vec();
    }
    let (class, grid) = table.split_at(width);
    let weights = antialiased_bicubic(from, to);
    let mut rows = vec![0.0f64; to * from * width];
    for (y, row) in weights.iter().enumerate() {
        for (source, weight) in row {
            for i in 0..from * width {
                rows[y * from * width + i] += weight * f64::from(grid[source * from * width + i]);
            }
        }
    }
    let mut out = Vec::with_capacity(width * (1 + to * to));
    out.extend_from_slice(class);
    for y in 0..to {
        for row in &weights {
            for channel in 0..width {
                let sum: f64 =
                    row.iter().map(|(source, weight)| weight * rows[(y * from + source) * width + channel]).sum();
                out.push(sum as f32);
            }
        }
    }
    out
}

/// Per output index the (input index, weight) pairs of PyTorch's `antialias=True` (Keys' kernel, a = -0.5).
fn antialiased_bicubic(from: usize, to: usize) -> Vec<Vec<(usize, f64)>> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    (0..to)
        .map(|i| {
            let centre = scale * (i as f64 + 0.5);
            let first = (centre - 2.0 * stretch + 0.5).max(0.0) as usize;
            let end = ((centre + 2.0 * stretch + 0.5) as usize).min(from);
            let taps: Vec<(usize, f64)> =
                (first..end).map(|j| (j, keys_kernel((j as f64 - centre + 0.5) / stretch))).collect();
            let total: f64 = taps.iter().map(|(_, weight)| weight).sum();
            taps.into_iter().map(|(j, weight)| (j, weight / total)).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of one channel whose grid has the value `f(row, column)`.
    fn table(side: usize, f: impl Fn(f32, f32) -> f32) -> Vec<f32> {
        let cells = (0..side * side).map(|i| f((i / side) as f32, (i % side) as f32));
        std::iter::once(-7.0).chain(cells).collect()
    }

    #[test]
    fn the_same_grid_is_the_same_table_and_the_class_row_always_stays() {
        let given = table(4, |y, x| y * 10.0 + x);
        assert_eq!(resize(&given, 4, 4, 1), given);
        for to in [1, 3, 9] {
            let found = resize(&given, 4, to, 1);
            assert_eq!((found.len(), found[0]), (1 + to * to, -7.0));
        }
    }

    #[test]
    fn a_constant_stays_constant_and_channels_do_not_mix() {
        let given: Vec<f32> = [0.0, 0.0].into_iter().chain([3.0, -5.0].repeat(16)).collect();
        for to in [2, 3, 7] {
            let found = resize(&given, 4, to, 2);
            assert!(found[2..].chunks(2).all(|cell| (cell[0] - 3.0).abs() < 1e-6 && (cell[1] + 5.0).abs() < 1e-6));
        }
    }

    #[test]
    fn a_ramp_stays_a_ramp_away_from_the_edges() {
        let found = resize(&table(8, |y, x| y + 2.0 * x), 8, 16, 1);
        for (y, x) in (5..11).flat_map(|y| (5..11).map(move |x| (y, x))) {
            let (row, column) = ((y as f32 + 0.5) / 2.0 - 0.5, (x as f32 + 0.5) / 2.0 - 0.5);
            assert!((found[1 + y * 16 + x] - (row + 2.0 * column)).abs() < 1e-5);
        }
    }

    #[test]
    fn weights_of_each_cell_add_up_to_one_and_mirror_each_other() {
        for (from, to) in [(2, 1), (24, 17), (4, 9)] {
            let weights = antialiased_bicubic(from, to);
            for (i, row) in weights.iter().enumerate() {
                assert!((row.iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-12);
                let mirrored = &weights[to - 1 - i];
                for ((a, weight), (b, other)) in row.iter().zip(mirrored.iter().rev()) {
                    assert!(a + b == from - 1 && (weight - other).abs() < 1e-12, "{from} to {to}");
                }
            }
        }
        assert_eq!(antialiased_bicubic(2, 1), [vec![(0, 0.5), (1, 0.5)]]);
    }
}
