//! TLS towards upstreams: verified against the platform's roots, or a configured bundle instead.

use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn finish(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// Trusts what the platform trusts. Built once: reading the roots takes milliseconds.
///
/// # Errors
/// When the platform has no usable roots.
pub(crate) fn platform_config() -> Result<Arc<ClientConfig>, String> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(|e| format!("the platform's root certificates cannot be used: {e}"))?
        .with_no_client_auth();
    Ok(Arc::clone(CONFIG.get_or_init(|| finish(config))))
}

/// Trusts the certificates in `pem` and nothing else.
///
/// # Errors
/// When it holds no certificate, or one that cannot be a trust anchor.
pub(crate) fn client_config(pem: &str) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|e| format!("the CA bundle is not PEM: {e}"))?;
        roots.add(certificate).map_err(|e| format!("a certificate of the CA bundle cannot be used: {e}"))?;
    }
    if roots.is_empty() {
        return Err("the CA bundle holds no certificate".to_owned());
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(finish(config))
}
