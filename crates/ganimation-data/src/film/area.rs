//! The part of a frame that differs from the previous frame. An animation only stores this part.

/// A rectangle of a frame, in pixels.
#[derive(Debug, PartialEq)]
pub(super) struct Area {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Area {
    /// The smallest rectangle around all changed pixels. One pixel if no pixel changes, and the whole frame if there is
    /// no previous frame.
    pub(super) fn changed<T: PartialEq>(shown: &[T], next: &[T], width: u32) -> Self {
        let rows = || (0_u32..).zip(next.chunks_exact(width as usize));
        let height = rows().count();
        if shown.len() != next.len() {
            return Self {
                left: 0,
                top: 0,
                width,
                height: u32::try_from(height).unwrap_or(u32::MAX),
            };
        }
        let (mut left, mut right, mut top, mut bottom) = (u32::MAX, 0, u32::MAX, 0);
        for ((y, after), before) in rows().zip(shown.chunks_exact(width as usize)) {
            let differs = |(_, (a, b)): &(u32, (&T, &T))| a != b;
            let pixels = || (0_u32..).zip(after.iter().zip(before));
            let Some((first, _)) = pixels().find(differs) else {
                continue;
            };
            let last = pixels().filter(differs).last().map_or(first, |(x, _)| x);
            (left, right) = (left.min(first), right.max(last));
            (top, bottom) = (top.min(y), y);
        }
        if left == u32::MAX {
            return Self {
                left: 0,
                top: 0,
                width: 1,
                height: 1,
            };
        }
        Self {
            left,
            top,
            width: right - left + 1,
            height: bottom - top + 1,
        }
    }

    /// The pixels inside the area, from a frame with width `width`.
    pub(super) fn cut<T: Copy>(&self, frame: &[T], width: u32) -> Vec<T> {
        let rows = frame
            .chunks_exact(width as usize)
            .skip(self.top as usize)
            .take(self.height as usize);
        let columns = self.left as usize..(self.left + self.width) as usize;
        rows.flat_map(|row| &row[columns.clone()]).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_is_what_differs_and_no_more() {
        let shown = [0; 20];
        let mut next = shown;
        (next[6], next[13]) = (1, 2); // of rows of five: x 1, y 1 and x 3, y 2
        let area = Area::changed(&shown, &next, 5);
        assert_eq!((area.left, area.top, area.width, area.height), (1, 1, 3, 2));
        assert_eq!(area.cut(&next, 5), [1, 0, 0, 0, 0, 2]);
        assert_eq!(Area::changed(&shown, &shown, 5).cut(&next, 5), [0]);
        assert_eq!(Area::changed(&[], &next, 5).cut(&next, 5), next);
    }
}
