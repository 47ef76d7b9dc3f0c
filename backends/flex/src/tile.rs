//! The product kernel: a few rows of one matrix times one panel of another, sums held in registers from the first
//! element to the last. Each element of a product is summed in order of depth, whatever rows or threads surround it.

use pulp::{Arch, Simd, WithSimd};

use crate::panels::{Panels, VECTORS};

/// A row-major matrix whose rows may lie apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    values: &'a [f32],
    stride: usize,
    count: usize,
}

impl<'a> Rows<'a> {
    /// Rows next to each other.
    pub(crate) fn of(values: &'a [f32], width: usize) -> Self {
        Self { values, stride: width, count: values.len() / width }
    }

    /// `count` rows, each `stride` after the last.
    pub(crate) fn strided(values: &'a [f32], stride: usize, count: usize) -> Self {
        Self { values, stride, count }
    }
}

/// One row of a tile: its elements in one panel.
pub(crate) type Part<S> = [<S as Simd>::f32s; VECTORS];

/// Work that is made of tiles of `ROWS` rows.
pub(crate) trait Tiled {
    type Output;

    /// Mark it `#[inline(always)]`: it must become part of the code for one instruction set.
    fn run<S: Simd, const ROWS: usize>(self, simd: S) -> Self::Output;
}

/// Runs with the widest vectors this machine has, and as many rows as its registers hold.
pub(crate) fn run<T: Tiled>(work: T) -> T::Output {
    struct Widest<T>(T);
    impl<T: Tiled> WithSimd for Widest<T> {
        type Output = T::Output;
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> T::Output {
            match S::F32_LANES {
                16 => self.0.run::<S, 12>(simd),
                8 => self.0.run::<S, 6>(simd),
                4 => self.0.run::<S, 10>(simd),
                _ => self.0.run::<S, 4>(simd),
            }
        }
    }
    Arch::new().dispatch(Widest(work))
}

/// What is done to sums. A trait and not a closure: only a method can be marked `#[inline(always)]`, as it must be to
/// become part of the code for one instruction set.
pub(crate) trait Finish<S: Simd> {
    /// Called once for each row of each panel.
    fn finish(&mut self, simd: S, row: usize, panel: usize, sum: Part<S>);
}

/// `rows` times `panels`.
#[inline(always)]
pub(crate) fn sweep<S: Simd, const ROWS: usize>(simd: S, rows: Rows<'_>, panels: &Panels, finish: &mut impl Finish<S>) {
    let (depth, last) = (panels.depth(), rows.count.saturating_sub(1));
    for (number, panel) in panels.iter().enumerate() {
        let (vectors, _) = S::as_simd_f32s(panel);
        let (panel, _) = pulp::as_arrays::<VECTORS, _>(vectors);
        for from in (0..rows.count).step_by(ROWS) {
            // Rows beyond the last are the last again, and dropped.
            let mut tile = [&rows.values[..0]; ROWS];
            for (i, tile) in tile.iter_mut().enumerate() {
                *tile = &rows.values[(from + i).min(last) * rows.stride..][..depth];
            }
            let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
            multiply::<S, ROWS>(simd, &tile, panel, &mut sums);
            for (i, sums) in sums.into_iter().enumerate().take(rows.count - from) {
                finish.finish(simd, from + i, number, sums);
            }
        }
    }
}

#[inline(always)]
fn multiply<S: Simd, const ROWS: usize>(simd: S, tile: &[&[f32]; ROWS], panel: &[Part<S>], out: &mut [Part<S>; ROWS]) {
    let mut rows = *tile;
    for i in 0..ROWS {
        rows[i] = &tile[i][..panel.len()];
    }
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    for (depth, columns) in panel.iter().enumerate() {
        for i in 0..ROWS {
            let value = simd.splat_f32s(rows[i][depth]);
            for j in 0..VECTORS {
                sums[i][j] = simd.mul_add_e_f32s(value, columns[j], sums[i][j]);
            }
        }
    }
    #[expect(clippy::manual_memcpy, reason = "one by one, so that the sums stay in registers")]
    for i in 0..ROWS {
        out[i] = sums[i];
    }
}

/// Reads a part of a row that may end within it; elements beyond it are zero.
#[inline(always)]
pub(crate) fn read<S: Simd>(simd: S, row: &[f32]) -> Part<S> {
    let lanes = S::F32_LANES;
    if row.len() >= VECTORS * lanes {
        let (vectors, _) = S::as_simd_f32s(row);
        [vectors[0], vectors[1]]
    } else {
        let (first, second) = row.split_at(row.len().min(lanes));
        [simd.partial_load_f32s(first), simd.partial_load_f32s(second)]
    }
}

/// Writes a part of a row that may end within it.
#[inline(always)]
pub(crate) fn write<S: Simd>(simd: S, row: &mut [f32], part: Part<S>) {
    let lanes = S::F32_LANES;
    if row.len() >= VECTORS * lanes {
        let (vectors, _) = S::as_mut_simd_f32s(row);
        [vectors[0], vectors[1]] = part;
    } else {
        let (first, second) = row.split_at_mut(row.len().min(lanes));
        simd.partial_store_f32s(first, part[0]);
        simd.partial_store_f32s(second, part[1]);
    }
}
