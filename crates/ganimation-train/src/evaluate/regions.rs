//! Fixed regions of a face crop. All faces are cropped in the same way, so a fixed rectangle contains the mouth.

use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;

/// A rectangle as fractions of the crop's side, from the top left.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Region {
    /// Left edge.
    pub left: f64,
    /// Top edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Bottom edge.
    pub bottom: f64,
}

impl Region {
    /// From below the nose to the chin, wider than a smile.
    pub const MOUTH: Self = Self::new(0.22, 0.60, 0.78, 0.96);
    /// Brows and eyes.
    pub const BROWS: Self = Self::new(0.12, 0.18, 0.88, 0.46);
    /// The eyes, without the regions below and between them.
    pub const EYES: [Self; 2] = [
        Self::new(0.14, 0.23, 0.44, 0.39),
        Self::new(0.54, 0.23, 0.84, 0.39),
    ];
    /// The crop's four corners: hair, ears, background.
    pub const CORNERS: [Self; 4] = [
        Self::new(0.0, 0.0, 0.125, 0.125),
        Self::new(0.875, 0.0, 1.0, 0.125),
        Self::new(0.0, 0.875, 0.125, 1.0),
        Self::new(0.875, 0.875, 1.0, 1.0),
    ];

    const fn new(left: f64, top: f64, right: f64, bottom: f64) -> Self {
        Self {
            left,
            top,
            right,
            bottom,
        }
    }

    /// Whether the centre of a pixel, as a fraction of the side, lies inside.
    pub(super) fn holds(self, x: f64, y: f64) -> bool {
        (self.left..self.right).contains(&x) && (self.top..self.bottom).contains(&y)
    }
}

/// The pixels over which a mean is taken.
#[derive(Clone, Debug)]
pub(crate) struct Area {
    /// `[1, 1, size, size]`, one weight per pixel; the sum is 1.
    weights: Tensor<4>,
}

impl Area {
    /// The pixels of a `size` x `size` crop that lie in one of `regions`.
    pub(crate) fn inside(regions: &[Region], size: usize, device: &Device) -> Self {
        Self::of(size, device, |x, y| {
            regions.iter().any(|region| region.holds(x, y))
        })
    }

    /// The pixels that lie in none of `regions`.
    pub(crate) fn outside(regions: &[Region], size: usize, device: &Device) -> Self {
        Self::of(size, device, |x, y| {
            !regions.iter().any(|region| region.holds(x, y))
        })
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "sides and pixel counts are far below 2^24"
    )]
    fn of(size: usize, device: &Device, holds: impl Fn(f64, f64) -> bool) -> Self {
        let middle = |pixel: usize| (pixel as f64 + 0.5) / size as f64;
        let chosen: Vec<bool> = (0..size * size)
            .map(|at| holds(middle(at % size), middle(at / size)))
            .collect();
        let count = chosen.iter().filter(|chosen| **chosen).count();
        let weight = 1.0 / count.max(1) as f32;
        let weights: Vec<f32> = chosen.iter().map(|chosen| f32::from(*chosen) * weight).collect();
        Self {
            weights: Tensor::from_data(TensorData::new(weights, [1, 1, size, size]), device),
        }
    }

    /// The mean of `values`, `[batch, 1, size, size]`, over these pixels: `[batch]`.
    pub(crate) fn mean(&self, values: Tensor<4>) -> Tensor<1> {
        (values * self.weights.clone()).sum_dims(&[1, 2, 3]).flatten(0, 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(area: &Area, values: Tensor<4>) -> f32 {
        area.mean(values).into_scalar()
    }

    #[test]
    fn inside_and_outside_share_the_crop() {
        let (size, device) = (64, Device::flex());
        let both = [Region::MOUTH, Region::BROWS];
        let inside = Area::inside(&both, size, &device);
        let outside = Area::outside(&both, size, &device);
        let marked = inside.weights.clone().greater_elem(0.0).float();
        assert!((mean(&inside, marked.clone()) - 1.0).abs() < 1e-5);
        assert_eq!(mean(&outside, marked), 0.0);
        assert!((mean(&outside, Tensor::ones([1, 1, size, size], &device)) - 1.0).abs() < 1e-5);
    }

    #[test]
    fn corners_are_a_sixteenth_of_the_crop() {
        let corners = Area::inside(&Region::CORNERS, 64, &Device::flex());
        let share: f32 = corners.weights.greater_elem(0.0).float().mean().into_scalar();
        assert_eq!(share, 1.0 / 16.0);
    }
}
