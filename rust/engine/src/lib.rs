//! The verbs of the gateway: what happens to a request, in order.
//!
//! [`exchange`] is the story; [`stations`] are its chapters. A [`doors`] module makes an exchange out of
//! bytes and writes its reply; [`backends`] wait on the world. Each [`worker`] is one thread that shares
//! nothing on the path of a request but read-mostly pointers; [`engine`] starts, feeds and drains them.

mod backends;
mod background;
mod breaking;
mod buffers;
mod caller_credential;
mod clients;
mod deadlines;
mod descriptors;
mod doors;
mod exchange;
mod fail_points;
mod load;
mod loaded;
mod memory;
mod panics;
mod pressure;
mod socket;
mod stamp;
mod stations;
mod telemetry;
mod thread;
mod worker;

mod engine;
mod explained;
mod options;
mod shared;

pub use backends::policies::Policy;
pub use engine::{Address, Engine, EngineError};
pub use explained::explain;
pub use options::{Listen, Options, TlsFiles, Unix};
pub use telemetry::metrics::METRICS;

#[cfg(feature = "fail-points")]
pub use fail_points::{POINTS as FAIL_POINTS, Passed, arm as arm_fail_point};
