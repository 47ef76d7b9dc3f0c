//! TIFF files of indices into a colour map, which the `tiff` decoder refuses: the same file as one of plain grey
//! values, and the map.

use crate::tiff_directory::{SHORT, Tiff};

/// Photometric interpretation: how pixel values are meant.
const PHOTOMETRIC: u16 = 262;
const BITS_PER_SAMPLE: u16 = 258;
const COLOUR_MAP: u16 = 320;

/// A colour-mapped TIFF, taken apart.
pub(crate) struct PaletteTiff {
    /// The same file, saying that its values are grey: decoded, they are the indices.
    pub(crate) indices: Vec<u8>,
    /// Colours of the indices 0 to 255.
    pub(crate) colours: Vec<[u8; 3]>,
}

impl PaletteTiff {
    /// Takes the first image of a classic TIFF apart, or gives nothing where it isn't one of eight-bit indices.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let file = Tiff::of(bytes)?;
        let first = file.first()?;
        let photometric = file.field(first, PHOTOMETRIC)?;
        let bits = file.field(first, BITS_PER_SAMPLE)?;
        if file.u16(photometric + 8)? != 3 || file.u16(bits + 8)? != 8 {
            return None;
        }
        let map = file.field(first, COLOUR_MAP)?;
        if file.u16(map + 2)? != SHORT || file.u32(map + 4)? != 3 * 256 {
            return None;
        }
        let values = usize::try_from(file.u32(map + 8)?).ok()?;
        // All reds, then all greens, then all blues; sixteen bits each, of which Pillow takes the upper ones.
        let channel = |of: usize, i: usize| Some((file.u16(values.checked_add(2 * (256 * of + i))?)? >> 8) as u8);
        let colours =
            (0..256).map(|i| Some([channel(0, i)?, channel(1, i)?, channel(2, i)?])).collect::<Option<Vec<_>>>()?;
        let mut indices = bytes.to_vec();
        // Zero is black.
        indices.get_mut(photometric + 8..photometric + 10)?.copy_from_slice(&file.bytes_of(1));
        Some(Self { indices, colours })
    }
}
