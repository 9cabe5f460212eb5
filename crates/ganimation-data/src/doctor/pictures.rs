//! Statistics of a dataset's pictures: sizes, damage, colour, duplicates.

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

/// Largest difference of channels in a grey picture, in levels, because of JPEG's rounding.
const GREY_LEVELS: u8 = 8;

/// The results of decoding all pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Pictures {
    /// Pictures that could be decoded.
    pub readable: usize,
    /// Sizes and their numbers of pictures, most frequent first.
    pub sizes: Vec<PictureSize>,
    /// Pictures that cannot be decoded.
    pub unreadable: Vec<Unreadable>,
    /// Ids of pictures without colour.
    pub grey: Vec<String>,
    /// Ids of pictures with the same pixels, group by group.
    pub duplicates: Vec<Vec<String>>,
    /// Number of groups with both training faces and held-out faces.
    pub leaks: usize,
}

/// A picture size and the number of pictures with it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PictureSize {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Number of pictures.
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

/// The properties of one picture.
struct Look {
    size: (u32, u32),
    grey: bool,
    /// Hash of size and pixels.
    hash: u64,
}

/// Decodes all pictures. The first `train` pictures are training pictures.
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
            None => {} // all pictures have been checked
        }
    }
    pictures.sizes = sizes
        .into_iter()
        .map(|((width, height), count)| PictureSize { width, height, count })
        .collect();
    pictures.sizes.sort_by_key(|size| usize::MAX - size.count); // stable: for equal counts, small sizes first
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
        // 64 bits of SipHash with fixed keys: for a million pictures, the probability of a collision is one in 30
        // million.
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
