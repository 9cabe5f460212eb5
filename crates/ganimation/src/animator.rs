//! Detection and editing of the faces in a photo.

use std::path::Path;

use burn::tensor::Device;
use ganimation_data::picture::decode_photo;
use ganimation_data::{ActionUnit, FaceBox, FaceDetector, Intensities, Turn, pixels, save_image};
use ganimation_model::weights::{self, Metadata};
use ganimation_model::{AuEstimator, Edit, Generator, PreparedGenerator};
use image::{GrayImage, RgbImage};

use crate::compose::{kept, moved_grid, paint, upright};
#[cfg(feature = "bundled")]
use crate::device::{self, DeviceChoice};
use crate::film::{FilmFace, between};
use crate::photo::{CropMode, FaceChoice, FacePhoto, PhotoFace, PhotoOptions};
use crate::{Error, Expression, Result};

/// Side of the faces for the AU estimator, in pixels.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a face has far fewer than 2^32 pixels"
)]
const AU_REGRESSOR_SIZE: u32 = ganimation_model::AU_REGRESSOR_SIZE as u32;

/// Faces per inference batch: enough to use a device well, few enough for its memory.
const BATCH: usize = 8;

/// Maximum input size of a generator, in pixels. A face of this size needs several gigabytes.
const MAX_NETWORK_SIZE: u32 = 2048;

/// Maximum size of an edited face, in pixels. Its tensors need about a gigabyte.
const MAX_FACE: u32 = 4096;

/// A trained generator with a face detector and an AU estimator. It edits photos.
///
/// Loading takes longer than editing, so use one `Animator` for all photos. It can be shared between threads.
///
/// ```
/// # #[cfg(feature = "bundled")] {
/// use ganimation::{ActionUnit, Animator, Expression, PhotoOptions};
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/grace_hopper.jpg");
/// let animator = Animator::bundled()?;
/// let photo = animator.open(path.as_ref(), &PhotoOptions::new())?;
/// let smile = Expression::new().with(ActionUnit::LipCornerPuller, 3.0)?;
/// let smiling = animator.edit(&photo, &smile);
/// assert_eq!(smiling.photo.dimensions(), (512, 600));
/// assert_eq!(smiling.faces[0].target.get(ActionUnit::LipCornerPuller), 3.0);
/// # }
/// # Ok::<(), ganimation::Error>(())
/// ```
#[derive(Debug)]
pub struct Animator {
    generator: PreparedGenerator,
    metadata: Metadata,
    /// Side of the network's training faces, in pixels.
    crop_size: u32,
    detector: FaceDetector,
    /// Estimates the action units of faces.
    estimator: AuEstimator,
    device: Device,
}

/// An edited photo, and the outputs of the network for its faces.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The whole photo. Pixels outside the faces' boxes are identical to the original.
    pub photo: RgbImage,
    /// The edited faces, in the order of [`FacePhoto::faces`].
    pub faces: Vec<EditedFace>,
}

impl Frame {
    /// Saves the photo as png, jpg, jpeg or webp, according to the extension of `path`.
    ///
    /// # Errors
    /// [`Error::Data`] for other extensions, and if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        Ok(save_image(path, &self.photo)?)
    }
}

/// One edited face at the network's size.
#[derive(Clone, Debug)]
pub struct EditedFace {
    /// The target intensities.
    pub target: Intensities,
    /// The result of the edit equation.
    pub image: RgbImage,
    /// The attention mask: **white keeps the input** (for networks with motion, the moved input), black is the painted
    /// colour.
    pub attention: GrayImage,
    /// The painted colours.
    pub color: RgbImage,
    /// The unchanged parts: **white pixels are neither moved nor painted**. For networks without motion, this is the
    /// attention mask.
    pub kept: GrayImage,
    /// A grid on the faded face, both moved; `None` for networks without motion.
    pub motion: Option<RgbImage>,
}

impl Animator {
    /// Loads the bundled weights onto the fastest available device.
    ///
    /// # Errors
    /// [`Error::NoDevice`], and the errors of [`Animator::bundled_on`].
    #[cfg(feature = "bundled")]
    pub fn bundled() -> Result<Self> {
        Self::bundled_on(&device::resolve(DeviceChoice::Auto)?)
    }

