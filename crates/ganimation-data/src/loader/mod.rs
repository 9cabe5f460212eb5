//! Batches of faces and target action units, decoded in advance by worker threads.
//!
//! The faces of a batch, their flips and their targets are a pure function of the seed and the step. A loader that
//! starts at step 1,000 returns the same batches as an uninterrupted loader, for any number of workers.

mod config;
mod lessons;
mod pictures;
mod plan;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::au::AU_COUNT;
use crate::dataset::Face;
use crate::error::{Error, Result};

pub use config::{LessonConfig, LoaderConfig};
use lessons::LessonPlan;
pub use lessons::{Lessons, Pairs};
use pictures::Pictures;
use plan::{Order, Plan};

/// One training batch, in main memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Counted from 0 over the whole training.
    pub step: u64,
    /// Faces, `batch * size * size * 3` bytes: `[batch, height, width, RGB]`.
    pub pixels: Vec<u8>,
    /// Number of faces.
    pub batch: usize,
    /// Height and width in pixels.
    pub size: usize,
    /// The faces' action units: `[batch, 17]`, OpenFace intensity / 5.
    pub aus: Vec<f32>,
    /// The target action units: `[batch, 17]`, OpenFace intensity / 5, with noise. Lessons have no noise.
    pub target_aus: Vec<f32>,
    /// The motion network's training data for these faces, with [`LoaderConfig::lessons`].
    pub lessons: Option<Lessons>,
}

/// An endless iterator of training batches. Each epoch is shuffled again, and incomplete last batches are
/// dropped.
///
/// An unreadable picture ends it with an error that names the file. With [`LoaderConfig::skip_bad`], the picture is
/// skipped instead. Dropping the loader ends its threads.
///
/// ```no_run
/// use ganimation_data::{Dataset, Loader, LoaderConfig, Split};
///
/// let dataset = Dataset::open("faces")?;
/// let config = LoaderConfig { batch_size: 32, image_size: 64, ..LoaderConfig::default() };
/// for batch in Loader::new(dataset.split(Split::Train), config, 0)?.take(100) {
///     println!("step {}", batch?.step);
/// }
/// # Ok::<(), ganimation_data::Error>(())
/// ```
#[derive(Debug)]
pub struct Loader {
    /// One queue per worker. Worker `w` of `n` makes every `n`-th batch, so reading the queues in turn keeps the order.
    queues: Vec<Receiver<Result<Batch>>>,
    workers: Vec<JoinHandle<()>>,
    turn: usize,
    finished: bool,
    pictures: Arc<Pictures>,
    batches_per_epoch: u64,
    waited: Cell<Duration>,
}

impl Loader {
    /// Starts the workers. The first batch is for step `first_step`.
    ///
    /// # Errors
    /// [`Error::TooFewFaces`] if the faces do not fill a batch, [`Error::LoaderSetting`] if a setting
    /// is invalid, [`Error::NoLandmarks`] if lessons are enabled and too few faces have landmarks,
    /// [`Error::LoaderThread`] if the system cannot create a thread.
    pub fn new(faces: impl Into<Arc<[Face]>>, config: LoaderConfig, first_step: u64) -> Result<Self> {
        config.check()?;
        let faces = faces.into();
        if faces.len() < config.batch_size {
            return Err(Error::TooFewFaces {
                faces: faces.len(),
                batch_size: config.batch_size,
            });
        }
        let pictures = Arc::new(Pictures::new(Arc::clone(&faces), config.image_size, config.cache));
        let lessons = LessonPlan::new(&faces, &config)?.map(Arc::new);
        let plan = Arc::new(Plan::new(faces, &config));
        let batches_per_epoch = match &lessons {
            Some(lessons) => lessons.batches_per_epoch(),
            None => plan.batches_per_epoch(),
        };
        let capacity = config.queue.div_ceil(config.workers);
        let mut loader = Self {
            queues: Vec::new(),
            workers: Vec::new(),
            turn: 0,
            finished: false,
            pictures: Arc::clone(&pictures),
            batches_per_epoch,
            waited: Cell::new(Duration::ZERO),
        };
        for worker in 0..config.workers {
            let (sender, queue) = sync_channel(capacity);
            let (plan, lessons, pictures) = (Arc::clone(&plan), lessons.clone(), Arc::clone(&pictures));
            let steps = (first_step + worker as u64..).step_by(config.workers);
            let thread = thread::Builder::new()
                .name(format!("faces-{worker}"))
                .spawn(move || match lessons {
                    Some(lessons) => work(|step| lessons.batch(&pictures, step), steps, &sender),
                    None => {
                        let mut order = Order::default();
                        work(
                            |step| assemble(&plan, &pictures, step, &mut order),
                            steps,
                            &sender,
                        );
                    }
                })
                .map_err(|source| Error::LoaderThread { source })?; // dropping the loader ends the others
            loader.queues.push(queue);
            loader.workers.push(thread);
        }
        Ok(loader)
    }

