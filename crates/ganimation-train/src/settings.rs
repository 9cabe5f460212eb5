//! Settings from files and flags that override others, and the settings that can change in a started run.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::Serialize;
use toml::{Table, Value};

use crate::config::TrainConfig;
use crate::{Error, Result};

/// Settings that determine the meaning of stored networks, optimisers and random streams. They cannot change in a run.
const FIXED: [&str; 12] = [
    "version",
    "network",
    "motion.taught_steps",
    "motion.local_channels",
    "seed",
    "image_size",
    "generator_channels",
    "generator_blocks",
    "discriminator_channels",
    "batch_size",
    "from",
    "discriminator_from",
];

/// Settings that were renamed, old → new. The old names can still be read.
const RENAMED: [(&str, &str); 16] = [
    ("adam.rate", "adam.learning_rate"),
    ("critic_from", "discriminator_from"),
    ("generator_every", "n_critic"),
    ("loss.aus", "loss.lambda_au"),
    ("loss.attention", "loss.lambda_attention"),
    ("loss.critic_updates", "loss.discriminator_updates"),
    ("loss.cycle", "loss.lambda_cycle"),
    ("loss.penalty", "loss.lambda_gp"),
    ("loss.smoothness", "loss.lambda_tv"),
    ("loss.smoothness_term", "loss.total_variation_term"),
    ("motion.matched.adam.rate", "motion.matched.adam.learning_rate"),
    (
        "motion.matched.discriminator_rate",
        "motion.matched.discriminator_lr_factor",
    ),
    ("motion.matched.paint", "motion.matched.mask_coverage"),
    (
        "motion.matched.paint_inside",
        "motion.matched.mask_coverage_inside",
    ),
    ("motion.matched.paint_variation", "motion.matched.mask_tv"),
    ("motion.matched.shading_variation", "motion.matched.shading_tv"),
];

/// A setting with an old name, from an older version's file or command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The old name, which was given.
    pub old: &'static str,
    /// The current name.
    pub new: &'static str,
}

impl fmt::Display for Renamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is now {}", self.old, self.new)
    }
}

/// Replaces old names by current ones, and returns those that were found. A current name wins over an old one.
pub(crate) fn renew(table: &mut Table) -> Vec<Renamed> {
    let mut renamed = Vec::new();
    for (old, new) in RENAMED {
        let (group, old_key) = old.rsplit_once('.').unwrap_or(("", old));
        let (_, new_key) = new.rsplit_once('.').unwrap_or(("", new));
        let mut groups = group.split('.').filter(|name| !name.is_empty());
        let group = groups.try_fold(&mut *table, |table, name| table.get_mut(name)?.as_table_mut());
        if let Some(group) = group
            && let Some(value) = group.remove(old_key)
        {
            group.entry(new_key.to_owned()).or_insert(value);
            renamed.push(Renamed { old, new });
        }
    }
    renamed
}

/// Some settings, by their names in `config.toml`, that override a complete configuration. Later values win.
///
/// ```
/// use ganimation_train::{Overlay, TrainConfig};
///
/// let mut overlay = Overlay::default();
/// overlay.set("batch_size", 8)?;
/// overlay.set_text("loss.lambda_cycle=5")?;
/// let config = TrainConfig::new("faces").overlaid(&overlay)?;
/// assert_eq!((config.batch_size, config.loss.lambda_cycle), (8, 5.0));
/// # Ok::<(), ganimation_train::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay {
    table: Table,
    renamed: Vec<Renamed>,
}

impl Overlay {
    /// Adds the settings of a TOML file. The file can be incomplete.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be read, [`Error::Damaged`] if it is not valid TOML.
    pub fn read(&mut self, path: &Path) -> Result<()> {
        let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
        let table = text.parse::<Table>().map_err(Error::damaged(path))?;
        self.add(table);
        Ok(())
    }

    /// Sets one setting. A dot selects a setting in a group, as in `loss.lambda_cycle`.
    ///
    /// # Errors
    /// [`Error::Value`] if TOML cannot represent the value.
    pub fn set(&mut self, name: &str, value: impl Serialize) -> Result<()> {
        let value = Value::try_from(&value).map_err(|source| Error::Value {
            name: name.to_owned(),
            source,
        })?;
        let nested = name.rsplit('.').fold(value, |inner, part| {
            Value::Table(Table::from_iter([(part.to_owned(), inner)]))
        });
        if let Value::Table(table) = nested {
            self.add(table);
        }
        Ok(())
    }

