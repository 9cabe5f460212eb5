//! Applies an edit to the photo: moves the photo's own pixels, and blends the painted colours.

use burn::tensor::module::{adaptive_avg_pool2d, interpolate};
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor, TensorData};
use ganimation_data::{FaceBox, Turn, crop_face, pixels};
use ganimation_model::{Edit, blend};
use image::{Pixel, RgbImage};

use crate::cubic;

/// Fraction of the box at each side where the edit fades in.
const FADE: f32 = 0.1;

/// Fine detail fades out where the edit changes the gradient by more than about this, per pixel at the network's size,
/// for values from -1 to 1.
const KEPT_GRADIENT: f64 = 0.1;

/// A photo is grey if its channels differ by at most this many levels.
const GRAY_LEVELS: u8 = 4;

/// Fraction of pixels whose channels may differ by more, because of compression.
const SPECKS: f64 = 1e-3;

/// Luma weights of red, green and blue (ITU-R BT.601).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// Enlarges one edit to the face's box, and applies it to the photo.
///
/// Motion and shading are applied at the photo's resolution, with cubic interpolation. At the network's own size, the
/// result is that of the edit equation. In painted areas, fine detail of the photo is kept where the edit does not change
/// the gradients. A grey face gets grey colours.
///
/// With `feather`, the edit fades out towards the border of the box, and pixels on the border and outside do not change.
/// Without `feather`, the box is edited up to its border.
///
/// # Shapes
/// - see [`Edit`], for one face
pub(crate) fn paint(photo: &mut RgbImage, (face, turn): (FaceBox, Turn), edit: &Edit, feather: bool) {
    let device = edit.color.device();
    let size = face.size as usize;
    // Cropped from the photo after earlier edits, because the boxes of two faces can overlap.
    let cut = upright(photo, (face, turn), face.size);
    let window = feather.then(|| window(size, &device));
    let fade = |change: Tensor<4>| match &window {
        Some(window) => change * window.clone(),
        None => change,
    };
    let color = match is_gray(&cut) {
        true => grey(edit.color.clone()),
        false => edit.color.clone(),
    };
    let painted = fade(enlarge(edit.attention.clone(), size).clamp(0.0, 1.0).neg() + 1.0);
    // At the network's own size, the result must be exactly that of the edit equation.
    let own = edit.color.dims()[2] == size;
    let full = |part: &Option<Tensor<4>>| {
        part.as_ref().map(|part| match own {
            true => fade(ganimation_model::enlarge(part.clone(), [size; 2])),
            false => fade(enlarge(part.clone(), size)),
        })
    };
    let (motion, shading) = (full(&edit.motion), full(&edit.shading));
    let original = pixels::tensor_from_images(&[cut], &device);
    let nothing = (Tensor::ones_like(&painted), original.zeros_like());
    let (original, motion) = match motion {
        Some(motion) if !own => (cubic::moved(&original, &motion), None),
        motion => (original, motion),
    };
    let kept = Edit::new(original, nothing.0, nothing.1, motion, shading).kept;
    let color = enlarge(color, size) + detail(&kept, edit);
    let done = blend(kept, painted.neg() + 1.0, color);
    for painted in pixels::images_from_tensor(done) {
        match turn {
            Turn::None => paste(photo, &painted, face),
            turn => paste(photo, &turn.back(&painted), face),
        }
    }
}

/// The upright crop of a face with `size` pixels. It is rotated before it is resized, so that it equals the crop from a
/// rotated photo.
pub(crate) fn upright(photo: &RgbImage, (face, turn): (FaceBox, Turn), size: u32) -> RgbImage {
    match turn {
        Turn::None => crop_face(photo, face, size),
        turn => {
            let face = turn.upright(&crop_face(photo, face, face.size));
            crop_face(&face, FaceBox::around(face.dimensions()), size)
        }
    }
}

/// A pixel that moves by this fraction of the face's side counts as fully moved.
const MOVED: f64 = 0.02;

