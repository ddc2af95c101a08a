//! `ca import-fulcio-config`: the issuers of a Fulcio configuration as tables of ca.toml.
//!
//! What is written is what Fulcio trusts, and never more: a key that is not known is named, and an
//! issuer that cannot be had as it is there is left out with its reason. Each table is read back as
//! ca.toml reads it before it counts.

mod entry;
mod provider;
mod source;
mod text;

use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use self::source::Source;
use crate::config::{Config, ConfigError, FILE_NAME};
use crate::identity::CiProvider;

pub use self::source::SourceFault;

/// The tables for ca.toml, and what there is to say about them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// `[[ci_provider]]` and `[[issuer]]` tables, and commented ones where a decision is due.
    pub toml: String,
    /// How many issuers are trusted by these tables.
    pub issuers: usize,
    /// One sentence for everything that is not as it was.
    pub notes: Vec<String>,
    /// Certificates that Fulcio has within its configuration: a path below the instance folder,
    /// and PEM.
    pub files: Vec<(PathBuf, String)>,
}

/// Why nothing was imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("{path}: cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no Fulcio configuration.
    #[error("{path}: {fault}")]
    Source {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: SourceFault,
    },
    /// With these tables ca.toml would be refused.
    #[error("nothing was written, because ca.toml would be refused with it: {0}")]
    Refused(ConfigError),
    /// Something in the instance folder cannot be written.
    #[error("{path}: cannot be written: {source}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate file of another content is there.
    #[error("{path}: is there with another content; move it away")]
    InTheWay {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the Fulcio configuration in `path`: JSON if it begins with `{`, else YAML.
///
/// # Errors
/// [`ImportError::Unreadable`] and [`ImportError::Source`].
pub fn read(path: &Path) -> Result<Imported, ImportError> {
    let text = fs::read_to_string(path)
        .map_err(|source| ImportError::Unreadable { path: path.to_owned(), source })?;
    import(&text).map_err(|fault| ImportError::Source { path: path.to_owned(), fault })
}

/// The tables of a Fulcio configuration's text.
///
/// # Errors
/// [`SourceFault`] for a text that is no such configuration.
pub fn import(text: &str) -> Result<Imported, SourceFault> {
    let mut imported = Imported::default();
    let source = Source::read(text, &mut imported.notes)?;
    let mut providers: Vec<CiProvider> = Vec::new();
    for metadata in &source.providers {
        match provider::table(metadata, &mut imported.notes) {
            Ok((table, provider)) => {
                imported.toml.push_str(&table);
                providers.push(provider);
            }
            Err(reason) => {
                imported.notes.push(format!("ci provider {}: left out: {reason}", metadata.name));
            }
        }
    }
    for issuer in &source.issuers {
        entry::write(issuer, &providers, &mut imported);
    }
    Ok(imported)
}

/// Appends the tables to `DIR/ca.toml`, if the whole is a configuration that `ca` takes, and writes
/// the certificate files.
///
/// # Errors
/// [`ImportError::Refused`] before anything is written, and what keeps a file from being written.
pub fn append(imported: &Imported, dir: &Path) -> Result<(), ImportError> {
    let path = dir.join(FILE_NAME);
    let text = fs::read_to_string(&path)
        .map_err(|source| ImportError::Unreadable { path: path.clone(), source })?;
    let whole = format!("{}\n\n{}", text.trim_end(), imported.toml);
    Config::parse(&path, &whole).map_err(ImportError::Refused)?;
    for (name, pem) in &imported.files {
        write_certificate(&dir.join(name), pem)?;
    }
    // The old file or the new one, whatever happens in between.
    let new = path.with_extension("toml.new");
    let unwritable = |source| ImportError::Unwritable { path: path.clone(), source };
    fs::write(&new, whole).map_err(unwritable)?;
    fs::rename(&new, &path).map_err(unwritable)
}

fn write_certificate(path: &Path, pem: &str) -> Result<(), ImportError> {
    let unwritable = |source| ImportError::Unwritable { path: path.to_owned(), source };
    match fs::read_to_string(path) {
        Ok(known) if known == pem => return Ok(()),
        Ok(_) => return Err(ImportError::InTheWay { path: path.to_owned() }),
        Err(_) => {}
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(unwritable)?;
    }
    fs::write(path, pem).map_err(unwritable)
}
