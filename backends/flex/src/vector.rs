//! Elementary functions on vectors of f32, to a few units in the last place, for the kernels' inner loops.
//!
//! NaN and infinities come out as IEEE 754 says. No vector minimum or maximum may stand between an argument and a
//! result: on x86 they return the other operand where one is NaN.

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

use pulp::Simd;

/// Smallest argument whose exponential is a normal number; below it the result is zero.
const LOWEST: f32 = -87.3;
/// Largest argument whose power of two fits an exponent; above it the result is infinite, a little early (e^88.7 is
/// still finite).
const HIGHEST: f32 = 88.3;

/// e^x.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    // ln 2 in two parts: x - n ln 2 is exact enough for |n| < 128.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Adding it leaves the nearest integer in the low bits, biased as an exponent is.
    const ROUND: f32 = 12_582_912.0 + 127.0;
    const POLYNOMIAL: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5];

    let splat = |value| simd.splat_f32s(value);
    let shifted = simd.mul_add_e_f32s(x, splat(LOG2_E), splat(ROUND));
    let n = simd.sub_f32s(shifted, splat(ROUND));
    let rest = simd.mul_add_e_f32s(n, splat(-LN_2_HIGH), x);
    let rest = simd.mul_add_e_f32s(n, splat(-LN_2_LOW), rest);
    let mut y = splat(POLYNOMIAL[0]);
    for coefficient in &POLYNOMIAL[1..] {
        y = simd.mul_add_e_f32s(y, rest, splat(*coefficient));
    }
    let y = simd.mul_add_e_f32s(simd.mul_f32s(y, rest), rest, simd.add_f32s(rest, splat(1.0)));
    let bits = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    let y = simd.mul_f32s(y, simd.transmute_f32s_u32s(bits));
    // Out of range y is whatever came out and is replaced. For NaN both comparisons are false, and y is NaN already.
    let y = simd.select_f32s(simd.less_than_f32s(x, splat(LOWEST)), splat(0.0), y);
    simd.select_f32s(simd.greater_than_f32s(x, splat(HIGHEST)), splat(f32::INFINITY), y)
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    simd.div_f32s(one, simd.add_f32s(one, exp(simd, negated(simd, x))))
}

/// Share of a standard normal variable below x, and e^(-x^2 / 2): what GELU and its gradient need.
#[inline(always)]
pub(crate) fn normal_share<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    // Abramowitz and Stegun 7.1.26, absolute error 1.5e-7.
    const P: f32 = 0.327_591_1;
    const POLYNOMIAL: [f32; 5] = [1.061_405_4, -1.453_152, 1.421_413_8, -0.284_496_72, 0.254_829_6];

    let splat = |value| simd.splat_f32s(value);
    let z = simd.mul_f32s(simd.abs_f32s(x), splat(FRAC_1_SQRT_2));
    let bell = exp(simd, negated(simd, simd.mul_f32s(z, z)));
    let t = simd.div_f32s(splat(1.0), simd.mul_add_e_f32s(z, splat(P), splat(1.0)));
    let mut y = splat(POLYNOMIAL[0]);
    for coefficient in &POLYNOMIAL[1..] {
        y = simd.mul_add_e_f32s(y, t, splat(*coefficient));
    }
    let beyond = simd.mul_f32s(simd.mul_f32s(simd.mul_f32s(y, t), bell), splat(0.5));
    let below = simd.less_than_f32s(x, splat(0.0));
    (simd.select_f32s(below, beyond, simd.sub_f32s(splat(1.0), beyond)), bell)
}

/// Natural logarithm of a positive normal number, of infinity or of NaN. Other arguments give no meaningful result.
#[inline(always)]
pub(crate) fn ln<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    #[expect(clippy::excessive_precision, reason = "as fitted")]
    const POLYNOMIAL: [f32; 9] = [
        7.037_683_6e-2,
        -0.115_146_1,
        0.116_769_98,
        -0.124_201_41,
        0.142_493_23,
        -0.166_680_58,
        0.200_007_14,
        -0.249_999_94,
        0.333_333_31,
    ];
    let splat = |value| simd.splat_f32s(value);
    // x = m 2^n with m in [sqrt 1/2, sqrt 2): subtracting the bits of sqrt 1/2 makes the exponent field n.
    let offset = simd.splat_u32s(FRAC_1_SQRT_2.to_bits());
    let bits = simd.sub_u32s(simd.transmute_u32s_f32s(x), offset);
    let exponent = simd.and_u32s(bits, simd.splat_u32s(0xff80_0000));
    let m = simd.transmute_f32s_u32s(simd.add_u32s(simd.sub_u32s(bits, exponent), offset));
    // The exponent as a float: its biased value in the mantissa of 2^23.
    let biased = simd.wrapping_dyn_shr_u32s(simd.add_u32s(exponent, simd.splat_u32s(127 << 23)), simd.splat_u32s(23));
    let magic = 8_388_608.0f32;
    let n = simd.transmute_f32s_u32s(simd.or_u32s(biased, simd.splat_u32s(magic.to_bits())));
    let n = simd.sub_f32s(n, splat(magic + 127.0));
    let r = simd.sub_f32s(m, splat(1.0));
    let square = simd.mul_f32s(r, r);
    let mut y = splat(POLYNOMIAL[0]);
    for coefficient in &POLYNOMIAL[1..] {
        y = simd.mul_add_e_f32s(y, r, splat(*coefficient));
    }
    let y = simd.mul_f32s(simd.mul_f32s(y, r), square);
    let y = simd.mul_add_e_f32s(n, splat(LN_2_LOW), y);
    let y = simd.mul_add_e_f32s(square, splat(-0.5), y);
    let y = simd.mul_add_e_f32s(n, splat(LN_2_HIGH), simd.add_f32s(r, y));
    // The bits of NaN and of infinity look like a number's; both are their own logarithm.
    simd.select_f32s(simd.less_than_f32s(x, splat(f32::INFINITY)), y, x)
}