    /// Loads the bundled weights. Their model card is in `ganimation-weights`.
    ///
    /// # Errors
    /// The errors of [`Animator::load`]. Tests load the bundled weights, so none is expected.
    #[cfg(feature = "bundled")]
    pub fn bundled_on(device: &Device) -> Result<Self> {
        let generator = weights::generator_from_bytes(ganimation_weights::GENERATOR, device)?;
        Self::with_networks(generator, bundled_estimator(device)?, device)
    }

    /// Loads a generator from a safetensors file. The bundled AU regressor estimates the intensities in photos.
    ///
    /// # Errors
    /// [`Error::Model`] if the file does not exist or contains no generator, [`Error::OtherActionUnits`] or
    /// [`Error::NetworkSize`] if the generator has other action units or an unsupported size.
    #[cfg(feature = "bundled")]
    pub fn load(weights: &Path, device: &Device) -> Result<Self> {
        let generator = weights::load_generator(weights, device)?;
        Self::with_networks(generator, bundled_estimator(device)?, device)
    }

    /// Loads a generator and an AU estimator, each from a safetensors file. The estimator is an AU regressor or a
    /// discriminator.
    ///
    /// # Errors
    /// The errors of [`Animator::load`], for each file.
    pub fn load_with_estimator(weights: &Path, estimator: &Path, device: &Device) -> Result<Self> {
        let generator = weights::load_generator(weights, device)?;
        Self::with_networks(generator, weights::load_au_estimator(estimator, device)?, device)
    }

    fn with_networks(
        (generator, metadata): (Generator, Metadata),
        (estimator, estimator_metadata): (AuEstimator, Metadata),
        device: &Device,
    ) -> Result<Self> {
        check_units(&metadata)?;
        check_units(&estimator_metadata)?;
        let crop_size = u32::try_from(metadata.image_size)
            .ok()
            .filter(|size| (1..=MAX_NETWORK_SIZE).contains(size) && size % 4 == 0);
        let crop_size = crop_size.ok_or(Error::NetworkSize {
            found: metadata.image_size,
            limit: MAX_NETWORK_SIZE,
        })?;
        Ok(Self {
            generator: generator.into_prepared(),
            metadata,
            crop_size,
            detector: FaceDetector::new()?,
            estimator,
            device: device.clone(),
        })
    }

    /// The device of the networks.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The generator, for tensors.
    pub fn generator(&self) -> &Generator {
        &self.generator
    }

    /// The network that estimates the action units in photos.
    pub fn au_estimator(&self) -> &AuEstimator {
        &self.estimator
    }

    /// Estimates action units with another network: the file of an AU regressor or of a discriminator.
    ///
    /// # Errors
    /// [`Error::Model`] if the file does not exist or contains neither, [`Error::OtherActionUnits`].
    pub fn with_estimator(self, weights: &Path) -> Result<Self> {
        let (estimator, metadata) = weights::load_au_estimator(weights, &self.device)?;
        check_units(&metadata)?;
        Ok(Self { estimator, ..self })
    }

    /// The metadata of the generator's weights.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Side of the generator's input, in pixels.
    pub fn network_size(&self) -> u32 {
        self.crop_size
    }

    /// Reads a photo, applies its orientation, and finds the faces.
    ///
    /// # Errors
    /// [`Error::Data`] if the file cannot be read or decoded, and the errors of [`Animator::detect`].
    pub fn open(&self, path: &Path, options: &PhotoOptions) -> Result<FacePhoto> {
        self.detect(decode_photo(path)?, options)
            .map_err(|error| error.in_file(path))
    }

