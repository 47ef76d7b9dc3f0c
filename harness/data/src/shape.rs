//! How the marked pixels of a mask lie: which share of its border they are, and how many others they enclose.

/// How marked pixels lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Marked ones of the pixels at the border, in thousandths.
    pub border: u16,
    /// Pixels that are not marked and from which no way of unmarked neighbours leads to the border.
    pub enclosed: u64,
}

impl Shape {
    /// Of a row-major mask.
    pub(crate) fn of(marked: &[bool], width: usize) -> Self {
        let height = marked.len() / width.max(1);
        let mut reached = marked.to_vec();
        let mut left = Vec::new();
        let (mut border, mut all) = (0u64, 0u64);
        let at_border = |at: usize| {
            let (x, y) = (at % width, at / width);
            x == 0 || y == 0 || x + 1 == width || y + 1 == height
        };
        for at in (0..marked.len()).filter(|at| at_border(*at)) {
            all += 1;
            border += u64::from(marked[at]);
            if !std::mem::replace(&mut reached[at], true) {
                left.push(at);
            }
        }
        // By edges alone: a line of pixels that touch at corners encloses.
        while let Some(at) = left.pop() {
            let x = at % width;
            let beside = [
                (x > 0).then(|| at - 1),
                (x + 1 < width).then_some(at + 1),
                at.checked_sub(width),
                Some(at + width).filter(|below| *below < marked.len()),
            ];
            for next in beside.into_iter().flatten() {
                if !std::mem::replace(&mut reached[next], true) {
                    left.push(next);
                }
            }
        }
        let enclosed = reached.iter().filter(|reached| !**reached).count() as u64;
        Self { border: (border * 1000 / all.max(1)) as u16, enclosed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(rows: &[&str]) -> Shape {
        let marked: Vec<bool> = rows.concat().bytes().map(|byte| byte == b'#').collect();
        Shape::of(&marked, rows[0].len())
    }

    #[test]
    fn what_a_line_encloses_is_counted_and_what_reaches_the_border_is_not() {
        assert_eq!(shape(&[".....", ".###.", ".#.#.", ".###.", "....."]), Shape { border: 0, enclosed: 1 });
        assert_eq!(shape(&[".....", "..#..", ".#.#.", "..#..", "....."]), Shape { border: 0, enclosed: 1 });
        assert_eq!(shape(&[".....", ".###.", ".#...", ".###.", "....."]), Shape { border: 0, enclosed: 0 });
        assert_eq!(shape(&["#####", "#...#", "#####"]), Shape { border: 1000, enclosed: 3 });
        assert_eq!(shape(&["##", ".."]), Shape { border: 500, enclosed: 0 });
        assert_eq!(shape(&["#.#"]).enclosed, 0);
    }
}