/// The unchanged parts of a face, `[1, 1, height, width]`: 1 is neither moved nor painted.
pub(crate) fn kept(edit: &Edit) -> Tensor<4> {
    let attention = edit.attention.clone();
    let Some(motion) = &edit.motion else {
        return attention;
    };
    let [_, _, height, width] = attention.dims();
    let motion = ganimation_model::enlarge(motion.clone(), [height, width]);
    let moved = (motion.square().sum_dim(1).sqrt() / MOVED).clamp(0.0, 1.0);
    attention * (moved.neg() + 1.0)
}

/// Number of grid squares per side.
const SQUARES: u32 = 16;

/// How far the face behind the grid fades to dark grey, 0 to 1.
const FADED: f32 = 0.6;

/// A picture of the motion: a grid on the faded face, both moved.
///
/// # Shapes
/// - `motion`: `[1, 2, h, w]`, see [`Edit`]
pub(crate) fn moved_grid(face: &RgbImage, motion: Tensor<4>) -> RgbImage {
    let (width, height) = face.dimensions();
    let on_line = |at: u32, side: u32| (at * SQUARES) % side < SQUARES;
    let grid = RgbImage::from_fn(width, height, |x, y| {
        match on_line(x, width) || on_line(y, height) {
            true => image::Rgb([255; 3]),
            false => (*face.get_pixel(x, y)).map(faded),
        }
    });
    let device = motion.device();
    let grid = pixels::tensor_from_images(&[grid], &device);
    let nothing = [
        Tensor::ones([1, 1, height as usize, width as usize], &device),
        grid.clone(),
    ];
    let [attention, color] = nothing;
    let moved = Edit::new(grid, attention, color, Some(motion), None).image;
    pixels::images_from_tensor(moved)
        .pop()
        .unwrap_or_else(|| face.clone())
}

/// A level moved towards dark grey.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between two levels"
)]
fn faded(level: u8) -> u8 {
    const DARK: f32 = 70.0;
    (f32::from(level) * (1.0 - FADED) + DARK * FADED) as u8
}

/// The fine detail of the moved photo, beyond the network's resolution, where it fits the painted colours.
///
/// # Shapes
/// - `kept` and the result: `[1, 3, size, size]`
fn detail(kept: &Tensor<4>, edit: &Edit) -> Tensor<4> {
    let [_, _, size, _] = kept.dims();
    let [_, _, height, width] = edit.color.dims();
    if size <= height {
        return kept.zeros_like();
    }
    let small = adaptive_avg_pool2d(kept.clone(), [height, width]);
    let fine = kept.clone() - enlarge(small.clone(), size);
    let change = (edit.image.clone() - small).mean_dim(1);
    let down = change.clone().narrow(2, 1, height - 1) - change.clone().narrow(2, 0, height - 1);
    let across = change.clone().narrow(3, 1, width - 1) - change.narrow(3, 0, width - 1);
    let gradient = down.abs().pad((0, 0, 0, 1), 0.0) + across.abs().pad((0, 1, 0, 0), 0.0);
    let belongs = (gradient / KEPT_GRADIENT).square().neg().exp();
    fine * enlarge(belongs, size).clamp(0.0, 1.0)
}

/// Whether a face is grey.
fn is_gray(face: &RgbImage) -> bool {
    let colored = |pixel: &image::Rgb<u8>| {
        let [r, g, b] = pixel.0;
        r.max(g).max(b) - r.min(g).min(b) > GRAY_LEVELS
    };
    let count = face.pixels().filter(|pixel| colored(pixel)).count();
    count as f64 <= SPECKS * f64::from(face.width()) * f64::from(face.height())
}

/// The grey version of colours, `[1, 3, height, width]`.
fn grey(color: Tensor<4>) -> Tensor<4> {
    let weights = Tensor::<1>::from_data(LUMA, &color.device()).reshape([1, 3, 1, 1]);
    (color * weights).sum_dim(1).repeat_dim(1, 3)
}

/// Bicubic resize with aligned pixel centres, as for the crop.
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

/// A window `[1, 1, size, size]`: 1 in the middle, smoothly decreasing to exactly 0 on the outermost pixels.
///
/// The curve's slope and curvature are 0 at both ends, so that no border is visible.
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