/// -x, but 0 for 0.
#[inline(always)]
pub(crate) fn negated<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    simd.sub_f32s(simd.splat_f32s(0.0), x)
}

#[cfg(test)]
mod tests {
    use pulp::{Arch, WithSimd};

    use super::*;

    struct Each<F>(F, Vec<f32>);

    trait Function {
        fn of<S: Simd>(&self, simd: S, x: S::f32s) -> S::f32s;
    }

    impl<F: Function> WithSimd for Each<F> {
        type Output = Vec<f32>;

        fn with_simd<S: Simd>(mut self, simd: S) -> Vec<f32> {
            let (vectors, rest) = S::as_mut_simd_f32s(&mut self.1);
            assert!(rest.is_empty());
            vectors.iter_mut().for_each(|x| *x = self.0.of(simd, *x));
            self.1
        }
    }

    /// Largest error of a function over its range, as (absolute, relative).
    fn errors(function: impl Function, from: f32, to: f32, exact: impl Fn(f64) -> f64) -> (f64, f64) {
        let n = 1 << 16;
        let xs: Vec<f32> = (0..n).map(|i| from + (to - from) * i as f32 / n as f32).collect();
        let ys = Arch::new().dispatch(Each(function, xs.clone()));
        xs.iter().zip(ys).fold((0.0, 0.0), |(absolute, relative): (f64, f64), (&x, y)| {
            let expected = exact(f64::from(x));
            let error = (f64::from(y) - expected).abs();
            (absolute.max(error), relative.max(error / expected.abs().max(1e-30)))
        })
    }

    macro_rules! function {
        ($name:ident, |$simd:ident, $x:ident| $body:expr) => {
            struct $name;
            impl Function for $name {
                fn of<S: Simd>(&self, $simd: S, $x: S::f32s) -> S::f32s {
                    $body
                }
            }
        };
    }

    #[test]
    fn the_exponential_is_right_to_the_last_bits_and_zero_far_below() {
        function!(Exp, |simd, x| exp(simd, x));
        assert!(errors(Exp, -87.0, 88.0, f64::exp).1 < 3e-7);
        assert!(errors(Exp, -1000.0, -88.0, |_| 0.0).0 == 0.0);
    }

    /// Results for these arguments.
    fn values(function: impl Function, arguments: [f32; 4]) -> [f32; 4] {
        let lanes = arguments.repeat(16);
        let found = Arch::new().dispatch(Each(function, lanes));
        std::array::from_fn(|i| found[i])
    }

    #[test]
    fn nan_and_infinities_come_out_as_ieee_says() {
        const ARGUMENTS: [f32; 4] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN];
        function!(Exp, |simd, x| exp(simd, x));
        let [nan, up, down, other] = values(Exp, ARGUMENTS);
        assert!(nan.is_nan() && other.is_nan() && up == f32::INFINITY && down == 0.0);
        function!(Sigmoid, |simd, x| sigmoid(simd, x));
        let [nan, up, down, other] = values(Sigmoid, ARGUMENTS);
        assert!(nan.is_nan() && other.is_nan() && up == 1.0 && down == 0.0);
        function!(Share, |simd, x| normal_share(simd, x).0);
        let [nan, up, down, other] = values(Share, ARGUMENTS);
        assert!(nan.is_nan() && other.is_nan() && up == 1.0 && down == 0.0);
        function!(Bell, |simd, x| normal_share(simd, x).1);
        let [nan, up, down, other] = values(Bell, ARGUMENTS);
        assert!(nan.is_nan() && other.is_nan() && up == 0.0 && down == 0.0);
        function!(Ln, |simd, x| ln(simd, x));
        let [nan, up, _, other] = values(Ln, ARGUMENTS);
        assert!(nan.is_nan() && other.is_nan() && up == f32::INFINITY);
    }

    #[test]
    fn large_finite_arguments_overflow_and_underflow() {
        function!(Exp, |simd, x| exp(simd, x));
        assert_eq!(values(Exp, [89.0, 1e30, -89.0, -1e30]), [f32::INFINITY, f32::INFINITY, 0.0, 0.0]);
        function!(Sigmoid, |simd, x| sigmoid(simd, x));
        assert_eq!(values(Sigmoid, [200.0, f32::MAX, -200.0, f32::MIN]), [1.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn the_logarithm_is_right_to_the_last_bits() {
        function!(Ln, |simd, x| ln(simd, x));
        assert!(errors(Ln, 1e-5, 0.9, f64::ln).1 < 3e-7);
        assert!(errors(Ln, 1.1, 1000.0, f64::ln).1 < 3e-7);
        assert!(errors(Ln, 0.9, 1.1, f64::ln).0 < 1e-8);
    }

    #[test]
    fn the_share_of_the_normal_distribution_is_right_to_two_in_ten_million() {
        function!(Share, |simd, x| normal_share(simd, x).0);
        // The share of 1 and of 2 standard deviations, from tables.
        for (x, share) in [(0.0, 0.5), (1.0, 0.841_344_746_068_543), (-2.0, 0.022_750_131_948_179)] {
            assert!(errors(Share, x, x + 1e-9, |_| share).0 < 2e-7, "{x}");
        }
        assert!(errors(Share, -40.0, -9.0, |_| 0.0).0 < 1e-15);
    }
}
