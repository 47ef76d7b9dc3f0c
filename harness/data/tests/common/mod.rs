//! A dataset written to a temporary folder, and what tests say about it. The promises are in the tests.
#![allow(dead_code, clippy::unwrap_used, missing_docs, unreachable_pub, reason = "tests; each file uses some of it")]

use std::fs;
use std::path::{Path, PathBuf};

use harness_data::{DataError, Dataset, Finding, Registry, Severity, verify};
use image::{GrayImage, Luma};

/// A temporary folder with a registry of one entry, `Set`.
pub struct Set {
    folder: tempfile::TempDir,
    keys: String,
}

impl Set {
    /// An empty folder and an entry with these keys beside `root`, `object` and `modality`.
    pub fn new(keys: &str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), keys: keys.to_owned() }
    }

    /// Layout `mvfa` with masks: in each split three normal and three abnormal images of 8 x 8 pixels, all different.
    pub fn mvfa() -> Self {
        Self::mvfa_with("")
    }

    /// [`Set::mvfa`] with more keys in its entry.
    pub fn mvfa_with(keys: &str) -> Self {
        let set = Self::new(&format!("layout = \"mvfa\"\nmasks = true\n{keys}"));
        for (s, split) in ["valid", "test"].into_iter().enumerate() {
            for i in 0..3u8 {
                let value = 10 * (i + 1) + 40 * s as u8;
                set.image(&format!("{split}/good/img/n{i}.png"), value);
                set.image(&format!("{split}/Ungood/img/a{i}.png"), value + 5);
                set.mask(&format!("{split}/Ungood/anomaly_mask/a{i}.png"));
            }
        }
        set
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub fn write(&self, below: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A grey image of 8 x 8 pixels.
    pub fn image(&self, below: &str, value: u8) -> PathBuf {
        self.write(below, png(&GrayImage::from_pixel(8, 8, Luma([value]))))
    }

    /// A mask of 8 x 8 pixels, its left half marked.
    pub fn mask(&self, below: &str) -> PathBuf {
        self.write(below, png(&GrayImage::from_fn(8, 8, |x, _| Luma([if x < 4 { 255 } else { 0 }]))))
    }

    pub fn remove(&self, below: &str) {
        let path = self.path(below);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    pub fn dataset(&self) -> Dataset {
        self.dataset_with("")
    }

    /// With more keys in the entry.
    pub fn dataset_with(&self, more: &str) -> Dataset {
        let text = format!("[Set]\nroot = \".\"\nobject = \"thing\"\nmodality = \"drawing\"\n{}{more}", self.keys);
        Dataset::open(&Registry::parse(&text, &self.path("datasets.toml")).unwrap(), "Set").unwrap()
    }

    /// What `verify` finds wrong, messages alone.
    pub fn errors(&self) -> Vec<String> {
        errors(&self.dataset())
    }
}

pub fn errors(dataset: &Dataset) -> Vec<String> {
    found(dataset, Severity::Error)
}

/// What `verify` finds of a severity, messages alone.
pub fn found(dataset: &Dataset, severity: Severity) -> Vec<String> {
    let of = |finding: &Finding| finding.severity == severity;
    verify(dataset).into_iter().filter(of).map(|finding| finding.message).collect()
}

pub fn png(image: &GrayImage) -> Vec<u8> {
    encoded(image::DynamicImage::ImageLuma8(image.clone()), image::ImageFormat::Png)
}

pub fn encoded(image: image::DynamicImage, format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The message holds every one of the parts.
#[track_caller]
pub fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
}

/// The error's message holds the path and every one of the parts.
#[track_caller]
pub fn names(error: &DataError, path: &Path, parts: &[&str]) {
    let message = error.to_string();
    says(&message, &[path.to_str().unwrap()]);
    says(&message, parts);
}

/// `entry(key, value)` of a TIFF with this many values of a type.
struct Field(u16, u16, u32, u32);

/// A little-endian TIFF of one strip: eight-bit indices into a map of sixteen-bit colours.
pub fn palette_tiff(width: u32, height: u32, indices: &[u8], colour: impl Fn(u8) -> [u8; 3]) -> Vec<u8> {
    let map: Vec<u8> = (0..3)
        .flat_map(|c| (0..=255u8).map(move |i| (i, c)))
        .flat_map(|(i, c)| (u16::from(colour(i)[c]) * 257).to_le_bytes())
        .collect();
    let (strip, colours) = (8, 8 + indices.len() as u32);
    let directory = colours + map.len() as u32;
    let fields = [
        Field(256, 4, 1, width),
        Field(257, 4, 1, height),
        Field(258, 3, 1, 8),
        Field(259, 3, 1, 1),
        Field(262, 3, 1, 3),
        Field(273, 4, 1, strip),
        Field(277, 3, 1, 1),
        Field(278, 4, 1, height),
        Field(279, 4, 1, indices.len() as u32),
        Field(320, 3, 768, colours),
    ];
    let mut bytes = b"II\x2A\x00".to_vec();
    bytes.extend(directory.to_le_bytes());
    bytes.extend(indices);
    bytes.extend(map);
    bytes.extend((fields.len() as u16).to_le_bytes());
    for Field(tag, kind, count, value) in fields {
        bytes.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        bytes.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
    }
    bytes.extend([0; 4]);
    bytes
}

/// A page of [`grey_tiff`]: its pixels, and more fields of one number each.
pub struct Page<'a> {
    pub width: u32,
    pub height: u32,
    pub pixels: &'a [u8],
    pub fields: &'a [(u16, u32)],
}

/// A little-endian TIFF of eight-bit grey pages; 262 among the fields of a page replaces "zero is black".
pub fn grey_tiff(pages: &[Page<'_>]) -> Vec<u8> {
    let mut bytes = b"II\x2A\x00\0\0\0\0".to_vec();
    let mut link = 4;
    for page in pages {
        let strip = bytes.len() as u32;
        bytes.extend(page.pixels);
        let mut fields: Vec<(u16, u32)> = [
            (256, page.width),
            (257, page.height),
            (258, 8),
            (259, 1),
            (262, 1),
            (273, strip),
            (277, 1),
            (278, page.height),
            (279, page.pixels.len() as u32),
        ]
        .into_iter()
        .filter(|(tag, _)| page.fields.iter().all(|(other, _)| other != tag))
        .chain(page.fields.iter().copied())
        .collect();
        fields.sort_unstable();
        let directory = bytes.len() as u32;
        bytes[link..link + 4].copy_from_slice(&directory.to_le_bytes());
        bytes.extend((fields.len() as u16).to_le_bytes());
        for (tag, value) in fields {
            // What extra channels are is a short number to decoders.
            let kind: u16 = if tag == 338 { 3 } else { 4 };
            bytes.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
            bytes.extend([1u32.to_le_bytes(), value.to_le_bytes()].concat());
        }
        link = bytes.len();
        bytes.extend([0; 4]);
    }
    bytes
}

/// An Exif block of nothing but an orientation.
pub fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0]);
    block
}

