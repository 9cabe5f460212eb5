//! Pixel changes of an edit, measured on two pictures of any size: the photo and the result.

use image::{Rgb, RgbImage};

use super::Region;

/// An edit affects a pixel if one of its colours changes by more than this many levels of 255.
const UNCHANGED: u8 = 2;
/// The affected area is extended by this many pixels on every side, because detail is also lost near changed pixels.
const MARGIN: usize = 2;

/// The fraction of fine detail that an edit keeps: the mean absolute Laplacian of the luminance in `after` divided by
/// that in `before`, over the pixels that the edit affects.
///
/// The Laplacian is the sum of the four neighbours minus four times the pixel; the picture's border is repeated. An
/// edit affects the pixels where a colour changes by more than 2 levels, and the pixels within 2 pixels of them. The
/// result is 1 if no pixel is affected, below 1 if the edit blurs, above 1 if it adds edges, and infinite if `before`
/// is flat there.
///
/// # Panics
/// If the pictures differ in size.
pub fn kept_detail(before: &RgbImage, after: &RgbImage) -> f64 {
    check_sizes(before, after);
    let reached = reached(before, after);
    let [detail_before, detail_after] = [before, after].map(|picture| {
        let detail = laplacian(picture);
        let reached = detail.iter().zip(&reached).filter(|(_, reached)| **reached);
        reached.map(|(detail, _)| f64::from(*detail)).sum::<f64>()
    });
    match (detail_before, detail_after) {
        (0.0, 0.0) => 1.0,
        (before, after) => after / before,
    }
}

/// The luminance and colour parts of a change.
///
/// YCbCr as in JPEG (BT.601, all 255 levels).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ColorChange {
    /// Mean absolute change of Y, in levels.
    pub luminance: f64,
    /// Mean length of the change of (Cb, Cr), in levels.
    pub chroma: f64,
}

impl ColorChange {
    /// Chroma part divided by luminance part; 0 if nothing changes.
    pub fn ratio(self) -> f64 {
        match self.chroma {
            0.0 => 0.0,
            chroma => chroma / self.luminance,
        }
    }
}

/// Measures the change from `before` to `after` outside the rectangles `except`, in luminance and in chroma. Moving
/// skin mainly changes luminance; wrong skin colours change chroma.
///
/// Pixels where no colour changes by more than 2 levels count as unchanged, because rounding changes chroma as much as
/// luminance.
///
/// # Panics
/// If the pictures differ in size.
pub fn color_change(before: &RgbImage, after: &RgbImage, except: &[Region]) -> ColorChange {
    check_sizes(before, after);
    let (width, height) = (f64::from(before.width()), f64::from(before.height()));
    let (mut change, mut pixels) = (ColorChange::default(), 0.0);
    for ((x, y, before), after) in before.enumerate_pixels().zip(after.pixels()) {
        let (x, y) = ((f64::from(x) + 0.5) / width, (f64::from(y) + 0.5) / height);
        if except.iter().any(|region| region.holds(x, y)) {
            continue;
        }
        pixels += 1.0;
        if changed(before, after) {
            // The conversion is linear, so it can be applied to the difference.
            let [red, _, blue] = [0, 1, 2].map(|at| f64::from(after[at]) - f64::from(before[at]));
            let luminance = luminance(after) - luminance(before);
            let (cb, cr) = ((blue - luminance) / 1.772, (red - luminance) / 1.402);
            change.luminance += luminance.abs();
            change.chroma += cb.hypot(cr);
        }
    }
    ColorChange {
        luminance: change.luminance / f64::max(pixels, 1.0),
        chroma: change.chroma / f64::max(pixels, 1.0),
    }
}

/// The largest change of any colour of any pixel, in levels of 255.
///
/// # Panics
/// If the pictures differ in size.
pub fn largest_change(before: &RgbImage, after: &RgbImage) -> u8 {
    check_sizes(before, after);
    let levels = before.as_raw().iter().zip(after.as_raw());
    levels
        .map(|(before, after)| before.abs_diff(*after))
        .max()
        .unwrap_or(0)
}

