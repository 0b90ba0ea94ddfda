//! HTTP/1.1, byte by byte as the script says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Answer, STALL_MAX, Shared, Wire, answer, request};
use crate::oracle::log::Gone;
use crate::oracle::script::{End, Script, script};

/// Serves a connection until it ends.
pub(super) async fn serve<S: Wire>(mut socket: S, shared: Arc<Shared>) {
    let mut buffer = Vec::new();
    while let Ok(Some(request)) = request::read(&mut socket, &mut buffer).await {
        let ask = match answer(&shared, &request) {
            Answer::Oracle(ask) => ask,
            Answer::Plain(status, body) => {
                let head = format!(
                    "HTTP/1.1 {status} Oracle\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                if socket.write_all(&[head.as_bytes(), &body].concat()).await.is_err() {
                    return;
                }
                continue;
            }
        };
        let index = shared.log.begin(&ask);
        let script = script(&ask, ask.plan.attempt(index));
        let ended = play(&mut socket, &script, &mut buffer, || {
            shared.log.note(ask.id, index, |attempt| attempt.performed = true);
        })
        .await;
        shared.log.note(ask.id, index, |attempt| {
            attempt.over = true;
            if let Err(how) = ended {
                attempt.gone = Some((Instant::now(), how));
            }
        });
        match script.end {
            _ if ended.is_err() => return,
            End::Keep if request.keep_alive => {}
            End::Keep | End::Close | End::Fin => return close(socket).await,
            End::Rst => return socket.arm_reset(),
            End::Stall => return,
        }
    }
}

/// A close while bytes of the peer are unread would be a reset.
async fn close<S: Wire>(mut socket: S) {
    drop(socket.shutdown().await);
    let mut rest = [0; 1024];
    let drain = async { while matches!(socket.read(&mut rest).await, Ok(1..)) {} };
    drop(tokio::time::timeout(Duration::from_secs(2), drain).await);
}

/// Plays the script; `done` is called when all of it has been done.
async fn play<S: Wire>(
    socket: &mut S,
    script: &Script,
    surplus: &mut Vec<u8>,
    done: impl FnOnce(),
) -> Result<(), Gone> {
    let mut at = 0;
    let mut done = Some(done);
    let mut silences = script.silences.iter().peekable();
    let mut borders = script.borders.iter().peekable();
    loop {
        while let Some((_, pause)) = silences.next_if(|(border, _)| *border <= at) {
            let sleep = tokio::time::sleep(*pause);
            tokio::select! {
                () = sleep => {}
                how = left(socket, surplus) => return Err(how),
            }
        }
        while borders.next_if(|border| **border <= at).is_some() {}
        if at >= script.upto {
            break;
        }
        let next = silences.peek().map_or(script.upto, |(border, _)| *border);
        let next = borders.peek().map_or(next, |border| next.min(**border)).min(script.upto);
        let bytes = script.wire.get(at..next).unwrap_or_default();
        tokio::select! {
            biased;
            written = async { socket.write_all(bytes).await?; socket.flush().await } => {
                written.map_err(|_| Gone::Rst)?;
            }
            // A reply larger than the buffers between us does not hide that nobody wants it.
            () = tokio::time::sleep(STALL_MAX) => return Err(Gone::Rst),
        }
        at = next;
        if at >= script.shown_at
            && let Some(done) = done.take()
        {
            done();
        }
        if at < script.upto {
            tokio::task::yield_now().await;
        }
    }
    if let Some(done) = done {
        done();
    }
    if script.end == End::Stall {
        return match tokio::time::timeout(STALL_MAX, left(socket, surplus)).await {
            Ok(how) => Err(how),
            Err(_) => Ok(()),
        };
    }
    Ok(())
}

/// Waits until the peer has left. What it sends meanwhile is kept for later.
async fn left<S: Wire>(socket: &mut S, surplus: &mut Vec<u8>) -> Gone {
    loop {
        match socket.read_buf(surplus).await {
            Ok(0) => return Gone::Fin,
            Ok(_) => {}
            Err(_) => return Gone::Rst,
        }
    }
}
