//! What is refused, and that the message names the place.
#![allow(clippy::unwrap_used, reason = "tests")]

use harness_metrics::{
    Error, GridMaps, MapSource, Maps, Metric, PixelMetrics, PixelTruth, Upsampler, all_metrics, auroc,
    average_precision, f1_max, map_maxima, per_image_ap, regions, roc_curve,
};

#[test]
fn no_image_is_refused() {
    assert!(matches!(auroc::<f32>(&[], &[]), Err(Error::Empty { what: "images" })));
    let truth = PixelTruth::new(2, 2).unwrap();
    let maps = Maps::new(&[], 4).unwrap();
    assert!(matches!(PixelMetrics::compute(&truth, &maps), Err(Error::Empty { what: "images" })));
    assert!(matches!(map_maxima(&maps), Err(Error::Empty { what: "maps" })));
}

#[test]
fn one_class_alone_is_refused_with_both_counts() {
    let error = average_precision(&[true, true, true], &[1.0, 2.0, 3.0]).unwrap_err();
    assert!(matches!(error, Error::OneClass { what: "images", normal: 0, abnormal: 3 }));
    assert_eq!(
        error.to_string(),
        "0 normal and 3 abnormal images: a metric needs both classes; check the labels or masks"
    );
    assert!(matches!(roc_curve(&[false], &[1.0]), Err(Error::OneClass { normal: 1, abnormal: 0, .. })));

    let maps = [0.5; 8];
    let maps = Maps::new(&maps, 4).unwrap();
    let (mut none, mut all) = (PixelTruth::new(2, 2).unwrap(), PixelTruth::new(2, 2).unwrap());
    for _ in 0..2 {
        none.push(&[0; 4]).unwrap();
        all.push(&[1; 4]).unwrap();
    }
    assert!(matches!(
        PixelMetrics::auroc_only(&none, &maps),
        Err(Error::OneClass { what: "pixels", normal: 8, abnormal: 0 })
    ));
    assert!(matches!(
        PixelMetrics::auroc_only(&all, &maps),
        Err(Error::OneClass { what: "pixels", normal: 0, abnormal: 8 })
    ));
    assert_eq!(per_image_ap(&all, &maps).unwrap(), [None, None]);
}

#[test]
fn a_score_that_is_not_finite_names_its_image() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = f1_max(&[false, true, true], &[0.0, 1.0, bad]).unwrap_err();
        assert!(matches!(error, Error::Score { image: 2, .. }), "{error}");
    }
}

#[test]
fn lists_of_different_lengths_are_refused() {
    assert!(matches!(auroc(&[true, false], &[1.0]), Err(Error::Length { found: 1, expected: 2, .. })));
    let mut truth = PixelTruth::new(2, 2).unwrap();
    assert!(matches!(truth.push(&[0; 5]), Err(Error::Length { found: 5, expected: 4, .. })));
    truth.push(&[0, 1, 0, 0]).unwrap();
    let maps = [0.5; 12];
    let three = Maps::new(&maps, 4).unwrap();
    assert!(matches!(
        PixelMetrics::auroc_only(&truth, &three),
        Err(Error::Length { what: "maps", found: 3, expected: 1, .. })
    ));
    let large = Maps::new(&maps, 12).unwrap();
    assert!(matches!(PixelMetrics::auroc_only(&truth, &large), Err(Error::Length { found: 12, expected: 4, .. })));
    let one = Maps::new(&maps[..4], 4).unwrap();
    let both = all_metrics(&[true, false], &[1.0, 0.0], Some((&truth, &one)));
    assert!(matches!(both, Err(Error::Length { what: "maps", found: 1, expected: 2, .. })));
    assert!(matches!(Maps::new(&maps, 5), Err(Error::Length { found: 12, expected: 15, .. })));
    assert!(matches!(GridMaps::new(&maps, 2, 2, 9), Err(Error::Length { found: 12, expected: 16, .. })));
}

