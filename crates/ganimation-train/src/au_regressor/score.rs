//! Accuracy of an AU regressor, compared with labels.

use burn::tensor::Device;
use ganimation_data::MAX_INTENSITY;
use ganimation_data::pixels::tensor_from_images;
use ganimation_data::{AU_COUNT, Face, picture};
use ganimation_model::AuEstimator;

use crate::Result;
use crate::evaluate::pearson;

/// Side of the evaluated faces, in pixels.
const SIDE: u32 = 128;

/// Faces per batch.
const BATCH: usize = 50;

/// Accuracy of an AU regressor on faces that were not used for its training.
#[derive(Clone, Debug, PartialEq)]
pub struct AuEstimatorScore {
    /// Faces evaluated.
    pub faces: usize,
    /// Pearson's correlation of estimated and labelled intensity for each action unit; 0 without variance.
    pub correlation: [f64; AU_COUNT],
    /// Mean absolute error for each action unit, in OpenFace intensity (0 to 5).
    pub error: [f64; AU_COUNT],
}

impl AuEstimatorScore {
    /// Mean of the correlations.
    pub fn mean_correlation(&self) -> f64 {
        self.correlation.iter().sum::<f64>() / AU_COUNT as f64
    }
}

/// Compares the estimates of `estimator` on `faces` with their labels.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if a picture cannot be read.
pub fn score_au_estimator(
    estimator: &AuEstimator,
    faces: &[Face],
    device: &Device,
) -> Result<AuEstimatorScore> {
    let mut pairs: [Vec<[f64; 2]>; AU_COUNT] = Default::default();
    for faces in faces.chunks(BATCH) {
        let pictures = faces
            .iter()
            .map(|face| Ok(picture::read_face(&face.path, SIDE)?.0))
            .collect::<Result<Vec<_>>>()?;
        let read = estimator
            .estimate(tensor_from_images(&pictures, device))
            .into_data();
        let read: Vec<f32> = read.iter::<f32>().collect();
        for (face, read) in faces.iter().zip(read.chunks_exact(AU_COUNT)) {
            let labels = face.intensities.normalized();
            for (pairs, (read, label)) in pairs.iter_mut().zip(read.iter().zip(labels)) {
                pairs.push([f64::from(*read), f64::from(label)]);
            }
        }
    }
    Ok(AuEstimatorScore {
        faces: faces.len(),
        correlation: pairs.each_ref().map(|pairs| {
            let (read, labels): (Vec<f64>, Vec<f64>) =
                pairs.iter().map(|[read, label]| (*read, *label)).unzip();
            pearson(&read, &labels)
        }),
        error: pairs.each_ref().map(|pairs| {
            let sum: f64 = pairs.iter().map(|[read, label]| (read - label).abs()).sum();
            f64::from(MAX_INTENSITY) * sum / pairs.len().max(1) as f64
        }),
    })
}
