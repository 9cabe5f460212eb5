//! What mouths, closed lips and closed lids look like: hues and brightness of what is painted.
//!
//! A discriminator of small patches accepts hues that no mouth has, and pairs show lips that motion closed, which a network
//! can tell from lips that are closed. Neither keeps the paint of closed mouths from drifting to yellow or blue, or opens a
//! dark mouth in surprise. But the hue inside a mouth follows from its brightness and from the hue of the skin, and most of
//! its brightness from the action units: smiles show teeth, a dropped jaw shows a dark cavity. The same holds for lips
//! that meet, and for the skin of upper lids, which open eyes hide.
//!
//! `assets/reference/appearance.py` fits all numbers to training faces: 5,817 mouths whose lips are at least 4 of 128 pixels
//! apart, 5,460 closed mouths and 668 closed eyes.

use burn::tensor::Tensor;
use ganimation_data::AU_COUNT;

use super::losses::{brightness_and_hue, mean_of_masked};

/// What is known about a region of the face.
///
/// `INPUTS` are 1, the face's brightness, its [`detail`], the region's area in 1,000 pixels, and perhaps action units / 5, in
/// label order. `OUTPUTS` are the [`statistics`].
///
/// The pictures of the fit have 128 pixels; areas and details of others are scaled.
struct Region<const INPUTS: usize, const OUTPUTS: usize> {
    /// Rows and columns of cells.
    cells: [usize; 2],
    /// Pixels from which the region counts; twice as many count in full.
    area: f64,
    /// For each channel, the factors of 1, brightness and its square in: hue of the region / hue of the face.
    hues: [[f64; 3]; 3],
    /// The factors of each input in each statistic.
    factors: [[f64; OUTPUTS]; INPUTS],
    /// The root mean square error of each statistic, the unit in which it is compared.
    errors: [f64; OUTPUTS],
}

/// Between open lips. The brightness of a cell varies by 0.31 and is off by 0.22; hues by 0.189 and 0.055.
const MOUTH: Region<{ AU_COUNT + 5 }, 23> = include!("mouths.in");

/// Closed lips, from 30 % of the upper one to 30 % of the lower one. The brightness of a cell varies by 0.26 and is off by
/// 0.18; hues by 0.272 and 0.080.
const SEAM: Region<{ AU_COUNT + 5 }, 18> = include!("lips.in");

/// An upper lid. The brightness of a cell varies by 0.29 and is off by 0.23; hues by 0.184 and 0.047.
const LID: Region<5, 12> = include!("lids.in");

/// Side of the pictures of the fit.
const FITTED_SIZE: f64 = 128.0;

/// Keeps quotients of small masks, and the gradient of a root, finite.
const SMALL: f64 = 1e-3;

/// Painted regions, the faces around them, and masks.
struct Painted {
    /// With autodiff, `[count, 3, h, w]`, in [-1, 1].
    color: Tensor<4>,
    /// `[count, 3, h', w']`, in [-1, 1].
    face: Tensor<4>,
    /// `[count, 1, h, w]`, in [0, 1].
    mask: Tensor<4>,
}

impl Painted {
    /// The lower halves of pictures, and the middle quarters of the faces.
    fn mouths(color: Tensor<4>, faces: Tensor<4>, mask: Tensor<4>) -> Self {
        let [_, _, height, _] = mask.dims();
        let lower = |picture: Tensor<4>| picture.narrow(2, height / 2, height - height / 2);
        Self {
            color: lower(color),
            face: middle(faces),
            mask: lower(mask),
        }
    }

    /// The upper quarters of pictures, left then right, and the halves of the faces' middle quarters.
    fn lids(color: Tensor<4>, faces: Tensor<4>, mask: Tensor<4>) -> Self {
        let [_, _, height, _] = mask.dims();
        let upper = |picture: Tensor<4>| sides(picture.narrow(2, 0, height / 2));
        Self {
            color: upper(color),
            face: sides(middle(faces)),
            mask: upper(mask),
        }
    }

