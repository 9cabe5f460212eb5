//! The findings of a report, most severe first.

use std::fmt;

use serde::Serialize;

use super::{Examination, Report};

/// With fewer training faces than this, a good network is unlikely.
const FEW_FACES: usize = 10_000;
/// An action unit is rare if a smaller fraction of faces shows it.
const RARE: f32 = 0.02;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Training would not start, or would fail.
    Error,
    /// Training runs, but the data is probably not as intended.
    Warning,
    /// Useful information.
    Note,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its severity.
    pub severity: Severity,
    /// A description in one line.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        write!(f, "{severity}: {}", self.text)
    }
}

/// All findings of a report.
pub(super) fn find(report: &Report, examination: &Examination) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |severity, text: String| findings.push(Finding { severity, text });
    soundness(report, examination, &mut add);
    looks(report, examination, &mut add);
    labels(report, &mut add);
    landmarks(report, &mut add);
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// Problems that prevent training or stop it.
fn soundness(report: &Report, examination: &Examination, add: &mut dyn FnMut(Severity, String)) {
    if let Some(first) = report.problems.first() {
        let count = report.problems.len();
        add(
            Severity::Error,
            format!(
                "{count} listed face(s) are not sound (with --skip-bad, training skips them); the first: {first}"
            ),
        );
    }
    if let Some(first) = report.pictures.unreadable.first() {
        let count = report.pictures.unreadable.len();
        let reason = &first.reason;
        add(
            Severity::Error,
            format!(
                "{count} picture(s) cannot be read (with --skip-bad, training skips them); the first: {reason}"
            ),
        );
    }
    if report.batches_per_epoch == 0 {
        let (faces, batch) = (report.train, examination.batch_size);
        add(
            Severity::Error,
            format!("{faces} face(s) to train on do not fill a batch of {batch}"),
        );
    } else if report.train < FEW_FACES {
        add(
            Severity::Warning,
            format!(
                "{} faces to train on are few; expect little below {FEW_FACES}",
                report.train
            ),
        );
    }
    if report.test == 0 {
        add(
            Severity::Warning,
            "no faces are held out, so generalisation to other faces cannot be measured".to_owned(),
        );
    }
}

/// Findings about the pictures.
fn looks(report: &Report, examination: &Examination, add: &mut dyn FnMut(Severity, String)) {
    let pictures = &report.pictures;
    if let Some(first) = pictures.grey.first() {
        let count = pictures.grey.len();
        add(
            Severity::Warning,
            format!("{count} picture(s) have no colour, such as `{first}`"),
        );
    }
    if let Some(first) = pictures.duplicates.first() {
        let (groups, extra) = (
            pictures.duplicates.len(),
            pictures
                .duplicates
                .iter()
                .map(|group| group.len() - 1)
                .sum::<usize>(),
        );
        let example = first
            .iter()
            .take(2)
            .map(|id| format!("`{id}`"))
            .collect::<Vec<_>>()
            .join(" and ");
        add(
            Severity::Warning,
            format!(
                "{extra} picture(s) repeat others, pixel by pixel, in {groups} group(s), such as {example}"
            ),
        );
    }
    if pictures.leaks > 0 {
        add(
            Severity::Warning,
            format!(
                "{} picture(s) to train on are held out too under another name: held-out scores will be too good",
                pictures.leaks
            ),
        );
    }
    let side = examination.image_size;
    let others = || {
        pictures
            .sizes
            .iter()
            .filter(move |size| (size.width, size.height) != (side, side))
    };
    let resized: usize = others().map(|size| size.count).sum();
    if resized > 0 {
        add(
            Severity::Note,
            format!("{resized} picture(s) are not {side} x {side} pixels and will be cut and resized"),
        );
    }
    let small: usize = others()
        .filter(|size| size.width.min(size.height) < side)
        .map(|size| size.count)
        .sum();
    if small > 0 {
        add(
            Severity::Warning,
            format!("{small} picture(s) are smaller than {side} pixels and will be blurred"),
        );
    }
    for (what, ids) in [
        ("picture(s)", &report.unlisted_pictures),
        ("label(s)", &report.unlisted_labels),
    ] {
        if let Some(first) = ids.first() {
            let count = ids.len();
            add(
                Severity::Note,
                format!("{count} {what} stand in no list, such as `{first}`"),
            );
        }
    }
}

/// Findings about the landmarks. Only the motion network needs landmarks.
fn landmarks(report: &Report, add: &mut dyn FnMut(Severity, String)) {
    let (landmarks, faces) = (&report.landmarks, report.train + report.test);
    if landmarks.known == 0 {
        add(
            Severity::Note,
            "no face has landmarks (landmarks.csv); the motion network needs them for training".to_owned(),
        );
    } else if landmarks.known < faces {
        add(
            Severity::Note,
            format!(
                "{} face(s) have no landmarks: the motion network is not trained on them",
                faces - landmarks.known
            ),
        );
    }
    if let Some(first) = landmarks.implausible.first() {
        add(
            Severity::Warning,
            format!(
                "{} face(s) have landmarks that are not those of an upright face, such as `{first}`",
                landmarks.implausible.len()
            ),
        );
    }
}

/// Findings about the labels.
fn labels(report: &Report, add: &mut dyn FnMut(Severity, String)) {
    if report.train + report.test == 0 {
        return;
    }
    let units = &report.units;
    let out: usize = units.iter().map(|unit| unit.out_of_range).sum();
    if out > 0 {
        let codes: Vec<_> = units
            .iter()
            .filter(|unit| unit.out_of_range > 0)
            .map(|unit| unit.code)
            .collect();
        add(
            Severity::Warning,
            format!("{out} intensities lie outside 0 to 5 ({})", codes.join(", ")),
        );
    }
    if units.iter().all(|unit| unit.max <= 1.0) {
        add(
            Severity::Warning,
            "no intensity is above 1: were the labels divided by 5? They must be 0 to 5".to_owned(),
        );
    }
    let rare: Vec<_> = units
        .iter()
        .filter(|unit| unit.shown < RARE)
        .map(|unit| format!("{} {:.1} %", unit.code, unit.shown * 100.0))
        .collect();
    if !rare.is_empty() {
        add(
            Severity::Warning,
            format!(
                "few faces show {}: edits of these action units will be weak; --balance draws rare ones more often",
                rare.join(", ")
            ),
        );
    }
}
