//! HTTP/2: a stream each; resets and `GOAWAY` on order.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use tokio::sync::mpsc;

use super::{Answer, Request, STALL_MAX, Shared, Wire, answer};
use crate::oracle::log::Gone;
use crate::oracle::script::{End, Script, script};

/// Serves a connection until it ends.
pub(super) async fn serve<S: Wire>(socket: S, shared: Arc<Shared>) {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(1000).initial_window_size(1 << 20).initial_connection_window_size(8 << 20);
    let Ok(mut connection) = builder.handshake::<_, Bytes>(socket).await else { return };
    let (say_goaway, mut goaway) = mpsc::unbounded_channel::<()>();
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    let (shared, say_goaway) = (Arc::clone(&shared), say_goaway.clone());
                    drop(tokio::spawn(async move { drop(stream(request, respond, shared, say_goaway).await) }));
                }
                Some(Err(_)) | None => return,
            },
            Some(()) = goaway.recv() => connection.graceful_shutdown(),
        }
    }
}

async fn stream(
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    shared: Arc<Shared>,
    say_goaway: mpsc::UnboundedSender<()>,
) -> Result<(), h2::Error> {
    let (parts, body) = request.into_parts();
    let body = read(body).await?;
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
    let request = Request { method: parts.method.as_str().to_owned(), target, body, keep_alive: true };
    let ask = match answer(&shared, &request) {
        Answer::Oracle(ask) => ask,
        Answer::Plain(status, body) => {
            let mut stream =
                respond.send_response(head(status, &[("content-type", "application/json".into())]), false)?;
            return stream.send_data(body.into(), true);
        }
    };
    let index = shared.log.begin(&ask);
    let script = script(&ask, ask.plan.attempt(index));
    if script.refused {
        shared.log.note(ask.id, index, |attempt| {
            (attempt.executed, attempt.performed, attempt.over) = (false, true, true);
        });
        respond.send_reset(Reason::REFUSED_STREAM);
        return Ok(());
    }
    let ended = play(&mut respond, &script, || {
        shared.log.note(ask.id, index, |attempt| attempt.performed = true);
    })
    .await;
    shared.log.note(ask.id, index, |attempt| {
        attempt.over = true;
        if ended.is_err() {
            attempt.gone = Some((Instant::now(), Gone::Rst));
        }
    });
    if script.goaway {
        // The connection may be gone already, which says the same.
        let _ = say_goaway.send(());
    }
    Ok(())
}

async fn read(mut body: RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut whole = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        drop(body.flow_control().release_capacity(data.len()));
        whole.extend_from_slice(&data);
    }
    if body.is_end_stream() { Ok(whole) } else { Err(Reason::CANCEL.into()) }
}

fn head(status: u16, fields: &[(&'static str, String)]) -> http::Response<()> {
    let mut response = http::Response::new(());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::OK);
    for (name, value) in fields {
        if let Ok(value) = http::HeaderValue::from_str(value) {
            drop(response.headers_mut().insert(*name, value));
        }
    }
    response
}

/// The peer has reset the stream, or the connection is gone.
struct Reset;

async fn play(respond: &mut SendResponse<Bytes>, script: &Script, done: impl FnOnce()) -> Result<(), Reset> {
    let body = Bytes::from(script.pieces.concat());
    let upto = script.upto.min(body.len());
    let stalls_at_once = script.end == End::Stall && script.upto == 0;
    let (at_once, later): (Vec<_>, Vec<_>) =
        script.silences.iter().copied().partition(|silence| silence.0 == 0);
    for (_, pause) in at_once {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = poll_fn(|cx| respond.poll_reset(cx)) => return Err(Reset),
        }
    }
    if stalls_at_once {
        done();
        drop(tokio::time::timeout(STALL_MAX, poll_fn(|cx| respond.poll_reset(cx))).await);
        return Err(Reset);
    }
    let mut stream = respond.send_response(head(script.status, &script.fields), false).map_err(|_| Reset)?;
    let mut at = 0;
    let mut silences = later.into_iter().peekable();
    while at < upto {
        let next = silences.peek().map_or(upto, |silence| silence.0.min(upto));
        send(&mut stream, body.slice(at..next)).await?;
        at = next;
        while let Some((_, pause)) = silences.next_if(|silence| silence.0 <= at) {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = poll_fn(|cx| stream.poll_reset(cx)) => return Err(Reset),
            }
        }
    }
    match script.end {
        End::Keep | End::Close | End::Fin => stream.send_data(Bytes::new(), true).map_err(|_| Reset)?,
        End::Rst => {
            // A reset takes back what still waits to be written.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            stream.send_reset(Reason::INTERNAL_ERROR);
        }
        End::Stall => {}
    }
    done();
    if script.end == End::Stall {
        drop(tokio::time::timeout(STALL_MAX, poll_fn(|cx| stream.poll_reset(cx))).await);
        return Err(Reset);
    }
    Ok(())
}

/// Sends as the peer's window allows.
async fn send(stream: &mut SendStream<Bytes>, mut bytes: Bytes) -> Result<(), Reset> {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let Some(Ok(room)) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return Err(Reset) };
        if room > 0 {
            let part = bytes.split_to(room.min(bytes.len()));
            stream.send_data(part, false).map_err(|_| Reset)?;
        }
    }
    Ok(())
}
