//! Source positions of a warp: the pixels around every position, and their weights.

use pulp::{Simd, WithSimd};

use super::{conv::nearest, simd::vectorize};

/// The two pixels around a position along one axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Between {
    pub(super) first: usize,
    /// The pixel after the first; at the border, the first again.
    pub(super) second: usize,
    /// The position between the first and the second, in `[0, 1)`; NaN if the field is NaN.
    pub(super) share: f32,
    /// Derivative of the position, in pixels, with respect to the field; 0 beyond the border.
    pub(super) pace: f32,
}

impl Between {
    /// The gradient of the field, from the gradient of the position.
    #[inline(always)]
    pub(super) fn field_slope(self, slope: f32) -> f32 {
        // No product if the pace is 0, because the slope can be NaN or infinite.
        if self.pace == 0.0 { 0.0 } else { self.pace * slope }
    }
}

/// [`Between`] for the pixels of a row, with one list per field, so that vector instructions can be used.
#[derive(Debug)]
struct Along {
    size: usize,
    /// The positions of the pixels themselves.
    pixels: Vec<f32>,
    first: Vec<u32>,
    second: Vec<u32>,
    share: Vec<f32>,
    pace: Vec<f32>,
}

impl Along {
    /// An axis of `size` pixels, for rows with the positions `pixels`.
    fn new(size: usize, pixels: Vec<f32>) -> Self {
        Self {
            size,
            first: vec![0; pixels.len()],
            second: vec![0; pixels.len()],
            share: vec![0.0; pixels.len()],
            pace: vec![0.0; pixels.len()],
            pixels,
        }
    }

    /// Moves the pixels by `motion`.
    fn locate(&mut self, motion: &[f32]) {
        vectorize(Locate { along: self, motion });
    }

    #[inline(always)]
    fn iter(&self) -> impl Iterator<Item = Between> {
        let pixels = self.first.iter().zip(&self.second);
        let shares = self.share.iter().zip(&self.pace);
        pixels
            .zip(shares)
            .map(|((first, second), (share, pace))| Between {
                first: *first as usize,
                second: *second as usize,
                share: *share,
                pace: *pace,
            })
    }
}

struct Locate<'a> {
    along: &'a mut Along,
    motion: &'a [f32],
}

impl WithSimd for Locate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Along {
            size,
            pixels,
            first,
            second,
            share,
            pace,
        } = self.along;
        let scale = nearest(*size as f64);
        #[allow(clippy::cast_possible_truncation, reason = "no side has 4 billion pixels")]
        let last = size.saturating_sub(1) as u32;
        let end = last as f32;
        let pixels = pixels.iter().zip(self.motion);
        let pairs = first.iter_mut().zip(second);
        let shares = share.iter_mut().zip(pace);
        // Plain loops, which the compiler can vectorise with the available instructions.
        for (((pixel, motion), (first, second)), (share, pace)) in pixels.zip(pairs).zip(shares) {
            let place = pixel + scale * motion;
            let inside = place.clamp(0.0, end); // NaN stays NaN
            #[allow(
                clippy::cast_possible_truncation,
                reason = "rounds down what is in 0..=end; NaN becomes 0"
            )]
            let whole = (inside as u32).min(last);
            *first = whole;
            *second = (whole + 1).min(last);
            *share = inside - whole as f32;
            *pace = if (0.0..=end).contains(&place) { scale } else { 0.0 };
        }
    }
}

/// The source positions of a row's pixels, horizontal and vertical.
#[derive(Debug)]
pub(super) struct Places {
    across: Along,
    down: Along,
}

impl Places {
    /// The source positions for pictures of this size, before [`Self::locate`].
    pub(super) fn new(width: usize, height: usize) -> Self {
        let columns = (0..width).map(|column| column as f32).collect();
        Self {
            across: Along::new(width, columns),
            down: Along::new(height, vec![0.0; width]),
        }
    }

    /// Moves the pixels of a row by their picture's motion, in fractions of its sides: right and down.
    pub(super) fn locate(&mut self, motion: [&[f32]; 2], row: usize) {
        let width = self.across.pixels.len();
        let [right, below] = motion.map(|plane| &plane[row * width..][..width]);
        self.across.locate(right);
        self.down.pixels.fill(row as f32);
        self.down.locate(below);
    }

    #[inline(always)]
    pub(super) fn iter(&self) -> impl Iterator<Item = [Between; 2]> {
        let both = self.across.iter().zip(self.down.iter());
        both.map(|(across, down)| [across, down])
    }

    /// The first and the last row that are read. If there are no pixels, the first is after the last.
    pub(super) fn rows(&self) -> [usize; 2] {
        let start = [self.down.size, 0];
        self.down.iter().fold(start, |[low, high], down| {
            [low.min(down.first), high.max(down.second)]
        })
    }
}
