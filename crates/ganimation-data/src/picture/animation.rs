//! The number of pictures in a file, from its block structure.

use image::ImageFormat;

/// The number of pictures in an animation; 1 for other files.
pub(super) fn pictures(format: ImageFormat, bytes: &[u8]) -> u32 {
    let count = match format {
        ImageFormat::Png => png_frames(bytes),
        ImageFormat::WebP => webp_frames(bytes),
        ImageFormat::Gif => gif_frames(bytes),
        _ => None,
    };
    count.unwrap_or(1).max(1)
}

/// The number in `acTL`, which precedes the first `IDAT`.
fn png_frames(bytes: &[u8]) -> Option<u32> {
    let mut rest = bytes.get(8..)?;
    loop {
        let length = u32::from_be_bytes(*rest.first_chunk()?) as usize;
        match rest.get(4..8)? {
            b"acTL" => return Some(u32::from_be_bytes(*rest.get(8..)?.first_chunk()?)),
            b"IDAT" => return None,
            _ => rest = rest.get(length.checked_add(12)?..)?,
        }
    }
}

/// Number of chunks with the name `ANMF`.
fn webp_frames(bytes: &[u8]) -> Option<u32> {
    let mut rest = bytes.get(12..)?;
    let mut frames = 0;
    while let (Some(name), Some(length)) = (rest.get(..4), rest.get(4..).and_then(<[u8]>::first_chunk)) {
        frames += u32::from(name == b"ANMF");
        let length = u32::from_le_bytes(*length) as usize;
        // Chunks have even lengths.
        let next = length.checked_add(8 + length % 2);
        rest = next.and_then(|next| rest.get(next..)).unwrap_or_default();
    }
    Some(frames)
}

fn gif_frames(bytes: &[u8]) -> Option<u32> {
    let mut options = gif::DecodeOptions::new();
    options.skip_frame_decoding(true);
    let mut reader = options.read_info(bytes).ok()?;
    let mut frames = 0;
    while let Ok(Some(_)) = reader.next_frame_info() {
        frames += 1;
    }
    Some(frames)
}
