//! One photo in, frames of the same face out.

use std::path::Path;
use std::slice;

use burn::tensor::{Device, Tensor};
use ganimation_data::{ActionUnit, FaceBox, FaceDetector, Intensities, crop, decode_photo, pixels};
use ganimation_model::weights::{self, Metadata};
use ganimation_model::{Edit, Generator};
use image::{GrayImage, RgbImage};

use crate::compose::Canvas;
use crate::{Error, Expression, Result};

/// The weights that come with this crate.
const BUNDLED: &[u8] = include_bytes!("../../../assets/weights/generator.safetensors");

/// Frames that go through the network at once: enough to keep a device busy, few enough for any memory.
const BATCH: usize = 8;

/// Largest face that weights may be for, in pixels: a frame of it takes some gigabytes.
const MAX_NETWORK_SIZE: u32 = 2048;

/// Largest face that is painted, in pixels: its tensors take about a gigabyte.
const MAX_FACE: u32 = 4096;

/// A trained generator and a face detector, ready for photos.
///
/// ```
/// use ganimation::{ActionUnit, Animator, Expression, device};
///
/// # let photo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/grace_hopper.jpg");
/// let animator = Animator::bundled(&device::resolve("auto".parse()?)?)?;
/// let face = animator.open(photo.as_ref())?;
/// let smile = Expression::new().with(ActionUnit::LipCornerPuller, 3.0)?;
/// let frames = animator.animate(&face, &[animator.target(&face, &smile)]);
/// assert_eq!(frames[0].photo.dimensions(), (512, 600));
/// # Ok::<(), ganimation::Error>(())
/// ```
#[derive(Debug)]
pub struct Animator {
    generator: Generator,
    metadata: Metadata,
    /// Side of the faces that the network was trained on, in pixels.
    crop_size: u32,
    detector: FaceDetector,
    device: Device,
}

/// A photo and the face in it.
#[derive(Clone, Debug)]
pub struct FacePhoto {
    photo: RgbImage,
    face: FaceBox,
    /// The face as the network sees it.
    crop: RgbImage,
}

impl FacePhoto {
    /// The whole photo, as it came.
    pub fn photo(&self) -> &RgbImage {
        &self.photo
    }

    /// The square around the face, in the photo's pixels; it may overhang the photo.
    pub fn face(&self) -> FaceBox {
        self.face
    }

    /// The face alone at the network's size.
    pub fn crop(&self) -> &RgbImage {
        &self.crop
    }
}

/// One edited photo, and what the network made of its face.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The whole photo; pixels outside the face box are the original's, bit for bit.
    pub photo: RgbImage,
    /// The edited face at the network's size, as the edit equation gives it.
    pub face: RgbImage,
    /// How much of the input is kept, at the network's size: **white keeps the input**, black takes the colour.
    pub attention: GrayImage,
    /// The painted colours at the network's size.
    pub color: RgbImage,
}

impl Animator {
    /// Loads weights from a safetensors file.
    ///
    /// # Errors
    /// [`Error::Model`] if the file is missing or does not hold a generator, [`Error::OtherActionUnits`] and
    /// [`Error::NetworkSize`] if it holds one for other faces.
    pub fn load(weights: &Path, device: &Device) -> Result<Self> {
        Self::new(weights::load_generator(weights, device)?, device)
    }

    /// Loads the weights that come with this crate; `assets/weights/` has their model card.
    ///
    /// # Errors
    /// Those of [`Animator::load`], though the bundled bytes are tested to be sound.
    pub fn bundled(device: &Device) -> Result<Self> {
        Self::new(weights::generator_from_bytes(BUNDLED, device)?, device)
    }

    fn new((generator, metadata): (Generator, Metadata), device: &Device) -> Result<Self> {
        let expected = ActionUnit::ALL.map(|unit| u32::from(unit.number()));
        if metadata.action_units != expected {
            return Err(Error::OtherActionUnits {
                found: metadata.action_units,
            });
        }
        let crop_size = u32::try_from(metadata.image_size)
            .ok()
            .filter(|size| (1..=MAX_NETWORK_SIZE).contains(size) && size % 4 == 0);
        let crop_size = crop_size.ok_or(Error::NetworkSize {
            found: metadata.image_size,
            limit: MAX_NETWORK_SIZE,
        })?;
        let detector = FaceDetector::new()?;
        Ok(Self {
            generator,
            metadata,
            crop_size,
            detector,
            device: device.clone(),
        })
    }

