//! TLS towards clients: the certificate in force, HTTP/2 or HTTP/1.1 by ALPN.
//!
//! A certificate is replaced as a whole and only by one that works; handshakes take the one in force when
//! they begin, connections that stand keep theirs, and sessions are resumed across a change.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::options::TlsFiles;

/// The certificate that handshakes are answered with.
pub(crate) struct Certificate(ArcSwap<CertifiedKey>);

impl Certificate {
    /// One that works.
    ///
    /// # Errors
    /// What is wrong with the certificate or the key; neither is repeated in the message.
    pub(crate) fn new(files: &TlsFiles) -> Result<Arc<Self>, String> {
        Ok(Arc::new(Self(ArcSwap::from_pointee(certified(files)?))))
    }

    /// Replaces it for handshakes from now on.
    ///
    /// # Errors
    /// As [`Certificate::new`]; the one in force stays.
    pub(crate) fn replace(&self, files: &TlsFiles) -> Result<(), String> {
        self.0.store(Arc::new(certified(files)?));
        Ok(())
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificate")
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

fn certified(files: &TlsFiles) -> Result<CertifiedKey, String> {
    let chain = CertificateDer::pem_slice_iter(files.cert_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| format!("tls.cert_file: is not PEM: {e}"))?;
    if chain.is_empty() {
        return Err("tls.cert_file: holds no certificate".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(files.key_pem.as_bytes())
        .map_err(|e| format!("tls.key_file: holds no usable private key: {e}"))?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    CertifiedKey::from_der(chain, key, &provider)
        .map_err(|e| format!("tls.cert_file, tls.key_file: do not go together: {e}"))
}

/// The listener's TLS settings.
///
/// # Errors
/// When the library has none.
pub(crate) fn server_config(certificate: &Arc<Certificate>) -> Result<Arc<ServerConfig>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let resolver: Arc<dyn ResolvesServerCert> = Arc::<Certificate>::clone(certificate);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
