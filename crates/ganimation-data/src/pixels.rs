//! Conversion between pictures and tensors. Only this module scales, rounds or transposes pixels.

use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};
use image::{GrayImage, ImageBuffer, RgbImage};

use crate::au::{AU_COUNT, Intensities};

/// Pictures of equal size as a tensor.
///
/// # Shapes
/// - returns `[batch, 3, height, width]`, in `[-1, 1]`
///
/// # Panics
/// Panics if there are no pictures or their sizes differ.
pub fn tensor_from_images(images: &[RgbImage], device: &Device) -> Tensor<4> {
    let (width, height) = common_size(images);
    let bytes = images.iter().flat_map(|image| image.as_raw()).copied().collect();
    tensor_from_bytes(bytes, [images.len(), height as usize, width as usize], device)
}

/// Interleaved 8-bit RGB as a tensor. Bytes are copied to the device and converted there.
///
/// # Shapes
/// - `bytes`: `batch * height * width * 3`, as in `[batch, height, width, RGB]`
/// - returns `[batch, 3, height, width]`, in `[-1, 1]`
///
/// # Panics
/// Panics if the number of bytes does not fit the shape.
pub fn tensor_from_bytes(bytes: Vec<u8>, shape: [usize; 3], device: &Device) -> Tensor<4> {
    let [batch, height, width] = shape;
    let expected = batch * height * width * 3;
    assert!(
        bytes.len() == expected,
        "{} bytes for [{batch}, {height}, {width}, 3] = {expected}",
        bytes.len()
    );
    let shape = [batch, height, width, 3];
    let levels = if device.supports_dtype(DType::U8) {
        let bytes = TensorData::new(bytes, shape);
        Tensor::<4, Int>::from_data(bytes, (device, DType::U8)).cast(FloatDType::F32)
    } else {
        let floats: Vec<f32> = bytes.into_iter().map(f32::from).collect();
        Tensor::from_data(TensorData::new(floats, shape), (device, DType::F32))
    };
    (levels / 127.5 - 1.0).permute([0, 3, 1, 2])
}

/// A tensor as pictures. Values outside `[-1, 1]` are clamped, and all values are rounded.
///
/// # Shapes
/// - `images`: `[batch, 3, height, width]`, in `[-1, 1]`
///
/// # Panics
/// Panics if there are not three channels, or if the device fails.
pub fn images_from_tensor(images: Tensor<4>) -> Vec<RgbImage> {
    let [batch, channels, height, width] = images.dims();
    assert!(channels == 3, "{channels} channels, expected 3 (RGB)");
    let values = host_values(images.permute([0, 2, 3, 1]));
    let bytes: Vec<u8> = values
        .into_iter()
        .map(|value| byte((value + 1.0) * 127.5))
        .collect();
    let (width, height) = (side(width), side(height));
    let images = bytes.chunks_exact((height * width * 3) as usize).take(batch);
    images
        .filter_map(|bytes| ImageBuffer::from_raw(width, height, bytes.to_vec()))
        .collect()
}

/// A tensor of masks as grey pictures, 0 is black and 1 is white. Values outside are clamped.
///
/// # Shapes
/// - `masks`: `[batch, 1, height, width]`, in `[0, 1]`
///
/// # Panics
/// Panics if the number of channels is not 1, or if the device fails.
pub fn gray_from_tensor(masks: Tensor<4>) -> Vec<GrayImage> {
    let [batch, channels, height, width] = masks.dims();
    assert!(channels == 1, "{channels} channels, expected 1 (a mask)");
    let bytes: Vec<u8> = host_values(masks)
        .into_iter()
        .map(|value| byte(value * 255.0))
        .collect();
    let (width, height) = (side(width), side(height));
    let masks = bytes.chunks_exact((height * width) as usize).take(batch);
    masks
        .filter_map(|bytes| ImageBuffer::from_raw(width, height, bytes.to_vec()))
        .collect()
}

/// Intensities as a network's input.
///
/// # Shapes
/// - returns `[batch, 17]`, OpenFace intensity / 5
///
/// # Panics
/// Panics if there are no intensities.
pub fn tensor_from_intensities(intensities: &[Intensities], device: &Device) -> Tensor<2> {
    assert!(!intensities.is_empty(), "0 faces do not make a batch");
    let values: Vec<f32> = intensities.iter().flat_map(Intensities::normalized).collect();
    tensor_from_aus(values, device)
}

/// A network's estimates as intensities.
///
/// # Shapes
/// - `aus`: `[batch, 17]`, OpenFace intensity / 5
///
/// # Panics
/// Panics if there are not 17 action units, or if the device fails.
pub fn intensities_from_tensor(aus: Tensor<2>) -> Vec<Intensities> {
    let [_, units] = aus.dims();
    assert!(units == AU_COUNT, "{units} action units, expected {AU_COUNT}");
    let values = host_values(aus);
    let (rows, _) = values.as_chunks::<AU_COUNT>();
    rows.iter()
        .map(|&row| Intensities::from_normalized(row))
        .collect()
}

