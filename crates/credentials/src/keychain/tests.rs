use std::path::Path;

use super::*;

fn keychain(folder: &Path, content: &str) -> Keychain {
    let file = folder.join("config.json");
    std::fs::write(&file, content).unwrap();
    Keychain::new(Sources { files: vec![file], helper_folders: vec![folder.to_owned()] })
}

async fn ask(keychain: &Keychain, repository: &str) -> Result<Option<Credential>, CredentialError> {
    keychain.credential(&repository.parse().unwrap()).await
}

#[tokio::test]
async fn docker_entries_give_user_and_password_identity_and_registry_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let keychain = keychain(
        folder.path(),
        r#"{"auths":{
            "https://index.docker.io/v1/": {"auth": "dTpwOndpdGg6Y29sb25z"},
            "a.example.com": {"auth": "PHRva2VuPjo=", "identitytoken": "refresh"},
            "b.example.com": {"registrytoken": "bearer"},
            "c.example.com": {"username": "u", "password": "p"},
            "d.example.com": {}
        }, "unknownField": 1}"#,
    );
    for (repository, expected) in [
        ("nginx", Some(Credential::basic("u", "p:with:colons"))),
        ("a.example.com/x", Some(Credential::identity_token("refresh"))),
        ("b.example.com/x", Some(Credential::registry_token("bearer"))),
        ("c.example.com/x", Some(Credential::basic("u", "p"))),
        ("d.example.com/x", None),
        ("e.example.com/x", None),
    ] {
        assert_eq!(ask(&keychain, repository).await.unwrap(), expected, "{repository}");
    }
}

#[tokio::test]
async fn podman_takes_the_longest_path_that_covers_the_repository() {
    let folder = tempfile::tempdir().unwrap();
    let keychain = keychain(
        folder.path(),
        r#"{"auths":{
            "r.example.com": {"username": "host", "password": "p"},
            "r.example.com/team": {"username": "team", "password": "p"},
            "r.example.com/team/app": {"username": "app", "password": "p"}
        }}"#,
    );
    for (repository, user) in [
        ("r.example.com/team/app", "app"),
        ("r.example.com/team/app/sub", "app"),
        ("r.example.com/team/application", "team"),
        ("r.example.com/other", "host"),
    ] {
        assert_eq!(ask(&keychain, repository).await.unwrap(), Some(Credential::basic(user, "p")), "{repository}");
    }
}

#[tokio::test]
async fn what_the_caller_gives_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let keychain = keychain(folder.path(), r#"{"auths":{"r.example.com":{"username":"file","password":"p"}}}"#)
        .with("r.example.com/team", Credential::basic("caller", "p"))
        .unwrap();
    assert_eq!(ask(&keychain, "r.example.com/team/a").await.unwrap(), Some(Credential::basic("caller", "p")));
    assert_eq!(ask(&keychain, "r.example.com/b").await.unwrap(), Some(Credential::basic("file", "p")));
    assert!(Keychain::anonymous().with("not a host", Credential::basic("u", "p")).is_err());
}

