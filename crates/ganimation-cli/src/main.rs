//! The program `ganimation`: its command line, and the reporting of errors.

#![forbid(unsafe_code)]

mod animate;
mod completions;
mod devices;
mod doctor;
mod edit;
mod error;
mod evaluate;
mod export;
mod expression_args;
mod film;
mod hint;
mod import;
mod inputs;
mod man;
mod output;
mod prepare;
mod progress;
mod read;
mod runs;
#[cfg(feature = "serve")]
mod serve;
mod sheet;
mod train;
mod train_au_regressor;

use std::error::Error as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use error::{Error, LibraryError};
use ganimation_io::one_line;
use output::note;

/// Exit code of an error that the user can correct, as in clap.
const MISTAKE: u8 = 2;

/// Exit code after Ctrl-C, as in shells.
const INTERRUPTED: u8 = 130;

/// Animate a face from one photo by naming its muscles
#[derive(Debug, Parser)]
#[command(
    name = "ganimation",
    version,
    propagate_version = true,
    after_help = "Action units are those of OpenFace, from 0 (absent) to 5 (maximal): \
    1 2 4 5 6 7 9 10 12 14 15 17 20 23 25 26 45."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Animate(animate::Animate),
    Edit(edit::Edit),
    Read(read::Read),
    Sheet(sheet::Sheet),
    Train(Box<train::Train>), // it has many flags
    Prepare(prepare::Prepare),
    Doctor(doctor::Doctor),
    #[cfg(feature = "serve")]
    Serve(serve::Serve),
    #[command(alias = "train-reader")]
    TrainAuRegressor(train_au_regressor::TrainAuRegressor),
    Evaluate(evaluate::Evaluate),
    Export(export::Export),
    Runs(runs::Runs),
    Plot(runs::Plot),
    Import(import::Import),
    Devices(devices::Devices),
    Completions(completions::Completions),
    Man(man::Man),
}

/// The command line, for completions and manual pages.
fn description() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

fn main() -> ExitCode {
    ganimation_kernels::keep_freed_memory();
    let outcome = match Cli::try_parse() {
        Ok(cli) => match cli.command {
            Command::Animate(command) => command.run(),
            Command::Edit(command) => command.run(),
            Command::Read(command) => command.run(),
            Command::Sheet(command) => command.run(),
            Command::Prepare(command) => command.run(),
            Command::Doctor(command) => command.run(),
            #[cfg(feature = "serve")]
            Command::Serve(command) => command.run(),
            Command::Train(command) => command.run(),
            Command::TrainAuRegressor(command) => command.run(),
            Command::Evaluate(command) => command.run(),
            Command::Export(command) => command.run(),
            Command::Runs(command) => command.run(),
            Command::Plot(command) => command.run(),
            Command::Import(command) => command.run(),
            Command::Devices(command) => command.run(),
            Command::Completions(command) => command.run(),
            Command::Man(command) => command.run(),
        },
        // A value that our own types reject is reported like every other error, not in clap's format.
        Err(error) => match error.source().and_then(value_error) {
            Some((line, hint)) => return note_lines(&line, hint),
            None => error.exit(), // help, version, or an error of the command line
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

/// The error and the hint for a value that one of our own types rejects.
fn value_error(source: &(dyn std::error::Error + 'static)) -> Option<(String, Option<String>)> {
    if let Some(error) = source.downcast_ref::<Error>() {
        return Some((one_line(error), error.hint()));
    }
    let error: &LibraryError = source.downcast_ref()?;
    Some((one_line(error), hint::of_library(error)))
}

/// Prints the error with its causes in one line, and the hint in another.
fn report(error: &Error) -> ExitCode {
    if matches!(error, Error::Stopped) {
        return ExitCode::from(INTERRUPTED); // already reported
    }
    let mistake = note_lines(&one_line(error), error.hint());
    match error {
        // Not caused by the options of the command.
        Error::Train(
            ganimation_train::Error::NotFinite { .. }
            | ganimation_train::Error::BrokenWeights { .. }
            | ganimation_train::Error::Warned(_),
        ) => ExitCode::FAILURE,
        Error::Unfit { .. } => ExitCode::FAILURE, // the answer to the question
        _ => mistake,
    }
}

/// Prints an error and a hint. Returns the exit code of a mistake.
fn note_lines(line: &str, hint: Option<String>) -> ExitCode {
    note(format_args!("error: {line}"));
    if let Some(hint) = hint {
        note(format_args!("hint: {hint}"));
    }
    ExitCode::from(MISTAKE)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
