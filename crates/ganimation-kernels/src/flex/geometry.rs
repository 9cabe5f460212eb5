//! The sizes of one convolution, seen from both its ends.

/// A convolution takes an image of `channels` to a grid of `filters`; its adjoint takes the grid to the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) channels: usize,
    /// Height and width of the image.
    pub(super) image: [usize; 2],
    pub(super) filters: usize,
    /// Rows and columns of the grid: the convolution's output.
    pub(super) grid: [usize; 2],
    pub(super) kernel: [usize; 2],
    pub(super) stride: usize,
    pub(super) padding: [usize; 2],
}

impl Geometry {
    /// Of a convolution of images with a weight `[filters, channels, kernel height, kernel width]`.
    pub(super) fn of_image(image: [usize; 2], weight: [usize; 4], stride: usize, padding: usize) -> Self {
        let [filters, channels, height, width] = weight;
        let kernel = [height, width];
        let grid = [0, 1].map(|axis| (image[axis] + 2 * padding - kernel[axis]) / stride + 1);
        Self {
            channels,
            image,
            filters,
            grid,
            kernel,
            stride,
            padding: [padding; 2],
        }
    }

    /// Of the convolution whose adjoint takes grids, with the same weight, to the smallest image.
    pub(super) fn of_grid(grid: [usize; 2], weight: [usize; 4], stride: usize, padding: usize) -> Self {
        let [filters, channels, height, width] = weight;
        let kernel = [height, width];
        let image = [0, 1].map(|axis| (grid[axis] - 1) * stride + kernel[axis] - 2 * padding);
        Self {
            channels,
            image,
            filters,
            grid,
            kernel,
            stride,
            padding: [padding; 2],
        }
    }

    /// The convolution from the grid to the image that equals this one's adjoint, its kernel turned by 180 degrees.
    ///
    /// Exists for stride 1 and a padding smaller than the kernel.
    pub(super) fn turned(&self) -> Option<Self> {
        let possible = self.stride == 1 && (0..2).all(|axis| self.padding[axis] < self.kernel[axis]);
        possible.then(|| Self {
            channels: self.filters,
            image: self.grid,
            filters: self.channels,
            grid: self.image,
            padding: [0, 1].map(|axis| self.kernel[axis] - 1 - self.padding[axis]),
            ..*self
        })
    }

    /// Elements of a kernel.
    pub(super) fn window(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Elements of all channels under a kernel: the length of one unfolded column.
    pub(super) fn depth(&self) -> usize {
        self.channels * self.window()
    }

    /// Pixels of a channel of the image.
    pub(super) fn pixels(&self) -> usize {
        self.image[0] * self.image[1]
    }

    /// Positions of a filter in the grid.
    pub(super) fn positions(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    /// Weights of the convolution.
    pub(super) fn weights(&self) -> usize {
        self.filters * self.depth()
    }
}
