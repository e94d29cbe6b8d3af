//! Against a server of a few lines that says what it is told to; the cluster suite has the real one.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use assay_model::Explain as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::config::Identity;
use super::*;
use crate::crd::ENVIRONMENTS;

/// Answers, in their order, each on a connection of its own; what was asked, and with which authorization.
struct Server {
    url: Url,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answers: Vec<(u16, String)>) -> Self {
        Self::start_at("", answers).await
    }

    /// The same with another header in each answer.
    async fn start_at(header: &str, answers: Vec<(u16, String)>) -> Self {
        let header = header.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                // What is not read would be a reset connection to whoever sent it.
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let mut sent = vec![0; length.map_or(0, |length| length.parse().unwrap())];
                stream.read_exact(&mut sent).await.unwrap();
                let authorization = head.lines().find_map(|line| line.strip_prefix("authorization: "));
                let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
                seen.lock().unwrap().push(format!("{line} {}", authorization.unwrap_or("-")));
                let answer = format!("HTTP/1.1 {status} X\r\n{header}connection: close\r\n\r\n{body}");
                // In two pieces: no reader may count on whole lines.
                let (first, second) = answer.as_bytes().split_at(answer.len() - answer.len() / 3);
                stream.write_all(first).await.unwrap();
                stream.flush().await.unwrap();
                tokio::task::yield_now().await;
                stream.write_all(second).await.unwrap();
            }
        });
        Self { url, asked }
    }

    fn client(&self, identity: Identity) -> Client {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::from_files(&[kubeconfig(folder.path(), "{}", "{}")], None).unwrap();
        config.server = self.url.clone();
        config.identity = identity;
        Client::new(config).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn kubeconfig(folder: &Path, cluster: &str, user: &str) -> std::path::PathBuf {
    let cluster = cluster.trim_start_matches('{').trim_end_matches('}');
    let server = if cluster.contains("server:") { "" } else { "server: 'https://127.0.0.1:6443'," };
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: own\npreferences: {{}}\n\
         clusters: [{{name: c, cluster: {{{server} {cluster}}}}}]\nusers: [{{name: u, user: {user}}}]\n\
         contexts: [{{name: own, context: {{cluster: c, user: u, namespace: shop}}}}, {{name: lost, context: {{cluster: no, user: u}}}}]\n"
    );
    let path = folder.join("config");
    std::fs::write(&path, text).unwrap();
    path
}

fn listing(version: u32, names: &[&str]) -> String {
    let items: Vec<Value> = names.iter().map(|name| json!({"metadata": {"name": name}})).collect();
    json!({"metadata": {"resourceVersion": version.to_string()}, "items": items}).to_string()
}

fn event(kind: &str, version: u32, name: &str) -> String {
    let object = json!({"metadata": {"name": name, "resourceVersion": version.to_string()}});
    format!("{}\n", json!({"type": kind, "object": object}))
}

