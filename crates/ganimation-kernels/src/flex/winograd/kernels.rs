//! Weights, transformed to points, and gradients of weights, transformed back.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    Branch,
    algorithm::{Algorithm, Three, Two, sandwich, transposed},
    element_stride,
};
use crate::flex::{
    product::WIDTH,
    simd::{load, store, vectorize},
    weights::Weights,
};

/// The kernel elements of a branch's source: `TAPS` x `TAPS` of a kernel's `[taps]`.
fn elements(branch: &Branch, source: usize, kernel_width: usize) -> Vec<usize> {
    let [rows, columns] = &branch.sources[source].taps;
    rows.iter()
        .flat_map(|row| columns.iter().map(move |column| row * kernel_width + column))
        .collect()
}

/// `G g G^T` of a branch's kernels, `[panels of outputs, points, inputs of all sources, WIDTH]`, points
/// [`element_stride`] apart.
pub(super) fn transform(weights: &Weights, branch: &Branch, kernel_width: usize, points: usize) -> Vec<f32> {
    let depth = branch.sources.len() * weights.inputs;
    let panel_length = points * element_stride(depth * WIDTH);
    let mut transformed = vec![0.0; weights.outputs.div_ceil(WIDTH) * panel_length];
    let taps: Vec<_> = (0..branch.sources.len())
        .map(|source| elements(branch, source, kernel_width))
        .collect();
    transformed
        .par_chunks_exact_mut(panel_length)
        .enumerate()
        .for_each(|(panel, panels)| {
            for (source, taps) in taps.iter().enumerate() {
                let kernels = Kernels {
                    weights,
                    taps,
                    first: panel * WIDTH,
                    row: source * weights.inputs,
                    depth,
                    panels: &mut *panels,
                };
                if points == 36 {
                    vectorize(ForThree(kernels));
                } else {
                    vectorize(ForTwo(kernels));
                }
            }
        });
    transformed
}

/// The kernels from all inputs to one panel of outputs.
struct Kernels<'a> {
    weights: &'a Weights<'a>,
    taps: &'a [usize],
    /// The panel's first output.
    first: usize,
    /// The panel's row for the first input.
    row: usize,
    depth: usize,
    /// `[points, depth, WIDTH]`, points [`element_stride`] apart.
    panels: &'a mut [f32],
}

struct ForThree<'a>(Kernels<'a>);
struct ForTwo<'a>(Kernels<'a>);

impl WithSimd for ForThree<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.0.run::<S, Three, 6, 3>(simd);
    }
}

impl WithSimd for ForTwo<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.0.run::<S, Two, 5, 2>(simd);
    }
}

impl Kernels<'_> {
    #[inline(always)]
    fn run<S: Simd, W: Algorithm<POINTS, TAPS>, const POINTS: usize, const TAPS: usize>(self, simd: S) {
        let outputs = WIDTH.min(self.weights.outputs - self.first);
        let plane = element_stride(self.depth * WIDTH);
        let mut kernels = [[[0.0_f32; WIDTH]; TAPS]; TAPS];
        for input in 0..self.weights.inputs {
            for output in 0..outputs {
                let kernel = self.weights.kernel(self.first + output, input);
                for (index, tap) in self.taps.iter().enumerate() {
                    kernels[index / TAPS][index % TAPS][output] = kernel[*tap];
                }
            }
            for lane in (0..WIDTH).step_by(S::F32_LANES) {
                let mut tile = [[simd.splat_f32s(0.0); TAPS]; TAPS];
                for row in 0..TAPS {
                    for column in 0..TAPS {
                        tile[row][column] = load(simd, &kernels[row][column], lane, WIDTH);
                    }
                }
                let tile = sandwich(simd, &W::KERNEL, &tile);
                for row in 0..POINTS {
                    for column in 0..POINTS {
                        let point = row * POINTS + column;
                        let start = point * plane + (self.row + input) * WIDTH;
                        store(simd, self.panels, start + lane, start + WIDTH, tile[row][column]);
                    }
                }
            }
        }
    }
}

/// Adds `G^T u G` of a branch to the gradient `[outputs, inputs, taps]` of the weights.
///
/// `points` is `[points, inputs of all sources, outputs]`, points [`element_stride`] apart.
pub(super) fn transform_back(
    points: &[f32],
    [outputs, inputs, taps]: [usize; 3],
    branch: &Branch,
    kernel_width: usize,
    gradient: &mut [f32],
) {
    let lists: Vec<_> = (0..branch.sources.len())
        .map(|source| elements(branch, source, kernel_width))
        .collect();
    let depth = branch.sources.len() * inputs;
    gradient
        .par_chunks_mut(LANES * inputs * taps)
        .enumerate()
        .for_each(|(block, gradient)| {
            for (source, list) in lists.iter().enumerate() {
                let back = Back {
                    points,
                    outputs,
                    inputs,
                    taps,
                    first: block * LANES,
                    row: source * inputs,
                    depth,
                    list,
                    gradient: &mut *gradient,
                };
                if list.len() == 9 {
                    vectorize(BackThree(back));
                } else {
                    vectorize(BackTwo(back));
                }
            }
        });
}

/// Outputs whose gradients a thread transforms at a time: a cache line of them.
const LANES: usize = 16;

struct Back<'a> {
    points: &'a [f32],
    outputs: usize,
    inputs: usize,
    taps: usize,
    first: usize,
    row: usize,
    depth: usize,
    list: &'a [usize],
    gradient: &'a mut [f32],
}

struct BackThree<'a>(Back<'a>);
struct BackTwo<'a>(Back<'a>);

impl WithSimd for BackThree<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.0.run::<S, Three, 6, 3>(simd);
    }
}

impl WithSimd for BackTwo<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.0.run::<S, Two, 5, 2>(simd);
    }
}

impl Back<'_> {
    #[inline(always)]
    fn run<S: Simd, W: Algorithm<POINTS, TAPS>, const POINTS: usize, const TAPS: usize>(self, simd: S) {
        let plane = element_stride(self.depth * self.outputs);
        let last = self.outputs.min(self.first + LANES);
        let mut kernels = [[[0.0_f32; LANES]; TAPS]; TAPS];
        for input in 0..self.inputs {
            let row = (self.row + input) * self.outputs;
            for output in (self.first..last).step_by(S::F32_LANES) {
                let mut tile = [[simd.splat_f32s(0.0); POINTS]; POINTS];
                for i in 0..POINTS {
                    for j in 0..POINTS {
                        let start = (i * POINTS + j) * plane + row;
                        tile[i][j] = load(simd, self.points, start + output, start + last);
                    }
                }
                let tile = sandwich(simd, const { &transposed(&W::KERNEL) }, &tile);
                for i in 0..TAPS {
                    for j in 0..TAPS {
                        store(simd, &mut kernels[i][j], output - self.first, LANES, tile[i][j]);
                    }
                }
            }
            for output in 0..last - self.first {
                let kernel = &mut self.gradient[(output * self.inputs + input) * self.taps..][..self.taps];
                for (index, tap) in self.list.iter().enumerate() {
                    kernel[*tap] = kernels[index / TAPS][index % TAPS][output];
                }
            }
        }
    }
}
