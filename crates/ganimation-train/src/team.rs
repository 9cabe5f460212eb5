//! Steps in parts: each member of a team processes a part of the batch, and the gradients are averaged.
//!
//! Members are devices, or shares of the processor's cores. Every device has a replica: both networks and their optimisers,
//! which live on between steps. All replicas take the same Adam step with the mean gradient, so they stay equal, and the
//! first one is the trainer's state. If the losses are means over the batch, equal parts give the same step as the whole
//! batch, except for rounding. A team of one processes the whole batch: there is no other path.
//!
//! On CUDA, the mean is Burn's all-reduce (NCCL) of one flat gradient a network. Devices without it send their gradients to
//! the first device and receive the mean.

use std::thread;

use burn::module::Module;
use burn::tensor::distributed::{ReduceOperation, all_reduce};
use burn::tensor::{Device, Tensor};
use ganimation_kernels::{Cores, cores_of, has_all_reduce};
use ganimation_model::{AuTerm, DiscriminatorUpdates, Generator, TotalVariationTerm};

use crate::config::{AdamConfig, Network, TrainConfig};
use crate::optimizer::{Adam, Gradients};
use crate::trainer::Trainer;
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
        let means = loss.discriminator_updates == DiscriminatorUpdates::Joint
            && loss.au_term != AuTerm::MeanDividedByBatch
            && loss.total_variation_term != TotalVariationTerm::Sum;
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
pub(crate) struct Team {
    /// Each once, that of the weights first; without autodiff.
    devices: Vec<Device>,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    /// Its place in the list.
    device: usize,
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
        let mut once: Vec<Device> = Vec::new();
        let places: Vec<usize> = (devices.iter())
            .map(|device| {
                let device = device.clone().inner();
                let known = once.iter().position(|other| *other == device);
                known.unwrap_or_else(|| {
                    once.push(device);
                    once.len() - 1
                })
            })
            .collect();
        let member = |&device: &usize| {
            let parts = places.iter().filter(|place| **place == device).count();
            let cores = (parts > 1).then(|| Cores::new(cores_of(&once[device]) / parts));
            Member { device, cores }
        };
        Self {
            members: places.iter().map(member).collect(),
            devices: once,
        }
    }

    /// `device` alone, divided into [`TrainConfig::parts_on`] members.
    pub(crate) fn of_one(device: &Device, config: &TrainConfig) -> Self {
        Self::new(&vec![device.clone(); config.parts_on(device)])
    }

    /// The members' devices, without autodiff.
    pub(crate) fn devices(&self) -> Vec<Device> {
        let device = |member: &Member| self.devices[member.device].clone();
        self.members.iter().map(device).collect()
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
        assert_eq!(parts.len(), self.members.len(), "parts and members");
        let work = &work;
        let each = |part, member: &Member| match &member.cores {
            Some(cores) => cores.run(|| work(part, &self.devices[member.device])),
            None => work(part, &self.devices[member.device]),
        };
        let jobs = parts.into_iter().zip(&self.members);
        if jobs.len() == 1 {
            return jobs.map(|(part, member)| each(part, member)).collect();
        }
        thread::scope(|scope| {
            let threads: Vec<_> = jobs
                .map(|(part, member)| scope.spawn(move || each(part, member)))
                .collect();
            threads.into_iter().map(joined).collect()
        })
    }

    /// Means of the parts' gradients, on each device of the team.
    ///
    /// # Panics
    /// If devices have gradients for different parameters.
    pub(crate) fn mean_gradients(&self, parts: Vec<Gradients>) -> Vec<Gradients> {
        let mut means = vec![Gradients::new(); self.devices.len()];
        for (part, member) in parts.into_iter().zip(&self.members) {
            let mean = &mut means[member.device];
            for (name, gradient) in part {
                let gradient = self.share_of(gradient);
                let sum = match mean.remove(&name) {
                    Some(sum) => sum + gradient,
                    None => gradient,
                };
                mean.insert(name, sum);
            }
        }
        match means.len() {
            1 => means,
            _ => sums(means),
        }
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
                *sum = sum.clone() + self.share_of(value.clone()).to_device(&self.devices[0]);
            }
        }
        sum
    }

    #[expect(clippy::cast_precision_loss, reason = "a handful of members")]
    fn share_of(&self, value: Tensor<1>) -> Tensor<1> {
        match self.members.len() {
            1 => value,
            members => value / members as f64,
        }
    }
}

/// The sums of the devices' gradients, on each device.
fn sums(gradients: Vec<Gradients>) -> Vec<Gradients> {
    let layout: Vec<(String, usize)> = (gradients[0].iter())
        .map(|(name, values)| (name.clone(), values.dims()[0]))
        .collect();
    for of_device in &gradients {
        assert!(
            of_device.keys().eq(layout.iter().map(|(name, _)| name)),
            "every device has gradients for the same parameters"
        );
    }
    let flat = gradients
        .into_iter()
        .map(|of_device| Tensor::cat(of_device.into_values().collect(), 0));
    let unflat = |sum: Tensor<1>| {
        let mut start = 0;
        let part = |(name, count): &(String, usize)| {
            start += count;
            (name.clone(), sum.clone().narrow(0, start - count, *count))
        };
        layout.iter().map(part).collect()
    };
    sums_of_flat(flat.collect()).into_iter().map(unflat).collect()
}

