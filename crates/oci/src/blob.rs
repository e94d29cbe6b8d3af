//! A blob that is checked while it streams.

use std::pin::Pin;
use std::task::{Context, Poll};

use assay_model::{Digest, Hasher};
use bytes::Bytes;
use futures_util::stream::{BoxStream, Stream, StreamExt as _};

use crate::OciError;

/// The bytes of a blob, as a stream. Size and digest are checked as they pass: a chunk too many is an error at once, and
/// the last chunk is only handed out after the digest was found right. After an error, discard everything read so far.
pub struct Blob {
    what: String,
    digest: Digest,
    /// From the descriptor; where only a digest is known, none.
    size: Option<u64>,
    limit: u64,
    received: u64,
    hasher: Option<Hasher>,
    /// The chunk held back until the next one shows that it was not the last.
    held: Option<Bytes>,
    body: BoxStream<'static, Result<Bytes, OciError>>,
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blob").field("digest", &self.digest).field("received", &self.received).finish_non_exhaustive()
    }
}

impl Blob {
    pub(crate) fn new(
        what: String,
        digest: Digest,
        size: Option<u64>,
        body: BoxStream<'static, Result<Bytes, OciError>>,
    ) -> Self {
        let hasher = Some(Hasher::new(digest.algorithm()));
        Self { what, digest, size, limit: u64::MAX, received: 0, hasher, held: None, body }
    }

    /// Fails with `manifest-too-large` as soon as more than `limit` bytes came.
    #[must_use]
    pub fn limited(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }

    /// The digest that the bytes must have.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The number of bytes that must come, where it is known.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The next verified-so-far chunk; none after the last.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, OciError> {
        self.next().await.transpose()
    }

    /// Everything, checked, if it is at most `limit` bytes.
    pub async fn bytes(self, limit: u64) -> Result<Bytes, OciError> {
        let mut blob = self.limited(limit);
        if blob.size.is_some_and(|size| size > limit) {
            return Err(OciError::TooLarge { what: blob.what, limit });
        }
        let mut bytes = Vec::with_capacity(blob.size.unwrap_or(0).min(1 << 20) as usize);
        while let Some(chunk) = blob.chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.into())
    }

    /// A blocking reader over this stream, for code that is not async; every failure is an [`std::io::Error`] that carries
    /// the [`OciError`]. Use it on a blocking thread (`tokio::task::spawn_blocking`) of the runtime of `handle` only.
    pub fn into_reader(self, handle: tokio::runtime::Handle) -> BlobReader {
        BlobReader { blob: self, handle, current: Bytes::new() }
    }

    fn account(&mut self, chunk: &Bytes) -> Result<(), OciError> {
        self.received = self.received.saturating_add(chunk.len() as u64);
        if let Some(expected) = self.size
            && self.received > expected
        {
            return Err(OciError::SizeMismatch { what: self.what.clone(), expected, found: self.received });
        }
        if self.received > self.limit {
            return Err(OciError::TooLarge { what: self.what.clone(), limit: self.limit });
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(chunk);
        }
        Ok(())
    }

    /// Checks size and digest; does nothing the second time.
    fn finish(&mut self) -> Result<(), OciError> {
        let Some(hasher) = self.hasher.take() else { return Ok(()) };
        if let Some(expected) = self.size.filter(|expected| *expected != self.received) {
            return Err(OciError::SizeMismatch { what: self.what.clone(), expected, found: self.received });
        }
        let found = hasher.finish();
        if found != self.digest {
            return Err(OciError::DigestMismatch {
                what: self.what.clone(),
                expected: Box::new(self.digest),
                found: Box::new(found),
            });
        }
        Ok(())
    }
}

