//! The leaky ReLU and its slope, in any layout. They work in place if there is no other handle.

use burn::backend::flex::FlexTensor;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    conv::nearest,
    finish::leak,
    simd::{load, store, vectorize},
};

/// Elements that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// `x` where it is above 0, `slope x` elsewhere.
pub(super) fn forward(x: FlexTensor, slope: f64) -> FlexTensor {
    let mut x = dense(x);
    x.storage_mut::<f32>()
        .par_chunks_mut(CHUNK)
        .for_each(|values| scale(None, values, slope));
    x
}

/// `value` where `sign` is above 0, `slope value` elsewhere.
///
/// `sign` can be the output of the leaky ReLU: with a slope above 0, it has the sign of the input, and the next
/// convolution stores it anyway.
pub(super) fn scale_by_slope(sign: &FlexTensor, value: FlexTensor, slope: f64) -> FlexTensor {
    let same = value.layout().strides() == sign.layout().strides();
    let (sign, value) = if same {
        (dense(sign.clone()), dense(value))
    } else {
        use super::image::Images;
        let four = value.layout().num_dims() == 4;
        if four {
            (Images::new(sign).into_tensor(), Images::new(&value).into_tensor())
        } else {
            (sign.to_contiguous(), value.to_contiguous())
        }
    };
    let mut value = value;
    value
        .storage_mut::<f32>()
        .par_chunks_mut(CHUNK)
        .zip(sign.storage::<f32>().par_chunks(CHUNK))
        .for_each(|(values, sign)| scale(Some(sign), values, slope));
    value
}

/// The tensor itself if its storage contains each element once, in any order. Otherwise a copy in row-major order.
fn dense(tensor: FlexTensor) -> FlexTensor {
    let layout = tensor.layout();
    let mut axes: Vec<(isize, usize)> = (0..layout.num_dims())
        .filter(|axis| layout.shape()[*axis] > 1)
        .map(|axis| (layout.strides()[axis], layout.shape()[axis]))
        .collect();
    axes.sort_unstable();
    let mut expected = 1;
    let packed = axes.into_iter().all(|(stride, size)| {
        let fits = usize::try_from(stride) == Ok(expected);
        expected *= size;
        fits
    });
    let whole = tensor.storage::<f32>().len() == layout.num_elements() && layout.start_offset() == 0;
    if packed && whole {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

fn scale(sign: Option<&[f32]>, values: &mut [f32], slope: f64) {
    vectorize(Scale {
        sign,
        values,
        slope: nearest(slope),
    });
}

struct Scale<'a> {
    sign: Option<&'a [f32]>,
    values: &'a mut [f32],
    slope: f32,
}

impl WithSimd for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let slope = simd.splat_f32s(self.slope);
        let end = self.values.len();
        for at in (0..end).step_by(S::F32_LANES) {
            let value = load(simd, self.values, at, end);
            let sign = match self.sign {
                Some(sign) => load(simd, sign, at, end),
                None => value,
            };
            store(simd, self.values, at, end, leak(simd, sign, value, slope));
        }
    }
}
