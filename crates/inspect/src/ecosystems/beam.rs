//! Erlang and Elixir: the applications of a release, Hex's record of a package, and the lockfiles of Mix and Rebar3.
//!
//! Sources: Erlang/OTP, `app(4)`; Hex, `hex_metadata.config`; Mix, `Mix.Dep.Lock`; Rebar3, "Dependencies", lock file.

use assay_model::{EvidenceTier, PackageType};

use super::{File, Found, Reader, clip, declared, installed, names, optional};

pub(crate) static APPLICATION: Reader =
    Reader::installed("Erlang applications", EvidenceTier::Installed, &["ebin/*.app"], read_application);
pub(crate) static HEX: Reader =
    Reader::installed("Hex packages", EvidenceTier::Installed, &["hex_metadata.config"], read_hex);
pub(crate) static MIX: Reader = Reader::declared("Mix lockfiles", &["mix.lock"], read_mix);
pub(crate) static REBAR: Reader = Reader::declared("Rebar3 lockfiles", &["rebar.lock"], read_rebar);

/// `{application, NAME, [{vsn, "1.2"}, {applications, [kernel, stdlib]}, ...]}.`
fn read_application(file: &File<'_>, found: &mut Found) {
    let text = file.text();
    let Some((_, rest)) = text.split_once("application") else { return found.malformed(file.path) };
    let name = rest.trim_start_matches([' ', ',', '\n', '\t', '\'']);
    let name = name.split([',', ' ', '\n', '\'']).next().unwrap_or_default();
    let version = behind(&text, "vsn").and_then(|rest| rest.split('"').nth(1));
    let (Some(version), false) = (version, name.is_empty()) else { return found.malformed(file.path) };
    let mut package = installed(PackageType::Otp, name, version, file);
    let needs = behind(&text, "applications").and_then(|rest| rest.split_once('[')).map(|(_, rest)| rest);
    let needs = needs.and_then(|rest| rest.split_once(']')).map(|(list, _)| list).unwrap_or_default();
    package.depends_on = names(needs.split(',').map(|need| clip(need.trim().trim_matches('\''))));
    found.add(file, package);
}

/// What stands behind `{key,` or `{<<"key">>,`.
fn behind<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.match_indices(key).find_map(|(at, _)| {
        let before = text.get(..at)?.trim_end_matches(['"', '<', ' ']);
        let after = text.get(at + key.len()..)?.trim_start_matches(['"', '>', ' ', '\n', '\t']);
        before.ends_with('{').then(|| after.strip_prefix(',')).flatten()
    })
}

fn read_hex(file: &File<'_>, found: &mut Found) {
    let text = file.text();
    let value = |key: &str| behind(&text, key).and_then(|rest| rest.split('"').nth(1));
    let (Some(name), Some(version)) = (value("name"), value("version")) else { return found.malformed(file.path) };
    let mut package = installed(PackageType::Hex, name, version, file);
    package.licence = value("licenses").and_then(optional);
    found.add(file, package);
}

/// `"jason": {:hex, :jason, "1.4.1", "hash", [:mix], [{:decimal, ...}], "hexpm", "hash"},`
fn read_mix(file: &File<'_>, found: &mut Found) {
    for line in file.text().lines() {
        let Some((_, entry)) = line.split_once("{:hex,") else { continue };
        let mut strings = entry.split('"').skip(1).step_by(2);
        let name = entry.split(',').next().unwrap_or_default().trim().trim_start_matches(':').trim_matches('"');
        let Some(version) = strings.next() else { continue };
        let mut package = declared(PackageType::Hex, name, version, file);
        package.depends_on =
            names(entry.split("{:").skip(1).filter_map(|need| need.split([',', ' ']).next()).map(clip));
        found.add(file, package);
    }
}

/// `{<<"cowlib">>,{pkg,<<"cowlib">>,<<"2.12.1">>},1},`
fn read_rebar(file: &File<'_>, found: &mut Found) {
    let text = file.text();
    for entry in text.split("{pkg,").skip(1) {
        let mut strings = entry.split("<<\"").skip(1).filter_map(|text| text.split('"').next());
        if let (Some(name), Some(version)) = (strings.next(), strings.next()) {
            found.add(file, declared(PackageType::Hex, name, version, file));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::lines;

    #[test]
    fn an_application_file_is_an_erlang_term() {
        let text = "%% generated\n{application,crypto,\n [{description,\"CRYPTO\"},\n  {vsn, \"5.4\"},\n  {applications, [kernel,stdlib]},\n  {env,[]}]}.\n";
        let path = "usr/local/lib/erlang/lib/crypto-5.4/ebin/crypto.app";
        assert_eq!(lines(&APPLICATION, path, text), ["pkg:otp/crypto@5.4 -> kernel, stdlib"]);
        let elixir = "{application,'Elixir.App',[{applications,[kernel]},{vsn,\"0.1.0\"}]}.";
        assert_eq!(lines(&APPLICATION, "a/ebin/app.app", elixir), ["pkg:otp/elixir.app@0.1.0 -> kernel"]);
    }

    #[test]
    fn hex_keeps_what_it_unpacked() {
        let text = "{<<\"app\">>,<<\"jason\">>}.\n{<<\"name\">>,<<\"jason\">>}.\n{<<\"version\">>,<<\"1.4.1\">>}.\n{<<\"licenses\">>,[<<\"Apache-2.0\">>]}.\n";
        assert_eq!(lines(&HEX, "deps/jason/hex_metadata.config", text), ["pkg:hex/jason@1.4.1"]);
    }

    #[test]
    fn both_lockfiles() {
        let mix = "%{\n  \"ecto\": {:hex, :ecto, \"3.11.1\", \"4b4972\", [:mix], [{:decimal, \"~> 2.0\", [hex: :decimal, repo: \"hexpm\", optional: false]}], \"hexpm\", \"ebd3\"},\n  \"own\": {:git, \"https://example.org/x.git\", \"abc\", []},\n}\n";
        assert_eq!(lines(&MIX, "mix.lock", mix), ["pkg:hex/ecto@3.11.1 -> decimal"]);
        let rebar = "{\"1.2.0\",\n[{<<\"cowboy\">>,{pkg,<<\"cowboy\">>,<<\"2.10.0\">>},0}]}.\n[{pkg_hash,[{<<\"cowboy\">>, <<\"FF\">>}]}].\n";
        assert_eq!(lines(&REBAR, "rebar.lock", rebar), ["pkg:hex/cowboy@2.10.0"]);
    }
}
