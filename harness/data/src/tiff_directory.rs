//! Numbers and directories of a classic TIFF file: what its header says of its pages.

/// What a page is for: bit 0 marks a reduced copy, bit 2 a transparency mask.
const NEW_SUBFILE_TYPE: u16 = 254;
/// The same in older files: 2 marks a reduced copy.
const SUBFILE_TYPE: u16 = 255;
const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const COMPRESSION: u16 = 259;
const DESCRIPTION: u16 = 270;
const ORIENTATION: u16 = 274;
/// Types of fields.
const BYTE: u16 = 1;
pub(crate) const SHORT: u16 = 3;
const LONG: u16 = 4;
/// More pages than this are not counted.
const MAX_PAGES: u32 = 10_000;
/// A directory of more fields is none.
const MAX_FIELDS: u16 = 1024;

/// A classic TIFF's bytes, with its numbers in its own byte order.
pub(crate) struct Tiff<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Tiff<'a> {
    /// `None` where the bytes are no classic TIFF.
    pub(crate) fn of(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = match bytes.get(..4)? {
            b"II\x2A\x00" => false,
            b"MM\x00\x2A" => true,
            _ => return None,
        };
        Some(Self { bytes, big_endian })
    }

    pub(crate) fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    pub(crate) fn u32(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    pub(crate) fn bytes_of(&self, value: u16) -> [u8; 2] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    /// Where the first directory begins.
    pub(crate) fn first(&self) -> Option<usize> {
        usize::try_from(self.u32(4)?).ok()
    }

    /// Where a directory's field of this tag begins.
    pub(crate) fn field(&self, directory: usize, tag: u16) -> Option<usize> {
        let entries = usize::from(self.u16(directory)?.min(MAX_FIELDS));
        (0..entries).map(|i| directory + 2 + 12 * i).find(|at| self.u16(*at) == Some(tag))
    }

    /// The value of a field that holds one whole number.
    fn number(&self, directory: usize, tag: u16) -> Option<u32> {
        let at = self.field(directory, tag)?;
        match self.u16(at + 2)? {
            BYTE => self.bytes.get(at + 8).map(|byte| u32::from(*byte)),
            SHORT => self.u16(at + 8).map(u32::from),
            LONG => self.u32(at + 8),
            _ => None,
        }
    }

    /// The directory that follows another.
    fn next(&self, directory: usize) -> Option<usize> {
        let entries = usize::from(self.u16(directory).filter(|entries| *entries <= MAX_FIELDS)?);
        match self.u32(directory + 2 + 12 * entries)? {
            0 => None,
            at => usize::try_from(at).ok().filter(|at| self.u16(*at).is_some()),
        }
    }

    /// Width and height of the first page.
    pub(crate) fn size(&self) -> Option<(u32, u32)> {
        let first = self.first()?;
        Some((self.number(first, WIDTH)?, self.number(first, HEIGHT)?))
    }

    /// The orientation tag of the first page, 1 to 8; 1 where there is none.
    pub(crate) fn orientation(&self) -> u8 {
        let tag = self.first().and_then(|first| self.number(first, ORIENTATION)).unwrap_or(1);
        u8::try_from(tag).ok().filter(|tag| (1..=8).contains(tag)).unwrap_or(1)
    }

    /// Whether the first page is stored as JPEG.
    pub(crate) fn is_lossy(&self) -> bool {
        self.first().and_then(|first| self.number(first, COMPRESSION)).is_some_and(|kind| matches!(kind, 6 | 7))
    }

    /// Number of pages. Reduced copies and transparency masks don't count.
    pub(crate) fn pages(&self) -> u32 {
        let (mut pages, mut walked, mut at) = (0, 0, self.first());
        while let Some(directory) = at.filter(|_| walked < MAX_PAGES) {
            pages += u32::from(!self.is_aside(directory));
            walked += 1;
            at = self.next(directory);
        }
        pages.max(self.imagej_pages())
    }

    /// Whether the first page, which is the one that is read, is a reduced copy or a mask of another.
    pub(crate) fn begins_aside(&self) -> bool {
        self.first().is_some_and(|first| self.is_aside(first) && self.next(first).is_some())
    }

    fn is_aside(&self, directory: usize) -> bool {
        self.number(directory, NEW_SUBFILE_TYPE).is_some_and(|kind| kind & 0b101 != 0)
            || self.number(directory, SUBFILE_TYPE) == Some(2)
    }

    /// Pages of an ImageJ stack: a large one has a directory for the first alone, and says how many follow.
    fn imagej_pages(&self) -> u32 {
        let text = || {
            let at = self.field(self.first()?, DESCRIPTION)?;
            let length = usize::try_from(self.u32(at + 4)?).ok()?;
            let begin = usize::try_from(self.u32(at + 8)?).ok()?;
            std::str::from_utf8(self.bytes.get(begin..begin.checked_add(length)?)?).ok()
        };
        let Some(text) = text().filter(|text| text.starts_with("ImageJ=")) else { return 0 };
        let images = text.lines().find_map(|line| line.strip_prefix("images="));
        images.and_then(|images| images.trim().parse().ok()).unwrap_or(0)
    }
}
