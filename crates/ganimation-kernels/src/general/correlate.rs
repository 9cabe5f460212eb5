//! Weight gradients as matrix products.
//!
//! ```text
//! gradient[o, i, u, v] = sum over b, y, x of image[b, i, stride y + u - padding, stride x + v - padding] grid[b, o, y, x]
//! ```
//!
//! For every column `v` of the kernel, the image's columns `v, v + stride, …` are copied side by side. Then the image's
//! rows under row `u` of the kernel are a range of these copies, and `gradient[o, ·, u, ·]` is a matrix product of the
//! grid and that range. With rows as the first axis, the range is contiguous and is not copied. For a stride above 1,
//! rows are divided by phase, `u mod stride`.
//!
//! No loop of a GPU kernel and no copy exceeds [`LIMITS`], unless one image needs more. Burn's general form, a
//! convolution whose kernel is the grid, has loops of `batch · height · width` iterations. Mesa's software drivers end
//! the loops of a shader after 65,535 iterations in total, without an error.

use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::{Shape, Slice},
};

/// Limits of sums and copies.
#[derive(Clone, Copy)]
struct Limits {
    /// Longest sum of one matrix product. Longer sums are divided. This also makes better use of a GPU, because the
    /// results have few elements to compute in parallel.
    sum: usize,
    /// Maximum number of elements in the copies of columns.
    copy: usize,
}

/// Copies of 64 MiB in f32 are half of the buffer that every WebGPU device can bind.
const LIMITS: Limits = Limits {
    sum: 4096,
    copy: 16 << 20,
};

/// The sum above for the weight of a convolution from `image` to `grid`.
///
/// # Shapes
/// - `image`: `[batch, in, height, width]`, `grid`: `[batch, out, oh, ow]`
/// - result: `[out, in, kernel height, kernel width]`
pub(super) fn correlate<B: Backend>(
    image: FloatTensor<B>,
    grid: FloatTensor<B>,
    kernel: [usize; 2],
    stride: usize,
    padding: usize,
) -> FloatTensor<B> {
    let [_, inputs, _, _] = image.shape().dims();
    let [_, outputs, _, _] = grid.shape().dims();
    if stride == 1 && outputs < inputs && kernel.iter().all(|side| *side > padding) {
        // Copies of the narrower map are smaller. The kernel's position is reflected: `u` becomes `kernel - 1 - u`.
        let paddings = kernel.map(|side| side - 1 - padding);
        let reflected = in_pieces::<B>(grid, image, kernel, 1, paddings, LIMITS);
        return B::float_swap_dims(B::float_flip(reflected, &[2, 3]), 0, 1);
    }
    in_pieces::<B>(image, grid, kernel, stride, [padding; 2], LIMITS)
}

/// The sum of a map over all but its channels, `[channels]`: the gradient of a bias.
pub(super) fn channel_sums<B: Backend>(map: FloatTensor<B>) -> FloatTensor<B> {
    let [batch, channels, height, width] = map.shape().dims();
    let lines = B::float_reshape(
        B::float_permute(map, &[0, 2, 3, 1]),
        Shape::new([batch * height, width, channels]),
    );
    let [groups, lines_of_group] = groups(batch * height, width, LIMITS.sum);
    let groups_of_lines = B::float_reshape(lines, Shape::new([groups, lines_of_group * width, channels]));
    let sums = B::float_sum_dim(B::float_sum_dim(groups_of_lines, 1), 0);
    B::float_reshape(sums, Shape::new([channels]))
}

