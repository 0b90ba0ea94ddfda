//! Connections handed from one worker to another.
//!
//! The kernel spreads connections over the workers' sockets by a hash: with few of them badly, and one worker
//! then has all the work of a client that keeps two connections. So whoever accepts one while it holds clearly
//! more than the least loaded worker hands it over. A connection stays where it has begun.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc::UnboundedSender;

use crate::shared::Seat;

/// An accepted connection, bound to no runtime.
pub(crate) enum Handed {
    Tcp(std::net::TcpStream, Seat),
    Unix(std::os::unix::net::UnixStream, Seat),
}

/// A worker as the others see it.
#[derive(Clone)]
pub(crate) struct Peer {
    /// Its client connections, with those on the way to it.
    pub(crate) load: Arc<AtomicU64>,
    pub(crate) handed: UnboundedSender<Handed>,
}

/// All workers, and which one we are.
pub(crate) struct Peers {
    pub(crate) all: Arc<[Peer]>,
    pub(crate) own: usize,
}

/// An accepted connection on its own worker's runtime.
pub(crate) enum Accepted {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Accepted {
    pub(crate) fn hand(self, seat: Seat) -> io::Result<Handed> {
        Ok(match self {
            Self::Tcp(tcp) => Handed::Tcp(tcp.into_std()?, seat),
            Self::Unix(unix) => Handed::Unix(unix.into_std()?, seat),
        })
    }

    pub(crate) fn take(handed: Handed) -> io::Result<(Self, Seat)> {
        Ok(match handed {
            Handed::Tcp(tcp, seat) => (Self::Tcp(TcpStream::from_std(tcp)?), seat),
            Handed::Unix(unix, seat) => (Self::Unix(UnixStream::from_std(unix)?), seat),
        })
    }
}

impl Peers {
    /// Our own count of connections.
    pub(crate) fn own_load(&self) -> Option<&Arc<AtomicU64>> {
        self.all.get(self.own).map(|peer| &peer.load)
    }

    /// The worker that should have the next connection, where that is not us.
    pub(crate) fn lighter(&self) -> Option<&Peer> {
        let load = |peer: &Peer| peer.load.load(Ordering::Relaxed);
        let own = load(self.all.get(self.own)?);
        let least = self.all.iter().min_by_key(|peer| load(peer))?;
        is_clearly_more(own, load(least)).then_some(least)
    }
}

/// Whether a worker with `own` connections should give the next one to a worker with `least`.
fn is_clearly_more(own: u64, least: u64) -> bool {
    own >= least.saturating_add((own / 8).max(1))
}

#[cfg(test)]
mod tests {
    use super::is_clearly_more;

    #[test]
    fn an_eighth_more_is_clear_and_so_is_one_of_few() {
        for (own, least) in [(1, 0), (2, 1), (16, 14), (80, 70), (800, 700)] {
            assert!(is_clearly_more(own, least), "{own} {least}");
        }
        for (own, least) in [(0, 0), (1, 1), (16, 15), (80, 71), (7, 9)] {
            assert!(!is_clearly_more(own, least), "{own} {least}");
        }
    }
}
