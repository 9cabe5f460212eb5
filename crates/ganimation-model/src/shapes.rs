//! Derives a network's configuration from the shapes of its weights.
//!
//! Names are those of the released network. The largest tensors are checked here, before a network is created, so that
//! a file's metadata cannot cause large allocations. [`load_state_dict`](crate::load_state_dict) checks the rest.

use std::collections::BTreeMap;

use burn::tensor::TensorData;

use crate::discriminator::{LAYERS, SIZE_STEP};
use crate::{Conditioning, DiscriminatorConfig, Enlarging, Error, GeneratorConfig, Orders, Result};

/// Shapes by published name.
pub(crate) type Shapes = BTreeMap<String, Vec<usize>>;

/// The shapes of `tensors`.
pub(crate) fn shapes_of(tensors: &BTreeMap<String, TensorData>) -> Shapes {
    let shape = |(name, data): (&String, &TensorData)| (name.clone(), data.shape().to_vec());
    tensors.iter().map(shape).collect()
}

/// The configuration of a generator with weights of these shapes. Settings that the shapes do not determine have the
/// paper's values.
///
/// # Errors
/// [`Error::MissingTensor`] or [`Error::Shape`] if no generator has these shapes.
pub(crate) fn generator_config(shapes: &Shapes) -> Result<GeneratorConfig> {
    // The colour head has three channels for each sub-pixel.
    let folded = match shapes.get("img_reg.0.weight").map(Vec::as_slice) {
        Some([12, ..]) => 4,
        _ => 1,
    };
    // Each norm has its own map from orders.
    let of_norms = match shapes.get("main.1.orders.weight").map(Vec::as_slice) {
        Some([_, aus]) => Some(*aus),
        _ => None,
    };
    let image = 3 * folded;
    let least = if of_norms.is_some() { image } else { image + 1 };
    let edge = match shapes.get("main.0.weight").map(Vec::as_slice) {
        Some([_, _, edge, _]) if edge % 2 == 1 && *edge <= 7 => *edge,
        _ => 7,
    };
    let expected = |c: usize, inputs: usize| vec![c.max(1), inputs.max(least), edge, edge];
    let [channels, inputs] = first_layer(shapes, expected)?;
    let block = |index: usize, conv: u32| format!("main.{}.main.{conv}.weight", 9 + index);
    let blocks = (0..)
        .take_while(|&index| shapes.contains_key(&block(index, 0)))
        .count();
    expect_shape(shapes, "main.3.weight", &[2 * channels, channels, 4, 4])?;
    expect_shape(shapes, "main.6.weight", &[4 * channels, 2 * channels, 4, 4])?;
    for index in 0..blocks {
        for conv in [0, 3] {
            expect_shape(shapes, &block(index, conv), &[4 * channels, 4 * channels, 3, 3])?;
        }
    }
    let aus = match of_norms {
        Some(aus) => {
            expect_shape(shapes, "main.0.weight", &[channels, image, edge, edge])?;
            expect_shape(shapes, "main.1.orders.weight", &[2 * channels, aus])?;
            aus
        }
        None => inputs - image,
    };
    Ok(GeneratorConfig {
        channels,
        blocks,
        aus,
        conditioning: match of_norms {
            Some(_) => Conditioning::Norms,
            None => Conditioning::Planes,
        },
        orders: Orders::Absolute,
        space_to_depth: if folded == 4 { 2 } else { 1 },
        edge_kernel: edge,
        enlarging: match shapes
            .get(&format!("main.{}.weight", 9 + blocks))
            .map(Vec::as_slice)
        {
            Some([.., 3]) => Enlarging::Repeated,
            _ => Enlarging::Transposed,
        },
        motion: shapes.contains_key("motion_reg.0.weight"),
        shading: shapes.contains_key("shading_reg.0.weight"),
        fine_shading: false,
    })
}

