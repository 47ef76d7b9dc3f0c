//! The metrics against the values of the reference.
#![allow(clippy::unwrap_used, reason = "tests")]

use harness_metrics::{Maps, Metric, PixelMetrics, PixelTruth, all_metrics};
use safetensors::SafeTensors;

#[test]
fn the_metrics_of_the_reference_have_its_values() {
    let values = harness_tests::golden("pre/metrics.json");
    let tensors = harness_tests::golden("pre/tensors.safetensors");
    let values: serde_json::Value = serde_json::from_slice(&std::fs::read(values).unwrap()).unwrap();
    let bytes = std::fs::read(tensors).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        let data = tensors.tensor(name).unwrap().data().to_vec();
        data.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
    };
    let labels: Vec<bool> = tensors.tensor("metric.labels").unwrap().data().iter().map(|label| *label == 1).collect();
    let shape = tensors.tensor("metric.truth").unwrap().shape().to_vec();
    let mut truth = PixelTruth::new(shape[2], shape[1]).unwrap();
    for mask in tensors.tensor("metric.truth").unwrap().data().chunks_exact(shape[1] * shape[2]) {
        truth.push(mask).unwrap();
    }
    let maps = floats("metric.maps");
    let maps = Maps::new(&maps, truth.pixels()).unwrap();

    let metrics = all_metrics(&labels, &floats("metric.image_scores"), Some((&truth, &maps))).unwrap();
    for (name, expected) in values.as_object().unwrap() {
        let (value, expected) = (metrics.get(name.parse().unwrap()).unwrap(), expected.as_f64().unwrap());
        assert!((value - expected).abs() < 1e-9, "{name}: {value} for {expected}");
    }
    assert_eq!(Some(PixelMetrics::auroc_only(&truth, &maps).unwrap()), metrics.get(Metric::PixelAuroc));
}
