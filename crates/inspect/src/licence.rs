//! Licences: names as people write them made SPDX expressions, and licence texts told apart by what only they say.
//!
//! Sources: SPDX License List 3 (identifiers), SPDX 2.3 annex D (expressions); Debian's copyright format 1.0, section 7.2
//! (short names); Fedora's licence list before 2022. What is not known for sure stays as it was written; nothing is guessed.

/// Bytes of a licence text that are looked at.
const TEXT_BYTES: usize = 64 << 10;

/// Names beside the identifiers themselves, in small letters with one blank between words and no comma.
const NAMES: &[(&str, &[&str])] = &[
    (
        "Apache-2.0",
        &[
            "apache 2.0",
            "apache-2",
            "apache 2",
            "apache2",
            "apache license 2.0",
            "apache license version 2.0",
            "apache software license 2.0",
            "apache software license version 2.0",
            "the apache license version 2.0",
            "the apache software license version 2.0",
            "asl 2.0",
            "apache-2.0 license",
            "apache v2",
            "al2",
        ],
    ),
    (
        "MIT",
        &[
            "mit license",
            "the mit license",
            "mit/x11",
            "expat",
            "mit-license",
            "the mit license (mit)",
            "mit license (mit)",
        ],
    ),
    (
        "BSD-2-Clause",
        &[
            "bsd 2-clause",
            "bsd-2-clauses",
            "simplified bsd",
            "2-clause bsd",
            "bsd 2-clause license",
            "simplified bsd license",
            "freebsd",
        ],
    ),
    (
        "BSD-3-Clause",
        &[
            "bsd 3-clause",
            "bsd-3-clauses",
            "new bsd",
            "new bsd license",
            "3-clause bsd",
            "3-clause bsd license",
            "bsd 3-clause license",
            "modified bsd",
            "modified bsd license",
            "revised bsd",
        ],
    ),
    ("ISC", &["isc license", "the isc license", "isc license (iscl)"]),
    (
        "GPL-2.0-only",
        &[
            "gplv2",
            "gpl-2",
            "gpl2",
            "gpl-2.0",
            "gpl v2",
            "gnu gpl v2",
            "gnu general public license v2 (gplv2)",
            "gnu general public license version 2",
        ],
    ),
    (
        "GPL-2.0-or-later",
        &["gplv2+", "gpl-2+", "gpl2+", "gpl-2.0+", "gpl (>= 2)", "gnu general public license v2 or later (gplv2+)"],
    ),
    (
        "GPL-3.0-only",
        &[
            "gplv3",
            "gpl-3",
            "gpl3",
            "gpl-3.0",
            "gpl v3",
            "gnu gpl v3",
            "gnu general public license v3 (gplv3)",
            "gnu general public license version 3",
        ],
    ),
    (
        "GPL-3.0-or-later",
        &["gplv3+", "gpl-3+", "gpl3+", "gpl-3.0+", "gpl (>= 3)", "gnu general public license v3 or later (gplv3+)"],
    ),
    ("GPL-1.0-or-later", &["gpl+", "gpl-1+"]),
    ("LGPL-2.0-only", &["lgplv2", "lgpl-2", "lgpl-2.0"]),
    ("LGPL-2.0-or-later", &["lgplv2+", "lgpl-2+", "lgpl-2.0+"]),
    ("LGPL-2.1-only", &["lgplv2.1", "lgpl-2.1", "lgpl 2.1", "gnu lesser general public license version 2.1"]),
    ("LGPL-2.1-or-later", &["lgplv2.1+", "lgpl-2.1+"]),
    ("LGPL-3.0-only", &["lgplv3", "lgpl-3", "lgpl-3.0", "gnu lesser general public license v3 (lgplv3)"]),
    (
        "LGPL-3.0-or-later",
        &["lgplv3+", "lgpl-3+", "lgpl-3.0+", "gnu lesser general public license v3 or later (lgplv3+)"],
    ),
    ("AGPL-3.0-only", &["agplv3", "agpl-3", "agpl-3.0", "gnu affero general public license v3"]),
    (
        "AGPL-3.0-or-later",
        &["agplv3+", "agpl-3+", "agpl-3.0+", "gnu affero general public license v3 or later (agplv3+)"],
    ),
    (
        "MPL-2.0",
        &[
            "mpl 2.0",
            "mplv2.0",
            "mpl2",
            "mozilla public license 2.0",
            "mozilla public license 2.0 (mpl 2.0)",
            "mozilla public license version 2.0",
        ],
    ),
    ("MPL-1.1", &["mplv1.1", "mpl 1.1", "mozilla public license 1.1", "mozilla public license version 1.1"]),
    (
        "EPL-1.0",
        &["eclipse public license 1.0", "eclipse public license - v 1.0", "eclipse public license v1.0", "epl 1.0"],
    ),
    (
        "EPL-2.0",
        &["eclipse public license 2.0", "eclipse public license - v 2.0", "eclipse public license v2.0", "epl 2.0"],
    ),
    ("CDDL-1.0", &["cddl 1.0", "common development and distribution license 1.0", "cddl"]),
    ("Unlicense", &["the unlicense", "the unlicense (unlicense)"]),
    ("CC0-1.0", &["cc0", "cc0 1.0", "cc0 1.0 universal", "cc0-1.0 universal"]),
    ("Zlib", &["zlib license", "zlib/libpng"]),
    ("BSL-1.0", &["boost", "boost software license 1.0", "boost software license version 1.0"]),
    ("PSF-2.0", &["psf", "python software foundation license", "psfl"]),
    ("Artistic-2.0", &["artistic 2.0", "artistic license 2.0"]),
    ("WTFPL", &["wtfpl license"]),
    ("OFL-1.1", &["ofl", "sil open font license 1.1"]),
];

