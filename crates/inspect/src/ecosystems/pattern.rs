//! The patterns of [`About::files`](super::About::files) against normalised paths.

/// Whether a path is what a pattern stands for. A pattern with `/` at its front is anchored at the root; others may begin at
/// any directory.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    let literal = pattern.rsplit('*').next().unwrap_or_default();
    // The part behind the last `*` decides most cases at once.
    if !path.ends_with(literal.trim_start_matches('/')) {
        return false;
    }
    let anchored = pattern.strip_prefix('/');
    if !pattern.contains('*') {
        return match anchored {
            Some(pattern) => path == pattern,
            None => {
                path.len() == pattern.len()
                    || path.len().checked_sub(pattern.len() + 1).and_then(|at| path.as_bytes().get(at)) == Some(&b'/')
            }
        };
    }
    match anchored {
        Some(pattern) => segments(pattern, path),
        None if pattern.contains('/') => {
            segments(pattern, path) || path.match_indices('/').any(|(at, _)| segments(pattern, &path[at + 1..]))
        }
        None => name(pattern, crate::path::split(path).1),
    }
}

/// Patterns are our own and short; each `**` multiplies the work by the depth of the path, and there are two at most.
fn segments(pattern: &str, path: &str) -> bool {
    let (first, rest) = pattern.split_once('/').map_or((pattern, None), |(first, rest)| (first, Some(rest)));
    if first == "**" {
        let Some(rest) = rest else { return true };
        return segments(rest, path) || path.match_indices('/').any(|(at, _)| segments(rest, &path[at + 1..]));
    }
    let (head, tail) = path.split_once('/').map_or((path, None), |(head, tail)| (head, Some(tail)));
    name(first, head)
        && match (rest, tail) {
            (None, None) => true,
            (Some(rest), Some(tail)) => segments(rest, tail),
            _ => false,
        }
}

/// One segment: `*` stands for one character or more.
pub(super) fn name(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => {
            let Some(rest) = text.strip_prefix(before) else { return false };
            (1..=rest.len()).any(|at| rest.is_char_boundary(at) && name(after, &rest[at..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_names_places_and_depths() {
        for (pattern, yes, no) in [
            ("Gemfile.lock", "app/Gemfile.lock", "app/xGemfile.lock"),
            ("Gemfile.lock", "Gemfile.lock", "Gemfile.lock/x"),
            ("*.deps.json", "opt/app.deps.json", "opt/.deps.json"),
            ("/var/lib/dpkg/status", "var/lib/dpkg/status", "x/var/lib/dpkg/status"),
            ("/var/lib/pacman/local/*/desc", "var/lib/pacman/local/a-1-1/desc", "var/lib/pacman/local/a/b/desc"),
            ("specifications/**/*.gemspec", "usr/specifications/default/a.gemspec", "usr/a.gemspec"),
            ("specifications/**/*.gemspec", "usr/specifications/a.gemspec", "specifications/a.gem"),
            ("/opt/**/x", "opt/a/b/x", "usr/opt/a/x"),
            ("conda-meta/*.json", "opt/conda/conda-meta/a.json", "conda-meta/x/a.json"),
            ("Dockerfile*", "a/Dockerfile.dev", "a/Dockerfile"),
        ] {
            assert!(matches(pattern, yes), "{pattern} {yes}");
            assert!(!matches(pattern, no), "{pattern} {no}");
        }
    }
}
