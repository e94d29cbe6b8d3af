//! One function a command: settings in, typed outcome out.

mod backstop;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod cluster;
mod completions;
mod config;
pub(crate) mod database;
pub(crate) mod decisions;
#[cfg(feature = "lab")]
pub(crate) mod drill;
pub(crate) mod each;
pub(crate) mod exception;
pub(crate) mod inventory;
pub(crate) mod key;
#[cfg(feature = "lab")]
pub mod lab;
pub(crate) mod lint;
mod man;
pub(crate) mod mirror;
pub(crate) mod password;
pub(crate) mod pin;
pub(crate) mod policies;
pub(crate) mod policy;
pub(crate) mod pull;
pub(crate) mod readiness;
pub(crate) mod rebuild;
pub(crate) mod registry;
pub(crate) mod release;
pub(crate) mod rescan;
pub(crate) mod root;
pub(crate) mod said;
pub(crate) mod sbom;
pub(crate) mod scan;
pub(crate) mod serve;
pub(crate) mod sign;
pub(crate) mod summary;
pub(crate) mod target;
pub(crate) mod trace;
pub(crate) mod verify;
pub(crate) mod verify_notation;
pub(crate) mod vex;

pub(crate) use config::ConfigOutcome;

use assay_case::Operation;

use crate::arguments::{
    Command, ConfigCommand, DbCommand, DecisionsCommand, ExceptionCommand, InventoryCommand, KeyCommand, PolicyCommand,
    ReleaseCommand, RootCommand, SbomArguments, SbomCommand, TrustCommand, VexCommand, WrittenArguments,
};
use crate::commands::each::emit_each;
use crate::output::{Format, emit};
use crate::printer::Printer;
use crate::session::Session;
use crate::settings::{PlatformChoice, Settings};
use crate::{Result, Status};

