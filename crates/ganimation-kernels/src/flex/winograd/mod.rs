//! Convolutions in tiles of 4 x 4 outputs with fewer multiplications (Lavin & Gray, 2015).
//!
//! With `d` a tile of inputs, `g` a kernel and `A`, `B`, `G` the matrices of [`algorithm`], the outputs are
//! `A^T [(G g G^T) * (B^T d B)] A`, where `*` goes element by element; summed over channels it becomes one matrix
//! product for each element. F(4x4, 3x3) takes 36 multiplications for 144, F(4x4, 2x2) 25 for 64.
//!
//! - A 3x3 convolution of stride 1 uses the first.
//! - A 4x4 convolution of stride 2 and padding 1 is a 2x2 convolution of stride 1 over the four phases of its input,
//!   a phase being the pixels of equal parity; its adjoint is four 2x2 convolutions, one for each phase of its output.
//!
//! F(6x6, 3x3) saves a fifth more, but its weights no longer fit the caches and its rounding errors are ten times as
//! large. Transformed weights may be kept between calls, see [`super::prepared`].

#![allow(
    clippy::needless_range_loop,
    reason = "closures and iterators over arrays of vectors are not compiled for the wide instructions"
)]

mod algorithm;
mod forward;
mod gradient;
mod kernels;
mod tiles;

use super::geometry::Geometry;

pub(super) use forward::{Prepared, convolve, prepare};
pub(super) use gradient::correlate;

/// Rows and columns of outputs in a tile.
const TILE: usize = 4;

/// Pixels `offset + step * i` of an image.
#[derive(Debug, Clone, Copy)]
struct Lattice {
    offset: [usize; 2],
    step: usize,
}

/// The source of a branch's inputs.
#[derive(Debug, Clone)]
struct Source {
    lattice: Lattice,
    /// Rows and columns of the lattice's pixels before the first that the first tile begins with.
    lead: [usize; 2],
    /// The kernel's rows and columns that act on it.
    taps: [Vec<usize>; 2],
}

/// One tiled convolution: the inputs of its sources side by side, the outputs a lattice of the target.
#[derive(Debug, Clone)]
struct Branch {
    sources: Vec<Source>,
    target: Lattice,
}

/// A convolution as tiled ones.
#[derive(Debug, Clone)]
pub(super) struct Form {
    /// Kernel elements along an axis of each branch: 3 or 2.
    taps: usize,
    kernel_width: usize,
    branches: Vec<Branch>,
    /// Height and width of the target.
    target: [usize; 2],
}

impl Form {
    /// Of the convolution from image to grid, if there is one.
    pub(super) fn of_convolution(geometry: &Geometry) -> Option<Self> {
        let whole = Lattice {
            offset: [0; 2],
            step: 1,
        };
        let sources = match (geometry.kernel, geometry.stride, geometry.padding) {
            ([3, 3], [1, 1], lead @ ([0, 0] | [1, 1] | [2, 2])) => vec![Source {
                lattice: whole,
                lead,
                taps: [vec![0, 1, 2], vec![0, 1, 2]],
            }],
            ([4, 4], [2, 2], [1, 1]) => phases()
                .map(|offset| Source {
                    lattice: Lattice { offset, step: 2 },
                    // Output y sees even pixels y, y + 1 through rows 1, 3 and odd ones y - 1, y through rows 0, 2.
                    lead: offset,
                    taps: offset.map(|odd| if odd == 1 { vec![0, 2] } else { vec![1, 3] }),
                })
                .collect(),
            _ => return None,
        };
        Some(Self {
            taps: sources[0].taps[0].len(),
            kernel_width: geometry.kernel[1],
            branches: vec![Branch {
                sources,
                target: whole,
            }],
            target: geometry.grid,
        })
    }

    /// Of its adjoint, from grid to image, if there is one.
    pub(super) fn of_adjoint(geometry: &Geometry) -> Option<Self> {
        let whole = Lattice {
            offset: [0; 2],
            step: 1,
        };
        match (geometry.kernel, geometry.stride, geometry.padding) {
            ([3, 3], [1, 1], [0, 0] | [1, 1] | [2, 2]) => Some(Self {
                taps: 3,
                kernel_width: 3,
                branches: vec![Branch {
                    sources: vec![Source {
                        lattice: whole,
                        lead: geometry.padding.map(|padding| 2 - padding),
                        taps: [vec![2, 1, 0], vec![2, 1, 0]],
                    }],
                    target: whole,
                }],
                target: geometry.image,
            }),
            ([4, 4], [2, 2], [1, 1]) => Some(Self {
                taps: 2,
                kernel_width: 4,
                branches: phases()
                    .map(|offset| Branch {
                        sources: vec![Source {
                            lattice: whole,
                            // Even outputs 2y see inputs y - 1, y through rows 3, 1; odd ones y, y + 1 through 2, 0.
                            lead: offset.map(|odd| 1 - odd),
                            taps: offset.map(|odd| if odd == 1 { vec![2, 0] } else { vec![3, 1] }),
                        }],
                        target: Lattice { offset, step: 2 },
                    })
                    .collect(),
                target: geometry.image,
            }),
            _ => None,
        }
    }

    /// Target pixels between those of a branch.
    fn step(&self) -> usize {
        self.branches[0].target.step
    }

    /// Tiles down and across an image.
    fn tiles(&self) -> [usize; 2] {
        self.target.map(|size| size.div_ceil(self.step() * TILE))
    }

    /// Whether it is faster than a product over gathered windows.
    pub(super) fn pays(&self, geometry: &Geometry, [outputs, inputs]: [usize; 2], batch: usize) -> bool {
        let points = self.points() * self.branches.len() * self.branches[0].sources.len();
        let tiles = batch * self.tiles()[0] * self.tiles()[1];
        // Rows of a product come in eights.
        let cost = points * inputs * outputs * (tiles.next_multiple_of(8) + TRANSFORMATION);
        inputs >= FEW && outputs >= FEW && cost < geometry.cost(batch)
    }
}

/// Tiles whose products take as long as the transformation of the weights.
const TRANSFORMATION: usize = 48;
/// Channels below which vectors are too empty.
const FEW: usize = 12;

/// Floats from the matrix of one element of a tile to that of the next, if each has `length`.
///
/// An odd number of cache lines: with a power of two all elements of a tile would fall on a few sets of the caches.
fn element_stride(length: usize) -> usize {
    const LINE: usize = 16;
    (length.div_ceil(LINE) | 1) * LINE
}

/// Even or odd, down and across.
fn phases() -> impl Iterator<Item = [usize; 2]> {
    (0..4).map(|index| [index / 2, index % 2])
}