/// The configuration of a discriminator with weights of these shapes.
///
/// # Errors
/// See [`generator_config`].
pub(crate) fn discriminator_config(shapes: &Shapes) -> Result<DiscriminatorConfig> {
    let [channels, _] = first_layer(shapes, |c, _| vec![c.max(1), 3, 4, 4])?;
    let mut input = channels;
    for layer in 1..LAYERS {
        let output = 2 * input;
        expect_shape(
            shapes,
            &format!("main.{}.weight", 2 * layer),
            &[output, input, 4, 4],
        )?;
        input = output;
    }
    let head = shape(shapes, "conv2.weight")?;
    let (aus, side) = match head {
        [aus, _, side, _] => (*aus, *side),
        _ => (1, 1),
    };
    let (aus, side) = (aus.max(1), side.max(1));
    expect_shape(shapes, "conv2.weight", &[aus, input, side, side])?;
    Ok(DiscriminatorConfig {
        image_size: side * SIZE_STEP,
        channels,
        aus,
    })
}

/// Outputs and inputs of the first convolution. Its shape must equal `expected(outputs, inputs)`.
fn first_layer(shapes: &Shapes, expected: impl Fn(usize, usize) -> Vec<usize>) -> Result<[usize; 2]> {
    const NAME: &str = "main.0.weight";
    let (outputs, inputs) = match shape(shapes, NAME)? {
        [outputs, inputs, ..] => (*outputs, *inputs),
        _ => (1, 1),
    };
    expect_shape(shapes, NAME, &expected(outputs, inputs))?;
    Ok([outputs, inputs])
}

pub(crate) fn expect_shape(shapes: &Shapes, name: &str, expected: &[usize]) -> Result<()> {
    let found = shape(shapes, name)?;
    if found == expected {
        return Ok(());
    }
    Err(Error::Shape {
        name: name.to_owned(),
        found: found.to_vec(),
        expected: expected.to_vec(),
    })
}

fn shape<'a>(shapes: &'a Shapes, name: &str) -> Result<&'a [usize]> {
    let missing = || Error::MissingTensor {
        name: name.to_owned(),
    };
    shapes.get(name).map(Vec::as_slice).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::state_dict;

    #[test]
    fn a_networks_size_is_read_from_its_weights() {
        let sized = |config: GeneratorConfig| config.with_channels(2).with_blocks(3).with_aus(5);
        for config in [
            sized(GeneratorConfig::new()),
            sized(GeneratorConfig::new()).with_space_to_depth(2),
            sized(GeneratorConfig::motion(2))
                .with_shading(false)
                .with_edge_kernel(5),
            sized(GeneratorConfig::motion(2)).with_enlarging(Enlarging::Transposed),
            sized(GeneratorConfig::motion(2)),
        ] {
            let tensors = state_dict(&config.init(&Device::flex())).into_iter().collect();
            // Shapes do not determine the meaning of orders and the resolution of shading; metadata does.
            let config = config.with_orders(Orders::Absolute).with_fine_shading(false);
            assert_eq!(generator_config(&shapes_of(&tensors)).unwrap(), config);
        }

        let config = DiscriminatorConfig::new(192).with_channels(1).with_aus(5);
        let tensors = state_dict(&config.init(&Device::flex())).into_iter().collect();
        assert_eq!(discriminator_config(&shapes_of(&tensors)).unwrap(), config);
    }

    #[test]
    fn shapes_that_fit_no_network_are_refused() {
        let shapes = |found: &[usize]| Shapes::from([("main.0.weight".to_owned(), found.to_vec())]);
        for found in [
            &[][..],
            &[0, 20, 7, 7],
            &[64, 3, 7, 7],
            &[64, 20, 7, 5],
            &[usize::MAX, 20],
        ] {
            let error = generator_config(&shapes(found)).unwrap_err();
            assert!(
                error.to_string().starts_with("tensor main.0.weight has shape"),
                "{error}"
            );
        }
    }
}
