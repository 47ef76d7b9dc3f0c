//! `docs/start.md` as a reader follows it: its files are read, and its commands answer.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Place;
use image::{GrayImage, Luma, RgbImage};

/// The code blocks of the page in one language, in their order.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_page_on_ones_own_data_can_be_followed() {
    let place = Place::new();
    let page = std::fs::read_to_string(harness_tests::root().join("docs/start.md")).unwrap();
    let [registry, experiment] = blocks(&page, "toml")[..] else { panic!("two files in TOML") };
    let table = blocks(&page, "csv")[0];
    place.write("datasets.toml", registry);
    place.write("mine.toml", experiment);
    place.write("mydata/images.csv", table);
    for folder in ["scans", "masks"] {
        std::fs::create_dir_all(place.file("mydata").join(folder)).unwrap();
    }
    for (number, line) in table.lines().skip(1).enumerate() {
        let [image, _, _, mask] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let shade = 40 * number as u32;
        let pixel = |x: u32, y: u32| image::Rgb([(x + y + shade) as u8, (x * y / 40 + shade) as u8, shade as u8]);
        RgbImage::from_fn(80, 80, pixel).save(place.file("mydata").join(image)).unwrap();
        if !mask.is_empty() {
            let spot = |x: u32, _| Luma([if x < 20 { 255 } else { 0 }]);
            GrayImage::from_fn(80, 80, spot).save(place.file("mydata").join(mask)).unwrap();
        }
    }
    let told = place.harness(&["datasets", "verify", "Mine"]).expect(0).out;
    assert!(told.contains("0 errors"), "{told}");
    let told = place.harness(&["plan", "mine.toml", "--smoke", "--cache", "cache"]).expect(0).out;
    for part in ["base", "bank", "Mine"] {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
    // Without the weights the real one says what is missing, and not more.
    place.harness(&["plan", "mine.toml", "--cache", "cache"]).expect(2).says(&["weights/ViT-B-16.pt"]);
}
