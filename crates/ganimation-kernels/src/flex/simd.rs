//! The vector instructions of the kernels, selected once when the first kernel runs.

use std::sync::OnceLock;

use pulp::{Simd, WithSimd};

/// The environment variable that limits the instructions: `avx512`, `avx2` or `portable`.
const VARIABLE: &str = "GANIMATION_SIMD";

/// A set of instructions supported by this processor.
#[derive(Debug, Clone, Copy)]
enum Level {
    #[cfg(all(target_arch = "x86_64", feature = "x86-v4"))]
    Avx512(pulp::x86::V4),
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    #[cfg(target_arch = "aarch64")]
    Neon(pulp::aarch64::Neon),
    /// Four lanes in plain Rust, which the compiler maps to registers on every target.
    Portable(pulp::Scalar128b),
}

impl Level {
    #[cfg(target_arch = "x86_64")]
    fn detect(limit: Option<&str>) -> Self {
        #[cfg(feature = "x86-v4")]
        if !matches!(limit, Some("avx2" | "portable"))
            && let Some(simd) = pulp::x86::V4::try_new()
        {
            return Self::Avx512(simd);
        }
        match pulp::x86::V3::try_new() {
            Some(simd) if limit != Some("portable") => Self::Avx2(simd),
            _ => Self::Portable(pulp::Scalar128b),
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn detect(limit: Option<&str>) -> Self {
        match pulp::aarch64::Neon::try_new() {
            Some(simd) if limit != Some("portable") => Self::Neon(simd),
            _ => Self::Portable(pulp::Scalar128b),
        }
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn detect(_: Option<&str>) -> Self {
        Self::Portable(pulp::Scalar128b)
    }
}

/// Runs `operation` with the widest available instructions.
pub(super) fn vectorize<Operation: WithSimd>(operation: Operation) -> Operation::Output {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    let level = LEVEL.get_or_init(|| Level::detect(std::env::var(VARIABLE).ok().as_deref()));
    match level {
        #[cfg(all(target_arch = "x86_64", feature = "x86-v4"))]
        Level::Avx512(simd) => Simd::vectorize(*simd, operation),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(simd) => Simd::vectorize(*simd, operation),
        #[cfg(target_arch = "aarch64")]
        Level::Neon(simd) => Simd::vectorize(*simd, operation),
        Level::Portable(simd) => Simd::vectorize(*simd, operation),
    }
}

/// The vector that begins at `values[at]`; lanes beyond `end` are zero.
#[inline(always)]
pub(super) fn load<S: Simd>(simd: S, values: &[f32], at: usize, end: usize) -> S::f32s {
    if at + S::F32_LANES <= end {
        S::as_simd_f32s(&values[at..at + S::F32_LANES]).0[0]
    } else {
        simd.partial_load_f32s(&values[at..end])
    }
}

/// Writes a vector to `values`, starting at index `at`, except lanes beyond `end`.
#[inline(always)]
pub(super) fn store<S: Simd>(simd: S, values: &mut [f32], at: usize, end: usize, vector: S::f32s) {
    if at + S::F32_LANES <= end {
        S::as_mut_simd_f32s(&mut values[at..at + S::F32_LANES]).0[0] = vector;
    } else {
        simd.partial_store_f32s(&mut values[at..end], vector);
    }
}
