//! Heads between the two forms: the request as the stations write it for HTTP/1.1, the reply as the codec of
//! HTTP/1.1 reads it. One set of rules for both protocols, as at the other door.

use http::header::{HOST, HeaderName};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use llm_edge_core::http1::write;

/// Fields that HTTP/2 has no place for (RFC 9113 §8.2.2), should a configuration name one.
const CONNECTION_FIELDS: [&str; 6] =
    ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];

/// The request whose head was rendered as `head`, up to and with the empty line. `None` when it cannot be
/// said in HTTP/2.
pub(super) fn request(head: &[u8], scheme: &Scheme) -> Option<Request<()>> {
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut words = lines.next()?.split(|byte| *byte == b' ');
    let (method, target) = (words.next()?, words.next()?);
    let mut fields = HeaderMap::with_capacity(16);
    let mut authority = None;
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?.trim_ascii());
        let name = HeaderName::from_bytes(name).ok()?;
        if name == HOST {
            authority = Authority::try_from(value).ok();
        } else if !CONNECTION_FIELDS.contains(&name.as_str()) {
            let mut value = HeaderValue::from_bytes(value).ok()?;
            // A credential must not stay in the compression tables of either side (RFC 7541 §7.1.3).
            value.set_sensitive(is_secret(&name));
            fields.append(name, value);
        }
    }
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(scheme.clone());
    parts.authority = Some(authority?);
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    let mut request = Request::new(());
    *request.method_mut() = http::Method::from_bytes(method).ok()?;
    *request.uri_mut() = Uri::from_parts(parts).ok()?;
    *request.headers_mut() = fields;
    Some(request)
}

fn is_secret(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "authorization" | "api-key" | "x-api-key" | "x-goog-api-key" | "x-amz-security-token"
    )
}

/// Appends the head of a reply as HTTP/1.1 has it.
pub(super) fn render<B>(response: &Response<B>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(response.status().as_str().as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in response.headers() {
        write::field(out, name.as_str().as_bytes(), value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> Option<Request<()>> {
        request(head.as_bytes(), &Scheme::HTTPS)
    }

    #[test]
    fn a_head_becomes_pseudo_headers_and_fields() {
        let request = read(
            "POST /v1/chat?api-version=1 HTTP/1.1\r\nhost: up.test:8443\r\naccept-encoding: identity\r\n\
             authorization: Bearer s\r\nX-One:  a\r\nx-one: b\r\nConnection: close\r\ncontent-length: 2\r\n\r\n",
        )
        .unwrap();
        assert_eq!(request.method(), "POST");
        assert_eq!(request.uri(), "https://up.test:8443/v1/chat?api-version=1");
        let fields = request.headers();
        assert_eq!(fields.get_all("x-one").iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(fields["content-length"], "2");
        assert!(fields["authorization"].is_sensitive() && !fields["x-one"].is_sensitive());
        assert!(!fields.contains_key("host") && !fields.contains_key("connection"));
    }

    #[test]
    fn a_target_passes_as_it_is() {
        let target = "/a%2Fb;c=d?e=[f]&g='h'";
        let request = read(&format!("POST {target} HTTP/1.1\r\nhost: x\r\n\r\n")).unwrap();
        assert_eq!(request.uri().path_and_query().unwrap(), target);
    }

    #[test]
    fn a_head_without_a_host_or_with_a_broken_one_is_none() {
        assert!(read("POST / HTTP/1.1\r\n\r\n").is_none());
        assert!(read("POST / HTTP/1.1\r\nhost: a b\r\n\r\n").is_none());
        assert!(read("POST").is_none());
    }

    #[test]
    fn a_reply_is_read_by_the_codec_as_it_was_meant() {
        use llm_edge_core::http1::{HeadLimits, Progress, ResponseFraming, ResponseHead};
        let response = Response::builder()
            .status(429)
            .header("content-type", "application/json")
            .header("retry-after", "2")
            .header("content-length", "7")
            .body(())
            .unwrap();
        let mut out = Vec::new();
        render(&response, &mut out);
        let mut head = ResponseHead::default();
        let limits = HeadLimits { head_bytes_max: 4096, headers_max: 10, target_bytes_max: 0 };
        assert_eq!(head.parse(&out, false, &limits), Ok(Progress::Complete));
        assert_eq!((head.status, head.framing, head.len), (429, ResponseFraming::Length(7), out.len()));
    }
}
