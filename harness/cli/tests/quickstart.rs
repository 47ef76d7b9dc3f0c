//! What the quickstart promises: it learns, and what it learns is in the labels.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::Path;

use common::{Place, Row};
use harness_data::{Dataset, Item, Registry};

fn value(rows: &[Row], variant: &str, score: &str, metric: &str) -> f64 {
    let wanted =
        |row: &&Row| row.get("variant") == variant && row.get("metric") == metric && row.get("image_score") == score;
    rows.iter().find(wanted).unwrap().number("value")
}

fn repository(file: &str) -> String {
    std::fs::read_to_string(harness_tests::root().join(file)).unwrap()
}

#[test]
fn the_quickstart_s_base_finds_lesions_and_says_that_it_is_a_smoke_test() {
    let place = Place::new();
    place.write("datasets.toml", &repository("datasets.toml"));
    place.write("small.toml", &repository("experiments/quickstart.toml"));
    let ended = place.run(&[]).expect(0);
    ended.says(&["smoke test", "datasets verify", "weights inspect"]);
    let rows = place.results();
    let (image, pixel) = (value(&rows, "base", "map-max", "image_auroc"), value(&rows, "base", "", "pixel_auroc"));
    assert!(image >= 0.9 && pixel >= 0.9, "image {image}, pixel {pixel}");
    let report = std::fs::read_to_string(place.file("out/report.md")).unwrap();
    assert!(report.contains("Smoke test: not a result"));
}

#[test]
fn with_shuffled_support_labels_the_same_model_finds_nothing() {
    let place = Place::new();
    let registry = harness_tests::root().join("datasets.toml");
    let dataset = Dataset::open(&Registry::load(&registry).unwrap(), "Phantom").unwrap();
    let (normal, abnormal) = dataset.support_pool().unwrap();
    // Half of each class changes sides, and every mask goes to another image.
    let masks: Vec<&Item> = abnormal.iter().collect();
    let swapped = |i: usize| i.is_multiple_of(2);
    for i in 0..normal.len() {
        let (as_normal, as_abnormal) = if swapped(i) { (&abnormal[i], &normal[i]) } else { (&normal[i], &abnormal[i]) };
        save(&place.file("files/valid/good/img"), i, as_normal, false);
        save(&place.file("files/valid/Ungood/img"), i, as_abnormal, false);
        save(&place.file("files/valid/Ungood/anomaly_mask"), i, masks[(i + 1) % masks.len()], true);
    }
    for (i, item) in dataset.test_set().unwrap().iter().enumerate() {
        let class = if item.abnormal { "Ungood" } else { "good" };
        save(&place.file(&format!("files/test/{class}/img")), i, item, false);
        if item.abnormal {
            save(&place.file("files/test/Ungood/anomaly_mask"), i, item, true);
        }
    }
    place.write(
        "datasets.toml",
        "[Phantom]\nroot = \"files\"\nlayout = \"mvfa\"\nobject = \"Brain\"\nmodality = \"generated\"\nmasks = true\n",
    );
    let experiment = repository("experiments/quickstart.toml");
    place.write("small.toml", &experiment[..experiment.find("[variants").unwrap()]);
    place.run(&[]).expect(0);
    let rows = place.results();
    for score in ["map-max", "detection"] {
        let image = value(&rows, "base", score, "image_auroc");
        assert!(image < 0.65, "image AUROC by {score}: {image}");
    }
    let pixel = value(&rows, "base", "", "pixel_auroc");
    assert!(pixel < 0.65, "pixel AUROC {pixel}");
}

/// Writes an image of the set, or its mask, as a file.
fn save(folder: &Path, number: usize, item: &Item, mask: bool) {
    let source = if mask { item.mask.as_ref().unwrap() } else { &item.image };
    let pixels = source.pixels(harness_data::decode::Depth::Scaled).unwrap();
    let (width, height) = (pixels.width as u32, pixels.height as u32);
    std::fs::create_dir_all(folder).unwrap();
    let grey = image::GrayImage::from_raw(width, height, pixels.to_grey()).unwrap();
    grey.save(folder.join(format!("{number:03}.png"))).unwrap();
}