    /// What the weights say of themselves.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Reads a photo and finds the largest face in it.
    ///
    /// # Errors
    /// [`Error::Data`] if the file cannot be read or decoded, and those of
    /// [`Animator::face`].
    pub fn open(&self, path: &Path) -> Result<FacePhoto> {
        self.face(decode_photo(path)?)
            .map_err(|error| error.in_photo(path))
    }

    /// Finds the largest face in a photo of any size.
    ///
    /// # Errors
    /// [`Error::NoFace`] if there is none, [`Error::FaceTooLarge`] if it is wider than 4,096 pixels.
    pub fn face(&self, photo: RgbImage) -> Result<FacePhoto> {
        match self.detector.detect(&photo).first() {
            Some(&largest) => self.face_at(photo, largest),
            None => Err(Error::NoFace {
                path: None,
                width: photo.width(),
                height: photo.height(),
            }),
        }
    }

    /// Takes the caller's word for where the face is.
    ///
    /// # Errors
    /// [`Error::FaceTooLarge`] if the box is wider than 4,096 pixels.
    ///
    /// # Panics
    /// If the photo or the box is empty.
    pub fn face_at(&self, photo: RgbImage, face: FaceBox) -> Result<FacePhoto> {
        if face.size > MAX_FACE {
            return Err(Error::FaceTooLarge {
                found: face.size,
                limit: MAX_FACE,
            });
        }
        let crop = crop(&photo, face, self.crop_size);
        Ok(FacePhoto { photo, face, crop })
    }

    /// The intensities that ask `face` for an expression.
    ///
    /// Action units that the expression does not name are asked to be absent, which relaxes what the face shows.
    pub fn target(&self, _face: &FacePhoto, expression: &Expression) -> Intensities {
        expression.over(&Intensities::default())
    }

    /// Edits the face once for each target, in order.
    pub fn animate(&self, photo: &FacePhoto, targets: &[Intensities]) -> Vec<Frame> {
        self.frames(photo, targets).collect()
    }

    /// As [`Animator::animate`], but a few frames at a time as they are asked for.
    pub fn frames(&self, photo: &FacePhoto, targets: &[Intensities]) -> impl Iterator<Item = Frame> {
        let input = pixels::tensor_from_images(slice::from_ref(&photo.crop), &self.device);
        let canvas = Canvas::new(&photo.photo, photo.face, &self.device);
        targets.chunks(BATCH).flat_map(move |targets| {
            let edit = self.edit(input.clone(), targets);
            frames_of(&canvas, edit)
        })
    }

    /// One pass of the network: a face of `[1, 3, size, size]` and B targets to B edits.
    fn edit(&self, face: Tensor<4>, targets: &[Intensities]) -> Edit {
        let aus = pixels::tensor_from_intensities(targets, &self.device);
        self.generator.edit(face.repeat_dim(0, targets.len()), aus)
    }
}

fn frames_of(canvas: &Canvas<'_>, edit: Edit) -> Vec<Frame> {
    let [batch, ..] = edit.image.dims();
    let photos: Vec<_> = (0..batch)
        .map(|frame| {
            canvas.paint(
                edit.attention.clone().narrow(0, frame, 1),
                edit.color.clone().narrow(0, frame, 1),
            )
        })
        .collect();
    let faces = pixels::images_from_tensor(edit.image);
    let masks = pixels::gray_from_tensor(edit.attention);
    let colors = pixels::images_from_tensor(edit.color);
    photos
        .into_iter()
        .zip(faces)
        .zip(masks)
        .zip(colors)
        .map(|(((photo, face), attention), color)| Frame {
            photo,
            face,
            attention,
            color,
        })
        .collect()
}
