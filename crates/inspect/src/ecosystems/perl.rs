//! Perl distributions: what cpanm records about each installation, the file lists of others, and Carton's snapshot.
//!
//! Sources: App::cpanminus, `install.json` in `.meta`; ExtUtils::Packlist; Carton, `cpanfile.snapshot`.

use assay_model::{EvidenceTier, PackageType};

use super::{File, Found, Reader, clip, declared, installed, names, text};

pub(crate) static INSTALLED: Reader = Reader::installed(
    "Perl distributions",
    EvidenceTier::Installed,
    &[".meta/*/install.json", "auto/**/.packlist"],
    read_installed,
);
pub(crate) static SNAPSHOT: Reader = Reader::declared("Carton snapshots", &["cpanfile.snapshot"], read_snapshot);

fn read_installed(file: &File<'_>, found: &mut Found) {
    if !file.path.ends_with("/install.json") {
        // A list of files, at `auto/MODULE/PARTS/.packlist`. It does not say which version they are.
        let modules = file.path.rsplit_once("/auto/").map_or(file.path, |(_, behind)| behind);
        let name = modules.trim_end_matches("/.packlist").replace('/', "-");
        // The list of the interpreter itself lies in no module's folder.
        return found.add(file, installed(PackageType::Cpan, &name, "", file));
    }
    let Some(document) = found.whole_json(file) else { return };
    // `dist` is `Try-Tiny-0.31`; `name` is the module's, `Try::Tiny`.
    let (name, version) = match split_distribution(text(&document, "dist")) {
        Some((name, version)) => (name.to_owned(), version),
        None => (text(&document, "name").replace("::", "-"), text(&document, "version")),
    };
    found.add(file, installed(PackageType::Cpan, &name, version, file));
}

fn split_distribution(text: &str) -> Option<(&str, &str)> {
    let (name, version) = text.rsplit_once('-')?;
    version.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()).then_some((name, version))
}

/// `DISTRIBUTIONS`, then a name indented by two blanks with `requirements:` below it, indented by six.
fn read_snapshot(file: &File<'_>, found: &mut Found) {
    let text = file.text();
    let mut open: Option<(assay_model::Package, Vec<String>)> = None;
    let mut is_requirements = false;
    for line in text.lines().chain(["  "]) {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let entry = line.trim();
        if indent == 2 {
            if let Some((mut package, needs)) = open.take() {
                package.depends_on = names(needs);
                found.add(file, package);
            }
            open = split_distribution(entry)
                .map(|(name, version)| (declared(PackageType::Cpan, name, version, file), Vec::new()));
        } else if indent == 4 {
            is_requirements = entry == "requirements:";
        } else if indent == 6
            && is_requirements
            && let Some((_, needs)) = &mut open
        {
            let module = entry.split(' ').next().unwrap_or_default();
            if module != "perl" && needs.len() < crate::limits::DEPENDENCIES {
                needs.push(clip(&module.replace("::", "-")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::lines;

    #[test]
    fn installations_are_recorded_by_distribution() {
        let json = r#"{"name":"Try::Tiny","version":"0.31","dist":"Try-Tiny-0.31","provides":{}}"#;
        let path = "usr/local/lib/perl5/site_perl/5.38.0/x86_64-linux/.meta/Try-Tiny-0.31/install.json";
        assert_eq!(lines(&INSTALLED, path, json), ["pkg:cpan/Try-Tiny@0.31"]);
        let path = "usr/local/lib/perl5/site_perl/auto/JSON/PP/.packlist";
        assert_eq!(lines(&INSTALLED, path, "/usr/share/x\n"), ["pkg:cpan/JSON-PP"]);
    }

    #[test]
    fn snapshots_name_requirements() {
        let text = "# carton snapshot format: version 1.0\nDISTRIBUTIONS\n  Module-Build-0.4234\n    pathname: L/LE/x.tar.gz\n    \
                    provides:\n      Module::Build 0.4234\n    requirements:\n      CPAN::Meta 2.142060\n      perl 5.006001\n  Try-Tiny-v0.31\n";
        assert_eq!(
            lines(&SNAPSHOT, "cpanfile.snapshot", text),
            ["pkg:cpan/Module-Build@0.4234 -> CPAN-Meta", "pkg:cpan/Try-Tiny@v0.31"]
        );
    }
}
