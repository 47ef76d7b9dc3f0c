//! Draws, smooth noise and waves the phantom is made of. Only exactly rounded operations: no sine, no power.

use harness_method::streams::Stream;

/// Draws of a stream, one after another.
#[derive(Clone, Debug)]
pub(super) struct Draws {
    stream: Stream,
    next: u64,
}

impl Draws {
    pub(super) fn new(name: &str, seed: u64) -> Self {
        Self { stream: Stream::new(name, seed), next: 0 }
    }

    /// Uniform in 0..1.
    pub(super) fn unit(&mut self) -> f64 {
        let value = self.stream.uniform(self.next);
        self.next += 1;
        value
    }

    /// Uniform in `low..high`.
    pub(super) fn range(&mut self, (low, high): (f64, f64)) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in -1..1.
    pub(super) fn signed(&mut self) -> f64 {
        2.0 * self.unit() - 1.0
    }

    /// True with probability `p`.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Bell-shaped, mean 0, deviation 1: the sum of four uniforms.
    pub(super) fn bell(&mut self) -> f64 {
        /// Square root of 3: four uniforms have variance 1/3.
        const SCALE: f64 = 1.732_050_807_568_877_2;
        (self.unit() + self.unit() + self.unit() + self.unit() - 2.0) * SCALE
    }

    /// A direction, as a unit vector.
    pub(super) fn direction(&mut self) -> (f64, f64) {
        loop {
            let (x, y) = (self.signed(), self.signed());
            let square = x * x + y * y;
            if square > 0.01 && square <= 1.0 {
                let length = square.sqrt();
                return (x / length, y / length);
            }
        }
    }
}

/// From 0 at `low` to 1 at `high`, smooth at both; `low` may be the greater one.
pub(super) fn smoothstep(low: f64, high: f64, x: f64) -> f64 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A wave of period 1 between -1 and 1, made of two parabolas: within 6 % of a sine.
pub(super) fn wave(x: f64) -> f64 {
    let t = x - x.floor();
    if t < 0.5 { 16.0 * t * (0.5 - t) } else { -16.0 * (t - 0.5) * (1.0 - t) }
}

/// Smooth noise over the image: random values on a grid, blended between.
#[derive(Clone, Debug)]
pub(super) struct Lattice {
    cells: usize,
    values: Vec<f64>,
}

impl Lattice {
    /// A grid of `cells` cells a side over -1..1; values in -1..1.
    pub(super) fn draw(draws: &mut Draws, cells: usize) -> Self {
        Self { cells, values: (0..(cells + 1) * (cells + 1)).map(|_| draws.signed()).collect() }
    }

    /// The noise at a point; outside -1..1, that of the nearest edge.
    pub(super) fn at(&self, u: f64, v: f64) -> f64 {
        let split = |x: f64| {
            let position = ((x + 1.0) * 0.5 * self.cells as f64).clamp(0.0, self.cells as f64);
            let cell = (position as usize).min(self.cells - 1);
            (cell, smoothstep(0.0, 1.0, position - cell as f64))
        };
        let ((x, wx), (y, wy)) = (split(u), split(v));
        let value = |dx: usize, dy: usize| self.values[(y + dy) * (self.cells + 1) + x + dx];
        let upper = value(0, 0) + wx * (value(1, 0) - value(0, 0));
        let lower = value(0, 1) + wx * (value(1, 1) - value(0, 1));
        upper + wy * (lower - upper)
    }
}
