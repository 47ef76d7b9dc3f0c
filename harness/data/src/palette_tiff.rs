//! TIFF files of indices into a colour map, which the `tiff` decoder refuses: the same file as one of plain grey
//! values, and the map.

/// Photometric interpretation: how pixel values are meant.
const PHOTOMETRIC: u16 = 262;
const BITS_PER_SAMPLE: u16 = 258;
const COLOUR_MAP: u16 = 320;
/// Type of a field of 16-bit numbers.
const SHORT: u16 = 3;

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
        let file = File::of(bytes)?;
        let first = usize::try_from(file.u32(4)?).ok()?;
        let entries = usize::from(file.u16(first)?);
        let find = |tag| (0..entries).map(|i| first + 2 + 12 * i).find(|at| file.u16(*at) == Some(tag));
        let photometric = find(PHOTOMETRIC)?;
        let bits = find(BITS_PER_SAMPLE)?;
        if file.u16(photometric + 8)? != 3 || file.u16(bits + 8)? != 8 {
            return None;
        }
        let map = find(COLOUR_MAP)?;
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

/// Numbers of a TIFF in its own byte order.
struct File<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> File<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = match bytes.get(..4)? {
            b"II\x2A\x00" => false,
            b"MM\x00\x2A" => true,
            _ => return None,
        };
        Some(Self { bytes, big_endian })
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn bytes_of(&self, value: u16) -> [u8; 2] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }
}
