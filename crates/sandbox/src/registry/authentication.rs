//! Who may come in: nobody is asked, a name and a password, or a token from the registry's own token server.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};

use super::reply::{self, Reply};
use super::{Shared, State};

/// How the registry authenticates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// Everybody may do everything.
    None,
    /// HTTP basic authentication.
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: String,
    },
    /// A token from `/token`, for the scope that was asked for (distribution, "Token Authentication Specification").
    Bearer {
        /// User name.
        username: String,
        /// Password.
        password: String,
        /// Whether a token to pull is given without a name.
        anonymous_pull: bool,
        /// Seconds that a token lives, as announced; the registry itself honours it until the value is replaced.
        expires_in: u64,
    },
}

#[derive(Default)]
pub(crate) struct Tokens {
    granted: BTreeMap<String, Vec<String>>,
    count: u64,
}

/// Refuses with a challenge, or lets pass (`None`).
pub(crate) fn check(shared: &Shared, state: &State, headers: &HeaderMap, scope: &str) -> Option<Reply> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match &shared.options.authentication {
        Authentication::None => None,
        Authentication::Basic { username, password } => {
            let wanted = basic(username, password);
            (given != Some(wanted.as_str())).then(|| challenge("Basic realm=\"sandbox\"".to_owned()))
        }
        Authentication::Bearer { .. } => {
            let token = given.and_then(|value| value.strip_prefix("Bearer "));
            let granted = token.and_then(|token| state.tokens.granted.get(token));
            let allowed = granted.is_some_and(|scopes| scope.is_empty() || scopes.iter().any(|has| covers(has, scope)));
            let realm = state.faults.token_realm.clone();
            let realm = realm.unwrap_or_else(|| format!("http://{}/token", shared.address));
            let scope = if scope.is_empty() { String::new() } else { format!(",scope=\"{scope}\"") };
            (!allowed).then(|| challenge(format!("Bearer realm=\"{realm}\",service=\"{}\"{scope}", shared.address)))
        }
    }
}

fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

fn challenge(value: String) -> Reply {
    reply::error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required")
        .header(header::WWW_AUTHENTICATE.as_str(), value)
}

/// Whether `has` (for example `repository:a:pull,push`) includes `wanted` (`repository:a:pull`).
fn covers(has: &str, wanted: &str) -> bool {
    let split = |text: &str| text.rsplit_once(':').map(|(name, actions)| (name.to_owned(), actions.to_owned()));
    match (split(has), split(wanted)) {
        (Some((has, may)), Some((name, actions))) => {
            has == name && actions.split(',').all(|action| may.split(',').any(|given| given == action))
        }
        _ => false,
    }
}

/// `GET /token?service=...&scope=...`, or the OAuth2 form with a refresh token.
pub(crate) fn token(shared: &Shared, state: &mut State, headers: &HeaderMap, query: &[(String, String)]) -> Reply {
    let Authentication::Bearer { username, password, anonymous_pull, expires_in } = &shared.options.authentication
    else {
        return reply::error(StatusCode::NOT_FOUND, "NOT_FOUND", "no token server");
    };
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let refresh = query.iter().find(|(key, _)| key == "refresh_token").map(|(_, value)| value.as_str());
    let known = given == Some(basic(username, password).as_str()) || refresh == Some(password.as_str());
    if !known && (given.is_some() || refresh.is_some() || !anonymous_pull) {
        return reply::error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "wrong user name or password");
    }
    let scopes = query.iter().filter(|(key, _)| key == "scope").flat_map(|(_, value)| value.split(' '));
    let granted: Vec<String> = scopes.filter(|scope| known || scope.ends_with(":pull")).map(str::to_owned).collect();
    state.tokens.count += 1;
    let token = format!("token-{}", state.tokens.count);
    state.tokens.granted.insert(token.clone(), granted);
    Reply::json(StatusCode::OK, &serde_json::json!({ "token": token, "expires_in": expires_in }))
}
