//! Steps in parts: each member of a team processes a part of the batch, and the gradients are averaged.
//!
//! Weights are sent to every member before a step. Gradients are sent back to the first device, and its optimiser
//! updates the weights. So there is one state and one checkpoint. If the losses are means over the batch, equal parts
//! give the same step as the whole batch, except for rounding. A team of one processes the whole batch.

use std::thread;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ganimation_kernels::{Cores, cores_of};
use ganimation_model::{AuTerm, CriticUpdates, SmoothnessTerm};

use crate::config::{Network, TrainConfig};
use crate::optimizer::Gradients;
use crate::{Error, Result};

impl TrainConfig {
    /// Checks that batches can be divided among `devices` devices.
    ///
    /// # Errors
    /// [`Error::Setting`] if the batch has no equal parts, or if a loss is not a mean over the batch (preset
    /// `released`).
    pub fn check_devices(&self, devices: usize) -> Result<()> {
        if devices < 2 {
            return Ok(());
        }
        let wrong = |name, found, expected| Error::Setting {
            name,
            found,
            expected,
        };
        let loss = &self.loss;
        let means = loss.critic_updates == CriticUpdates::Together
            && loss.au_term != AuTerm::MeanDividedByBatch
            && loss.smoothness_term != SmoothnessTerm::Sum;
        if self.network == Network::Paper && !means {
            let expected = "losses that are means over the batch, for several devices";
            return Err(wrong("loss", "that of the 2018 code".to_owned(), expected));
        }
        if !self.smallest_batch().is_multiple_of(devices) {
            let expected = match self.network {
                Network::Paper => "a multiple of the number of devices",
                Network::Motion => "a multiple of twice the number of devices",
            };
            return Err(wrong("batch_size", self.batch_size.to_string(), expected));
        }
        Ok(())
    }

    /// The number of parts in which `device` processes a batch: as many as it has cores, if the batch has equal parts.
    ///
    /// The paper's network has large layers that use all cores. Its batches are not divided.
    pub(crate) fn parts_on(&self, device: &Device) -> usize {
        let most = match self.network {
            Network::Paper => 1,
            Network::Motion => cores_of(device),
        };
        let smallest = self.smallest_batch();
        (1..=most.max(1))
            .rev()
            .find(|parts| smallest.is_multiple_of(*parts))
            .unwrap_or(1)
    }

    /// Smallest number of faces that a step processes at once: the motion network's pairs are half a batch.
    fn smallest_batch(&self) -> usize {
        match self.network {
            Network::Paper => self.batch_size,
            Network::Motion => self.batch_size / 2,
        }
    }
}

/// What processes the parts of a batch: devices, or shares of the processor's cores.
#[derive(Debug)]
pub(crate) struct Team(Vec<Member>);

#[derive(Debug)]
struct Member {
    device: Device,
    /// Of a device that processes several parts.
    cores: Option<Cores>,
}

impl Team {
    /// One member for each of `devices`. The first one is the device of the weights. Members with the same device share
    /// its cores equally.
    ///
    /// # Panics
    /// If there are no devices.
    pub(crate) fn new(devices: &[Device]) -> Self {
        assert!(!devices.is_empty(), "a team of 0 devices");
        let member = |device: &Device| {
            let device = device.clone().inner();
            let parts = devices.iter().filter(|other| (*other).clone().inner() == device);
            let parts = parts.count();
            let cores = (parts > 1).then(|| Cores::new(cores_of(&device) / parts));
            Member { device, cores }
        };
        Self(devices.iter().map(member).collect())
    }

    /// `device` alone, divided into [`TrainConfig::parts_on`] members.
    pub(crate) fn of_one(device: &Device, config: &TrainConfig) -> Self {
        Self::new(&vec![device.clone(); config.parts_on(device)])
    }

    /// The member's devices, without autodiff.
    pub(crate) fn devices(&self) -> impl ExactSizeIterator<Item = &Device> {
        self.0.iter().map(|member| &member.device)
    }

    /// The device of the weights.
    fn home(&self) -> &Device {
        &self.0[0].device
    }

    /// Calls `work` with each part and its member's device, all at once. The results are in the order of the parts.
    ///
    /// # Panics
    /// If `work` panics, or the numbers of parts and members differ.
    pub(crate) fn run<P: Send, T: Send>(
        &self,
        parts: Vec<P>,
        work: impl Fn(P, &Device) -> T + Sync,
    ) -> Vec<T> {
        assert_eq!(parts.len(), self.0.len(), "parts and members");
        let work = &work;
        let each = |part, member: &Member| match &member.cores {
            Some(cores) => cores.run(|| work(part, &member.device)),
            None => work(part, &member.device),
        };
        let mut jobs = parts.into_iter().zip(&self.0);
        if jobs.len() == 1 {
            return jobs.map(|(part, member)| each(part, member)).collect();
        }
        thread::scope(|scope| {
            let threads: Vec<_> = (jobs.by_ref())
                .map(|(part, member)| scope.spawn(move || each(part, member)))
                .collect();
            let join = |thread: thread::ScopedJoinHandle<'_, _>| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            threads.into_iter().map(join).collect()
        })
    }

    /// Means of the parts' gradients, on the device of the weights.
    pub(crate) fn mean_gradients(&self, parts: Vec<Gradients>) -> Gradients {
        let mut means: Gradients = Gradients::new();
        for part in parts {
            for (name, gradient) in part {
                let gradient = self.share_of(gradient);
                let sum = match means.remove(&name) {
                    Some(sum) => sum + gradient,
                    None => gradient,
                };
                means.insert(name, sum);
            }
        }
        means
    }

    /// Means of the parts' measurements, on the device of the weights.
    ///
    /// # Panics
    /// If there are no parts.
    pub(crate) fn mean<M: Measurements>(&self, parts: Vec<M>) -> M {
        let mut parts = parts.into_iter();
        let Some(mut sum) = parts.next() else {
            panic!("a team has a member")
        };
        for value in sum.values() {
            *value = self.share_of(value.clone());
        }
        for mut part in parts {
            for (sum, value) in sum.values().into_iter().zip(part.values()) {
                *sum = sum.clone() + self.share_of(value.clone());
            }
        }
        sum
    }

    #[expect(clippy::cast_precision_loss, reason = "a handful of members")]
    fn share_of(&self, value: Tensor<1>) -> Tensor<1> {
        match self.0.len() {
            1 => value,
            members => value.to_device(self.home()) / members as f64,
        }
    }
}

/// The measurements of a step, each of them a mean over the batch.
pub(crate) trait Measurements {
    /// All of them, `[1]`. Those of equal parts of a batch are equally many.
    fn values(&mut self) -> Vec<&mut Tensor<1>>;
}

/// A copy of `network` with its own gradients, on `device`.
pub(crate) fn replica<M: Module>(network: &M, device: &Device) -> M {
    network.clone().fork(&device.clone().autodiff())
}

/// Equal parts of a tensor, each on its member's device.
pub(crate) fn split<const D: usize>(tensor: &Tensor<D>, devices: &[Device]) -> Vec<Tensor<D>> {
    let batch = tensor.dims()[0];
    let size = batch / devices.len();
    assert_eq!(size * devices.len(), batch, "equal parts of a batch");
    let part = |(at, device): (usize, &Device)| match devices.len() {
        1 => tensor.clone(),
        _ => tensor.clone().narrow(0, at * size, size).to_device(device),
    };
    devices.iter().enumerate().map(part).collect()
}
