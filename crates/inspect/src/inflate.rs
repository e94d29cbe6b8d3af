//! A layer blob as the tar it holds, hashed on both sides of its compression in one pass.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use assay_model::{Algorithm, Bound, Digest, Hasher};

use crate::Limits;

const INPUT_BUFFER: usize = 128 << 10;
/// Enough to see the magic bytes of gzip, zstd and a zstd skippable frame.
const MAGIC_BYTES: u64 = 4;

/// Reads the tar of a blob. A bound or damage ends the stream early: see [`Finished::stopped`].
pub(crate) struct Inflate<R: Read> {
    decoder: Decoder<R>,
    diff_id: Hasher,
    produced: u64,
    limits: Limits,
    stopped: Option<Bound>,
    /// The source failed: nothing that came can be trusted.
    failure: Option<io::Error>,
}

/// What is known once a blob was read to its end.
pub(crate) struct Finished {
    pub(crate) digest: Digest,
    pub(crate) diff_id: Digest,
    pub(crate) compressed: u64,
    pub(crate) inflated: u64,
    /// Why the inflated side ended early, if it did.
    pub(crate) stopped: Option<Bound>,
}

type Blob<R> = BufReader<Chain<Cursor<Vec<u8>>, Hashing<R>>>;

enum Decoder<R: Read> {
    Gzip(Box<flate2::bufread::MultiGzDecoder<Blob<R>>>),
    Zstd(zstd::Decoder<'static, Blob<R>>),
    Plain(Blob<R>),
}

impl<R: Read> Decoder<R> {
    fn blob_mut(&mut self) -> &mut Blob<R> {
        match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
            Self::Plain(blob) => blob,
        }
    }

    fn hashing(&self) -> &Hashing<R> {
        let blob = match self {
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Zstd(decoder) => decoder.get_ref(),
            Self::Plain(blob) => blob,
        };
        blob.get_ref().get_ref().1
    }

    fn into_blob(self) -> Blob<R> {
        match self {
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
            Self::Plain(blob) => blob,
        }
    }
}

impl<R: Read> Inflate<R> {
    /// Looks at the first bytes, as container runtimes do: what they say counts, not the media type.
    pub(crate) fn new(reader: R, algorithm: Algorithm, limits: Limits) -> io::Result<Self> {
        let mut hashing = Hashing { inner: reader, hasher: Hasher::new(algorithm), bytes: 0, failure: None };
        let mut magic = Vec::new();
        if let Err(error) = hashing.by_ref().take(MAGIC_BYTES).read_to_end(&mut magic) {
            return Err(hashing.failure.take().unwrap_or(error));
        }
        let is_gzip = magic.starts_with(&[0x1f, 0x8b]);
        let is_zstd = magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
            || matches!(magic.as_slice(), [low, 0x2a, 0x4d, 0x18] if low & 0xf0 == 0x50);
        let blob = BufReader::with_capacity(INPUT_BUFFER, Cursor::new(magic).chain(hashing));
        let decoder = if is_gzip {
            Decoder::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(blob)))
        } else if is_zstd {
            Decoder::Zstd(zstd::Decoder::with_buffer(blob)?)
        } else {
            Decoder::Plain(blob)
        };
        Ok(Self { decoder, diff_id: Hasher::new(Algorithm::Sha256), produced: 0, limits, stopped: None, failure: None })
    }

    /// Reads what is left on both sides and closes the hashes. Errors only where the source itself failed.
    pub(crate) fn finish(mut self) -> io::Result<Finished> {
        let mut rest = vec![0; INPUT_BUFFER];
        loop {
            match self.read(&mut rest) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failure.take().unwrap_or(error)),
            }
        }
        let (diff_id, inflated, stopped) = (self.diff_id.finish(), self.produced, self.stopped);
        let mut blob = self.decoder.into_blob();
        loop {
            let length = match blob.fill_buf() {
                Ok(bytes) => bytes.len(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(blob.get_mut().get_mut().1.failure.take().unwrap_or(error)),
            };
            if length == 0 {
                break;
            }
            blob.consume(length);
        }
        let hashing = blob.into_inner().into_inner().1;
        Ok(Finished { digest: hashing.hasher.finish(), diff_id, compressed: hashing.bytes, inflated, stopped })
    }

    fn within_bounds(&self) -> Option<Bound> {
        if self.produced > self.limits.layer_bytes {
            return Some(Bound::Bytes);
        }
        let compressed = self.decoder.hashing().bytes.max(1);
        let stretched = self.produced / compressed > self.limits.ratio;
        (stretched && self.produced > self.limits.ratio_floor).then_some(Bound::Ratio)
    }
}

impl<R: Read> Read for Inflate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(failure) = &self.failure {
            return Err(failure.kind().into());
        }
        if self.stopped.is_some() {
            return Ok(0);
        }
        let result = match &mut self.decoder {
            Decoder::Gzip(decoder) => decoder.read(buffer),
            Decoder::Zstd(decoder) => decoder.read(buffer),
            Decoder::Plain(blob) => blob.read(buffer),
        };
        match result {
            Ok(read) => {
                self.diff_id.update(buffer.get(..read).unwrap_or_default());
                self.produced = self.produced.saturating_add(read as u64);
                self.stopped = self.within_bounds();
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(_) => {
                let (_, hashing) = self.decoder.blob_mut().get_mut().get_mut();
                if let Some(failure) = hashing.failure.take() {
                    let kind = failure.kind();
                    self.failure = Some(failure);
                    return Err(kind.into());
                }
                self.stopped = Some(Bound::Malformed);
                Ok(0)
            }
        }
    }
}

/// Hashes and counts everything that is read from the source, and keeps its failure apart from damage in the data.
struct Hashing<R> {
    inner: R,
    hasher: Hasher,
    bytes: u64,
    failure: Option<io::Error>,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(read) => {
                self.hasher.update(buffer.get(..read).unwrap_or_default());
                self.bytes = self.bytes.saturating_add(read as u64);
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                self.failure = Some(error);
                Err(kind.into())
            }
        }
    }
}