/// The action units of a [`Batch`](crate::Batch) on the device.
///
/// # Shapes
/// - `aus`: `batch * 17` values
/// - returns `[batch, 17]`, the same values
///
/// # Panics
/// Panics if the number of values is not a multiple of 17.
pub fn tensor_from_aus(aus: Vec<f32>, device: &Device) -> Tensor<2> {
    assert!(
        aus.len().is_multiple_of(AU_COUNT),
        "{} values are not rows of {AU_COUNT}",
        aus.len()
    );
    let rows = aus.len() / AU_COUNT;
    Tensor::from_data(TensorData::new(aus, [rows, AU_COUNT]), (device, DType::F32))
}

fn common_size(images: &[RgbImage]) -> (u32, u32) {
    let Some(first) = images.first() else {
        panic!("0 pictures do not make a batch")
    };
    let size = first.dimensions();
    for (at, image) in images.iter().enumerate() {
        let found = image.dimensions();
        assert!(found == size, "picture {at} is {found:?}, the first is {size:?}");
    }
    size
}

fn host_values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    match tensor.into_data_as::<f32>().try_into_vec::<f32>() {
        Ok(values) => values,
        Err(error) => panic!("a tensor of f32 is not readable as f32: {error:?}"),
    }
}

/// Rounds a level to the nearest of `0..=255`; NaN becomes 0.
#[allow(
    clippy::cast_possible_truncation,
    reason = "float to integer casts saturate, which is the clamp"
)]
#[allow(
    clippy::cast_sign_loss,
    reason = "float to integer casts saturate, which is the clamp"
)]
fn byte(level: f32) -> u8 {
    level.round() as u8
}

fn side(pixels: usize) -> u32 {
    u32::try_from(pixels).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, Rgb};

    fn gradient(width: u32, height: u32, blue: u8) -> RgbImage {
        ImageBuffer::from_fn(width, height, |x, y| {
            Rgb([
                u8::try_from(x * 50).unwrap(),
                u8::try_from(y * 100).unwrap(),
                blue,
            ])
        })
    }

    #[test]
    fn pictures_survive_the_round_trip() {
        let images = [gradient(5, 2, 0), gradient(5, 2, 255)];
        let tensor = tensor_from_images(&images, &Device::flex());
        assert_eq!(tensor.dims(), [2, 3, 2, 5]);
        assert_eq!(images_from_tensor(tensor), images);
    }

    #[test]
    fn every_level_survives_the_round_trip() {
        let image = ImageBuffer::from_fn(16, 16, |x, y| Rgb([u8::try_from(y * 16 + x).unwrap(); 3]));
        let tensor = tensor_from_images(std::slice::from_ref(&image), &Device::flex());
        assert_eq!(images_from_tensor(tensor), [image]);
    }

    #[test]
    fn channels_come_first_and_levels_span_minus_one_to_one() {
        let tensor = tensor_from_bytes(vec![0, 255, 51, 0, 255, 102], [1, 1, 2], &Device::flex());
        let values = host_values(tensor);
        let expected = [-1.0, -1.0, 1.0, 1.0, -0.6, -0.2];
        for (value, expected) in values.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6, "{values:?}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_clamped() {
        let values = TensorData::new(vec![-3.0_f32, f32::NAN, 7.0], [1, 3, 1, 1]);
        let images = images_from_tensor(Tensor::from_data(values, &Device::flex()));
        assert_eq!(images[0].get_pixel(0, 0), &Rgb([0, 0, 255]));
    }

    #[test]
    fn masks_become_grey_pictures() {
        let values = TensorData::new(vec![0.0_f32, 0.5, 1.0, 2.0, -1.0, 0.2], [2, 1, 1, 3]);
        let masks = gray_from_tensor(Tensor::from_data(values, &Device::flex()));
        assert_eq!(masks.len(), 2);
        assert_eq!(masks[0].dimensions(), (3, 1));
        assert_eq!(masks[0].get_pixel(1, 0), &Luma([128]));
        assert_eq!(masks[1].as_raw(), &[255, 0, 51]);
    }

    #[test]
    fn intensities_are_divided_by_five() {
        let tensor = tensor_from_intensities(&[Intensities::new([2.5; AU_COUNT]); 2], &Device::flex());
        assert_eq!(tensor.dims(), [2, AU_COUNT]);
        assert_eq!(
            intensities_from_tensor(tensor.clone()),
            [Intensities::new([2.5; AU_COUNT]); 2]
        );
        assert_eq!(tensor.into_data().try_into_vec::<f32>().unwrap(), [0.5; 34]);
    }

    #[test]
    #[should_panic(expected = "picture 1 is (2, 3), the first is (5, 2)")]
    fn pictures_of_different_sizes_are_refused() {
        let _ = tensor_from_images(&[gradient(5, 2, 0), gradient(2, 3, 0)], &Device::flex());
    }
}
