//! Counter-based SplitMix64 streams: all randomness that decides a result (docs/method.md section 5). Draw `k` of a
//! stream is a pure function of its name, its seed and `k`, so no library's change can move a result.

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// A named, seeded stream of uniform draws.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    state: u64,
}

impl Stream {
    /// The stream of `name` under `seed`.
    pub fn new(name: &str, seed: u64) -> Self {
        Self { state: fnv1a64(name).wrapping_add(seed.wrapping_mul(GAMMA)) }
    }

    /// Draw `k` (from 0), uniform in `[0, 1)` with 53 bits.
    pub fn uniform(&self, k: u64) -> f64 {
        let mut z = self.state.wrapping_add(k.wrapping_add(1).wrapping_mul(GAMMA));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Element `i` of a normal tensor before scaling: twelve draws summed in order, less six.
    pub fn standard_normal(&self, i: u64) -> f64 {
        let mut total = self.uniform(12 * i);
        for k in 1..12 {
            total += self.uniform(12 * i + k);
        }
        total - 6.0
    }
}

fn fnv1a64(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3))
}

/// `n` values uniform in `(-bound, bound)`, each rounded once to f32.
pub fn uniform(name: &str, seed: u64, n: usize, bound: f64) -> Vec<f32> {
    let stream = Stream::new(name, seed);
    (0..n as u64).map(|i| ((2.0 * stream.uniform(i) - 1.0) * bound) as f32).collect()
}

/// `n` values of normal(`mean`, `std`), each rounded once to f32.
pub fn normal(name: &str, seed: u64, n: usize, mean: f64, std: f64) -> Vec<f32> {
    let stream = Stream::new(name, seed);
    (0..n as u64).map(|i| (mean + std * stream.standard_normal(i)) as f32).collect()
}

/// Fisher-Yates from the end over `0..n`: for `i = n-1 .. 1` swap `i` with `floor(u * (i + 1))`, one draw each.
pub fn permutation(name: &str, seed: u64, n: usize) -> Vec<usize> {
    let stream = Stream::new(name, seed);
    let mut order: Vec<usize> = (0..n).collect();
    for (k, i) in (1..n).rev().enumerate() {
        let j = (stream.uniform(k as u64) * (i + 1) as f64) as usize;
        order.swap(i, j);
    }
    order
}
