//! Linear layers: products that add bias, activation and residual before an element leaves its register.

use std::sync::{Arc, OnceLock};

use burn_flex::Flex;
use harness_method::options::Activation;
use madclip::kernels::{Linear, SLOPE};
use pulp::Simd;

use crate::activation::forward;
use crate::buffers;
use crate::matrix::Values;
use crate::panels::Panels;
use crate::threads::over_rows;
use crate::tile::{Finish, Part, Rows, Tiled, read, run, sweep, write};

/// A frozen layer, in panels.
#[derive(Clone, Debug)]
pub struct Layer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    weight: Panels,
    bias: Vec<f32>,
    /// The weight the other way round, for gradients.
    back: OnceLock<Panels>,
}

/// What is done to an element after its sum.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then<'a> {
    /// Nothing.
    Keep,
    /// The activation of a tower.
    Activation(Activation),
    /// LeakyReLU.
    Leaky,
    /// Adds the element of another matrix at the same position.
    Add(&'a [f32]),
    /// Adds the value that the result holds already.
    Accumulate,
}

impl Layer {
    pub(crate) fn new(linear: Linear<Flex>) -> Self {
        let depth = linear.weight.dims()[1];
        let weight = Panels::of_transposed(Values::of(linear.weight).as_slice(), depth);
        let bias = Values::of(linear.bias).as_slice().to_vec();
        Self(Arc::new(Inner { weight, bias, back: OnceLock::new() }))
    }

    /// Width of a result.
    pub(crate) fn outputs(&self) -> usize {
        self.0.weight.columns()
    }

    /// `x W^T + b` over rows, finished, into `out`.
    pub(crate) fn apply(&self, x: &[f32], then: Then<'_>, out: &mut [f32]) {
        product(x, &self.0.weight, Some(&self.0.bias), then, out);
    }

    /// The same on this thread alone.
    pub(crate) fn apply_here(&self, x: &[f32], then: Then<'_>, out: &mut [f32]) {
        let panels = &self.0.weight;
        let target = Target { out, bias: Some(&self.0.bias), columns: panels.columns(), width: panels.width() };
        run(Product { rows: Rows::of(x, panels.depth()), panels, then, target });
    }

    /// `gradient W`: with respect to x.
    pub(crate) fn gradient(&self, gradient: &[f32]) -> Vec<f32> {
        let back = self.0.back.get_or_init(|| {
            let transposed = self.0.weight.to_rows();
            Panels::of_transposed(&transposed, self.0.weight.columns())
        });
        let mut out = buffers::take(gradient.len() / back.depth() * back.columns());
        product(gradient, back, None, Then::Keep, &mut out);
        out
    }
}

/// `rows` times `panels`, row-major into `out`.
pub(crate) fn product(rows: &[f32], panels: &Panels, bias: Option<&[f32]>, then: Then<'_>, out: &mut [f32]) {
    let (depth, columns) = (panels.depth(), panels.columns());
    over_rows(out, columns, |first, out| {
        let count = out.len() / columns;
        let rows = Rows::of(&rows[first * depth..][..count * depth], depth);
        let then = match then {
            Then::Add(other) => Then::Add(&other[first * columns..][..count * columns]),
            then => then,
        };
        run(Product { rows, panels, then, target: Target { out, bias, columns, width: panels.width() } });
    });
}

struct Product<'a> {
    rows: Rows<'a>,
    panels: &'a Panels,
    then: Then<'a>,
    target: Target<'a>,
}

impl Tiled for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(self, simd: S) {
        let Self { rows, panels, then, target } = self;
        match then {
            Then::Keep => sweep::<S, ROWS>(simd, rows, panels, &mut Keep(target)),
            Then::Activation(Activation::Gelu) => sweep::<S, ROWS>(simd, rows, panels, &mut Gelu(target)),
            Then::Activation(Activation::QuickGelu) => sweep::<S, ROWS>(simd, rows, panels, &mut QuickGelu(target)),
            Then::Leaky => sweep::<S, ROWS>(simd, rows, panels, &mut Leaky(target)),
            Then::Add(other) => sweep::<S, ROWS>(simd, rows, panels, &mut Add(target, other)),
            Then::Accumulate => sweep::<S, ROWS>(simd, rows, panels, &mut Accumulate(target)),
        }
    }
}

/// The matrix that sums are written to, and the bias that is added to each.
struct Target<'a> {
    out: &'a mut [f32],
    bias: Option<&'a [f32]>,
    columns: usize,
    width: usize,
}

impl Target<'_> {
    /// Indices of a part in the matrix.
    #[inline(always)]
    fn range(&self, row: usize, panel: usize) -> std::ops::Range<usize> {
        let from = row * self.columns + panel * self.width;
        from..from + self.width.min(self.columns - panel * self.width)
    }

    #[inline(always)]
    fn biased<S: Simd>(&self, simd: S, panel: usize, sum: Part<S>) -> Part<S> {
        let Some(bias) = self.bias else { return sum };
        let from = panel * self.width;
        let bias = read(simd, &bias[from..][..self.width.min(self.columns - from)]);
        [simd.add_f32s(sum[0], bias[0]), simd.add_f32s(sum[1], bias[1])]
    }
}

/// Finishes that are a function of the sum alone.
macro_rules! finish {
    ($name:ident, $simd:ident, $sum:ident, $of:expr) => {
        struct $name<'a>(Target<'a>);

        impl<S: Simd> Finish<S> for $name<'_> {
            #[inline(always)]
            fn finish(&mut self, $simd: S, row: usize, panel: usize, sum: Part<S>) {
                let mut sum = self.0.biased($simd, panel, sum);
                for $sum in &mut sum {
                    *$sum = $of;
                }
                let range = self.0.range(row, panel);
                write($simd, &mut self.0.out[range], sum);
            }
        }
    };
}

finish!(Keep, simd, x, *x);
finish!(Gelu, simd, x, forward(simd, *x, Activation::Gelu));
finish!(QuickGelu, simd, x, forward(simd, *x, Activation::QuickGelu));
finish!(Leaky, simd, x, simd.max_f32s(*x, simd.mul_f32s(*x, simd.splat_f32s(SLOPE as f32))));

struct Add<'a>(Target<'a>, &'a [f32]);

impl<S: Simd> Finish<S> for Add<'_> {
    #[inline(always)]
    fn finish(&mut self, simd: S, row: usize, panel: usize, sum: Part<S>) {
        let (sum, range) = (self.0.biased(simd, panel, sum), self.0.range(row, panel));
        let other = read(simd, &self.1[range.clone()]);
        write(simd, &mut self.0.out[range], [simd.add_f32s(sum[0], other[0]), simd.add_f32s(sum[1], other[1])]);
    }
}

struct Accumulate<'a>(Target<'a>);

impl<S: Simd> Finish<S> for Accumulate<'_> {
    #[inline(always)]
    fn finish(&mut self, simd: S, row: usize, panel: usize, sum: Part<S>) {
        let (sum, range) = (self.0.biased(simd, panel, sum), self.0.range(row, panel));
        let out = &mut self.0.out[range];
        let other = read(simd, out);
        write(simd, out, [simd.add_f32s(sum[0], other[0]), simd.add_f32s(sum[1], other[1])]);
    }
}
