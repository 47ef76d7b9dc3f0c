//! Matrices laid out for the product kernel: panels of as many columns as two vectors hold, each panel row by row.

use bytemuck::{Pod, Zeroable};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Vectors a panel is wide.
pub(crate) const VECTORS: usize = 2;

/// A cache line: no vector of a panel lies across two.
#[derive(Clone, Copy, Debug, Zeroable, Pod)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A matrix `[depth, columns]` in panels; columns that are not there are zero.
#[derive(Clone, Debug)]
pub(crate) struct Panels {
    lines: Vec<Line>,
    depth: usize,
    columns: usize,
    width: usize,
}

/// Columns of a panel on this machine.
pub(crate) fn width() -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    VECTORS * Arch::new().dispatch(Lanes)
}

impl Panels {
    /// Room for a matrix.
    pub(crate) fn zeros(depth: usize, columns: usize) -> Self {
        let width = width();
        let values = depth * columns.next_multiple_of(width);
        Self { lines: vec![Line::zeroed(); values.div_ceil(16)], depth, columns, width }
    }

    /// The transpose of a row-major `[columns, depth]`, the layout of a linear layer's weight.
    pub(crate) fn of_transposed(matrix: &[f32], depth: usize) -> Self {
        let mut panels = Self::zeros(depth, matrix.len() / depth);
        panels.fill_transposed(matrix, depth);
        panels
    }

    /// A row-major `[depth, columns]`.
    pub(crate) fn of(matrix: &[f32], columns: usize) -> Self {
        let mut panels = Self::zeros(matrix.len() / columns, columns);
        panels.fill(matrix, columns);
        panels
    }

    /// Takes other values: column c is at `matrix[c * stride ..]`.
    pub(crate) fn fill_transposed(&mut self, matrix: &[f32], stride: usize) {
        let (depth, columns, width) = (self.depth, self.columns, self.width);
        self.each(|panel, values| {
            for column in 0..width.min(columns - panel * width) {
                let source = &matrix[(panel * width + column) * stride..][..depth];
                for (row, &value) in values.chunks_exact_mut(width).zip(source) {
                    row[column] = value;
                }
            }
        });
    }

    /// Takes other values: row r is at `matrix[r * stride ..]`.
    pub(crate) fn fill(&mut self, matrix: &[f32], stride: usize) {
        let (columns, width) = (self.columns, self.width);
        self.each(|panel, values| {
            let count = width.min(columns - panel * width);
            for (row, source) in values.chunks_exact_mut(width).zip(matrix.chunks(stride)) {
                row[..count].copy_from_slice(&source[panel * width..][..count]);
            }
        });
    }

    /// Row-major `[depth, columns]`.
    pub(crate) fn to_rows(&self) -> Vec<f32> {
        let mut rows = vec![0.0; self.depth * self.columns];
        for (panel, values) in self.iter().enumerate() {
            let count = self.width.min(self.columns - panel * self.width);
            for (row, source) in rows.chunks_exact_mut(self.columns).zip(values.chunks_exact(self.width)) {
                row[panel * self.width..][..count].copy_from_slice(&source[..count]);
            }
        }
        rows
    }

    /// Rows of the matrix.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of the matrix.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Columns of a panel.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The panels, `[depth, width]` each.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        let panel = self.depth * self.width;
        let count = self.columns.div_ceil(self.width);
        bytemuck::cast_slice::<Line, f32>(&self.lines)[..count * panel].chunks_exact(panel)
    }

    /// On small matrices threads cost more than they give.
    fn each(&mut self, fill: impl Fn(usize, &mut [f32]) + Sync) {
        let panel = self.depth * self.width;
        let values = bytemuck::cast_slice_mut::<Line, f32>(&mut self.lines);
        let count = self.columns.div_ceil(self.width);
        if count * panel < 1 << 16 {
            values[..count * panel].chunks_exact_mut(panel).enumerate().for_each(|(i, panel)| fill(i, panel));
        } else {
            values[..count * panel].par_chunks_exact_mut(panel).enumerate().for_each(|(i, panel)| fill(i, panel));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_give_the_same_panels_and_the_matrix_comes_back() {
        let (depth, columns) = (5, 70);
        let matrix: Vec<f32> = (0..depth * columns).map(|i| i as f32).collect();
        let transposed: Vec<f32> =
            (0..columns).flat_map(|c| (0..depth).map(move |r| (r * columns + c) as f32)).collect();
        let (one, other) = (Panels::of(&matrix, columns), Panels::of_transposed(&transposed, depth));
        assert_eq!(one.to_rows(), matrix);
        assert_eq!(other.to_rows(), matrix);
    }
}
