//! The edit equation.

use burn::tensor::Tensor;

use crate::resample::enlarge;

/// The generator's outputs for a batch of faces.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The edited faces, `[batch, 3, height, width]`, in [-1, 1].
    pub image: Tensor<4>,
    /// The moved and shaded input, `[batch, 3, height, width]`, in [-1, 1]. It is visible where the attention mask is
    /// 1.
    pub kept: Tensor<4>,
    /// The attention mask, `[batch, 1, height, width]`, in [0, 1]: **1 keeps the input** (moved and shaded, see
    /// `kept`), 0 uses the colour.
    pub attention: Tensor<4>,
    /// The painted colours, `[batch, 3, height, width]`, in [-1, 1].
    pub color: Tensor<4>,
    /// The motion field, `[batch, 2, h, w]`: for each pixel of the result, its source position in the input minus its
    /// own position, horizontal then vertical, as fractions of the picture's width and height. It can have any
    /// resolution. It is absent in the paper's network, which does not move pixels.
    pub motion: Option<Tensor<4>>,
    /// The relative change of brightness of the moved input, `[batch, 1, h, w]`: 0.1 means 10 % brighter. It can have
    /// any resolution. It is absent in the paper's network.
    pub shading: Option<Tensor<4>>,
}

impl Edit {
    /// The edit equation: `A · (1 + s) · x(q + u(q)) + (1 - A) · C`, with attention A, shading s, motion u and colour
    /// C.
    ///
    /// Motion and shading are enlarged to the input's resolution with bilinear interpolation. The input is sampled with
    /// bilinear interpolation and a repeated border. Brightness is measured from black, so black stays black. Without
    /// motion and shading this is the paper's equation, [`blend`].
    ///
    /// # Shapes
    /// - `input`: `[batch, 3, height, width]`, in [-1, 1], with the resolution of attention and colour
    /// - the others: see the fields of [`Edit`]
    pub fn new(
        input: Tensor<4>,
        attention: Tensor<4>,
        color: Tensor<4>,
        motion: Option<Tensor<4>>,
        shading: Option<Tensor<4>>,
    ) -> Self {
        let [_, _, height, width] = input.dims();
        let full = |part: &Tensor<4>| enlarge(part.clone(), [height, width]);
        let moved = match &motion {
            Some(motion) => ganimation_kernels::warp(input, full(motion)),
            None => input,
        };
        let kept = match &shading {
            Some(shading) => ((moved + 1.0) * (full(shading) + 1.0) - 1.0).clamp(-1.0, 1.0),
            None => moved,
        };
        Self {
            image: blend(kept.clone(), attention.clone(), color.clone()),
            kept,
            attention,
            color,
            motion,
            shading,
        }
    }

    /// The edits of `count` faces of the batch, starting at face `first`.
    pub fn narrow(&self, first: usize, count: usize) -> Self {
        let of = |tensor: &Tensor<4>| tensor.clone().narrow(0, first, count);
        Self {
            image: of(&self.image),
            kept: of(&self.kept),
            attention: of(&self.attention),
            color: of(&self.color),
            motion: self.motion.as_ref().map(of),
            shading: self.shading.as_ref().map(of),
        }
    }
}

/// Blends painted colours into an image: `attention * input + (1 - attention) * color`.
///
/// The paper's text describes the inverted mask. This function follows the paper's equation (section 3.1) and the
/// released networks.
///
/// # Shapes
/// - `input`, `color`: `[batch, 3, height, width]`
/// - `attention`: `[batch, 1, height, width]`, in [0, 1]
pub fn blend(input: Tensor<4>, attention: Tensor<4>, color: Tensor<4>) -> Tensor<4> {
    color.clone() + attention * (input - color)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution, Tolerance};

    use super::*;

    fn noise(channels: usize) -> Tensor<4> {
        Tensor::random(
            [2, channels, 5, 7],
            Distribution::Uniform(-1.0, 1.0),
            &Device::flex(),
        )
    }

    fn blended_with_constant_attention(value: f64) -> (Tensor<4>, Tensor<4>, Tensor<4>) {
        let (input, color) = (noise(3), noise(3));
        let attention = Tensor::full([2, 1, 5, 7], value, &Device::flex());
        (input.clone(), color.clone(), blend(input, attention, color))
    }

    #[test]
    fn blend_with_full_attention_returns_the_input() {
        let (input, _, blended) = blended_with_constant_attention(1.0);
        blended
            .into_data()
            .assert_approx_eq::<f32>(&input.into_data(), Tolerance::absolute(1e-6));
    }

    #[test]
    fn blend_with_no_attention_returns_the_color() {
        let (_, color, blended) = blended_with_constant_attention(0.0);
        blended.into_data().assert_eq(&color.into_data(), true);
    }

    #[test]
    fn blend_is_the_edit_equation() {
        let (input, color) = (noise(3), noise(3));
        let attention = noise(1).abs();
        let expected = attention.clone() * input.clone() + (attention.clone().neg() + 1.0) * color.clone();
        blend(input, attention, color)
            .into_data()
            .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-6));
    }

    fn kept(input: Tensor<4>, motion: Option<Tensor<4>>, shading: Option<Tensor<4>>) -> Tensor<4> {
        let attention = Tensor::ones([2, 1, 5, 7], &Device::flex());
        Edit::new(input, attention, noise(3), motion, shading).image
    }

    #[test]
    fn an_edit_without_motion_and_shading_is_the_papers_equation() {
        let (input, attention, color) = (noise(3), noise(1).abs(), noise(3));
        let expected = blend(input.clone(), attention.clone(), color.clone()).into_data();
        let still = |channels, size: [usize; 2]| {
            Some(Tensor::zeros([2, channels, size[0], size[1]], &Device::flex()))
        };
        for (motion, shading) in [
            (None, None),
            (still(2, [2, 3]), None),
            (still(2, [5, 7]), still(1, [3, 1])),
        ] {
            Edit::new(input.clone(), attention.clone(), color.clone(), motion, shading)
                .image
                .into_data()
                .assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-6));
        }
    }

    #[test]
    fn motion_says_where_to_read() {
        let input = noise(3);
        // One pixel to the right of each position; the width is seven pixels.
        let right = Tensor::<1>::from_data([1.0 / 7.0, 0.0], &Device::flex()).reshape([1, 2, 1, 1]);
        let moved = kept(input.clone(), Some(right.repeat(&[2, 1, 1, 1])), None);
        moved
            .narrow(3, 0, 6)
            .into_data()
            .assert_approx_eq::<f32>(&input.narrow(3, 1, 6).into_data(), Tolerance::absolute(1e-5));
    }

    #[test]
    fn shading_multiplies_brightness_from_black() {
        let input = Tensor::full([2, 3, 5, 7], -0.5, &Device::flex()); // a quarter of white
        let shading = Tensor::full([2, 1, 1, 1], 0.2, &Device::flex());
        let expected = Tensor::<4>::full([2, 3, 5, 7], -0.4, &Device::flex());
        kept(input, None, Some(shading))
            .into_data()
            .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-6));
    }
}
