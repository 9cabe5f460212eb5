//! Files that users may take for photos but that no decoder here supports, identified by their first bytes.

use std::path::Path;

use crate::files::file_extension;

/// A description of the file's kind, if it is one of these.
pub(super) fn kind(bytes: &[u8]) -> Option<&'static str> {
    let starts = |signature: &[u8]| bytes.starts_with(signature);
    let text = bytes.trim_ascii_start();
    let says = |word: &str| {
        let word = word.as_bytes();
        text.get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    Some(match () {
        () if bytes.is_empty() => "an empty file",
        () if bytes.get(4..8) == Some(b"ftyp") => return media(bytes),
        () if starts(b"\xff\x0a") || starts(b"\0\0\0\x0cJXL ") => "a JPEG XL picture",
        () if starts(b"\0\0\0\x0cjP  ") || starts(b"\xff\x4f\xff\x51") => "a JPEG 2000 picture",
        () if starts(b"II*\0") && bytes.get(8..10) == Some(b"CR") => RAW,
        () if starts(b"FUJIFILMCCD-RAW") || starts(b"IIRO") || starts(b"IIU\0") => RAW,
        () if starts(b"8BPS") => "a Photoshop file",
        () if starts(b"%PDF") => "a PDF document",
        () if starts(b"\0\x05\x16\x07") => {
            "a Mac's side file (AppleDouble), whose photo has the name without `._`"
        }
        () if says("version https://git-lfs") => {
            "a Git LFS pointer, whose photo has to be fetched with `git lfs pull`"
        }
        () if says("<!doctype html") || says("<html") => "a web page",
        () if says("<svg") || says("<?xml") => "a drawing or other XML text",
        () => return None,
    })
}

const RAW: &str = "a camera's raw file";

/// Whether it is one of the raw files that are TIFF files with another extension; the picture that a TIFF decoder finds in
/// them is a thumbnail.
pub(super) fn raw(path: &Path, bytes: &[u8]) -> Option<&'static str> {
    const RAW_EXTENSIONS: [&str; 8] = ["arw", "dng", "nef", "nrw", "orf", "pef", "rw2", "srw"];
    let is_tiff = bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*");
    (is_tiff && RAW_EXTENSIONS.contains(&file_extension(path).as_str())).then_some(RAW)
}

/// The kind of an ISO media file, from its brands.
fn media(bytes: &[u8]) -> Option<&'static str> {
    const HEIC: [&[u8]; 8] = [
        b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1",
    ];
    let size = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    let brands = bytes.get(8..size.clamp(12, bytes.len().max(12)))?;
    let brands = || brands.as_chunks::<4>().0.iter().map(|brand| &brand[..]);
    Some(match () {
        () if brands().any(|brand| brand == b"avif" || brand == b"avis") => "an AVIF picture",
        () if brands().any(|brand| HEIC.contains(&brand)) => "an iPhone's HEIC photo",
        () if brands().next() == Some(b"crx ") => RAW,
        () => "a video",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_file_is_no_tiff_picture() {
        let bytes = b"II*\0\x08\0\0\0";
        assert_eq!(raw(Path::new("a.NEF"), bytes), Some(RAW));
        assert_eq!(raw(Path::new("a.tif"), bytes), None);
        assert_eq!(raw(Path::new("a.dng"), b"\x89PNG"), None);
    }

    #[test]
    fn what_people_take_for_photos_is_named() {
        for (bytes, expected) in [
            (
                &b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..],
                Some("an iPhone's HEIC photo"),
            ),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", Some("an AVIF picture")),
            (b"\0\0\0\x14ftypisom\0\0\0\0isom", Some("a video")),
            (b"\0\0\0\x14ftypcrx \0\0\0\x01crx ", Some(RAW)),
            (b"\xff\x0a\0", Some("a JPEG XL picture")),
            (b"\n <!DOCTYPE HTML><html>", Some("a web page")),
            (b"", Some("an empty file")),
            (b"not a picture", None),
            (b"\0\0\0\x18ftyp", None),
        ] {
            assert_eq!(kind(bytes), expected, "{bytes:?}");
        }
    }
}
