//! Adam in one pass over its four tensors. It works in place if there are no other handles.

use burn::backend::flex::FlexTensor;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    conv::nearest,
    simd::{load, store, vectorize},
};
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
    let grad = grad.to_contiguous();
    // This drops the arguments' handles, so that the results can be written in place.
    let [mut param, mut first, mut second] = [param, first, second].map(|tensor| tensor.to_contiguous());
    param
        .storage_mut::<f32>()
        .par_chunks_mut(CHUNK)
        .zip(grad.storage::<f32>().par_chunks(CHUNK))
        .zip(first.storage_mut::<f32>().par_chunks_mut(CHUNK))
        .zip(second.storage_mut::<f32>().par_chunks_mut(CHUNK))
        .for_each(|(((param, grad), first), second)| {
            vectorize(Descend {
                param,
                grad,
                first,
                second,
                step,
            });
        });
    (param, first, second)
}

struct Descend<'a> {
    param: &'a mut [f32],
    grad: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    step: AdamStep,
}

impl WithSimd for Descend<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let step = self.step;
        let beta_1 = simd.splat_f32s(nearest(step.beta_1));
        let beta_2 = simd.splat_f32s(nearest(step.beta_2));
        let rest_1 = simd.splat_f32s(nearest(1.0 - step.beta_1));
        let rest_2 = simd.splat_f32s(nearest(1.0 - step.beta_2));
        let size = simd.splat_f32s(nearest(-step.step_size()));
        let scale = simd.splat_f32s(nearest(step.deviation_scale()));
        let epsilon = simd.splat_f32s(nearest(step.epsilon));
        let end = self.param.len();
        for at in (0..end).step_by(S::F32_LANES) {
            let grad = load(simd, self.grad, at, end);
            let first = load(simd, self.first, at, end);
            let first = simd.mul_add_e_f32s(first, beta_1, simd.mul_f32s(grad, rest_1));
            let second = load(simd, self.second, at, end);
            let squared = simd.mul_f32s(simd.mul_f32s(grad, grad), rest_2);
            let second = simd.mul_add_e_f32s(second, beta_2, squared);
            let denominator = simd.mul_add_e_f32s(simd.sqrt_f32s(second), scale, epsilon);
            let moved = simd.div_f32s(simd.mul_f32s(first, size), denominator);
            let param = simd.add_f32s(load(simd, self.param, at, end), moved);
            store(simd, self.param, at, end, param);
            store(simd, self.first, at, end, first);
            store(simd, self.second, at, end, second);
        }
    }
}
