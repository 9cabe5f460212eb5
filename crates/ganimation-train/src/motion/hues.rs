//! Hues of mouths: teeth, tongue and gums.
//!
//! A discriminator of small patches accepts hues that no mouth has, and pairs show lips that motion closed, which a network
//! can tell from lips that are closed. Neither keeps the paint of closed mouths from drifting to yellow or blue. But the hue
//! inside a mouth follows from its brightness and from the hue of the skin.

use burn::tensor::Tensor;

use super::losses::{brightness_and_hue, mean_of_masked};

/// For each channel, the factors of 1, brightness and its square in: hue inside a mouth / hue of the face.
///
/// Least squares over 5,500 training faces whose lips are at least 5 of 128 pixels apart, 60 pixels inside the inner lips
/// of each. The root mean square error is 0.058, where the hue itself is 0.206 and that of the face is off by 0.081.
const SHARES: [[f64; 3]; 3] = [
    [0.942, -0.136, -0.539],
    [1.198, -0.342, -0.761],
    [0.835, -0.045, -0.445],
];

/// Mean over the faces of the mean squared difference of painted hues from those of mouths, in the lower half of the
/// picture where `mask` is 1. `[1]`.
///
/// The hue is each channel minus the brightness, their mean; the face's hue is that of the middle quarter of `faces`. The
/// gradient changes hues alone, not the brightness.
///
/// # Shapes
/// - `color`, with autodiff, and `faces`: `[batch, 3, height, width]`, in [-1, 1]
/// - `mask`: `[batch, 1, height, width]`, in [0, 1]
pub(super) fn hue_error(color: Tensor<4>, faces: Tensor<4>, mask: Tensor<4>) -> Tensor<1> {
    let [_, _, height, width] = faces.dims();
    let middle = faces
        .narrow(2, height / 4, height / 2)
        .narrow(3, width / 4, width / 2)
        .mean_dims(&[2, 3]);
    let [_, of_face] = brightness_and_hue(middle);
    let lower = |picture: Tensor<4>| picture.narrow(2, height / 2, height - height / 2);
    let (color, mask) = (lower(color), lower(mask));
    let [brightness, hue] = brightness_and_hue(color);
    let brightness = brightness.inner();
    let factor = |power: usize| {
        let factors = SHARES.map(|of_channel| of_channel[power]);
        Tensor::<1>::from_data(factors, (&of_face.device(), of_face.dtype())).reshape([1, 3, 1, 1])
    };
    let shares = brightness.clone() * factor(1) + brightness.square() * factor(2) + factor(0);
    let off = (hue - (shares * of_face).autodiff()).square() * mask.clone().autodiff();
    mean_of_masked(off, mask)
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

    fn error(color: Tensor<4>, faces: Tensor<4>) -> f32 {
        let mask = Tensor::ones([1, 1, 8, 8], &Device::flex());
        hue_error(color.autodiff(), faces, mask).inner().into_scalar()
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
            hue_error(color, face.clone(), masks[at].clone())
                .inner()
                .into_scalar()
        };
        let both = |parts: &[Tensor<4>; 2]| Tensor::cat(parts.to_vec(), 0);
        let faces = Tensor::cat(vec![face.clone(), face.clone()], 0);
        let together: f32 = hue_error(both(&colors).autodiff(), faces, both(&masks))
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
        let gradients = hue_error(color.clone(), of_color([0.5, 0.1, -0.1]), mask).backward();
        let gradient = color.grad(&gradients).unwrap();
        let largest: f32 = gradient.clone().abs().max().into_scalar();
        let of_brightness: f32 = gradient.mean_dim(1).abs().max().into_scalar();
        assert!(
            of_brightness < 1e-6 * largest.max(1e-3),
            "{of_brightness} {largest}"
        );
    }
}