/// Copies the part of `painted` that lies inside the photo.
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
            kept: Tensor::ones([1, 3, 16, 16], &device),
            motion: None,
            shading: None,
            attention: Tensor::full([1, 1, 16, 16], attention, &device),
            color: Tensor::ones([1, 3, 16, 16], &device),
        }
    }

    fn painted(face: FaceBox, attention: f32) -> RgbImage {
        let mut photo = photo();
        paint(&mut photo, (face, Turn::None), &edit(attention), true);
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
        paint(&mut photo, (face(10, 5, 37), Turn::None), &edit(0.0), false);
        let white = |x, y| photo.get_pixel(x, y).0.iter().all(|&level| level > 250);
        assert!(white(10, 5) && white(46, 41));
        assert_eq!(photo.get_pixel(47, 41), self::photo().get_pixel(47, 41));
    }

    #[test]
    fn a_face_over_another_face_keeps_what_was_painted_there() {
        let mut photo = photo();
        paint(&mut photo, (face(0, 0, 40), Turn::None), &edit(0.0), true);
        let first = photo.clone();
        paint(&mut photo, (face(20, 10, 40), Turn::None), &edit(1.0), true);
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

    #[test]
    fn the_photos_own_pixels_are_moved() {
        let device = Device::flex();
        let (face, original) = (face(10, 5, 37), photo());
        let mut moved = original.clone();
        // Two pixels of the box to the right, everywhere.
        let right = Tensor::<1>::from_data([2.0 / 37.0, 0.0], &device).reshape([1, 2, 1, 1]);
        let edit = Edit {
            motion: Some(right.repeat(&[1, 1, 8, 8])),
            ..edit(1.0)
        };
        paint(&mut moved, (face, Turn::None), &edit, true);
        for (x, y) in [(28, 23), (25, 20), (33, 30)] {
            assert_eq!(moved.get_pixel(x, y), original.get_pixel(x + 2, y), "{x}, {y}");
        }
        for offset in 0..37 {
            assert_eq!(
                moved.get_pixel(10, 5 + offset),
                original.get_pixel(10, 5 + offset)
            );
            assert_eq!(
                moved.get_pixel(10 + offset, 41),
                original.get_pixel(10 + offset, 41)
            );
        }
    }

    #[test]
    fn a_gray_photo_stays_gray() {
        let mut photo = image::DynamicImage::from(photo()).grayscale().into_rgb8();
        let device = Device::flex();
        let red = Tensor::<1>::from_data([1.0, -1.0, -1.0], &device).reshape([1, 3, 1, 1]);
        let edit = Edit {
            color: red.repeat(&[1, 1, 16, 16]),
            ..edit(0.3)
        };
        let before = photo.clone();
        paint(&mut photo, (face(10, 5, 37), Turn::None), &edit, true);
        assert_ne!(photo, before);
        assert!(
            photo
                .pixels()
                .all(|pixel| pixel.0[0] == pixel.0[1] && pixel.0[1] == pixel.0[2])
        );
    }

    #[test]
    fn fine_detail_stays_where_paint_leaves_gradients_alone() {
        // Stripes too fine for a network of 16 pixels, painted with their mean colour.
        let stripes = RgbImage::from_fn(128, 128, |x, _| Rgb([if x % 2 == 0 { 100 } else { 140 }; 3]));
        let device = Device::flex();
        let mean = Tensor::full([1, 3, 16, 16], 120.0 / 127.5 - 1.0, &device);
        let edit = Edit {
            image: mean.clone(),
            color: mean,
            ..edit(0.0)
        };
        let mut painted = stripes.clone();
        paint(&mut painted, (face(0, 0, 128), Turn::None), &edit, false);
        let contrast =
            |x| i32::from(painted.get_pixel(x + 1, 64).0[0]) - i32::from(painted.get_pixel(x, 64).0[0]);
        assert!((contrast(64) - 40).abs() <= 2, "{}", contrast(64));
    }
}
