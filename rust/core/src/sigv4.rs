//! Signature Version 4: a request to an Amazon service says who asks, and that nobody changed it, without the
//! secret travelling.
//!
//! Signed is the head as it is written, so that what is signed and what is sent cannot differ: method, path,
//! query, body, and of the fields `host`, `content-type` and every `x-amz-…`. The path is encoded once more than
//! it is sent, as all services but S3 want it.
//! Source: IAM user guide, "Create a signed AWS API request".

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{date, percent};

/// What a signature is good for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Region, such as `eu-central-1`.
    pub region: String,
    /// The service's name in signatures, such as `bedrock`.
    pub service: String,
}

/// An access key. No part holds a space.
pub struct Key<'a> {
    id: &'a [u8],
    secret: &'a [u8],
    session_token: Option<&'a [u8]>,
}

impl<'a> Key<'a> {
    /// Reads `ID SECRET` or `ID SECRET TOKEN`; `None` for anything else.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let mut parts = text.split(|byte| *byte == b' ');
        let (id, secret, session_token) = (parts.next()?, parts.next()?, parts.next());
        let whole = parts.next().is_none() && ![Some(id), Some(secret), session_token].contains(&Some(b""));
        whole.then_some(Self { id, secret, session_token })
    }
}

/// Fields that say what the signature says, beside `authorization`: nobody else's may be sent with it.
pub const OWN_FIELDS: [&str; 3] = ["x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];

/// Appends the fields that sign a request.
///
/// `head` holds the request line and every field, each ended by CRLF, without the empty line; `body` is in
/// pieces; `unix_s` is the time, from which the receiver's may differ by five minutes.
pub fn sign(head: &mut Vec<u8>, body: &[&[u8]], key: &Key<'_>, scope: &Scope, unix_s: u64) {
    let time = date::iso8601_basic(unix_s);
    let day = time.split('T').next().unwrap_or_default();
    head.extend_from_slice(format!("x-amz-date: {time}\r\n").as_bytes());
    if let Some(token) = key.session_token {
        head.extend_from_slice(b"x-amz-security-token: ");
        head.extend_from_slice(token);
        head.extend_from_slice(b"\r\n");
    }
    let (request, signed_names) = canonical_request(head, body);
    let scope_text = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope_text}\n{}", hex(&Sha256::digest(&request)));
    let mut derived = hmac(&[b"AWS4", key.secret].concat(), day.as_bytes());
    for part in [scope.region.as_str(), scope.service.as_str(), "aws4_request"] {
        derived = hmac(&derived, part.as_bytes());
    }
    head.extend_from_slice(b"authorization: AWS4-HMAC-SHA256 Credential=");
    head.extend_from_slice(key.id);
    head.extend_from_slice(format!("/{scope_text}, SignedHeaders=").as_bytes());
    head.extend_from_slice(&signed_names);
    let signature = hex(&hmac(&derived, to_sign.as_bytes()));
    head.extend_from_slice(format!(", Signature={signature}\r\n").as_bytes());
}