    /// Sets a setting from `NAME=VALUE`. A value that is not valid TOML is used as a string.
    ///
    /// # Errors
    /// [`Error::Assignment`] if there is no `=`.
    pub fn set_text(&mut self, assignment: &str) -> Result<()> {
        let (name, text) = assignment.split_once('=').ok_or_else(|| Error::Assignment {
            found: assignment.to_owned(),
        })?;
        let text = text.trim();
        let parsed = format!("value = {text}").parse::<Table>().ok();
        let value = parsed.and_then(|mut table| table.remove("value"));
        self.set(
            name.trim(),
            value.unwrap_or_else(|| Value::String(text.to_owned())),
        )
    }

    /// Whether it contains no settings.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The settings that were given by old names.
    pub fn renamed(&self) -> &[Renamed] {
        &self.renamed
    }

    fn add(&mut self, mut table: Table) {
        self.renamed.extend(renew(&mut table));
        lay(&mut self.table, table);
    }
}

/// A setting that was changed when a run was resumed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Discriminator steps taken before the change.
    pub step: u64,
    /// The setting.
    pub name: String,
    /// The old value.
    pub before: String,
    /// The new value.
    pub after: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.name, self.before, self.after)
    }
}

impl TrainConfig {
    /// These settings with the values of `overlay`.
    ///
    /// # Errors
    /// [`Error::Settings`] if a name does not exist or a value has the wrong type.
    pub fn overlaid(&self, overlay: &Overlay) -> Result<Self> {
        let mut table = self.table()?;
        lay(&mut table, overlay.table.clone());
        let config: Result<Self, toml::de::Error> = table.try_into();
        config.map_err(|error| Error::Settings { source: error.into() })
    }

    /// The differences between these settings, of a run after `step` discriminator steps, and the `new` settings.
    ///
    /// # Errors
    /// [`Error::Unchangeable`] for a setting that cannot change in a run.
    pub(crate) fn changes_to(&self, new: &Self, step: u64) -> Result<Vec<Change>> {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        flatten("", &Value::Table(self.table()?), &mut before);
        flatten("", &Value::Table(new.table()?), &mut after);
        let value_in = |of: &[(String, String)], name: &str| {
            let found = of.iter().find(|(found, _)| found == name);
            found.map_or_else(|| "none".to_owned(), |(_, value)| value.clone())
        };
        let mut names: Vec<&String> = before.iter().chain(&after).map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        let mut changes = Vec::new();
        for name in names {
            let (before, after) = (value_in(&before, name), value_in(&after, name));
            if before == after {
                continue;
            }
            let name = name.clone();
            if step > 0 && FIXED.contains(&name.as_str()) {
                return Err(Error::Unchangeable { name, before, after });
            }
            changes.push(Change {
                step,
                name,
                before,
                after,
            });
        }
        Ok(changes)
    }

    fn table(&self) -> Result<Table> {
        Table::try_from(self).map_err(|error| Error::Settings { source: error.into() })
    }
}

fn lay(below: &mut Table, above: Table) {
    for (name, value) in above {
        match (below.get_mut(&name), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay(below, above),
            (_, value) => {
                below.insert(name, value);
            }
        }
    }
}

fn flatten(prefix: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                let name = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                flatten(&name, value, into);
            }
        }
        other => into.push((prefix.to_owned(), shown(other))),
    }
}