/// [`correlate`] in groups of images. The limit of the copies determines the size of a group.
fn in_pieces<B: Backend>(
    image: FloatTensor<B>,
    grid: FloatTensor<B>,
    kernel: [usize; 2],
    stride: usize,
    paddings: [usize; 2],
    limits: Limits,
) -> FloatTensor<B> {
    let [batch, inputs, _, _] = image.shape().dims();
    let [_, outputs, rows, columns] = grid.shape().dims();
    let of_image = (rows + (kernel[0] - 1) / stride) * columns * kernel[1] * inputs;
    let piece = (limits.copy / of_image.max(1)).clamp(1, batch.max(1));
    let part = |tensor: &FloatTensor<B>, start: usize| match piece {
        all if all == batch => tensor.clone(),
        _ => B::float_slice(tensor.clone(), &[range(start, (start + piece).min(batch))]),
    };
    let sum = (0..batch)
        .step_by(piece)
        .map(|start| {
            let (image, grid) = (part(&image, start), part(&grid, start));
            of_piece::<B>(image, grid, kernel, stride, paddings, limits)
        })
        .reduce(B::float_add);
    // `[kernel height, out, kernel width · in]`, the order of the products.
    let Some(sum) = sum else {
        let shape = Shape::new([outputs, inputs, kernel[0], kernel[1]]);
        return B::float_zeros(shape, &image.device(), image.dtype().into());
    };
    let sum = B::float_reshape(sum, Shape::new([kernel[0], outputs, kernel[1], inputs]));
    B::float_permute(sum, &[1, 3, 0, 2])
}

/// The products of a few images, `[kernel height, out, kernel width · in]`.
fn of_piece<B: Backend>(
    image: FloatTensor<B>,
    grid: FloatTensor<B>,
    kernel: [usize; 2],
    stride: usize,
    paddings: [usize; 2],
    limits: Limits,
) -> FloatTensor<B> {
    let [batch, outputs, rows, columns] = grid.shape().dims();
    let reach = (kernel[0] - 1) / stride;
    let height = stride * (rows + reach);
    let width = stride * (columns - 1) + kernel[1];
    let image = padded::<B>(image, [height, width], paddings);

    // Rows first: `[oh · batch, ow, out]`, then groups of `[lines · ow, out]`.
    let grid = B::float_reshape(
        B::float_permute(grid, &[2, 0, 3, 1]),
        Shape::new([rows * batch, columns, outputs]),
    );
    let [groups, lines] = groups(rows * batch, columns, limits.sum);
    let grid = B::float_reshape(grid, Shape::new([groups, lines * columns, outputs]));
    let grid = B::float_swap_dims(grid, 1, 2);

    let mut products: Vec<Option<FloatTensor<B>>> = vec![None; kernel[0]];
    for phase in 0..stride.min(kernel[0]) {
        let copies = side_by_side::<B>(image.clone(), phase, columns, kernel[1], stride);
        let [_, _, _, values] = copies.shape().dims();
        for (shift, row) in (phase..kernel[0]).step_by(stride).enumerate() {
            let met = B::float_slice(copies.clone(), &[range(shift, shift + rows)]);
            let met = B::float_reshape(met, Shape::new([groups, lines * columns, values]));
            let product = B::float_matmul(grid.clone(), met);
            products[row] = Some(match groups {
                1 => product,
                _ => B::float_sum_dim(product, 0),
            });
        }
    }
    let products: Vec<_> = products.into_iter().flatten().collect();
    assert_eq!(products.len(), kernel[0], "correlate: rows of the kernel");
    joined::<B>(products, 0)
}

/// The image with rows first, `[height, batch, width, in]`, padded with zeros. Pixels that do not fit are dropped.
fn padded<B: Backend>(
    image: FloatTensor<B>,
    [height, width]: [usize; 2],
    paddings: [usize; 2],
) -> FloatTensor<B> {
    let [batch, inputs, image_height, image_width] = image.shape().dims();
    let image = B::float_permute(image, &[2, 0, 3, 1]);
    let fits = [
        (image_height, height, paddings[0]),
        (image_width, width, paddings[1]),
    ]
    .map(|(size, room, padding)| size.min(room.saturating_sub(padding)));
    let image = match fits {
        all if all == [image_height, image_width] => image,
        [rows, columns] => {
            let whole = range(0, batch);
            B::float_slice(image, &[range(0, rows), whole, range(0, columns)])
        }
    };
    if fits == [height, width] {
        return image;
    }
    let shape = Shape::new([height, batch, width, inputs]);
    let zeros = B::float_zeros(shape, &image.device(), image.dtype().into());
    if fits.contains(&0) {
        return zeros;
    }
    let place = [
        range(paddings[0], paddings[0] + fits[0]),
        range(0, batch),
        range(paddings[1], paddings[1] + fits[1]),
        range(0, inputs),
    ];
    B::float_slice_assign(zeros, &place, image)
}