fn names(change: &Change) -> String {
    match change {
        Change::Listed(items) => items.iter().map(StoredObject::name).collect::<Vec<_>>().join(","),
        Change::Applied(object) => format!("+{}", object.name()),
        Change::Deleted(object) => format!("-{}", object.name()),
        Change::Failed(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_watch_goes_on_where_it_ended_and_lists_again_where_history_is_gone() {
    let gone =
        json!({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}});
    let server = Server::start(vec![
        (200, listing(5, &["a"])),
        (200, event("ADDED", 6, "b") + &event("BOOKMARK", 9, "")),
        (200, event("DELETED", 10, "a")),
        (200, format!("{gone}\n")),
        (200, listing(20, &["b", "c"])),
        (500, json!({"kind": "Status", "reason": "InternalError", "message": "etcd is away"}).to_string()),
        (200, listing(21, &["c"])),
    ])
    .await;
    let mut watcher = Watcher::new(server.client(Identity::Anonymous), ENVIRONMENTS, Selection::default());
    for wanted in ["a", "+b", "-a", "b,c", "the API server answers 500 InternalError: etcd is away", "c"] {
        assert_eq!(names(&watcher.next().await), wanted);
    }
    let asked = server.asked();
    let list = "GET /apis/assay.dev/v1/environments?limit=500 -";
    let watch = |version: u32| {
        format!(
            "GET /apis/assay.dev/v1/environments?watch=1&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds=240 -"
        )
    };
    assert_eq!(asked, [list, &watch(5), &watch(9), &watch(10), list, &watch(20), list]);
}

#[tokio::test]
async fn a_missing_resource_is_a_failure_that_is_tried_again() {
    let missing =
        json!({"kind": "Status", "code": 404, "reason": "NotFound", "message": "the server could not find it"});
    let server = Server::start(vec![(404, missing.to_string()), (200, listing(1, &[]))]).await;
    let mut watcher = Watcher::new(server.client(Identity::Anonymous), ENVIRONMENTS, Selection::default());
    assert!(matches!(watcher.next().await, Change::Failed(error) if error.is_not_found()));
    assert_eq!(watcher.next().await, Change::Listed(Vec::new()));
}

#[tokio::test]
async fn a_list_is_read_page_by_page_and_names_never_become_paths() {
    let first =
        json!({"metadata": {"resourceVersion": "7", "continue": "a&b"}, "items": [{"metadata": {"name": "x"}}]});
    let server = Server::start(vec![(200, first.to_string()), (200, listing(7, &["y"])), (404, String::new())]).await;
    let client = server.client(Identity::Token("t0".into()));
    let listed = client.list(SECRETS, &Selection::one(Some("shop"), "x y")).await.unwrap();
    assert_eq!(listed.items.len(), 2);
    assert!(client.get(SECRETS, Some("../../x"), "a/b?c").await.unwrap_err().is_not_found());
    assert_eq!(
        server.asked(),
        [
            "GET /api/v1/namespaces/shop/secrets?fieldSelector=metadata.name%3Dx+y&limit=500 Bearer t0",
            "GET /api/v1/namespaces/shop/secrets?fieldSelector=metadata.name%3Dx+y&limit=500&continue=a%26b Bearer t0",
            "GET /api/v1/namespaces/..%2F..%2Fx/secrets/a%2Fb%3Fc Bearer t0",
        ]
    );
}

#[tokio::test]
async fn a_service_account_token_is_read_again_for_each_request() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("token", "first\n"), ("namespace", "assay-system"), ("ca.crt", AUTHORITY)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let config = Config::in_cluster("10.0.0.1", "443", folder.path()).unwrap();
    assert_eq!((config.namespace.as_str(), config.server.as_str()), ("assay-system", "https://10.0.0.1/"));
    assert!(config.is_direct());
    let server = Server::start(vec![(200, "{}".into()), (200, "{}".into())]).await;
    let client = server.client(config.identity);
    client.get(NAMESPACES, None, "a").await.unwrap();
    std::fs::write(folder.path().join("token"), "second").unwrap();
    client.get(NAMESPACES, None, "a").await.unwrap();
    std::fs::write(folder.path().join("token"), "").unwrap();
    assert_eq!(client.get(NAMESPACES, None, "a").await.unwrap_err().code(), "kubeconfig-invalid");
    assert_eq!(server.asked().join("\n").matches("Bearer").count(), 2);
    assert!(server.asked()[1].ends_with("Bearer second"));
}

/// Somebody who answers for the API server, or stands in its way, must not learn who we are to it.
#[tokio::test]
async fn cve_2026_41323_a_redirect_takes_no_token_along() {
    let elsewhere = Server::start(vec![(200, "{}".into())]).await;
    let server = Server::start_at(&format!("location: {}\r\n", elsewhere.url), vec![(307, "{}".into())]).await;
    let error = server.client(Identity::Token("t0".into())).get(NAMESPACES, None, "a").await.unwrap_err();
    assert_eq!(error.status(), Some(307));
    assert_eq!(elsewhere.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_plugin_is_asked_once_and_again_where_its_token_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("plugin");
    let text = "#!/bin/sh\ncd \"$PLACE\"; echo x >> calls\n\
                echo '{\"apiVersion\": \"client.authentication.k8s.io/v1\", \"kind\": \"ExecCredential\", \
                \"status\": {\"token\": \"t'$(wc -l < calls | tr -d ' ')'\", \"expirationTimestamp\": \"2100-01-01T00:00:00Z\"}}'\n";
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let user = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: ./plugin, args: null, \
         env: [{{name: PLACE, value: {}}}], interactiveMode: Never}}}}",
        folder.path().display()
    );
    let config = Config::from_files(&[kubeconfig(folder.path(), "{}", &user)], None).unwrap();
    let server = Server::start(vec![(200, "{}".into()), (401, "{}".into()), (200, "{}".into())]).await;
    let client = server.client(config.identity);
    client.get(NAMESPACES, None, "a").await.unwrap();
    client.get(NAMESPACES, None, "a").await.unwrap();
    let tokens: Vec<String> = server.asked().iter().map(|line| line[line.len() - 2..].to_owned()).collect();
    assert_eq!(tokens, ["t1", "t1", "t2"]);
}

#[tokio::test]
async fn a_plugin_that_fails_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let user = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: 'false'}}";
    let config = Config::from_files(&[kubeconfig(folder.path(), "{}", user)], None).unwrap();
    let error = Client::new(config).unwrap().get(NAMESPACES, None, "a").await.unwrap_err();
    assert_eq!(error.code(), "kubeconfig-plugin");
    assert!(error.to_string().contains("false"), "{error}");
}

