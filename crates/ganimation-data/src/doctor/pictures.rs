//! What the pictures of a dataset are like: sizes, damage, colour, duplicates.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::AtomicBool;

use image::RgbImage;
use serde::Serialize;

use super::Examination;
use crate::dataset::Face;
use crate::error::Result;
use crate::parallel;
use crate::picture::decode_whole;

/// Channels of a grey picture may differ by so many levels, which is JPEG's rounding.
const GREY_LEVELS: u8 = 8;

/// What decoding every picture showed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Pictures {
    /// Pictures that could be decoded.
    pub readable: usize,
    /// Sizes and how many pictures have them, most frequent first.
    pub sizes: Vec<PictureSize>,
    /// Pictures that cannot be decoded.
    pub unreadable: Vec<Unreadable>,
    /// Ids of pictures without colour.
    pub grey: Vec<String>,
    /// Ids of pictures with the same pixels, group by group.
    pub duplicates: Vec<Vec<String>>,
    /// How many of those groups hold faces to train on and faces held out.
    pub leaks: usize,
}

/// A size and how many pictures have it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PictureSize {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// How many pictures.
    pub count: usize,
}

/// A picture that cannot be decoded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unreadable {
    /// Its id.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// What one picture is like.
struct Look {
    size: (u32, u32),
    grey: bool,
    /// Of size and pixels.
    hash: u64,
}

/// Decodes all pictures; the first `train` are those to train on.
pub(super) fn look(
    faces: &[&Face],
    train: usize,
    examination: &Examination,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Pictures> {
    let mut looks: Vec<Option<Result<Look>>> = faces.iter().map(|_| None).collect();
    let (mut done, never) = (0, AtomicBool::new(false));
    let work = |face: &&Face| decode_whole(&face.path).map(|picture| Look::at(&picture));
    parallel::for_each(faces, examination.workers, &never, work, |at, look| {
        looks[at] = Some(look);
        done += 1;
        progress(done, faces.len());
        Ok(())
    })?;

    let mut pictures = Pictures::default();
    let mut sizes: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    let mut same: HashMap<u64, Vec<usize>> = HashMap::new();
    for (at, look) in looks.into_iter().enumerate() {
        let id = || faces[at].id.clone();
        match look {
            Some(Ok(look)) => {
                pictures.readable += 1;
                *sizes.entry(look.size).or_default() += 1;
                same.entry(look.hash).or_default().push(at);
                if look.grey {
                    pictures.grey.push(id());
                }
            }
            Some(Err(error)) => pictures.unreadable.push(Unreadable {
                id: id(),
                reason: error.with_sources(),
            }),
            None => {} // every picture has been looked at
        }
    }
    pictures.sizes = sizes
        .into_iter()
        .map(|((width, height), count)| PictureSize { width, height, count })
        .collect();
    pictures.sizes.sort_by_key(|size| usize::MAX - size.count); // stable: small sizes first among equals
    let mut groups: Vec<_> = same.into_values().filter(|group| group.len() > 1).collect();
    groups.sort_unstable();
    pictures.leaks = groups
        .iter()
        .filter(|group| group.iter().any(|&at| at < train) && group.iter().any(|&at| at >= train))
        .count();
    let ids = |group: Vec<usize>| group.into_iter().map(|at| faces[at].id.clone()).collect();
    pictures.duplicates = groups.into_iter().map(ids).collect();
    Ok(pictures)
}

impl Look {
    fn at(picture: &RgbImage) -> Self {
        // 64 bits of SipHash with fixed keys: among a million pictures, one chance in 30 million of a false pair.
        let mut hash = DefaultHasher::new();
        (picture.dimensions(), picture.as_raw()).hash(&mut hash);
        Self {
            size: picture.dimensions(),
            grey: is_grey(picture),
            hash: hash.finish(),
        }
    }
}

/// Whether a picture has no colour.
pub(crate) fn is_grey(picture: &RgbImage) -> bool {
    picture.pixels().all(|pixel| {
        let [r, g, b] = pixel.0;
        r.max(g).max(b) - r.min(g).min(b) <= GREY_LEVELS
    })
}
