//! `ganimation man`: manual pages, generated from the `--help` texts.

use std::path::PathBuf;

use clap::Args;
use clap_mangen::Man as Page;
use ganimation_data::write_whole;

use super::description;
use super::output::{say, say_bytes};
use crate::error::{Error, Result};

const EXAMPLES: &str = "Examples:
  Read it:
    ganimation man | man -l -

  Write a page for each command, for `man ganimation-edit`:
    ganimation man --folder ~/.local/share/man/man1";

/// Write the manual page to the standard output, or all pages to a folder
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Man {
    /// Write a page for the program and one for each command here
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self) -> Result<()> {
        let mut program = description();
        program.build(); // sets the names of commands
        let Some(folder) = self.folder else {
            return say_bytes(&page(program)?);
        };
        let commands: Vec<_> = program
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .cloned()
            .collect();
        for command in [program].into_iter().chain(commands) {
            let name = command.get_display_name().unwrap_or("ganimation").to_owned();
            let path = folder.join(format!("{name}.1"));
            write_whole(&path, &page(command)?)?;
            say(path.display())?;
        }
        Ok(())
    }
}

fn page(command: clap::Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    Page::new(command)
        .render(&mut page)
        .map_err(|source| Error::Stdout { source })?;
    Ok(page)
}
