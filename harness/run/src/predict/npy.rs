//! NumPy's `.npy`: a line of text that says type and shape, then the values. Version 1.0 of the format, written only.

/// A square of f32, row by row, as the bytes of a `.npy` file.
pub(super) fn square(side: usize, values: &[f32]) -> Vec<u8> {
    // Magic, version and the header's length take ten bytes; with the header they are a multiple of 64.
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({side}, {side}), }}");
    let length = (10 + text.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.resize(10 + length - 1, b' ');
    bytes.push(b'\n');
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::square;

    #[test]
    fn the_header_is_numpy_s_and_the_values_follow_aligned() {
        let bytes = square(2, &[0.0, 1.0, 2.0, 3.5]);
        assert_eq!(&bytes[..10], b"\x93NUMPY\x01\x00\x76\x00");
        assert_eq!(bytes.len(), 128 + 16);
        let header = String::from_utf8_lossy(&bytes[10..128]);
        assert!(header.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"), "{header}");
        assert_eq!((bytes[127], &bytes[140..]), (b'\n', 3.5_f32.to_le_bytes().as_slice()));
    }
}
