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
            let emulated = device.software.then(|| match device.adapter() {
                Some(adapter) => format!("emulated on the CPU by {adapter}"),
                None => "emulated on the CPU".to_owned(),
            });
            let auto = (index == 0).then(|| "auto".to_owned());
            let notes: Vec<String> = auto.into_iter().chain(emulated).collect();
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
