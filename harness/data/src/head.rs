//! What the head of an image file says: its size, the orientation it is to be shown in, and how many pictures it holds.

use image::metadata::Orientation;

use crate::tiff_directory::Tiff;

/// What a file's head says. Nothing of it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Pixels a row as stored.
    pub(crate) width: u32,
    /// Rows as stored.
    pub(crate) height: u32,
    /// The orientation tag, 1 to 8: how the stored picture is to be turned.
    pub(crate) orientation: u8,
    /// The orientation that its XMP packet alone gives, 1 to 8. It is not applied: viewers and browsers go by the tag.
    pub(crate) in_xmp: u8,
    /// Pages of a TIFF, frames of an animated PNG; else 1.
    pub(crate) pages: u32,
    /// The picture that is read is a reduced copy of one that follows.
    pub(crate) begins_aside: bool,
    /// Compressed with loss.
    pub(crate) lossy: bool,
    /// What it is where its kind of JPEG is not read, and what to do.
    pub(crate) unread: Option<&'static str>,
}

impl Head {
    /// The head of a PNG, JPEG, BMP or TIFF; `None` where its beginning is none of them, or is damaged.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', ..] => png(bytes),
            [0xFF, 0xD8, ..] => jpeg(bytes),
            [b'B', b'M', ..] => bmp(bytes),
            _ => tiff(bytes),
        }
    }
}

/// Width and height of a picture once it is turned as its tag says.
pub(crate) fn shown(width: u32, height: u32, orientation: u8) -> (u32, u32) {
    if orientation >= 5 { (height, width) } else { (width, height) }
}

fn plain(width: u32, height: u32) -> Head {
    Head { width, height, orientation: 1, in_xmp: 1, pages: 1, begins_aside: false, lossy: false, unread: None }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// The orientation in an Exif block; some writers keep the prefix that JPEG wants before it.
fn exif(block: &[u8]) -> Option<u8> {
    let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    Orientation::from_exif_chunk(block).map(Orientation::to_exif)
}

/// The orientation in an XMP packet, as an attribute or as an element.
fn xmp(packet: &[u8]) -> Option<u8> {
    const NAME: &[u8] = b"tiff:Orientation";
    packet.windows(NAME.len()).enumerate().filter(|(_, name)| *name == NAME).find_map(|(at, _)| {
        let value = match &packet[at + NAME.len()..] {
            [b'=', b'"' | b'\'', value, ..] | [b'>', value, ..] => value.wrapping_sub(b'0'),
            _ => return None,
        };
        (1..=8).contains(&value).then_some(value)
    })
}

impl Head {
    /// With the orientation of its tag, or where it has none with what XMP says.
    fn turned(self, tag: Option<u8>, in_xmp: Option<u8>) -> Self {
        let in_xmp = if tag.is_none() { in_xmp.unwrap_or(1) } else { 1 };
        Self { orientation: tag.unwrap_or(1), in_xmp, ..self }
    }
}

fn png(bytes: &[u8]) -> Option<Head> {
    let mut head = plain(u32_at(bytes, 16)?, u32_at(bytes, 20)?);
    let (mut at, mut tag, mut in_xmp) = (8usize, None, None);
    let (mut frames, mut begins, mut aside) = (0, false, false);
    // The tag may follow the pixels.
    while let (Some(length), Some(kind)) = (u32_at(bytes, at), bytes.get(at + 4..at + 8)) {
        let data = at + 8;
        match kind {
            b"eXIf" => {
                let end = data.checked_add(length as usize)?;
                tag = bytes.get(data..end).and_then(exif);
            }
            b"iTXt" => {
                let end = data.checked_add(length as usize)?;
                let packet = bytes.get(data..end).and_then(|text| text.strip_prefix(b"XML:com.adobe.xmp\0"));
                in_xmp = packet.and_then(xmp).or(in_xmp);
            }
            b"acTL" => frames = u32_at(bytes, data).unwrap_or(1).max(1),
            b"fcTL" => begins = true,
            // A picture before the first frame is none of the frames: viewers without animation show it.
            b"IDAT" => aside |= !begins,
            b"IEND" => break,
            _ => {}
        }
        at = data.checked_add(length as usize)?.checked_add(4)?;
    }
    if frames > 0 {
        head.pages = frames.saturating_add(u32::from(aside && begins));
    }
    Some(head.turned(tag, in_xmp))
}

fn jpeg(bytes: &[u8]) -> Option<Head> {
    let (mut at, mut tag, mut in_xmp) = (2usize, None, None);
    loop {
        while *bytes.get(at)? != 0xFF {
            at += 1;
        }
        while *bytes.get(at)? == 0xFF {
            at += 1;
        }
        let marker = bytes[at];
        at += 1;
        if matches!(marker, 0 | 1 | 0xD0..=0xD9) {
            continue;
        }
        let length = usize::from(u16_at(bytes, at)?);
        let segment = bytes.get(at + 2..at + length)?;
        match marker {
            0xE1 if segment.starts_with(b"Exif\0\0") => tag = tag.or(exif(segment)),
            0xE1 if segment.starts_with(b"http://ns.adobe.com/xap/1.0/\0") => in_xmp = in_xmp.or(xmp(segment)),
            // Frames; not tables of Huffman codes, extensions and arithmetic coding.
            0xC0..=0xCF | 0xF7 if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                let (height, width) = (u16_at(segment, 1)?, u16_at(segment, 3)?);
                let unread = match (marker, segment.first()) {
                    (0xC0..=0xC2, Some(8)) => None,
                    (0xC0..=0xC2, _) => Some("a JPEG of 12 bits; convert it to PNG, scaled to 8 or to the full 16 bit"),
                    (0xC3, _) => Some("a lossless JPEG; convert it to PNG without changing a value"),
                    (0xF7, _) => Some("JPEG-LS; convert it to PNG without changing a value"),
                    (0xC9..=0xCF, _) => Some("a JPEG with arithmetic coding; convert it to PNG or plain JPEG"),
                    _ => Some("a hierarchical JPEG; convert it to PNG or plain JPEG"),
                };
                let head = Head { lossy: true, unread, ..plain(width.into(), height.into()) };
                return Some(head.turned(tag, in_xmp));
            }
            0xDA => return None,
            _ => {}
        }
        at += length;
    }
}

fn bmp(bytes: &[u8]) -> Option<Head> {
    let number = |at: usize| Some(i32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let short = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    if number(14)? == 12 {
        return Some(plain(short(18)?.into(), short(20)?.into()));
    }
    // Rows from the top have a negative height.
    Some(plain(number(18)?.unsigned_abs(), number(22)?.unsigned_abs()))
}

fn tiff(bytes: &[u8]) -> Option<Head> {
    let file = Tiff::of(bytes)?;
    let (width, height) = file.size()?;
    let head = Head {
        pages: file.pages().max(1),
        begins_aside: file.begins_aside(),
        lossy: file.is_lossy(),
        ..plain(width, height)
    };
    Some(head.turned(file.orientation(), file.xmp().and_then(xmp)))
}
