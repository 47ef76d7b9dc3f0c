//! What a picture has in common with copies that are not equal pixel by pixel.

/// Cells a side.
const SIDE: usize = 8;
/// Grey levels that cells must vary by, as a standard deviation: a picture of less is all noise.
const CONTRAST: f64 = 2.0;
/// Steps a standard deviation.
const STEPS: f64 = 42.0;
/// How much cells of one picture may differ: the root of the mean square, in standard deviations. Measured on
/// ultrasound and MRI: JPEG and resizing change a picture by less than 0.022 (small ones of little contrast by up to
/// 0.046), and neighbouring slices of a patient differ by 0.043 or more.
const NEAR: f64 = 0.04;

/// A picture as 8 x 8 cells, less its brightness and contrast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thumb([i8; SIDE * SIDE]);

impl Thumb {
    /// Of row-major grey values; `None` of a picture without contrast.
    pub(crate) fn of(grey: &[u8], width: usize) -> Option<Self> {
        let height = grey.len().checked_div(width).filter(|height| *height > 0)?;
        let (across, down) = (shares(width), shares(height));
        let mut cells = [0.0; SIDE * SIDE];
        for (row, rows) in grey.chunks_exact(width).zip(&down) {
            let mut sums = [0.0; SIDE];
            for (value, columns) in row.iter().zip(&across) {
                for (column, share) in columns {
                    sums[*column] += share * f64::from(*value);
                }
            }
            for (at, share) in rows {
                sums.iter().enumerate().for_each(|(column, sum)| cells[at * SIDE + column] += share * sum);
            }
        }
        let mean = cells.iter().sum::<f64>() / cells.len() as f64;
        let deviation = (cells.iter().map(|cell| (cell - mean).powi(2)).sum::<f64>() / cells.len() as f64).sqrt();
        let step = |cell: f64| ((cell - mean) / deviation * STEPS).round().clamp(-126.0, 126.0) as i8;
        (deviation >= CONTRAST).then(|| Self(cells.map(step)))
    }

    /// As it is, mirrored and turned by right angles.
    pub(crate) fn turns(self) -> [Self; 8] {
        let turned = |turn: usize| {
            Self(std::array::from_fn(|at| {
                let (mut x, mut y) = (at % SIDE, at / SIDE);
                if turn & 4 != 0 {
                    (x, y) = (y, x);
                }
                if turn & 1 != 0 {
                    x = SIDE - 1 - x;
                }
                if turn & 2 != 0 {
                    y = SIDE - 1 - y;
                }
                self.0[y * SIDE + x]
            }))
        };
        std::array::from_fn(turned)
    }

    /// Whether it is nearly the other one, as that stands.
    pub(crate) fn is_near(&self, other: &Self) -> bool {
        let most = (NEAR * STEPS).powi(2) * (SIDE * SIDE) as f64;
        let mut sum = 0;
        for (row, others) in self.0.chunks_exact(SIDE).zip(other.0.chunks_exact(SIDE)) {
            sum += row.iter().zip(others).map(|(a, b)| (i32::from(*a) - i32::from(*b)).pow(2)).sum::<i32>();
            // Of most pairs the first row says enough.
            if f64::from(sum) > most {
                return false;
            }
        }
        true
    }

    /// As text, for a cache.
    pub(crate) fn to_hex(self) -> String {
        self.0.iter().map(|cell| format!("{:02x}", *cell as u8)).collect()
    }

    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let cell = |at: usize| Some(u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()? as i8);
        let cells: Vec<i8> = (0..SIDE * SIDE).map(cell).collect::<Option<_>>()?;
        (text.len() == 2 * cells.len()).then_some(())?;
        Some(Self(cells.try_into().ok()?))
    }
}

/// Of each pixel of a line, the cells that it lies in, and the share that it has of each.
fn shares(pixels: usize) -> Vec<Vec<(usize, f64)>> {
    let cell = pixels as f64 / SIDE as f64;
    let of = |pixel: usize| {
        let (begin, end) = (pixel as f64, pixel as f64 + 1.0);
        let share = |at: usize| (end.min((at + 1) as f64 * cell) - begin.max(at as f64 * cell)) / cell;
        (0..SIDE).map(|at| (at, share(at))).filter(|(_, share)| *share > 0.0).collect()
    };
    (0..pixels).map(of).collect()
}
