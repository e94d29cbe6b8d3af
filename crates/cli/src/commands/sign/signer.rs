//! Who signs, made ready once for everything that is signed.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use assay_model::{Secret, Timestamp};
use assay_sign::{
    DeviceFlow, Endpoints, Environment, Http, HttpServices, IdentityToken, KeylessSigner, NoServices,
    PUBLIC_GOOD_ISSUER, SignedBundle, SignedMessage, Signer as _, SigningKey, Statement, TOKEN_AUDIENCE,
    WitnessedKeySigner, ambient_token,
};

use crate::Result;
use crate::commands::password::PasswordSource;
use crate::failure::{CliError, read_text};
use crate::session::Session;
use crate::variables;

/// Who signs.
pub(crate) struct SignerOptions {
    /// What holds the key, or whose identity is certified.
    pub(crate) who: Who,
    /// Where the witnesses are, and for an identity the certificate authority.
    pub(crate) endpoints: Endpoints,
}

/// What holds the key, or whose identity is certified.
pub(crate) enum Who {
    /// A key.
    Key {
        /// A file, or another reference.
        reference: String,
        /// Where its password comes from.
        password: PasswordSource,
    },
    /// An identity, by a token.
    Identity(TokenSource),
}

/// Where a token comes from.
pub(crate) enum TokenSource {
    /// A file.
    File(PathBuf),
    /// Wherever the process runs; on a terminal a person is asked.
    Ambient {
        /// Who is asked for a person's token.
        issuer: Option<String>,
        /// Only a person is asked.
        device: bool,
    },
}

/// A signer that is ready.
pub(crate) enum ReadySigner {
    /// With a key.
    Key(Box<WitnessedKeySigner<Witnesses>>),
    /// With a certificate.
    Keyless(Box<KeylessSigner<HttpServices>>),
}

/// The witnesses of a key's signature, if there are any.
#[derive(Debug)]
pub(crate) enum Witnesses {
    /// None.
    Nobody(NoServices),
    /// Services.
    Services(Box<HttpServices>),
}

impl assay_sign::Services for Witnesses {
    fn has(&self, service: assay_sign::Service) -> bool {
        match self {
            Self::Nobody(services) => services.has(service),
            Self::Services(services) => services.has(service),
        }
    }

    async fn post(
        &self,
        service: assay_sign::Service,
        body: Vec<u8>,
    ) -> std::result::Result<Vec<u8>, assay_sign::SignError> {
        match self {
            Self::Nobody(services) => services.post(service, body).await,
            Self::Services(services) => services.post(service, body).await,
        }
    }

    async fn post_all(
        &self,
        service: assay_sign::Service,
        body: Vec<u8>,
    ) -> std::result::Result<Vec<Vec<u8>>, assay_sign::SignError> {
        match self {
            Self::Nobody(services) => services.post_all(service, body).await,
            Self::Services(services) => services.post_all(service, body).await,
        }
    }
}

impl SignerOptions {
    /// Opens the key, or finds the token.
    pub(crate) async fn ready(&self, session: &Session<'_>) -> Result<ReadySigner> {
        let environment = Environment::of_process();
        let http = http(session)?;
        match &self.who {
            Who::Key { .. } => {
                let (key, witnesses) = (self.key(session).await?, self.witnesses(session)?);
                Ok(ReadySigner::Key(Box::new(WitnessedKeySigner::new(key, witnesses))))
            }
            Who::Identity(source) => {
                let token = source.token(session, &environment, &http).await?;
                token.check(Timestamp::now(), TOKEN_AUDIENCE)?;
                let services = HttpServices::with_http(self.endpoints.clone(), http)?;
                Ok(ReadySigner::Keyless(Box::new(KeylessSigner::new(services, token))))
            }
        }
    }

    /// The key, for formats that need one.
    pub(crate) async fn key(&self, session: &Session<'_>) -> Result<SigningKey> {
        let Who::Key { reference, password } = &self.who else {
            return Err(CliError::Usage {
                message: "this signature is made with a key".to_owned(),
                next: "--key FILE".to_owned(),
            }
            .into());
        };
        let environment = Environment::of_process();
        let ask = || password.password(session.printer);
        Ok(SigningKey::open(reference, &environment, &http(session)?, ask).await?)
    }

    /// The witnesses alone.
    pub(crate) fn witnesses(&self, session: &Session<'_>) -> Result<Witnesses> {
        if self.endpoints == Endpoints::default() {
            return Ok(Witnesses::Nobody(NoServices));
        }
        let services = HttpServices::with_http(self.endpoints.clone(), http(session)?)?;
        Ok(Witnesses::Services(Box::new(services)))
    }
}

fn http(session: &Session<'_>) -> Result<Http> {
    let path = session.settings.ca_file.value.as_deref();
    let authorities = path.map(read_text).transpose()?;
    Ok(Http::new(authorities.as_deref()).map_err(|message| CliError::Malformed {
        what: path.map(|path| path.display().to_string()).unwrap_or_default(),
        message,
    })?)
}

impl TokenSource {
    async fn token(&self, session: &Session<'_>, environment: &Environment, http: &Http) -> Result<IdentityToken> {
        let (issuer, device) = match self {
            Self::File(path) => return Ok(IdentityToken::new(&Secret::new(read_text(path)?).expose()[..])?),
            Self::Ambient { issuer, device } => (issuer.as_deref().unwrap_or(PUBLIC_GOOD_ISSUER), *device),
        };
        if !device {
            if let Some(text) = variables::read(variables::IDENTITY_TOKEN) {
                return Ok(IdentityToken::new(&text)?);
            }
            if let Some((_, token)) = ambient_token(environment, http, TOKEN_AUDIENCE).await? {
                return Ok(token);
            }
            if !std::io::stderr().is_terminal() {
                return Err(CliError::Usage {
                    message: "nothing to sign with: there is neither a key nor an identity token".to_owned(),
                    next: format!(
                        "--key KEY, --identity-token FILE, --device-flow, or set {}",
                        variables::IDENTITY_TOKEN
                    ),
                }
                .into());
            }
        }
        let (flow, code) = DeviceFlow::begin(http, issuer).await?;
        let address = code.verification_uri_complete.as_ref().unwrap_or(&code.verification_uri);
        let minutes = code.expires_in.as_secs().div_ceil(60);
        session.printer.note(&format!(
            "Open {address} and confirm the code {} within {minutes} min: your email address becomes public in the log",
            code.user_code
        ));
        Ok(flow.wait().await?)
    }
}

impl ReadySigner {
    /// Whom the certificate of a keyless signature will name.
    pub(crate) fn certified_subject(&self) -> Option<&str> {
        match self {
            Self::Key(_) => None,
            Self::Keyless(signer) => Some(signer.subject()),
        }
    }

    /// Signs a statement.
    pub(crate) async fn sign(&self, statement: &Statement) -> Result<SignedBundle> {
        Ok(match self {
            Self::Key(signer) => signer.sign(statement).await?,
            Self::Keyless(signer) => signer.sign(statement).await?,
        })
    }

    /// Signs a message.
    pub(crate) async fn sign_message(&self, message: &[u8]) -> Result<SignedMessage> {
        Ok(match self {
            Self::Key(signer) => signer.sign_message(message).await?,
            Self::Keyless(signer) => signer.sign_message(message).await?,
        })
    }
}
