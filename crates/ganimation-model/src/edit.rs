//! The edit equation.

use burn::tensor::Tensor;

/// What the generator makes of a batch of faces.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The edited faces, `[batch, 3, height, width]`, in [-1, 1].
    pub image: Tensor<4>,
    /// How much of the input is kept, `[batch, 1, height, width]`, in [0, 1]: **1 keeps the input**, 0 takes the colour.
    pub attention: Tensor<4>,
    /// The painted colours, `[batch, 3, height, width]`, in [-1, 1].
    pub color: Tensor<4>,
}

/// Blends painted colours into an image: `attention * input + (1 - attention) * color`.
///
/// The paper's text describes the mask the other way round; this is its equation (section 3.1), and what the
/// released networks do.
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
}
