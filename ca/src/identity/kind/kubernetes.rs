//! Service accounts of a cluster.

use std::collections::BTreeMap;

use formats::certificate::SubjectName;
use serde_json::Value;
use thiserror::Error;

use super::Reading;
use crate::identity::claims::Claims;
use crate::identity::refusal::TokenRefusal;

/// What keeps a token from naming one service account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ServiceAccountFault {
    /// No object of `namespace` and `serviceaccount` with `name` and `uid`: the token is not bound.
    /// Tokens out of a Secret have flat claims instead, and neither expiry nor audience.
    #[error("kubernetes.io does not hold namespace, serviceaccount.name and serviceaccount.uid")]
    NotBound,
    /// The namespace is no label of RFC 1123.
    #[error("the namespace is not a label of 1 to 63 lower-case letters, digits and hyphens")]
    Namespace,
    /// The name is no subdomain of RFC 1123.
    #[error("the name is not made of labels of lower-case letters, digits and hyphens")]
    Name,
    /// `sub` names another account than the claims do.
    #[error("sub is not system:serviceaccount:NAMESPACE:NAME of the same account")]
    Subject,
}

pub(super) fn read(sub: &str, claims: &Claims) -> Result<Reading, TokenRefusal> {
    account(sub, claims).map_err(|fault| TokenRefusal::ServiceAccount { fault })
}

fn account(sub: &str, claims: &Claims) -> Result<Reading, ServiceAccountFault> {
    let not_bound = ServiceAccountFault::NotBound;
    let bound = claims.get("kubernetes.io").and_then(Value::as_object).ok_or(not_bound)?;
    let namespace = bound.get("namespace").and_then(Value::as_str).ok_or(not_bound)?;
    let account = bound.get("serviceaccount").and_then(Value::as_object).ok_or(not_bound)?;
    let name = account.get("name").and_then(Value::as_str).ok_or(not_bound)?;
    let uid = account.get("uid").and_then(Value::as_str).filter(|uid| !uid.is_empty());
    let uid = uid.filter(|uid| uid.bytes().all(|b| b.is_ascii_graphic())).ok_or(not_bound)?;
    if !is_label(namespace) {
        return Err(ServiceAccountFault::Namespace);
    }
    if name.len() > MAX_NAME || !name.split('.').all(is_label) {
        return Err(ServiceAccountFault::Name);
    }
    if sub != format!("system:serviceaccount:{namespace}:{name}") {
        return Err(ServiceAccountFault::Subject);
    }
    let subject = format!("https://kubernetes.io/namespaces/{namespace}/serviceaccounts/{name}");
    let used = [
        ("kubernetes.io/namespace", namespace),
        ("kubernetes.io/serviceaccount/name", name),
        ("kubernetes.io/serviceaccount/uid", uid),
    ];
    let used: BTreeMap<String, String> =
        used.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ok(Reading { used, ..Reading::of_sub(SubjectName::Uri(subject), sub) })
}

/// A label of RFC 1123 as Kubernetes has it.
fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

const MAX_NAME: usize = 253;
