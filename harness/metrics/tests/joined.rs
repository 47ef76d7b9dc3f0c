//! Parts and their joining against the values of the reference.
#![allow(clippy::unwrap_used, reason = "tests")]

use harness_method::{Combine, Link, Part};
use harness_metrics::{Error, Extremes, GridMaps, Join, JoinedMaps, MapSource, Maps};
use safetensors::SafeTensors;

fn close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let error = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b)) / norm(&mut expected.iter().copied());
    assert!(error < 1e-5, "{what}: relative error {error:.1e}");
}

fn read(source: &impl MapSource) -> Vec<f32> {
    let mut maps = vec![0.0; source.images() * source.pixels()];
    for (image, map) in maps.chunks_exact_mut(source.pixels()).enumerate() {
        source.read(image, map).unwrap();
    }
    maps
}

#[test]
fn parts_and_joined_scores_are_those_of_the_reference() {
    // Maps are joined by the case's rule, image scores of `april-gan` by its own.
    for (case, maps_by, images_by) in [
        ("april-gan", Combine::Sum, Combine::HalfRange),
        ("mvfa", Combine::Range, Combine::Range),
        ("mvfa-frozen", Combine::Sum, Combine::Sum),
    ] {
        let bytes = std::fs::read(harness_tests::golden(&format!("methods/{case}/expected.safetensors"))).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let tensor = |name: &str| -> (Vec<usize>, Vec<f32>) {
            let view = tensors.tensor(name).unwrap();
            let values = view.data().chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()));
            (view.shape().to_vec(), values.collect())
        };
        let (shape, expected) = tensor("maps");
        let size = shape[1];
        let (grids, each) = (["grids.0", "grids.1"].map(tensor), ["maps.0", "maps.1"].map(|name| tensor(name).1));
        let parts = [Link::Sigmoid, Link::Identity].iter().zip(&grids).map(|(&link, (shape, grids))| {
            GridMaps::of_part(Part { link, grids: shape[1] }, grids, shape[2], size).unwrap()
        });
        let [zero, few]: [GridMaps<'_>; 2] = parts.collect::<Vec<_>>().try_into().unwrap();
        close(case, &read(&zero), &each[0]);
        close(case, &read(&few), &each[1]);
        let join = Join::new(maps_by, Extremes::of_maps(&zero).unwrap(), Extremes::of_maps(&few).unwrap());
        close(case, &read(&JoinedMaps::new(zero, few, join).unwrap()), &expected);

        let [zero, few, expected] = ["detection.zero", "detection.few", "detection"].map(|name| tensor(name).1);
        let join = Join::new(images_by, Extremes::of_scores(&zero).unwrap(), Extremes::of_scores(&few).unwrap());
        let found: Vec<f32> = zero.iter().zip(&few).map(|(&zero, &few)| join.of(zero, few)).collect();
        close(case, &found, &expected);
    }
}

#[test]
fn constant_scores_have_no_range_and_what_is_not_a_score_is_refused() {
    let same = Extremes::of_scores(&[2.0, 2.0]).unwrap();
    assert_eq!(Join::new(Combine::Range, same, same).of(2.0, 2.0), 0.0);
    assert!(matches!(Extremes::of_scores(&[1.0, f32::NAN]), Err(Error::Score { image: 1, .. })));
    assert!(matches!(Extremes::of_scores(&[]), Err(Error::Empty { .. })));
    let values = [1.0, f32::INFINITY];
    assert!(matches!(Extremes::of_maps(&Maps::new(&values, 1).unwrap()), Err(Error::Pixel { image: 1, .. })));
    assert!(Combine::Range.is_transductive() && !Combine::Sum.is_transductive());
    let join = Join::new(Combine::Sum, same, same);
    let (one, two) = (Maps::new(&values[..1], 1).unwrap(), Maps::new(&values, 1).unwrap());
    assert!(matches!(JoinedMaps::new(one, two, join), Err(Error::Length { what: "maps", .. })));
}
