//! Estimation of action units with any suitable network.

use burn::tensor::Tensor;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};

use crate::reader::READER_SIZE;
use crate::{Discriminator, Reader};

/// A network that estimates action units of faces of any size.
#[derive(Clone, Debug)]
pub enum AuReader {
    /// An AU regressor: a network trained only for this task.
    Independent(Reader),
    /// The action-unit head of a critic. Generators were trained against it, so it can label photos but cannot evaluate
    /// edits.
    Critic {
        /// The critic.
        discriminator: Discriminator,
        /// Side of its training faces, in pixels.
        image_size: usize,
    },
}

impl AuReader {
    /// The action units of a batch of faces. The faces are resized to the network's training size.
    ///
    /// # Shapes
    /// - `images`: `[batch, 3, size, size]`, in [-1, 1]
    /// - returns `[batch, aus]`, OpenFace intensity / 5, in [0, 1]
    pub fn read(&self, images: Tensor<4>) -> Tensor<2> {
        let read = match self {
            Self::Independent(reader) => reader.forward(resize(images, READER_SIZE)),
            Self::Critic {
                discriminator,
                image_size,
            } => discriminator.forward(resize(images, *image_size)).aus,
        };
        read.clamp(0.0, 1.0)
    }

    /// [`Reader::features`] of faces of any size; `None` for a critic.
    ///
    /// # Shapes
    /// - `images`: `[batch, 3, size, size]`, in [-1, 1]
    /// - returns `[batch, features]`
    pub fn features(&self, images: Tensor<4>) -> Option<Tensor<2>> {
        match self {
            Self::Independent(reader) => Some(reader.features(resize(images, READER_SIZE))),
            Self::Critic { .. } => None,
        }
    }
}

/// Bilinear resize. Much larger faces are first halved repeatedly, because bilinear interpolation uses only four
/// pixels.
fn resize(images: Tensor<4>, size: usize) -> Tensor<4> {
    let [_, _, height, width] = images.dims();
    if [height, width] == [size, size] {
        return images;
    }
    let next = if height >= 2 * size && width >= 2 * size {
        [height / 2, width / 2]
    } else {
        [size, size]
    };
    let options = InterpolateOptions::new(InterpolateMode::Bilinear)
        .with_align_corners(false)
        .with_output_size(next);
    resize(interpolate(images, options), size)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution, Tolerance};

    use super::*;
    use crate::{AU_COUNT, DiscriminatorConfig, ReaderConfig};

    #[test]
    fn faces_of_any_size_are_read_within_the_range() {
        let device = Device::flex();
        let readers = [
            AuReader::Independent(ReaderConfig::new().with_channels(2).init(&device)),
            AuReader::Critic {
                discriminator: DiscriminatorConfig::new(64).with_channels(2).init(&device),
                image_size: 64,
            },
        ];
        for reader in readers {
            for size in [48, 64, 128, 300] {
                let faces = Tensor::random([2, 3, size, size], Distribution::Uniform(-1.0, 1.0), &device);
                let read = reader.read(faces);
                assert_eq!(read.dims(), [2, AU_COUNT]);
                read.into_data().assert_within_range_inclusive(0.0f32..=1.0);
            }
        }
    }

    #[test]
    fn halving_takes_the_mean_of_four_pixels() {
        let device = Device::flex();
        let faces = Tensor::<4>::random([1, 3, 8, 8], Distribution::Uniform(-1.0, 1.0), &device);
        let blocks = faces.clone().reshape([1, 3, 4, 2, 4, 2]);
        let expected = blocks.mean_dims(&[3, 5]).reshape([1, 3, 4, 4]);
        resize(faces, 4)
            .into_data()
            .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-5));
    }
}
