//! Serves the mock until it is stopped; the first line on standard output is its address.
//!
//! `serve [ADDRESS]`, by default `127.0.0.1:0` (any free port).

use std::io::{self, Write as _};
use std::net::SocketAddr;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let address: SocketAddr = address.parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mock = llm_edge_mock::Mock::start(address)?;
    let mut stdout = io::stdout();
    writeln!(stdout, "http://{}", mock.address())?;
    stdout.flush()?;
    loop {
        std::thread::park();
    }
}