#[track_caller]
fn check_sizes(before: &RgbImage, after: &RgbImage) {
    let [before, after] = [before, after].map(RgbImage::dimensions);
    assert_eq!(
        before, after,
        "a picture of {before:?} pixels became one of {after:?}"
    );
}

/// Y of a pixel, 0 to 255.
fn luminance(pixel: &Rgb<u8>) -> f64 {
    let [red, green, blue] = pixel.0.map(f64::from);
    0.299 * red + 0.587 * green + 0.114 * blue
}

/// The absolute Laplacian of the luminance, row by row.
fn laplacian(picture: &RgbImage) -> Vec<f32> {
    let [width, height] = sides(picture);
    #[expect(clippy::cast_possible_truncation, reason = "levels up to 255 need no f64")]
    let levels: Vec<f32> = picture.pixels().map(|pixel| luminance(pixel) as f32).collect();
    let at = |x: usize, y: usize| levels[y * width + x];
    let mut detail = Vec::with_capacity(levels.len());
    for y in 0..height {
        let (above, below) = (y.saturating_sub(1), (y + 1).min(height - 1));
        for x in 0..width {
            let (left, right) = (x.saturating_sub(1), (x + 1).min(width - 1));
            let around = at(left, y) + at(right, y) + at(x, above) + at(x, below);
            detail.push((around - 4.0 * at(x, y)).abs());
        }
    }
    detail
}

/// Whether a colour changes by more than rounding and noise.
fn changed(before: &Rgb<u8>, after: &Rgb<u8>) -> bool {
    let mut levels = before.0.iter().zip(&after.0);
    levels.any(|(before, after)| before.abs_diff(*after) > UNCHANGED)
}

/// Which pixels the edit affects, row by row.
fn reached(before: &RgbImage, after: &RgbImage) -> Vec<bool> {
    let [width, height] = sides(before);
    let pixels = before.pixels().zip(after.pixels());
    let mut reached: Vec<bool> = pixels.map(|(before, after)| changed(before, after)).collect();
    for row in reached.chunks_exact_mut(width.max(1)) {
        widen(row);
    }
    let mut column = vec![false; height];
    for x in 0..width {
        for (y, reached_here) in column.iter_mut().enumerate() {
            *reached_here = reached[y * width + x];
        }
        widen(&mut column);
        for (y, reached_here) in column.iter().enumerate() {
            reached[y * width + x] = *reached_here;
        }
    }
    reached
}

/// Also marks all places within the margin of a marked place.
fn widen(line: &mut [bool]) {
    let marked: Vec<usize> = (0..line.len()).filter(|&at| line[at]).collect();
    for at in marked {
        let end = (at + MARGIN + 1).min(line.len());
        line[at.saturating_sub(MARGIN)..end].fill(true);
    }
}

