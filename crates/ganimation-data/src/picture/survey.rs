//! The kind of a JPEG file, from its markers.
//!
//! `zune-jpeg` decodes some valid kinds to noise without an error. They are detected here and passed to another
//! decoder.

/// Markers, the byte after 0xff.
mod marker {
    pub(super) const SOF0: u8 = 0xc0;
    pub(super) const SOF2: u8 = 0xc2;
    pub(super) const SOF15: u8 = 0xcf;
    pub(super) const DHT: u8 = 0xc4;
    pub(super) const JPG: u8 = 0xc8;
    pub(super) const DAC: u8 = 0xcc;
    pub(super) const RST0: u8 = 0xd0;
    pub(super) const RST7: u8 = 0xd7;
    pub(super) const SOI: u8 = 0xd8;
    pub(super) const EOI: u8 = 0xd9;
    pub(super) const SOS: u8 = 0xda;
    pub(super) const TEM: u8 = 0x01;
}

/// The frame header and the first scan header of a JPEG file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Survey {
    /// The start-of-frame marker: 0xc0 for baseline.
    frame: u8,
    /// Bits per sample.
    precision: u8,
    /// Horizontal and vertical sampling factors of each component.
    sampling: Vec<(u8, u8)>,
    /// Components in the first scan.
    scanned: usize,
    /// The start of the first scan's header.
    scan: usize,
}

impl Survey {
    /// Reads the headers. Missing or damaged values stay 0, so that the decoder refuses the file.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut survey = Self::default();
        let mut at = 2;
        while let Some((marker, segment, next)) = segment(bytes, at) {
            match marker {
                marker::DHT | marker::JPG | marker::DAC => {}
                marker::SOF0..=marker::SOF15 => {
                    survey.frame = marker;
                    survey.precision = segment.first().copied().unwrap_or_default();
                    let components = segment.get(6..).unwrap_or_default().as_chunks::<3>().0;
                    let factors = components
                        .iter()
                        .map(|&[_, factors, _]| (factors >> 4, factors & 15));
                    survey.sampling = factors.collect();
                }
                marker::SOS => {
                    survey.scanned = segment.first().copied().unwrap_or_default().into();
                    survey.scan = at;
                    break;
                }
                _ => {}
            }
            at = next;
        }
        survey
    }

    /// A description of the feature that no decoder here supports.
    pub(super) fn refused(&self) -> Option<&'static str> {
        match (self.frame, self.precision) {
            (0xc9..=0xcb | 0xcd..=0xcf, _) => Some("arithmetic coding"),
            (0xc3, _) => Some("lossless coding"),
            (0xc5..=0xc7, _) => Some("hierarchical coding"),
            (marker::SOF0..=marker::SOF2, precision) if !matches!(precision, 0 | 8) => {
                Some("samples of other than 8 bits")
            }
            _ => None,
        }
    }

    /// Whether `zune-jpeg` cannot decode this kind correctly: sequential components in separate scans, or sampling
    /// in which the first component is not the finest or a factor is 3.
    pub(super) fn is_unusual(&self) -> bool {
        let sequential = (marker::SOF0..marker::SOF2).contains(&self.frame);
        let first = self.sampling.first().copied().unwrap_or_default();
        let several = self.sampling.len() > 1;
        let odd = |&(across, down): &(u8, u8)| {
            across > first.0
                || down > first.1
                || [across, down].iter().any(|factor| !factor.is_power_of_two())
        };
        several && (sequential && self.scanned < self.sampling.len() || self.sampling.iter().any(odd))
    }

    /// Whether the file has an end marker. Truncated files do not.
    pub(super) fn has_end(&self, bytes: &[u8]) -> bool {
        let mut at = self.scan;
        while let Some((marker, _, next)) = segment(bytes, at) {
            match marker {
                marker::EOI => return true,
                marker::SOS => match next_marker(bytes, next) {
                    Some(marker) => at = marker,
                    None => return false,
                },
                _ => at = next,
            }
        }
        false
    }
}

