//! The sizes of one convolution, for both its input and its output.

/// A convolution maps an image of `channels` to a grid of `filters`; its adjoint maps the grid to the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) channels: usize,
    /// Height and width of the image.
    pub(super) image: [usize; 2],
    pub(super) filters: usize,
    /// Rows and columns of the grid: the convolution's output.
    pub(super) grid: [usize; 2],
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) padding: [usize; 2],
}

impl Geometry {
    /// The sizes of a convolution of images with a weight `[filters, channels, kernel height, kernel width]`.
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
            stride: [stride; 2],
            padding: [padding; 2],
        }
    }

    /// The sizes of the convolution whose adjoint, with the same weight, maps grids to the smallest image.
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
            stride: [stride; 2],
            padding: [padding; 2],
        }
    }

    /// The convolution from the grid to the image that equals this one's adjoint, with the kernel rotated by 180
    /// degrees.
    ///
    /// Exists for stride 1 and a padding smaller than the kernel.
    pub(super) fn turned(&self) -> Option<Self> {
        let possible = self.stride == [1, 1] && (0..2).all(|axis| self.padding[axis] < self.kernel[axis]);
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

    /// Multiplications of the convolution, of its adjoint or of its weight gradient, for a batch.
    pub(super) fn cost(&self, batch: usize) -> usize {
        batch * self.grid[0] * self.grid[1] * self.filters * self.channels * self.window()
    }
}
