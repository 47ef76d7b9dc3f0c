//! Times the store on 300 images of [4, 257, 384]: `cargo run --release -p harness-features --example throughput
//! [folder]`.
#![expect(clippy::print_stdout, reason = "what it is for")]

use std::time::Instant;

use harness_features::{Error, Key, Shape, TapSet, TapStore};
use harness_method::StorePrecision;

const IMAGES: usize = 300;
const BATCH: usize = 16;

fn main() -> Result<(), Error> {
    let base = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    for dtype in [StorePrecision::F32, StorePrecision::F16] {
        let dir = base.join(format!("harness-throughput-{}", std::process::id()));
        let result = measure(&dir, Shape::new(4, 257, 384, dtype)?);
        let _ = std::fs::remove_dir_all(&dir);
        result?;
    }
    Ok(())
}

fn measure(dir: &std::path::Path, shape: Shape) -> Result<(), Error> {
    let keys: Vec<_> = (0..IMAGES).map(|i| Key::from_bytes(*blake3::hash(&i.to_le_bytes()).as_bytes())).collect();
    let values: Vec<f32> = (0..shape.image_len()).map(|i| (i % 1013) as f32 / 100.0).collect();
    let store = TapStore::open(dir, None)?;
    let megabytes = IMAGES as f64 * shape.image_len() as f64 * 4.0 / 1e6;
    let report = |what: &str, begin: Instant| {
        let seconds = begin.elapsed().as_secs_f64();
        println!("{}: {what} {:.0} ms, {:.0} MB/s of f32", shape.dtype(), seconds * 1e3, megabytes / seconds);
    };

    let begin = Instant::now();
    let mut writer = store.writer(shape, "throughput")?;
    for &key in &keys {
        writer.append(key, &values)?;
    }
    writer.finish()?;
    report("written and synced", begin);

    let begin = Instant::now();
    let set = TapSet::new(store.lookup(&keys, shape)?.into_iter().flatten().collect())?;
    println!("{}: {} images found in {:.2} ms", shape.dtype(), set.len(), begin.elapsed().as_secs_f64() * 1e3);
    let order: Vec<usize> = (0..IMAGES).map(|i| i * 127 % IMAGES).collect();
    let mut out = vec![0.0; BATCH * shape.tap_len()];
    for pass in ["gathered and verified", "gathered again"] {
        let begin = Instant::now();
        for batch in order.chunks(BATCH) {
            for tap in 0..shape.taps() {
                set.gather(tap, batch, &mut out[..batch.len() * shape.tap_len()])?;
            }
        }
        report(pass, begin);
    }
    Ok(())
}
