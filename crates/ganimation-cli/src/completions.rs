//! `ganimation completions`: shell completions for command lines.

use clap::Args;
use clap_complete::{Shell, generate};

use super::description;
use super::output::say_bytes;
use crate::error::{Error, Result};

const EXAMPLES: &str = "Examples:
  ganimation completions bash > ~/.local/share/bash-completion/completions/ganimation
  ganimation completions zsh > ~/.zfunc/_ganimation       # with fpath+=~/.zfunc before compinit in ~/.zshrc
  ganimation completions fish > ~/.config/fish/completions/ganimation.fish";

/// Write completions for a shell to the standard output
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<(), Error> {
        let mut script = Vec::new();
        generate(self.shell, &mut description(), "ganimation", &mut script);
        say_bytes(&script)
    }
}
