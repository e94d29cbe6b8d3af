//! Content identity: the unit of trust.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

use crate::Explain;

/// The hash algorithms that the OCI image specification registers (image-spec, descriptor.md, "Registered Algorithms").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, 32 bytes: what every registry speaks.
    Sha256,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl Algorithm {
    /// The name in front of the colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// A content digest, `sha256:` or `sha512:` and lowercase hexadecimal. It exists only after a valid parse or after the
/// bytes themselves were hashed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: [u8; 64],
}

impl Digest {
    /// Hashes `bytes` with SHA-256.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The algorithm that made it.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The raw hash, 32 or 64 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.length()]
    }

    /// The hexadecimal part, lowercase.
    pub fn hex(&self) -> String {
        hex::encode(self.as_bytes())
    }

    /// `sha256:` and the first 12 hexadecimal digits: for people, never for look-ups.
    pub fn short(&self) -> String {
        format!("{}:{}", self.algorithm.name(), &self.hex()[..12])
    }

    /// The tag under which registries without a referrers endpoint keep the referrers index
    /// (distribution-spec, "Referrers Tag Schema"): `sha256-<hex>`.
    pub fn fallback_tag(&self) -> String {
        format!("{}-{}", self.algorithm.name(), self.hex())
    }
}

/// `sha512:` and 128 digits.
const TEXT_MAX: usize = 7 + 128;

impl Digest {
    /// The text, in one piece: records hold dozens of them.
    fn text<'b>(&self, buffer: &'b mut [u8; TEXT_MAX]) -> Result<&'b str, fmt::Error> {
        let name = self.algorithm.name().len();
        let length = name + 1 + 2 * self.algorithm.length();
        buffer[..name].copy_from_slice(self.algorithm.name().as_bytes());
        buffer[name] = b':';
        hex::encode_to_slice(self.as_bytes(), &mut buffer[name + 1..length]).map_err(|_| fmt::Error)?;
        std::str::from_utf8(&buffer[..length]).map_err(|_| fmt::Error)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; TEXT_MAX])?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, encoded) = text.split_once(':').ok_or_else(|| DigestError::NoAlgorithm { text: text.to_owned() })?;
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            _ => return Err(DigestError::UnknownAlgorithm { name: name.to_owned() }),
        };
        let expected = algorithm.length() * 2;
        if encoded.len() != expected {
            return Err(DigestError::WrongLength { algorithm: algorithm.name(), expected, found: encoded.len() });
        }
        // What is no digit is more than one: it is looked for once, at the end.
        let digit = |digit: u8| match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => u8::MAX,
        };
        let (mut bytes, mut all) = ([0; 64], 0);
        for (byte, digits) in bytes.iter_mut().zip(encoded.as_bytes().as_chunks().0) {
            let [high, low] = digits.map(digit);
            all |= high | low;
            *byte = high << 4 | low;
        }
        if all > 0x0f {
            return Err(DigestError::NotLowercaseHex { text: text.to_owned() });
        }
        Ok(Self { algorithm, bytes })
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text(&mut [0; TEXT_MAX]).map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Computes a [`Digest`] while bytes stream through.
#[derive(Clone)]
pub struct Hasher {
    state: State,
}

#[derive(Clone)]
enum State {
    Sha256(sha2::Sha256),
    Sha512(Box<sha2::Sha512>),
}

impl Hasher {
    /// Starts a hash.
    pub fn new(algorithm: Algorithm) -> Self {
        let state = match algorithm {
            Algorithm::Sha256 => State::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Box::new(sha2::Sha512::new())),
        };
        Self { state }
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest of everything that was added.
    pub fn finish(self) -> Digest {
        let mut bytes = [0; 64];
        let algorithm = match self.state {
            State::Sha256(state) => {
                bytes[..32].copy_from_slice(&state.finalize());
                Algorithm::Sha256
            }
            State::Sha512(state) => {
                bytes.copy_from_slice(&state.finalize());
                Algorithm::Sha512
            }
        };
        Digest { algorithm, bytes }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").finish_non_exhaustive()
    }
}

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no `algorithm:` in front.
    #[error("`{text}` has no algorithm; a digest looks like sha256:<64 hexadecimal digits>")]
    NoAlgorithm {
        /// What was written.
        text: String,
    },
    /// The algorithm is not one that OCI registers.
    #[error("digest algorithm `{name}` is not supported (sha256 and sha512 are)")]
    UnknownAlgorithm {
        /// What stands before the colon.
        name: String,
    },
    /// The encoded part has the wrong length.
    #[error("a {algorithm} digest has {expected} hexadecimal digits, this one has {found}")]
    WrongLength {
        /// The algorithm named.
        algorithm: &'static str,
        /// Digits it must have.
        expected: usize,
        /// Digits it has.
        found: usize,
    },
    /// The encoded part is not lowercase hexadecimal.
    #[error("`{text}` is not lowercase hexadecimal")]
    NotLowercaseHex {
        /// What was written.
        text: String,
    },
}

impl Explain for DigestError {
    fn code(&self) -> &'static str {
        "digest-invalid"
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_digest_of_nothing_is_the_published_one() {
        let expected = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), expected);
        assert_eq!(expected.parse::<Digest>(), Ok(Digest::of(b"")));
    }

    #[test]
    fn what_is_nearly_a_digest_is_refused() {
        let upper = format!("sha256:{}", "A".repeat(64));
        let long = format!("sha256:{}", "a".repeat(65));
        for text in ["", "sha256", "sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e", &upper, &long, "sha256:é"] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_parses_or_errs_and_never_panics(text in ".{0,200}") {
            if let Ok(digest) = text.parse::<Digest>() {
                prop_assert_eq!(digest.to_string(), text);
            }
        }

        #[test]
        fn every_digest_survives_its_text(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let digest = Digest::of(&bytes);
            prop_assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
        }
    }
}
