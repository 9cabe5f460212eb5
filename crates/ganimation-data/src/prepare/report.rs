//! The other files of the dataset: labels, lists of ids, and the report.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cut::picture_path;
use super::outcome::{Drop, Outcome, Reason};
use super::sources::Photo;
use super::{PrepareConfig, Source};
use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::files::write_whole;
use crate::labels::table_to_bytes;
use crate::landmarks::{self, LANDMARK_COUNT, LANDMARKS_FILE};
use crate::pickle::{Labels, write_labels};

type Points = [[f32; 2]; LANDMARK_COUNT];

/// The report of a preparation, `report.json` in the dataset folder.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PrepareReport {
    /// Number of photos.
    pub photos: usize,
    /// Number of training faces.
    pub train: usize,
    /// Number of held-out faces.
    pub test: usize,
    /// Number of grey faces.
    pub grey: usize,
    /// Number of enlarged faces.
    pub enlarged: usize,
    /// Number of faces with an uncertain label: the photo has several faces, and the table has no position.
    pub guessed: usize,
    /// Number of faces with landmarks.
    pub landmarks: usize,
    /// Number of labels with intensities outside 0 to 5, which were clamped.
    pub off_scale: usize,
    /// The first of these labels: table, line, column and value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_off_scale: Option<String>,
    /// Numbers of unsupported pictures and films, by extension.
    pub skipped: BTreeMap<String, usize>,
    /// Numbers of skipped photos, by reason.
    pub dropped: BTreeMap<Reason, usize>,
    /// All skipped photos with their reasons.
    pub dropped_photos: BTreeMap<String, Drop>,
}

/// Writes all files except the faces.
pub(super) fn finish(
    config: &PrepareConfig,
    source: Source<'_>,
    (photos, skipped): (&[Photo], BTreeMap<String, usize>),
    outcomes: &[Outcome],
) -> Result<PrepareReport> {
    let mut report = PrepareReport {
        photos: photos.len(),
        train: 0,
        test: 0,
        grey: 0,
        enlarged: 0,
        guessed: 0,
        landmarks: 0,
        off_scale: 0,
        first_off_scale: None,
        skipped,
        dropped: BTreeMap::new(),
        dropped_photos: BTreeMap::new(),
    };
    let mut labels = Labels::new();
    let (mut faces, mut known) = (Vec::new(), Vec::new());
    for (photo, outcome) in photos.iter().zip(outcomes) {
        match outcome {
            Outcome::Face {
                intensities,
                grey,
                enlarged,
                guessed,
                landmarks,
                off_scale,
            } => {
                report.off_scale += usize::from(off_scale.is_some());
                report.first_off_scale = report.first_off_scale.or_else(|| off_scale.clone());
                labels.insert(photo.id.clone(), intensities.map(decimal).to_vec());
                faces.push(photo.id.as_str());
                report.grey += usize::from(*grey);
                report.enlarged += usize::from(*enlarged);
                report.guessed += usize::from(*guessed);
                // The number of points is checked, because a user may have edited the journal.
                if let Some(points) = landmarks
                    .as_deref()
                    .and_then(|points| <&Points>::try_from(points).ok())
                {
                    known.push((photo.id.as_str(), points.map(|point| point.map(decimal))));
                }
            }
            Outcome::Dropped(dropped) => {
                *report.dropped.entry(dropped.reason).or_default() += 1;
                report
                    .dropped_photos
                    .insert(photo.path.display().to_string(), dropped.clone());
            }
        }
    }
    if faces.is_empty() {
        let most = report.dropped.iter().max_by_key(|(_, count)| **count);
        return Err(Error::NothingPrepared {
            photos: photos.len(),
            reason: most.map_or("", |(reason, _)| reason.text()),
        });
    }
    let held_out = match source {
        Source::Frames(_) => last(&faces, config.test_share),
        Source::Tables(_) | Source::Estimator(..) => by_seed(&faces, config.test_share, config.seed),
    };
    report.test = held_out.iter().filter(|held| **held).count();
    report.train = faces.len() - report.test;
    report.landmarks = known.len();

    let list = |test: bool| {
        let chosen = faces.iter().zip(&held_out).filter(|(_, held)| **held == test);
        let name = |id: &str| {
            picture_path(config, id)
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        };
        chosen.map(|(id, _)| name(id) + "\n").collect::<String>()
    };
    write_whole(
        &config.output.join(Split::Train.file_name()),
        list(false).as_bytes(),
    )?;
    write_whole(
        &config.output.join(Split::Test.file_name()),
        list(true).as_bytes(),
    )?;
    write_labels(config.output.join("aus_openface.pkl"), &labels)?;
    write_whole(&config.output.join("aus_openface.csv"), &table_to_bytes(&labels))?;
    if !known.is_empty() {
        let table = landmarks::landmarks_to_bytes(known.iter().map(|(id, points)| (*id, points)));
        write_whole(&config.output.join(LANDMARKS_FILE), &table)?;
    }
    let mut json = serde_json::to_vec_pretty(&report).unwrap_or_default(); // plain structures cannot fail
    json.push(b'\n');
    write_whole(&config.output.join("report.json"), &json)?;
    Ok(report)
}

