//! `ci-issuer-metadata` as `[[ci_provider]]`.

use super::source::Metadata;
use super::text::quoted;
use crate::identity::CiProvider;

/// The table of one provider, and what it reads back as; else the reason why it cannot be had.
pub(super) fn table(
    metadata: &Metadata,
    notes: &mut Vec<String>,
) -> Result<(String, CiProvider), String> {
    let name = &metadata.name;
    if CiProvider::shipped(name).is_some() {
        return Err("its name is that of a provider that is shipped; rename it".to_owned());
    }
    if metadata.subject.trim().is_empty() {
        return Err("it has no subject-alternative-name-template".to_owned());
    }
    let mut body = format!("name = {}\nsubject = {}\n", quoted(name), quoted(&metadata.subject));
    if metadata.subject.contains(".ci_config_ref_uri") {
        // GitLab's claim: a repository and a file in it, with a double slash between.
        body.push_str("subject_form = \"repository-and-file\"\n");
    }
    let mut sections = Vec::new();
    if !metadata.defaults.is_empty() {
        let lines = metadata.defaults.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        sections.push(section("defaults", lines));
    }
    let templates: Vec<(&str, &str)> = metadata
        .extensions
        .iter()
        .map(|(key, template)| (key.as_str(), template.as_str()))
        .filter(|(key, template)| {
            let from_token = matches!(*key, "issuer" | "subject" | "token-subject");
            if from_token {
                notes.push(format!(
                    "ci provider {name}: the template {key} is ignored: always the token's own"
                ));
            }
            !from_token && !template.trim().is_empty()
        })
        .collect();
    if !templates.is_empty() {
        sections.push(section("extensions", templates.into_iter()));
    }
    let of = |prefix: &str| {
        sections
            .iter()
            .fold(body.clone(), |text, (title, lines)| format!("{text}[{prefix}{title}]\n{lines}"))
    };
    let provider: CiProvider =
        toml::from_str(&of("")).map_err(|error| error.message().to_owned())?;
    Ok((format!("[[ci_provider]]\n{}\n", of("ci_provider.")), provider))
}

fn section<'l>(
    title: &'static str,
    lines: impl Iterator<Item = (&'l str, &'l str)>,
) -> (&'static str, String) {
    (title, lines.map(|(key, value)| format!("{} = {}\n", quoted(key), quoted(value))).collect())
}
