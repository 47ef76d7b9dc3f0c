//! The outline of a lesion on a picture.

/// A picture of a width and height with the edge of a lesion in yellow, in black outside it: seen on dark and on light
/// ground, and in grey. `truth` has three bytes a pixel, as the picture.
pub(crate) fn outlined(mut rgb: Vec<u8>, truth: &[u8], (width, height): (u32, u32)) -> Vec<u8> {
    const INNER: i32 = 3;
    const OUTER: i32 = 2;
    let (width, height) = (width as i32, height as i32);
    let lesion = |x: i32, y: i32| {
        let at = (y.clamp(0, height - 1) * width + x.clamp(0, width - 1)) as usize * 3;
        truth.get(at).is_some_and(|v| *v >= 128)
    };
    // Most pictures are healthy for the most part: rows without a lesion near them are left alone.
    let rows: Vec<bool> = (0..height).map(|y| (0..width).any(|x| lesion(x, y))).collect();
    let near_row = |y: i32| (-INNER..=INNER).any(|dy| rows.get((y + dy).clamp(0, height - 1) as usize) == Some(&true));
    let near = |x: i32, y: i32, reach: i32, wanted: bool| {
        (-reach..=reach).any(|dy| (-reach..=reach).any(|dx| lesion(x + dx, y + dy) == wanted))
    };
    for (at, pixel) in rgb.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let (x, y) = (at as i32 % width.max(1), at as i32 / width.max(1));
        if !near_row(y) {
            continue;
        }
        if lesion(x, y) {
            if near(x, y, INNER, false) {
                *pixel = [255, 221, 0];
            }
        } else if near(x, y, OUTER, true) {
            *pixel = [0, 0, 0];
        }
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_of_a_lesion_is_marked_on_both_sides_and_nothing_else_is() {
        let (width, height) = (284, 200);
        let mut truth = vec![0; width * height * 3];
        for y in 100..150 {
            truth[(y * width + 100) * 3..(y * width + 150) * 3].fill(255);
        }
        let size = (width as u32, height as u32);
        let found = outlined(vec![77; width * height * 3], &truth, size);
        let at = |x: usize, y: usize| &found[(y * width + x) * 3..][..3];
        assert_eq!((at(100, 125), at(102, 125), at(103, 125)), (&[255, 221, 0][..], &[255, 221, 0][..], &[77; 3][..]));
        assert_eq!((at(99, 125), at(98, 125), at(97, 125)), (&[0; 3][..], &[0; 3][..], &[77; 3][..]));
        // Without a lesion the image is as it was.
        let healthy = vec![0; width * height * 3];
        assert_eq!(outlined(vec![77; width * height * 3], &healthy, size), vec![77; width * height * 3]);
    }
}