/// The request as both sides spell it, and the names of the fields in it.
fn canonical_request(head: &[u8], body: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut words = lines.next().unwrap_or_default().split(|byte| *byte == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = cut(target, b'?');
    let mut fields: Vec<(Vec<u8>, &[u8])> = lines
        .map(|line| cut(line, b':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .filter(|(name, _)| is_signed(name))
        .collect();
    // Stable: values of one name stay in their order.
    fields.sort_by(|a, b| a.0.cmp(&b.0));

    let mut out = Vec::with_capacity(256 + target.len());
    let mut names = Vec::new();
    out.extend_from_slice(method);
    out.push(b'\n');
    canonical_path(&mut out, path);
    out.push(b'\n');
    canonical_query(&mut out, query);
    for field in fields.chunk_by(|a, b| a.0 == b.0) {
        let Some((name, _)) = field.first() else { continue };
        out.push(b'\n');
        out.extend_from_slice(name);
        for (at, (_, value)) in field.iter().enumerate() {
            out.push(if at == 0 { b':' } else { b',' });
            let mut between = false;
            for word in value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
                out.extend_from_slice(if between { b" " } else { b"" });
                out.extend_from_slice(word);
                between = true;
            }
        }
        names.extend_from_slice(if names.is_empty() { b"" } else { b";" });
        names.extend_from_slice(name);
    }
    out.extend_from_slice(b"\n\n");
    out.extend_from_slice(&names);
    out.push(b'\n');
    let mut digest = Sha256::new();
    for piece in body {
        digest.update(piece);
    }
    out.extend_from_slice(hex(&digest.finalize()).as_bytes());
    (out, names)
}

fn is_signed(name: &[u8]) -> bool {
    matches!(name, b"host" | b"content-type") || name.starts_with(b"x-amz-")
}

/// Dot segments and empty ones resolved (RFC 3986 §5.2.4), then each segment encoded, over what is encoded in it.
fn canonical_path(out: &mut Vec<u8>, path: &[u8]) {
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in path.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    for segment in &segments {
        out.push(b'/');
        percent::encode(out, segment);
    }
    if segments.is_empty() || path.ends_with(b"/") {
        out.push(b'/');
    }
}

/// Parameters in the one spelling of each, by name and then value.
fn canonical_query(out: &mut Vec<u8>, query: &[u8]) {
    let mut parameters: Vec<(Vec<u8>, Vec<u8>)> = query
        .split(|byte| *byte == b'&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| cut(parameter, b'='))
        .map(|(name, value)| (respelled(name), respelled(value)))
        .collect();
    parameters.sort();
    for (at, (name, value)) in parameters.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"" } else { b"&" });
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

fn respelled(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    match percent::decode_once(text) {
        Some(plain) => percent::encode(&mut out, plain.as_bytes()),
        None => percent::encode(&mut out, text),
    }
    out
}

/// What stands before the first `mark`, and what after it.
fn cut(text: &[u8], mark: u8) -> (&[u8], &[u8]) {
    let mut parts = text.splitn(2, |byte| *byte == mark);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mut mac) => {
            mac.update(message);
            mac.finalize().into_bytes().into()
        }
        // HMAC takes every key length, so this arm is never taken; what it gives, no service accepts.
        Err(_) => [0; 32],
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| char::from(DIGITS.get(usize::from(n)).copied().unwrap_or(b'0'));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The account and the moment of Amazon's test suite.
    const KEY: &[u8] = b"AKIDEXAMPLE wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const UNIX_S: u64 = 1_440_938_160;

    /// What stands in `authorization` after the scope, for a head and a body.
    fn signed(head: &str, body: &[&[u8]]) -> String {
        let scope = Scope { region: "us-east-1".into(), service: "service".into() };
        let mut out = head.as_bytes().to_vec();
        sign(&mut out, body, &Key::parse(KEY).unwrap(), &scope, UNIX_S);
        let text = String::from_utf8(out).unwrap();
        let own = text.strip_prefix(head).unwrap();
        let own = own.strip_prefix("x-amz-date: 20150830T123600Z\r\n").unwrap();
        own.strip_prefix(
            "authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ",
        )
        .unwrap()
        .strip_suffix("\r\n")
        .unwrap()
        .to_owned()
    }

    #[test]
    fn amazon_s_test_suite() {
        const VANILLA: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        let host = "host: example.amazonaws.com\r\n";
        for (line, signature) in [
            ("GET / HTTP/1.1", VANILLA),
            // get-slash, get-slashes, get-slash-dot-slash, get-relative
            ("GET // HTTP/1.1", VANILLA),
            ("GET /./ HTTP/1.1", VANILLA),
            ("GET /example/.. HTTP/1.1", VANILLA),
            // post-vanilla
            ("POST / HTTP/1.1", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            // get-vanilla-query-order-key-case, -order-value
            (
                "GET /?Param2=value2&Param1=value1 HTTP/1.1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "GET /?Param1=value2&Param1=value1 HTTP/1.1",
                "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694",
            ),
        ] {
            let head = format!("{line}\r\n{host}");
            assert_eq!(signed(&head, &[]), format!("SignedHeaders=host;x-amz-date, Signature={signature}"));
        }
        // post-x-www-form-urlencoded
        let head = format!("POST / HTTP/1.1\r\ncontent-type: application/x-www-form-urlencoded\r\n{host}");
        assert_eq!(
            signed(&head, &[b"Param1", b"", b"=value1"]),
            "SignedHeaders=content-type;host;x-amz-date, \
             Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
    }

    #[test]
    fn a_path_is_encoded_over_its_encoding() {
        let mut out = Vec::new();
        canonical_path(&mut out, b"/model/anthropic.claude%3A0/converse");
        assert_eq!(out, b"/model/anthropic.claude%253A0/converse");
    }

    #[test]
    fn fields_are_joined_and_trimmed_and_others_left_out() {
        let head =
            b"POST /a/?b HTTP/1.1\r\nHost:  x\r\nX-Amz-B: 2\r\nx-one: 1\r\nx-amz-a: a  b \r\nx-amz-b: 1\r\n";
        let (request, names) = canonical_request(head, &[]);
        assert_eq!(names, b"host;x-amz-a;x-amz-b");
        let text = String::from_utf8(request).unwrap();
        assert!(
            text.starts_with("POST\n/a/\nb=\nhost:x\nx-amz-a:a b\nx-amz-b:2,1\n\nhost;x-amz-a;x-amz-b\n")
        );
    }

    #[test]
    fn a_query_has_one_spelling() {
        let mut out = Vec::new();
        canonical_query(&mut out, b"b=%3a&a=x/y&&a=%zz&c");
        assert_eq!(out, b"a=%25zz&a=x%2Fy&b=%3A&c=");
    }

    #[test]
    fn a_key_has_two_or_three_parts() {
        for bad in ["", "id", "id ", " secret", "id secret ", "id  token", "id secret token more"] {
            assert!(Key::parse(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(Key::parse(b"id secret").unwrap().session_token.is_none());
        assert_eq!(Key::parse(b"id secret token").unwrap().session_token, Some(&b"token"[..]));
    }

    #[test]
    fn a_session_token_is_sent_and_signed() {
        let scope = Scope { region: "r".into(), service: "s".into() };
        let mut out = b"GET / HTTP/1.1\r\nhost: h\r\n".to_vec();
        sign(&mut out, &[], &Key::parse(b"id secret to/ken==").unwrap(), &scope, UNIX_S);
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("\r\nx-amz-security-token: to/ken==\r\n"));
        assert!(text.contains("SignedHeaders=host;x-amz-date;x-amz-security-token,"));
        assert!(!text.contains("secret\r\n") && !text.contains("id secret"));
    }
}