/// The shortest decimal number that identifies this `f32`, as `f64`: 1.27, not 1.2699999809.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| value.into())
}

/// Holds out faces by a hash of seed and id, so that a face stays in its part when photos are added. Each part gets at
/// least one face if both are requested and there are two faces.
fn by_seed(ids: &[&str], share: f64, seed: u64) -> Vec<bool> {
    let hashes: Vec<u64> = ids.iter().map(|id| hash(seed, id)).collect();
    let mut held: Vec<bool> = hashes
        .iter()
        .map(|&hash| (hash as f64) < share * u64::MAX as f64)
        .collect();
    if share > 0.0 && share < 1.0 && ids.len() > 1 {
        let at = |extreme: Option<(usize, &u64)>| extreme.map_or(0, |(at, _)| at);
        let ranked = || hashes.iter().enumerate();
        if !held.contains(&true) {
            held[at(ranked().min_by_key(|(_, hash)| **hash))] = true;
        } else if !held.contains(&false) {
            held[at(ranked().max_by_key(|(_, hash)| **hash))] = false;
        }
    }
    held
}

/// Holds out the end of a video, because neighbouring frames are too similar for different parts.
fn last(ids: &[&str], share: f64) -> Vec<bool> {
    let most = if share > 0.0 && share < 1.0 {
        ids.len() - 1
    } else {
        ids.len()
    };
    let least = usize::from(share > 0.0).min(most);
    #[allow(clippy::cast_possible_truncation, reason = "a share of a count")]
    #[allow(clippy::cast_sign_loss, reason = "a share of a count")]
    let count = ((ids.len() as f64 * share).round() as usize).clamp(least, most);
    (0..ids.len()).map(|at| at >= ids.len() - count).collect()
}

/// FNV-1a with the final mixing of SplitMix64: the same result on every machine and in every version.
fn hash(seed: u64, id: &str) -> u64 {
    let bytes = seed.to_le_bytes().into_iter().chain(id.bytes());
    let mut mixed = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_held_out_and_a_face_stays_on_its_side() {
        let ids: Vec<String> = (0..2_000).map(|i| format!("face_{i}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let all = by_seed(&ids, 0.1, 7);
        let count = all.iter().filter(|held| **held).count();
        assert!((150..250).contains(&count), "{count} of 2000");
        assert_eq!(by_seed(&ids[..500], 0.1, 7), all[..500]);
        assert_ne!(by_seed(&ids, 0.1, 8), all);
        assert_eq!(
            by_seed(&ids[..2], 0.000_1, 7)
                .iter()
                .filter(|held| **held)
                .count(),
            1
        );
        assert_eq!(
            by_seed(&ids[..2], 0.999_9, 7)
                .iter()
                .filter(|held| **held)
                .count(),
            1
        );
        assert!(!by_seed(&ids, 0.0, 7).contains(&true));
    }

    #[test]
    fn the_end_of_a_video_is_held_out() {
        let ids = ["a", "b", "c", "d"];
        assert_eq!(last(&ids, 0.25), [false, false, false, true]);
        assert_eq!(last(&ids, 0.01), [false, false, false, true]);
        assert_eq!(last(&ids, 0.99), [false, true, true, true]);
        assert_eq!(last(&ids, 0.0), [false; 4]);
    }

    #[test]
    fn labels_keep_the_decimals_of_the_table() {
        assert_eq!(decimal(1.27), 1.27);
        assert_eq!(decimal(0.1), 0.1);
    }
}
