//! `ca rotate tuf`: new keys for the repository, in one call. A client walks from root to root, so
//! that there is nothing to wait for.

use std::fs;
use std::path::{Path, PathBuf};

use crate::ceremony;
use crate::instance::Instance;
use crate::keys::Role;
use crate::tuf::config::ROLES;
use crate::tuf::repository::Repository;
use crate::tuf::{TufError, folder, offline};

/// Makes new keys for the root and for the roles below it, and publishes a root that names them,
/// signed by the old root key and the new. Answers what was done, for people.
///
/// A crash on the way leaves the old keys in `keys/` under other names, and a repository that still
/// names them: the next start refuses, and `ca tuf root DIR` publishes the root for what is there.
///
/// # Errors
/// [`TufError::KeysListed`], [`TufError::RootKeyElsewhere`], or as [`offline::replace_root_key`];
/// the old keys are then in their places again.
pub fn rotate(instance: &Instance, now: i64) -> Result<String, TufError> {
    let dir = &instance.dir;
    let config = &instance.config.tuf;
    if let Some(role) = ROLES.into_iter().find(|role| config.role(*role).keys.is_some()) {
        return Err(TufError::KeysListed { role });
    }
    if !Role::TufRoot.path(dir).exists() {
        return Err(TufError::RootKeyElsewhere);
    }
    let missing = || TufError::Missing { name: "1.root.json".to_owned() };
    let version = Repository::read(&folder(dir))?.ok_or_else(missing)?.root().version;
    let replaced = [Role::TufRoot, Role::Tuf].map(|role| {
        let old = dir.join("keys").join(format!("{}-of-root-{version}.pem", role.name()));
        (role, role.path(dir), old)
    });
    let published = replaced
        .iter()
        .try_for_each(|(role, path, old)| {
            rename(path, old)?;
            Ok(ceremony::add_key(dir, *role)?)
        })
        .and_then(|()| offline::replace_root_key(instance, now));
    match published {
        Ok(version) => {
            let old = replaced.map(|(_, _, old)| old.display().to_string()).join(" and ");
            Ok(format!("published root {version}, which names new keys\nnext: destroy {old}"))
        }
        Err(error) => {
            for (_, path, old) in replaced.iter().filter(|(_, _, old)| old.exists()) {
                rename(old, path)?;
            }
            Err(error)
        }
    }
}

fn rename(from: &PathBuf, to: &Path) -> Result<(), TufError> {
    fs::rename(from, to).map_err(|source| TufError::File { path: from.clone(), source })
}
