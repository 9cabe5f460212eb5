//! The gradient penalty of WGAN-GP.

use burn::tensor::Tensor;

use crate::Discriminator;

/// Keeps the derivative of the square root finite where a gradient is zero.
const SMALLEST_SQUARED_NORM: f64 = 1e-24;

/// `mean over the batch of (‖∇D(x̂)‖₂ - 1)²` with `x̂ = α·real + (1-α)·fake` (paper, eq. 1; Gulrajani et al. 2017).
///
/// `D` is the critic score summed over positions. The result is differentiable in the discriminator's weights, through
/// its [explicit input gradient](Discriminator::input_gradient). The weight `lambda_gp` = 10 is not included.
///
/// # Shapes
/// - `real`, `fake`: `[batch, 3, height, width]`; they get no gradients
/// - `alpha`: `[batch]`, in [0, 1], one random value per image
///
/// Returns `[1]`.
pub fn gradient_penalty(
    discriminator: &Discriminator,
    real: Tensor<4>,
    fake: Tensor<4>,
    alpha: Tensor<1>,
) -> Tensor<1> {
    let alpha = alpha.reshape([-1, 1, 1, 1]);
    let between = fake.clone() + alpha * (real - fake);
    let gradient = discriminator.input_gradient(between);
    let squared_norm = gradient.square().sum_dims(&[1, 2, 3]);
    let norm = squared_norm.clamp_min(SMALLEST_SQUARED_NORM).sqrt();
    (norm - 1.0).square().mean()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use burn::tensor::{DType, Device, TensorData, Tolerance};

    use super::*;
    use crate::noise::noise;
    use crate::{DiscriminatorConfig, load_state_dict, map_parameters, state_dict, take_gradients};

    /// A small discriminator in f64. Its random biases put units on both sides of zero.
    fn discriminator(device: &Device) -> Discriminator {
        let plain = DiscriminatorConfig::new(64).with_channels(2).init(device);
        let weights: BTreeMap<String, TensorData> = (0..)
            .zip(state_dict(&plain))
            .map(|(seed, (name, data))| (name, noise(seed, data.shape())))
            .collect();
        let plain = load_state_dict(in_f64(plain), weights).unwrap();
        map_parameters(plain, |_, values| values * 0.2)
    }

    fn in_f64(discriminator: Discriminator) -> Discriminator {
        map_parameters(discriminator, |_, values| values.cast(DType::F64))
    }

    fn faces(seed: u64, device: &Device) -> Tensor<4> {
        Tensor::from_data(noise(seed, &[2, 3, 64, 128]), (device, DType::F64))
    }

    fn alpha(device: &Device) -> Tensor<1> {
        Tensor::from_data([0.3f64, 0.8], (device, DType::F64))
    }

    #[test]
    fn the_input_gradient_equals_autodiff() {
        let device = Device::flex().autodiff();
        let discriminator = discriminator(&device);
        let images = faces(100, &device).require_grad();
        let score = discriminator.forward(images.clone()).score.sum();
        let expected = images.grad(&score.backward()).unwrap();
        let found = discriminator.input_gradient(images).inner();
        found
            .into_data()
            .assert_approx_eq::<f64>(&expected.into_data(), Tolerance::rel_abs(1e-9, 1e-12));
    }

    #[test]
    fn the_penalty_is_the_mean_squared_distance_of_the_norm_from_one() {
        let device = Device::flex().autodiff();
        let discriminator = discriminator(&device);
        let (real, fake) = (faces(100, &device), faces(101, &device));
        let found: f64 =
            gradient_penalty(&discriminator, real.clone(), fake.clone(), alpha(&device)).into_scalar();

        let share = alpha(&device).reshape([2, 1, 1, 1]);
        let between = share.clone() * real + (share.neg() + 1.0) * fake;
        let gradient: Vec<f64> = discriminator
            .input_gradient(between)
            .into_data()
            .try_to_vec()
            .unwrap();
        let expected: f64 = gradient
            .chunks(gradient.len() / 2)
            .map(|image| (image.iter().map(|g| g * g).sum::<f64>().sqrt() - 1.0).powi(2) / 2.0)
            .sum();
        assert!(
            (found - expected).abs() < 1e-9 * expected,
            "{found} against {expected}"
        );
    }

    #[test]
    fn a_flat_discriminator_has_a_penalty_of_one_and_finite_gradients() {
        let device = Device::flex().autodiff();
        let flat = map_parameters(discriminator(&device), |_, values| values * 0.0);
        let penalty = gradient_penalty(&flat, faces(100, &device), faces(101, &device), alpha(&device));
        let mut gradients = penalty.clone().backward();
        let found: f64 = penalty.into_scalar();
        assert!((found - 1.0).abs() < 1e-9, "{found}");
        for (name, gradient) in take_gradients(&flat, &mut gradients) {
            let finite = gradient.into_data().iter::<f64>().all(f64::is_finite);
            assert!(finite, "{name}");
        }
    }

    #[test]
    fn the_penaltys_weight_gradients_agree_with_central_differences() {
        let device = Device::flex().autodiff();
        let discriminator = discriminator(&device);
        let (real, fake) = (faces(100, &device), faces(101, &device));
        let penalty =
            |network: &Discriminator| gradient_penalty(network, real.clone(), fake.clone(), alpha(&device));
        let mut gradients = penalty(&discriminator).backward();
        let gradients: BTreeMap<String, Vec<f64>> = take_gradients(&discriminator, &mut gradients)
            .into_iter()
            .map(|(name, gradient)| (name, gradient.into_data().try_to_vec().unwrap()))
            .collect();

        let step = 1e-5;
        let mut compared = 0;
        for (name, gradient) in &gradients {
            for index in [0, gradient.len() / 3, gradient.len() - 1] {
                let nudged = |by: f64| -> f64 {
                    let network = map_parameters(discriminator.clone(), |found, values| {
                        if found != name {
                            return values;
                        }
                        let device = values.device();
                        let mut numbers: Vec<f64> = values.into_data().try_to_vec().unwrap();
                        numbers[index] += by;
                        Tensor::from_data(numbers.as_slice(), (&device, DType::F64))
                    });
                    penalty(&network).into_scalar()
                };
                let expected = (nudged(step) - nudged(-step)) / (2.0 * step);
                let found = gradient[index];
                assert!(
                    (found - expected).abs() <= 1e-6 * expected.abs() + 1e-9,
                    "{name}[{index}]: {found} against {expected}"
                );
                compared += 1;
            }
        }
        assert_eq!(
            compared,
            3 * 7,
            "six trunk weights and the score head have a gradient"
        );
    }
}
