//! What two lists of replicates must share to be compared one by one, as a number.

/// A fingerprint of everything that decides what replicate `r` was drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pairing(pub(crate) u64);

impl Pairing {
    /// Of a name and some numbers, by FNV-1a.
    pub(crate) fn new(name: &str, numbers: impl IntoIterator<Item = u64>) -> Self {
        let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325, step);
        Self(hash).with(numbers)
    }

    /// With further numbers, whose order counts.
    pub(crate) fn with(self, numbers: impl IntoIterator<Item = u64>) -> Self {
        let bytes = numbers.into_iter().flat_map(u64::to_le_bytes);
        Self(bytes.fold(self.0, step))
    }
}

fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
}
