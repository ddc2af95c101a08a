//! One issuer as `[[issuer]]`.

use std::path::PathBuf;

use super::Imported;
use super::source::Issuer;
use super::text::{commented, one_line, quoted};
use crate::admit::Breadth;
use crate::identity::{CiProvider, IssuerTable};

/// Writes the table of an issuer, or says why there is none.
pub(super) fn write(issuer: &Issuer, providers: &[CiProvider], imported: &mut Imported) {
    let name = one_line(&issuer.name);
    let table = match table(issuer, imported) {
        Ok(table) => table,
        Err(reason) => {
            imported.notes.push(format!("issuer {name}: left out: {reason}"));
            return;
        }
    };
    if let Some(decision) = &table.decision {
        imported.notes.push(format!("issuer {name}: written as a comment: {decision}"));
        imported.toml.push_str(&commented(&table.text, decision));
        return;
    }
    let checked = toml::from_str::<IssuerTable>(&table.lines)
        .map_err(|error| error.message().to_owned())
        .and_then(|table| table.resolve(providers).map_err(|fault| fault.to_string()));
    if let Err(reason) = checked {
        imported.notes.push(format!("issuer {name}: left out: {reason}"));
        return;
    }
    imported.toml.push_str(&table.text);
    imported.files.extend(table.file);
    imported.issuers += 1;
    if Breadth::of_issuer(table.url) != Breadth::Own {
        imported.notes.push(format!(
            "issuer {name}: vouches for the public: nobody may sign until [[issuer.allow]] says who"
        ));
    }
}

struct Table<'i> {
    url: &'i str,
    /// The keys of the table.
    lines: String,
    /// The whole of it, with what Fulcio says of it as a comment.
    text: String,
    /// A certificate file that it names.
    file: Option<(PathBuf, String)>,
    /// What the operator has to decide before it may count.
    decision: Option<String>,
}

fn table<'i>(issuer: &'i Issuer, imported: &mut Imported) -> Result<Table<'i>, String> {
    let field = |name: &str| issuer.fields.get(name).map(String::as_str);
    let url = match (issuer.is_pattern, field("issuer-url")) {
        (true, None) => issuer.name.as_str(),
        (true, Some(_)) => return Err("a pattern with an issuer-url of its own".to_owned()),
        (false, Some(url)) if url == issuer.name => url,
        (false, Some(_)) => return Err("its issuer-url is not its name in the map".to_owned()),
        (false, None) => return Err("it has no issuer-url".to_owned()),
    };
    let client_id = field("client-id").ok_or("it has no client-id")?;
    let kind = field("type").ok_or("it has no type")?;
    let mut decision = None;
    let kind = match kind {
        "ci-provider" => "ci",
        "email" if field("skip-email-verification") == Some("true") => {
            decision = Some(
                "skip-email-verification takes addresses that nobody says are verified; take the \
                 # away if your own organisation verifies every address at this provider"
                    .to_owned(),
            );
            "email-without-verified-claim"
        }
        // Names of ours that Fulcio does not have.
        "ci" | "email-without-verified-claim" => return Err(format!("unknown type {kind:?}")),
        other => other,
    };
    let mut lines = format!(
        "url = {}\nclient_id = {}\ntype = {}\n",
        quoted(url),
        quoted(client_id),
        quoted(kind)
    );
    for (theirs, ours) in [
        ("ci-provider", "provider"),
        ("subject-domain", "subject_domain"),
        ("spiffe-trust-domain", "trust_domain"),
        ("issuer-claim", "issuer_claim"),
    ] {
        if let Some(value) = field(theirs) {
            lines.push_str(&format!("{ours} = {}\n", quoted(value)));
        }
    }
    if field("issuer-claim").is_some() {
        decision = Some(
            "issuer-claim takes any value; list those of its connectors in issuer_claim_values \
             and take the # away (the public Sigstore's are https://github.com/login/oauth, \
             https://accounts.google.com and https://login.microsoftonline.com)"
                .to_owned(),
        );
        lines.push_str("issuer_claim_values = []\n");
    }
    let mut file = None;
    if let Some(pem) = field("ca-cert") {
        let path = certificate_path(url);
        lines.push_str(&format!("ca_cert = {}\n", quoted(&path)));
        file = Some((PathBuf::from(path), pem.to_owned()));
    }
    let default = if kind.starts_with("email") { "email" } else { "sub" };
    if field("challenge-claim").is_some_and(|claim| claim != default) {
        imported.notes.push(format!(
            "issuer {}: challenge-claim is left out: it is only advertised, and the type decides",
            one_line(&issuer.name)
        ));
    }
    let about: String = ["description", "contact", "environment"]
        .into_iter()
        .filter_map(|name| Some(format!("# {name}: {}\n", one_line(field(name)?))))
        .collect();
    let text = format!("[[issuer]]\n{about}{lines}\n");
    Ok(Table { url, lines, text, file, decision })
}

/// A file of its own for each issuer, whose name is made of the URL's letters and digits.
fn certificate_path(url: &str) -> String {
    let name: String = url
        .strip_prefix("https://")
        .unwrap_or(url)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' })
        .collect();
    format!("issuers/{}.pem", name.trim_matches('.'))
}
