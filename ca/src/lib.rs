//! The instance: certificate authority, transparency logs, timestamp authority and trust root in
//! one server.
//!
//! A request for a certificate runs through [`fulcio`] (the wire), [`identity`] (whose token),
//! [`admit`] (whether they may), [`proof`] (whose key) and [`issue`] (precertificate, CT log, certificate).

pub mod admit;
pub mod answer;
pub mod audit;
pub mod broker;
pub mod ceremony;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod ct;
pub mod disk;
pub mod explain;
pub mod faces;
pub mod failure;
pub mod fulcio;
pub mod health;
pub mod identity;
pub mod import;
pub mod instance;
pub mod issue;
pub mod keys;
pub mod limits;
pub mod lint;
pub mod logs;
pub mod metrics;
pub mod oidc_dev;
pub mod profile;
pub mod proof;
pub mod proxy;
pub mod rekor;
pub mod reload;
pub mod rotate;
pub mod rotation;
pub mod run;
pub mod serve;
pub mod timestamp;
pub mod tls;
pub mod trust;
pub mod tuf;
