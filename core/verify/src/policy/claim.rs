use std::fmt;

use formats::certificate::FulcioExtensions;

/// Declares each claim with its name and its field, so that none can be listed and not read.
macro_rules! claims {
    ($($(#[$doc:meta])* $variant:ident $field:ident $name:literal,)*) => {
        /// What a certificate may state beside subject and issuer: the extensions under
        /// 1.3.6.1.4.1.57264.1 (fulcio docs/oid-info.md), each read from its own extension and
        /// never split out of the subject.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Claim {
            $($(#[$doc])* $variant,)*
        }

        impl Claim {
            /// All claims, in the order of their extensions.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The claim's name in kebab case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The claim's value; an empty one is as good as none.
            #[must_use]
            pub fn value(self, extensions: &FulcioExtensions) -> Option<&str> {
                let value = match self {
                    $(Self::$variant => extensions.$field.as_deref(),)*
                };
                value.filter(|value| !value.is_empty())
            }
        }
    };
}

claims! {
    /// 2: event that started the GitHub workflow.
    GithubWorkflowTrigger github_workflow_trigger "github-workflow-trigger",
    /// 3: commit of the GitHub workflow.
    GithubWorkflowSha github_workflow_sha "github-workflow-sha",
    /// 4: name of the GitHub workflow.
    GithubWorkflowName github_workflow_name "github-workflow-name",
    /// 5: repository that ran the GitHub workflow; the subject names the called file instead.
    GithubWorkflowRepository github_workflow_repository "github-workflow-repository",
    /// 6: reference that the GitHub workflow ran on.
    GithubWorkflowRef github_workflow_ref "github-workflow-ref",
    /// 9: build instructions that signed.
    BuildSignerUri build_signer_uri "build-signer-uri",
    /// 10: their immutable version.
    BuildSignerDigest build_signer_digest "build-signer-digest",
    /// 11: whether the runner was hosted or self-hosted.
    RunnerEnvironment runner_environment "runner-environment",
    /// 12: source repository.
    SourceRepositoryUri source_repository_uri "source-repository-uri",
    /// 13: its commit.
    SourceRepositoryDigest source_repository_digest "source-repository-digest",
    /// 14: its reference.
    SourceRepositoryRef source_repository_ref "source-repository-ref",
    /// 15: its immutable identifier, which outlives a rename.
    SourceRepositoryIdentifier source_repository_identifier "source-repository-identifier",
    /// 16: owner of the source repository.
    SourceRepositoryOwnerUri source_repository_owner_uri "source-repository-owner-uri",
    /// 17: the owner's immutable identifier.
    SourceRepositoryOwnerIdentifier source_repository_owner_identifier
        "source-repository-owner-identifier",
    /// 18: top-level build instructions.
    BuildConfigUri build_config_uri "build-config-uri",
    /// 19: their immutable version.
    BuildConfigDigest build_config_digest "build-config-digest",
    /// 20: event that started the build.
    BuildTrigger build_trigger "build-trigger",
    /// 21: this run.
    RunInvocationUri run_invocation_uri "run-invocation-uri",
    /// 22: visibility of the source repository when signing.
    SourceRepositoryVisibility source_repository_visibility_at_signing
        "source-repository-visibility",
    /// 23: deployment environment.
    DeploymentEnvironment deployment_environment "deployment-environment",
    /// 24: the token's `sub`.
    TokenSubject token_subject "token-subject",
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
