//! Numbers and directories of a classic TIFF file: what its header says of its pages.

/// What a page is for: bit 0 marks a reduced copy, bit 2 a transparency mask.
const NEW_SUBFILE_TYPE: u16 = 254;
/// The same in older files: 2 marks a reduced copy.
const SUBFILE_TYPE: u16 = 255;
const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const BITS: u16 = 258;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const DESCRIPTION: u16 = 270;
const ORIENTATION: u16 = 274;
const SAMPLES: u16 = 277;
/// What the channels beyond the colours are: 1 and 2 mark alpha.
const EXTRA_SAMPLES: u16 = 338;
/// 1 whole numbers, 2 signed ones, 3 floating point.
const SAMPLE_FORMAT: u16 = 339;
/// A packet of XMP.
const XMP: u16 = 700;
/// Types of fields.
const BYTE: u16 = 1;
pub(crate) const SHORT: u16 = 3;
const LONG: u16 = 4;
/// More pages than this are not counted.
const MAX_PAGES: u32 = 10_000;
/// A directory of more fields is none.
const MAX_FIELDS: u16 = 1024;

/// Compressions that are not read.
const COMPRESSIONS: [(u32, &str); 12] = [
    (2, "CCITT's Huffman code"),
    (3, "CCITT Group 3 (fax)"),
    (6, "JPEG in its old form"),
    (33_003, "JPEG 2000"),
    (33_005, "JPEG 2000"),
    (34_661, "JBIG"),
    (34_712, "JPEG 2000"),
    (34_887, "LERC"),
    (34_925, "LZMA"),
    (50_000, "Zstandard"),
    (50_001, "WebP"),
    (50_002, "JPEG XL"),
];

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

    /// The first of a field's short numbers, of which there may be several.
    fn first_short(&self, directory: usize, tag: u16) -> Option<u16> {
        let at = self.field(directory, tag)?;
        match (self.u16(at + 2)?, self.u32(at + 4)?) {
            (SHORT, 0..=2) => self.u16(at + 8),
            (SHORT, _) => self.u16(usize::try_from(self.u32(at + 8)?).ok()?),
            _ => self.number(directory, tag).and_then(|number| u16::try_from(number).ok()),
        }
    }

    /// The bytes of a field that are stored elsewhere.
    fn stored(&self, directory: usize, tag: u16) -> Option<&'a [u8]> {
        let at = self.field(directory, tag)?;
        let length = usize::try_from(self.u32(at + 4)?).ok()?;
        let begin = usize::try_from(self.u32(at + 8)?).ok()?;
        self.bytes.get(begin..begin.checked_add(length)?)
    }

    /// The XMP packet of the first page.
    pub(crate) fn xmp(&self) -> Option<&'a [u8]> {
        self.stored(self.first()?, XMP)
    }

    /// Channels of the first page that have no place in a picture: what it has, and what to do.
    pub(crate) fn surplus(&self) -> Option<String> {
        let first = self.first()?;
        let samples = self.number(first, SAMPLES)?;
        let (colours, what) = match self.number(first, PHOTOMETRIC)? {
            0 | 1 => (1, "grey"),
            2 => (3, "RGB"),
            3 => (1, "a palette"),
            5 => (4, "CMYK"),
            _ => return None,
        };
        let extra = samples.checked_sub(colours).filter(|extra| *extra > 0)?;
        // Without the field a fourth channel is taken for alpha, by other readers too.
        let is_alpha = extra == 1 && self.first_short(first, EXTRA_SAMPLES).is_none_or(|kind| matches!(kind, 1 | 2));
        if is_alpha && colours == 3 {
            return None;
        }
        Some(if is_alpha {
            format!("{what} with an alpha channel, in TIFF; save it without the alpha channel")
        } else {
            format!(
                "{samples} channels, of which {what} has {colours}; save those that make the picture as 8 or 16 bit grey or \
                 RGB"
            )
        })
    }

    /// Why the first page can't be decoded, and what to do; asked once it can't.
    pub(crate) fn obstacle(&self) -> Option<String> {
        let first = self.first()?;
        let compression = self.number(first, COMPRESSION).unwrap_or(1);
        if !matches!(compression, 1 | 4 | 5 | 7 | 8 | 0x80B2 | 0x8005) {
            let known = COMPRESSIONS.iter().find(|(number, _)| *number == compression);
            let name = known.map_or_else(|| format!("method {compression}"), |(_, name)| (*name).to_owned());
            return Some(format!(
                "TIFF compressed with {name}, which is not read; save it without compression, or with LZW or deflate"
            ));
        }
        if let Some(surplus) = self.surplus() {
            return Some(surplus);
        }
        let (bits, format) = (self.first_short(first, BITS)?, self.first_short(first, SAMPLE_FORMAT).unwrap_or(1));
        let numbers = match format {
            2 => " as signed numbers",
            3 => " as floating point",
            _ => "",
        };
        let colours = match self.number(first, PHOTOMETRIC)? {
            0 | 1 => "grey",
            2 => "RGB",
            3 => "a palette",
            4 => "a transparency mask",
            5 => "CMYK",
            6 => "YCbCr",
            8..=10 => "CIE L*a*b*",
            _ => "unknown colours",
        };
        Some(format!("TIFF of {colours}, {bits} bits a channel{numbers}; convert it to 8 or 16 bit grey or RGB"))
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

    /// The orientation tag of the first page, 1 to 8; `None` where there is none.
    pub(crate) fn orientation(&self) -> Option<u8> {
        let tag = self.first().and_then(|first| self.number(first, ORIENTATION))?;
        u8::try_from(tag).ok().filter(|tag| (1..=8).contains(tag))
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
        let text = || std::str::from_utf8(self.stored(self.first()?, DESCRIPTION)?).ok();
        let Some(text) = text().filter(|text| text.starts_with("ImageJ=")) else { return 0 };
        let images = text.lines().find_map(|line| line.strip_prefix("images="));
        images.and_then(|images| images.trim().parse().ok()).unwrap_or(0)
    }
}
