//! Whether the coded pixels of a JPEG are whole: every block is read and none is kept. The decoder fills what it can't
//! read with grey and says nothing.

/// Why a file was not read to its end.
enum Stop {
    /// Its data are damaged: how it shows.
    Damaged(&'static str),
    /// It is of a kind that is not looked into, or has no sound head: the decoder has the better message.
    Unknown,
}

const ENDS_EARLY: Stop = Stop::Damaged("its data end before its last block");
const BAD_CODE: Stop = Stop::Damaged("its data hold a code that is none of its Huffman codes");
const OVERRUN: Stop = Stop::Damaged("a block of its data holds more than 64 values");
const RANGE: Stop = Stop::Damaged("a block of its data holds a value that no picture has");
const EXTRA: Stop = Stop::Damaged("its data go on after their last block");
const RESTART: Stop = Stop::Damaged("a restart marker is missing, or stands where none belongs");
const ABSENT: Stop = Stop::Damaged("a colour component has no data");
const END_RUN: Stop = Stop::Damaged("its data end inside a run of blocks");

/// How damage shows in the coded data, where there is any.
pub(crate) fn damage(bytes: &[u8]) -> Option<&'static str> {
    match Reader::default().read(bytes) {
        Err(Stop::Damaged(how)) => Some(how),
        Err(Stop::Unknown) | Ok(()) => None,
    }
}

/// Codes of up to this many bits are looked up.
const LOOKED_UP: u32 = 9;

/// A table of Huffman codes.
#[derive(Clone)]
struct Codes {
    /// By the next bits: length and symbol; length 0 where the code is longer.
    short: Vec<(u8, u8)>,
    /// By length: one more than the largest code, and where its symbols begin less its first code.
    ends: [i32; 17],
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

impl Codes {
    fn new(counts: &[u8], symbols: &[u8]) -> Option<Self> {
        let mut table =
            Self { short: vec![(0, 0); 1 << LOOKED_UP], ends: [0; 17], offsets: [0; 17], symbols: symbols.to_vec() };
        let (mut code, mut index) = (0i32, 0usize);
        for length in 1..=16u32 {
            table.offsets[length as usize] = index as i32 - code;
            for _ in 0..counts[length as usize - 1] {
                let symbol = *symbols.get(index)?;
                if length <= LOOKED_UP {
                    let begin = (code as usize) << (LOOKED_UP - length);
                    let end = begin + (1 << (LOOKED_UP - length));
                    table.short.get_mut(begin..end)?.fill((length as u8, symbol));
                }
                code += 1;
                index += 1;
            }
            if code > 1 << length {
                return None;
            }
            table.ends[length as usize] = code;
            code <<= 1;
        }
        Some(table)
    }
}

/// Bits of coded data, up to the next marker.
struct Bits<'a> {
    bytes: &'a [u8],
    /// The next byte; the marker's first one, once there is no more.
    at: usize,
    buffer: u64,
    held: u32,
    ended: bool,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, buffer: 0, held: 0, ended: false }
    }

    /// The next byte of data, without stuffing and fill bytes.
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        if byte != 0xFF {
            self.at += 1;
            return Some(byte);
        }
        let mut next = self.at + 1;
        while self.bytes.get(next) == Some(&0xFF) {
            next += 1;
        }
        if self.bytes.get(next) != Some(&0) {
            return None;
        }
        self.at = next + 1;
        Some(0xFF)
    }

    fn fill(&mut self) {
        while self.held <= 48 && !self.ended {
            match self.byte() {
                Some(byte) => {
                    self.buffer = self.buffer << 8 | u64::from(byte);
                    self.held += 8;
                }
                None => self.ended = true,
            }
        }
    }

    fn take(&mut self, count: u32) -> Result<u32, Stop> {
        if self.held < count {
            self.fill();
            if self.held < count {
                return Err(ENDS_EARLY);
            }
        }
        self.held -= count;
        Ok((self.buffer >> self.held) as u32 & ((1 << count) - 1))
    }

    fn symbol(&mut self, codes: &Codes) -> Result<u8, Stop> {
        if self.held < 16 {
            self.fill();
        }
        // Sixteen bits, with zeros behind the last.
        let next = if self.held >= 16 {
            (self.buffer >> (self.held - 16)) as u32 & 0xFFFF
        } else {
            ((self.buffer & ((1 << self.held) - 1)) << (16 - self.held)) as u32
        };
        let (mut length, mut symbol) = codes.short[(next >> (16 - LOOKED_UP)) as usize];
        if length == 0 {
            let fits = |length: &u32| ((next >> (16 - length)) as i32) < codes.ends[*length as usize];
            let found = (LOOKED_UP + 1..=16).find(fits).ok_or(if self.held < 16 { ENDS_EARLY } else { BAD_CODE })?;
            let index = (next >> (16 - found)) as i32 + codes.offsets[found as usize];
            length = found as u8;
            symbol = usize::try_from(index).ok().and_then(|i| codes.symbols.get(i)).copied().ok_or(BAD_CODE)?;
        }
        if self.held < u32::from(length) {
            return Err(ENDS_EARLY);
        }
        self.held -= u32::from(length);
        Ok(symbol)
    }

    /// A signed number of so many bits.
    fn signed(&mut self, count: u32) -> Result<i32, Stop> {
        if count == 0 {
            return Ok(0);
        }
        let value = self.take(count)? as i32;
        Ok(if value < 1 << (count - 1) { value - (1 << count) + 1 } else { value })
    }

    /// Goes to the next marker. What is left of the last byte is padding of ones, or of zeros; so are zeros behind it,
    /// which some cameras write.
    fn finish(&mut self) -> Result<(), Stop> {
        let padding = self.held % 8;
        let bits = self.take(padding)?;
        if bits != 0 && bits != (1 << padding) - 1 {
            return Err(EXTRA);
        }
        loop {
            while self.held > 0 {
                self.held -= 8;
                if !matches!((self.buffer >> self.held) as u8, 0 | 0xFF) {
                    return Err(EXTRA);
                }
            }
            if self.ended {
                return Ok(());
            }
            self.fill();
        }
    }
}

