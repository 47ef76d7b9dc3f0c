//! The product of one matrix's transpose with another, which gives a weight's gradient: long sums over tokens. Blocks
//! of tokens are laid out for the tiles as they come.

use pulp::Simd;
use rayon::prelude::*;

use crate::adapters::slope;
use crate::buffers;
use crate::panels::VECTORS;
use crate::tile::{Part, Tiled, read, run, write};

/// Tokens of a block: a panel of them stays in a core's first cache.
const BLOCK: usize = 512;

/// `a^T b` of `a` `[n, p]` and `b` `[n, q]`: `[p, q]`. With `output`, `[n, p]`, `a` is a gradient with respect to a
/// LeakyReLU's result and is taken through it first.
pub(crate) fn transposed_product(a: &[f32], output: Option<&[f32]>, p: usize, b: &[f32], q: usize) -> Vec<f32> {
    let mut out = buffers::take(p * q);
    let rows = p.div_ceil(rayon::current_num_threads()).next_multiple_of(12).min(192);
    out.par_chunks_mut(rows * q).enumerate().for_each(|(i, out)| {
        run(Columns { a, output, p, b, q, first: i * rows, out });
    });
    out
}

/// Some columns of `a`, which are rows of the result.
struct Columns<'a> {
    a: &'a [f32],
    output: Option<&'a [f32]>,
    p: usize,
    b: &'a [f32],
    q: usize,
    first: usize,
    out: &'a mut [f32],
}

impl Tiled for Columns<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(self, simd: S) {
        let Self { a, output, p, b, q, first, out } = self;
        let (count, width) = (out.len() / q, VECTORS * S::F32_LANES);
        let tiles = count.div_ceil(ROWS);
        let mut packed = vec![[0.0f32; ROWS]; tiles * BLOCK];
        #[expect(clippy::useless_vec, reason = "64 KiB, much for a stack")]
        let mut panel = vec![[simd.splat_f32s(0.0); VECTORS]; BLOCK];
        let mut row = vec![0.0; tiles * ROWS];
        out.fill(0.0);
        for (number, (a, b)) in a.chunks(BLOCK * p).zip(b.chunks(BLOCK * q)).enumerate() {
            let depth = b.len() / q;
            for (token, a) in a.chunks_exact(p).enumerate() {
                let output = output.map(|output| &output[(number * BLOCK + token) * p + first..][..count]);
                taken(&a[first..][..count], output, &mut row[..count]);
                for (tile, values) in row.chunks_exact(ROWS).enumerate() {
                    packed[tile * BLOCK + token].copy_from_slice(values);
                }
            }
            for from in (0..q).step_by(width) {
                let columns = width.min(q - from);
                for (part, b) in panel.iter_mut().zip(b.chunks_exact(q)) {
                    *part = read(simd, &b[from..][..columns]);
                }
                for tile in 0..tiles {
                    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
                    multiply::<S, ROWS>(simd, &packed[tile * BLOCK..][..depth], &panel[..depth], &mut sums);
                    for i in 0..ROWS.min(count - tile * ROWS) {
                        let out = &mut out[(tile * ROWS + i) * q + from..][..columns];
                        let before = read(simd, out);
                        let sum = sums[i];
                        write(simd, out, [simd.add_f32s(before[0], sum[0]), simd.add_f32s(before[1], sum[1])]);
                    }
                }
            }
        }
    }
}

/// A token's values, through LeakyReLU where its output is given.
#[inline(always)]
fn taken(values: &[f32], output: Option<&[f32]>, into: &mut [f32]) {
    match output {
        None => into.copy_from_slice(values),
        Some(output) => {
            for ((into, &value), &output) in into.iter_mut().zip(values).zip(output) {
                *into = value * slope(output);
            }
        }
    }
}

#[inline(always)]
fn multiply<S: Simd, const ROWS: usize>(simd: S, packed: &[[f32; ROWS]], panel: &[Part<S>], out: &mut [Part<S>; ROWS]) {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    for (values, columns) in packed.iter().zip(panel) {
        for i in 0..ROWS {
            let value = simd.splat_f32s(values[i]);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_that_fill_no_tile_and_no_block_give_the_product() {
        let (n, p, q) = (BLOCK + 3, 29, 37);
        let a: Vec<f32> = (0..n * p).map(|i| (i % 7) as f32 - 3.0).collect();
        let b: Vec<f32> = (0..n * q).map(|i| (i % 5) as f32 - 2.0).collect();
        let found = transposed_product(&a, None, p, &b, q);
        for (i, &found) in found.iter().enumerate() {
            let expected: f32 = (0..n).map(|token| a[token * p + i / q] * b[token * q + i % q]).sum();
            assert_eq!(found, expected, "{i}");
        }
    }
}
