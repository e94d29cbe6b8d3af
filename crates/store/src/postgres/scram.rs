//! SCRAM-SHA-256 (RFC 5802 and 7677), as PostgreSQL speaks it: the user's name is left empty, the startup message has it.
//!
//! It proves that we know the password without sending it, and that the server knows it too. Channels are not bound:
//! the certificate is checked instead.

use std::num::NonZeroU32;

use assay_model::Secret;
use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Most rounds that are computed for a server; PostgreSQL's own setting is 4,096.
const ROUNDS_MAX: u32 = 1_000_000;
/// No channel binding, no other identity.
const HEADER: &str = "n,,";

/// One authentication.
pub(super) struct Scram {
    nonce: String,
}

/// What the server's last word has to be.
#[derive(Debug)]
pub(super) struct Expected(Vec<u8>);

impl Scram {
    pub(super) fn new() -> Result<Self, String> {
        let mut nonce = [0; 18];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| "the system gave no random bytes".to_owned())?;
        Ok(Self { nonce: STANDARD.encode(nonce) })
    }

    /// The first message.
    pub(super) fn first(&self) -> String {
        format!("{HEADER}{}", self.first_bare())
    }

    fn first_bare(&self) -> String {
        format!("n=,r={}", self.nonce)
    }

    /// The last message, from the server's first one.
    pub(super) fn last(&self, server: &str, password: &Secret<String>) -> Result<(String, Expected), String> {
        let wrong = |what: &str| format!("its SCRAM message has {what}");
        let mut parts = server.split(',');
        let mut part = |name: &str| parts.next().and_then(|part| part.strip_prefix(name));
        let nonce = part("r=").ok_or_else(|| wrong("no nonce"))?;
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err(wrong("another nonce than ours"));
        }
        let salt = part("s=").and_then(|salt| STANDARD.decode(salt).ok()).ok_or_else(|| wrong("no salt"))?;
        let rounds = part("i=").and_then(|rounds| rounds.parse::<NonZeroU32>().ok());
        let rounds = rounds.filter(|rounds| rounds.get() <= ROUNDS_MAX).ok_or_else(|| wrong("no usable rounds"))?;

        let mut salted = [0; digest::SHA256_OUTPUT_LEN];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, password.expose().as_bytes(), &mut salted);
        let signed = |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
        let client_key = signed(&salted, "Client Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        let without_proof = format!("c={},r={nonce}", STANDARD.encode(HEADER));
        let message = format!("{},{server},{without_proof}", self.first_bare());
        let signature = signed(stored_key.as_ref(), &message);
        let proof: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let server_key = signed(&salted, "Server Key");
        let expected = signed(server_key.as_ref(), &message).as_ref().to_vec();
        Ok((format!("{without_proof},p={}", STANDARD.encode(proof)), Expected(expected)))
    }
}

impl Expected {
    /// Whether the server has shown that it knows the password.
    pub(super) fn verify(&self, server: &str) -> Result<(), String> {
        let signature = server.strip_prefix("v=").and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
        constant_time::verify_slices_are_equal(&signature, &self.0)
            .map_err(|_| "it does not know the password itself".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, section 3, but for the user's name.
    const SERVER: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn scram() -> Scram {
        Scram { nonce: "rOprNGfwEbeRWgbNEkqO".into() }
    }

    fn pencil() -> Secret<String> {
        Secret::new("pencil".into())
    }

    #[test]
    fn the_proof_is_the_one_that_another_implementation_makes() {
        // Made with Python's hashlib and hmac for an empty user name.
        let (last, expected) = scram().last(SERVER, &pencil()).unwrap();
        assert_eq!(
            last,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=qvT2SWdEH5Q06albL+hjSYuUhCG7VndFyzIb7CK4n9k="
        );
        expected.verify("v=3HO6Qt1M4MKJrmlKaoOqLAI0/0TV0HZe7J9H3MBtSOg=").unwrap();
        assert!(expected.verify("v=AAAA").is_err());
        assert!(expected.verify("e=invalid-proof").is_err());
    }

    #[test]
    fn a_server_that_does_not_answer_us_is_refused() {
        for server in [
            "",
            "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=?,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4000000000",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==",
        ] {
            assert!(scram().last(server, &pencil()).is_err(), "{server}");
        }
    }
}