#[derive(Clone, Default)]
struct Component {
    id: u8,
    /// Blocks a minimum coded unit, across and down.
    across: usize,
    down: usize,
    quantiser: usize,
    /// Blocks of a scan of this component alone.
    blocks: (usize, usize),
    /// Blocks a row, those that pad the last units included.
    stride: usize,
    /// Of a progressive file, by block: which values are not zero.
    nonzero: Vec<u64>,
    predicted: i32,
    has_data: bool,
}

/// One scan's parameters.
struct Scan {
    /// Index of the component, its tables of codes for the mean and for the other values.
    parts: Vec<(usize, usize, usize)>,
    first: u32,
    last: u32,
    high: u32,
    low: u32,
}

/// By how much a block's values are multiplied, in the order of the file.
#[derive(Clone)]
struct Quantiser {
    steps: [i64; 64],
    /// Largest sum of squares of a block's values. Those of eight-bit pixels have no larger one than the pixels
    /// themselves, 1024 squared; rounding adds half a step to each, and encoders that soften ringing add a quarter.
    energy: i64,
}

impl Default for Quantiser {
    fn default() -> Self {
        Self { steps: [0; 64], energy: i64::MAX }
    }
}

impl Quantiser {
    fn new(steps: [i64; 64]) -> Self {
        let rounding = steps.iter().map(|step| step * step).sum::<i64>() as f64;
        Self { steps, energy: (1280.0 + rounding.sqrt() / 2.0).powi(2) as i64 }
    }

    /// The square of a value; one that is out of all bounds stays so.
    fn square(&self, at: u32, value: i32) -> i64 {
        let value = i64::from(value) * self.steps[at as usize & 63];
        value * value
    }
}

/// The state that markers change.
#[derive(Default)]
struct Reader {
    progressive: bool,
    components: Vec<Component>,
    /// Minimum coded units, across and down.
    units: (usize, usize),
    means: [Option<Codes>; 4],
    others: [Option<Codes>; 4],
    quantisers: [Quantiser; 4],
    restart_every: usize,
    /// Blocks that are still to be skipped in a progressive scan.
    run: u32,
}

