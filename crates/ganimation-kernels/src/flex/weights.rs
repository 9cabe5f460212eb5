//! Weights in PyTorch's order, read from either side, and their panels for products.

use rayon::prelude::*;

use super::product::{WIDTH, panels_length};

/// The elements `[filters, channels, taps]` of a weight, or those of its adjoint, where filters and channels are
/// exchanged.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    data: &'a [f32],
    pub(super) outputs: usize,
    pub(super) inputs: usize,
    /// Kernel elements.
    pub(super) taps: usize,
    output_stride: usize,
    input_stride: usize,
}

impl<'a> Weights<'a> {
    /// Weights in the order `[outputs, inputs, taps]`.
    pub(super) fn new(data: &'a [f32], [outputs, inputs, taps]: [usize; 3]) -> Self {
        assert_eq!(
            data.len(),
            outputs * inputs * taps,
            "{outputs} x {inputs} x {taps} weights"
        );
        Self {
            data,
            outputs,
            inputs,
            taps,
            output_stride: inputs * taps,
            input_stride: taps,
        }
    }

    /// The same weights with outputs and inputs exchanged; kernel elements keep their order.
    pub(super) fn exchanged(self) -> Self {
        Self {
            outputs: self.inputs,
            inputs: self.outputs,
            output_stride: self.input_stride,
            input_stride: self.output_stride,
            ..self
        }
    }

    /// The kernel from an input to an output, `[taps]`.
    pub(super) fn kernel(&self, output: usize, input: usize) -> &'a [f32] {
        &self.data[output * self.output_stride + input * self.input_stride..][..self.taps]
    }

    /// Panels `[outputs / WIDTH, taps of the list, inputs, WIDTH]` with the kernel elements `taps`.
    pub(super) fn panels(&self, taps: &[usize]) -> Vec<f32> {
        let depth = taps.len() * self.inputs;
        let mut panels = vec![0.0; panels_length(depth, self.outputs)];
        if depth == 0 {
            return panels;
        }
        panels
            .par_chunks_exact_mut(depth * WIDTH)
            .enumerate()
            .for_each(|(panel, target)| {
                let first = panel * WIDTH;
                let outputs = WIDTH.min(self.outputs - first);
                for input in 0..self.inputs {
                    for output in 0..outputs {
                        let kernel = self.kernel(first + output, input);
                        for (position, tap) in taps.iter().enumerate() {
                            target[(position * self.inputs + input) * WIDTH + output] = kernel[*tap];
                        }
                    }
                }
            });
        panels
    }
}