impl Stream for Blob {
    type Item = Result<Bytes, OciError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match self.body.poll_next_unpin(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(chunk))) if chunk.is_empty() => {}
                Poll::Ready(Some(Ok(chunk))) => {
                    if let Err(error) = self.account(&chunk) {
                        return Poll::Ready(Some(Err(self.fail(error))));
                    }
                    if let Some(previous) = self.held.replace(chunk) {
                        return Poll::Ready(Some(Ok(previous)));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(self.fail(error)))),
                Poll::Ready(None) => {
                    if let Err(error) = self.finish() {
                        return Poll::Ready(Some(Err(self.fail(error))));
                    }
                    return Poll::Ready(self.held.take().map(Ok));
                }
            }
        }
    }
}

impl Blob {
    /// Ends the stream: after an error nothing more comes.
    fn fail(&mut self, error: OciError) -> OciError {
        self.held = None;
        self.hasher = None;
        self.body = futures_util::stream::empty().boxed();
        error
    }
}

/// A blocking reader over a [`Blob`]; see [`Blob::into_reader`].
#[derive(Debug)]
pub struct BlobReader {
    blob: Blob,
    handle: tokio::runtime::Handle,
    current: Bytes,
}

impl std::io::Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.current.is_empty() && !buffer.is_empty() {
            match self.handle.block_on(self.blob.chunk()) {
                Ok(Some(chunk)) => self.current = chunk,
                Ok(None) => return Ok(0),
                Err(error) => return Err(std::io::Error::other(error)),
            }
        }
        let length = buffer.len().min(self.current.len());
        let part = self.current.split_to(length);
        for (to, from) in buffer.iter_mut().zip(&part) {
            *to = *from;
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn blob(chunks: &[&'static str], of: &str, size: Option<u64>) -> Blob {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).collect();
        Blob::new("test".into(), Digest::of(of.as_bytes()), size, futures_util::stream::iter(chunks).boxed())
    }

    #[tokio::test]
    async fn the_right_bytes_pass_with_and_without_a_known_size() {
        for size in [Some(6), None] {
            assert_eq!(blob(&["abc", "", "def"], "abcdef", size).bytes(6).await.unwrap(), "abcdef");
        }
        assert_eq!(blob(&[], "", Some(0)).bytes(0).await.unwrap(), "");
    }

    #[tokio::test]
    async fn the_last_chunk_is_kept_back_until_the_digest_is_right() {
        let mut wrong = blob(&["abc", "deX"], "abcdef", Some(6));
        assert_eq!(wrong.chunk().await.unwrap().unwrap(), "abc");
        assert!(matches!(wrong.chunk().await, Err(OciError::DigestMismatch { .. })));
        assert!(wrong.chunk().await.unwrap().is_none(), "nothing comes after an error");
    }

    #[tokio::test]
    async fn too_many_and_too_few_bytes_are_errors() {
        let long = blob(&["abc", "defg"], "abcdef", Some(6)).bytes(100).await;
        assert!(matches!(long, Err(OciError::SizeMismatch { found: 7, .. })));
        let short = blob(&["abc"], "abcdef", Some(6)).bytes(100).await;
        assert!(matches!(short, Err(OciError::SizeMismatch { found: 3, .. })));
        let large = blob(&["abc", "def"], "abcdef", None).bytes(5).await;
        assert!(matches!(large, Err(OciError::TooLarge { limit: 5, .. })));
    }

    #[tokio::test]
    async fn a_blocking_reader_gives_the_same_bytes_and_the_same_error() {
        let handle = tokio::runtime::Handle::current();
        let mut good = blob(&["abc", "def"], "abcdef", None).into_reader(handle.clone());
        let mut bad = blob(&["abc", "deX"], "abcdef", None).into_reader(handle);
        let (text, error) = tokio::task::spawn_blocking(move || {
            let (mut text, mut rest) = (String::new(), String::new());
            good.read_to_string(&mut text).unwrap();
            (text, bad.read_to_string(&mut rest).unwrap_err())
        })
        .await
        .unwrap();
        assert_eq!(text, "abcdef");
        let inner = error.into_inner().unwrap().downcast::<OciError>().unwrap();
        assert!(matches!(*inner, OciError::DigestMismatch { .. }));
    }
}
