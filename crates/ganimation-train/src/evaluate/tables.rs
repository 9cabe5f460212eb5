//! The numbers of a scorecard as tables. Each is compared with the number of an editor that does nothing.

use std::fmt;

use super::{Region, RequestScore, Scorecard, Scores, UnitAgreement};

/// A table of numbers and how to read it.
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) note: String,
    pub(super) header: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

fn number(value: f64) -> String {
    match value {
        value if value.is_nan() => "–".to_owned(),
        value => format!("{value:.2}"),
    }
}

/// Small shares: pixel errors, masks.
fn percent(value: f64) -> String {
    match value {
        value if value.is_nan() => "–".to_owned(),
        value => format!("{:.2} %", 100.0 * value),
    }
}

/// Shares of faces.
fn share(value: f64) -> String {
    match value {
        value if value.is_nan() => "–".to_owned(),
        value => format!("{:.0} %", 100.0 * value),
    }
}

fn level(value: f64) -> String {
    format!("{value:.0}")
}

fn row_of_numbers(values: &[f64]) -> String {
    let numbers: Vec<String> = values.iter().map(|value| number(*value)).collect();
    numbers.join(" ")
}

/// The heading of columns with the scores of an editor that does nothing.
pub(super) const NOTHING: &str = "do nothing";

/// A number of the editor, and the same number of an editor that does nothing.
fn beside(show: fn(f64) -> String, values: [f64; 2]) -> [String; 2] {
    values.map(show)
}

/// Every table of the scorecard, in the order of the page.
pub(super) fn tables(card: &Scorecard) -> Vec<Table> {
    let mut tables = vec![
        summary(card),
        requests(card),
        removal(card),
        expressions(card),
        curves(card),
    ];
    tables.extend(photos(card));
    tables.push(units(card));
    tables
}

/// Both editors' scores of the same thing.
fn both<'a, T: 'a>(card: &'a Scorecard, of: fn(&Scores) -> &[T]) -> impl Iterator<Item = [&'a T; 2]> {
    let [done, nothing] = [&card.scores, &card.nothing].map(of);
    done.iter().zip(nothing).map(|(done, nothing)| [done, nothing])
}

fn requests(card: &Scorecard) -> Table {
    let rows = both(card, |scores| &scores.requests).map(|pair: [&RequestScore; 2]| {
        let mut row = vec![pair[0].units.join(" + "), pair[0].faces.to_string()];
        row.extend(beside(number, pair.map(|request| request.mean_rise)));
        row.extend(beside(share, pair.map(|request| request.share_risen)));
        row.extend(beside(number, pair.map(|request| request.leakage)));
        row
    });
    Table {
        title: "Adding an action unit: target 3 where it was absent",
        note: "On faces whose label is below 0.5; the other action units keep their values. Rise: the estimate after the \
        edit minus the estimate before, on the same face. Leakage: mean absolute change of the other action units."
            .to_owned(),
        header: vec![
            "target",
            "faces",
            "mean rise",
            NOTHING,
            "faces rising by 0.5",
            NOTHING,
            "leakage",
            NOTHING,
        ],
        rows: rows.collect(),
    }
}

fn removal(card: &Scorecard) -> Table {
    let rows = both(card, |scores| &scores.removal).map(|pair| {
        let mut row = vec![
            pair[0].units.join(" + "),
            pair[0].faces.to_string(),
            number(pair[0].before),
        ];
        row.extend(beside(number, pair.map(|removal| removal.mean_fall)));
        row.extend(beside(share, pair.map(|removal| removal.share_gone)));
        row
    });
    Table {
        title: "Removing an action unit: target 0 where it was present",
        note: "On faces where the AU regressor estimates more than 1.5; the other action units keep their values. Fall: \
        the estimate before the edit minus the estimate after, on the same face."
            .to_owned(),
        header: vec![
            "target",
            "faces",
            "estimate before",
            "mean fall",
            NOTHING,
            "faces ending under 0.5",
            NOTHING,
        ],
        rows: rows.collect(),
    }
}

fn expressions(card: &Scorecard) -> Table {
    let rows = both(card, |scores| &scores.expressions).map(|pair| {
        let mut row = vec![pair[0].name.to_owned(), pair[0].faces.to_string()];
        row.extend(beside(number, pair.map(|score| score.detail)));
        row.extend(beside(number, pair.map(|score| score.color)));
        row.extend(beside(number, pair.map(|score| score.luminance)));
        row.extend(beside(number, pair.map(|score| score.chroma)));
        row
    });
    let [left, right] = card.regions.eyes.map(Corners);
    Table {
        title: "What people see: detail and colour",
        note: format!(
            "Kept detail: mean absolute Laplacian of the luminance after the edit divided by that before the edit, over \
            pixels where a colour changes by more than 2 levels and pixels within 2 pixels of them; mean over faces. Colour \
            of the change: mean length of the change of (Cb, Cr) divided by the mean absolute change of Y, in YCbCr, outside \
            the rectangles of mouth and eyes (eyes {left} and {right}); both are also given in levels of 255."
        ),
        header: vec![
            "expression",
            "faces",
            "kept detail",
            NOTHING,
            "colour of the change",
            NOTHING,
            "luminance",
            NOTHING,
            "chroma",
            NOTHING,
        ],
        rows: rows.collect(),
    }
}

