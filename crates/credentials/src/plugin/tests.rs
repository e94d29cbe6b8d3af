//! A plugin is a program: here, one of the shell's.

use super::*;
use crate::{Keychain, Sources};

struct Node {
    folder: tempfile::TempDir,
}

impl Node {
    /// A node with one plugin, which counts its calls and then does this.
    fn new(does: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script =
            format!("#!/bin/sh\necho call >>'{}'\nread -r request\n{does}\n", folder.path().join("calls").display());
        let path = folder.path().join("cloud-provider");
        // Written by a process of its own: one that this process begins to fork meanwhile would hold the file open for
        // writing, and such a file cannot be executed.
        let source = folder.path().join("source");
        std::fs::write(&source, script).unwrap();
        assert!(Command::new("install").args(["-m", "755"]).args([&source, &path]).status().unwrap().success());
        Self { folder }
    }

    fn answering(response: &str) -> Self {
        Self::new(&format!("echo '{response}'"))
    }

    fn config(&self, text: &str) -> Result<KubeletPlugins, CredentialError> {
        let path = self.folder.path().join("config.yaml");
        std::fs::write(&path, text).unwrap();
        KubeletPlugins::read(&path, self.folder.path())
    }

    fn plugins(&self, duration: &str) -> KubeletPlugins {
        self.config(&format!(
            "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- name: cloud-provider\n  \
             matchImages: ['*.registry.example', 'other.example:5000']\n  defaultCacheDuration: {duration}\n  \
             apiVersion: credentialprovider.kubelet.k8s.io/v1\n  args: [get-credentials]\n  env: [{{name: NAME, value: value}}]\n"
        ))
        .unwrap()
    }

    fn calls(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("calls")).map_or(0, |calls| calls.lines().count())
    }
}

fn response(key: &str, more: &str) -> String {
    format!(
        r#"{{"apiVersion":"credentialprovider.kubelet.k8s.io/v1","kind":"CredentialProviderResponse","cacheKeyType":"{key}"{more},
        "auth":{{"*.registry.example":{{"username":"all","password":"s3cret"}},"a.registry.example/team":{{"username":"team","password":"s3cret"}}}}}}"#
    )
}

async fn user(plugins: &KubeletPlugins, image: &str) -> Result<Option<String>, CredentialError> {
    let credential = plugins.find(&image.parse().unwrap()).await?;
    Ok(credential.map(|credential| match credential {
        Credential::Basic { username, .. } => username,
        other => panic!("{other:?}"),
    }))
}

#[tokio::test]
async fn a_plugin_answers_for_the_images_that_its_configuration_names() {
    let node = Node::answering(&response("Registry", ""));
    let plugins = node.plugins("1h");
    assert_eq!(user(&plugins, "elsewhere.example/a").await.unwrap(), None);
    assert_eq!(node.calls(), 0, "it is not even asked");
    assert_eq!(user(&plugins, "b.registry.example/a").await.unwrap().as_deref(), Some("all"));
    assert_eq!(
        user(&plugins, "a.registry.example/team/x").await.unwrap().as_deref(),
        Some("team"),
        "the more specific"
    );
    assert_eq!(user(&plugins, "other.example:5000/a").await.unwrap(), None, "asked, and its answer does not cover it");
    let keychain = Keychain::new(Sources::default()).with_provider(std::sync::Arc::new(node.plugins("1h")));
    assert!(keychain.credential(&"b.registry.example/a".parse().unwrap()).await.unwrap().is_some());
}

#[tokio::test]
async fn the_plugin_gets_the_request_of_the_protocol_and_its_environment() {
    let node = Node::new(
        r#"[ "$1" = get-credentials ] && [ "$NAME" = value ] || exit 3
case "$request" in
'{"apiVersion":"credentialprovider.kubelet.k8s.io/v1","kind":"CredentialProviderRequest","image":"a.registry.example/team/x"}') ;;
*) exit 4 ;;
esac
echo '{"apiVersion":"credentialprovider.kubelet.k8s.io/v1","kind":"CredentialProviderResponse","cacheKeyType":"Image","auth":{"a.registry.example":{"username":"u","password":"p"}}}'"#,
    );
    assert_eq!(user(&node.plugins("0"), "a.registry.example/team/x").await.unwrap().as_deref(), Some("u"));
}

#[tokio::test]
async fn answers_are_remembered_by_their_kind_of_key() {
    let images = ["a.registry.example/x", "a.registry.example/x", "a.registry.example/y", "b.registry.example/x"];
    for (key, duration, more, calls) in [
        ("Image", "1h", "", 3),
        ("Registry", "1h", "", 2),
        ("Global", "1h", "", 1),
        ("Global", "0s", "", 4),
        ("Global", "0s", r#","cacheDuration":"5m""#, 1),
        ("Global", "1h", r#","cacheDuration":"0""#, 4),
    ] {
        let node = Node::answering(&response(key, more));
        let plugins = node.plugins(duration);
        for image in images {
            assert!(user(&plugins, image).await.unwrap().is_some());
        }
        assert_eq!(node.calls(), calls, "{key} {duration} {more}");
    }
}

#[tokio::test]
async fn a_plugin_that_misbehaves_is_an_error_without_its_output() {
    let wrong_version = response("Image", "").replace("k8s.io/v1\"", "k8s.io/v1alpha1\"");
    for does in [
        "echo s3cret; exit 1".to_owned(),
        "echo s3cret".to_owned(),
        format!("echo '{wrong_version}'"),
        format!("echo '{}'", response("Everything", "")),
        "head -c 300000 /dev/zero".to_owned(),
    ] {
        let error = user(&Node::new(&does).plugins("1h"), "a.registry.example/x").await.unwrap_err();
        assert!(matches!(error, CredentialError::PluginFailed { .. }), "{does}: {error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    let node = Node::new("exec sleep 60");
    let slow = node.plugins("1h").with_timeout(Duration::from_millis(100));
    let error = user(&slow, "a.registry.example/x").await.unwrap_err();
    assert!(error.to_string().contains("no answer within"), "{error}");
}

#[test]
fn a_configuration_that_the_kubelet_would_refuse_is_refused() {
    let node = Node::answering("");
    let good = "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- {name: p, matchImages: [a.io], \
                defaultCacheDuration: 1h, apiVersion: credentialprovider.kubelet.k8s.io/v1}\n";
    assert!(node.config(good).is_ok());
    for (from, to) in [
        ("kubelet.config.k8s.io/v1", "kubelet.config.k8s.io/v1alpha1"),
        ("credentialprovider.kubelet.k8s.io/v1", "credentialprovider.kubelet.k8s.io/v1beta1"),
        ("name: p", "name: ../p"),
        ("name: p", "name: ''"),
        ("[a.io]", "[]"),
        ("[a.io]", "['a[']"),
        ("1h,", "1 hour,"),
        ("1h,", "1h, tokenAttributes: {serviceAccountTokenAudience: a},"),
        ("providers:", "plugins:"),
    ] {
        assert!(good.contains(from));
        assert!(node.config(&good.replace(from, to)).is_err(), "{to}");
    }
}

#[test]
fn durations_are_gos() {
    let millis = |text| duration(text).map(|found| found.as_millis());
    assert_eq!(millis("12h"), Some(43_200_000));
    assert_eq!(millis("1h30m5s500ms"), Some(5_405_500));
    assert_eq!(millis("0"), Some(0));
    for text in ["", "h", "1", "-1h", "1.5h", "1d", "99999999999999999999h", "18446744073709551615h"] {
        assert_eq!(millis(text), None, "{text}");
    }
}