impl Reader {
    fn read(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let mut at = 2;
        loop {
            while *bytes.get(at).ok_or(Stop::Unknown)? != 0xFF {
                at += 1;
            }
            while *bytes.get(at).ok_or(Stop::Unknown)? == 0xFF {
                at += 1;
            }
            let marker = bytes[at];
            at += 1;
            match marker {
                0xD9 => break,
                0 | 1 | 0xD0..=0xD8 => continue,
                _ => {}
            }
            let length = bytes.get(at..at + 2).map(|b| usize::from(b[0]) << 8 | usize::from(b[1]));
            let segment = length.and_then(|length| bytes.get(at + 2..at + length)).ok_or(Stop::Unknown)?;
            at += segment.len() + 2;
            match marker {
                0xC0..=0xC2 => self.frame(segment, marker == 0xC2).ok_or(Stop::Unknown)?,
                0xC4 => self.codes(segment).ok_or(Stop::Unknown)?,
                // Lossless, hierarchical, arithmetic coding.
                0xC3 | 0xC5..=0xCF => return Err(Stop::Unknown),
                0xDB => self.quantisers(segment).ok_or(Stop::Unknown)?,
                0xDD => self.restart_every = segment.get(..2).map_or(0, |b| usize::from(b[0]) << 8 | usize::from(b[1])),
                0xDA => {
                    let scan = self.scan(segment).ok_or(Stop::Unknown)?;
                    at = self.data(bytes, at, &scan)?;
                }
                _ => {}
            }
        }
        if self.components.iter().all(|component| component.has_data) { Ok(()) } else { Err(ABSENT) }
    }

    fn frame(&mut self, segment: &[u8], progressive: bool) -> Option<()> {
        let number = |at: usize| Some(usize::from(*segment.get(at)?) << 8 | usize::from(*segment.get(at + 1)?));
        let (height, width, count) = (number(1)?, number(3)?, usize::from(*segment.get(5)?));
        if segment[0] != 8 || height == 0 || width == 0 || !(1..=4).contains(&count) || !self.components.is_empty() {
            return None;
        }
        self.progressive = progressive;
        for part in segment.get(6..6 + 3 * count)?.chunks_exact(3) {
            let (across, down) = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
            if !(1..=4).contains(&across) || !(1..=4).contains(&down) || part[2] > 3 {
                return None;
            }
            let quantiser = usize::from(part[2]);
            self.components.push(Component { id: part[0], across, down, quantiser, ..Component::default() });
        }
        let most = |of: fn(&Component) -> usize| self.components.iter().map(of).max().unwrap_or(1);
        let (most_across, most_down) = (most(|c| c.across), most(|c| c.down));
        self.units = (width.div_ceil(8 * most_across), height.div_ceil(8 * most_down));
        for component in &mut self.components {
            let blocks = |side: usize, part: usize, most: usize| (side * part).div_ceil(most).div_ceil(8);
            component.blocks =
                (blocks(width, component.across, most_across), blocks(height, component.down, most_down));
            component.stride = self.units.0 * component.across;
            if progressive {
                component.nonzero = vec![0; component.stride * self.units.1 * component.down];
            }
        }
        Some(())
    }

    fn codes(&mut self, mut segment: &[u8]) -> Option<()> {
        while !segment.is_empty() {
            let (kind, counts) = (segment[0], segment.get(1..17)?);
            let total = counts.iter().map(|count| usize::from(*count)).sum::<usize>();
            let table = Codes::new(counts, segment.get(17..17 + total)?)?;
            let tables = if kind >> 4 == 0 { &mut self.means } else { &mut self.others };
            *tables.get_mut(usize::from(kind & 15))? = Some(table);
            segment = &segment[17 + total..];
        }
        Some(())
    }

