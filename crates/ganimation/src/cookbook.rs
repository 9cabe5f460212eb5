//! Short programs for common tasks. The tests compile all of them. Programs that train or evaluate need the feature
//! `train`.
//!
//! # Edit a photo
//!
//! ```no_run
//! use ganimation::{ActionUnit, Animator, Expression, PhotoOptions};
//!
//! let animator = Animator::bundled()?;
//! let photo = animator.open("me.jpg".as_ref(), &PhotoOptions::new())?;
//! let smile = Expression::new()
//!     .with(ActionUnit::CheekRaiser, 2.0)?
//!     .with(ActionUnit::LipCornerPuller, 3.5)?;
//! animator.edit(&photo, &smile).save("smiling.png")?;
//! # Ok::<(), ganimation::Error>(())
//! ```
//!
//! # Edit a folder of photos
//!
//! An [`Animator`](crate::Animator) can be shared between threads. A photo without a face is an error.
//!
//! ```no_run
//! use std::fs;
//!
//! use ganimation::{Animator, Emotion, Expression, PhotoOptions};
//!
//! let animator = Animator::bundled()?;
//! let happy = Expression::new().with_emotion(Emotion::Happiness, 0.8)?;
//! fs::create_dir_all("happy")?;
//! for entry in fs::read_dir("photos")? {
//!     let path = entry?.path();
//!     match animator.open(&path, &PhotoOptions::new()) {
//!         Ok(photo) => {
//!             let name = path.with_extension("png");
//!             let name = name.file_name().ok_or("a path without a name")?;
//!             animator.edit(&photo, &happy).save(std::path::Path::new("happy").join(name))?;
//!         }
//!         Err(error) => eprintln!("skipped: {error}"),
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Make a film
//!
//! ```no_run
//! use ganimation::{ActionUnit, Animator, Ease, Expression, Key, PhotoOptions, Timeline};
//!
//! let animator = Animator::bundled()?;
//! let photo = animator.open("me.jpg".as_ref(), &PhotoOptions::new())?;
//! let rest = Expression::new();
//! let blink = rest.with(ActionUnit::Blink, 4.0)?;
//! let keys = [(0.0, rest), (0.15, blink), (0.4, rest)];
//! let timeline = Timeline::new(
//!     keys.map(|(time, expression)| Key { time, expression, ease: Ease::InOut })
//!         .to_vec(),
//! )?;
//! animator.film(&photo, &timeline, "24".parse()?).save("blink.gif")?;
//! # Ok::<(), ganimation::Error>(())
//! ```
//!
//! # Choose a device
//!
//! ```no_run
//! use ganimation::{Animator, device};
//!
//! for present in device::devices() {
//!     println!("{present}");
//! }
//! let gpu = device::resolve("cuda:0".parse()?)?; // with the feature `cuda`
//! let animator = Animator::bundled_on(&gpu)?;
//! # Ok::<(), ganimation::Error>(())
//! ```
//!
//! # Work on tensors
//!
//! ```no_run
//! use ganimation::burn::tensor::{Distribution, Tensor};
//! use ganimation::device::{DeviceChoice, resolve};
//! use ganimation::model::{AU_COUNT, GeneratorConfig};
//!
//! let device = resolve(DeviceChoice::Auto)?;
//! let generator = GeneratorConfig::motion(24).init(&device).into_prepared();
//! let faces = Tensor::random([8, 3, 128, 128], Distribution::Uniform(-1.0, 1.0), &device);
//! let orders = Tensor::zeros([8, AU_COUNT], &device); // target minus current, intensity / 5
//! let edit = generator.edit(faces, orders);
//! assert_eq!(edit.image.dims(), [8, 3, 128, 128]);
//! # Ok::<(), ganimation::Error>(())
//! ```
//!
//! # Load PyTorch weights
//!
//! ```no_run
//! use ganimation::device::{DeviceChoice, resolve};
//! use ganimation::model::import::{Network, import};
//! use ganimation::model::weights::{FloatFormat, save_generator};
//!
//! let device = resolve(DeviceChoice::Auto)?;
//! for imported in import("net_epoch_30_id_G.pth".as_ref(), &device)? {
//!     if let Network::Generator(generator) = &imported.network {
//!         save_generator("mine.safetensors".as_ref(), generator, &imported.metadata, FloatFormat::F32)?;
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Train on your own folder
//!
//! The folder contains face crops, labels and landmarks. `ganimation prepare` makes it from photos and OpenFace's tables.
//!
//! ```no_run
//! # #[cfg(feature = "train")] {
//! use std::sync::atomic::AtomicBool;
//!
//! use ganimation::data::{Dataset, Split};
//! use ganimation::device::{DeviceChoice, resolve};
//! use ganimation::train::{Run, TrainConfig};
//!
//! let device = resolve(DeviceChoice::Auto)?;
//! let dataset = Dataset::open("faces")?;
//! let config = TrainConfig::motion("faces").with_mean_aus(dataset.split(Split::Train));
//! let mut run = Run::start("runs/mine", config, &device)?; // later: Run::resume("runs/mine", &device)
//! run.train(&dataset, 1000_u64, &mut (), &AtomicBool::new(false))?;
//! println!("step {}: runs/mine/generator.safetensors", run.step());
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Add a loss term
//!
//! The networks are Burn modules, so a training loop is ordinary Burn code.
//!
//! ```no_run
//! # #[cfg(feature = "train")] {
//! use ganimation::burn::tensor::{Distribution, Tensor};
//! use ganimation::device::{DeviceChoice, resolve};
//! use ganimation::model::{AU_COUNT, GeneratorConfig};
//! use ganimation::train::{Adam, AdamConfig};
//!
//! let device = resolve(DeviceChoice::Auto)?.autodiff();
//! let mut generator = GeneratorConfig::motion(24).init(&device);
//! let mut adam = Adam::new(AdamConfig::default());
//! let faces = Tensor::<4>::random([4, 3, 128, 128], Distribution::Uniform(-1.0, 1.0), &device);
//! let orders = Tensor::<2>::random([4, AU_COUNT], Distribution::Uniform(-1.0, 1.0), &device);
//! let edit = generator.edit(faces.clone(), orders);
//! // A custom term: edited faces keep their mean brightness.
//! let brightness = |x: Tensor<4>| x.mean_dims(&[1, 2, 3]);
//! let loss = (brightness(edit.image) - brightness(faces)).square().mean();
//! adam.step(&mut generator, &loss, 1e-4);
//! # }
//! # Ok::<(), ganimation::Error>(())
//! ```
//!
//! # Evaluate weights
//!
//! ```no_run
//! # #[cfg(feature = "train")] {
//! use ganimation::Animator;
//! use ganimation::data::{Dataset, Split};
//! use ganimation::train::evaluate::{Extent, Trial, evaluate};
//!
//! let animator = Animator::bundled()?;
//! let dataset = Dataset::open("faces")?;
//! let trial = Trial {
//!     editor: animator.generator(),
//!     image_size: animator.metadata().image_size,
//!     judge: animator.au_estimator(),
//!     device: animator.device(),
//! };
//! let evaluation = evaluate(trial, dataset.split(Split::Test), Extent::default(), &mut |_, _| ())?;
//! evaluation.save("scorecard".as_ref(), &[("weights", "bundled".to_owned())])?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