/// Identifiers that stand for themselves, beside those in [`NAMES`].
const OTHERS: &[&str] = &[
    "0BSD",
    "MIT-0",
    "BSD-4-Clause",
    "BlueOak-1.0.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-4.0",
    "Python-2.0",
    "Ruby",
    "Vim",
    "X11",
    "curl",
    "OpenSSL",
    "NCSA",
    "PostgreSQL",
    "Artistic-1.0",
    "Artistic-1.0-Perl",
    "HPND",
    "Beerware",
    "OLDAP-2.8",
    "SSPL-1.0",
    "BUSL-1.1",
    "Elastic-2.0",
    "EUPL-1.2",
    "MulanPSL-2.0",
    "TCL",
    "ICU",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "W3C",
];

/// The SPDX expression that a declared licence is; the text itself where it is not known to be one.
pub(crate) fn normalise(text: &str) -> String {
    expression(text).unwrap_or_else(|| text.to_owned())
}

/// An expression of names that are all known, joined by `and`, `or`, `,`, `/` or `|`.
fn expression(text: &str) -> Option<String> {
    if let Some(identifier) = identifier(text) {
        return Some(identifier.to_owned());
    }
    let spaced = text.replace('(', " ( ").replace(')', " ) ").replace(" | ", " OR ");
    let mut out: Vec<String> = Vec::new();
    let mut words: Vec<&str> = Vec::new();
    let mut depth = 0u32;
    let finish = |words: &mut Vec<&str>, out: &mut Vec<String>| -> Option<()> {
        out.push(identifier(&std::mem::take(words).join(" "))?.to_owned());
        Some(())
    };
    for word in spaced.split_whitespace() {
        let operator = match word {
            "and" | "AND" => "AND",
            "or" | "OR" => "OR",
            "with" | "WITH" => return None,
            "(" if words.is_empty() => {
                depth += 1;
                out.push("(".to_owned());
                continue;
            }
            ")" => {
                if !words.is_empty() {
                    finish(&mut words, &mut out)?;
                }
                depth = depth.checked_sub(1)?;
                out.push(")".to_owned());
                continue;
            }
            _ => {
                words.push(word);
                continue;
            }
        };
        if !words.is_empty() {
            finish(&mut words, &mut out)?;
        }
        out.push(operator.to_owned());
    }
    if !words.is_empty() {
        finish(&mut words, &mut out)?;
    }
    let is_name = |word: &String| !matches!(word.as_str(), "AND" | "OR" | "(" | ")");
    // Names and operators take turns, or it was something else.
    let flat: Vec<bool> = out.iter().filter(|word| !matches!(word.as_str(), "(" | ")")).map(is_name).collect();
    let alternates = flat.iter().enumerate().all(|(index, name)| *name == (index % 2 == 0)) && flat.len() % 2 == 1;
    (depth == 0 && alternates).then(|| out.join(" ").replace("( ", "(").replace(" )", ")"))
}

