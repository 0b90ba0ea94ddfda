//! TLS towards upstreams: verified against the platform's roots, or a configured bundle instead; where one asks
//! who we are, by a certificate of ours.

use std::io;
use std::sync::{Arc, OnceLock};

use llm_edge_core::snapshot::{ClientCertificate, Http2, Origin};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::shared::Credentials;

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// What is offered by ALPN, in the order of preference.
fn protocols(http2: Http2) -> Vec<Vec<u8>> {
    match http2 {
        Http2::Never => vec![b"http/1.1".to_vec()],
        Http2::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Http2::Always => vec![b"h2".to_vec()],
    }
}

/// How TLS is spoken to this upstream.
///
/// # Errors
/// What is wrong with its certificates; no key is repeated in the message.
pub(super) fn config(origin: &Origin, credentials: &Credentials) -> Result<Arc<ClientConfig>, String> {
    let config = match &origin.ca_pem {
        Some(pem) => client_config(pem, origin.http2)?,
        None => platform_config(origin.http2)?,
    };
    let Some(own) = &origin.client_certificate else { return Ok(config) };
    let mut config = ClientConfig::clone(&config);
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified(own, credentials)?));
    // A session stands for whoever it was made for.
    config.resumption = Resumption::default();
    Ok(Arc::new(config))
}

fn certified(own: &ClientCertificate, credentials: &Credentials) -> Result<CertifiedKey, String> {
    let chain = CertificateDer::pem_slice_iter(own.cert_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| format!("the client certificate is not PEM: {e}"))?;
    if chain.is_empty() {
        return Err("the client certificate's file holds none".to_owned());
    }
    let key = credentials
        .slot(&own.key)
        .private_key()
        .ok_or_else(|| format!("no private key was put into `{}`", own.key))?;
    CertifiedKey::from_der(chain, key, &provider())
        .map_err(|e| format!("the client certificate and its key do not go together: {e}"))
}

/// The private key in `pem`.
///
/// # Errors
/// When there is none that can be used.
pub(crate) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|e| format!("holds no usable private key: {e}"))
}

/// Trusts what the platform trusts. Read once: reading the roots takes milliseconds.
///
/// # Errors
/// When the platform has no usable roots.
fn platform_config(http2: Http2) -> Result<Arc<ClientConfig>, String> {
    static CONFIG: OnceLock<ClientConfig> = OnceLock::new();
    static FOR_HTTP1: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    static FOR_EITHER: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    static FOR_HTTP2: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let config = if let Some(config) = CONFIG.get() {
        config
    } else {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .and_then(BuilderVerifierExt::with_platform_verifier)
            .map_err(|e| format!("the platform's root certificates cannot be used: {e}"))?
            .with_no_client_auth();
        CONFIG.get_or_init(|| config)
    };
    let finished = match http2 {
        Http2::Never => &FOR_HTTP1,
        Http2::Auto => &FOR_EITHER,
        Http2::Always => &FOR_HTTP2,
    };
    Ok(Arc::clone(finished.get_or_init(|| {
        let mut config = config.clone();
        config.alpn_protocols = protocols(http2);
        // A session belongs to the protocol it was made for.
        config.resumption = Resumption::default();
        Arc::new(config)
    })))
}

/// Trusts the certificates in `pem` and nothing else.
///
/// # Errors
/// When it holds no certificate, or one that cannot be a trust anchor.
fn client_config(pem: &str, http2: Http2) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|e| format!("the CA bundle is not PEM: {e}"))?;
        roots.add(certificate).map_err(|e| format!("a certificate of the CA bundle cannot be used: {e}"))?;
    }
    if roots.is_empty() {
        return Err("the CA bundle holds no certificate".to_owned());
    }
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols(http2);
    Ok(Arc::new(config))
}
/// What to do about a handshake that failed, where that is known.
pub(super) fn hint(error: &io::Error) -> Option<&'static str> {
    let rustls = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let certificate = match rustls {
        rustls::Error::InvalidCertificate(certificate) => certificate,
        // The first bytes were none of TLS.
        rustls::Error::InvalidMessage(_) => return Some("does it speak TLS on this port (`https://`)?"),
        _ => return None,
    };
    match certificate {
        // The latter where an authority that is trusted goes by the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            Some("if you trust who issued its certificate, name that certificate in the provider's `ca_file`")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Some("its certificate has run out, or this machine's clock is wrong")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Some("its certificate is for another name than the one in `base_url`")
        }
        CertificateError::Other(_) if certificate.to_string().contains("CaUsedAsEndEntity") => Some(
            "it shows the certificate of an authority as its own; it needs one that this authority has issued",
        ),
        _ => None,
    }
}
