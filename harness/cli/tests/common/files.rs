//! A small dataset of files, for what a generated one can't show: masks that change, patients in file names.

use super::Place;

/// A dataset of files in the mvfa layout: four images a class for supports, five to test.
pub fn on_files() -> Place {
    let place = Place::new();
    place.write(
        "datasets.toml",
        "[Files]\nroot = \"files\"\nlayout = \"mvfa\"\nobject = \"Liver\"\nmodality = \"none\"\nmasks = true\n",
    );
    place.edit("datasets = [\"Small\"]", "datasets = [\"Files\"]");
    place.edit("[train]", "[variants.other]\nloss = \"contrastive\"\n\n[train]");
    for (split, count, offset) in [("valid", 4, 0), ("test", 5, 50)] {
        for i in 0..count {
            let texture =
                |x: u32, y: u32| ((x * 3 + y * 5 + (offset + i) * 31 + x * y * (offset + i + 2) % 17) % 110) as u8;
            let image = |file: &str, lift: u8| {
                save(&place, &format!("{split}/{file}{i}.png"), &|x, y| {
                    texture(x, y) + lift * u8::from(lesion(i, x, y))
                });
            };
            image("good/img/n", 0);
            image("Ungood/img/a", 120);
            save(&place, &format!("{split}/Ungood/anomaly_mask/a{i}.png"), &|x, y| 255 * u8::from(lesion(i, x, y)));
        }
    }
    place
}

/// Where the lesion of an abnormal image is.
pub fn lesion(image: u32, x: u32, y: u32) -> bool {
    (6..12 + 2 * image).contains(&x) && (9..20).contains(&y)
}

/// Writes a grey image of 32 x 32 pixels below the dataset's folder.
pub fn save(place: &Place, name: &str, pixel: &dyn Fn(u32, u32) -> u8) {
    let path = place.file("files").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image::GrayImage::from_fn(32, 32, |x, y| image::Luma([pixel(x, y)])).save(path).unwrap();
}
