//! Who signs in the sandbox.

use serde_json::{Map, Value, json};

/// The issuer that GitHub Actions' tokens name. The sandbox's issuer speaks in its name, so that policies for it can be
/// tried as they are; its tokens are signed with the sandbox's own key.
pub const GITHUB_ISSUER: &str = "https://token.actions.githubusercontent.com";

/// An identity with the claims that go into its token and certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// OIDC issuer.
    pub issuer: String,
    /// Subject alternative name of the certificate: a workflow URI or an email address.
    pub subject: String,
    /// Source repository as `owner/name`; none for people.
    pub repository: Option<String>,
    /// Source ref.
    pub reference: String,
    /// Source commit, 40 hexadecimal digits.
    pub sha: String,
    /// Event that started the workflow.
    pub trigger: String,
    /// `github-hosted` or `self-hosted`.
    pub runner: String,
}

impl Identity {
    /// A GitHub workflow: `company/payments`, `release.yml`, `refs/heads/main`; pushed, on a hosted runner.
    pub fn github(repository: &str, workflow: &str, reference: &str) -> Self {
        Self {
            issuer: GITHUB_ISSUER.to_owned(),
            subject: format!("https://github.com/{repository}/.github/workflows/{workflow}@{reference}"),
            repository: Some(repository.to_owned()),
            reference: reference.to_owned(),
            sha: "4f2c1e9d8b7a6f5e4d3c2b1a0f9e8d7c6b5a4f3e".to_owned(),
            trigger: "push".to_owned(),
            runner: "github-hosted".to_owned(),
        }
    }

    /// A person with an email address.
    pub fn person(issuer: &str, email: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            subject: email.to_owned(),
            repository: None,
            reference: String::new(),
            sha: String::new(),
            trigger: String::new(),
            runner: String::new(),
        }
    }

    /// The same identity as another issuer states it, for services that check where a token comes from.
    #[must_use]
    pub fn of_issuer(mut self, issuer: &str) -> Self {
        issuer.clone_into(&mut self.issuer);
        self
    }

    /// The claims of a token, with GitHub's names (docs.github.com, "OpenID Connect reference").
    pub(super) fn claims(&self, audience: &str, now: i64) -> Value {
        let mut claims = json!({
            "iss": self.issuer, "aud": audience, "iat": now, "nbf": now, "exp": now + 300,
        });
        let more: Value = match &self.repository {
            Some(repository) => json!({
                "sub": format!("repo:{repository}:ref:{}", self.reference),
                "job_workflow_ref": self.subject.strip_prefix("https://github.com/").unwrap_or(&self.subject),
                "job_workflow_sha": self.sha,
                "repository": repository,
                "repository_id": "1001",
                "repository_owner": repository.split('/').next().unwrap_or_default(),
                "repository_owner_id": "1002",
                "ref": self.reference,
                "sha": self.sha,
                "event_name": self.trigger,
                "runner_environment": self.runner,
                "repository_visibility": "private",
                "workflow": "release",
                "workflow_ref": self.subject.strip_prefix("https://github.com/").unwrap_or(&self.subject),
                "workflow_sha": self.sha,
                "run_id": "4711",
                "run_attempt": "1",
            }),
            None => json!({"sub": self.subject, "email": self.subject, "email_verified": true}),
        };
        if let (Some(claims), Value::Object(more)) = (claims.as_object_mut(), more) {
            claims.extend(more);
        }
        claims
    }

    /// The identity that a token's claims state; none if it is neither a workflow nor a verified address.
    pub(super) fn of_claims(claims: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let issuer = text("iss")?;
        if let Some(email) = text("email") {
            let verified = claims.get("email_verified").and_then(Value::as_bool).unwrap_or(false);
            return verified.then(|| Self::person(&issuer, &email));
        }
        Some(Self {
            issuer,
            subject: format!("https://github.com/{}", text("job_workflow_ref")?),
            repository: Some(text("repository")?),
            reference: text("ref")?,
            sha: text("sha")?,
            trigger: text("event_name")?,
            runner: text("runner_environment")?,
        })
    }
}
