//! Which cluster, and who we are to it: a kubeconfig (Kubernetes "Organizing Cluster Access Using kubeconfig Files"), or the
//! ServiceAccount of the Pod that this runs in.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde::Deserialize;

use super::error::ApiError;

/// Where the kubelet mounts the ServiceAccount of a Pod.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Largest kubeconfig and file that it names.
const FILE_MAX: u64 = 4 << 20;

/// Which cluster, and who we are to it.
#[derive(Clone)]
pub struct Config {
    /// The API server.
    pub server: Url,
    /// The namespace of the context or of the Pod.
    pub namespace: String,
    /// The file that all this comes from, for messages.
    pub(super) place: String,
    /// PEM of the authorities that the API server's certificate may come from; the public web's where there are none.
    pub(super) authorities: Option<Vec<u8>>,
    /// The address of the server, where its certificate is for another name.
    pub(super) resolve: Option<(String, SocketAddr)>,
    pub(super) identity: Identity,
    in_cluster: bool,
}

/// How we show who we are.
#[derive(Clone)]
pub(super) enum Identity {
    Anonymous,
    Token(String),
    TokenFile(PathBuf),
    Certificate { chain: Vec<u8>, key: Vec<u8> },
    Plugin(Plugin),
}

/// A program that gives credentials.
#[derive(Clone, Debug)]
pub(super) struct Plugin {
    pub(super) api_version: String,
    pub(super) command: String,
    pub(super) arguments: Vec<String>,
    pub(super) variables: Vec<(String, String)>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("server", &self.server.as_str())
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Document {
    clusters: Vec<Named<Cluster>>,
    users: Vec<Named<User>>,
    contexts: Vec<Named<Context>>,
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct Named<T> {
    name: String,
    #[serde(alias = "cluster", alias = "user", alias = "context")]
    value: Option<T>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Cluster {
    server: String,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    tls_server_name: Option<String>,
    insecure_skip_tls_verify: bool,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct User {
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<String>,
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
    username: Option<String>,
    auth_provider: Option<serde_json::Value>,
    exec: Option<Exec>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Exec {
    api_version: String,
    command: String,
    #[serde(default)]
    args: Option<Vec<String>>,
    #[serde(default)]
    env: Option<Vec<Variable>>,
}

#[derive(Clone, Deserialize)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Context {
    cluster: String,
    user: String,
    namespace: Option<String>,
}

impl Config {
    /// As kubectl does: the file that is named, else those of `KUBECONFIG`, else the ServiceAccount of the Pod, else
    /// `~/.kube/config`. `variable` reads the environment.
    pub fn find(
        kubeconfig: Option<&Path>,
        context: Option<&str>,
        variable: impl Fn(&str) -> Option<OsString>,
        home: Option<&Path>,
    ) -> Result<Self, ApiError> {
        if let Some(path) = kubeconfig {
            return Self::from_files(&[path.to_owned()], context);
        }
        let set = |name| variable(name).filter(|value| !value.is_empty());
        if let Some(paths) = set("KUBECONFIG") {
            let paths: Vec<PathBuf> = std::env::split_paths(&paths).filter(|path| path.is_file()).collect();
            if !paths.is_empty() {
                return Self::from_files(&paths, context);
            }
        }
        let text = |name| set(name).and_then(|value| value.into_string().ok());
        if context.is_none()
            && let (Some(host), Some(port)) = (text("KUBERNETES_SERVICE_HOST"), text("KUBERNETES_SERVICE_PORT"))
            && Path::new(SERVICE_ACCOUNT).join("token").is_file()
        {
            return Self::in_cluster(&host, &port, Path::new(SERVICE_ACCOUNT));
        }
        match home.map(|home| home.join(".kube/config")).filter(|path| path.is_file()) {
            Some(path) => Self::from_files(&[path], context),
            None => Err(ApiError::NotConfigured),
        }
    }

    /// The ServiceAccount that is mounted at `folder`. Its token is read again for each request.
    pub fn in_cluster(host: &str, port: &str, folder: &Path) -> Result<Self, ApiError> {
        let wrong = |message| ApiError::Configuration { place: folder.display().to_string(), message };
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let server = format!("https://{host}:{port}").parse().map_err(|error| wrong(format!("{error}")))?;
        let namespace = String::from_utf8_lossy(&read(&folder.join("namespace"))?).trim().to_owned();
        Ok(Self {
            server,
            namespace,
            place: folder.display().to_string(),
            authorities: Some(read(&folder.join("ca.crt"))?),
            resolve: None,
            identity: Identity::TokenFile(folder.join("token")),
            in_cluster: true,
        })
    }

    /// A context of kubeconfig files; where several define a name, the first one counts.
    pub fn from_files(paths: &[PathBuf], context: Option<&str>) -> Result<Self, ApiError> {
        let mut all = Merged::default();
        let mut place = String::new();
        for path in paths {
            let wrong = |message| ApiError::Configuration { place: path.display().to_string(), message };
            let text = String::from_utf8(read(path)?).map_err(|_| wrong("is not UTF-8".to_owned()))?;
            let document: Document =
                serde_saphyr::from_str(&text).map_err(|error| wrong(first_line(&error.to_string())))?;
            all.add(document, path.parent().unwrap_or(Path::new("")));
            if place.is_empty() {
                place = path.display().to_string();
            }
        }
        all.select(context, place)
    }

    /// Whether no proxy may stand in between.
    pub(super) fn is_direct(&self) -> bool {
        let local = |host: &str| {
            host == "localhost"
                || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        };
        self.in_cluster || self.resolve.is_some() || self.server.host_str().is_some_and(local)
    }
}

/// The entries of all files, with the folder that their relative paths start from.
#[derive(Default)]
struct Merged {
    clusters: BTreeMap<String, (Cluster, PathBuf)>,
    users: BTreeMap<String, (User, PathBuf)>,
    contexts: BTreeMap<String, Context>,
    current: Option<String>,
}

impl Merged {
    fn add(&mut self, document: Document, folder: &Path) {
        for Named { name, value } in document.clusters {
            self.clusters.entry(name).or_insert_with(|| (value.unwrap_or_default(), folder.to_owned()));
        }
        for Named { name, value } in document.users {
            self.users.entry(name).or_insert_with(|| (value.unwrap_or_default(), folder.to_owned()));
        }
        for Named { name, value } in document.contexts {
            self.contexts.entry(name).or_insert_with(|| value.unwrap_or_default());
        }
        let current = document.current_context.filter(|name| !name.is_empty());
        self.current = self.current.take().or(current);
    }

    fn select(self, context: Option<&str>, place: String) -> Result<Config, ApiError> {
        let wrong = |message: String| ApiError::Configuration { place: place.clone(), message };
        let name = context.map(str::to_owned).or(self.current.clone());
        let name = name.ok_or_else(|| wrong("no context is named, and none is current".to_owned()))?;
        let context = self.contexts.get(&name).ok_or_else(|| wrong(format!("there is no context `{name}`")))?;
        let (cluster, folder) = self.clusters.get(&context.cluster).ok_or_else(|| {
            wrong(format!("context {name} names the cluster `{}`, which is not there", context.cluster))
        })?;
        if cluster.insecure_skip_tls_verify {
            let message = "insecure-skip-tls-verify is not done here: name the certificate authority instead";
            return Err(wrong(message.to_owned()));
        }
        let mut server: Url =
            cluster.server.parse().map_err(|error| wrong(format!("server `{}`: {error}", cluster.server)))?;
        if server.scheme() != "https" || !server.username().is_empty() {
            return Err(wrong("the server must be an https:// address without a user name".to_owned()));
        }
        let resolve = cluster.tls_server_name.as_deref().map(|tls| renamed(&mut server, tls)).transpose();
        let authorities =
            given(cluster.certificate_authority_data.as_deref(), cluster.certificate_authority.as_deref(), folder);
        let identity = match self.users.get(&context.user) {
            None if context.user.is_empty() => Identity::Anonymous,
            None => return Err(wrong(format!("context {name} names the user `{}`, who is not there", context.user))),
            Some((user, folder)) => user.identity(folder).map_err(wrong)?,
        };
        Ok(Config {
            server,
            namespace: context.namespace.clone().filter(|own| !own.is_empty()).unwrap_or_else(|| "default".to_owned()),
            authorities: authorities.map_err(wrong)?,
            resolve: resolve.map_err(wrong)?,
            identity,
            in_cluster: false,
            place,
        })
    }
}

/// Puts the name that the certificate is for into the address, and gives where that name is.
fn renamed(server: &mut Url, name: &str) -> Result<(String, SocketAddr), String> {
    let address = server.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    let address = address.ok_or("tls-server-name is only read where the server is an IP address")?;
    let port = server.port_or_known_default().unwrap_or(443);
    server.set_host(Some(name)).map_err(|error| format!("tls-server-name: {error}"))?;
    Ok((name.to_owned(), SocketAddr::new(address, port)))
}

/// The bytes of a field that is base64 in place or a file.
fn given(data: Option<&str>, file: Option<&Path>, folder: &Path) -> Result<Option<Vec<u8>>, String> {
    match (data.filter(|data| !data.is_empty()), file.filter(|file| !file.as_os_str().is_empty())) {
        (Some(data), _) => STANDARD.decode(data.trim()).map(Some).map_err(|error| format!("not base64: {error}")),
        (None, Some(file)) => read(&folder.join(file)).map(Some).map_err(|error| error.to_string()),
        (None, None) => Ok(None),
    }
}

impl User {
    fn identity(&self, folder: &Path) -> Result<Identity, String> {
        if self.auth_provider.is_some() {
            return Err("auth-provider was removed from Kubernetes in 1.26: use exec".to_owned());
        }
        let chain = given(self.client_certificate_data.as_deref(), self.client_certificate.as_deref(), folder)?;
        let key = given(self.client_key_data.as_deref(), self.client_key.as_deref(), folder)?;
        match (chain, key) {
            (Some(chain), Some(key)) => return Ok(Identity::Certificate { chain, key }),
            (None, None) => {}
            _ => return Err("a client certificate and its key belong together".to_owned()),
        }
        if let Some(path) = &self.token_file {
            return Ok(Identity::TokenFile(folder.join(path)));
        }
        if let Some(token) = self.token.clone().filter(|token| !token.is_empty()) {
            return Ok(Identity::Token(token));
        }
        if let Some(exec) = &self.exec {
            // A path is relative to the file, a bare name is looked up in PATH.
            let is_path = exec.command.contains('/');
            let command = if is_path { folder.join(&exec.command).display().to_string() } else { exec.command.clone() };
            return Ok(Identity::Plugin(Plugin {
                api_version: exec.api_version.clone(),
                command,
                arguments: exec.args.clone().unwrap_or_default(),
                variables: exec.env.iter().flatten().map(|own| (own.name.clone(), own.value.clone())).collect(),
            }));
        }
        if self.username.is_some() {
            return Err("user name and password are not read: API servers have not taken them since 1.19".to_owned());
        }
        Ok(Identity::Anonymous)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ApiError> {
    let wrong = |message| ApiError::Configuration { place: path.display().to_string(), message };
    let size = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if size > FILE_MAX {
        return Err(wrong(format!("has {size} bytes, at most {FILE_MAX} are read")));
    }
    std::fs::read(path).map_err(|error| wrong(error.to_string()))
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or("not YAML").trim_start_matches("error: ").to_owned()
}
