//! The services over HTTP, as clients of the real ones use them.

use assay_model::Digest;
use assay_sign::{HttpServices, IdentityToken, KeylessSigner, Signer as _, Statement};
use assay_trust::VerifyError;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use const_oid::ObjectIdentifier;
use serde_json::{Value, json};
use x509_cert::der::{Decode as _, Encode as _};

use super::super::certificates::{CertificateAuthority, Wanted};
use super::super::key::{Key, KeyKind, PublicPoint};
use super::super::{Authority, CI_TOKEN, Fault, Identity, Server, merkle, timestamp};
use super::{authority, release, verify};

async fn served() -> (Authority, Server, reqwest::Client) {
    let authority = authority();
    let server = Server::start(authority.clone()).await.unwrap();
    (authority, server, client())
}

fn client() -> reqwest::Client {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap()
}

async fn json(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn faults_of_one_server_are_not_those_of_another() {
    let (ours, ours_served, _) = served().await;
    let (theirs, theirs_served, _) = served().await;
    ours.set_faults(&[Fault::NoSct, Fault::LateTimestamp]);
    let subject = Digest::of(b"image");
    for (authority, server, fine) in [(&ours, &ours_served, false), (&theirs, &theirs_served, true)] {
        let services = HttpServices::new(server.signing_config()).unwrap();
        let signer = KeylessSigner::new(services, authority.token(&release()).unwrap());
        let bundle = signer.sign(&Statement::image_signature(&subject)).await.unwrap();
        assert_eq!(verify(authority, bundle.bytes(), subject).is_ok(), fine);
    }
}

#[tokio::test]
async fn the_log_of_version_2_is_read_as_tiles() {
    let (authority, server, client) = served().await;
    for n in 0..3u8 {
        super::evidence::bundle_v2(&authority, &release(), &Statement::image_signature(&Digest::of(&[n])));
    }
    let get = async |path: &str| client.get(format!("{}/api/v2/{path}", server.url())).send().await.unwrap();
    let checkpoint = get("checkpoint").await.text().await.unwrap();
    let lines: Vec<&str> = checkpoint.lines().collect();
    assert_eq!(lines[0], authority.log_v2_origin());
    assert_eq!(lines[1], "3");
    let bundle = get("tile/entries/000.p/3").await.bytes().await.unwrap();
    let hashes = get("tile/0/000.p/3").await.bytes().await.unwrap();
    let mut rest = &bundle[..];
    let mut leaves = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<2>().unwrap();
        let (entry, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        leaves.push(merkle::leaf(entry));
        rest = after;
    }
    assert_eq!(hashes, leaves.iter().flat_map(|leaf| leaf.as_bytes().to_vec()).collect::<Vec<u8>>());
    assert_eq!(STANDARD.decode(lines[2]).unwrap(), merkle::root(&leaves).as_bytes());
    assert_eq!(get("tile/0/000").await.status(), 404, "it is not full yet");
    assert_eq!(get("tile/9/000").await.status(), 400);
    // A fork shows to whoever compares checkpoints of one size.
    authority.set_fault(Some(Fault::ForkedCheckpoint));
    let forked = get("checkpoint").await.text().await.unwrap();
    assert_eq!(forked.lines().nth(1), Some("3"));
    assert_ne!(forked.lines().nth(2), Some(lines[2]));
}

#[tokio::test]
async fn the_log_of_version_2_takes_what_its_signature_fits_and_nothing_else() {
    let (_, server, client) = served().await;
    let url = format!("{}/api/v2/log/entries", server.url());
    let key = Key::generate().unwrap();
    let verifier =
        |details: &str| json!({"publicKey": {"rawBytes": STANDARD.encode(key.spki())}, "keyDetails": details});
    let hashed = |signature: Vec<u8>, details: &str| {
        json!({"hashedRekordRequestV002": {
            "digest": STANDARD.encode(Digest::of(b"artifact").as_bytes()),
            "signature": {"content": STANDARD.encode(signature), "verifier": verifier(details)},
        }})
    };
    let good = key.sign(b"artifact").unwrap();
    let (status, entry) = json(client.post(&url).json(&hashed(good.clone(), "PKIX_ECDSA_P256_SHA_256"))).await;
    assert_eq!(status, 201);
    assert_eq!(entry["kindVersion"], json!({"kind": "hashedrekord", "version": "0.0.2"}));
    assert_eq!((&entry["logIndex"], &entry["integratedTime"]), (&json!("0"), &json!("0")));
    let body: Value =
        serde_json::from_slice(&STANDARD.decode(entry["canonicalizedBody"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(body["spec"]["hashedRekordV002"]["data"]["algorithm"], "SHA2_256");

    let signed = key.sign(&assay_trust::pae("text/plain", b"payload")).unwrap();
    let envelope = json!({"dsseRequestV002": {
        "envelope": {
            "payload": STANDARD.encode("payload"), "payloadType": "text/plain",
            "signatures": [{"sig": STANDARD.encode(signed)}],
        },
        "verifiers": [verifier("PKIX_ECDSA_P256_SHA_256")],
    }});
    let (status, entry) = json(client.post(&url).json(&envelope)).await;
    assert_eq!((status, &entry["kindVersion"]["kind"], &entry["logIndex"]), (201, &json!("dsse"), &json!("1")));

    for refused in [
        hashed(key.sign(b"another").unwrap(), "PKIX_ECDSA_P256_SHA_256"),
        hashed(good.clone(), "PKIX_ECDSA_P384_SHA_384"),
        hashed(good, "PKIX_ED25519"),
        json!({}),
        json!({"hashedRekordRequestV002": {}, "more": 1}),
    ] {
        assert_eq!(json(client.post(&url).json(&refused)).await.0, 400, "{refused}");
    }
}

#[tokio::test]
async fn a_foreign_authority_can_use_our_certificate_log() {
    let (authority, server, client) = served().await;
    let foreign = CertificateAuthority::root("a real fulcio").unwrap();
    let key = Key::generate().unwrap();
    let now = authority.clock().seconds();
    let identity = release();
    let wanted = Wanted {
        identity: &identity,
        serial: 5,
        validity: (now, now + 600),
        usage: rcgen::ExtendedKeyUsagePurpose::CodeSigning,
        sct: None,
    };
    let final_form = foreign.signing(&wanted, &PublicPoint(key.public().to_vec())).unwrap();
    // The precertificate is the same with the poison in it.
    let mut poisoned = x509_cert::Certificate::from_der(&final_form).unwrap();
    poisoned.tbs_certificate.extensions.as_mut().unwrap().push(x509_cert::ext::Extension {
        extn_id: const_oid::db::rfc6962::CT_PRECERT_POISON,
        critical: true,
        extn_value: x509_cert::der::asn1::OctetString::new([5, 0]).unwrap(),
    });
    let chain = [poisoned.to_der().unwrap(), foreign.der.clone()].map(|der| STANDARD.encode(der));
    let submit = async |path: &str, chain: &[String]| {
        json(client.post(format!("{}/ct/ct/v1/{path}", server.url())).json(&json!({"chain": chain}))).await
    };
    let (status, sct) = submit("add-pre-chain", &chain).await;
    assert_eq!((status, &sct["sct_version"], &sct["extensions"]), (200, &json!(0), &json!("")));
    assert_eq!(sct["timestamp"], now * 1000);

    // What was signed: version, type, time, precertificate entry, issuer, certificate without poison, no extensions.
    let issuer = x509_cert::Certificate::from_der(&foreign.der).unwrap().tbs_certificate.subject_public_key_info;
    let to_be_signed = x509_cert::Certificate::from_der(&final_form).unwrap().tbs_certificate.to_der().unwrap();
    let mut signed = vec![0, 0];
    signed.extend((now * 1000).to_be_bytes());
    signed.extend([0, 1]);
    signed.extend(Digest::of(&issuer.to_der().unwrap()).as_bytes());
    signed.extend(&u32::try_from(to_be_signed.len()).unwrap().to_be_bytes()[1..]);
    signed.extend(&to_be_signed);
    signed.extend([0, 0]);
    let signature = STANDARD.decode(sct["signature"].as_str().unwrap()).unwrap();
    assert_eq!(signature[..2], [4, 3]);
    let pem = authority.certificate_log_key_pem();
    let (_, spki) = x509_cert::der::pem::decode_vec(pem.as_bytes()).unwrap();
    assert_eq!(sct["id"], STANDARD.encode(Digest::of(&spki).as_bytes()));
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &spki[spki.len() - 65..]).verify(&signed, &signature[4..]).unwrap();

    // A whole certificate goes the other way, and neither goes the wrong one.
    let whole = [final_form, foreign.der.clone()].map(|der| STANDARD.encode(der));
    assert_eq!(submit("add-chain", &whole).await.0, 200);
    assert_eq!(submit("add-chain", &chain).await.0, 400);
    assert_eq!(submit("add-pre-chain", &whole).await.0, 400);
    assert_eq!(submit("add-pre-chain", &chain[..1]).await.0, 400);
    assert_eq!(submit("add-chain", &[]).await.0, 400);
}

#[test]
fn a_foreign_authority_can_be_named_in_the_trusted_root() {
    let authority = authority();
    let before = authority.trusted_root_json();
    let foreign = CertificateAuthority::root("a real fulcio").unwrap();
    authority.trust_authority(vec![foreign.der.clone()]);
    let root: Value = serde_json::from_slice(&authority.trusted_root_json()).unwrap();
    assert_ne!(before, authority.trusted_root_json());
    assert_eq!(
        root["certificateAuthorities"][1]["certChain"]["certificates"][0]["rawBytes"],
        STANDARD.encode(&foreign.der)
    );
}

#[tokio::test]
async fn the_issuer_can_be_discovered_and_its_tokens_verified() {
    let (authority, server, client) = served().await;
    let (_, discovered) = json(client.get(format!("{}/.well-known/openid-configuration", server.url()))).await;
    assert_eq!(discovered["issuer"], server.url());
    // Verifiers take RS256 alone where the issuer does not say.
    assert_eq!(discovered["id_token_signing_alg_values_supported"], json!(["ES256"]));
    let (_, keys) = json(client.get(discovered["jwks_uri"].as_str().unwrap())).await;
    let identity = release().of_issuer(&server.url());
    let token = authority.token_text(&identity).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(keys["keys"][0][name].as_str().unwrap()).unwrap();
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .unwrap();
    let claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap()).unwrap();
    assert_eq!(claims["iss"], server.url());
    // All that Fulcio's template for GitHub workflows asks for.
    for name in [
        "job_workflow_ref",
        "job_workflow_sha",
        "event_name",
        "sha",
        "ref",
        "repository",
        "repository_id",
        "repository_owner",
        "repository_owner_id",
        "repository_visibility",
        "runner_environment",
        "run_id",
        "run_attempt",
        "workflow",
        "workflow_ref",
        "workflow_sha",
    ] {
        assert!(claims[name].is_string(), "{name}");
    }
    let configuration: Value = serde_json::from_slice(&server.fulcio_configuration("github-workflow")).unwrap();
    assert_eq!(configuration["OIDCIssuers"][server.url()]["ClientID"], "sigstore");
}

#[tokio::test]
async fn people_get_tokens_by_the_device_flow() {
    let (authority, server, client) = served().await;
    let (_, device) = json(client.post(format!("{}/device/code", server.url()))).await;
    let form = |code: &str| {
        format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code={code}&client_id=sigstore"
        )
    };
    let redeem = async |body: String| json(client.post(format!("{}/token", server.url())).body(body)).await;
    let code = device["device_code"].as_str().unwrap();
    assert_eq!(redeem(form(code)).await, (400, json!({"error": "authorization_pending"})));
    let person = Identity::person(&server.url(), "someone@example.com");
    assert!(!authority.approve_device("SAND-9999", &person));
    assert!(authority.approve_device(device["user_code"].as_str().unwrap(), &person));
    let (status, answer) = redeem(form(code)).await;
    assert_eq!(status, 200);
    IdentityToken::new(answer["id_token"].as_str().unwrap()).unwrap();
    for (body, error) in [
        (form(code), "invalid_grant"),
        (form("device-7"), "invalid_grant"),
        ("grant_type=password".to_owned(), "unsupported_grant_type"),
        ("grant_type=urn:ietf:params:oauth:grant-type:device_code".to_owned(), "invalid_request"),
    ] {
        assert_eq!(redeem(body).await, (400, json!({"error": error})));
    }
}

#[tokio::test]
async fn jobs_get_tokens_for_the_audience_they_name() {
    let (authority, server, client) = served().await;
    let url = format!("{}/ci/token?audience=other", server.url());
    let ask = |token: &str| client.get(&url).header("authorization", format!("bearer {token}"));
    assert_eq!(json(ask(CI_TOKEN)).await.0, 401, "no job runs");
    authority.set_workflow(Some(release()));
    assert_eq!(json(ask("guessed")).await.0, 401);
    let (status, answer) = json(ask(CI_TOKEN)).await;
    assert_eq!(status, 200);
    let token = answer["value"].as_str().unwrap();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&claims).unwrap()["aud"], "other");
    // Fulcio takes none that was made for somebody else.
    let signer = KeylessSigner::new(authority.services(), IdentityToken::new(token).unwrap());
    let refused = signer.sign(&Statement::image_signature(&Digest::of(b"image"))).await;
    assert!(matches!(refused, Err(assay_sign::SignError::Refused { status: 401, .. })));
}

