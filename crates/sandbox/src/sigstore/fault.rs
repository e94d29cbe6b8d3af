//! What goes wrong on purpose.

/// A service's misbehaviour, until it is turned off. Several may be on at once.
///
/// Where nothing else is said, a fault of the log concerns both versions of Rekor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Certificates had expired ten minutes ago when they are issued.
    ExpiredCertificate,
    /// Certificates are for TLS servers instead of code signing.
    WrongKeyUsage,
    /// Certificates are issued by an authority that the trusted root does not name.
    UnknownAuthority,
    /// Certificates are issued by an authority that has the name of the trusted one, but another key.
    ImpostorAuthority,
    /// Certificates name an empty OIDC issuer.
    EmptyIssuer,
    /// Certificates carry an SCT of a log that the trusted root does not name.
    WrongCertificateLogKey,
    /// Certificates carry an SCT of the right log over another certificate.
    SctOverOtherBytes,
    /// Certificates carry no SCT.
    NoSct,
    /// The log answers with the entry of another signature.
    EntryForAnotherSignature,
    /// The log answers with an entry that has this signature, and another artifact's digest.
    EntryOfAnotherArtifact,
    /// The log signs checkpoint and promise with a key that the trusted root does not name, under its own identity.
    WrongLogKey,
    /// The log has another key and another identity than the trusted root names.
    UnknownLog,
    /// The log signs with a key that the trusted root names as ended before the sandbox's time.
    RetiredLogKey,
    /// The log has two trees of one size: the checkpoint is of the one, the proof of the other.
    ForkedCheckpoint,
    /// The checkpoint is signed by the other log that the trusted root names, in that log's name.
    CheckpointOfAnotherOrigin,
    /// The inclusion proof leads from another leaf to the root.
    ProofOfAnotherLeaf,
    /// The promise covers another entry's body. Rekor version 1 only; version 2 gives no promise.
    PromiseOverAnotherBody,
    /// The log says that it took the entry in one hour later. Rekor version 1 only; version 2 states no time.
    LateLogEntry,
    /// The timestamp says one hour later: after the certificate expired.
    LateTimestamp,
    /// The timestamp says one hour earlier: before the certificate began.
    EarlyTimestamp,
    /// The timestamp is of another signature.
    TimestampOfAnotherSignature,
    /// The timestamp is of an authority that the trusted root names as ended before the sandbox's time.
    RetiredTimestampAuthority,
    /// The timestamp is signed with a certificate of the right authority that is not for time-stamping.
    TimestampAuthorityWithoutUsage,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::ExpiredCertificate,
        Self::WrongKeyUsage,
        Self::UnknownAuthority,
        Self::ImpostorAuthority,
        Self::EmptyIssuer,
        Self::WrongCertificateLogKey,
        Self::SctOverOtherBytes,
        Self::NoSct,
        Self::EntryForAnotherSignature,
        Self::EntryOfAnotherArtifact,
        Self::WrongLogKey,
        Self::UnknownLog,
        Self::RetiredLogKey,
        Self::ForkedCheckpoint,
        Self::CheckpointOfAnotherOrigin,
        Self::ProofOfAnotherLeaf,
        Self::PromiseOverAnotherBody,
        Self::LateLogEntry,
        Self::LateTimestamp,
        Self::EarlyTimestamp,
        Self::TimestampOfAnotherSignature,
        Self::RetiredTimestampAuthority,
        Self::TimestampAuthorityWithoutUsage,
    ];
}

/// The faults that are on.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn of(faults: &[Fault]) -> Self {
        Self(faults.to_vec())
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }
}
