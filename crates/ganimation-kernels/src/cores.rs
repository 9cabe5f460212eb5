//! Groups of the processor's cores.

use burn::tensor::Device;

/// A group of the processor's cores.
///
/// Operations of Burn's Flex backend use all cores, but only large ones gain from it, and between two operations all
/// cores but one wait. If work has independent parts, it is faster to compute each part on its own cores.
#[derive(Debug)]
pub struct Cores {
    #[cfg(feature = "flex")]
    pool: Option<rayon::ThreadPool>,
}

impl Cores {
    /// A group of `threads` cores; 0 counts as 1. If the system does not provide the threads, the group is the whole
    /// processor.
    #[cfg_attr(not(feature = "flex"), expect(unused_variables, reason = "no CPU kernels"))]
    pub fn new(threads: usize) -> Self {
        Self {
            #[cfg(feature = "flex")]
            pool: rayon::ThreadPoolBuilder::new()
                .num_threads(threads.max(1))
                .build()
                .ok(),
        }
    }

    /// Calls `work`. Its Flex operations use these cores only.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        #[cfg(feature = "flex")]
        if let Some(pool) = &self.pool {
            return pool.install(work);
        }
        work()
    }
}

/// Number of cores that operations on `device` use; 1 unless it is Burn's Flex backend.
pub fn cores_of(device: &Device) -> usize {
    #[cfg(feature = "flex")]
    if device.clone().inner() == Device::flex() {
        return rayon::current_num_threads();
    }
    let _ = device;
    1
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn work_sees_its_cores_alone() {
        let threads = |cores: &Cores| cores.run(rayon::current_num_threads);
        assert_eq!(threads(&Cores::new(1)), 1);
        assert_eq!(threads(&Cores::new(3)), 3);
        assert_eq!(threads(&Cores::new(0)), 1);
    }

    #[test]
    fn the_flex_device_uses_the_cores_with_and_without_autodiff() {
        let inside = Cores::new(3).run(|| cores_of(&Device::flex()));
        assert_eq!(inside, 3);
        let inside = Cores::new(2).run(|| cores_of(&Device::flex().autodiff()));
        assert_eq!(inside, 2);
    }
}
