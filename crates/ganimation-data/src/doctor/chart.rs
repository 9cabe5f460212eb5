//! The report as a picture: a histogram for each action unit, and their balance.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use super::units::BINS;
use super::{Example, Report, Unit};
use crate::au::{ACTIVE_INTENSITY, MAX_INTENSITY};
use crate::sheet::draw_text;

/// Panels per row.
const COLUMNS: u32 = 6;
/// Size of a panel in pixels, with the space around it.
const PANEL: (u32, u32) = (250, 170);
/// Space around a panel's contents.
const MARGIN: u32 = 12;
/// Height of the two lines of text of a panel.
const TEXT: u32 = 26;
/// Height of the text line below all panels.
const FOOT: u32 = 24;
/// Width of a character of [`draw_text`].
const CHARACTER: u32 = 8;

const GROUND: Rgb<u8> = Rgb([32, 34, 38]);
const AXIS: Rgb<u8> = Rgb([90, 94, 102]);
/// Faces that do not show the action unit.
const ABSENT: Rgb<u8> = Rgb([104, 120, 150]);
/// Faces that show the action unit.
const SHOWN: Rgb<u8> = Rgb([240, 160, 60]);

/// Draws histograms of all action units, a chart of the fractions of faces that show them, and some faces with their
/// landmarks, if there are any.
///
/// Heights are proportional to the square root of the number of faces. Otherwise the large number of faces at 0 would
/// hide the others.
pub fn draw(report: &Report) -> RgbImage {
    let charts = u32::try_from(report.units.len()).unwrap_or(u32::MAX) + 1;
    let examples = &report.landmarks.examples;
    let panels = charts + u32::try_from(examples.len()).unwrap_or(u32::MAX);
    let (width, height) = (COLUMNS * PANEL.0, panels.div_ceil(COLUMNS) * PANEL.1 + FOOT);
    let mut picture = RgbImage::from_pixel(width, height, GROUND);
    for (at, unit) in (0..).zip(&report.units) {
        histogram(&mut picture, corner(at), unit);
    }
    balance(&mut picture, corner(charts - 1), &report.units);
    for (at, example) in (charts..).zip(examples) {
        face(&mut picture, corner(at), example);
    }
    let foot = format!(
        "{} + {} faces. Intensity 0 to {MAX_INTENSITY} from left to right, bright: shown (above {ACTIVE_INTENSITY}). \
         Heights: square root of the number of faces.",
        report.train, report.test
    );
    draw_text(&mut picture, &foot, MARGIN, height - FOOT + 6);
    picture
}

/// The top left corner of a panel's contents.
fn corner(panel: u32) -> (u32, u32) {
    let (column, row) = (panel % COLUMNS, panel / COLUMNS);
    (column * PANEL.0 + MARGIN, row * PANEL.1 + MARGIN)
}

fn histogram(picture: &mut RgbImage, corner: (u32, u32), unit: &Unit) {
    let (x, y) = corner;
    draw_text(picture, &format!("{} {}", unit.code, unit.name), x, y);
    let shown = unit.shown * 100.0;
    draw_text(
        picture,
        &format!("shown {shown:.1} %  mean {:.2}", unit.mean),
        x,
        y + 12,
    );
    let most = unit.histogram.iter().copied().max().unwrap_or(0).max(1) as f32;
    let bars = unit.histogram.map(|count| (count as f32 / most).sqrt());
    // The bin with its lower edge at the threshold is the first bin of faces that show the unit.
    let first_shown = ACTIVE_INTENSITY / MAX_INTENSITY * BINS as f32;
    draw_bars(picture, corner, &bars, |bin| bin as f32 + 0.5 > first_shown);
}

/// The fraction of faces that show each action unit, on one scale.
fn balance(picture: &mut RgbImage, corner: (u32, u32), units: &[Unit]) {
    let (x, y) = corner;
    let most = units
        .iter()
        .map(|unit| unit.shown)
        .fold(0.0, f32::max)
        .max(f32::MIN_POSITIVE);
    draw_text(picture, "balance: shown, by unit", x, y);
    draw_text(picture, &format!("full height {:.1} %", most * 100.0), x, y + 12);
    let bars: Vec<_> = units.iter().map(|unit| (unit.shown / most).sqrt()).collect();
    draw_bars(picture, corner, &bars, |_| true);
}

/// A face with a dot on each landmark. Landmarks outside the picture are drawn outside it.
fn face(picture: &mut RgbImage, (x, y): (u32, u32), example: &Example) {
    const SIDE: u32 = PANEL.1 - 2 * MARGIN - CHARACTER - 4;
    const DOT: i64 = 1;
    draw_text(picture, &example.id, x, y);
    let top = y + CHARACTER + 4;
    let left = x + (PANEL.0 - 2 * MARGIN - SIDE) / 2;
    let small = imageops::resize(&example.picture, SIDE, SIDE, FilterType::Triangle);
    imageops::replace(picture, &small, left.into(), top.into());
    for point in &example.points {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "landmarks lie within half a side of the picture"
        )]
        let [across, down] = point.map(|share| (share * SIDE as f32).round() as i64);
        let corner = (i64::from(left) + across - DOT, i64::from(top) + down - DOT);
        let inside = |at: i64, first: u32, side: u32| {
            let at = u32::try_from(at).ok()?;
            (first..first + side - 2 * MARGIN).contains(&at).then_some(at)
        };
        let corner = (inside(corner.0, x, PANEL.0), inside(corner.1, y, PANEL.1));
        if let (Some(x), Some(y)) = corner {
            fill(picture, (x, y), (2, 2), SHOWN);
        }
    }
}

/// Draws bars with heights from 0 to 1 above an axis in a panel.
fn draw_bars(picture: &mut RgbImage, (x, y): (u32, u32), bars: &[f32], shown: impl Fn(usize) -> bool) {
    let (width, height) = (PANEL.0 - 2 * MARGIN, PANEL.1 - 2 * MARGIN - TEXT - CHARACTER);
    let floor = y + TEXT + height;
    let step = width / u32::try_from(bars.len().max(1)).unwrap_or(u32::MAX);
    for ((at, bar), left) in bars.iter().enumerate().zip((x..).step_by(step.max(1) as usize)) {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "a height in pixels, clamped to the panel"
        )]
        #[allow(clippy::cast_sign_loss, reason = "a height in pixels, clamped to the panel")]
        let tall = (bar.clamp(0.0, 1.0) * height as f32).ceil() as u32;
        let color = if shown(at) { SHOWN } else { ABSENT };
        fill(
            picture,
            (left, floor - tall),
            (step.saturating_sub(1).max(1), tall),
            color,
        );
    }
    fill(picture, (x, floor), (width, 1), AXIS);
}

fn fill(picture: &mut RgbImage, (x, y): (u32, u32), (width, height): (u32, u32), color: Rgb<u8>) {
    for y in y..y + height {
        for x in x..x + width {
            if let Some(pixel) = picture.get_pixel_mut_checked(x, y) {
                *pixel = color;
            }
        }
    }
}