#[tokio::test]
async fn a_signing_configuration_names_every_service() {
    let (_, server, client) = served().await;
    let (_, config) = json(client.get(format!("{}/signing_config.v0.2.json", server.url()))).await;
    assert_eq!(serde_json::from_slice::<Value>(&server.signing_config_json()).unwrap(), config);
    assert_eq!(config["mediaType"], "application/vnd.dev.sigstore.signingconfig.v0.2+json");
    let versions: Vec<&Value> =
        config["rekorTlogUrls"].as_array().unwrap().iter().map(|log| &log["majorApiVersion"]).collect();
    assert_eq!(versions, [&json!(2), &json!(1)]);
    assert_eq!(config["tsaUrls"][0]["url"], format!("{}/api/v1/timestamp", server.url()));
    assert_eq!(
        (&config["caUrls"][0]["url"], &config["oidcUrls"][0]["url"]),
        (&json!(server.url()), &json!(server.url()))
    );
}

/// The request of RFC 3161, section 2.4.1, for the SHA-256 of `message`.
fn timestamp_query(message: &[u8]) -> Vec<u8> {
    use super::super::encode::{element, octet_string, sequence};
    let algorithm = sequence(&[&element(6, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1])]);
    let imprint = sequence(&[&algorithm, &octet_string(Digest::of(message).as_bytes())]);
    sequence(&[&element(2, &[1]), &imprint, &element(1, &[0xff])])
}

