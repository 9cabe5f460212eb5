//! Gradients of strided convolutions with respect to the image, phase by phase.
//!
//! ```text
//! gradient[b, i, y, x] = sum over o, u, v of
//!     weight[o, i, u, v] grid[b, o, (y + padding - u) / stride, (x + padding - v) / stride]
//! ```
//!
//! Only positions with integer indices count. For the rows `y` of one phase, `y mod stride`, these are the kernel's
//! rows `u mod stride = (y + padding) mod stride`, so the gradient of a phase is a dense convolution with a part of the
//! kernel. A convolution with zeros between the grid's values would multiply `stride²` times as much.

use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::{Shape, Slice, ops::ConvOptions},
};

/// The gradient of a convolution from an image of `size` to `grid`, with respect to the image.
///
/// # Shapes
/// - `grid`: `[batch, out, oh, ow]`, `weight`: `[out, in, kernel height, kernel width]`
/// - result: `[batch, in, height, width]`; `None` unless the stride divides `size` and the grid reaches all of it
pub(super) fn image_gradient<B: Backend>(
    grid: &FloatTensor<B>,
    weight: &FloatTensor<B>,
    size: [usize; 2],
    stride: usize,
    padding: usize,
) -> Option<FloatTensor<B>> {
    let [batch, _, rows, columns] = grid.shape().dims();
    let [_, inputs, kernel_height, kernel_width] = weight.shape().dims();
    let axes = [(size[0], kernel_height, rows), (size[1], kernel_width, columns)];
    let [vertical, horizontal] = axes.map(|(size, kernel, grid)| phases(size, kernel, grid, stride, padding));
    let (vertical, horizontal) = (vertical?, horizontal?);
    let [height, width] = size.map(|side| side / stride);

    let weight = B::float_swap_dims(weight.clone(), 0, 1);
    let bands = vertical.iter().map(|row| {
        let columns = horizontal.iter().map(|column| {
            let kernel = [all(), all(), row.kernel(), column.kernel()];
            let part = B::float_slice(weight.clone(), &kernel);
            let part = B::float_flip(part, &[2, 3]);
            let options = ConvOptions::new([1; 2], [row.taps - 1, column.taps - 1], [1; 2], 1);
            let gradient = B::conv2d(grid.clone(), part, None, options);
            let reached = [row.offset, column.offset].into_iter().zip([height, width]);
            let reached = reached.map(|(start, count)| Slice::from(start..start + count));
            let place: Vec<Slice> = [all(), all()].into_iter().chain(reached).collect();
            let gradient = B::float_slice(gradient, &place);
            B::float_reshape(gradient, Shape::new([batch, inputs, height, 1, width, 1]))
        });
        B::float_cat(columns.collect(), 5)
    });
    let joined = B::float_cat(bands.collect(), 3);
    Some(B::float_reshape(
        joined,
        Shape::new([batch, inputs, size[0], size[1]]),
    ))
}

/// The positions of one axis with the same remainder.
struct Phase {
    /// The first position of the kernel that counts.
    first: usize,
    /// The number of positions of the kernel that count.
    taps: usize,
    stride: usize,
    /// The grid's position of the phase's first position, plus `taps - 1`, in a convolution padded with `taps - 1`.
    offset: usize,
}

impl Phase {
    fn kernel(&self) -> Slice {
        let end = self.first + self.stride * (self.taps - 1) + 1;
        Slice::new(
            self.first.cast_signed(),
            Some(end.cast_signed()),
            self.stride.cast_signed(),
        )
    }
}

fn phases(size: usize, kernel: usize, grid: usize, stride: usize, padding: usize) -> Option<Vec<Phase>> {
    if stride < 2 || kernel < stride || !size.is_multiple_of(stride) {
        return None;
    }
    (0..stride)
        .map(|phase| {
            let first = (phase + padding) % stride;
            let taps = (kernel - first).div_ceil(stride);
            let offset = (phase + padding - first) / stride;
            (offset + size / stride < grid + taps).then_some(Phase {
                first,
                taps,
                stride,
                offset,
            })
        })
        .collect()
}

fn all() -> Slice {
    Slice::from(..)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::backend::{Flex, ops::ModuleOps};
    use burn::tensor::Tolerance;

    use super::super::fixture::{map, values};
    use super::super::options;
    use super::*;

    #[test]
    fn phases_give_the_gradient_of_burn() {
        for (size, kernel, stride, padding) in [
            ([8, 12], [4, 4], 2, 1),
            ([12, 8], [3, 5], 2, 1),
            ([9, 6], [5, 4], 3, 2),
            ([8, 8], [4, 2], 2, 0),
        ] {
            let grid = [0, 1].map(|axis| (size[axis] + 2 * padding - kernel[axis]) / stride + 1);
            let (image, weight) = (
                map([2, 3, size[0], size[1]], 0.0),
                map([5, 3, kernel[0], kernel[1]], 1.0),
            );
            let grid = map([2, 5, grid[0], grid[1]], 2.0);
            let Some(found) = image_gradient::<Flex>(&grid, &weight, size, stride, padding) else {
                panic!("{size:?}, kernel {kernel:?}, stride {stride}, padding {padding}: not divided")
            };
            let expected = Flex::conv2d_x_backward(image, weight, grid, options(stride, padding));
            values(found).assert_approx_eq::<f64>(&values(expected), Tolerance::rel_abs(1e-12, 1e-12));
        }
    }

    #[test]
    fn other_convolutions_are_left_to_burn() {
        let (grid, weight) = (map([1, 2, 4, 4], 0.0), map([2, 1, 3, 3], 1.0));
        assert!(image_gradient::<Flex>(&grid, &weight, [4, 4], 1, 1).is_none());
        assert!(image_gradient::<Flex>(&grid, &weight, [9, 9], 2, 1).is_none());
    }
}
