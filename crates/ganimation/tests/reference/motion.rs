//! The motion network and its discriminator, compared with `motion.py`.

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use ganimation_model::{
    Edit, Enlarging, Generator, GeneratorConfig, ProjectionDiscriminator, ProjectionDiscriminatorConfig,
};

use super::numbers::{Numbers, agree, filled, stored, under};
use super::{gradients, named, on_devices, only, taken};

/// The inputs, on one device in one float type.
struct Inputs {
    stored: Numbers,
    device: Device,
    dtype: DType,
}

impl Inputs {
    fn new(device: &Device, dtype: DType) -> Self {
        Self {
            stored: stored("motion"),
            device: device.clone(),
            dtype,
        }
    }

    fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        Tensor::from_data(self.stored[name].clone(), (&self.device, self.dtype))
    }

    /// Two faces of 24 x 32 pixels.
    fn faces(&self) -> Tensor<4> {
        self.tensor::<4>("pixels") / 127.5 - 1.0
    }

    fn generator(&self, edge: usize) -> Generator {
        let config = GeneratorConfig::motion(2)
            .with_blocks(1)
            .with_edge_kernel(edge)
            .with_fine_shading(edge == 3)
            .with_enlarging(match edge {
                7 => Enlarging::Transposed, // as in the prototype
                _ => Enlarging::Repeated,
            });
        let fresh = config.init(&self.device.clone().autodiff());
        let weights = under(&self.stored, &format!("generator_{edge}"));
        filled(fresh, weights, self.dtype)
    }

    /// The discriminator for two faces of 64 pixels.
    fn discriminator(&self) -> ProjectionDiscriminator {
        let config = ProjectionDiscriminatorConfig::new(64)
            .with_channels(2)
            .with_local_channels(2);
        let fresh = config.init(&[0.0; 17], &self.device.clone().autodiff());
        filled(fresh, under(&self.stored, "discriminator"), self.dtype)
    }

    fn judged_faces(&self) -> (Tensor<4>, Tensor<2>) {
        let faces = self.tensor::<4>("batch/pixels") / 127.5 - 1.0;
        (faces, self.tensor("batch/aus"))
    }
}

fn parts(edit: &Edit) -> Numbers {
    named([
        ("image", edit.image.clone()),
        ("attention", edit.attention.clone()),
        ("color", edit.color.clone()),
        ("motion", edit.motion.clone().unwrap()),
        ("shading", edit.shading.clone().unwrap()),
    ])
}

pub(super) fn the_motion_network_gives_the_reference_edits_and_gradients() {
    for edge in [3, 7] {
        on_devices(|device, dtype, tolerance| {
            let inputs = Inputs::new(device, dtype);
            let generator = inputs.generator(edge);
            let faces = inputs.faces().autodiff().require_grad();
            let edit = generator.edit(faces.clone(), inputs.tensor("orders").autodiff());
            let what = format!("motion network, edges of {edge}");
            let expected = under(&inputs.stored, &format!("edit_{edge}"));
            agree(&what, &expected, parts(&edit), tolerance.outputs);

            let noise = |name: &str| inputs.tensor::<4>(&format!("noise/{name}")).autodiff();
            let loss = (edit.image * noise("image")).mean() + (edit.motion.unwrap() * noise("motion")).mean();
            let name = format!("loss_{edge}");
            let found = named([(name.as_str(), loss.clone())]);
            agree(&what, &only(&inputs.stored, &[&name]), found, tolerance.outputs);
            let mut all = loss.backward();
            let of_faces = faces.grad(&all).unwrap();
            let mut found = taken(&generator, &mut all);
            found.insert("input".to_owned(), of_faces.into_data());
            let expected = under(&inputs.stored, &format!("gradient_{edge}"));
            agree(&what, &expected, found, tolerance.gradients);
        });
    }
}

pub(super) fn the_projection_discriminator_gives_the_reference_verdicts() {
    on_devices(|device, dtype, tolerance| {
        let inputs = Inputs::new(device, dtype);
        let (faces, aus) = inputs.judged_faces();
        let verdict = inputs.discriminator().valid().forward(faces, aus);
        let mut found = named([("patches", verdict.patches), ("aus", verdict.aus)]);
        found.extend(named([("score", verdict.score)]));
        agree(
            "verdict",
            &under(&inputs.stored, "verdict"),
            found,
            tolerance.outputs,
        );
    });
}

pub(super) fn r1_and_its_gradients_are_those_of_double_backward() {
    on_devices(|device, dtype, tolerance| {
        let inputs = Inputs::new(device, dtype);
        let discriminator = inputs.discriminator();
        let (faces, aus) = inputs.judged_faces();
        let gradient = discriminator.input_gradient(faces.autodiff(), aus.autodiff());
        let penalty = gradient.square().sum_dims(&[1, 2, 3]).mean();
        let found = named([("penalty", penalty.clone())]);
        agree(
            "R1",
            &only(&inputs.stored, &["penalty"]),
            found,
            tolerance.outputs,
        );
        agree(
            "R1",
            &under(&inputs.stored, "penalty_gradient"),
            gradients(&discriminator, &penalty),
            tolerance.gradients,
        );
    });
}
