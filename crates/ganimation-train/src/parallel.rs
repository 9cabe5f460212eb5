//! Steps on one or several devices. Each device processes a part of the batch, and the gradients are averaged.
//!
//! Every device has a replica: both networks and their optimisers, which live on between steps. All replicas take the same
//! Adam step with the mean gradient, so they stay equal, and the first one is the trainer's state. If the losses are means
//! over the batch, equal parts give the same step as the whole batch, except for rounding. One device is a list of one
//! replica: there is no other path.
//!
//! On CUDA, the mean is Burn's all-reduce (NCCL) of one flat gradient a network. Backends without it send their gradients
//! to the first device and receive the mean.

use std::ops::{Add, Mul};
use std::thread;

use burn::module::Module;
use burn::tensor::distributed::{ReduceOperation, all_reduce};
use burn::tensor::{Device, Tensor};
use ganimation_model::{
    AuTerm, Discriminator, DiscriminatorUpdates, Generator, TotalVariationTerm, take_gradients,
};

use crate::config::{Network, TrainConfig};
use crate::optimizer::{Adam, Gradients};
use crate::trainer::{DiscriminatorReport, FaceBatch, GeneratorReport, Trainer};
use crate::{Error, Result};

impl TrainConfig {
    /// Checks that batches can be divided among `devices` devices.
    ///
    /// # Errors
    /// [`Error::Setting`] if the batch has no equal parts, if a loss is not a mean over the batch (preset `released`),
    /// or if the network is the motion network, whose steps cannot be divided.
    pub fn check_devices(&self, devices: usize) -> Result<()> {
        if devices < 2 {
            return Ok(());
        }
        let wrong = |name, found, expected| Error::Setting {
            name,
            found,
            expected,
        };
        if self.network == Network::Motion {
            let expected = "paper, for several devices: steps of the motion network are not shared";
            return Err(wrong("network", "motion".to_owned(), expected));
        }
        let loss = &self.loss;
        let means = loss.discriminator_updates == DiscriminatorUpdates::Joint
            && loss.au_term != AuTerm::MeanDividedByBatch
            && loss.total_variation_term != TotalVariationTerm::Sum;
        if !means {
            let expected = "losses that are means over the batch, for several devices";
            return Err(wrong("loss", "that of the 2018 code".to_owned(), expected));
        }
        if !self.batch_size.is_multiple_of(devices) {
            let expected = "a multiple of the number of devices";
            return Err(wrong("batch_size", self.batch_size.to_string(), expected));
        }
        Ok(())
    }
}

/// Both networks and their optimisers on a further device.
#[derive(Debug)]
pub(crate) struct Replica<D> {
    device: Device,
    generator: Generator,
    discriminator: D,
    generator_adam: Adam,
    discriminator_adam: Adam,
}

/// The networks of one device during a step.
#[derive(Clone, Copy)]
pub(crate) struct Networks<'a> {
    pub(crate) generator: &'a Generator,
    pub(crate) discriminator: &'a Discriminator,
}

/// A device's part of a batch, on that device.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) faces: FaceBatch,
    /// The points of the gradient penalty, `[batch]`.
    pub(crate) alpha: Tensor<1>,
}

impl<D: Module> Trainer<D> {
    /// Divides the batches of the following steps among `devices`. The first one is the trainer's own.
    ///
    /// # Panics
    /// If there is no device.
    pub fn share(&mut self, devices: &[Device]) {
        let Some((_, further)) = devices.split_first() else {
            panic!("0 devices share no batch")
        };
        let replica = |device: &Device| {
            let with_autodiff = device.clone().autodiff();
            Replica {
                generator: self.generator.clone().fork(&with_autodiff),
                discriminator: self.discriminator.clone().fork(&with_autodiff),
                generator_adam: self.generator_adam.copied(device),
                discriminator_adam: self.discriminator_adam.copied(device),
                device: device.clone(),
            }
        };
        self.further = further.iter().map(replica).collect();
    }

    /// The devices that share each batch, the trainer's own first.
    fn devices(&self, faces: &FaceBatch) -> Vec<Device> {
        let further = self.further.iter().map(|replica| replica.device.clone());
        [faces.images.device()].into_iter().chain(further).collect()
    }

    /// Equal parts of a batch, each on its device.
    ///
    /// # Panics
    /// If the batch has no equal parts; [`TrainConfig::check_devices`] reports this as an error.
    pub(crate) fn parts(&self, faces: &FaceBatch, alpha: Tensor<1>) -> Vec<Part> {
        let devices = self.devices(faces);
        let [batch, ..] = faces.images.dims();
        let count = devices.len();
        if count == 1 {
            let faces = faces.clone();
            return vec![Part { faces, alpha }];
        }
        assert!(
            batch.is_multiple_of(count),
            "a batch of {batch} has no {count} equal parts"
        );
        let size = batch / count;
        let part = |(at, device): (usize, &Device)| Part {
            faces: FaceBatch {
                images: faces.images.clone().narrow(0, at * size, size).to_device(device),
                aus: faces.aus.clone().narrow(0, at * size, size).to_device(device),
                targets: faces.targets.clone().narrow(0, at * size, size).to_device(device),
            },
            alpha: alpha.clone().narrow(0, at * size, size).to_device(device),
        };
        devices.iter().enumerate().map(part).collect()
    }