#[test]
fn timestamps_are_signed_with_ecdsa_or_rsa() {
    const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
    for (kind, is_rsa) in [(KeyKind::EcdsaP256, false), (KeyKind::Rsa2048, true)] {
        let authority = timestamp::TimestampAuthority::new("authority", kind).unwrap();
        let reply = authority
            .respond(&timestamp_query(b"signature"), (7, 1_700_000_000), None, timestamp::Usage::TimeStamping)
            .unwrap();
        // PKIStatusInfo (5 bytes after the header), then the token.
        let reply = x509_cert::der::asn1::Any::from_der(&reply).unwrap();
        let token = cms::content_info::ContentInfo::from_der(&reply.value()[5..]).unwrap();
        let data: cms::signed_data::SignedData = token.content.decode_as().unwrap();
        let signer = data.signer_infos.0.get(0).unwrap();
        assert_eq!(signer.signature_algorithm.oid == RSA, is_rsa);
        let signed = signer.signed_attrs.as_ref().unwrap().to_der().unwrap();
        let certificate = x509_cert::Certificate::from_der(authority.chain()[0]).unwrap();
        let key = certificate.tbs_certificate.subject_public_key_info.subject_public_key.raw_bytes().to_vec();
        let signature = signer.signature.as_bytes();
        if is_rsa {
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(&signed, signature).unwrap();
        } else {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(&signed, signature).unwrap();
        }
    }
}

#[test]
fn causes_of_faults_that_are_combined_are_still_refusals() {
    let subject = Digest::of(b"image");
    for pair in Fault::ALL.windows(2) {
        let authority = authority();
        authority.set_faults(pair);
        let statement = Statement::image_signature(&subject);
        let bundle = super::evidence::bundle(&authority, &release(), &statement);
        let verdict: Result<_, VerifyError> = verify(&authority, bundle.bytes(), subject);
        assert!(verdict.is_err(), "{pair:?}");
    }
}
