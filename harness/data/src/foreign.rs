//! Files of other kinds, called by their name with the way out.

use std::fmt;
use std::path::Path;

/// A file that is no image that is read: what it is, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Its kind, as a noun with its article where it takes one.
    pub kind: &'static str,
    /// What to do.
    pub advice: &'static str,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by its content {}; {}", self.kind, self.advice)
    }
}

const fn foreign(kind: &'static str, advice: &'static str) -> Foreign {
    Foreign { kind, advice }
}

const CONVERT: &str = "convert it to PNG, JPEG, BMP or TIFF";
const LOSSLESS: &str = "convert it to PNG without changing a value";
const UNPACK: &str = "unpack it";

const DICOM: Foreign =
    foreign("DICOM", "convert it to PNG with the window that a reader would use (for example with dcm2img or pydicom)");
const NIFTI: Foreign = foreign(
    "NIfTI",
    "write its slices as PNG files, images with a window, masks with the lesion as 255 (for example with nibabel)",
);
const NUMPY: Foreign = foreign("a NumPy array", "write it as PNG, scaled to 8 or to the full 16 bit");
const HDF5: Foreign = foreign("HDF5", "write its arrays as PNG files, scaled to 8 or to the full 16 bit");
const VOLUME: Foreign = foreign("a volume (MetaImage, NRRD or Analyze)", "write its slices as PNG files");
const GIF: Foreign = foreign("GIF", LOSSLESS);
const WEBP: Foreign = foreign("WebP", CONVERT);
const JPEG_2000: Foreign = foreign("JPEG 2000", LOSSLESS);
const HEIF: Foreign = foreign("HEIF or AVIF", CONVERT);
const PNM: Foreign = foreign("PNM (PGM, PPM)", LOSSLESS);
const TGA: Foreign = foreign("TGA", LOSSLESS);
const MATLAB: Foreign = foreign("a MATLAB file", "write its arrays as PNG files, scaled to 8 or to the full 16 bit");
const SLIDE: Foreign = foreign("a whole-slide image", "cut patches out of it (for example with OpenSlide)");
const VIDEO: Foreign = foreign("a video", "write its frames as PNG files");
const GZIP: Foreign = foreign("gzip", UNPACK);
const ARCHIVE: Foreign = foreign("an archive", UNPACK);
const PDF: Foreign = foreign("PDF", "export its picture as PNG");
const SVG: Foreign = foreign("SVG", "export it as PNG");
const HTML: Foreign = foreign(
    "an HTML page, such as a server sends in place of a file",
    "fetch the file itself again (log in or accept the terms first)",
);
const LFS: Foreign = foreign("a Git LFS pointer, not the file itself", "fetch the file with `git lfs pull`");
const ANNEX: Foreign = foreign("a git-annex pointer, not the file itself", "fetch the file with `git annex get`");
const BIG_TIFF: Foreign = foreign("BigTIFF", "save it as plain TIFF or PNG");
const TEXT: Foreign = foreign("text", "remove it, or fetch the file itself again");
const TABLE: Foreign = foreign("text or a table", "move it away");

/// Kinds by how their content begins.
const BEGINNINGS: [(&[u8], Foreign); 42] = [
    (b"II+\0", BIG_TIFF),
    (b"MM\0+", BIG_TIFF),
    (b"GIF8", GIF),
    (b"\x93NUMPY", NUMPY),
    (b"\x89HDF\r\n", HDF5),
    (b"\0\0\0\x0CjP  ", JPEG_2000),
    (b"\xFF\x4F\xFF\x51", JPEG_2000),
    (b"version https://git-lfs", LFS),
    (b"/annex/objects/", ANNEX),
    (b"\x1F\x8B", GZIP),
    (b"PK\x03\x04", ARCHIVE),
    (b"PK\x05\x06", ARCHIVE),
    (b"7z\xBC\xAF\x27\x1C", ARCHIVE),
    (b"Rar!", ARCHIVE),
    (b"BZh", ARCHIVE),
    (b"\xFD7zXZ\0", ARCHIVE),
    (b"\x28\xB5\x2F\xFD", ARCHIVE),
    (b"%PDF", PDF),
    (b"MATLAB 5", MATLAB),
    (b"NRRD", VOLUME),
    (b"ObjectType", VOLUME),
    (b"P1\n", PNM),
    (b"P2\n", PNM),
    (b"P3\n", PNM),
    (b"P4\n", PNM),
    (b"P5\n", PNM),
    (b"P6\n", PNM),
    (b"P5 ", PNM),
    (b"P6 ", PNM),
    (b"\x89PNG\n", foreign("a PNG that was transferred as text", "fetch it again in binary mode")),
    (b"8BPS", foreign("a Photoshop document", "export it as PNG")),
    (b"v/1\x01", foreign("OpenEXR", "write it as PNG, scaled to 8 or to the full 16 bit")),
    (b"\xFF\x0A", foreign("JPEG XL", CONVERT)),
    (b"\0\0\0\x0CJXL ", foreign("JPEG XL", CONVERT)),
    (b"\0\0\x01\0", foreign("an icon", CONVERT)),
    (b"DDS ", foreign("DDS", CONVERT)),
    (b"qoif", foreign("QOI", CONVERT)),
    (b"SQLite format 3", foreign("a database", "move it away")),
    (b"PAR1", foreign("Parquet", "write its images as files")),
    (b"\x1A\x45\xDF\xA3", VIDEO),
    (b"\0\0\x01\xBA", VIDEO),
    (b"\x80\x04", foreign("a Python pickle", "write its arrays as PNG files, scaled to 8 or to the full 16 bit")),
];

