//! Writes the phantom set as PNG files in layout `mvfa`, to look at or to give to another program:
//! `cargo run -p harness-data --example phantom -- FOLDER`. How it is generated is the library's.

use std::path::Path;

use harness_data::decode::{Depth, Samples};
use harness_data::{Dataset, Item, Registry, Source};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let folder = std::env::args().nth(1).ok_or("name a folder to write to")?;
    let folder = Path::new(&folder);
    let text = "[Phantom]\nlayout = \"phantom\"\nobject = \"Brain\"\nmodality = \"generated\"\nmasks = true\n";
    let dataset = Dataset::open(&Registry::parse(text, Path::new("datasets.toml"))?, "Phantom")?;
    let (normal, abnormal) = dataset.support_pool()?;
    write(folder, "valid", normal.iter().chain(&abnormal))?;
    write(folder, "test", dataset.test_set()?.iter())
}

fn write<'a>(folder: &Path, split: &str, items: impl Iterator<Item = &'a Item>) -> Result<(), Failure> {
    for item in items {
        let class = if item.abnormal { "Ungood" } else { "good" };
        let file_name = format!("{}.png", item.name.rsplit('/').next().unwrap_or(&item.name));
        save(&item.image, &folder.join(split).join(class).join("img").join(&file_name))?;
        if let Some(mask) = &item.mask {
            save(mask, &folder.join(split).join(class).join("anomaly_mask").join(&file_name))?;
        }
    }
    Ok(())
}

fn save(source: &Source, path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
    let pixels = source.pixels(Depth::Scaled)?;
    let color = match pixels.samples {
        Samples::Grey(_) => image::ExtendedColorType::L8,
        Samples::Rgb(_) => image::ExtendedColorType::Rgb8,
    };
    let (Samples::Grey(values) | Samples::Rgb(values)) = pixels.samples;
    Ok(image::save_buffer(path, &values, pixels.width as u32, pixels.height as u32, color)?)
}
