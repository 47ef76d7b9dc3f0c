//! Support lists in both formats: the images of a draw are among those of all draws.
#![no_main]

use std::path::Path;

use harness_data::support_list::parse;
use harness_fuzz::tokens;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = tokens::text(bytes, tokens::SUPPORT_LIST);
    let path = Path::new("list.txt");
    let all = parse(path, &text, None, true);
    for draw in [0, 1] {
        for in_name in [false, true] {
            if let (Ok(all), Ok(one)) = (&all, parse(path, &text, Some(draw), in_name)) {
                assert!(one.normal.iter().all(|listed| all.normal.contains(listed)));
                assert!(one.abnormal.iter().all(|listed| all.abnormal.contains(listed)));
            }
        }
    }
});