    /// Takes the same step of every replica's discriminator, with the mean of their gradients.
    pub(crate) fn update_discriminators(&mut self, gradients: Vec<Gradients>, rate: f64) {
        let mut gradients = mean(gradients).into_iter();
        let own = [(&mut self.discriminator, &mut self.discriminator_adam)];
        let further = (self.further.iter_mut())
            .map(|replica| (&mut replica.discriminator, &mut replica.discriminator_adam));
        for ((network, adam), gradients) in own.into_iter().chain(further).zip(&mut gradients) {
            adam.step_against(network, gradients, rate);
        }
    }

    /// Takes the same step of every replica's generator, with the mean of their gradients.
    pub(crate) fn update_generators(&mut self, gradients: Vec<Gradients>, rate: f64) {
        let mut gradients = mean(gradients).into_iter();
        let own = [(&mut self.generator, &mut self.generator_adam)];
        let further =
            (self.further.iter_mut()).map(|replica| (&mut replica.generator, &mut replica.generator_adam));
        for ((network, adam), gradients) in own.into_iter().chain(further).zip(&mut gradients) {
            adam.step_against(network, gradients, rate);
        }
    }
}

impl Trainer {
    /// Processes each part with the replica of its device, several parts in one thread each.
    ///
    /// # Panics
    /// If a thread panics.
    pub(crate) fn each<P: Send, R: Send>(
        &self,
        parts: Vec<P>,
        work: impl Fn(Networks<'_>, P) -> (Gradients, R) + Sync,
    ) -> (Vec<Gradients>, Vec<R>) {
        let own = Networks {
            generator: &self.generator,
            discriminator: &self.discriminator,
        };
        let further = self.further.iter().map(|replica| Networks {
            generator: &replica.generator,
            discriminator: &replica.discriminator,
        });
        let mut work_of_parts: Vec<_> = [own].into_iter().chain(further).zip(parts).collect();
        if work_of_parts.len() == 1 {
            let results = work_of_parts
                .drain(..)
                .map(|(networks, part)| work(networks, part));
            return results.unzip();
        }
        let work = &work;
        thread::scope(|scope| {
            let threads: Vec<_> = (work_of_parts.into_iter())
                .map(|(networks, part)| scope.spawn(move || work(networks, part)))
                .collect();
            let join = |thread: thread::ScopedJoinHandle<'_, _>| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            threads.into_iter().map(join).unzip()
        })
    }
}

/// The gradients of `loss` in `network`, flat, by name.
pub(crate) fn gradients_of<M: Module>(network: &M, loss: &Tensor<1>) -> Gradients {
    take_gradients(network, &mut loss.backward())
}

/// The mean of the devices' gradients, on every device.
fn mean(gradients: Vec<Gradients>) -> Vec<Gradients> {
    if gradients.len() < 2 {
        return gradients;
    }
    let layouts: Vec<Vec<(String, usize)>> = (gradients.iter())
        .map(|of_device| {
            of_device
                .iter()
                .map(|(name, values)| (name.clone(), values.dims()[0]))
                .collect()
        })
        .collect();
    for layout in &layouts {
        assert_eq!(
            layout, &layouts[0],
            "every device has gradients for the same parameters"
        );
    }
    let flat = (gradients.into_iter()).map(|of_device| Tensor::cat(of_device.into_values().collect(), 0));
    let means = mean_of_flat(flat.collect());
    let unflat = |(mean, layout): (Tensor<1>, Vec<(String, usize)>)| {
        let mut start = 0;
        let part = |(name, count): (String, usize)| {
            let values = mean.clone().narrow(0, start, count);
            start += count;
            (name, values)
        };
        layout.into_iter().map(part).collect::<Gradients>()
    };
    means.into_iter().zip(layouts).map(unflat).collect()
}

/// The mean of tensors of equal size on several devices, on each of them.
fn mean_of_flat(tensors: Vec<Tensor<1>>) -> Vec<Tensor<1>> {
    let devices: Vec<Device> = tensors.iter().map(Tensor::device).collect();
    if devices.iter().all(ganimation_kernels::has_all_reduce) {
        // A device's part ends only when all have begun.
        return thread::scope(|scope| {
            let threads: Vec<_> = (tensors.into_iter())
                .map(|tensor| {
                    let devices = devices.clone();
                    scope.spawn(move || all_reduce(tensor, ReduceOperation::Mean, devices).resolve())
                })
                .collect();
            let join = |thread: thread::ScopedJoinHandle<'_, _>| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            threads.into_iter().map(join).collect()
        });
    }
    #[expect(clippy::cast_precision_loss, reason = "a handful of devices")]
    let share = 1.0 / tensors.len() as f64;
    let home = &devices[0];
    let sum = (tensors.into_iter())
        .map(|tensor| tensor.to_device(home))
        .reduce(Tensor::add);
    let Some(sum) = sum else {
        panic!("0 devices have no mean")
    };
    let mean = sum * share;
    devices
        .iter()
        .map(|device| mean.clone().to_device(device))
        .collect()
}

/// The mean of the devices' reports, on the first device.
pub(crate) fn mean_report<R: Report>(reports: Vec<R>) -> R {
    #[expect(clippy::cast_precision_loss, reason = "a handful of devices")]
    let share = 1.0 / reports.len() as f64;
    let one = reports.len() == 1;
    let sum = reports.into_iter().reduce(|sum, report| {
        let home = sum.device();
        sum + report.on(&home)
    });
    match sum {
        Some(report) if one => report,
        Some(sum) => sum * share,
        None => panic!("0 devices report nothing"),
    }
}

/// Measurements that can be averaged over devices.
pub(crate) trait Report: Sized + Add<Output = Self> + Mul<f64, Output = Self> {
    fn device(&self) -> Device;
    fn on(self, device: &Device) -> Self;
}

/// Implements [`Report`] for a struct of tensors.
macro_rules! report {
    ($report:ident { $($field:ident),+ $(,)? }) => {
        impl Add for $report {
            type Output = Self;

            fn add(self, other: Self) -> Self {
                Self { $($field: self.$field + other.$field),+ }
            }
        }

        impl Mul<f64> for $report {
            type Output = Self;

            fn mul(self, factor: f64) -> Self {
                Self { $($field: self.$field * factor),+ }
            }
        }

        impl Report for $report {
            fn device(&self) -> Device {
                self.adversarial.device()
            }

            fn on(self, device: &Device) -> Self {
                Self { $($field: self.$field.to_device(device)),+ }
            }
        }
    };
}

report!(DiscriminatorReport {
    adversarial,
    aus,
    gradient_penalty,
});
report!(GeneratorReport {
    adversarial,
    aus,
    cycle,
    attention,
    total_variation,
    mask_coverage,
    mask_coverage_peak,
});

#[cfg(test)]
mod tests {
    use burn::tensor::Int;
    use ganimation_model::state_dict;