/// The sum of tensors of equal size on several devices, on each of them.
fn sums_of_flat(tensors: Vec<Tensor<1>>) -> Vec<Tensor<1>> {
    let devices: Vec<Device> = tensors.iter().map(Tensor::device).collect();
    if devices.iter().all(has_all_reduce) {
        // A device's part ends only when all have begun.
        return thread::scope(|scope| {
            let threads: Vec<_> = (tensors.into_iter())
                .map(|tensor| {
                    let devices = devices.clone();
                    scope.spawn(move || all_reduce(tensor, ReduceOperation::Sum, devices).resolve())
                })
                .collect();
            threads.into_iter().map(joined).collect()
        });
    }
    let sum = (tensors.into_iter())
        .map(|tensor| tensor.to_device(&devices[0]))
        .reduce(Tensor::add);
    let Some(sum) = sum else { return Vec::new() };
    (devices.iter())
        .map(|device| sum.clone().to_device(device))
        .collect()
}

/// What a thread returns. A panic goes on in this thread.
fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    match thread.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Both networks and their optimisers on a further device.
#[derive(Debug)]
pub(crate) struct Replica<D> {
    pub(crate) generator: Generator,
    pub(crate) discriminator: D,
    pub(crate) generator_adam: Adam,
    pub(crate) discriminator_adam: Adam,
}

impl<D: Module> Trainer<D> {
    /// Divides each batch among `devices`. The first one must be the device of the networks. A step is the same as on
    /// one device, except for rounding. For one device, the batch is divided among its cores where this is faster.
    ///
    /// # Errors
    /// The errors of [`TrainConfig::check_devices`].
    pub fn share(&mut self, devices: &[Device]) -> Result<()> {
        self.config.check_devices(devices.len())?;
        self.team = match devices {
            [] => return Ok(()),
            [device] => Team::of_one(device, &self.config),
            devices => Team::new(devices),
        };
        let replica = |device: &Device| Replica {
            generator: replica(&self.generator, device),
            discriminator: replica(&self.discriminator, device),
            generator_adam: self.generator_adam.copied(device),
            discriminator_adam: self.discriminator_adam.copied(device),
        };
        self.further = self.team.devices[1..].iter().map(replica).collect();
        Ok(())
    }

    /// Generator and discriminator of each member's device.
    pub(crate) fn networks(&self) -> Vec<(&Generator, &D)> {
        let of_device = |device: usize| match device.checked_sub(1) {
            None => (&self.generator, &self.discriminator),
            Some(further) => {
                let replica = &self.further[further];
                (&replica.generator, &replica.discriminator)
            }
        };
        (self.team.members.iter())
            .map(|member| of_device(member.device))
            .collect()
    }

    /// One step of every discriminator's optimiser against the mean of the parts' gradients.
    pub(crate) fn update_discriminator(&mut self, gradients: Vec<Gradients>, rate: f64) {
        let means = self.team.mean_gradients(gradients);
        let own = (&mut self.discriminator, &mut self.discriminator_adam);
        let further = (self.further.iter_mut())
            .map(|replica| (&mut replica.discriminator, &mut replica.discriminator_adam));
        step_each(own, further, means, rate);
    }

    /// The same of every generator, and an update of the EMA.
    pub(crate) fn update_generator(&mut self, gradients: Vec<Gradients>, rate: f64) {
        let means = self.team.mean_gradients(gradients);
        let own = (&mut self.generator, &mut self.generator_adam);
        let further =
            (self.further.iter_mut()).map(|replica| (&mut replica.generator, &mut replica.generator_adam));
        step_each(own, further, means, rate);
        self.update_average();
    }

    /// New optimisers everywhere.
    pub(crate) fn renew_optimisers(&mut self, adam: AdamConfig) {
        (self.generator_adam, self.discriminator_adam) = (Adam::new(adam), Adam::new(adam));
        for replica in &mut self.further {
            (replica.generator_adam, replica.discriminator_adam) = (Adam::new(adam), Adam::new(adam));
        }
    }
}

/// One step of a network on every device against that device's mean gradients, `own` on the first.
fn step_each<'a, M: Module + 'a>(
    own: (&'a mut M, &'a mut Adam),
    further: impl Iterator<Item = (&'a mut M, &'a mut Adam)>,
    means: Vec<Gradients>,
    rate: f64,
) {
    for ((network, adam), gradients) in std::iter::once(own).chain(further).zip(means) {
        adam.step_against(network, gradients, rate);
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
