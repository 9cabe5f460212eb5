//! Puts what the network painted back into the photo, in the photo's own pixels.

use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor, TensorData};
use ganimation_data::{FaceBox, crop, pixels};
use ganimation_model::{Edit, blend};
use image::RgbImage;

/// Share of the box, at each side, over which the edit fades in.
const FADE: f32 = 0.1;

/// Enlarges one edit to the face's box, blends it with the photo's own pixels and puts it back.
///
/// With `feather`, the edit fades out towards the border of the box: every pixel on it and outside is that of the photo,
/// bit for bit. Without, the box is blended up to its border.
///
/// # Shapes
/// - `edit.attention`: `[1, 1, height, width]`, in [0, 1], 1 keeps the photo
/// - `edit.color`: `[1, 3, height, width]`, in [-1, 1]
pub(crate) fn paint(photo: &mut RgbImage, face: FaceBox, edit: &Edit, feather: bool) {
    let device = edit.color.device();
    let size = face.size as usize;
    // Cut from the photo as it is by now: the boxes of two faces may overlap.
    let original = pixels::tensor_from_images(&[crop(photo, face, face.size)], &device);
    let mut attention = enlarge(edit.attention.clone(), size).clamp(0.0, 1.0);
    if feather {
        attention = (attention.neg() + 1.0).mul(window(size, &device)).neg() + 1.0;
    }
    let blended = blend(original, attention, enlarge(edit.color.clone(), size));
    for painted in pixels::images_from_tensor(blended) {
        paste(photo, &painted, face);
    }
}

/// Bicubic, pixel centres on pixel centres, as the crop was made.
fn enlarge(x: Tensor<4>, size: usize) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    if [height, width] == [size, size] {
        return x;
    }
    let options = InterpolateOptions::new(InterpolateMode::Bicubic)
        .with_align_corners(false)
        .with_output_size([size, size]);
    interpolate(x, options)
}

/// 1 in the middle, falling smoothly to exactly 0 on the outermost pixels; `[1, 1, size, size]`.
///
/// The curve's slope and curvature are 0 at both ends, so that the eye finds neither.
fn window(size: usize, device: &Device) -> Tensor<4> {
    let fade = (size as f32 * FADE).max(1.0);
    let slope: Vec<f32> = (0..size)
        .map(|pixel| {
            let share = (pixel.min(size - 1 - pixel) as f32 / fade).min(1.0);
            share.powi(3) * (share * (6.0 * share - 15.0) + 10.0)
        })
        .collect();
    let along = Tensor::<1>::from_data(TensorData::new(slope, [size]), device);
    along.clone().reshape([1, 1, 1, size]) * along.reshape([1, 1, size, 1])
}

/// Copies what of `painted` lies inside the photo.
fn paste(photo: &mut RgbImage, painted: &RgbImage, face: FaceBox) {
    let (width, height) = photo.dimensions();
    for (x, y, pixel) in painted.enumerate_pixels() {
        let (Some(x), Some(y)) = (x.checked_add_signed(face.x), y.checked_add_signed(face.y)) else {
            continue; // left of the photo or above it
        };
        if x < width && y < height {
            photo.put_pixel(x, y, *pixel);
        }
    }
}

#[cfg(feature = "flex")]
#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn photo() -> RgbImage {
        RgbImage::from_fn(70, 50, |x, y| {
            Rgb([x * 3, y * 5, x * y % 251].map(|level| u8::try_from(level).unwrap()))
        })
    }

    /// White painted over the photo.
    fn edit(attention: f32) -> Edit {
        let device = Device::flex();
        Edit {
            image: Tensor::ones([1, 3, 16, 16], &device),
            motion: None,
            shading: None,
            attention: Tensor::full([1, 1, 16, 16], attention, &device),
            color: Tensor::ones([1, 3, 16, 16], &device),
        }
    }

    fn painted(face: FaceBox, attention: f32) -> RgbImage {
        let mut photo = photo();
        paint(&mut photo, face, &edit(attention), true);
        photo
    }

    fn face(x: i32, y: i32, size: u32) -> FaceBox {
        FaceBox {
            x,
            y,
            size,
            score: 10.0,
        }
    }

    #[test]
    fn full_attention_returns_the_photo_bit_for_bit() {
        assert_eq!(painted(face(10, 5, 37), 1.0), photo());
    }

    #[test]
    fn no_attention_shows_the_color_inside_and_the_photo_on_the_border() {
        let (face, photo) = (face(10, 5, 37), photo());
        let painted = painted(face, 0.0);
        assert_eq!(*painted.get_pixel(28, 23), Rgb([255; 3]));
        for offset in 0..37 {
            for (x, y) in [
                (10, 5 + offset),
                (46, 5 + offset),
                (10 + offset, 5),
                (10 + offset, 41),
            ] {
                assert_eq!(
                    painted.get_pixel(x, y),
                    photo.get_pixel(x, y),
                    "border pixel {x}, {y}"
                );
            }
        }
    }

    #[test]
    fn a_box_that_overhangs_the_photo_changes_only_what_is_inside() {
        let original = photo();
        for overhanging in [face(-12, -9, 40), face(45, 25, 40), face(-5, -20, 90)] {
            let painted = painted(overhanging, 0.0);
            let changed = painted
                .enumerate_pixels()
                .filter(|(x, y, pixel)| original.get_pixel(*x, *y) != *pixel);
            let inside =
                |at: u32, start: i32| (start..start + overhanging.size as i32).contains(&(at as i32));
            let mut count = 0;
            for (x, y, _) in changed {
                assert!(
                    inside(x, overhanging.x) && inside(y, overhanging.y),
                    "{x}, {y} changed"
                );
                count += 1;
            }
            assert!(count > 100, "only {count} pixels changed for {overhanging:?}");
        }
    }

    #[test]
    fn without_feather_the_border_is_painted_too() {
        let mut photo = photo();
        paint(&mut photo, face(10, 5, 37), &edit(0.0), false);
        assert_eq!(*photo.get_pixel(10, 5), Rgb([255; 3]));
        assert_eq!(*photo.get_pixel(46, 41), Rgb([255; 3]));
        assert_eq!(photo.get_pixel(47, 41), self::photo().get_pixel(47, 41));
    }

    #[test]
    fn a_face_over_another_face_keeps_what_was_painted_there() {
        let mut photo = photo();
        paint(&mut photo, face(0, 0, 40), &edit(0.0), true);
        let first = photo.clone();
        paint(&mut photo, face(20, 10, 40), &edit(1.0), true);
        assert_eq!(photo, first);
    }

    #[test]
    fn the_window_is_1_inside_and_0_on_the_border() {
        let values = window(40, &Device::flex())
            .into_data()
            .try_to_vec::<f32>()
            .unwrap();
        let at = |x: usize, y: usize| values[y * 40 + x];
        assert_eq!((at(20, 20), at(4, 35)), (1.0, 1.0));
        assert_eq!(
            (at(0, 20), at(39, 3), at(17, 0), at(17, 39)),
            (0.0, 0.0, 0.0, 0.0)
        );
    }
}