    /// Finds the faces in a photo of any size.
    ///
    /// # Errors
    /// [`Error::NoFace`] if there is no face, [`Error::NoSuchFace`] if there is no face with the requested number,
    /// [`Error::FaceTooLarge`] if a face is wider than 4,096 pixels.
    ///
    /// # Panics
    /// If the photo is empty and the options have [`CropMode::None`].
    pub fn detect(&self, photo: RgbImage, options: &PhotoOptions) -> Result<FacePhoto> {
        let photo = options.resized(photo);
        let mut found = match options.crop {
            CropMode::Face => self.detector.detect_turned(&photo),
            CropMode::None => vec![(FaceBox::around(photo.dimensions()), Turn::None)],
        };
        if found.is_empty() {
            return Err(Error::NoFace {
                width: photo.width(),
                height: photo.height(),
            });
        }
        if let FaceChoice::Number(number) = options.faces {
            let one = number.checked_sub(1).and_then(|index| found.get(index));
            found = vec![*one.ok_or(Error::NoSuchFace {
                number,
                found: found.len(),
            })?];
        }
        self.photo_with(photo, &found, options.crop == CropMode::Face)
    }

    /// A photo with faces at given positions, without the detector.
    ///
    /// # Errors
    /// [`Error::FaceTooLarge`] if a box is wider than 4,096 pixels.
    ///
    /// # Panics
    /// If the photo, a box or the list of boxes is empty.
    pub fn photo_at(&self, photo: RgbImage, faces: &[FaceBox]) -> Result<FacePhoto> {
        let faces: Vec<_> = faces.iter().map(|&face| (face, Turn::None)).collect();
        self.photo_with(photo, &faces, true)
    }

    fn photo_with(&self, photo: RgbImage, boxes: &[(FaceBox, Turn)], feather: bool) -> Result<FacePhoto> {
        let shown = self.read(&photo, boxes);
        self.photo_showing(photo, boxes, shown, feather)
    }

    fn photo_showing(
        &self,
        photo: RgbImage,
        boxes: &[(FaceBox, Turn)],
        shown: Vec<Intensities>,
        feather: bool,
    ) -> Result<FacePhoto> {
        assert!(!boxes.is_empty(), "a photo with 0 faces");
        if let Some((large, _)) = boxes.iter().find(|(face, _)| face.size > MAX_FACE) {
            return Err(Error::FaceTooLarge {
                found: large.size,
                limit: MAX_FACE,
            });
        }
        let faces = boxes.iter().zip(shown).map(|(&face, shown)| PhotoFace {
            bounds: face.0,
            turn: face.1,
            crop: upright(&photo, face, self.crop_size),
            shown,
        });
        Ok(FacePhoto {
            faces: faces.collect(),
            photo,
            feather,
        })
    }

    /// The estimated intensities of the faces in `boxes`.
    pub(crate) fn read(&self, photo: &RgbImage, boxes: &[(FaceBox, Turn)]) -> Vec<Intensities> {
        // Crop at the estimator's own size: enlarged crops of a smaller network would be blurred.
        let crop = |&face: &(FaceBox, Turn)| upright(photo, face, AU_REGRESSOR_SIZE);
        let shown = boxes.chunks(BATCH).flat_map(|boxes| {
            let crops: Vec<_> = boxes.iter().map(crop).collect();
            let faces = pixels::tensor_from_images(&crops, &self.device);
            pixels::intensities_from_tensor(self.estimator.estimate(faces))
        });
        shown.collect()
    }

    /// Edits the faces of a photo towards an expression.
    pub fn edit(&self, photo: &FacePhoto, expression: &Expression) -> Frame {
        let targets: Vec<_> = photo.faces.iter().map(|face| face.target(expression)).collect();
        self.paint(photo, self.edits(photo, &targets), &targets)
    }

    /// Edits the faces of a film frame towards an expression, each with its [`FilmFace::strength`].
    ///
    /// # Errors
    /// [`Error::FaceTooLarge`] if a face is wider than 4,096 pixels.
    pub fn edit_frame(
        &self,
        frame: RgbImage,
        faces: &[FilmFace],
        expression: &Expression,
    ) -> Result<RgbImage> {
        if faces.is_empty() {
            return Ok(frame);
        }
        let boxes: Vec<_> = faces.iter().map(|face| (face.bounds, Turn::None)).collect();
        let shown = faces.iter().map(|face| face.shown).collect();
        let whole = FaceBox::around(frame.dimensions());
        let place = |face: &FaceBox| (face.x, face.y, face.size);
        let feather = faces.iter().all(|face| place(&face.bounds) != place(&whole));
        let photo = self.photo_showing(frame, &boxes, shown, feather)?;
        let target = |face: &FilmFace| between(&face.shown, &expression.apply(&face.shown), face.strength);
        let targets: Vec<_> = faces.iter().map(target).collect();
        Ok(self.paint(&photo, self.edits(&photo, &targets), &targets).photo)
    }

