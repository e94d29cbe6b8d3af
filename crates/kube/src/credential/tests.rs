use super::*;
use crate::Manifests;

fn of(text: &str) -> PullCredentials {
    let manifests = Manifests::parse(text.as_bytes(), &[]).unwrap();
    let objects: Vec<_> = manifests.surroundings.iter().map(|manifest| manifest.object("shop")).collect();
    pull_credentials(&objects)
}

fn secret(namespace: &str, name: &str, config: &str) -> String {
    let encoded = STANDARD.encode(config);
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         type: kubernetes.io/dockerconfigjson\ndata: {{.dockerconfigjson: {encoded}}}\n"
    )
}

const NARROW: &str = r#"{"auths": {"registry.example.com/shop": {"auth": "dTpw"}}}"#;

#[test]
fn a_secret_is_known_by_what_it_opens_and_who_carries_it() {
    let account =
        "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: api}\nimagePullSecrets: [{name: pull}]\n";
    let found = of(&(secret("shop", "pull", NARROW) + account));
    let expected = PullSecret {
        namespace: "shop".into(),
        name: "pull".into(),
        scopes: vec!["registry.example.com/shop".into()],
        service_accounts: vec!["api".into()],
        namespaces: 1,
    };
    assert_eq!(found.secrets, [expected]);
    assert_eq!(found.accounts, ["shop/api".to_owned()].into());
}

#[test]
fn an_account_whose_secret_is_elsewhere_is_not_known() {
    let account = |secrets: &str| {
        format!("---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: api}}\nimagePullSecrets: {secrets}\n")
    };
    let pull = secret("shop", "pull", NARROW);
    assert_eq!(of(&(pull.clone() + &account("[{name: pull}, {name: other}]"))).accounts, [].into());
    assert_eq!(of(&(secret("other", "pull", NARROW) + &account("[{name: pull}]"))).accounts, [].into());
    assert_eq!(of(&account("[]")).accounts, ["shop/api".to_owned()].into());
}

#[test]
fn the_same_credential_in_other_namespaces_is_counted_however_it_is_written() {
    let spaced = r#"{ "auths":  {"registry.example.com/shop":{"auth":"dTpw"}}, "credsStore": "x" }"#;
    let other = r#"{"auths": {"registry.example.com/shop": {"auth": "b3RoZXI="}}}"#;
    let old = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: old, namespace: d}\n\
               stringData: {.dockercfg: '{\"registry.example.com/shop\": {\"auth\": \"dTpw\"}}'}\n";
    let text = secret("a", "one", NARROW) + &secret("b", "two", spaced) + &secret("c", "three", other) + old;
    let counts: Vec<_> = of(&text).secrets.into_iter().map(|own| (own.name, own.namespaces)).collect();
    assert_eq!(
        counts,
        [("one", 3), ("two", 3), ("three", 1), ("old", 3)].map(|(name, count)| (name.to_owned(), count))
    );
}

#[test]
fn what_cannot_be_read_is_no_secret_that_is_known() {
    for data in [
        "{.dockerconfigjson: '!!'}",
        "{.dockerconfigjson: e30=}",
        "{.dockerconfigjson: bm8=}",
        "{password: eA==}",
        "[]",
    ] {
        let text = format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\ndata: {data}\n");
        assert_eq!(of(&text), PullCredentials::default(), "{data}");
    }
}

#[test]
fn nothing_of_a_credential_gets_out() {
    let shown = format!("{:?}", of(&secret("shop", "pull", NARROW)));
    assert!(!shown.contains("dTpw"), "{shown}");
}
