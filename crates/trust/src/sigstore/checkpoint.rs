//! Checkpoints: what a log signs about its tree (C2SP, `tlog-checkpoint.md` and `signed-note.md`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Largest checkpoint read, in bytes.
const TEXT_MAX: usize = 64 << 10;

/// Most signatures read of one: logs have witnesses.
const SIGNATURES_MAX: usize = 64;

/// A parsed checkpoint.
#[derive(Debug)]
pub(super) struct Checkpoint<'a> {
    /// The text that is signed, with its last newline.
    pub(super) signed: &'a str,
    /// The log's name.
    pub(super) origin: &'a str,
    /// Leaves of the tree.
    pub(super) size: u64,
    /// Root hash.
    pub(super) root: Vec<u8>,
    /// The signatures.
    pub(super) signatures: Vec<NoteSignature>,
}

/// One signature of a note.
#[derive(Debug)]
pub(super) struct NoteSignature {
    /// First four bytes of the key's hash.
    pub(super) hint: [u8; 4],
    /// The signature.
    pub(super) signature: Vec<u8>,
}

impl<'a> Checkpoint<'a> {
    /// Parses the text; the error says what is wrong with it.
    pub(super) fn parse(text: &'a str) -> Result<Self, &'static str> {
        if text.len() > TEXT_MAX {
            return Err("the checkpoint is too long");
        }
        let split = text.find("\n\n").ok_or("the checkpoint has no signatures")?;
        let (signed, rest) = (text.get(..=split).unwrap_or_default(), text.get(split + 2..).unwrap_or_default());
        let mut lines = signed.lines();
        let origin = lines.next().filter(|origin| !origin.is_empty()).ok_or("the checkpoint has no origin")?;
        let size = lines.next().filter(|line| line.bytes().all(|byte| byte.is_ascii_digit()));
        let size = size.and_then(|line| line.parse().ok()).ok_or("the checkpoint has no tree size")?;
        let root = lines.next().and_then(|line| STANDARD.decode(line).ok()).filter(|hash| hash.len() == 32);
        let root = root.ok_or("the checkpoint has no root hash")?;
        let mut signatures = Vec::new();
        for line in rest.lines().filter(|line| !line.is_empty()) {
            if signatures.len() >= SIGNATURES_MAX {
                return Err("the checkpoint has too many signatures");
            }
            signatures.push(NoteSignature::parse(line).ok_or("a signature of the checkpoint cannot be read")?);
        }
        Ok(Self { signed, origin, size, root, signatures })
    }
}

impl NoteSignature {
    /// A line; the signer's name in it is not covered by the signature and proves nothing.
    fn parse(line: &str) -> Option<Self> {
        let (_name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = STANDARD.decode(encoded).ok()?;
        let (hint, signature) = bytes.split_first_chunk::<4>()?;
        Some(Self { hint: *hint, signature: signature.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_checkpoint_has_origin_size_root_and_signatures() {
        let root = STANDARD.encode([7; 32]);
        let note = STANDARD.encode([1, 2, 3, 4, 9, 9]);
        let text = format!("log.example\n42\n{root}\nmore\n\n— log.example {note}\n— witness {note}\n");
        let checkpoint = Checkpoint::parse(&text).unwrap();
        assert_eq!((checkpoint.origin, checkpoint.size, checkpoint.signatures.len()), ("log.example", 42, 2));
        assert_eq!(checkpoint.signed, format!("log.example\n42\n{root}\nmore\n"));
        assert_eq!(checkpoint.signatures[1].hint, [1, 2, 3, 4]);
        for broken in [
            text.replace("42", "-42"),
            text.replace("42\n", ""),
            text.replace("log.example\n", ""),
            text.replace("\n\n", "\n"),
            text.replace("— witness", "- witness"),
            text.replace(&root, "AAAA"),
        ] {
            assert!(Checkpoint::parse(&broken).is_err(), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn any_text_parses_or_not(text in ".{0,200}") {
            let _ = Checkpoint::parse(&text);
        }
    }
}
