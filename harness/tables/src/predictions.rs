//! The row of a state's prediction for an image outside any experiment: `scores.csv` of a folder of predictions.

use crate::row;

row! {
    /// One image.
    #[derive(Default)]
    PredictionRow is "predictions" {
        /// The image's file.
        image: String,
        /// Largest value of the anomaly map; absent where the state has no maps.
        map_max: Option<f64>,
        /// Sum over taps of the aggregated abnormal probability of the det heads; absent where the image can't be read.
        detection: Option<f64>,
        /// The anomaly map, a `.npy` file below the folder; empty without maps.
        map: String,
        /// The picture of image and map, a PNG below the folder; empty without maps.
        overlay: String,
        /// Why the image has no scores; empty where it has.
        message: String,
    }
}