#[tokio::test]
async fn broken_files_say_where_and_never_what() {
    let folder = tempfile::tempdir().unwrap();
    let error = ask(&keychain(folder.path(), "{\n \"auths\": \"hunter2\"}"), "r.example.com/a").await.unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    let error = ask(&keychain(folder.path(), r#"{"auths":{"r.example.com":{"auth":"!!"}}}"#), "r.example.com/a").await;
    assert!(matches!(error, Err(CredentialError::BadEntry { .. })));
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(2 << 20));
    let error = ask(&keychain(folder.path(), &large), "r.example.com/a").await;
    assert!(matches!(error, Err(CredentialError::Unreadable { .. })));
}

#[cfg(unix)]
mod helpers {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn helper(folder: &Path, name: &str, script: &str) {
        let path = folder.join(format!("docker-credential-{name}"));
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[tokio::test]
    async fn a_helper_is_asked_once_with_the_server_on_its_input() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        helper(
            folder.path(),
            "test",
            &format!("cat >> {0}; echo \" $1\" >> {0}; echo '{{\"Username\":\"u\",\"Secret\":\"s\"}}'", log.display()),
        );
        helper(folder.path(), "hub", r#"cat > /dev/null; echo '{"Username":"<token>","Secret":"refresh"}'"#);
        let keychain = keychain(
            folder.path(),
            r#"{"credHelpers":{"r.example.com":"test","docker.io":"hub"},
                "auths":{"r.example.com":{"username":"file","password":"p"}}}"#,
        );
        for _ in 0..2 {
            assert_eq!(ask(&keychain, "r.example.com/a").await.unwrap(), Some(Credential::basic("u", "s")));
        }
        assert_eq!(std::fs::read_to_string(log).unwrap(), "r.example.com get\n");
        assert_eq!(ask(&keychain, "nginx").await.unwrap(), Some(Credential::identity_token("refresh")));
    }

    #[tokio::test]
    async fn a_store_without_an_entry_means_anonymous() {
        let folder = tempfile::tempdir().unwrap();
        helper(folder.path(), "store", "echo 'credentials not found in native keychain'; exit 1");
        let keychain = keychain(folder.path(), r#"{"credsStore":"store"}"#);
        assert_eq!(ask(&keychain, "r.example.com/a").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_helper_that_hangs_floods_fails_or_hides_elsewhere_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        helper(folder.path(), "hangs", "exec tail -f /dev/null");
        helper(folder.path(), "floods", "exec cat /dev/zero");
        helper(folder.path(), "fails", "echo secret; exit 3");
        helper(folder.path(), "lies", "echo 'secret'");
        for (name, part) in [
            ("hangs", "no answer"),
            ("floods", "larger"),
            ("fails", "exit status: 3"),
            ("lies", "not JSON"),
            ("absent", "not found"),
            ("../evil", "not found"),
        ] {
            let mut keychain = keychain(folder.path(), &format!(r#"{{"credsStore":"{name}"}}"#));
            keychain.helper_timeout = Duration::from_millis(if name == "hangs" { 50 } else { 10_000 });
            let error = ask(&keychain, "r.example.com/a").await.unwrap_err();
            assert!(error.to_string().contains(part), "{name}: {error}");
            assert!(!error.to_string().contains("secret"));
        }
    }
}

#[tokio::test]
async fn a_pull_secret_gives_its_entries_and_runs_nothing() {
    let config = br#"{"auths": {"r.example.com/team": {"auth": "dTpw"}}, "credHelpers": {"r.example.com": "evil"}, "credsStore": "evil"}"#;
    let keychain = Keychain::anonymous().with_pull_secret("ns/pull", "kubernetes.io/dockerconfigjson", config).unwrap();
    let of = async |repository: &str| keychain.credential(&repository.parse().unwrap()).await.unwrap();
    assert_eq!(of("r.example.com/team/a").await, Some(Credential::basic("u", "p")));
    assert_eq!(of("r.example.com/other").await, None);
    let is_given = |repository: &str| keychain.is_given(&repository.parse().unwrap());
    assert!(
        is_given("r.example.com/team/a") && !is_given("r.example.com/teams/a") && !is_given("other.example.com/team/a")
    );
    let older = br#"{"https://r.example.com": {"username": "u", "password": "p"}}"#;
    let keychain = Keychain::anonymous().with_pull_secret("ns/pull", "kubernetes.io/dockercfg", older).unwrap();
    assert!(keychain.credential(&"r.example.com/a".parse().unwrap()).await.unwrap().is_some());
    for (kind, value) in
        [("Opaque", &b"{}"[..]), ("kubernetes.io/dockerconfigjson", b"s3cret"), ("kubernetes.io/dockercfg", b"[]")]
    {
        let error = Keychain::anonymous().with_pull_secret("ns/pull", kind, value).unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}