fn identifier(text: &str) -> Option<&'static str> {
    let plain = text.replace(',', " ").to_lowercase();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    NAMES
        .iter()
        .find(|(identifier, names)| identifier.eq_ignore_ascii_case(&plain) || names.contains(&plain.as_str()))
        .map(|(identifier, _)| *identifier)
        .or_else(|| OTHERS.iter().copied().find(|identifier| identifier.eq_ignore_ascii_case(&plain)))
}

/// Licences by phrases that their texts have, all of them; the first that fits is the one. Those whose text contains
/// another's stand before it.
const TEXTS: &[(&str, &[&str])] = &[
    ("AGPL-3.0-only", &["gnu affero general public license version 3, 19 november 2007"]),
    ("LGPL-3.0-only", &["gnu lesser general public license version 3, 29 june 2007"]),
    ("LGPL-2.1-only", &["gnu lesser general public license version 2.1, february 1999"]),
    ("LGPL-2.0-only", &["gnu library general public license version 2, june 1991"]),
    ("GPL-3.0-only", &["gnu general public license version 3, 29 june 2007"]),
    ("GPL-2.0-only", &["gnu general public license version 2, june 1991"]),
    ("Apache-2.0", &["apache license version 2.0, january 2004"]),
    (
        "Apache-2.0",
        &[
            "licensed under the apache license, version 2.0",
            "you may not use this file except in compliance with the license",
        ],
    ),
    ("MPL-2.0", &["mozilla public license version 2.0", "1.1. \"contributor\""]),
    ("MPL-1.1", &["mozilla public license version 1.1", "1.1. ''contributor''"]),
    ("EPL-2.0", &["eclipse public license - v 2.0"]),
    ("EPL-1.0", &["eclipse public license - v 1.0"]),
    ("CDDL-1.0", &["common development and distribution license", "version 1.0"]),
    ("CC0-1.0", &["cc0 1.0 universal"]),
    ("CC-BY-4.0", &["creative commons attribution 4.0 international"]),
    ("OFL-1.1", &["sil open font license version 1.1"]),
    ("Artistic-2.0", &["the artistic license 2.0"]),
    ("BSL-1.0", &["boost software license - version 1.0"]),
    ("PSF-2.0", &["python software foundation license version 2"]),
    ("BlueOak-1.0.0", &["blue oak model license", "version 1.0.0"]),
    ("Unlicense", &["this is free and unencumbered software released into the public domain"]),
    ("WTFPL", &["do what the fuck you want to public license"]),
    (
        "Zlib",
        &[
            "this software is provided 'as-is', without any express or implied warranty",
            "altered source versions must be plainly marked as such",
        ],
    ),
    (
        "BSD-4-Clause",
        &[
            "redistributions in binary form must reproduce",
            "all advertising materials mentioning features or use of this software",
        ],
    ),
    ("BSD-3-Clause", &["redistributions in binary form must reproduce", "may be used to endorse or promote products"]),
    ("BSD-2-Clause", &["redistributions of source code must retain", "redistributions in binary form must reproduce"]),
    (
        "MIT",
        &[
            "permission is hereby granted, free of charge, to any person obtaining a copy",
            "the above copyright notice and this permission notice shall be included",
        ],
    ),
    (
        "MIT-0",
        &[
            "permission is hereby granted, free of charge, to any person obtaining a copy",
            "the software is provided \"as is\"",
        ],
    ),
    (
        "ISC",
        &[
            "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided that the above",
        ],
    ),
    (
        "ISC",
        &[
            "permission to use, copy, modify, and distribute this software for any purpose with or without fee is hereby granted, provided that the above",
        ],
    ),
    (
        "0BSD",
        &[
            "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted.",
        ],
    ),
];

