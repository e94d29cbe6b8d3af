//! The pack that comes with the program, so that the first command needs nothing else.
//!
//! A sample: see `data/ATTRIBUTION.md` for what is in it, from whom, and which records are synthetic.

use crate::pack::PackError;
use crate::set::Pack;

static BYTES: &[u8] = include_bytes!("../data/embedded.pack");

/// Opens the embedded pack.
pub fn embedded() -> Result<Pack, PackError> {
    Pack::from_static(BYTES)
}
