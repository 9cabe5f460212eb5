//! The two number types of the kernels, their storage and their scratch memory.

use std::{
    cell::Cell,
    ops::{Add, AddAssign, Div, Mul, Sub},
};

use burn::{
    backend::{Element, flex::FlexTensor},
    tensor::TensorData,
};

/// `f32` or `f64`.
pub(super) trait Real:
    Element
    + Copy
    + Default
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + AddAssign
    + 'static
{
    const ONE: Self;

    /// The nearest value of this type.
    fn nearest(value: f64) -> Self;

    fn sqrt(self) -> Self;

    /// The elements of a contiguous tensor.
    fn elements(tensor: &FlexTensor) -> &[Self];

    /// The elements of a contiguous tensor, copied first if another handle shares them.
    fn elements_mut(tensor: &mut FlexTensor) -> &mut [Self];

    /// Lends `body` this thread's scratch memory.
    ///
    /// A second loan on the same thread, which happens when a thread steals work in the middle of its own, gets fresh
    /// memory.
    fn with_scratch<R>(body: impl FnOnce(&mut Scratch<Self>) -> R) -> R;
}

/// Buffers that live as long as their thread: at these sizes, fresh pages cost as much as the arithmetic on them.
#[derive(Debug, Default)]
pub(super) struct Scratch<E> {
    pub(super) phases: Vec<E>,
    pub(super) columns: Vec<E>,
    pub(super) pixels: Vec<E>,
}

macro_rules! real {
    ($($type:ty),+) => {$(
        impl Real for $type {
            const ONE: Self = 1.0;

            #[allow(clippy::cast_possible_truncation, reason = "rounding to f32 is the purpose")]
            #[allow(clippy::unnecessary_cast, reason = "f64 to f64 in one of the two types")]
            fn nearest(value: f64) -> Self {
                value as Self
            }

            fn sqrt(self) -> Self {
                self.sqrt()
            }

            fn elements(tensor: &FlexTensor) -> &[Self] {
                tensor.storage::<Self>()
            }

            fn elements_mut(tensor: &mut FlexTensor) -> &mut [Self] {
                tensor.storage_mut::<Self>()
            }

            fn with_scratch<R>(body: impl FnOnce(&mut Scratch<Self>) -> R) -> R {
                thread_local! {
                    static SCRATCH: Cell<Option<Scratch<$type>>> = const { Cell::new(None) };
                }
                let mut scratch = SCRATCH.take().unwrap_or_default();
                let result = body(&mut scratch);
                SCRATCH.set(Some(scratch));
                result
            }
        }
    )+};
}

real!(f32, f64);

/// The first `length` elements of `buffer`, which grows to hold them; their values are whatever was there.
pub(super) fn lend<E: Real>(buffer: &mut Vec<E>, length: usize) -> &mut [E] {
    if buffer.len() < length {
        buffer.resize(length, E::default());
    }
    &mut buffer[..length]
}

/// A tensor of `values` in row-major order.
pub(super) fn tensor<E: Real>(values: Vec<E>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
}

/// `tensor` in row-major order over its whole storage, without a second handle to it.
pub(super) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    // The argument's handle goes at the end, so that the result can be written in place.
    tensor.to_contiguous()
}

/// The sizes of a tensor of `D` axes.
pub(super) fn dims<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    let shape = tensor.layout().shape();
    assert_eq!(
        shape.num_dims(),
        D,
        "a tensor of {} axes in place of {D}",
        shape.num_dims()
    );
    std::array::from_fn(|axis| shape[axis])
}
