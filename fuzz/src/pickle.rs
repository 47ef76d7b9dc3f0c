//! Pickles of PyTorch: opcodes with plausible arguments, and a whole state of one tensor as a seed.

/// Pieces that a byte above 127 stands for.
const PIECES: &[&[u8]] = &[
    b"\x80\x02",
    b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00",
    b"(",
    b")",
    b"]",
    b"}",
    b"t",
    b"l",
    b"\x85",
    b"\x86",
    b"\x87",
    b"s",
    b"u",
    b"a",
    b"e",
    b"d",
    b"R",
    b"\x81",
    b"b",
    b"Q",
    b"2",
    b"0",
    b"1",
    b"N",
    b"\x88",
    b"\x89",
    b"\x8f",
    b"\x90",
    b"\x91",
    b"\x93",
    b"\x94",
    b"q\x00",
    b"q\x01",
    b"h\x00",
    b"h\x01",
    b"r\x02\x00\x00\x00",
    b"j\x02\x00\x00\x00",
    b"K\x00",
    b"K\x01",
    b"K\x02",
    b"K\x04",
    b"M\xff\xff",
    b"J\xff\xff\xff\xff",
    b"G\x00\x00\x00\x00\x00\x00\x00\x00",
    b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19",
    b"\x8a\x01\x02",
    b"X\x01\x00\x00\x00t",
    b"X\x01\x00\x00\x000",
    b"X\x07\x00\x00\x00storage",
    b"X\x03\x00\x00\x00cpu",
    b"\x8c\x0dlittle_endian",
    b"\x8d\x01\x00\x00\x00\x00\x00\x00\x00a",
    b"U\x01a",
    b"B\x01\x00\x00\x00a",
    b"ctorch\nFloatStorage\n",
    b"ctorch\nHalfStorage\n",
    b"ctorch\nLongStorage\n",
    b"ctorch\nSize\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_parameter\n",
    b"ccollections\nOrderedDict\n",
    b"c__torch__.M\nM\n",
    b"cposix\nsystem\n",
    b".",
];

/// The pickle of a fuzzer's bytes: a byte below 128 is itself.
pub fn opcodes(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in bytes {
        match byte.checked_sub(128) {
            None => out.push(*byte),
            Some(piece) => out.extend(PIECES[usize::from(piece) % PIECES.len()]),
        }
    }
    out
}

/// A pickle of one tensor `t`, [4], over storage `0` of four f32.
pub fn one_tensor() -> Vec<u8> {
    let mut p = b"\x80\x02}X\x01\x00\x00\x00tctorch._utils\n_rebuild_tensor_v2\n((".to_vec();
    p.extend(b"X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ");
    p.extend(b"K\x00(K\x04t(K\x01t\x89ccollections\nOrderedDict\n)RtRs.");
    p
}

/// A file of `torch.save` before PyTorch 1.6 with that tensor.
pub fn legacy() -> Vec<u8> {
    let mut file = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.".to_vec();
    file.extend(b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.");
    file.extend(one_tensor());
    file.extend(b"\x80\x02]X\x01\x00\x00\x000a.");
    file.extend(4u64.to_le_bytes());
    file.extend([1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|value| value.to_le_bytes()));
    file
}
