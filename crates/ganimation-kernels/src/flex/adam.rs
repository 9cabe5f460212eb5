//! Adam in one pass over its four tensors, in place where no other handle looks on.

use burn::{backend::flex::FlexTensor, tensor::DType};
use rayon::prelude::*;

use super::real::{Real, contiguous};
use crate::adam::AdamStep;

/// Elements that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// Returns the parameter and its moments after the step.
pub(super) fn descend(
    param: FlexTensor,
    grad: &FlexTensor,
    first: FlexTensor,
    second: FlexTensor,
    step: AdamStep,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    match param.dtype() {
        DType::F64 => descend_elements::<f64>(param, grad, first, second, step),
        _ => descend_elements::<f32>(param, grad, first, second, step),
    }
}

fn descend_elements<E: Real>(
    param: FlexTensor,
    grad: &FlexTensor,
    first: FlexTensor,
    second: FlexTensor,
    step: AdamStep,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    let grad = grad.to_contiguous();
    let [mut param, mut first, mut second] = [param, first, second].map(contiguous);
    let [beta_1, beta_2] = [step.beta_1, step.beta_2].map(E::nearest);
    let [rest_1, rest_2] = [1.0 - step.beta_1, 1.0 - step.beta_2].map(E::nearest);
    let [size, scale, epsilon] = [step.step_size(), step.deviation_scale(), step.epsilon].map(E::nearest);
    E::elements_mut(&mut param)
        .par_chunks_mut(CHUNK)
        .zip(E::elements(&grad).par_chunks(CHUNK))
        .zip(E::elements_mut(&mut first).par_chunks_mut(CHUNK))
        .zip(E::elements_mut(&mut second).par_chunks_mut(CHUNK))
        .for_each(|(((param, grad), first), second)| {
            let moments = first.iter_mut().zip(second);
            for ((param, grad), (first, second)) in param.iter_mut().zip(grad).zip(moments) {
                *first = *first * beta_1 + *grad * rest_1;
                *second = *second * beta_2 + *grad * *grad * rest_2;
                *param = *param - *first * size / (second.sqrt() * scale + epsilon);
            }
        });
    (param, first, second)
}