    use super::*;

    #[test]
    fn the_mean_of_gradients_is_on_every_device() {
        let device = Device::flex();
        let of_device = |values: [f32; 3]| {
            let tensor = |part: &[f32]| Tensor::<1>::from_data(part, &device);
            Gradients::from([
                ("a".to_owned(), tensor(&values[..2])),
                ("b".to_owned(), tensor(&values[2..])),
            ])
        };
        let means = mean(vec![of_device([1.0, 2.0, 3.0]), of_device([3.0, -2.0, 5.0])]);
        assert_eq!(means.len(), 2);
        for of_device in means {
            let values = |name: &str| {
                of_device[name]
                    .clone()
                    .into_data()
                    .iter::<f32>()
                    .collect::<Vec<_>>()
            };
            assert_eq!([values("a"), values("b")], [vec![2.0, 0.0], vec![4.0]]);
        }
    }

    #[test]
    fn replicas_stay_equal() {
        let device = Device::flex();
        let config = TrainConfig {
            image_size: 64,
            generator_channels: 2,
            generator_blocks: 1,
            discriminator_channels: 2,
            ..TrainConfig::new("")
        };
        let mut trainer = Trainer::new(config, &device);
        trainer.share(&[device.clone(), device.clone()]);
        let images = Tensor::<1, Int>::arange(0..2 * 3 * 64 * 64, &device)
            .float()
            .sin();
        let aus = Tensor::<1, Int>::arange(0..2 * 17, &device).float().sin().abs();
        let faces = FaceBatch {
            images: images.reshape([2, 3, 64, 64]),
            aus: aus.clone().reshape([2, 17]),
            targets: aus.flip([0]).reshape([2, 17]),
        };
        trainer.discriminator_step(&faces, 0, 1e-2);
        trainer.generator_step(&faces, 1e-2);
        let [replica] = &trainer.further[..] else {
            panic!("{} replicas", trainer.further.len())
        };
        assert_eq!(
            state_dict(&trainer.discriminator),
            state_dict(&replica.discriminator)
        );
        assert_eq!(state_dict(&trainer.generator), state_dict(&replica.generator));
    }
}
