//! An image of a dataset with its label, mask and patient, and its pixels at a size.

use std::path::PathBuf;

use crate::alike::Looked;
use crate::content::image_hash;
use crate::decode::{self, Depth, Pixels, Samples};
use crate::error::{DataError, Result};
use crate::facts::Facts;
use crate::head::Head;
use crate::limits::MAX_SIDE;
use crate::mask::{MaskValues, marks};
use crate::phantom::PhantomPlane;
use crate::resize::{bicubic_plane, nearest_plane};

/// Where pixels come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// A generated plane.
    Phantom(PhantomPlane),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Phantom(plane) => write!(f, "{plane}"),
        }
    }
}

impl Source {
    /// BLAKE3 of the file's bytes, and of its orientation tag where that turns the picture; or of the generated plane.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn content_hash(&self) -> Result<[u8; 32]> {
        match self {
            Self::File(path) => image_hash(path),
            Self::Phantom(plane) => Ok(plane.content_hash()),
        }
    }

    /// Width and height as shown, from the header.
    ///
    /// # Errors
    /// [`DataError::Io`], [`DataError::Decode`], [`DataError::TooLarge`].
    pub fn dimensions(&self) -> Result<(u32, u32)> {
        match self {
            Self::File(path) => decode::dimensions(path),
            Self::Phantom(plane) => Ok((plane.spec.side as u32, plane.spec.side as u32)),
        }
    }

    /// Width and height as stored, whatever the orientation tag says; `None` where the head can't be read.
    fn stored_size(&self) -> Result<Option<(u32, u32)>> {
        match self {
            Self::File(path) => Ok(Head::of(&decode::read(path)?).map(|head| (head.width, head.height))),
            Self::Phantom(_) => self.dimensions().map(Some),
        }
    }

    /// All pixels at their own size.
    ///
    /// # Errors
    /// As [`decode::decode`].
    pub fn pixels(&self, depth: Depth) -> Result<Pixels> {
        match self {
            Self::File(path) => decode::decode(&decode::read(path)?, path, depth),
            Self::Phantom(plane) => {
                Ok(Pixels { width: plane.spec.side, height: plane.spec.side, samples: Samples::Grey(plane.pixels()) })
            }
        }
    }

    /// The path, or for a generated plane its name, for messages.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(self.to_string())
    }
}

/// An image as RGB planar `[3, S, S]`, resized by Pillow's bicubic (docs/method.md section 6).
///
/// # Errors
/// As [`Source::pixels`]; [`DataError::Size`].
pub fn load_image(source: &Source, size: usize) -> Result<Vec<u8>> {
    check_side(size)?;
    let pixels = source.pixels(Depth::Scaled)?;
    let mut out = Vec::with_capacity(3 * size * size);
    let planes = pixels.planes();
    for plane in &planes {
        out.extend(bicubic_plane(plane, pixels.width, pixels.height, size));
    }
    if planes.len() == 1 {
        out.extend_from_within(..);
        out.extend_from_within(..size * size);
    }
    Ok(out)
}

/// A mask at S x S by nearest neighbour, as bytes of 0 to 255, not thresholded. With [`MaskValues::Nonzero`], 0 or 255.
///
/// # Errors
/// As [`Source::pixels`]; [`DataError::Size`].
fn load_mask_bytes(source: &Source, size: usize, values: MaskValues) -> Result<Vec<u8>> {
    check_side(size)?;
    let pixels = source.pixels(values.depth())?;
    Ok(nearest_plane(&pixels.to_grey(), pixels.width, pixels.height, size)
        .into_iter()
        .map(|value| values.flatten(value))
        .collect())
}

/// A test mask `[S, S]`, 0 or 1.
///
/// # Errors
/// As [`Source::pixels`]; [`DataError::Size`].
pub fn load_mask(source: &Source, size: usize, values: MaskValues) -> Result<Vec<u8>> {
    Ok(load_mask_bytes(source, size, values)?.into_iter().map(|v| u8::from(marks(v))).collect())
}

/// A support mask `[S, S]` in 0 to 1, to be thresholded after the warps of augmentation.
///
/// # Errors
/// As [`Source::pixels`]; [`DataError::Size`].
pub fn load_support_mask(source: &Source, size: usize, values: MaskValues) -> Result<Vec<f32>> {
    Ok(load_mask_bytes(source, size, values)?.into_iter().map(|v| f32::from(v) / 255.0).collect())
}

fn check_side(size: usize) -> Result<()> {
    if size == 0 || size > MAX_SIDE as usize { Err(DataError::Size(size)) } else { Ok(()) }
}