/// For every column of the kernel, the image's columns under it; only rows `phase, phase + stride, …`.
///
/// `[height, batch, width, in]` -> `[height / stride, batch, ow, kernel width · in]`
fn side_by_side<B: Backend>(
    image: FloatTensor<B>,
    phase: usize,
    columns: usize,
    kernel: usize,
    stride: usize,
) -> FloatTensor<B> {
    let [height, batch, _, _] = image.shape().dims();
    let step = stride.cast_signed();
    let rows = Slice::new(phase.cast_signed(), Some(height.cast_signed()), step);
    let copies = (0..kernel).map(|column| {
        let end = column + stride * (columns - 1) + 1;
        let met = Slice::new(column.cast_signed(), Some(end.cast_signed()), step);
        B::float_slice(image.clone(), &[rows, range(0, batch), met])
    });
    joined::<B>(copies.collect(), 3)
}

fn joined<B: Backend>(mut tensors: Vec<FloatTensor<B>>, axis: usize) -> FloatTensor<B> {
    match tensors.len() {
        1 => tensors.remove(0),
        _ => B::float_cat(tensors, axis),
    }
}

/// Divides `lines` of `width` elements into equal groups. Returns the number of groups and the lines in each. A group
/// has at most `longest` elements, or one line.
pub(super) fn groups(lines: usize, width: usize, longest: usize) -> [usize; 2] {
    let most = (longest / width.max(1)).clamp(1, lines.max(1));
    let of_group = (1..=most).rev().find(|of_group| lines.is_multiple_of(*of_group));
    let of_group = of_group.unwrap_or(1);
    [lines / of_group, of_group]
}

fn range(start: usize, end: usize) -> Slice {
    Slice::from(start..end)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::Tolerance;

    use super::super::fixture::{map, values};
    use super::*;

    #[test]
    fn pieces_and_groups_add_up_to_the_whole() {
        for (stride, padding, side) in [(1, 3, 8), (2, 1, 4), (3, 0, 2)] {
            let (image, grid) = (map([5, 3, 8, 8], 0.0), map([5, 4, side, side], 2.0));
            let kernel = [8 + 2 * padding - (side - 1) * stride; 2];
            let sums = [
                Limits { sum: 1, copy: 1 },
                Limits { sum: 16, copy: 3000 },
                Limits {
                    sum: 1 << 20,
                    copy: 1 << 30,
                },
            ]
            .map(|limits| {
                let sum =
                    in_pieces::<Flex>(image.clone(), grid.clone(), kernel, stride, [padding; 2], limits);
                values(sum)
            });
            for sum in &sums[..2] {
                sum.assert_approx_eq::<f64>(&sums[2], Tolerance::rel_abs(1e-12, 1e-12));
            }
        }
    }

    #[test]
    fn groups_are_equal_and_no_sum_is_too_long() {
        for (lines, width) in [(1, 1), (128 * 25, 128), (4 * 7, 4), (33 * 31, 65), (3, 10_000)] {
            let [groups, of_group] = groups(lines, width, 4096);
            assert_eq!(groups * of_group, lines);
            assert!(of_group == 1 || of_group * width <= 4096);
        }
        assert_eq!(groups(128 * 25, 128, 4096), [100, 32]);
    }
}
