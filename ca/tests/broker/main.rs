//! The sign-in, over sockets, with stand-ins for the providers.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod development;
mod device;
mod providers;
mod sessions;
mod stand_in;
mod world;
