//! `ganimation devices`: the devices of this build and this machine.

use clap::Args;
use ganimation::device::{self, Backend};

use super::output::say;
use crate::error::Result;

/// List the available devices of this build
///
/// `--device auto` uses the first one.
#[derive(Debug, Args)]
pub(super) struct Devices {}

impl Devices {
    pub(super) fn run(self) -> Result<()> {
        let present = device::devices();
        for (index, device) in present.iter().enumerate() {
            let notes = [(index == 0, "auto"), (device.software, "emulated on the CPU")];
            let notes: Vec<&str> = notes
                .into_iter()
                .filter(|note| note.0)
                .map(|note| note.1)
                .collect();
            say(format_args!("{device:10} {}", notes.join(", ")))?;
        }
        for backend in Backend::ALL {
            if !backend.is_compiled_in() {
                say(format_args!(
                    "{backend:10} not in this build: `--features {backend}`"
                ))?;
            } else if !present.iter().any(|device| device.backend == backend) {
                say(format_args!("{backend:10} absent: needs {}", backend.needs()))?;
            }
        }
        Ok(())
    }
}
