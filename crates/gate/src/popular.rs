//! Names that others imitate, and how near a name is to one.
//!
//! The lists are short on purpose: the most downloaded packages of each registry, whose look-alikes the malware records of
//! OSV name most often. An Environment adds its own names.

/// Shortest name that has near misses: of shorter ones everything is near.
const LENGTH_MIN: usize = 5;

const NPM: &[&str] = &[
    "react",
    "react-dom",
    "lodash",
    "express",
    "axios",
    "chalk",
    "commander",
    "debug",
    "typescript",
    "webpack",
    "eslint",
    "prettier",
    "moment",
    "request",
    "async",
    "bluebird",
    "underscore",
    "jquery",
    "dotenv",
    "mongoose",
    "socket.io",
    "cross-env",
    "electron",
    "discord.js",
    "puppeteer",
    "playwright",
    "next",
    "vue",
    "angular",
    "svelte",
    "babel-core",
    "node-fetch",
    "body-parser",
    "cookie-parser",
    "jsonwebtoken",
    "nodemailer",
    "colors",
    "inquirer",
    "rimraf",
    "mkdirp",
    "minimist",
    "yargs",
    "semver",
    "uuid",
    "bcrypt",
    "passport",
    "sequelize",
    "redis",
    "mysql",
    "ethers",
    "web3",
    "preact",
    "tailwindcss",
    "postcss",
    "rollup",
    "esbuild",
    "vitest",
    "mocha",
    "jest",
];
const PYPI: &[&str] = &[
    "requests",
    "urllib3",
    "numpy",
    "pandas",
    "boto3",
    "botocore",
    "setuptools",
    "certifi",
    "cryptography",
    "django",
    "flask",
    "fastapi",
    "pydantic",
    "sqlalchemy",
    "pytest",
    "selenium",
    "beautifulsoup4",
    "colorama",
    "tensorflow",
    "pytorch",
    "torch",
    "scipy",
    "matplotlib",
    "scikit-learn",
    "pillow",
    "pyyaml",
    "jinja2",
    "aiohttp",
    "httpx",
    "paramiko",
    "psycopg2",
    "opencv-python",
    "python-dateutil",
    "openai",
    "transformers",
    "discord.py",
    "telethon",
    "pycryptodome",
    "virtualenv",
];
const CARGO: &[&str] = &[
    "serde",
    "serde_json",
    "tokio",
    "reqwest",
    "anyhow",
    "thiserror",
    "tracing",
    "rustls",
    "hyper",
    "regex",
    "chrono",
    "rand_core",
    "syn",
    "quote",
    "clap",
    "futures",
    "itertools",
    "async-trait",
    "once_cell",
    "lazy_static",
    "rust_decimal",
];
const GEM: &[&str] = &[
    "rails",
    "rspec",
    "nokogiri",
    "devise",
    "sidekiq",
    "activesupport",
    "activerecord",
    "puma",
    "bundler",
    "rubocop",
    "faraday",
];
const NUGET: &[&str] =
    &["Newtonsoft.Json", "Serilog", "AutoMapper", "Dapper", "NLog", "Polly", "Moq", "xunit", "NUnit"];

/// The popular names of a purl type.
pub(crate) fn popular(kind: &str) -> &'static [&'static str] {
    match kind {
        "npm" => NPM,
        "pypi" => PYPI,
        "cargo" => CARGO,
        "gem" => GEM,
        "nuget" => NUGET,
        _ => &[],
    }
}

/// The popular name that `name` is nearly, and by what: one letter more, less, other, or two swapped, or other separators.
/// A name that is popular itself is nearly none.
pub(crate) fn near_miss<'p>(name: &str, popular: impl Iterator<Item = &'p str>) -> Option<(&'p str, &'static str)> {
    let mut found = None;
    for other in popular {
        if other.eq_ignore_ascii_case(name) {
            return None;
        }
        // The first one is named, so that the order of the list decides and nothing else.
        found = found.or_else(|| Some((other, distance_one(name, other)?)));
    }
    found
}

/// How two names differ by one step.
fn distance_one(name: &str, other: &str) -> Option<&'static str> {
    let (name, other): (Vec<u8>, Vec<u8>) = (lower(name), lower(other));
    if other.len() < LENGTH_MIN || name.len() + 1 < other.len() || name.len() > other.len() + 2 {
        return None;
    }
    let plain =
        |text: &[u8]| text.iter().copied().filter(|byte| !matches!(byte, b'-' | b'_' | b'.')).collect::<Vec<u8>>();
    if plain(&name) == plain(&other) {
        return Some("the same letters with other separators");
    }
    let start = name.iter().zip(&other).take_while(|(own, their)| own == their).count();
    let tail = |text: &[u8], skipped: usize| text.get(start + skipped..).unwrap_or_default().to_vec();
    if name.len() == other.len() + 1 && tail(&name, 1) == tail(&other, 0) {
        return Some("one letter more");
    }
    if name.len() + 1 == other.len() && tail(&name, 0) == tail(&other, 1) {
        return Some("one letter less");
    }
    if name.len() != other.len() {
        return None;
    }
    if tail(&name, 1) == tail(&other, 1) {
        return Some("one letter other");
    }
    let swapped = name.get(start) == other.get(start + 1) && name.get(start + 1) == other.get(start);
    (swapped && tail(&name, 2) == tail(&other, 2)).then_some("two letters swapped")
}

fn lower(text: &str) -> Vec<u8> {
    text.bytes().map(|byte| byte.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(name: &str, kind: &str) -> Option<(&'static str, &'static str)> {
        near_miss(name, popular(kind).iter().copied())
    }

    #[test]
    fn one_step_is_near_and_two_are_not() {
        for (name, kind, other, how) in [
            ("reqeusts", "pypi", "requests", "two letters swapped"),
            ("request", "pypi", "requests", "one letter less"),
            ("requestss", "pypi", "requests", "one letter more"),
            ("rewuests", "pypi", "requests", "one letter other"),
            ("crossenv", "npm", "cross-env", "the same letters with other separators"),
            ("lodahs", "npm", "lodash", "two letters swapped"),
            ("rustdecimal", "cargo", "rust_decimal", "the same letters with other separators"),
        ] {
            assert_eq!(near(name, kind), Some((other, how)), "{name}");
        }
        for (name, kind) in [
            ("requests", "pypi"),
            ("Requests", "pypi"),
            ("request", "npm"),
            ("preact", "npm"),
            ("left-pad", "npm"),
            ("vux", "npm"),
            ("reqests2", "pypi"),
            ("lodash", "golang"),
        ] {
            assert_eq!(near(name, kind), None, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_name_is_near_itself_and_any_is_judged(name in "\\PC{0,20}") {
            near(&name, "npm");
            proptest::prop_assert!(near_miss(&name, std::iter::once(name.as_str())).is_none());
        }
    }
}