/// The marker at `at`, its segment's contents and the start of the next marker.
fn segment(bytes: &[u8], at: usize) -> Option<(u8, &[u8], usize)> {
    let rest = bytes.get(at..)?;
    if rest.first() != Some(&0xff) {
        return None;
    }
    let fill = rest.iter().take_while(|&&byte| byte == 0xff).count();
    let (&marker, rest) = rest.get(fill..)?.split_first()?;
    let start = at + fill + 1;
    if matches!(
        marker,
        marker::RST0..=marker::RST7 | marker::SOI | marker::EOI | marker::TEM
    ) {
        return Some((marker, &[], start));
    }
    let length = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
    let contents = rest.get(2..length.max(2)).unwrap_or_default();
    Some((marker, contents, start + length.max(2)))
}

/// The first marker after compressed data.
fn next_marker(bytes: &[u8], from: usize) -> Option<usize> {
    let data = bytes.get(from..)?;
    let is_marker =
        |pair: &[u8; 2]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff | marker::RST0..=marker::RST7);
    Some(from + data.array_windows::<2>().position(is_marker)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The headers of a file with the given sampling factors and the given number of components in its first scan.
    fn headers(frame: u8, precision: u8, sampling: &[u8], scanned: u8) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2];
        let count = u8::try_from(sampling.len()).unwrap();
        bytes.extend([0xff, frame, 0, 8 + 3 * count, precision, 0, 16, 0, 16, count]);
        for (id, &factors) in (1..).zip(sampling) {
            bytes.extend([id, factors, 0]);
        }
        bytes.extend([0xff, 0xda, 0, 6 + 2 * scanned, scanned]);
        bytes.extend((1..=scanned).flat_map(|id| [id, 0]));
        bytes.extend([0, 63, 0]);
        bytes
    }

    #[test]
    fn kinds_are_recognised_by_their_headers() {
        for (frame, sampling, scanned, unusual) in [
            (0xc0, &[0x22, 0x11, 0x11][..], 3, false),
            (0xc0, &[0x41, 0x11, 0x11], 3, false),
            (0xc0, &[0x22, 0x11, 0x11], 1, true),
            (0xc1, &[0x11, 0x11, 0x11, 0x11], 1, true),
            (0xc2, &[0x22, 0x11, 0x11], 1, false),
            (0xc0, &[0x22], 1, false),
            (0xc0, &[0x11, 0x22, 0x22], 3, true),
            (0xc0, &[0x11, 0x21, 0x11], 3, true),
            (0xc0, &[0x31, 0x11, 0x11], 3, true),
        ] {
            let survey = Survey::of(&headers(frame, 8, sampling, scanned));
            assert_eq!(survey.is_unusual(), unusual, "{frame:x} {sampling:x?} {scanned}");
            assert_eq!(survey.refused(), None);
        }
        let refused = |frame, precision| Survey::of(&headers(frame, precision, &[0x11], 1)).refused();
        assert_eq!(refused(0xc9, 8), Some("arithmetic coding"));
        assert_eq!(refused(0xca, 8), Some("arithmetic coding"));
        assert_eq!(refused(0xc3, 8), Some("lossless coding"));
        assert_eq!(refused(0xc1, 12), Some("samples of other than 8 bits"));
    }

    #[test]
    fn an_end_is_found_behind_the_compressed_data_alone() {
        let mut bytes = headers(0xc0, 8, &[0x11], 1);
        bytes.extend([1, 2, 0xff, 0, 0xd9, 0xff, 0xd0, 7, 0xff]);
        let survey = Survey::of(&bytes);
        assert!(!survey.has_end(&bytes));
        bytes.extend([0xff, 0xd9, 1, 2, 3]);
        assert!(survey.has_end(&bytes));
        for length in 0..bytes.len() - 4 {
            let cut = &bytes[..length];
            assert!(!Survey::of(cut).has_end(cut), "{length}");
        }
    }
}
