//! Position tables at another grid: bicubic with antialiasing, half-pixel centres (docs/method.md section 1).

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
                (first..end).map(|j| (j, keys((j as f64 - centre + 0.5) / stretch))).collect();
            let total: f64 = taps.iter().map(|(_, weight)| weight).sum();
            taps.into_iter().map(|(j, weight)| (j, weight / total)).collect()
        })
        .collect()
}

fn keys(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}
