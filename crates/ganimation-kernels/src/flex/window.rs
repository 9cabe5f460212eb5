//! The part of the source under the kernel at each position, for convolutions and their adjoints.
//!
//! A transposed convolution of stride `s` is `s * s` convolutions of stride 1 of the same source, one for every
//! remainder of the target's coordinates by `s`, each with the kernel elements that reach it. So both are windows
//! that move over the source.

use super::{geometry::Geometry, image::Images};

/// Positions of the target whose windows use the same kernel elements.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// The target's pixel at position 0.
    pub(super) target: [usize; 2],
    /// Target pixels between positions.
    pub(super) step: [usize; 2],
    /// Positions down and across.
    pub(super) count: [usize; 2],
    /// The first source pixel of the window at position 0.
    start: [isize; 2],
    /// Source pixels between positions.
    stride: [usize; 2],
    /// The kernel's rows and columns, in the order of the window.
    taps: [Vec<usize>; 2],
    kernel_width: usize,
}

impl Window {
    /// The window of a convolution, from image to grid.
    pub(super) fn of_convolution(geometry: &Geometry) -> Self {
        Self {
            target: [0; 2],
            step: [1; 2],
            count: geometry.grid,
            start: geometry.padding.map(|padding| -signed(padding)),
            stride: geometry.stride,
            taps: geometry.kernel.map(|kernel| (0..kernel).collect()),
            kernel_width: geometry.kernel[1],
        }
    }

    /// The windows of the adjoint, from grid to image.
    pub(super) fn of_adjoint(geometry: &Geometry) -> Vec<Self> {
        let stride = geometry.stride;
        let remainders = (0..stride[0] * stride[1]).map(|index| [index / stride[1], index % stride[1]]);
        remainders
            .filter(|target| (0..2).all(|axis| target[axis] < geometry.image[axis]))
            .map(|target| {
                let reach = |axis: usize| target[axis] + geometry.padding[axis];
                let taps: [Vec<usize>; 2] = [0, 1].map(|axis| {
                    let taps = (0..geometry.kernel[axis]).rev();
                    taps.filter(|tap| tap % stride[axis] == reach(axis) % stride[axis])
                        .collect()
                });
                let start = [0, 1].map(|axis| {
                    let first = taps[axis].first().copied().unwrap_or_default();
                    (signed(reach(axis)) - signed(first)).div_euclid(signed(stride[axis]))
                });
                Self {
                    target,
                    step: stride,
                    count: [0, 1].map(|axis| (geometry.image[axis] - target[axis]).div_ceil(stride[axis])),
                    start,
                    stride: [1; 2],
                    taps,
                    kernel_width: geometry.kernel[1],
                }
            })
            .collect()
    }

    /// Kernel elements in the order of the window.
    pub(super) fn taps(&self) -> Vec<usize> {
        let rows = self.taps[0].iter();
        rows.flat_map(|row| {
            self.taps[1]
                .iter()
                .map(move |column| row * self.kernel_width + column)
        })
        .collect()
    }

    /// Pixels of the window.
    pub(super) fn size(&self) -> usize {
        self.taps[0].len() * self.taps[1].len()
    }

    /// Writes the pixels of an image in the window at a position: `[window, channels]`, zeros beyond the border.
    pub(super) fn gather(&self, source: &Images, image: usize, [row, column]: [usize; 2], seen: &mut [f32]) {
        let Images {
            channels,
            height,
            width,
            ..
        } = *source;
        let across = self.taps[1].len();
        if across == 0 {
            return; // the stride is larger than the kernel
        }
        let left = self.start[1] + signed(column * self.stride[1]);
        // The part of the window's columns that lies in the image.
        let first = usize::try_from(-left).unwrap_or(0).min(across);
        let end = usize::try_from(signed(width) - left)
            .unwrap_or(0)
            .clamp(first, across);
        let values = &source.values()[image * height * width * channels..][..height * width * channels];
        for (index, seen) in seen.chunks_exact_mut(across * channels).enumerate() {
            let y = usize::try_from(self.start[0] + signed(row * self.stride[0] + index));
            match y {
                Ok(y) if y < height && first < end => {
                    let x = usize::try_from(left + signed(first)).unwrap_or(0);
                    let run = &values[(y * width + x) * channels..][..(end - first) * channels];
                    seen[..first * channels].fill(0.0);
                    seen[first * channels..end * channels].copy_from_slice(run);
                    seen[end * channels..].fill(0.0);
                }
                _ => seen.fill(0.0),
            }
        }
    }
}

/// The sizes of images are far below `isize::MAX`.
pub(super) fn signed(value: usize) -> isize {
    value as isize
}
