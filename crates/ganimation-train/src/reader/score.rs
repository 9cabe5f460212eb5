//! How well action units are read, against labels.

use burn::tensor::Device;
use ganimation_data::au::MAX_INTENSITY;
use ganimation_data::pixels::tensor_from_images;
use ganimation_data::{AU_COUNT, Face, picture};
use ganimation_model::AuReader;

use crate::Result;

/// Side of the faces that are judged, in pixels.
const SIDE: u32 = 128;

/// Faces judged at a time.
const JUDGED: usize = 50;

/// How well a reader reads faces that it was not trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct ReaderScore {
    /// Faces judged.
    pub faces: usize,
    /// Pearson's correlation of intensity as read and as labelled, for each action unit; 0 where nothing varies.
    pub correlation: [f64; AU_COUNT],
    /// Mean absolute error for each action unit, in OpenFace intensity (0 to 5).
    pub error: [f64; AU_COUNT],
}

impl ReaderScore {
    /// Mean of the correlations.
    pub fn mean_correlation(&self) -> f64 {
        self.correlation.iter().sum::<f64>() / AU_COUNT as f64
    }
}

/// Compares what `reader` reads from `faces` with their labels.
///
/// # Errors
/// [`Error::Data`] if a picture cannot be read.
pub fn score_reader(reader: &AuReader, faces: &[Face], device: &Device) -> Result<ReaderScore> {
    let mut pairs: [Vec<[f64; 2]>; AU_COUNT] = Default::default();
    for faces in faces.chunks(JUDGED) {
        let pictures = faces
            .iter()
            .map(|face| Ok(picture::read_face(&face.path, SIDE)?.0))
            .collect::<Result<Vec<_>>>()?;
        let read = reader.read(tensor_from_images(&pictures, device)).into_data();
        let read: Vec<f32> = read.iter::<f32>().collect();
        for (face, read) in faces.iter().zip(read.chunks_exact(AU_COUNT)) {
            let labels = face.intensities.normalized();
            for (pairs, (read, label)) in pairs.iter_mut().zip(read.iter().zip(labels)) {
                pairs.push([f64::from(*read), f64::from(label)]);
            }
        }
    }
    Ok(ReaderScore {
        faces: faces.len(),
        correlation: pairs.each_ref().map(|pairs| correlation(pairs)),
        error: pairs.each_ref().map(|pairs| {
            let sum: f64 = pairs.iter().map(|[read, label]| (read - label).abs()).sum();
            f64::from(MAX_INTENSITY) * sum / pairs.len().max(1) as f64
        }),
    })
}

/// Pearson's correlation; 0 where one side does not vary.
pub fn correlation(pairs: &[[f64; 2]]) -> f64 {
    let count = pairs.len().max(1) as f64;
    let mean = |side: usize| pairs.iter().map(|pair| pair[side]).sum::<f64>() / count;
    let means = [mean(0), mean(1)];
    let moment = |a: usize, b: usize| -> f64 {
        let product = |pair: &[f64; 2]| (pair[a] - means[a]) * (pair[b] - means[b]);
        pairs.iter().map(product).sum()
    };
    let scale = (moment(0, 0) * moment(1, 1)).sqrt();
    if scale > 0.0 { moment(0, 1) / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlation_knows_lines_noise_and_constants() {
        let pairs =
            |f: fn(f64) -> f64| -> Vec<[f64; 2]> { (0..9).map(f64::from).map(|x| [x, f(x)]).collect() };
        assert!((correlation(&pairs(|x| 3.0 * x - 1.0)) - 1.0).abs() < 1e-12);
        assert!((correlation(&pairs(|x| -x)) + 1.0).abs() < 1e-12);
        assert!(correlation(&pairs(|x| (x - 4.0).powi(2))).abs() < 1e-12);
        assert_eq!(correlation(&pairs(|_| 2.0)), 0.0);
        assert_eq!(correlation(&[]), 0.0);
    }
}
