//! `bench-upstream [PORT]`: a provider that costs as little as one can, on one thread.
//!
//! Prints its port. Every POST is answered by the model its body names (see `canned`); anything else is a
//! short 200.

use std::cell::RefCell;
use std::io::Write as _;
use std::rc::Rc;

use llm_edge_bench::canned::{Reply, Shelf};
use llm_edge_bench::{Failure, message};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const BUFFER_BYTES: usize = 1024 * 1024;
const BACKLOG: u32 = 4096;
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn main() -> Result<(), Failure> {
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(port))
}

async fn serve(port: u16) -> Result<(), Failure> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], port).into())?;
    let listener: TcpListener = socket.listen(BACKLOG)?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    let shelf = Rc::new(RefCell::new(Shelf::default()));
    loop {
        let (stream, _) = listener.accept().await?;
        let shelf = Rc::clone(&shelf);
        // A peer that goes away ends its connection; that is no news.
        drop(tokio::task::spawn_local(async move { drop(connection(stream, &shelf).await) }));
    }
}

async fn connection(mut stream: TcpStream, shelf: &RefCell<Shelf>) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut filled = 0;
    loop {
        let read = stream.read(buffer.get_mut(filled..).unwrap_or_default()).await?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        let data = buffer.get(..filled).unwrap_or_default();
        let Some(head) = message::head(data)? else { continue };
        let message::Body::Length(length) = head.body else { return Err("a chunked request".into()) };
        if filled < head.bytes + length {
            if head.bytes + length > BUFFER_BYTES {
                return Err("a body over the buffer".into());
            }
            continue;
        }
        filled = 0;
        match message::model(data.get(head.bytes..).unwrap_or_default()) {
            Some(model) => {
                let reply = shelf.borrow_mut().reply(model)?;
                write(&mut stream, &reply).await?;
            }
            None => stream.write_all(OK).await?,
        }
    }
}

async fn write(stream: &mut TcpStream, reply: &Reply) -> Result<(), Failure> {
    let mut start = 0;
    for end in &reply.bursts {
        if start > 0 {
            if reply.pause.is_zero() {
                // The other connections have their turn: bursts of many streams interleave.
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(reply.pause).await;
            }
        }
        stream.write_all(reply.bytes.get(start..*end).unwrap_or_default()).await?;
        start = *end;
    }
    Ok(())
}
