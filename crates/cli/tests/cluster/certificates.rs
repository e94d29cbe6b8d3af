//! The certificates of a control plane: one authority for servers and clients.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// Writes `ca.crt`, `apiserver.{crt,key}`, `admin.{crt,key}`, and `accounts.{key,pub}` for ServiceAccount tokens.
pub(crate) fn write(folder: &Path) {
    let put = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.distinguished_name.push(DnType::CommonName, "cluster tests");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    put("ca.crt", authority.pem());
    let server = ["127.0.0.1", "localhost", "kubernetes.default.svc"].map(str::to_owned).to_vec();
    let leaves = [
        ("apiserver", server, "kube-apiserver", None, ExtendedKeyUsagePurpose::ServerAuth),
        ("admin", Vec::new(), "admin", Some("system:masters"), ExtendedKeyUsagePurpose::ClientAuth),
    ];
    for (name, hosts, common, organisation, usage) in leaves {
        let key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::new(hosts).unwrap();
        leaf.distinguished_name = DistinguishedName::new();
        leaf.distinguished_name.push(DnType::CommonName, common);
        if let Some(organisation) = organisation {
            leaf.distinguished_name.push(DnType::OrganizationName, organisation);
        }
        leaf.extended_key_usages = vec![usage];
        leaf.use_authority_key_identifier_extension = true;
        put(&format!("{name}.crt"), leaf.signed_by(&key, &authority).unwrap().pem());
        put(&format!("{name}.key"), key.serialize_pem());
    }
    let accounts = KeyPair::generate().unwrap();
    put("accounts.key", accounts.serialize_pem());
    put("accounts.pub", accounts.public_key_pem());
}

/// Writes `ca.crt`, and `tls.crt` and `tls.key` of a server under it: what cert-manager puts into a Secret.
pub(crate) fn issue(folder: &Path, host: &str) {
    let put = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.distinguished_name.push(DnType::CommonName, "somebody else");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new(vec![host.to_owned()]).unwrap();
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    put("tls.key", key.serialize_pem());
    put("tls.crt", leaf.signed_by(&key, &authority).unwrap().pem());
    put("ca.crt", authority.pem());
}