#[test]
fn what_a_kubeconfig_cannot_mean_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    for (cluster, user, said) in [
        ("{insecure-skip-tls-verify: true}", "{}", "insecure-skip-tls-verify"),
        ("{server: 'http://127.0.0.1:1'}", "{}", "https://"),
        ("{server: 'https://a@b'}", "{}", "user name"),
        ("{certificate-authority-data: '%%'}", "{}", "base64"),
        ("{certificate-authority: gone.pem}", "{}", "gone.pem"),
        ("{tls-server-name: kubernetes, server: 'https://example.com'}", "{}", "tls-server-name"),
        ("{}", "{client-key-data: aGk=}", "belong together"),
        ("{}", "{auth-provider: {name: gcp}}", "removed"),
        ("{}", "{username: ada, password: s3cret}", "password"),
        ("{}", "{token: [1]}", "config"),
    ] {
        let error = Config::from_files(&[kubeconfig(folder.path(), cluster, user)], None).unwrap_err();
        assert!(error.to_string().contains(said) && !error.to_string().contains("s3cret"), "{cluster} {user}: {error}");
    }
    let path = kubeconfig(folder.path(), "{}", "{}");
    for (context, said) in [("lost", "`no`"), ("none", "no context `none`")] {
        let error = Config::from_files(std::slice::from_ref(&path), Some(context)).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    let wrong =
        Config::from_files(&[kubeconfig(folder.path(), "{certificate-authority-data: aGk=}", "{}")], None).unwrap();
    assert_eq!(Client::new(wrong).unwrap_err().code(), "kubeconfig-invalid");
}

#[test]
fn of_several_files_the_first_counts_and_paths_belong_to_their_file() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(two.path().join("ca.pem"), AUTHORITY).unwrap();
    let second = kubeconfig(two.path(), "{certificate-authority: ca.pem}", "{tokenFile: token}");
    let first = one.path().join("config");
    std::fs::write(&first, "contexts: [{name: own, context: {cluster: c, user: u, namespace: first}}]\n").unwrap();
    let config = Config::from_files(&[first, second], None).unwrap();
    assert_eq!(config.namespace, "first");
    assert!(matches!(&config.identity, Identity::TokenFile(path) if *path == two.path().join("token")));
    Client::new(config).unwrap();
}

#[test]
fn the_configuration_is_found_as_kubectl_finds_it() {
    let home = tempfile::tempdir().unwrap();
    let nothing = |_: &str| None;
    assert_eq!(Config::find(None, None, nothing, Some(home.path())).unwrap_err(), ApiError::NotConfigured);
    std::fs::create_dir(home.path().join(".kube")).unwrap();
    let path = kubeconfig(&home.path().join(".kube"), "{}", "{}");
    assert_eq!(Config::find(None, None, nothing, Some(home.path())).unwrap().namespace, "shop");
    let named = |name: &str| (name == "KUBECONFIG").then(|| path.clone().into_os_string());
    assert_eq!(Config::find(None, None, named, None).unwrap().namespace, "shop");
}

/// A certificate authority that nothing was ever signed by.
const AUTHORITY: &str = include_str!("testdata/authority.pem");

#[tokio::test]
async fn what_is_not_needed_of_an_object_is_gone_before_the_next_page() {
    let page = |next: &str, name: &str| {
        let item = json!({"metadata": {"name": name}, "spec": {"secret": "x"}});
        (200, json!({"metadata": {"resourceVersion": "5", "continue": next}, "items": [item]}).to_string())
    };
    let applied = json!({"type": "MODIFIED", "object": {"metadata": {"name": "c", "resourceVersion": "6"}, "spec": {"secret": "y"}}});
    let server = Server::start(vec![page("more", "a"), page("", "b"), (200, format!("{applied}\n"))]).await;
    let client = server.client(Identity::Anonymous);
    let mut watcher = Watcher::new(client, ENVIRONMENTS, Selection::default()).keeping(|StoredObject(mut object)| {
        object["spec"].take();
        StoredObject(object)
    });
    let Change::Listed(items) = watcher.next().await else { panic!("no list") };
    assert!(items.len() == 2 && items.iter().all(|item| item.0["spec"].is_null()), "{items:?}");
    let Change::Applied(object) = watcher.next().await else { panic!("no change") };
    assert!(object.name() == "c" && object.0["spec"].is_null(), "{object:?}");
}

#[tokio::test]
async fn a_dry_run_says_so_and_groups_are_named() {
    let pod = json!({"metadata": {"name": "a"}}).to_string();
    let refused = json!({"kind": "Status", "reason": "Forbidden", "message": "no"}).to_string();
    let groups = json!({"groups": [{"name": "apps"}, {"name": "traefik.io"}]}).to_string();
    let server = Server::start(vec![(201, pod), (403, refused), (200, groups)]).await;
    let client = server.client(Identity::Anonymous);
    let object = json!({"metadata": {"name": "a"}});
    assert_eq!(client.try_create(PODS, Some("shop"), &object).await.unwrap().name(), "a");
    let error = client.try_replace(PODS, Some("shop"), "a", Some("ephemeralcontainers"), &object).await.unwrap_err();
    assert_eq!(error.status(), Some(403));
    assert!(client.groups().await.unwrap().contains("traefik.io"));
    assert_eq!(
        server.asked(),
        [
            "POST /api/v1/namespaces/shop/pods?dryRun=All -",
            "PUT /api/v1/namespaces/shop/pods/a/ephemeralcontainers?dryRun=All -",
            "GET /apis -",
        ]
    );
}
