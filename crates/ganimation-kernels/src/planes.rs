//! A convolution of images with additional constant planes.

use burn::tensor::Tensor;

use crate::conv::conv2d;

/// [`conv2d`] of `cat(x, planes over all pixels)`, with stride 1 and the padding that keeps the size of the image.
///
/// A constant plane contributes the same value to all pixels, except near the border, where a part of the kernel is
/// outside the image. So the planes are convolved as images of the kernel's size, which contain every position relative
/// to the borders once. The result is added to that of the image. This is exact, and the planes need almost no time.
///
/// # Shapes
/// - `x`: `[batch, channels, height, width]`
/// - `planes`: `[batch, planes]`
/// - `weight`: `[out, channels + planes, kernel, kernel]`, `kernel` odd
/// - result: `[batch, out, height, width]`
///
/// # Panics
/// If the sizes do not fit, or the kernel is even or not square.
pub fn conv2d_with_planes(x: Tensor<4>, planes: Tensor<2>, weight: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let [rows, count] = planes.dims();
    let [_, inputs, kernel, kernel_width] = weight.dims();
    assert_eq!(rows, batch, "conv2d: {rows} rows of planes for {batch} images");
    assert_eq!(
        inputs,
        channels + count,
        "conv2d: {channels} channels and {count} planes for a weight of {inputs}"
    );
    assert!(
        kernel == kernel_width && kernel % 2 == 1,
        "conv2d: a kernel of {kernel} x {kernel_width} is not odd and square"
    );
    let padding = kernel / 2;
    let planes = planes.reshape([batch, count, 1, 1]);
    if height < kernel || width < kernel {
        let planes = planes.expand([batch, count, height, width]);
        return conv2d(Tensor::cat(vec![x, planes], 1), weight, None, 1, padding);
    }
    let small = planes.expand([batch, count, kernel, kernel]);
    let of_planes = conv2d(small, weight.clone().narrow(1, channels, count), None, 1, padding);
    let of_image = conv2d(x, weight.narrow(1, 0, channels), None, 1, padding);
    #[cfg(feature = "flex")]
    if crate::flex::runs(&of_image) {
        return crate::flex::add_by_border(of_image, of_planes);
    }
    // Channels last, like the inputs and outputs of convolutions on GPUs.
    let [of_image, of_planes] = [of_image, of_planes].map(|x| x.permute([0, 2, 3, 1]));
    let of_planes = stretched(stretched(of_planes, 2, width), 1, height);
    (of_image + of_planes).permute([0, 3, 1, 2])
}

/// Repeats the middle of an axis, up to `size`.
fn stretched(x: Tensor<4>, axis: usize, size: usize) -> Tensor<4> {
    let mut shape = x.dims();
    let border = shape[axis] / 2;
    shape[axis] = size - 2 * border;
    let middle = x.clone().narrow(axis, border, 1).expand(shape);
    if border == 0 {
        return middle;
    }
    let [first, last] = [0, border + 1].map(|start| x.clone().narrow(axis, start, border));
    Tensor::cat(vec![first, middle, last], axis)
}