    /// Mean over the regions of the mean squared difference of hues from those of `region`.
    ///
    /// The hue is each channel minus the brightness, their mean. The gradient changes hues alone.
    fn hue_error<const I: usize, const O: usize>(self, region: &Region<I, O>) -> Tensor<1> {
        let [_, of_face] = brightness_and_hue(self.face.mean_dims(&[2, 3]));
        let [brightness, hue] = brightness_and_hue(self.color);
        let brightness = brightness.inner();
        let factor = |power: usize| {
            let factors = region.hues.map(|of_channel| of_channel[power]);
            Tensor::<1>::from_data(factors, (&of_face.device(), of_face.dtype())).reshape([1, 3, 1, 1])
        };
        let shares = brightness.clone() * factor(1) + brightness.square() * factor(2) + factor(0);
        let off = (hue - (shares * of_face).autodiff()).square() * self.mask.clone().autodiff();
        mean_of_masked(off, self.mask)
    }

    /// Mean over the regions, of which small ones do not count, of the squared difference of brightness from that of
    /// `region`: mean over the `cells` of [`statistics`], plus mean of the others.
    ///
    /// A statistic counts in units of its root mean square error, so that the error of a real region is about 2.
    ///
    /// # Shapes
    /// - `aus`: `[count, AUs]`, intensity / 5
    fn brightness_error<const I: usize, const O: usize>(
        self,
        region: &Region<I, O>,
        aus: Option<Tensor<2>>,
    ) -> Tensor<1> {
        let [count, _, height, _] = self.mask.dims();
        // Regions are half as high as their picture.
        let scale = 2.0 * height as f64 / FITTED_SIZE;
        let face = self.face.mean_dim(1);
        let place = (&face.device(), face.dtype());
        let brightness = face.clone().mean_dims(&[2, 3]).reshape([count, 1]);
        let area = self.mask.clone().sum_dims(&[1, 2, 3]).reshape([count, 1]) / (scale * scale);
        let mut inputs = vec![
            brightness.ones_like(),
            brightness,
            detail(face.clone(), face.ones_like()) * scale,
            area.clone() / 1_000.0,
        ];
        inputs.extend(aus);
        let expected = Tensor::cat(inputs, 1).matmul(Tensor::<2>::from_data(region.factors, place));
        let errors = Tensor::<1>::from_data(region.errors, place).reshape([1, O]);
        let counts = (area / region.area - 1.0).clamp(0.0, 1.0);

        let found = statistics(self.color.mean_dim(1), self.mask, region.cells, scale);
        let off = (found - expected.autodiff()) / errors.autodiff();
        let off = off.square() * counts.autodiff();
        let cells = region.cells[0] * region.cells[1];
        off.clone().narrow(1, 0, cells).mean() + off.narrow(1, cells, O - cells).mean()
    }
}

/// The middle quarter of each picture.
fn middle(faces: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = faces.dims();
    (faces.narrow(2, height / 4, height / 2)).narrow(3, width / 4, width / 2)
}

/// The left halves of pictures, then the right ones, along the first axis.
fn sides(pictures: Tensor<4>) -> Tensor<4> {
    let half = pictures.dims()[3] / 2;
    let side = |at: usize| pictures.clone().narrow(3, at * half, half);
    Tensor::cat(vec![side(0), side(1)], 0)
}

/// How far the hues of paint are from those of mouths where `mask` is 1 in the lower half of the picture, and from those of
/// closed lips and upper lids where `seam` is 1 in the lower and in the upper half: see [`Painted::hue_error`]. `[1]`.
///
/// # Shapes
/// - `color`, with autodiff, and `faces`: `[batch, 3, height, width]`, in [-1, 1]
/// - `mask`, `seam`: `[batch, 1, height, width]`, in [0, 1]
pub(super) fn hue_error(color: Tensor<4>, faces: Tensor<4>, mask: Tensor<4>, seam: Tensor<4>) -> Tensor<1> {
    let at_mouth = |mask| Painted::mouths(color.clone(), faces.clone(), mask);
    let of_lids = Painted::lids(color.clone(), faces.clone(), seam.clone()).hue_error(&LID);
    at_mouth(mask).hue_error(&MOUTH) + at_mouth(seam).hue_error(&SEAM) + of_lids
}

