//! Moves the pixels of a photo along a field, with cubic interpolation.

use burn::tensor::{DType, Tensor, TensorData};

/// Samples `photo` at the position of each pixel plus the value of `motion`, as [`ganimation_kernels::warp`] does, but
/// with cubic interpolation (Catmull-Rom), which keeps more detail than bilinear interpolation. Pixels that do not move
/// keep their value exactly.
///
/// # Shapes
/// - `photo` and the result: `[1, channels, height, width]`, in [-1, 1]
/// - `motion`: `[1, 2, height, width]`, as fractions of width and height
pub(crate) fn moved(photo: &Tensor<4>, motion: &Tensor<4>) -> Tensor<4> {
    let [_, channels, height, width] = photo.dims();
    let [source, field] = [photo, motion].map(values);
    let (across, down) = field.split_at(width * height);
    let mut result = source.clone();
    for row in 0..height {
        for column in 0..width {
            let at = row * width + column;
            if across[at] == 0.0 && down[at] == 0.0 {
                continue;
            }
            let x = Taps::new(column as f32 + across[at] * width as f32, width);
            let y = Taps::new(row as f32 + down[at] * height as f32, height);
            for channel in 0..channels {
                let plane = &source[channel * width * height..][..width * height];
                let mut sum = 0.0;
                for (row, weight) in y.places.iter().zip(y.weights) {
                    let line = &plane[row * width..][..width];
                    let of_line = x
                        .places
                        .iter()
                        .zip(x.weights)
                        .map(|(at, weight)| line[*at] * weight);
                    sum += weight * of_line.sum::<f32>();
                }
                result[channel * width * height + at] = sum.clamp(-1.0, 1.0);
            }
        }
    }
    let data = TensorData::new(result, [1, channels, height, width]);
    Tensor::from_data(data, (&photo.device(), photo.dtype()))
}

/// The values of a tensor in f32.
fn values(tensor: &Tensor<4>) -> Vec<f32> {
    let data = tensor.clone().cast(DType::F32).into_data();
    data.iter::<f32>().collect()
}

/// Four neighbouring pixels along an axis, and their weights.
struct Taps {
    places: [usize; 4],
    weights: [f32; 4],
}

impl Taps {
    /// The pixels around `position`, in pixels, on an axis of `size` pixels. Beyond the border, the border pixel is
    /// used. NaN counts as 0.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        reason = "between 0 and the side of a photo"
    )]
    fn new(position: f32, size: usize) -> Self {
        let last = size as isize - 1;
        let position = position.max(0.0).min(last as f32);
        let first = position.floor();
        let t = position - first;
        let place = |offset: isize| (first as isize + offset).clamp(0, last) as usize;
        Self {
            places: [-1, 0, 1, 2].map(place),
            weights: [
                ((2.0 - t) * t - 1.0) * t / 2.0,
                ((3.0 * t - 5.0) * t * t + 2.0) / 2.0,
                ((4.0 - 3.0 * t) * t + 1.0) * t / 2.0,
                (t - 1.0) * t * t / 2.0,
            ],
        }
    }
}

#[cfg(feature = "flex")]
#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};

    use super::*;

    fn noise(channels: usize, range: f64) -> Tensor<4> {
        Tensor::random(
            [1, channels, 12, 9],
            Distribution::Uniform(-range, range),
            &Device::flex(),
        )
    }

    /// A field of `x` pixels to the right and `y` pixels down.
    fn motion(x: f32, y: f32) -> Tensor<4> {
        let by = Tensor::<1>::from_data([x / 9.0, y / 12.0], &Device::flex());
        by.reshape([1, 2, 1, 1]).repeat(&[1, 1, 12, 9])
    }

    #[test]
    fn whole_pixels_are_moved_without_a_change() {
        let photo = noise(3, 1.0);
        let found = moved(&photo, &motion(2.0, -3.0));
        let found = found.slice([0..1, 0..3, 3..12, 0..7]);
        let expected = photo.slice([0..1, 0..3, 0..9, 2..9]);
        let difference: f32 = (found - expected).abs().max().into_scalar();
        assert!(difference < 1e-5, "{difference}");
    }

    #[test]
    fn what_does_not_move_keeps_every_bit() {
        let photo = noise(3, 1.0);
        let still = moved(&photo, &motion(0.0, 0.0)).into_data();
        still.assert_eq(&photo.into_data(), true);
    }

    #[test]
    fn a_plane_is_read_between_pixels_exactly() {
        let device = Device::flex();
        let ramp: Vec<f32> = (0..12 * 9)
            .map(|at| (at % 9) as f32 * 0.1 - (at / 9) as f32 * 0.05)
            .collect();
        let photo = Tensor::<4>::from_data(TensorData::new(ramp, [1, 1, 12, 9]), &device);
        let found = moved(&photo, &motion(0.25, 0.5)).slice([0..1, 0..1, 2..9, 2..6]);
        let expected = photo.slice([0..1, 0..1, 2..9, 2..6]) + (0.25 * 0.1 - 0.5 * 0.05);
        let difference: f32 = (found - expected).abs().max().into_scalar();
        assert!(difference < 1e-5, "{difference}");
    }

    #[test]
    fn it_keeps_more_detail_than_bilinear_interpolation() {
        let photo = noise(1, 1.0);
        let field = motion(0.5, 0.0);
        let energy = |tensor: Tensor<4>| -> f32 {
            let inside = tensor.slice([0..1, 0..1, 0..12, 2..6]);
            inside.square().mean().into_scalar()
        };
        let cubic = energy(moved(&photo, &field));
        let bilinear = energy(ganimation_kernels::warp(photo, field));
        assert!(cubic > 1.15 * bilinear, "{cubic} {bilinear}");
    }

    #[test]
    fn a_nan_or_an_infinity_harms_no_other_pixel() {
        let mut broken: Vec<f32> = vec![0.0; 2 * 12 * 9];
        (broken[0], broken[1], broken[120]) = (f32::NAN, f32::INFINITY, f32::NEG_INFINITY);
        let field = Tensor::<4>::from_data(TensorData::new(broken, [1, 2, 12, 9]), &Device::flex());
        let photo = noise(1, 1.0);
        let found = moved(&photo, &field).slice([0..1, 0..1, 3..12, 0..9]);
        found
            .into_data()
            .assert_eq(&photo.slice([0..1, 0..1, 3..12, 0..9]).into_data(), true);
    }
}