/// An image of a dataset.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name below the dataset's root, '/'-separated, the same on every machine.
    pub name: String,
    /// The label.
    pub abnormal: bool,
    /// Its pixels.
    pub image: Source,
    /// Its mask: abnormal images of datasets with masks.
    pub mask: Option<Source>,
    /// The patient, where the dataset says how to know.
    pub patient: Option<String>,
}

impl Item {
    /// The pixel labels `[S, S]`, 0 or 1: zeros for a normal image, and for an abnormal one whose lesion is too small
    /// to leave a pixel at this size.
    ///
    /// # Errors
    /// [`DataError::NoMask`] for an abnormal image without one, [`DataError::MissingMask`], [`DataError::MaskSize`],
    /// [`DataError::EmptyMask`] for a mask that marks nothing at its own size, and as [`load_mask`].
    pub fn truth(&self, size: usize, values: MaskValues) -> Result<Vec<u8>> {
        let Some(mask) = self.checked_mask()? else { return Ok(vec![0; size * size]) };
        let bytes = load_mask_bytes(mask, size, values)?;
        match why_empty(mask, &bytes, values)? {
            Some(Empty::File(advice)) => Err(DataError::EmptyMask { mask: mask.path(), size, advice }),
            Some(Empty::Resized) | None => Ok(bytes.into_iter().map(|v| u8::from(marks(v))).collect()),
        }
    }

    /// The mask `[S, S]` in 0 to 1, to be thresholded after the warps of augmentation: zeros for a normal image.
    ///
    /// # Errors
    /// As [`Item::truth`]; [`DataError::EmptyMask`] also where resizing leaves nothing of the lesion, since a model
    /// can't be trained on that.
    pub fn soft_truth(&self, size: usize, values: MaskValues) -> Result<Vec<f32>> {
        let Some(mask) = self.checked_mask()? else { return Ok(vec![0.0; size * size]) };
        let bytes = load_mask_bytes(mask, size, values)?;
        if let Some(why) = why_empty(mask, &bytes, values)? {
            return Err(DataError::EmptyMask { mask: mask.path(), size, advice: why.advice() });
        }
        Ok(bytes.into_iter().map(|v| f32::from(v) / 255.0).collect())
    }

    /// What is said of a mask that is not there.
    pub(crate) fn missing_mask(&self) -> Option<DataError> {
        let Some(Source::File(mask)) = self.mask.as_ref().filter(|mask| !mask.path().exists()) else { return None };
        let mut near = Looked::default();
        let meant = near.file(mask, true).map(|name| mask.with_file_name(name)).into_iter().collect();
        Some(DataError::MissingMask { image: self.image.path(), expected: mask.clone(), meant })
    }

    fn checked_mask(&self) -> Result<Option<&Source>> {
        if !self.abnormal {
            return Ok(None);
        }
        let mask = self.mask.as_ref().ok_or_else(|| DataError::NoMask { item: self.name.clone() })?;
        if let Some(missing) = self.missing_mask() {
            return Err(missing);
        }
        let ((width, height), (mask_width, mask_height)) = (self.image.dimensions()?, mask.dimensions()?);
        if (width, height) != (mask_width, mask_height) {
            let turned = self.image.stored_size()? == mask.stored_size()?;
            let (mask, image) = (mask.path(), self.image.path());
            return Err(DataError::MaskSize { mask, mask_width, mask_height, image, width, height, turned });
        }
        Ok(Some(mask))
    }
}

/// Why a mask marks nothing at the size it is used at.
enum Empty {
    /// It marks nothing at its own size either: what to do.
    File(String),
    /// Resizing left nothing of its lesion.
    Resized,
}

impl Empty {
    fn advice(self) -> String {
        match self {
            Self::File(advice) => advice,
            Self::Resized => {
                "its lesion is too small to survive resizing; use a larger `image_size`, or leave this image out \
                              of the support set"
                    .to_owned()
            }
        }
    }
}

/// `None` where some of the resized mask's `bytes` mark a lesion.
fn why_empty(mask: &Source, bytes: &[u8], values: MaskValues) -> Result<Option<Empty>> {
    if bytes.iter().any(|&v| marks(v)) {
        return Ok(None);
    }
    // The reason is in the whole mask, not in what nearest neighbour left of it.
    if mask.pixels(values.depth())?.to_grey().into_iter().any(|v| marks(values.flatten(v))) {
        return Ok(Some(Empty::Resized));
    }
    let facts = match mask {
        Source::File(path) => Facts::of(&decode::read(path)?, path)?,
        Source::Phantom(_) => Facts::of_pixels(mask.pixels(Depth::Scaled)?),
    };
    Ok(Some(Empty::File(facts.why_empty())))
}
