//! Which images a pattern of `matchImages` covers, as the kubelet has it.

/// Host parts, port, and path.
struct Parts<'t> {
    host: Vec<&'t str>,
    port: &'t str,
    path: &'t str,
}

fn parts(text: &str) -> Parts<'_> {
    let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    let (authority, path) = text.find('/').map_or((text, ""), |at| text.split_at(at));
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    Parts { host: host.split('.').collect(), port, path }
}

/// Whether this is a pattern at all.
pub(super) fn is_valid(pattern: &str) -> bool {
    let parts = parts(pattern);
    parts.host.iter().all(|part| !part.is_empty() && wildcard(part, "").is_some()) && !pattern.contains('\0')
}

/// Whether `image` (`host[:port]/path`) is covered.
pub(super) fn matches(pattern: &str, image: &str) -> bool {
    let (pattern, image) = (parts(pattern), parts(image));
    pattern.port == image.port
        && pattern.host.len() == image.host.len()
        && image.path.starts_with(pattern.path)
        && pattern.host.iter().zip(&image.host).all(|(of, part)| wildcard(of, part) == Some(true))
}

/// Go's `filepath.Match` for a part of a host name: `*`, `?` and classes (`[a-z]`, `[^a]`); none for what is no pattern.
fn wildcard(pattern: &str, text: &str) -> Option<bool> {
    // Read to its end, so that a bad pattern is one whatever it is compared with.
    let mut characters = pattern.chars();
    let mut tokens = Vec::new();
    while let Some(first) = characters.next() {
        tokens.push(token(first, &mut characters)?);
    }
    // The places of the pattern that can be reached after each character.
    let mut reached = vec![false; tokens.len() + 1];
    *reached.first_mut()? = true;
    let skip_stars = |reached: &mut Vec<bool>| {
        for (place, token) in tokens.iter().enumerate() {
            if reached.get(place) == Some(&true)
                && matches!(token, Token::Any)
                && let Some(next) = reached.get_mut(place + 1)
            {
                *next = true;
            }
        }
    };
    skip_stars(&mut reached);
    for character in text.chars() {
        let mut next = vec![false; tokens.len() + 1];
        for (place, token) in tokens.iter().enumerate() {
            if reached.get(place) != Some(&true) {
                continue;
            }
            let to = match token {
                Token::Any => place,
                Token::One(accepts) if accepts.accepts(character) => place + 1,
                Token::One(_) => continue,
            };
            if let Some(to) = next.get_mut(to) {
                *to = true;
            }
        }
        skip_stars(&mut next);
        reached = next;
    }
    reached.last().copied()
}

enum Token {
    /// `*`.
    Any,
    /// One character.
    One(Class),
}

struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Class {
    fn accepts(&self, character: char) -> bool {
        self.ranges.iter().any(|(from, to)| (*from..=*to).contains(&character)) != self.negated
    }
}

/// The token that begins so; none for what is no pattern.
fn token(first: char, rest: &mut std::str::Chars<'_>) -> Option<Token> {
    let mut next = || rest.next();
    let literal = |character| Token::One(Class { negated: false, ranges: vec![(character, character)] });
    Some(match first {
        '*' => Token::Any,
        '?' => Token::One(Class { negated: true, ranges: Vec::new() }),
        '\\' => literal(next()?),
        '[' => {
            let mut ranges: Vec<(char, char)> = Vec::new();
            let mut character = next()?;
            let negated = character == '^';
            if negated {
                character = next()?;
            }
            loop {
                if character == ']' && !ranges.is_empty() {
                    break;
                }
                if matches!(character, '-' | ']') {
                    return None;
                }
                let from = if character == '\\' { next()? } else { character };
                character = next()?;
                let mut to = from;
                if character == '-' {
                    to = match next()? {
                        '\\' => next()?,
                        '-' | ']' => return None,
                        to => to,
                    };
                    character = next()?;
                }
                ranges.push((from, to));
            }
            Token::One(Class { negated, ranges })
        }
        other => literal(other),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The cases of the kubelet's own documentation and of `TestUrlsMatch`.
    #[test]
    fn patterns_cover_what_the_kubelet_says() {
        for (pattern, image, covered) in [
            ("123456789.dkr.ecr.us-east-1.amazonaws.com", "123456789.dkr.ecr.us-east-1.amazonaws.com/a", true),
            ("*.dkr.ecr.*.amazonaws.com", "123456789.dkr.ecr.eu-west-1.amazonaws.com/a/b", true),
            ("*.azurecr.io", "team.azurecr.io/a", true),
            ("gcr.io", "gcr.io/project/a", true),
            ("*.*.registry.io", "a.b.registry.io/c", true),
            ("registry.io:8080/path", "registry.io:8080/path/a", true),
            ("*.kubernetes.io", "kubernetes.io/a", false),
            ("*.kubernetes.io", "a.b.kubernetes.io/c", false),
            ("*kubernetes.io", "prefixkubernetes.io/a", true),
            ("k8s*.io", "k8s2.io/a", true),
            ("app*.k8s.io", "app5.k8s.io/a", true),
            ("app?.k8s.io", "app55.k8s.io/a", false),
            ("app[0-9].k8s.io", "app5.k8s.io/a", true),
            ("app[^0-9].k8s.io", "app5.k8s.io/a", false),
            ("registry.io", "registry.io:8080/a", false),
            ("registry.io:8080", "registry.io/a", false),
            ("registry.io/team", "registry.io/other", false),
            ("*", "registry.io/a", false),
            ("*.azurecr.io", "team.azurecr.io.evil.test/a", false),
            ("*.azurecr.io", "evil.test/team.azurecr.io", false),
        ] {
            assert_eq!(matches(pattern, image), covered, "{pattern} {image}");
        }
    }

    #[test]
    fn what_is_no_pattern_covers_nothing() {
        for pattern in ["", "a[", "a[]", "[a-].io", "a\\", ".io", "a..io"] {
            assert!(!is_valid(pattern), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn any_pattern_is_compared_without_panic(pattern in ".{0,40}", image in ".{0,40}") {
            let _ = (is_valid(&pattern), matches(&pattern, &image));
        }

        #[test]
        fn a_pattern_without_signs_is_itself(host in "[a-z]{1,8}(\\.[a-z]{1,8}){0,3}", other in "[a-z]{1,8}(\\.[a-z]{1,8}){0,3}") {
            prop_assert_eq!(matches(&host, &format!("{other}/a")), host == other);
        }
    }
}
