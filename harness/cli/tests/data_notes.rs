//! What is doubtful about the data is told before anything is computed, and stands where the numbers are printed.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Place, files};

fn report(place: &Place) -> String {
    std::fs::read_to_string(place.file("out/report.md")).unwrap()
}

fn masks(place: &Place, pixel: &dyn Fn(u32, u32, u32) -> u8) {
    for split in ["valid", "test"] {
        for entry in std::fs::read_dir(place.file("files").join(split).join("Ungood/anomaly_mask")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let number: u32 = name.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
            files::save(place, &format!("{split}/Ungood/anomaly_mask/{name}"), &|x, y| pixel(number, x, y));
        }
    }
}

fn on_files() -> Place {
    let place = files::on_files();
    place.edit("selection = [\"last\", \"best-on-test\"]", "selection = [\"last\"]");
    place
}

#[test]
fn a_doubtful_number_says_so_where_it_is_printed_until_it_is_corrected() {
    let place = on_files();
    masks(&place, &|image, x, y| if files::lesion(image, x, y) { 0 } else { 255 });
    let told = "[Files]: the masks seem to be inverted";
    place.harness(&["plan", "small.toml", "--cache", "cache"]).expect(0).says(&["warning: ", told]);
    place.run(&[]).expect(0).says(&["warning: ", told]);
    let page = report(&place);
    let notes = page.split("## Notes on the data\n\n").nth(1).unwrap_or_else(|| panic!("no notes in {page}"));
    assert!(notes.split("\n## ").next().unwrap().contains(&format!("- {told}")), "{page}");
    place.harness(&["report", "out"]).expect(0);
    assert!(report(&place).contains(told));
    masks(&place, &|image, x, y| if files::lesion(image, x, y) { 255 } else { 0 });
    place.harness(&["score", "out", "--cache", "cache"]).expect(0);
    let page = report(&place);
    assert!(!page.contains(told), "{page}");
}

#[test]
fn a_mask_of_another_size_is_told_at_plan_time() {
    let place = on_files();
    image::GrayImage::from_pixel(5, 5, image::Luma([255]))
        .save(place.file("files/test/Ungood/anomaly_mask/a0.png"))
        .unwrap();
    let ended = place.harness(&["plan", "small.toml", "--cache", "cache"]).expect(0);
    ended.says(&["warning: [Files]: cells that use it will fail: ", "a0.png: 5 x 5 pixels, but its image"]);
}

#[test]
fn the_pixels_of_a_test_image_under_other_bytes_are_refused_as_support_before_training() {
    let place = on_files();
    for entry in std::fs::read_dir(place.file("files/valid/good/img")).unwrap() {
        let path = entry.unwrap().path();
        let copy = place.file("files/test/good/img").join(path.file_name().unwrap()).with_extension("bmp");
        let picture = image::open(&path).unwrap();
        picture.save(&copy).unwrap();
        picture.fliph().save(copy.with_extension("mirrored.png")).unwrap();
    }
    std::fs::copy(place.file("files/test/good/img/n4.png"), place.file("files/test/good/img/again.png")).unwrap();
    place.run(&[]).expect(2).says(&["shows the same pixels as the test image", "--allow-overlap"]);
    assert!(!place.file("out/trainings").exists());
    let ended = place.run(&["--allow-overlap"]).expect(0);
    // And what is there twice, or nearly so, is told.
    for told in [
        "shows the same pixels as the test image",
        "nearly the same as",
        "[Files]: 1 test image shows the same pixels as another one of the class, such as test/good/img/again.png and \
         test/good/img/n4.png: they count twice",
    ] {
        ended.says(&["warning: ", told]);
        assert!(report(&place).contains(told), "{told}");
    }
    // A plan knows what the run learned.
    place.harness(&["plan", "small.toml", "--cache", "cache"]).expect(2).says(&["shows the same pixels as"]);
}