/// What bytes are that are no image that is read, where that is known.
pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Foreign> {
    if bytes.is_empty() {
        return Some(foreign("empty (0 bytes)", "fetch it again or remove it"));
    }
    if let Some((_, kind)) = BEGINNINGS.iter().find(|(beginning, _)| bytes.starts_with(beginning)) {
        let compressed_nifti = *kind == GZIP && gzip_name(bytes).is_some_and(|name| name.ends_with(b".nii"));
        return Some(if compressed_nifti { NIFTI } else { *kind });
    }
    if bytes.get(128..132) == Some(b"DICM") || bytes.starts_with(b"\x08\0\x05\0\x0A\0\0\0") {
        return Some(DICOM);
    }
    let number = bytes.get(..4).and_then(|b| <[u8; 4]>::try_from(b).ok());
    match number.map(|b| (u32::from_le_bytes(b), u32::from_be_bytes(b))) {
        Some((348, _) | (_, 348)) if matches!(bytes.get(344..347), Some(b"n+1" | b"ni1")) => return Some(NIFTI),
        Some((540, _) | (_, 540)) if matches!(bytes.get(4..7), Some(b"n+2" | b"ni2")) => return Some(NIFTI),
        Some((348, _) | (_, 348)) => return Some(VOLUME),
        _ => {}
    }
    if bytes.starts_with(b"RIFF") {
        return match bytes.get(8..12) {
            Some(b"WEBP") => Some(WEBP),
            Some(b"AVI ") => Some(VIDEO),
            _ => None,
        };
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        let still = matches!(bytes.get(8..11), Some(b"hei" | b"hev" | b"avi" | b"mif"));
        return Some(if still { HEIF } else { VIDEO });
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Some(ARCHIVE);
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Some(foreign("nothing but zeros, such as a broken transfer or a full disk leaves", "fetch it again"));
    }
    of_text(bytes)
}

/// The name that a gzip file says its content had.
fn gzip_name(bytes: &[u8]) -> Option<&[u8]> {
    let named = bytes.get(3)? & 0b1100 == 0b1000;
    bytes.get(10..).filter(|_| named)?.split(|byte| *byte == 0).next()
}

fn of_text(bytes: &[u8]) -> Option<Foreign> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let head = &bytes[..bytes.len().min(1024)];
    // A character may be cut at the end.
    let whole = std::str::from_utf8(head).map_or_else(|error| &head[..error.valid_up_to()], |_| head);
    let text = std::str::from_utf8(whole).ok().filter(|_| head.len() - whole.len() < 4)?;
    if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    let text = text.trim_start().to_ascii_lowercase();
    Some(if text.starts_with("<!doctype html") || text.starts_with("<html") || text.contains("<head") {
        HTML
    } else if text.starts_with("<svg") || (text.starts_with("<?xml") && text.contains("<svg")) {
        SVG
    } else if text.contains("/annex/objects/") {
        ANNEX
    } else {
        TEXT
    })
}

/// Kinds by the end of a file's name, in lower case.
const ENDINGS: [(&str, Foreign); 44] = [
    (".dcm", DICOM),
    (".dicom", DICOM),
    (".ima", DICOM),
    (".nii", NIFTI),
    (".nii.gz", NIFTI),
    (".npy", NUMPY),
    (".npz", NUMPY),
    (".h5", HDF5),
    (".hdf5", HDF5),
    (".mat", MATLAB),
    (".mha", VOLUME),
    (".mhd", VOLUME),
    (".nrrd", VOLUME),
    (".hdr", VOLUME),
    (".gif", GIF),
    (".webp", WEBP),
    (".jp2", JPEG_2000),
    (".j2k", JPEG_2000),
    (".heic", HEIF),
    (".heif", HEIF),
    (".avif", HEIF),
    (".pgm", PNM),
    (".ppm", PNM),
    (".pnm", PNM),
    (".pbm", PNM),
    (".tga", TGA),
    (".svs", SLIDE),
    (".ndpi", SLIDE),
    (".mrxs", SLIDE),
    (".scn", SLIDE),
    (".mp4", VIDEO),
    (".avi", VIDEO),
    (".mov", VIDEO),
    (".svg", SVG),
    (".pdf", PDF),
    (".zip", ARCHIVE),
    (".tar", ARCHIVE),
    (".7z", ARCHIVE),
    (".rar", ARCHIVE),
    (".gz", GZIP),
    (".txt", TABLE),
    (".csv", TABLE),
    (".json", TABLE),
    (".xml", TABLE),
];

/// What a file is by its name, where that is known.
pub(crate) fn of_name(path: &Path) -> Option<Foreign> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let known = ENDINGS.iter().filter(|(ending, _)| name.ends_with(ending));
    known.max_by_key(|(ending, _)| ending.len()).map(|(_, kind)| *kind)
}

/// What the files among these are by their names, and the way out; `None` where none is of a known kind.
pub fn of_names<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Option<String> {
    let mut kinds: Vec<(Foreign, usize)> = Vec::new();
    for kind in paths.into_iter().filter_map(of_name) {
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let of = |(Foreign { kind, advice }, count): &(Foreign, usize)| match count {
        1 => format!("1 file, {kind}: {advice}"),
        _ => format!("{count} files, each {kind}: {advice}"),
    };
    (!kinds.is_empty()).then(|| kinds.iter().map(of).collect::<Vec<_>>().join("; "))
}
