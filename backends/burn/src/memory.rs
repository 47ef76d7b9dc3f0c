//! Peak memory of this process, as the system counts it.

/// The most memory this process has used, in bytes, from `/proc`; 0 where there is none.
pub fn host_peak_bytes() -> u64 {
    std::fs::read_to_string("/proc/self/status").map_or(0, |status| peak(&status))
}

fn peak(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::peak;

    #[test]
    fn the_peak_is_read_in_bytes_and_zero_where_nothing_is_said() {
        assert_eq!(peak("Name:\tharness\nVmPeak:\t  200 kB\nVmHWM:\t   12 kB\n"), 12 * 1024);
        assert_eq!(peak("Name:\tharness\n"), 0);
    }
}
