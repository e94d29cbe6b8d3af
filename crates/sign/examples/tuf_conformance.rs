//! The client that the tuf-conformance suite drives (its `CLIENT-CLI.md`). For tests of this crate, not for people.
#![allow(
    clippy::print_stderr,
    reason = "the suite's protocol is an exit code; what is printed helps whoever reads its log"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assay_model::Timestamp;
use assay_sign::{TufClient, TufInstance, TufOptions};

type Failure = Box<dyn std::error::Error>;

#[derive(Default)]
struct Arguments {
    metadata_directory: PathBuf,
    metadata_url: String,
    target_names: Vec<String>,
    target_base_url: Option<String>,
    target_directory: PathBuf,
    command: Vec<String>,
}

fn arguments() -> Result<Arguments, Failure> {
    let mut all = Arguments::default();
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        let mut value = || given.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--metadata-dir" => all.metadata_directory = value()?.into(),
            "--metadata-url" => all.metadata_url = value()?,
            "--target-name" => all.target_names.push(value()?),
            "--target-base-url" => all.target_base_url = Some(value()?),
            "--target-dir" => all.target_directory = value()?.into(),
            _ => all.command.push(argument),
        }
    }
    Ok(all)
}

/// Our own folder, beside the copies that the suite looks at.
fn own(arguments: &Arguments) -> PathBuf {
    arguments.metadata_directory.join("assay")
}

/// The suite looks for metadata under plain names in the folder itself.
fn copy_metadata(arguments: &Arguments) -> Result<(), Failure> {
    let Ok(files) = std::fs::read_dir(own(arguments).join("metadata")) else { return Ok(()) };
    for file in files {
        let path = file?.path();
        if let (true, Some(name)) = (path.is_file(), path.file_name()) {
            std::fs::copy(&path, arguments.metadata_directory.join(name))?;
        }
    }
    Ok(())
}

async fn refresh(arguments: &Arguments) -> Result<(), Failure> {
    let root = std::fs::read(own(arguments).join("first.root.json"))?;
    let mut instance = TufInstance::custom("conformance", &arguments.metadata_url, root);
    if let Some(url) = &arguments.target_base_url {
        instance = instance.with_targets(url);
    }
    let client = TufClient::new(instance, own(arguments), &TufOptions::default())?;
    let session = client.session(Timestamp::now()).await;
    copy_metadata(arguments)?;
    let mut session = session?;
    for name in &arguments.target_names {
        let bytes = session.target(name).await;
        copy_metadata(arguments)?;
        let file = arguments.target_directory.join(name.replace('/', "%2F"));
        let bytes = bytes?;
        // The suite orders files by the time of their last change.
        if std::fs::read(&file).ok().as_ref() != Some(&bytes) {
            std::fs::write(file, bytes)?;
        }
    }
    Ok(())
}

fn init(arguments: &Arguments, root: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(own(arguments))?;
    std::fs::copy(root, own(arguments).join("first.root.json"))?;
    std::fs::copy(root, arguments.metadata_directory.join("root.json"))?;
    Ok(())
}

fn run() -> Result<(), Failure> {
    let arguments = arguments()?;
    match arguments.command.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["init", root] => init(&arguments, Path::new(root)),
        ["refresh" | "download"] => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(refresh(&arguments))
        }
        _ => Err("init ROOT, refresh or download".into()),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