/// The licence whose text this is; none where it is no known one.
pub(crate) fn classify(bytes: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(bytes.get(..TEXT_BYTES).unwrap_or(bytes)).to_lowercase();
    let mut plain = String::with_capacity(text.len());
    // Decoration of comments and headings is no text.
    for word in text.split(|c: char| c.is_whitespace() || matches!(c, '*' | '#' | '=')).filter(|word| !word.is_empty())
    {
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.push_str(word);
    }
    let plain = plain.replace(['\u{201c}', '\u{201d}'], "\"").replace(['\u{2018}', '\u{2019}'], "'");
    TEXTS
        .iter()
        .find(|(_, phrases)| phrases.iter().all(|phrase| plain.contains(phrase)))
        .map(|(identifier, _)| *identifier)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_become_expressions() {
        for (text, expected) in [
            ("MIT", "MIT"),
            ("mit", "MIT"),
            ("Apache License, Version 2.0", "Apache-2.0"),
            ("ASL 2.0", "Apache-2.0"),
            ("GPLv2+ and MIT", "GPL-2.0-or-later AND MIT"),
            ("GPL-2+ AND Expat", "GPL-2.0-or-later AND MIT"),
            ("(MIT OR Apache-2.0)", "(MIT OR Apache-2.0)"),
            ("(LGPLv2+ or MPLv2.0) and BSD-3-Clause", "(LGPL-2.0-or-later OR MPL-2.0) AND BSD-3-Clause"),
            ("GPL (>= 2)", "GPL-2.0-or-later"),
            ("The MIT License (MIT)", "MIT"),
        ] {
            assert_eq!(normalise(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_known_stays_as_written() {
        for text in [
            "BSD",
            "SEE LICENSE IN x",
            "GPL",
            "MIT + file LICENSE",
            "MIT AND",
            "AND",
            "MIT MIT",
            "GPL-2.0 WITH x",
            "((MIT)",
            "",
        ] {
            assert_eq!(normalise(text), text);
        }
    }

    #[test]
    fn each_text_is_told_by_its_phrases() {
        for (identifier, phrases) in TEXTS {
            let text = format!(
                "Copyright (c) 2020 Somebody\n\n * {}\n",
                phrases.join("\n\n * and so on. ").replace(' ', "\n   * ")
            );
            assert_eq!(classify(text.to_uppercase().as_bytes()), Some(*identifier), "{text}");
        }
        assert_eq!(classify(b"All rights reserved."), None);
        assert_eq!(classify(&[0xff; 100]), None);
    }

    #[test]
    fn two_clauses_are_told_from_three() {
        let two = "Redistributions of source code must retain the above. Redistributions in binary form must reproduce the above.";
        assert_eq!(classify(two.as_bytes()), Some("BSD-2-Clause"));
        let three = format!("{two} Neither the name may be used to endorse or promote products derived.");
        assert_eq!(classify(three.as_bytes()), Some("BSD-3-Clause"));
    }

    proptest! {
        #[test]
        fn any_text_is_normalised_once(text in "(MIT|GPLv2\\+|and|or|\\(|\\)|,| |x){0,12}") {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once);
        }
    }
}