fn curves(card: &Scorecard) -> Table {
    let rows = both(card, |scores| &scores.curve.units).map(|pair| {
        let mut row = vec![pair[0].units.join(" + ")];
        row.extend(beside(number, pair.map(|curve| curve.correlation)));
        row.extend(beside(number, pair.map(|curve| curve.largest_step_pixels)));
        row.extend(beside(number, pair.map(|curve| curve.largest_step_reading)));
        let whole = |read: &[f64]| read.iter().copied().step_by(4).collect::<Vec<_>>();
        row.extend(pair.map(|curve| row_of_numbers(&whole(&curve.read))));
        row
    });
    Table {
        title: "Response curve",
        note: format!(
            "Targets from 0 to 5 in steps of 0.25 on {} faces; the other action units keep their values. Correlation: \
            Pearson's correlation of target and estimate on each face, mean over faces. Largest step: the largest absolute \
            change from one intensity to the next, divided by the mean change; mean over faces. 1 is even, 20 is one jump.",
            card.scores.curve.faces
        ),
        header: vec![
            "target",
            "r within a face",
            NOTHING,
            "largest step, pixels",
            NOTHING,
            "largest step, estimate",
            NOTHING,
            "estimate at 0 1 2 3 4 5",
            NOTHING,
        ],
        rows: rows.collect(),
    }
}

fn photos(card: &Scorecard) -> Option<Table> {
    let photos = card.photos.as_ref()?;
    let nothing = &photos.nothing;
    let named = photos.photos.iter().map(|photo| {
        let widths: Vec<String> = photo.faces.iter().map(u32::to_string).collect();
        let size = format!("{} x {}", photo.width, photo.height);
        ([photo.file.clone(), size, widths.join(" ")], &photo.scores)
    });
    let mean = ["all".to_owned(), String::new(), String::new()];
    let rows = named.chain([(mean, &photos.scores)]).map(|(names, scores)| {
        let mut row = names.to_vec();
        for pair in scores.expressions.iter().zip(&nothing.expressions) {
            let pair = [pair.0, pair.1];
            row.extend(beside(number, pair.map(|score| score.detail)));
            row.extend(beside(number, pair.map(|score| score.color)));
        }
        row.extend([scores, nothing].map(|scores| scores.largest_level.to_string()));
        row
    });
    Some(Table {
        title: "Whole photos",
        note: "Photos are edited as the program edits them and measured at their full resolution. All faces get the \
        expression's action units; the other action units keep their estimates. Detail and colour as above, colour in \
        the faces' boxes. No change requested: the largest change of any colour of any pixel, in levels of 255."
            .to_owned(),
        header: vec![
            "photo",
            "pixels",
            "faces' widths",
            "smile: kept detail",
            NOTHING,
            "smile: colour",
            NOTHING,
            "surprise: kept detail",
            NOTHING,
            "surprise: colour",
            NOTHING,
            "no change requested: largest change",
            NOTHING,
        ],
        rows: rows.collect(),
    })
}

fn units(card: &Scorecard) -> Table {
    let row = |(unit, sweep): (&&'static str, &super::UnitSweep)| {
        let (reading, target) = (
            card.reading.units.get(unit)?,
            card.scores.targets.units.get(unit)?,
        );
        let targets: [&UnitAgreement; 2] = [target, card.nothing.targets.units.get(unit)?];
        let sweeps = [sweep, card.nothing.sweep.units.get(unit)?];
        let mut row = vec![
            (*unit).to_owned(),
            number(reading.correlation),
            number(reading.error),
            number(reading.deviation),
        ];
        row.extend(beside(number, targets.map(|target| target.correlation)));
        row.extend(beside(number, targets.map(|target| target.error)));
        row.extend(beside(number, sweeps.map(|sweep| sweep.pooled_correlation)));
        row.extend(beside(number, sweeps.map(|sweep| sweep.face_correlation)));
        row.extend(sweeps.map(|sweep| row_of_numbers(&sweep.read)));
        row.extend(beside(number, sweeps.map(|sweep| sweep.leakage)));
        Some(row)
    };
    Table {
        title: "By action unit",
        note: format!(
            "Regressor: the AU regressor's estimates on unedited faces compared with their labels (Pearson's correlation; \
            mean absolute error; mean absolute deviation of the labels, which is the error of predicting the mean). Random \
            targets: labels of other faces as targets, compared with estimates. Sweep: targets from 0 to 5 on {} faces, \
            Spearman's correlation of target and estimate pooled over all faces, and its mean over faces; mean estimate at \
            0 to 5; leakage at 3.",
            card.scores.sweep.faces
        ),
        header: vec![
            "unit",
            "regressor r",
            "regressor error",
            "deviation",
            "targets r",
            NOTHING,
            "targets error",
            NOTHING,
            "sweep pooled",
            NOTHING,
            "sweep per face",
            NOTHING,
            "estimate at 0 1 2 3 4 5",
            NOTHING,
            "leakage",
            NOTHING,
        ],
        rows: card.scores.sweep.units.iter().filter_map(row).collect(),
    }
}