fn sides(picture: &RgbImage) -> [usize; 2] {
    [picture.width(), picture.height()].map(|side| side as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stripes two pixels wide, `contrast` levels apart, higher than wide.
    fn stripes(contrast: u8) -> RgbImage {
        RgbImage::from_fn(40, 60, |x, _| {
            Rgb([if x / 2 % 2 == 0 { 100 } else { 100 + contrast }; 3])
        })
    }

    #[test]
    fn half_the_contrast_is_half_the_detail() {
        let found = kept_detail(&stripes(80), &stripes(40));
        assert!((found - 0.5).abs() < 1e-6, "{found}");
        let found = kept_detail(&stripes(40), &stripes(80));
        assert!((found - 2.0).abs() < 1e-6, "{found}");
    }

    #[test]
    fn detail_is_looked_at_where_the_edit_reaches_alone() {
        let (before, mut after) = (stripes(80), stripes(80));
        for y in 20..30 {
            for x in 0..40 {
                after.put_pixel(x, y, Rgb([140; 3]));
            }
        }
        // Ten flat rows. The margin adds two rows on each side; the inner ones touch the edge of the flat rows.
        let found = kept_detail(&before, &after);
        assert!((0.25..0.6).contains(&found), "{found}");
        let mut barely = before.clone();
        barely.pixels_mut().for_each(|pixel| pixel.0[0] += 2);
        assert_eq!(kept_detail(&before, &barely), 1.0, "two levels are not an edit");
    }

    #[test]
    fn an_edit_reaches_two_pixels_beyond_what_it_changes() {
        let before = RgbImage::new(9, 12);
        let mut after = before.clone();
        after.put_pixel(4, 7, Rgb([0, 3, 0]));
        after.put_pixel(0, 0, Rgb([2, 2, 2]));
        let reached = reached(&before, &after);
        for (at, reached) in reached.iter().enumerate() {
            let (x, y) = (at % 9, at / 9);
            assert_eq!(*reached, x.abs_diff(4) <= 2 && y.abs_diff(7) <= 2, "{x}, {y}");
        }
    }

    #[test]
    fn nothing_done_keeps_all_detail_and_has_no_color() {
        let photo = stripes(30);
        assert_eq!(kept_detail(&photo, &photo), 1.0);
        assert_eq!(color_change(&photo, &photo, &[]).ratio(), 0.0);
        assert_eq!(largest_change(&photo, &photo), 0);
    }

    #[test]
    fn a_change_of_brightness_has_no_color() {
        let change = color_change(&stripes(10), &stripes(60), &[]);
        assert!((change.luminance - 25.0).abs() < 1e-9, "{change:?}");
        assert!(change.ratio() < 1e-9, "{change:?}");
    }

    #[test]
    fn a_red_change_is_split_as_jpeg_does() {
        let before = RgbImage::from_pixel(8, 4, Rgb([100; 3]));
        let after = RgbImage::from_pixel(8, 4, Rgb([150, 100, 100]));
        let change = color_change(&before, &after, &[]);
        // Y 0.299, Cb -0.168736, Cr 0.5 of 50 levels
        assert!((change.luminance - 14.95).abs() < 1e-3, "{change:?}");
        assert!(
            (change.chroma - 50.0 * 0.168_736_f64.hypot(0.5)).abs() < 1e-3,
            "{change:?}"
        );
        assert_eq!(largest_change(&before, &after), 50);
    }

    #[test]
    fn two_levels_are_no_change_of_color() {
        let before = RgbImage::from_pixel(8, 4, Rgb([100; 3]));
        let mut after = RgbImage::from_pixel(8, 4, Rgb([102, 98, 101]));
        assert_eq!(color_change(&before, &after, &[]), ColorChange::default());
        after.put_pixel(3, 2, Rgb([103; 3]));
        let change = color_change(&before, &after, &[]);
        assert!((change.luminance - 3.0 / 32.0).abs() < 1e-9, "{change:?}");
    }

    #[test]
    fn color_inside_the_rectangles_does_not_count() {
        let before = RgbImage::from_pixel(100, 50, Rgb([100; 3]));
        let mut after = before.clone();
        for y in 0..50 {
            for x in 0..100 {
                if Region::MOUTH.holds((f64::from(x) + 0.5) / 100.0, (f64::from(y) + 0.5) / 50.0) {
                    after.put_pixel(x, y, Rgb([200, 0, 0]));
                }
            }
        }
        assert_eq!(
            color_change(&before, &after, &[Region::MOUTH]),
            ColorChange::default()
        );
        assert!(color_change(&before, &after, &Region::EYES).chroma > 1.0);
    }

    #[test]
    #[should_panic(expected = "a picture of (8, 4) pixels became one of (4, 8)")]
    fn pictures_of_other_sizes_are_refused() {
        kept_detail(&RgbImage::new(8, 4), &RgbImage::new(4, 8));
    }
}
