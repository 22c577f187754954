//! `oblate`: runs, validates and reports the operations of the library, on a GPU or on the software device.

use std::process::ExitCode;

use clap::Parser;
use oblate_cli::arguments::{Arguments, Command};
use oblate_cli::commands;

/// The exit code of wrong use.
const WRONG_USE: u8 = 2;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => return wrong_use(&first_line(&error.to_string())),
        Err(help) => {
            print!("{help}");
            return ExitCode::SUCCESS;
        }
    };
    let result = match arguments.command {
        Command::List { json } => commands::list(json),
        Command::Run(arguments) => commands::run(&arguments),
        Command::Validate(arguments) => commands::validate(&arguments),
        Command::Report(arguments) => commands::report(&arguments),
        Command::Advise(arguments) => commands::advise(&arguments),
        Command::Devices => commands::devices(),
    };
    result.unwrap_or_else(|error| wrong_use(&error.to_string()))
}

fn wrong_use(line: &str) -> ExitCode {
    eprintln!("oblate: {line}");
    ExitCode::from(WRONG_USE)
}

/// What clap says before its tips and its usage, on one line.
fn first_line(message: &str) -> String {
    let paragraph = message.split("\n\n").next().unwrap_or_default();
    paragraph.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ")
}