#[test]
fn a_map_that_is_not_finite_names_the_first_such_image_on_any_number_of_threads() {
    const IMAGES: usize = 300;
    let mut maps: Vec<f32> = (0..IMAGES * 16).map(|i| (i % 97) as f32).collect();
    let mut truth = PixelTruth::new(4, 4).unwrap();
    for image in 0..IMAGES {
        truth.push(&[u8::from(image == 2); 16]).unwrap();
    }
    for (image, bad) in [(131, f32::NAN), (132, f32::INFINITY), (290, f32::NAN)] {
        maps[image * 16 + 5] = bad;
    }
    let maps = Maps::new(&maps, 16).unwrap();
    for threads in [1, 2, 6] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let error = pool.install(|| PixelMetrics::compute(&truth, &maps)).unwrap_err();
        assert!(matches!(error, Error::Pixel { image: 131, pixel: 5, .. }), "{error}");
        assert!(error.to_string().starts_with("the map of image 131 is NaN at pixel 5, "), "{error}");
        let error = pool.install(|| map_maxima(&maps)).unwrap_err();
        assert!(matches!(error, Error::Pixel { image: 131, .. }), "{error}");
    }
}

#[test]
fn a_source_that_fails_ends_the_metric_with_its_message() {
    struct Broken;
    impl MapSource for Broken {
        fn images(&self) -> usize {
            3
        }
        fn pixels(&self) -> usize {
            4
        }
        fn read(&self, image: usize, map: &mut [f32]) -> Result<(), Error> {
            map.fill(0.5);
            if image < 1 { Ok(()) } else { Err(Error::Read { image, source: "the disk is gone".into() }) }
        }
    }
    let mut truth = PixelTruth::new(2, 2).unwrap();
    truth.push(&[1, 0, 0, 0]).unwrap();
    truth.push_normal();
    truth.push_normal();
    let error = PixelMetrics::compute(&truth, &Broken).unwrap_err();
    assert_eq!(error.to_string(), "can't read the map of image 1: the disk is gone");
}

#[test]
fn impossible_sizes_are_refused() {
    assert!(matches!(PixelTruth::new(0, 4), Err(Error::Size { what: "the width of a mask", .. })));
    assert!(matches!(PixelTruth::new(4, 0), Err(Error::Size { what: "the height of a mask", .. })));
    assert!(matches!(PixelTruth::new(70_000, 70_000), Err(Error::Size { .. })));
    assert!(matches!(regions(&[0; 4], 0), Err(Error::Size { .. })));
    assert!(matches!(regions(&[0; 4], 3), Err(Error::Length { found: 4, expected: 6, .. })));
    assert!(matches!(Maps::new(&[], 0), Err(Error::Size { .. })));
    assert!(matches!(Upsampler::new(0, 4), Err(Error::Size { what: "the side of a grid", .. })));
    assert!(matches!(Upsampler::new(4, 0), Err(Error::Size { what: "the side of a map", .. })));
    assert!(matches!(GridMaps::new(&[], 0, 4, 4), Err(Error::Size { what: "the number of taps", .. })));
}

#[test]
fn metrics_are_found_by_name_and_unknown_names_list_them() {
    for metric in Metric::ALL {
        assert_eq!(metric.name().parse::<Metric>().unwrap(), metric);
    }
    // Stored by these names.
    let names = Metric::ALL.map(Metric::name).join(", ");
    assert!(names.starts_with("image_auroc, image_ap, image_f1_max, "), "{names}");
    assert!(names.contains("pixel_auroc, pixel_ap, pixel_f1_max, pro_0_3"), "{names}");
    let unknown = "auc".parse::<Metric>().unwrap_err().to_string();
    assert_eq!(unknown, format!("`auc` is not a metric; the metrics are {names}"));
}

#[test]
fn a_dataset_without_masks_has_image_metrics_alone() {
    let metrics = all_metrics(&[false, true, true], &[0.1_f32, 0.1, 0.9], None).unwrap();
    let found: Vec<Metric> = metrics.iter().map(|(metric, _)| metric).collect();
    assert!(found.into_iter().eq(Metric::ALL.into_iter().filter(|metric| !metric.needs_masks())));
    assert_eq!(metrics.get(Metric::ImageAuroc), Some(0.75));
    assert_eq!(metrics.get(Metric::Pro03), None);
}
