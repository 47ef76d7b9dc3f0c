//! Maps made from grids: the definition in f64, the corners, and that reading twice or in any order gives the same
//! bits.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Uniform;
use harness_metrics::{GridMaps, MapSource, Upsampler, map_maxima, sigmoid};

fn grids(values: usize) -> Vec<f32> {
    let mut uniform = Uniform(9);
    (0..values).map(|_| 12.0 * uniform.draw() - 6.0).collect()
}

/// Bilinear with aligned corners, sigmoid, sum over taps, in f64.
fn exact(grids: &[f32], grid: usize, size: usize) -> Vec<f64> {
    let mut map = vec![0.0; size * size];
    for tap in grids.chunks(grid * grid) {
        for (i, pixel) in map.iter_mut().enumerate() {
            let at = |i: usize| if size > 1 { (i * (grid - 1)) as f64 / (size - 1) as f64 } else { 0.0 };
            let (y, x) = (at(i / size), at(i % size));
            let mut d = 0.0;
            for row in 0..grid {
                for column in 0..grid {
                    let weight = (1.0 - (y - row as f64).abs()).max(0.0) * (1.0 - (x - column as f64).abs()).max(0.0);
                    d += weight * f64::from(tap[row * grid + column]);
                }
            }
            *pixel += 1.0 / (1.0 + (-d).exp());
        }
    }
    map
}

#[test]
fn a_map_is_the_sum_over_taps_of_the_sigmoid_of_the_upsampled_grid() {
    for (taps, grid, size) in [(4, 17, 60), (1, 4, 4), (2, 1, 5), (3, 5, 1), (2, 7, 3), (1, 2, 33)] {
        let grids = grids(taps * grid * grid);
        let mut map = vec![f32::NAN; size * size];
        Upsampler::new(grid, size).unwrap().map(&grids, &mut map).unwrap();
        for (found, expected) in map.iter().zip(exact(&grids, grid, size)) {
            assert!((f64::from(*found) - expected).abs() < 2e-6, "{taps} {grid} {size}: {found} for {expected}");
        }
    }
}

#[test]
fn corners_are_aligned_to_the_bit() {
    for (grid, size) in [(17, 240), (16, 224), (24, 336), (37, 518)] {
        let grids = grids(grid * grid);
        let mut map = vec![0.0; size * size];
        Upsampler::new(grid, size).unwrap().map(&grids, &mut map).unwrap();
        let corners = [0, grid - 1, grid * (grid - 1), grid * grid - 1].map(|i| sigmoid(grids[i]));
        assert_eq!([map[0], map[size - 1], map[size * (size - 1)], map[size * size - 1]], corners);
    }
}

#[test]
fn maps_of_many_images_are_those_of_each() {
    let (images, taps, grid, size) = (5, 3, 6, 20);
    let grids = grids(images * taps * grid * grid);
    let maps = GridMaps::new(&grids, taps, grid, size).unwrap();
    assert_eq!((maps.images(), maps.pixels()), (images, size * size));
    let upsampler = Upsampler::new(grid, size).unwrap();
    let maxima = map_maxima(&maps).unwrap();
    for image in (0..images).rev() {
        let (mut alone, mut read) = (vec![0.0; size * size], vec![f32::NAN; size * size]);
        upsampler.map(&grids[image * taps * grid * grid..][..taps * grid * grid], &mut alone).unwrap();
        maps.read(image, &mut read).unwrap();
        assert_eq!(read, alone);
        assert_eq!(maxima[image], alone.iter().copied().fold(0.0, f32::max));
    }
}

#[test]
fn a_grid_that_is_nan_shows_in_the_map() {
    let mut grids = grids(2 * 9);
    grids[13] = f32::NAN;
    let error = map_maxima(&GridMaps::new(&grids, 1, 3, 9).unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("the map of image 1 is NaN at pixel "), "{error}");
}