/// How far the brightness of paint is from that of mouths with the action units `aus`, in the lower half of the picture where
/// `mask` is 1: see [`Painted::brightness_error`]. `[1]`.
///
/// # Shapes
/// - `color`, `faces`, `mask`: see [`hue_error`]
/// - `aus`: `[batch, 17]`, intensity / 5
pub(super) fn mouth_error(color: Tensor<4>, faces: Tensor<4>, aus: Tensor<2>, mask: Tensor<4>) -> Tensor<1> {
    Painted::mouths(color, faces, mask).brightness_error(&MOUTH, Some(aus))
}

/// How far the brightness of paint is from that of closed lips with the action units `aus`, in the lower half of the picture
/// where `seam` is 1: see [`Painted::brightness_error`]. `[1]`.
///
/// # Shapes
/// See [`mouth_error`].
pub(super) fn seam_error(color: Tensor<4>, faces: Tensor<4>, aus: Tensor<2>, seam: Tensor<4>) -> Tensor<1> {
    Painted::mouths(color, faces, seam).brightness_error(&SEAM, Some(aus))
}

/// How far the brightness of paint is from that of upper lids, in the upper half of the picture where `seam` is 1: see
/// [`Painted::brightness_error`]. `[1]`.
///
/// # Shapes
/// See [`hue_error`].
pub(super) fn lid_error(color: Tensor<4>, faces: Tensor<4>, seam: Tensor<4>) -> Tensor<1> {
    Painted::lids(color, faces, seam).brightness_error(&LID, None)
}

/// Hat functions of `at` in [0, 1] at `count` equal steps, joined along the channels.
fn hats(at: Tensor<4>, count: usize) -> Tensor<4> {
    let steps = (count - 1) as f64;
    let hat = |step: usize| ((at.clone() * steps - step as f64).abs().neg() + 1.0).clamp_min(0.0);
    Tensor::cat((0..count).map(hat).collect(), 1)
}

/// Of `brightness` inside `mask`: the mean of each cell, row by row; the standard deviation; [`detail`] in the middle, times
/// `scale`. `[batch, rows * columns + 3]`.
///
/// Cells overlap like hat functions. A pixel's place is the fraction of its column of the mask above it, and the fraction of
/// the mask in the columns to its left.
///
/// # Shapes
/// - `brightness`, with autodiff, and `mask`, without: `[batch, 1, height, width]`
fn statistics(brightness: Tensor<4>, mask: Tensor<4>, [rows, columns]: [usize; 2], scale: f64) -> Tensor<2> {
    let [batch, _, height, width] = mask.dims();
    let column = mask.clone().sum_dim(2);
    let down = (mask.clone().cumsum(2) - mask.clone() * 0.5) / column.clone().clamp_min(SMALL);
    let area = column.clone().sum_dim(3).clamp_min(SMALL);
    let across = (column.clone().cumsum(3) - column * 0.5) / area.clone();
    let inner = (across.clone() * 2.0 - 1.0).abs().neg() + 1.0;
    let high = hats(down, rows) * mask.clone();
    let wide = hats(across, columns).unsqueeze_dim::<5>(1);
    let count = rows * columns;
    let cells = (high.unsqueeze_dim::<5>(2) * wide).reshape([batch, count, height, width]);
    let areas = cells.clone().sum_dims(&[2, 3]).clamp_min(SMALL);
    let means = (brightness.clone() * cells.autodiff()).sum_dims(&[2, 3]) / areas.autodiff();

    let middle = (mask.clone() * inner).autodiff();
    let (mask, area) = (mask.autodiff(), area.autodiff());
    let mean = (brightness.clone() * mask.clone()).sum_dims(&[2, 3]) / area.clone();
    let variance = ((brightness.clone() - mean).square() * mask).sum_dims(&[2, 3]) / area;
    let deviation = (variance + SMALL).sqrt().reshape([batch, 1]);
    let means = means.reshape([batch, count]);
    Tensor::cat(vec![means, deviation, detail(brightness, middle) * scale], 1)
}