    fn quantisers(&mut self, mut segment: &[u8]) -> Option<()> {
        while !segment.is_empty() {
            let bytes = if segment[0] >> 4 == 0 { 1 } else { 2 };
            let values = segment.get(1..1 + 64 * bytes)?;
            let mut steps = [0; 64];
            for (step, value) in steps.iter_mut().zip(values.chunks_exact(bytes)) {
                *step = value.iter().fold(0, |number, byte| number << 8 | i64::from(*byte));
            }
            *self.quantisers.get_mut(usize::from(segment[0] & 15))? = Quantiser::new(steps);
            segment = &segment[1 + 64 * bytes..];
        }
        Some(())
    }

    fn scan(&self, segment: &[u8]) -> Option<Scan> {
        let count = usize::from(*segment.first()?);
        let parts = segment.get(1..1 + 2 * count)?.chunks_exact(2).map(|part| {
            let index = self.components.iter().position(|component| component.id == part[0])?;
            let (mean, other) = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
            (mean < 4 && other < 4).then_some((index, mean, other))
        });
        let parts = parts.collect::<Option<Vec<_>>>().filter(|parts| (1..=4).contains(&parts.len()))?;
        let [first, last, bits] = segment.get(1 + 2 * count..4 + 2 * count)? else { return None };
        if !self.progressive {
            return Some(Scan { parts, first: 0, last: 63, high: 0, low: 0 });
        }
        let scan = Scan {
            parts,
            first: u32::from(*first),
            last: u32::from(*last),
            high: u32::from(bits >> 4),
            low: u32::from(bits & 15),
        };
        let sound = if scan.first == 0 { scan.last == 0 } else { scan.last >= scan.first && scan.parts.len() == 1 };
        (sound && scan.last < 64 && scan.low < 14).then_some(scan)
    }

    /// Reads a scan's data, and says where the next marker is.
    fn data(&mut self, bytes: &[u8], at: usize, scan: &Scan) -> Result<usize, Stop> {
        let mut bits = Bits::new(bytes, at);
        let alone = scan.parts.len() == 1;
        let (across, down) = if alone { self.components[scan.parts[0].0].blocks } else { self.units };
        let mut restarts = 0u8;
        self.begin();
        for unit in 0..across * down {
            if self.restart_every > 0 && unit > 0 && unit % self.restart_every == 0 {
                if self.run > 0 {
                    return Err(END_RUN);
                }
                bits.finish()?;
                // Fill bytes may stand before the marker.
                let mut at = bits.at;
                while bytes.get(at) == Some(&0xFF) && bytes.get(at + 1) == Some(&0xFF) {
                    at += 1;
                }
                if bytes.get(at + 1) != Some(&(0xD0 + restarts)) {
                    return Err(RESTART);
                }
                restarts = (restarts + 1) % 8;
                bits = Bits::new(bytes, at + 2);
                self.begin();
            }
            let (x, y) = (unit % across, unit / across);
            for (index, mean, other) in &scan.parts {
                let (wide, high) =
                    if alone { (1, 1) } else { (self.components[*index].across, self.components[*index].down) };
                for block in 0..wide * high {
                    let component = &self.components[*index];
                    let place = (y * high + block / wide) * component.stride + x * wide + block % wide;
                    self.block(&mut bits, scan, *index, place, (*mean, *other))?;
                }
            }
        }
        if self.run > 0 {
            return Err(END_RUN);
        }
        bits.finish()?;
        if scan.first == 0 {
            scan.parts.iter().for_each(|(index, ..)| self.components[*index].has_data = true);
        }
        Ok(bits.at)
    }

    /// Forgets what a restart forgets.
    fn begin(&mut self) {
        self.run = 0;
        self.components.iter_mut().for_each(|component| component.predicted = 0);
    }

