//! What runs, judged again by what is known today: the same Gate as at admission, asked once for all Pods of one template
//! that run the same images.
//!
//! Nothing here waits or talks to anybody; [`Cluster`](crate::Cluster) watches and calls. [`Population`] keeps the Pods,
//! [`Routes`] what leads to them, [`Judge`] asks the Gate, and [`Findings`] tells what is new from what was known.

mod alert;
mod exposure;
mod finding;
mod judge;
mod population;

pub use alert::{BreakGlass, Told, source, standing};
pub use exposure::Routes;
pub use finding::{Changes, Draft, Findings, Source};
pub use judge::{Judge, Recorded};
pub use population::{Group, GroupKey, Population};