/// Runs a command and writes its outcome.
pub(crate) fn run(command: Command, settings: &Settings, printer: &Printer) -> Result<Status> {
    let outputs = &settings.outputs;
    let session = Session::new(settings, printer);
    match command {
        Command::Scan(arguments) => {
            let explained = arguments.explain.clone();
            let options = arguments.resolve(settings)?;
            if settings.platform.value == PlatformChoice::All && explained.is_none() {
                let each = scan::scan_each(&options, &session)?;
                emit_each(&each, outputs, Format::Text, printer)?;
                return Ok(each.status(scan::ScanOutcome::status));
            }
            let outcome = scan::scan(options, &session)?;
            if let Some(id) = explained {
                emit(&scan::explain(&outcome, &id, settings)?, outputs, Format::Text, printer)?;
                return Ok(Status::Pass);
            }
            emit(&outcome, outputs, Format::Text, printer)?;
            Ok(outcome.status())
        }
        Command::Sbom(arguments) => sbom_command(arguments, &session),
        Command::Db(DbCommand::Build(arguments)) => {
            let options = arguments.resolve();
            if options.split {
                emit(&mirror::build(&options)?, outputs, Format::Text, printer)?;
            } else {
                emit(&database::build(&options)?, outputs, Format::Text, printer)?;
            }
            Ok(Status::Pass)
        }
        Command::Db(DbCommand::Update(arguments)) => {
            emit(&mirror::update(&arguments.resolve(), &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Db(DbCommand::Rollback(arguments)) => {
            emit(&mirror::rollback(&arguments.resolve())?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Db(DbCommand::Verify(arguments)) => {
            let outcome = mirror::verify(&arguments.resolve(), &session)?;
            emit(&outcome, outputs, Format::Text, printer)?;
            Ok(outcome.status())
        }
        Command::Db(DbCommand::Push(arguments)) => {
            emit(&mirror::push(&arguments.resolve()?, &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Db(DbCommand::Pull(arguments)) => {
            emit(&mirror::pull(&arguments.resolve(), &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Vex(VexCommand::Create(arguments)) => {
            emit(&vex::create(arguments.resolve()?, &session)?, outputs, Format::Openvex, printer)?;
            Ok(Status::Pass)
        }
        Command::Db(DbCommand::Info { pack }) => {
            emit(&database::info(pack, settings)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        #[cfg(feature = "lab")]
        Command::Lab(arguments) => lab::run(&arguments.resolve(), settings, printer),
        Command::Config(ConfigCommand::Show { origin }) => {
            emit(&config::show(settings, origin), outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Key(KeyCommand::New(arguments)) => {
            emit(&key::new(&arguments.resolve(), printer)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Sign(arguments) => {
            emit(&sign::sign(&arguments.resolve()?, &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Attest(arguments) => {
            emit(&sign::sign(&arguments.resolve()?, &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Verify(arguments) if arguments.summary.emit_vsa.is_some() => {
            let outcome = summary::summarise(&arguments.resolve_summary()?, &session)?;
            emit(&outcome, outputs, Format::Text, printer)?;
            Ok(outcome.status())
        }
        Command::Verify(arguments) => {
            let outcome = match arguments.notation()? {
                Some(options) => verify_notation::verify(&options, &session)?,
                None => verify::verify(&arguments.resolve()?, &session)?,
            };
            emit(&outcome, outputs, Format::Text, printer)?;
            Ok(outcome.status())
        }
        Command::Trust(TrustCommand::Root(command)) => {
            let outcome = match command {
                RootCommand::Update { to, root } => root::update(root.resolve(to)?, &session)?,
                RootCommand::Show(root) => root::show(&root.resolve(None)?, &session)?,
            };
            emit(&outcome, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Tree(arguments) => {
            emit(&registry::tree(&arguments.image, &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Copy(arguments) => {
            emit(&registry::copy(&arguments.from, &arguments.to, &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Check(arguments) => {
            let outcome = check::check(&arguments.resolve(), &session)?;
            emit(&outcome, outputs, Format::Text, printer)?;
            Ok(outcome.status())
        }
        Command::Lint(arguments) => {
            let outcome = lint::lint(&arguments.resolve(), &session)?;
            emit(&outcome, outputs, Format::Text, printer)?;
            Ok(outcome.status())
        }
        Command::Pin(arguments) => {
            let outcome = pin::pin(arguments.resolve()?, &session)?;
            emit(&outcome, outputs, Format::Text, printer)?;
            Ok(outcome.status())
        }
        Command::Release(ReleaseCommand::Create(arguments)) => {
            emit(&release::create(arguments.resolve(), &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Release(ReleaseCommand::Approve(arguments)) => {
            emit(&release::approve(&arguments.resolve()?, &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Release(ReleaseCommand::Promote(arguments)) => {
            let outcome = release::promote(&arguments.resolve(Operation::Promote)?, &session)?;
            emit(&outcome, outputs, Format::Text, printer)?;
            Ok(outcome.status())
        }
        Command::Release(ReleaseCommand::Rollback(arguments)) => {
            let outcome = release::promote(&arguments.resolve(Operation::Rollback)?, &session)?;
            emit(&outcome, outputs, Format::Text, printer)?;
            Ok(outcome.status())
        }
        Command::Release(ReleaseCommand::VerifyLedger) => {
            emit(&release::verify_ledger(&session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Release(ReleaseCommand::Status { name }) => {
            emit(&release::status(name.as_deref(), &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Inventory(InventoryCommand::Sync { file, cluster }) => {
            emit(&inventory::sync(&file, &cluster, &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Inventory(InventoryCommand::List) => {
            emit(&inventory::list(&session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Inventory(InventoryCommand::Rescan { alert_on, pack: _, said }) => {
            let options = rescan::RescanOptions { alert_on, said: said.resolve() };
            emit(&rescan::rescan(&options, &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::RebuildList(arguments) => {
            emit(&rebuild::list(arguments.vulnerability.as_deref(), &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::WhoRuns(arguments) => {
            emit(&inventory::who_runs(&arguments.what, &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Trace(arguments) => {
            emit(&trace::trace(&arguments.what, &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Explain(arguments) => {
            if let Some((namespace, name, target)) = arguments.pod(&session)? {
                let outcome = pull::explain(&namespace, &name, &target, &session)?;
                emit(&outcome, outputs, Format::Text, printer)?;
                return Ok(outcome.status());
            }
            emit(&trace::explain(&arguments.what, &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Decisions(DecisionsCommand::Export(arguments)) => {
            decisions::export(&arguments, &session)?;
            Ok(Status::Pass)
        }
        Command::Decisions(DecisionsCommand::Expire(arguments)) => {
            emit(&decisions::expire(&arguments, &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Serve(arguments) => {
            serve::serve(&arguments.resolve(), &session)?;
            Ok(Status::Pass)
        }
        #[cfg(feature = "lab")]
        Command::Drill(arguments) => {
            let outcome = drill::drill(&arguments.resolve(), &session)?;
            emit(&outcome, outputs, Format::Text, printer)?;
            Ok(outcome.status())
        }
        Command::Readiness(arguments) => {
            let outcome = readiness::readiness(arguments.resolve()?, &session)?;
            emit(&outcome, outputs, Format::Text, printer)?;
            Ok(outcome.status())
        }
        Command::Crds => {
            printer.data(assay_kube::CRDS_YAML);
            Ok(Status::Pass)
        }
        Command::Policy(PolicyCommand::List) => {
            emit(&policy::list(&session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Policy(PolicyCommand::Explain { control }) => {
            emit(&policy::explain(&control, &session)?, outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Policy(PolicyCommand::Backstop { own_namespace }) => {
            printer.data(&backstop::write(&own_namespace, &session)?);
            Ok(Status::Pass)
        }
        Command::Exception(ExceptionCommand::Check { .. }) => {
            let outcome = policy::check_exceptions(&session)?;
            emit(&outcome, outputs, Format::Text, printer)?;
            Ok(outcome.status())
        }
        Command::Exception(ExceptionCommand::Approve(arguments)) => {
            let outcome = exception::approve(&arguments.resolve()?, &session)?;
            emit(&outcome, outputs, Format::Text, printer)?;
            Ok(outcome.status())
        }
        Command::Exception(ExceptionCommand::New(arguments)) => {
            let outcome = exception::new(arguments.resolve(jiff::Timestamp::now())?)?;
            emit(&outcome, outputs, Format::Text, printer)?;
            exception_note(&outcome, printer);
            Ok(Status::Pass)
        }
        Command::Completions(arguments) => {
            printer.bytes(&completions::script(arguments.shell));
            Ok(Status::Pass)
        }
        Command::Man(arguments) => {
            man::write(&arguments.to)?;
            Ok(Status::Pass)
        }
        Command::Reference(arguments) => {
            man::write_reference(&arguments.to)?;
            Ok(Status::Pass)
        }
    }
}

/// What a new Exception still needs.
fn exception_note(outcome: &exception::NewExceptionOutcome, printer: &Printer) {
    if let Some(file) = &outcome.file {
        printer.note(&format!("wrote {}", file.display()));
    }
    if !outcome.missing.is_empty() {
        printer.note(&format!("it does nothing yet; missing: {}", outcome.missing.join(", ")));
    }
}

fn sbom_command(arguments: SbomArguments, session: &Session<'_>) -> Result<Status> {
    let (outputs, printer) = (&session.settings.outputs, session.printer);
    let version = |written: &WrittenArguments| written.spec_version.unwrap_or_default();
    let outcome = match arguments.command {
        None => {
            let target = target::Target::parse(&arguments.target.unwrap_or_default())?;
            if session.settings.platform.value == PlatformChoice::All {
                let each = sbom::sbom_each(&target, version(&arguments.written), session)?;
                emit_each(&each, outputs, Format::Cyclonedx, printer)?;
                return Ok(Status::Pass);
            }
            sbom::sbom(&target, version(&arguments.written), session)?
        }
        Some(SbomCommand::Convert { file, written }) => sbom::convert(&file, version(&written))?,
        Some(SbomCommand::Merge { files, name, written }) => sbom::merged(&files, &name, version(&written))?,
        Some(SbomCommand::Enrich { file, from, written }) => sbom::enriched(&file, &from, version(&written), session)?,
        Some(SbomCommand::Cluster { files, name, written }) => sbom::cluster(&files, &name, version(&written))?,
        Some(SbomCommand::Diff { before, after }) => {
            emit(&sbom::diff(&before, &after, session)?, outputs, Format::Text, printer)?;
            return Ok(Status::Pass);
        }
        Some(SbomCommand::Score { file, standard, fail_under }) => {
            let standards: Vec<_> = standard.into_iter().map(Into::into).collect();
            let outcome = sbom::scored(&file, &standards, fail_under)?;
            emit(&outcome, outputs, Format::Text, printer)?;
            return Ok(if outcome.passes() { Status::Pass } else { Status::Denied });
        }
    };
    emit(&outcome, outputs, Format::Cyclonedx, printer)?;
    Ok(Status::Pass)
}
