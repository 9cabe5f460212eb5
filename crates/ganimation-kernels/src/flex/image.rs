//! Images with adjacent channels: the layout of all kernels.
//!
//! A tensor has the shape `[batch, channels, height, width]` in Burn. Its storage is
//! `[batch, height, width, channels]`, as its strides show. So transforms, norms and activations run over adjacent
//! channels, and the rows of a matrix product are pixels. Tensors in any other layout are converted on entry.

use burn::{backend::flex::FlexTensor, tensor::TensorData};
use rayon::prelude::*;

/// A batch of images whose storage is `[batch, height, width, channels]`.
#[derive(Debug, Clone)]
pub(super) struct Images {
    tensor: FlexTensor,
    pub(super) batch: usize,
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Images {
    /// Takes a tensor `[batch, channels, height, width]`, and copies it if its storage is in another order.
    pub(super) fn new(tensor: &FlexTensor) -> Self {
        let [batch, channels, height, width] = dims(tensor);
        let tensor = if is_channels_last(tensor) {
            tensor.clone()
        } else {
            let planes = tensor.to_contiguous();
            let pixels = transpose(planes.storage::<f32>(), [batch, channels, height * width]);
            from_pixels(pixels, [batch, channels, height, width])
        };
        Self {
            tensor,
            batch,
            channels,
            height,
            width,
        }
    }

    /// Takes the values `[batch, height, width, channels]`; the shape is that of the tensor.
    pub(super) fn from_values(values: Vec<f32>, [batch, channels, height, width]: [usize; 4]) -> Self {
        Self {
            tensor: from_pixels(values, [batch, channels, height, width]),
            batch,
            channels,
            height,
            width,
        }
    }

    /// `[batch, height, width, channels]`.
    pub(super) fn values(&self) -> &[f32] {
        self.tensor.storage::<f32>()
    }

    /// [`Self::values`], copied first if another handle shares them.
    pub(super) fn values_mut(&mut self) -> &mut [f32] {
        self.tensor.storage_mut::<f32>()
    }

    pub(super) fn shape(&self) -> [usize; 4] {
        [self.batch, self.channels, self.height, self.width]
    }

    /// The tensor `[batch, channels, height, width]`.
    pub(super) fn into_tensor(self) -> FlexTensor {
        self.tensor
    }
}

/// The sizes of a tensor of `D` axes.
pub(super) fn dims<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    let shape = tensor.layout().shape();
    assert_eq!(
        shape.num_dims(),
        D,
        "a tensor of {} axes in place of {D}",
        shape.num_dims()
    );
    std::array::from_fn(|axis| shape[axis])
}

/// A tensor of `values` in row-major order.
pub(super) fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
}

fn from_pixels(values: Vec<f32>, [batch, channels, height, width]: [usize; 4]) -> FlexTensor {
    let tensor = tensor(values, &[batch, height, width, channels]);
    let layout = tensor.layout().permute(&[0, 3, 1, 2]);
    tensor.with_layout(layout)
}

fn is_channels_last(tensor: &FlexTensor) -> bool {
    let layout = tensor.layout();
    let [_, channels, height, width] = dims(tensor);
    let expected = [height * width * channels, 1, width * channels, channels];
    let same = (0..4).all(|axis| {
        layout.shape()[axis] <= 1 || usize::try_from(layout.strides()[axis]) == Ok(expected[axis])
    });
    same && layout.start_offset() == 0 && tensor.storage::<f32>().len() == layout.num_elements()
}

/// `[batch, rows, columns]` to `[batch, columns, rows]`.
pub(super) fn transpose(source: &[f32], [_, rows, columns]: [usize; 3]) -> Vec<f32> {
    // Sixteen elements of a source row are a cache line.
    const LINE: usize = 16;
    let mut target = vec![0.0; source.len()];
    if target.is_empty() {
        return target;
    }
    // Blocks of whole target rows; an image's last block is shorter.
    let blocks = columns.div_ceil(LINE);
    target
        .par_chunks_mut(rows * columns)
        .zip(source.par_chunks(rows * columns))
        .for_each(|(target, source)| {
            target
                .par_chunks_mut(LINE * rows)
                .enumerate()
                .with_min_len(blocks.div_ceil(8))
                .for_each(|(block, target)| {
                    for row in 0..rows {
                        let source = &source[row * columns + block * LINE..(row + 1) * columns];
                        for (target, value) in target[row..].iter_mut().step_by(rows).zip(source) {
                            *target = *value;
                        }
                    }
                });
        });
    target
}