    /// Edits the faces of a photo towards each expression. The frames have the order of the expressions. They are
    /// computed on demand, in small batches.
    pub fn frames(&self, photo: &FacePhoto, expressions: &[Expression]) -> impl Iterator<Item = Frame> {
        let together = (BATCH / photo.faces.len()).max(1);
        expressions.chunks(together).flat_map(move |expressions| {
            let faces = || photo.faces.iter();
            let targets: Vec<_> = expressions
                .iter()
                .flat_map(|expression| faces().map(|face| face.target(expression)))
                .collect();
            let mut edits = self.edits(photo, &targets).into_iter();
            let count = photo.faces.len();
            targets
                .chunks(count)
                .map(|targets| self.paint(photo, edits.by_ref().take(count).collect(), targets))
                .collect::<Vec<_>>()
        })
    }

    /// Runs the network once for each target. The photo's faces repeat until all targets are used.
    fn edits(&self, photo: &FacePhoto, targets: &[Intensities]) -> Vec<Edit> {
        let again = || photo.faces.iter().cycle().take(targets.len());
        let crops: Vec<_> = again().map(|face| &face.crop).collect();
        let shown: Vec<_> = again().map(PhotoFace::intensities).collect();
        let passes = crops
            .chunks(BATCH)
            .zip(shown.chunks(BATCH))
            .zip(targets.chunks(BATCH));
        let edits = passes.flat_map(|((crops, shown), targets)| {
            let crops: Vec<_> = crops.iter().copied().cloned().collect();
            let faces = pixels::tensor_from_images(&crops, &self.device);
            let shown = pixels::tensor_from_intensities(shown, &self.device);
            let asked = pixels::tensor_from_intensities(targets, &self.device);
            let edit = self.generator.edit_towards(faces, shown, asked);
            (0..targets.len()).map(move |at| edit.narrow(at, 1))
        });
        edits.collect()
    }

    /// Builds a frame from the edits of its faces.
    fn paint(&self, photo: &FacePhoto, edits: Vec<Edit>, targets: &[Intensities]) -> Frame {
        let mut painted = photo.photo.clone();
        let faces = photo.faces.iter().zip(edits).zip(targets);
        let faces = faces.flat_map(|((face, edit), &target)| {
            paint(&mut painted, (face.bounds, face.turn), &edit, photo.feather);
            let kept = pixels::gray_from_tensor(kept(&edit)).into_iter();
            let motion = edit.motion.map(|motion| moved_grid(&face.crop, motion));
            let images = pixels::images_from_tensor(edit.image).into_iter();
            let masks = pixels::gray_from_tensor(edit.attention).into_iter();
            let colors = pixels::images_from_tensor(edit.color).into_iter();
            let parts = images.zip(masks).zip(colors).zip(kept);
            parts.map(move |(((image, attention), color), kept)| EditedFace {
                kept,
                target,
                image,
                attention,
                color,
                motion: motion.clone(),
            })
        });
        let faces = faces.collect();
        Frame {
            photo: painted,
            faces,
        }
    }
}

#[cfg(feature = "bundled")]
fn bundled_estimator(device: &Device) -> Result<(AuEstimator, Metadata)> {
    Ok(weights::au_estimator_from_bytes(
        ganimation_weights::AU_REGRESSOR,
        device,
    )?)
}

fn check_units(metadata: &Metadata) -> Result<()> {
    let expected = ActionUnit::ALL.map(|unit| u32::from(unit.number()));
    if metadata.action_units == expected {
        return Ok(());
    }
    Err(Error::OtherActionUnits {
        found: metadata.action_units.clone(),
    })
}