/// The value as in `config.toml`: single precision in its shortest decimal form.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(", ")),
        #[expect(clippy::cast_possible_truncation, reason = "only where it changes nothing")]
        Value::Float(float) if f64::from(*float as f32) == *float => (*float as f32).to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn later_settings_win_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        fs::write(
            &path,
            "batch_size = 4\nflip = false\n[loss]\nlambda_cycle = 3.5\n",
        )
        .unwrap();
        let mut overlay = Overlay::default();
        overlay.read(&path).unwrap();
        overlay.set("batch_size", 6).unwrap();
        overlay.set("data", PathBuf::from("other")).unwrap();
        overlay.set_text("loss.au_term = squared-norm").unwrap();
        overlay.set_text("adam.learning_rate=2e-4").unwrap();
        let config = TrainConfig::new("faces").overlaid(&overlay).unwrap();
        assert_eq!(
            (config.batch_size, config.flip, config.loss.lambda_cycle),
            (6, false, 3.5)
        );
        assert_eq!((config.data, config.adam.learning_rate), ("other".into(), 2e-4));
        assert_eq!(config.loss.au_term, ganimation_model::AuTerm::SquaredNorm);
        assert_eq!(config.loss.lambda_gp, TrainConfig::new("").loss.lambda_gp);
    }

    #[test]
    fn what_does_not_exist_is_named() {
        let mut overlay = Overlay::default();
        overlay.set_text("loss.lambda_cicle=5").unwrap();
        let error = TrainConfig::new("faces").overlaid(&overlay).unwrap_err();
        let line = ganimation_io::one_line(&error);
        assert!(line.contains("lambda_cicle"), "{line}");
        let mut overlay = Overlay::default();
        overlay.set_text("batch_size=many").unwrap();
        let error = TrainConfig::new("faces").overlaid(&overlay).unwrap_err();
        let line = ganimation_io::one_line(&error);
        assert!(line.contains("many"), "{line}");
        assert!(matches!(
            overlay.set_text("batch_size"),
            Err(Error::Assignment { .. })
        ));
    }

    #[test]
    fn rates_and_lengths_may_change_and_networks_may_not() {
        let before = TrainConfig::new("faces");
        let with = |change: &str| {
            let mut overlay = Overlay::default();
            overlay.set_text(change).unwrap();
            before.changes_to(&before.overlaid(&overlay).unwrap(), 7)
        };
        let changes = with("adam.learning_rate=0.5").unwrap();
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].to_string(), "adam.learning_rate: 0.0001 -> 0.5");
        assert_eq!(with("steps=12").unwrap()[0].to_string(), "steps: none -> 12");
        assert_eq!(
            with("target_noise=0.2").unwrap()[0].to_string(),
            "target_noise: 0.1 -> 0.2"
        );
        assert_eq!(with("batch_size=25").unwrap(), []);
        for fixed in [
            "version=2",
            "network=motion",
            "motion.taught_steps=5",
            "motion.local_channels=2",
            "seed=5",
            "image_size=64",
            "generator_channels=2",
            "generator_blocks=2",
            "discriminator_channels=2",
            "batch_size=4",
            "from=other",
            "discriminator_from=other",
        ] {
            assert!(matches!(with(fixed), Err(Error::Unchangeable { .. })), "{fixed}");
            let name = fixed.split('=').next().unwrap();
            assert!(FIXED.contains(&name), "{name}");
        }
    }

    #[test]
    fn old_names_are_accepted_and_noted() {
        let mut overlay = Overlay::default();
        overlay.set_text("adam.rate=2e-4").unwrap();
        overlay.set("generator_every", 3).unwrap();
        overlay.set_text("loss.critic_updates=apart").unwrap();
        let config = TrainConfig::new("faces").overlaid(&overlay).unwrap();
        assert_eq!((config.adam.learning_rate, config.n_critic), (2e-4, 3));
        assert_eq!(
            config.loss.discriminator_updates,
            ganimation_model::DiscriminatorUpdates::Separate
        );
        let notes: Vec<String> = overlay.renamed().iter().map(ToString::to_string).collect();
        assert_eq!(
            notes,
            [
                "adam.rate is now adam.learning_rate",
                "generator_every is now n_critic",
                "loss.critic_updates is now loss.discriminator_updates",
            ]
        );
    }

    #[test]
    fn every_renamed_setting_exists_and_its_old_name_does_not() {
        let mut names = Vec::new();
        let mut config = TrainConfig::motion("faces");
        config.discriminator_from = Some("discriminator.safetensors".into());
        flatten("", &Value::Table(config.table().unwrap()), &mut names);
        let exists = |name: &str| names.iter().any(|(found, _)| found == name);
        for (old, new) in RENAMED {
            assert!(exists(new) && !exists(old), "{old} -> {new}");
        }
    }

    #[test]
    fn the_settings_of_an_older_version_are_read() {
        let old = include_str!("../tests/data/config_0.toml");
        let (config, renamed) = TrainConfig::from_toml(old).unwrap();
        assert_eq!(renamed.len(), 15, "{renamed:?}");
        assert_eq!(config.network, crate::Network::Motion);
        assert_eq!((config.adam.learning_rate, config.n_critic), (0.0004, 1));
        assert_eq!((config.loss.lambda_tv, config.loss.lambda_gp), (0.032, 10.0));
        let matched = &config.motion.matched;
        assert_eq!(
            (matched.adam.learning_rate, matched.discriminator_lr_factor),
            (0.0002, 1.5)
        );
        assert_eq!((matched.mask_coverage, matched.shading_tv), (40.0, 4.0));
        config.check().unwrap();
        let (again, renamed) = TrainConfig::from_toml(&toml::to_string(&config).unwrap()).unwrap();
        assert_eq!((again, renamed), (config, Vec::new()));
    }
}
