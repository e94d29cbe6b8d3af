//! Lua rocks: the rockspec of each installed one.
//!
//! Source: LuaRocks, "Rockspec format". A rockspec is a Lua program; only plain string assignments are read.

use assay_model::{EvidenceTier, PackageType};

use super::{File, Found, Reader, clip, installed, names, optional};

pub(crate) static INSTALLED: Reader = Reader::installed(
    "Lua rocks",
    EvidenceTier::Installed,
    &["luarocks/rocks*/**/*.rockspec", "luarocks/rocks/**/*.rockspec"],
    read,
);

fn read(file: &File<'_>, found: &mut Found) {
    let text = file.text();
    let value = |key: &str| {
        text.lines().find_map(|line| {
            let rest = line.trim_start().strip_prefix(key)?.trim_start().strip_prefix('=')?.trim_start();
            let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            rest.get(1..)?.split(quote).next()
        })
    };
    let (Some(name), Some(version)) = (value("package"), value("version")) else {
        return found.malformed(file.path);
    };
    let mut package = installed(PackageType::Luarocks, name, version, file);
    package.licence = value("license").and_then(optional);
    package.supplier = value("maintainer").and_then(optional);
    let needs = text.split_once("dependencies").and_then(|(_, rest)| rest.split_once('{')).map(|(_, rest)| rest);
    let needs = needs.and_then(|rest| rest.split_once('}')).map(|(list, _)| list).unwrap_or_default();
    package.depends_on = names(
        needs
            .split(['"', '\''])
            .skip(1)
            .step_by(2)
            .filter_map(|need| need.split([' ', '=', '<', '>', '~']).next())
            .filter(|name| *name != "lua")
            .map(clip),
    );
    found.add(file, package);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::{lines, read};

    #[test]
    fn a_rockspec_assigns_strings() {
        let text = "rockspec_format = \"3.0\"\npackage = \"Penlight\"\nversion = \"1.13.1-1\"\ndescription = {\n  license = 'MIT/X11',\n}\n\
                    dependencies = {\n  \"lua >= 5.1\",\n  \"luafilesystem >= 1.6\"\n}\n";
        let path = "usr/local/lib/luarocks/rocks-5.1/penlight/1.13.1-1/penlight-1.13.1-1.rockspec";
        assert_eq!(lines(&INSTALLED, path, text), ["pkg:luarocks/penlight@1.13.1-1 -> luafilesystem"]);
        assert_eq!(read(&INSTALLED, path, text).packages[0].licence.as_deref(), Some("MIT/X11"));
        assert_eq!(read(&INSTALLED, path, "return {}").partial.len(), 1);
    }
}
