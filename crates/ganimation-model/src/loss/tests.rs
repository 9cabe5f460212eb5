use burn::module::Module;
use burn::tensor::{Device, Distribution};

use super::*;
use crate::{AU_COUNT, DiscriminatorConfig, GeneratorConfig};

fn close(found: Tensor<1>, expected: f32) {
    let found: f32 = found.into_scalar();
    assert!(
        (found - expected).abs() <= 1e-5 * expected.abs().max(1e-3),
        "{found} against {expected}"
    );
}

/// Two images of 2 x 3 pixels.
fn mask() -> Tensor<4> {
    Tensor::from_data(
        [
            [[[0.0, 0.5, 1.0], [0.0, 0.25, 0.5]]],
            [[[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]],
        ],
        &Device::flex(),
    )
}

#[test]
fn au_errors_follow_their_formulas() {
    let device = Device::flex();
    let estimates = || Tensor::<2>::from_data([[0.0, 0.5, 1.0], [1.0, 0.0, 0.0]], &device);
    let targets = || Tensor::<2>::from_data([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]], &device);
    // The squared errors 0, 0.25, 1 and 1, 0, 1 have the sum 3.25.
    close(AuTerm::Mean.measure(estimates(), targets(), &[]), 3.25 / 6.0);
    close(
        AuTerm::MeanDividedByBatch.measure(estimates(), targets(), &[]),
        3.25 / 12.0,
    );
    close(
        AuTerm::SquaredNorm.measure(estimates(), targets(), &[]),
        3.25 / 2.0,
    );
    // The sums for each unit are 1, 0.25 and 2.
    close(
        AuTerm::Mean.measure(estimates(), targets(), &[2.0, 4.0, 0.5]),
        (2.0 + 1.0 + 1.0) / 6.0,
    );
}

#[test]
fn attention_sizes_follow_their_formulas() {
    close(AttentionTerm::Mean.measure(mask()), 8.25 / 12.0);
    // 0.25 + 1 + 0.0625 + 0.25 in the first image, six ones in the second.
    close(
        AttentionTerm::Norm.measure(mask()),
        (1.5625f32.sqrt() + 6.0f32.sqrt()) / 2.0,
    );
}

#[test]
fn smoothness_follows_its_formulas() {
    // First image: vertical 0, 0.25, 0.5; horizontal 0.5, 0.5 and 0.25, 0.25. The second image is constant.
    close(
        TotalVariationTerm::Outline.measure(mask()),
        (0.75 / 3.0 + 1.5 / 2.0) / 2.0,
    );
    close(TotalVariationTerm::Sum.measure(mask()), 0.75 + 1.5);
    close(
        TotalVariationTerm::SquaredSum.measure(mask()),
        (0.3125 + 0.625) / 2.0,
    );
}

#[test]
fn the_default_smoothness_equals_the_released_one_at_its_batch_and_size() {
    let device = Device::flex();
    let mask = Tensor::random([25, 1, 128, 128], Distribution::Uniform(0.0, 1.0), &device);
    let weigh = |preset: Preset| -> f32 {
        let weights = LossWeights::from(preset);
        (weights.total_variation_term.measure(mask.clone()) * weights.lambda_tv).into_scalar()
    };
    let (default, released) = (weigh(Preset::Default), weigh(Preset::Released));
    assert!(
        (default - released).abs() < 1e-4 * released,
        "{default} against {released}"
    );
}

#[test]
fn presets_differ_as_documented() {
    let released = LossWeights::from(Preset::Released);
    assert_eq!(
        (released.lambda_au, released.au_term),
        (4000.0, AuTerm::MeanDividedByBatch)
    );
    assert_eq!(released.discriminator_updates, DiscriminatorUpdates::Separate);
    let paper = LossWeights::from(Preset::Paper);
    assert_eq!((paper.lambda_au, paper.au_term), (4000.0, AuTerm::SquaredNorm));
    assert_eq!(paper.attention_term, AttentionTerm::Norm);
    assert!((paper.lambda_tv - 1e-5).abs() < 1e-18);
    // 4000 / 25 = 160: the default's weight is the released weight at its batch size.
    let default = LossWeights::default();
    assert_eq!((default.lambda_au, default.au_term), (160.0, AuTerm::Mean));
}

#[test]
fn the_discriminators_loss_is_made_of_its_outputs() {
    let device = Device::flex().autodiff();
    let discriminator = DiscriminatorConfig::new(64).with_channels(2).init(&device);
    let faces = || Tensor::random([2, 3, 64, 64], Distribution::Uniform(-1.0, 1.0), &device);
    let (real, fake) = (faces(), faces());
    let aus = Tensor::random([2, AU_COUNT], Distribution::Uniform(0.0, 1.0), &device);
    let weights = LossWeights::default();
    let loss = discriminator_loss(&discriminator, real.clone(), aus.clone(), fake.clone(), &weights);

    let (of_real, of_fake) = (discriminator.forward(real), discriminator.forward(fake));
    let adversarial: f32 = (of_fake.score.mean() - of_real.score.mean()).into_scalar();
    let error: f32 = (of_real.aus - aus).square().mean().into_scalar();
    close(loss.total(&weights), adversarial + 160.0 * error);
}

#[test]
fn the_generators_loss_is_made_of_both_passes() {
    let device = Device::flex().autodiff();
    let generator = GeneratorConfig::new()
        .with_channels(2)
        .with_blocks(1)
        .init(&device);
    let discriminator = DiscriminatorConfig::new(64)
        .with_channels(2)
        .init(&device)
        .no_grad();
    let real = Tensor::random([2, 3, 64, 64], Distribution::Uniform(-1.0, 1.0), &device);
    let random_aus = || Tensor::random([2, AU_COUNT], Distribution::Uniform(0.0, 1.0), &device);
    let (aus, targets) = (random_aus(), random_aus());
    let weights = LossWeights::default();
    let loss = generator_loss(
        &generator,
        &discriminator,
        real.clone(),
        aus.clone(),
        targets.clone(),
        &weights,
    );

    let there = generator.edit(real.clone(), targets.clone());
    let back = generator.edit(there.image.clone(), aus);
    let output = discriminator.forward(there.image);
    let scalar = |value: Tensor<1>| -> f32 { value.into_scalar() };
    let outline = |mask: Tensor<4>| scalar(TotalVariationTerm::Outline.measure(mask));
    let expected = -scalar(output.score.mean())
        + 160.0 * scalar((output.aus - targets).square().mean())
        + 10.0 * scalar((back.image - real).abs().mean())
        + 0.1 * (scalar(there.attention.clone().mean()) + scalar(back.attention.clone().mean()))
        + 0.032 * (outline(there.attention) + outline(back.attention));
    close(loss.total(&weights), expected);
}