    /// Number of batches per epoch.
    pub fn batches_per_epoch(&self) -> u64 {
        self.batches_per_epoch
    }

    /// Total time that [`next`](Iterator::next) has waited for workers. More workers or the
    /// cache can reduce it.
    pub fn waited(&self) -> Duration {
        self.waited.get()
    }

    /// The errors of faces skipped since the last call. Always empty without [`LoaderConfig::skip_bad`].
    pub fn take_problems(&self) -> Vec<Error> {
        self.pictures.take_reasons()
    }

    /// Number of pictures that had another size than the training size and were resized.
    pub fn resized(&self) -> u64 {
        self.pictures.resized()
    }
}

impl Iterator for Loader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let queue = self.queues.get(self.turn)?;
        let start = Instant::now();
        let batch = queue.recv().unwrap_or(Err(Error::LoaderStopped));
        self.waited.set(self.waited.get() + start.elapsed());
        self.turn = (self.turn + 1) % self.queues.len();
        self.finished = batch.is_err();
        Some(batch)
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // A worker without a queue ends at its next send.
        self.queues.clear();
        for worker in self.workers.drain(..) {
            // A worker that panicked has been reported as `LoaderStopped`.
            let _ = worker.join();
        }
    }
}

fn work(
    mut make: impl FnMut(u64) -> Result<Batch>,
    steps: impl Iterator<Item = u64>,
    sender: &SyncSender<Result<Batch>>,
) {
    for step in steps {
        let batch = make(step);
        let failed = batch.is_err();
        if sender.send(batch).is_err() || failed {
            return;
        }
    }
}

fn assemble(plan: &Plan, pictures: &Pictures, step: u64, order: &mut Order) -> Result<Batch> {
    let samples = plan.samples(step, order);
    let size = pictures.size();
    let face_bytes = size * size * 3;
    let mut pixels = vec![0; samples.len() * face_bytes];
    let mut aus = Vec::with_capacity(samples.len() * AU_COUNT);
    let mut target_aus = Vec::with_capacity(samples.len() * AU_COUNT);
    for ((place, sample), pixels) in (0..).zip(samples.iter()).zip(pixels.chunks_exact_mut(face_bytes)) {
        let mut face = sample.face;
        let mut attempts = 0;
        while let Err(error) = pictures.put(face, sample.flip, pixels) {
            if !plan.skip_bad() {
                return Err(error);
            }
            pictures.skip(face, error)?;
            // The replacement face depends only on seed, step and position.
            face = plan.stand_in(step, place, attempts);
            attempts += 1;
        }
        aus.extend(plan.aus(face));
        target_aus.extend(sample.target);
    }
    Ok(Batch {
        step,
        pixels,
        batch: samples.len(),
        size,
        aus,
        target_aus,
        lessons: None,
    })
}

#[cfg(test)]
mod tests;
