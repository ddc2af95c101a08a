//! `ca tuf`: the repository by hand.

use std::path::Path;

use crate::cli::Tuf;
use crate::clock::Clock;
use crate::commands::{open, say};
use crate::failure::Failure;
use crate::tuf::{self, offline};

/// Runs one command.
///
/// # Errors
/// When it was not done; nothing is changed then.
pub fn run(command: &Tuf) -> Result<(), Failure> {
    let now = Clock::system().now();
    match command {
        Tuf::Root { dir, export: Some(file), .. } => {
            write(file, &offline::export(&open(dir)?, now)?)?;
            let (file, dir) = (file.display(), dir.display());
            say(&format!(
                "wrote the next root into {file}\n\
                 next, where each root key is: ca tuf sign {file} --key KEY\n\
                 then: ca tuf root {dir} --import {file}"
            ));
        }
        Tuf::Root { dir, import: Some(file), .. } => {
            let version = offline::import(&open(dir)?, &std::fs::read(file)?, now)?;
            say(&format!("published root {version}"));
        }
        Tuf::Root { dir, .. } => {
            let version = offline::advance(&open(dir)?, now)?;
            say(&format!("published root {version}"));
        }
        Tuf::Sign { file, key } => {
            write(file, &offline::sign(&std::fs::read(file)?, key)?)?;
            say(&format!("signed {}", file.display()));
        }
        Tuf::Renew { dir } => tuf::renew(&open(dir)?, now)?,
    }
    Ok(())
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(file, bytes).map_err(|error| format!("{}: {error}", file.display()).into())
}
