//! What a device can do beyond tensor operations.

use burn::tensor::Device;

/// Whether Burn's all-reduce works on `device`: on CUDA, through NCCL. On other GPU backends of Burn 0.22 it panics.
pub fn has_all_reduce(device: &Device) -> bool {
    is_cuda(&device.clone().inner())
}

#[cfg(feature = "gpu")]
pub(crate) fn is_cuda(device: &Device) -> bool {
    use burn::backend::{DispatchDevice, RuntimeId};
    #[allow(irrefutable_let_patterns, reason = "in builds with one backend")]
    let DispatchDevice::Cube(device) = device.as_dispatch() else {
        return false;
    };
    device.runtime() == RuntimeId::Cuda
}

#[cfg(not(feature = "gpu"))]
pub(crate) fn is_cuda(_: &Device) -> bool {
    false
}
