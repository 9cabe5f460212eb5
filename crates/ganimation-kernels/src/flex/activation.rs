//! The leaky ReLU, one pass forward and one backward, in place where no other handle looks on.

use burn::{backend::flex::FlexTensor, tensor::DType};
use rayon::prelude::*;

use super::real::{Real, contiguous};

/// Elements that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// `x` where it is at least 0, `slope x` elsewhere.
pub(super) fn leak(x: FlexTensor, slope: f64) -> FlexTensor {
    match x.dtype() {
        DType::F64 => leak_elements::<f64>(x, slope),
        _ => leak_elements::<f32>(x, slope),
    }
}

/// `grad` where `output` is at least 0, `slope grad` elsewhere.
///
/// With a slope above 0 the output has the input's sign, and the next convolution keeps the output anyway.
pub(super) fn leak_backward(output: &FlexTensor, grad: FlexTensor, slope: f64) -> FlexTensor {
    match output.dtype() {
        DType::F64 => scale_negative::<f64>(output, grad, slope),
        _ => scale_negative::<f32>(output, grad, slope),
    }
}

fn leak_elements<E: Real>(x: FlexTensor, slope: f64) -> FlexTensor {
    let slope = E::nearest(slope);
    let mut x = contiguous(x);
    E::elements_mut(&mut x).par_chunks_mut(CHUNK).for_each(|chunk| {
        for value in chunk {
            let factor = if *value < E::default() { slope } else { E::ONE };
            *value = *value * factor;
        }
    });
    x
}

fn scale_negative<E: Real>(output: &FlexTensor, grad: FlexTensor, slope: f64) -> FlexTensor {
    let slope = E::nearest(slope);
    let output = output.to_contiguous();
    let mut grad = contiguous(grad);
    E::elements_mut(&mut grad)
        .par_chunks_mut(CHUNK)
        .zip(E::elements(&output).par_chunks(CHUNK))
        .for_each(|(grad, output)| {
            for (grad, output) in grad.iter_mut().zip(output) {
                let factor = if *output > E::default() { E::ONE } else { slope };
                *grad = *grad * factor;
            }
        });
    grad
}
