//! Versions as Go's modules and GitHub's tags write them: `v1`, `v1.2`, `v1.2.3-rc.1+build`
//! (golang.org/x/mod/semver; semver.org 2.0.0 with a `v` before it).

/// A version of which the last parts may be left open.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Prefix<'a> {
    major: &'a str,
    minor: Option<&'a str>,
    /// Patch and pre-release. What stands behind a `+` names a build and not a version.
    patch: Option<(&'a str, Option<&'a str>)>,
}

impl<'a> Prefix<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix('v')?;
        let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
        let (core, pre) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
        let mut parts = core.split('.');
        let (major, minor, patch) = (parts.next().and_then(number)?, parts.next(), parts.next());
        let whole = patch.is_some();
        let open = (pre.is_some() || build.is_some()) && !whole;
        let words = |text: &str| {
            text.split('.').all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
        };
        if parts.next().is_some() || open || !pre.is_none_or(words) || !build.is_none_or(words) {
            return None;
        }
        let minor = minor.map(number).map_or(Some(None), |found| found.map(Some))?;
        let patch = patch.map(number).map_or(Some(None), |found| found.map(Some))?;
        Some(Self { major, minor, patch: patch.map(|patch| (patch, pre)) })
    }

    /// Whether a tag is a version of this: what is open matches anything, what the tag leaves out is zero.
    pub(super) fn holds(&self, tag: &str) -> bool {
        let Some(found) = Prefix::parse(tag) else { return false };
        self.major == found.major
            && self.minor.is_none_or(|minor| minor == found.minor.unwrap_or("0"))
            && self.patch.is_none_or(|patch| patch == found.patch.unwrap_or(("0", None)))
    }
}

/// `vX.Y.Z` and nothing more.
pub(super) fn is_release(tag: &str) -> bool {
    !tag.contains('+') && Prefix::parse(tag).is_some_and(|version| matches!(version.patch, Some((_, None))))
}

/// A number without leading zeros.
fn number(text: &str) -> Option<&str> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (text == "0" || !text.starts_with('0'))).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_version_holds_whatever_stands_behind_it() {
        let holds = |wanted: &str, tag: &str| Prefix::parse(wanted).unwrap().holds(tag);
        assert!(holds("v13", "v13.0.30") && holds("v13.0", "v13.0.30") && holds("v13.0.30", "v13.0.30"));
        assert!(holds("v14", "v14") && holds("v14.0", "v14") && holds("v14.0.0", "v14"));
        assert!(holds("v1.2.3", "v1.2.3+build.7"));
        assert!(!holds("v13.0.3", "v13.0.30") && !holds("v1", "v13.0.30") && !holds("v14.1", "v14"));
        assert!(!holds("v1.2.3", "v1.2.3-rc.1") && holds("v1.2.3-rc.1", "v1.2.3-rc.1") && holds("v1.2", "v1.2.3-rc.1"));
        assert!(!holds("v1", "release-1") && !holds("v1", "1.0.0"));
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", "v", "1", "v1.", "v01", "v1.2.3.4", "v1-rc", "v1.2.3-", "v1.2.3+", "vx"] {
            assert_eq!(Prefix::parse(text), None, "{text}");
        }
        assert!(is_release("v1.2.3") && !is_release("v1.2") && !is_release("v1.2.3-rc.1") && !is_release("v1.2.3+b"));
    }
}
