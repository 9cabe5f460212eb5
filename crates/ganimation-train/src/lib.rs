//! Training of GANimation: alternating steps, crash-safe runs, and checkpoints that resume exactly.
//!
//! A [`Trainer`] owns the networks and takes one step on one batch. A [`Run`] owns a folder: it loads batches, follows
//! a schedule that depends only on the step, and writes metrics, previews and checkpoints. This crate does not print. A
//! run reports to its [`Observer`].

#![forbid(unsafe_code)]

pub mod evaluate;

mod au_regressor;
mod checkpoint;
mod config;
mod config_check;
mod error;
mod events;
mod expressions;
mod history;
mod lines;
mod metrics;
mod motion;
mod optimizer;
mod plot;
mod preview;
mod random;
mod run;
mod samples;
mod schedule;
mod session;
mod settings;
mod team;
mod trainer;
mod training;
mod validation;
mod watchdog;

pub use au_regressor::{AuEstimatorScore, AuRegressorTraining, score_au_estimator, train_au_regressor};
pub use config::{AdamConfig, CONFIG_VERSION, Network, Precision, TrainConfig};
pub use error::{Error, Result, Source};
pub use history::{History, run_folders};
pub use metrics::{MotionProgress, Progress};
pub use motion::{
    LessonBatch, MatchedConfig, MotionConfig, MotionReport, MotionTrainer, TaughtConfig, ViewConfig,
};
pub use optimizer::Adam;
pub use run::{Limits, Observer, Outcome, Run};
pub use schedule::Schedule;
pub use settings::{Change, Overlay, Renamed};
pub use trainer::{DiscriminatorReport, FaceBatch, GeneratorReport, Trainer};
pub use training::Training;
pub use validation::Validation;
pub use watchdog::{Problem, Warning};
