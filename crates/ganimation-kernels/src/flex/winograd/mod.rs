//! Convolutions in tiles of 4 x 4 outputs with fewer multiplications (Lavin & Gray, 2015).
//!
//! With `d` a tile of inputs, `g` a kernel and `A`, `B`, `G` the matrices of [`algorithm`], the outputs are
//! `A^T [(G g G^T) * (B^T d B)] A`, where `*` is the elementwise product. Summed over channels, the elementwise product
//! becomes one matrix product for each element of a tile. F(4x4, 3x3) needs 36 multiplications instead of 144, and
//! F(4x4, 2x2) needs 25 instead of 64.
//!
//! - A 3x3 convolution of stride 1 uses F(4x4, 3x3).
//! - A 4x4 convolution of stride 2 and padding 1 is a 2x2 convolution of stride 1 over the four phases of its input.
//!   A phase contains the pixels of equal parity. The adjoint is four 2x2 convolutions, one for each phase of its
//!   output.
//!
//! F(6x6, 3x3) saves a fifth more, but its weights no longer fit the caches and its rounding errors are ten times as
//! large. Transformed weights can be kept between calls; see [`super::prepared`].

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

/// A source of a branch's inputs.
#[derive(Debug, Clone)]
struct Source {
    lattice: Lattice,
    /// Number of rows and columns by which the first tile starts before the lattice's first pixel.
    lead: [usize; 2],
    /// The kernel's rows and columns that act on it.
    taps: [Vec<usize>; 2],
}

/// One tiled convolution. Its inputs are those of all sources, and its outputs are a lattice of the target.
#[derive(Debug, Clone)]
struct Branch {
    sources: Vec<Source>,
    target: Lattice,
}

/// A convolution as a set of tiled convolutions.
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
    /// The form of the convolution from image to grid, if it has one.
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
                    // Output y uses the even pixels y, y + 1 with rows 1, 3 and the odd pixels y - 1, y with rows 0, 2.
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

    /// The form of the adjoint, from grid to image, if it has one.
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
                            // Even outputs 2y use inputs y - 1, y with rows 3, 1; odd ones use y, y + 1 with rows 2, 0.
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

    /// Distance between neighbouring target pixels of a branch.
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
        // A product computes rows in groups of eight.
        let cost = points * inputs * outputs * (tiles.next_multiple_of(8) + TRANSFORMATION);
        inputs >= FEW && outputs >= FEW && cost < geometry.cost(batch)
    }
}

/// Number of tiles whose products take as long as the transformation of the weights.
const TRANSFORMATION: usize = 48;
/// With fewer channels, too many lanes of the vectors are unused.
const FEW: usize = 12;

/// Floats from the matrix of one element of a tile to that of the next, if each has `length`.
///
/// An odd number of cache lines. With a power of two, all elements of a tile would map to a few cache sets.
fn element_stride(length: usize) -> usize {
    const LINE: usize = 16;
    (length.div_ceil(LINE) | 1) * LINE
}

/// The four phases: even or odd, down and across.
fn phases() -> impl Iterator<Item = [usize; 2]> {
    (0..4).map(|index| [index / 2, index % 2])
}