/// The detail of `brightness` inside `mask`: mean absolute difference of horizontal neighbours, and of vertical ones.
/// `[batch, 2]`.
///
/// # Shapes
/// - `brightness`, `mask`: `[batch, 1, height, width]`
fn detail(brightness: Tensor<4>, mask: Tensor<4>) -> Tensor<2> {
    let [batch, ..] = mask.dims();
    let along = [3, 2].map(|axis| {
        let length = mask.dims()[axis] - 1;
        let [change, here] = [&brightness, &mask].map(|picture| {
            (
                picture.clone().narrow(axis, 0, length),
                picture.clone().narrow(axis, 1, length),
            )
        });
        let here = here.0 * here.1;
        let change = ((change.0 - change.1).abs() * here.clone()).sum_dims(&[1, 2, 3]);
        (change / here.sum_dims(&[1, 2, 3]).clamp_min(SMALL)).reshape([batch, 1])
    });
    Tensor::cat(along.to_vec(), 1)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn of_color(color: [f32; 3]) -> Tensor<4> {
        Tensor::<1>::from_floats(color, &Device::flex())
            .reshape([1, 3, 1, 1])
            .expand([1, 3, 8, 8])
    }

    /// Seams of nothing.
    fn none(count: usize) -> Tensor<4> {
        Tensor::zeros([count, 1, 8, 8], &Device::flex())
    }

    fn error(color: Tensor<4>, faces: Tensor<4>) -> f32 {
        let mask = Tensor::ones([1, 1, 8, 8], &Device::flex());
        hue_error(color.autodiff(), faces, mask, none(1))
            .inner()
            .into_scalar()
    }

    #[test]
    fn grey_faces_have_grey_mouths() {
        let grey = of_color([0.2; 3]);
        assert!(error(of_color([-0.5; 3]), grey.clone()) < 1e-9);
        assert!(error(of_color([-0.4, -0.5, -0.6]), grey) > 0.005);
    }

    #[test]
    fn teeth_are_whiter_than_dark_mouths() {
        let skin = of_color([0.5, 0.1, -0.1]);
        let white = |brightness: f32| error(of_color([brightness; 3]), skin.clone());
        assert!(white(0.8) < 0.5 * white(0.0), "{} {}", white(0.8), white(0.0));
        // Yellow and blue are wrong at any brightness.
        for brightness in [-0.8_f32, 0.0, 0.8] {
            let tinted = |blue: f32| {
                let tint = [
                    brightness - blue / 2.0,
                    brightness - blue / 2.0,
                    brightness + blue,
                ];
                error(of_color(tint), skin.clone())
            };
            assert!(tinted(0.4).min(tinted(-0.8)) > 0.05);
        }
    }

    #[test]
    fn faces_count_equally_whatever_their_masks_are() {
        let device = Device::flex();
        let colors = [of_color([0.3, 0.0, 0.4]), of_color([-0.2, 0.4, 0.0])];
        let face = of_color([0.5, 0.1, -0.1]);
        let masks = [1.0, 0.2].map(|share| Tensor::<4>::full([1, 1, 8, 8], share, &device));
        let alone = |at: usize| -> f32 {
            let color = colors[at].clone().autodiff();
            hue_error(color, face.clone(), masks[at].clone(), none(1))
                .inner()
                .into_scalar()
        };
        let both = |parts: &[Tensor<4>; 2]| Tensor::cat(parts.to_vec(), 0);
        let faces = Tensor::cat(vec![face.clone(), face.clone()], 0);
        let together: f32 = hue_error(both(&colors).autodiff(), faces, both(&masks), none(2))
            .inner()
            .into_scalar();
        assert!(
            (together - (alone(0) + alone(1)) / 2.0).abs() < 1e-6,
            "{together}"
        );
    }

    #[test]
    fn the_brightness_does_not_learn() {
        let color = of_color([0.3, 0.0, 0.4]).autodiff().require_grad();
        let mask = Tensor::ones([1, 1, 8, 8], &Device::flex());
        let gradients = hue_error(color.clone(), of_color([0.5, 0.1, -0.1]), mask, none(1)).backward();
        let gradient = color.grad(&gradients).unwrap();
        let largest: f32 = gradient.clone().abs().max().into_scalar();
        let of_brightness: f32 = gradient.mean_dim(1).abs().max().into_scalar();
        assert!(
            of_brightness < 1e-6 * largest.max(1e-3),
            "{of_brightness} {largest}"
        );
    }

    /// A picture of 128 x 128 with a mouth that is 40 pixels wide, and its mask. `rows` are the mouth's brightness, from the
    /// upper to the lower lip.
    fn mouth(rows: [f32; 8]) -> (Tensor<4>, Tensor<4>) {
        let device = Device::flex();
        let here = [0..1, 0..1, 88..96, 44..84];
        let rows = Tensor::<1>::from_floats(rows, &device).reshape([1, 1, 8, 1]);
        let rows = rows.expand([1, 1, 8, 40]);
        let blank = || Tensor::<4>::zeros([1, 1, 128, 128], &device);
        let mask = blank().slice_assign(here.clone(), rows.ones_like());
        (blank().slice_assign(here, rows).expand([1, 3, 128, 128]), mask)
    }

    #[test]
    fn statistics_are_of_brightness_at_places() {
        let (picture, mask) = mouth([0.6, 0.6, 0.6, 0.6, -0.6, -0.6, -0.6, -0.6]);
        let found = statistics(picture.mean_dim(1).autodiff(), mask, MOUTH.cells, 1.0).inner();
        let found: Vec<f32> = found.into_data().try_to_vec().unwrap();
        // The second row of cells has 2.375 bright rows and 0.3125 dark ones. One of seven pairs of vertical neighbours
        // differs, by 1.2.
        let rows = [0.6, 0.460_465, -0.460_465, -0.6].map(|brightness| [brightness; 5]);
        let expected = rows.concat().into_iter().chain([0.600_833, 0.0, 0.171_429]);
        assert_eq!(found.len(), MOUTH.cells[0] * MOUTH.cells[1] + 3);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }

    #[test]
    fn smiles_show_teeth_and_dropped_jaws_a_dark_cavity() {
        let unit = |at: &[usize]| {
            let mut aus = [0.0; AU_COUNT];
            at.iter().for_each(|&at| aus[at] = 0.6);
            Tensor::<1>::from_floats(aus, &Device::flex()).reshape([1, AU_COUNT])
        };
        let (smile, surprise) = (unit(&[8, 14]), unit(&[0, 1, 14, 15]));
        let error = |rows: [f32; 8], aus: &Tensor<2>| -> f32 {
            let (picture, mask) = mouth(rows);
            let skin = picture.full_like(0.1);
            mouth_error(picture.autodiff(), skin, aus.clone(), mask)
                .inner()
                .into_scalar()
        };
        let teeth = [-0.3, 0.1, 0.5, 0.5, 0.5, 0.5, 0.1, -0.1];
        let dark = [-0.4, -0.1, 0.0, -0.3, -0.6, -0.6, -0.6, -0.4];
        assert!(error(teeth, &smile) < error(dark, &smile));
        assert!(error(dark, &surprise) < error(teeth, &surprise));
    }

    #[test]
    fn small_masks_do_not_count_and_have_finite_gradients() {
        let (picture, mask) = mouth([0.3; 8]);
        let color = picture.clone().autodiff().require_grad();
        let aus = Tensor::zeros([1, AU_COUNT], &Device::flex());
        let loss = mouth_error(color.clone(), picture, aus, mask * 0.0);
        assert!(loss.clone().inner().into_scalar::<f32>() == 0.0);
        let gradient = color.grad(&loss.backward()).unwrap();
        assert!(gradient.abs().max().into_scalar::<f32>() == 0.0);
    }

    #[test]
    fn lids_look_like_the_skin_of_their_side() {
        let device = Device::flex();
        // The left half of the face is light, the right half is dark.
        let half = |brightness: f32| Tensor::<4>::full([1, 3, 128, 64], brightness, &device);
        let faces = Tensor::cat(vec![half(0.4), half(-0.4)], 3);
        let lid = |left: usize| {
            let lid = Tensor::<4>::ones([1, 1, 7, 16], &device);
            Tensor::<4>::zeros([1, 1, 128, 128], &device)
                .slice_assign([0..1, 0..1, 40..47, left..left + 16], lid)
        };
        let error = |color: &Tensor<4>, mask: Tensor<4>| -> f32 {
            lid_error(color.clone().autodiff(), faces.clone(), mask)
                .inner()
                .into_scalar()
        };
        let alike = faces.clone() * 0.8 - 0.2;
        let opposite = faces.clone() * -0.8 - 0.2;
        for left in [24, 88] {
            assert!(error(&alike, lid(left)) < error(&opposite, lid(left)));
        }
        assert_eq!(error(&opposite, lid(24) * 0.0), 0.0, "no lids");
    }
}