/// A JPEG with an orientation.
pub fn turned_jpeg(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let block = [b"Exif\0\0".to_vec(), exif(orientation)].concat();
    let length = (block.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &block, &jpeg[2..]].concat()
}

/// A PNG with an orientation, before or after its pixels.
pub fn turned_png(png: &[u8], orientation: u8, after: bool) -> Vec<u8> {
    let end = png.windows(4).rposition(|kind| kind == b"IEND").unwrap() - 4;
    let at = if after { end } else { 33 };
    let chunk = [b"eXIf".to_vec(), exif(orientation)].concat();
    let length = (chunk.len() as u32 - 4).to_be_bytes();
    [&png[..at], &length, &chunk, &crc32(&chunk).to_be_bytes(), &png[at..]].concat()
}

pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { 0xEDB8_8320 ^ (c >> 1) } else { c >> 1 })
    })
}

/// A BMP of eight-bit indices into a palette.
pub fn palette_bmp(width: u32, height: u32, indices: &[u8], colour: impl Fn(u8) -> [u8; 3]) -> Vec<u8> {
    let start = 14 + 40 + 4 * 256;
    let stride = width.div_ceil(4) * 4;
    let mut bytes = b"BM".to_vec();
    bytes.extend((start + stride * height).to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(start.to_le_bytes());
    for value in [40, width, height, 1 | 8 << 16, 0, stride * height, 2835, 2835, 256, 0] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend((0..=255u8).flat_map(|i| {
        let [r, g, b] = colour(i);
        [b, g, r, 0]
    }));
    // Rows from the bottom, each padded to four bytes.
    for row in indices.chunks_exact(width as usize).rev() {
        bytes.extend(row);
        bytes.extend(vec![0; (stride - width) as usize]);
    }
    bytes
}

/// A PNG with a palette.
pub fn palette_png(width: u32, height: u32, indices: &[u8], colour: impl Fn(u8) -> [u8; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette((0..=255u8).flat_map(&colour).collect::<Vec<_>>());
    encoder.write_header().unwrap().write_image_data(indices).unwrap();
    bytes
}