    fn block(
        &mut self,
        bits: &mut Bits<'_>,
        scan: &Scan,
        index: usize,
        place: usize,
        (mean, other): (usize, usize),
    ) -> Result<(), Stop> {
        let component = &mut self.components[index];
        let mut energy = 0;
        if scan.first == 0 {
            if scan.high > 0 {
                bits.take(1)?;
                return Ok(());
            }
            let codes = self.means[mean].as_ref().ok_or(Stop::Unknown)?;
            let length = u32::from(bits.symbol(codes)?);
            if length > 12 {
                return Err(RANGE);
            }
            component.predicted += bits.signed(length)?;
            let quantiser = &self.quantisers[component.quantiser];
            let mean = component.predicted << scan.low;
            if mean.abs() > 1 << 15 || quantiser.square(0, mean) > quantiser.energy {
                return Err(RANGE);
            }
            energy = quantiser.square(0, mean);
            if self.progressive {
                return Ok(());
            }
        }
        let codes = self.others[other].as_ref().ok_or(Stop::Unknown)?;
        if self.progressive {
            let nonzero = component.nonzero.get_mut(place).ok_or(Stop::Unknown)?;
            if scan.high > 0 {
                return refine(bits, codes, scan, nonzero, &mut self.run);
            }
            return first(bits, codes, scan, nonzero, &mut self.run);
        }
        let quantiser = &self.quantisers[component.quantiser];
        let mut at = 1;
        while at < 64 {
            let symbol = bits.symbol(codes)?;
            let (skip, length) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            match (skip, length) {
                (15, 0) => at += 16,
                (_, 0) => break,
                _ => {
                    at += skip;
                    if at > 63 {
                        return Err(OVERRUN);
                    }
                    if length > 11 {
                        return Err(RANGE);
                    }
                    energy += quantiser.square(at, bits.signed(length)?);
                    at += 1;
                }
            }
        }
        if at > 64 {
            Err(OVERRUN)
        } else if energy > quantiser.energy {
            Err(RANGE)
        } else {
            Ok(())
        }
    }
}

/// The first scan of a progressive block's values.
fn first(bits: &mut Bits<'_>, codes: &Codes, scan: &Scan, nonzero: &mut u64, run: &mut u32) -> Result<(), Stop> {
    if *run > 0 {
        *run -= 1;
        return Ok(());
    }
    let mut at = scan.first;
    while at <= scan.last {
        let symbol = bits.symbol(codes)?;
        let (skip, length) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        match (skip, length) {
            (15, 0) => at += 16,
            (_, 0) => {
                *run = (1 << skip) - 1 + bits.take(skip)?;
                return Ok(());
            }
            _ => {
                at += skip;
                if at > scan.last {
                    return Err(OVERRUN);
                }
                if length > 11 {
                    return Err(RANGE);
                }
                bits.take(length)?;
                *nonzero |= 1 << at;
                at += 1;
            }
        }
    }
    if at > scan.last + 1 { Err(OVERRUN) } else { Ok(()) }
}

/// A later scan, which adds a bit to each value: known ones have a bit each, new ones stand between codes.
fn refine(bits: &mut Bits<'_>, codes: &Codes, scan: &Scan, nonzero: &mut u64, run: &mut u32) -> Result<(), Stop> {
    let mut at = scan.first;
    let known = *nonzero;
    if *run == 0 {
        while at <= scan.last {
            let symbol = bits.symbol(codes)?;
            let (mut skip, length) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            match length {
                0 if skip < 15 => {
                    *run = (1 << skip) + bits.take(skip)?;
                    break;
                }
                0 => {}
                1 => {
                    bits.take(1)?;
                }
                _ => return Err(BAD_CODE),
            }
            loop {
                if at > scan.last {
                    // Sixteen zeros may end with the block.
                    if length == 1 || skip > 0 {
                        return Err(OVERRUN);
                    }
                    break;
                }
                if known >> at & 1 == 1 {
                    bits.take(1)?;
                } else if skip == 0 {
                    *nonzero |= u64::from(length) << at;
                    at += 1;
                    break;
                } else {
                    skip -= 1;
                }
                at += 1;
            }
        }
    }
    if *run > 0 {
        let left = (at..=scan.last).filter(|at| known >> at & 1 == 1).count();
        for _ in 0..left {
            bits.take(1)?;
        }
        *run -= 1;
    }
    Ok(())
}
