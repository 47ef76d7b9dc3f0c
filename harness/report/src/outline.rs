//! The outline of a lesion on a picture.

/// Pixels of an outline with their colours.
pub(crate) struct Outline(Vec<(usize, [u8; 3])>);

impl Outline {
    /// The edge of a lesion in yellow, in black outside it: seen on dark and on light ground, and in grey. `truth` has
    /// three bytes a pixel, of pictures of a width and height.
    pub(crate) fn of(truth: &[u8], (width, height): (u32, u32)) -> Self {
        const INNER: i32 = 3;
        const OUTER: i32 = 2;
        let (width, height) = (width as i32, height as i32);
        let inside = |x: i32, y: i32| (0..width).contains(&x) && (0..height).contains(&y);
        let lesion = |x: i32, y: i32| truth.get((y * width + x) as usize * 3).is_some_and(|v| *v >= 128);
        let around = |x: i32, y: i32, reach: i32| {
            let all = (-reach..=reach).flat_map(move |dy| (-reach..=reach).map(move |dx| (x + dx, y + dy)));
            all.filter(move |(x, y)| inside(*x, *y))
        };
        let mut pixels = Vec::new();
        for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
            let here = lesion(x, y);
            // What lies near the other side lies near a pixel at the border.
            let beside = [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)].into_iter();
            let mut corners = [(x - 1, y - 1), (x + 1, y - 1), (x - 1, y + 1), (x + 1, y + 1)].into_iter();
            let other = |(x, y): (i32, i32)| inside(x, y) && lesion(x, y) != here;
            if beside.clone().any(other) || corners.any(other) {
                let (reach, colour) = if here { (OUTER, [0, 0, 0]) } else { (INNER, [255, 221, 0]) };
                let far = around(x, y, reach).filter(|(x, y)| lesion(*x, *y) != here);
                pixels.extend(far.map(|(x, y)| ((y * width + x) as usize, colour)));
            }
        }
        Self(pixels)
    }

    /// The picture with the outline.
    pub(crate) fn on(&self, mut rgb: Vec<u8>) -> Vec<u8> {
        let (pixels, _) = rgb.as_chunks_mut::<3>();
        for (at, colour) in &self.0 {
            if let Some(pixel) = pixels.get_mut(*at) {
                *pixel = *colour;
            }
        }
        rgb
    }
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
        let found = Outline::of(&truth, size).on(vec![77; width * height * 3]);
        let at = |x: usize, y: usize| &found[(y * width + x) * 3..][..3];
        assert_eq!((at(100, 125), at(102, 125), at(103, 125)), (&[255, 221, 0][..], &[255, 221, 0][..], &[77; 3][..]));
        assert_eq!((at(99, 125), at(98, 125), at(97, 125)), (&[0; 3][..], &[0; 3][..], &[77; 3][..]));
        // Without a lesion the image is as it was.
        let healthy = vec![0; width * height * 3];
        assert_eq!(Outline::of(&healthy, size).on(vec![77; width * height * 3]), vec![77; width * height * 3]);
    }
}