/// A line of the summary: its name, its format, and its value in the scores.
type Line = (&'static str, fn(f64) -> String, fn(&Scores) -> f64);

const LINES: [Line; 21] = [
    ("random targets, target and estimate: correlation", number, |s| {
        s.targets.mean_correlation
    }),
    (
        "random targets, target and estimate: mean error, of 5",
        number,
        |s| s.targets.mean_error,
    ),
    ("sweep 0 to 5: rank correlation, pooled", number, |s| {
        s.sweep.mean_pooled_correlation
    }),
    ("sweep 0 to 5: rank correlation, mean per face", number, |s| {
        s.sweep.mean_face_correlation
    }),
    ("no change requested (self-edit): pixel error", percent, |s| {
        s.self_edit.pixel_error
    }),
    (
        "no change requested: mean change of estimates, of 5",
        number,
        |s| s.self_edit.reading_change,
    ),
    (
        "no change requested: largest change of any pixel, levels",
        level,
        |s| s.self_edit.largest_level.into(),
    ),
    (
        "no change requested: faces without a pixel change above 2 levels",
        share,
        |s| s.self_edit.share_within_two_levels,
    ),
    ("cycle: pixel error", percent, |s| s.cycle_error),
    ("smile: mean 1 - A at the mouth", percent, |s| s.attention.mouth),
    ("smile: mean 1 - A in the corners", percent, |s| {
        s.attention.corners
    }),
    ("smile: mean 1 - A", percent, |s| s.attention.mean),
    ("smile: pixels with 1 - A above 0.1", percent, |s| {
        s.attention.coverage
    }),
    ("smile: faces whose largest 1 - A is under 0.1", percent, |s| {
        s.attention.dead
    }),
    (
        "pixel change outside mouth and brows, random targets",
        percent,
        |s| s.identity.outside,
    ),
    ("the same inside", percent, |s| s.identity.inside),
    ("pixel change outside mouth and brows, smile", percent, |s| {
        s.identity.outside_smile
    }),
    (
        "regressor's features, unedited to edited face (proxy for identity): cosine distance",
        number,
        |s| s.identity.feature_distance,
    ),
    (
        "regressor's features, one face to another person's: cosine distance",
        number,
        |s| s.identity.feature_distance_stranger,
    ),
    ("Fréchet distance, real to edited", fine, |s| s.frechet.distance),
    (
        "Fréchet distance, half of the real to the other half",
        fine,
        |s| s.frechet.real_halves,
    ),
];

/// Small distances.
fn fine(value: f64) -> String {
    match value {
        value if value.is_nan() => "–".to_owned(),
        value => format!("{value:.4}"),
    }
}

fn summary(card: &Scorecard) -> Table {
    let reader = |what: &str, value| {
        let [value, same] = beside(number, [value; 2]);
        vec![what.to_owned(), value, same]
    };
    let mut rows = vec![
        reader(
            "AU regressor on unedited faces: correlation",
            card.reading.mean_correlation,
        ),
        reader(
            "AU regressor on unedited faces: mean error, of 5",
            card.reading.mean_error,
        ),
    ];
    rows.extend(LINES.map(|(what, show, of)| {
        let [value, nothing] = beside(show, [&card.scores, &card.nothing].map(of));
        vec![what.to_owned(), value, nothing]
    }));
    Table {
        title: "Summary",
        note: format!(
            "{} held-out faces of {} pixels, {} edits. Pixel errors are fractions of the value range. Rectangles, as \
            fractions of the crop: mouth {}, brows and eyes {}, corners one eighth of the side. The Fréchet distance uses \
            features of the AU regressor ({} per face). It is not the FID, and can only be compared with distances for the \
            same regressor and faces. {}",
            card.faces,
            card.image_size,
            card.edits,
            Corners(card.regions.mouth),
            Corners(card.regions.brows),
            card.scores.frechet.features,
            card.identity_note
        ),
        header: vec!["score", "value", NOTHING],
        rows,
    }
}

/// A rectangle as `x 0.22–0.78, y 0.60–0.96`.
struct Corners(Region);

impl fmt::Display for Corners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Region {
            left,
            top,
            right,
            bottom,
        } = self.0;
        write!(f, "x {left:.2}–{right:.2}, y {top:.2}–{bottom:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_of_nothing_is_a_dash() {
        assert_eq!(
            (number(f64::NAN), percent(f64::NAN)),
            ("–".to_owned(), "–".to_owned())
        );
        assert_eq!(
            (number(1.006), percent(0.0123)),
            ("1.01".to_owned(), "1.23 %".to_owned())
        );
    }
}
