//! The published layouts, distinguished by the names of their heads.

use std::collections::BTreeSet;
use std::fmt;

use super::source::Entries;
use crate::{Error, Result};

/// The naming scheme of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Layout {
    /// The code released by the paper's authors. This project uses the same names.
    Released,
    /// The replication `ganimation_replicate`: norms without parameters, and biases before them.
    Replicate,
    /// vipermu's `ganimation`: other names for the heads, and some layers under two names.
    Vipermu,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Released => "the released code",
            Self::Replicate => "ganimation_replicate",
            Self::Vipermu => "vipermu",
        })
    }
}

/// Why a tensor of a file is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// Running statistics: an instance norm uses the statistics of the current image.
    RunningStatistics,
    /// A bias before a norm, which cancels it.
    BiasBeforeNorm,
    /// A second name of a tensor that is already used.
    Repeated,
    /// The tensor is not under the network's key.
    Elsewhere,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RunningStatistics => "running statistics, which instance norms do not use",
            Self::BiasBeforeNorm => "biases before a norm, which cancels them",
            Self::Repeated => "second names of the same tensors",
            Self::Elsewhere => "outside the network's dictionary",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Generator,
    Discriminator,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Generator => "generator",
            Self::Discriminator => "discriminator",
        }
    }
}

/// How a tensor is used.
pub(super) enum Fate {
    /// It is the parameter with this released name.
    Taken(String),
    Dropped(Reason),
}

/// The position of a network in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) layout: Layout,
    /// Empty, or ends with a dot.
    pub(super) prefix: String,
}

/// Names that only one layout has. The released discriminator's names are common in other networks, so they count only
/// together with its trunk.
const HEADS: [(&str, Kind, Layout); 12] = [
    ("img_reg.0.weight", Kind::Generator, Layout::Released),
    ("attetion_reg.0.weight", Kind::Generator, Layout::Released),
    ("color_top.0.weight", Kind::Generator, Layout::Replicate),
    ("au_top.0.weight", Kind::Generator, Layout::Replicate),
    ("im_reg.0.weight", Kind::Generator, Layout::Vipermu),
    ("im_att.0.weight", Kind::Generator, Layout::Vipermu),
    ("im_reg.weight", Kind::Generator, Layout::Vipermu),
    ("im_att.weight", Kind::Generator, Layout::Vipermu),
    ("dis_top.weight", Kind::Discriminator, Layout::Replicate),
    ("aus_top.weight", Kind::Discriminator, Layout::Replicate),
    ("conv1.weight", Kind::Discriminator, Layout::Released),
    ("conv2.weight", Kind::Discriminator, Layout::Released),
];

/// The positions of the file's networks, or of those under a key.
pub(super) fn find(entries: &Entries, key: Option<&str>) -> Result<Vec<Place>> {
    let mut places = BTreeSet::new();
    for name in entries.names() {
        for (head, kind, layout) in HEADS {
            let Some(prefix) = name.strip_suffix(head) else {
                continue;
            };
            let whole = prefix.is_empty() || prefix.ends_with('.');
            let common = (kind, layout) == (Kind::Discriminator, Layout::Released);
            if whole && (!common || entries.has(&format!("{prefix}main.0.weight"))) {
                places.insert(Place {
                    kind,
                    layout,
                    prefix: prefix.to_owned(),
                });
            }
        }
    }
    let mut places: Vec<Place> = places.into_iter().collect();
    if places.is_empty() && entries.names().all(str::is_empty) {
        return Err(Error::NoTensors {
            path: entries.path().to_owned(),
        });
    }
    if places.is_empty() {
        return Err(Error::UnknownLayout {
            path: entries.path().to_owned(),
            names: entries.names().map(str::to_owned).collect(),
        });
    }
    if let Some(key) = key {
        let found = places
            .iter()
            .map(|place| place.prefix.trim_end_matches('.').to_owned());
        let found = found.collect();
        places.retain(|place| place.is_under(key));
        if places.is_empty() {
            return Err(Error::NoKey {
                path: entries.path().to_owned(),
                key: key.to_owned(),
                found,
            });
        }
    }
    if let Some([one, other]) = places.array_windows().find(|[one, other]| one.kind == other.kind) {
        let key = |place: &Place| match place.prefix.trim_end_matches('.') {
            "" => format!("top level ({})", place.layout),
            key => format!("`{key}` ({})", place.layout),
        };
        return Err(Error::SeveralNetworks {
            path: entries.path().to_owned(),
            kind: one.kind.name(),
            places: [key(one), key(other)],
        });
    }
    Ok(places)
}

impl Place {
    /// Whether the network is in the dictionary of a key, or of several keys joined by dots.
    fn is_under(&self, key: &str) -> bool {
        let key = key.trim_matches('.');
        // Complete keys must match: `G` is not `G_ema`.
        format!(".{}", self.prefix).contains(&format!(".{key}."))
    }

    /// How the tensor with this name is used. Unknown tensors are taken too, so that loading the network fails and
    /// names them.
    pub(super) fn fate(&self, name: &str) -> Fate {
        const STATISTICS: [&str; 3] = [".running_mean", ".running_var", ".num_batches_tracked"];
        let Some(name) = name.strip_prefix(&self.prefix) else {
            return Fate::Dropped(Reason::Elsewhere);
        };
        if self.layout == Layout::Vipermu && is_repeated(name) {
            return Fate::Dropped(Reason::Repeated);
        }
        if self.kind == Kind::Generator && STATISTICS.iter().any(|suffix| name.ends_with(suffix)) {
            return Fate::Dropped(Reason::RunningStatistics);
        }
        match (self.layout, self.kind) {
            (Layout::Released, _) => Fate::Taken(name.to_owned()),
            (Layout::Vipermu, _) => {
                // With or without a `Sequential` around the head.
                let heads = [
                    ("im_reg.weight", "img_reg.0.weight"),
                    ("im_att.weight", "attetion_reg.0.weight"),
                    ("im_reg.", "img_reg."),
                    ("im_att.", "attetion_reg."),
                ];
                Fate::Taken(renamed(name, &heads))
            }
            (Layout::Replicate, Kind::Discriminator) => Fate::Taken(renamed(
                name,
                &[
                    ("model.", "main."),
                    ("dis_top.", "conv1."),
                    ("aus_top.", "conv2."),
                ],
            )),
            (Layout::Replicate, Kind::Generator) => {
                if name.starts_with("model.") && name.ends_with(".bias") {
                    return Fate::Dropped(Reason::BiasBeforeNorm);
                }
                let heads = [
                    ("color_top.", "img_reg."),
                    ("au_top.", "attetion_reg."),
                    ("model.", "main."),
                ];
                Fate::Taken(renamed(name, &heads).replacen(".conv_block.", ".main.", 1))
            }
        }
    }
}

/// `debug1.` to `debug4.`: parts of the trunk that vipermu's generator lists a second time.
fn is_repeated(name: &str) -> bool {
    let digit = name.strip_prefix("debug").and_then(|rest| rest.split('.').next());
    matches!(digit, Some("1" | "2" | "3" | "4"))
}

/// `name` with the first matching prefix replaced.
fn renamed(name: &str, prefixes: &[(&str, &str)]) -> String {
    let replaced = prefixes
        .iter()
        .find_map(|(from, to)| Some(format!("{to}{}", name.strip_prefix(from)?)));
    replaced.unwrap_or_else(|| name.to_owned())
}
