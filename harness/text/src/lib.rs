//! Numbers as people read them: sizes, durations, dates, counts and lists. Every message, table and listing uses these,
//! so that the same quantity always looks the same.

mod count;
mod list;
mod time;

pub use count::{count, group};
pub use list::{all_of, one_of};
pub use time::{date, duration, seconds};

/// A number of bytes in decimal units, as disks are sold: `323.7 MB`.
pub fn bytes(number: u64) -> String {
    bytesize::ByteSize(number).display().si().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_in_the_unit_that_fits() {
        let shown = [0, 512, 1000, 323_712_345, 4_200_000_000, 7_000_000_000_000].map(bytes);
        assert_eq!(shown, ["0 B", "512 B", "1.0 kB", "323.7 MB", "4.2 GB", "7.0 TB"]);
    }
}
