//! What is fixed when the engine starts; everything else is in the snapshot.

use serde::Deserialize;

/// Start-up options, written by Python as JSON.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Where to listen.
    pub listen: Listen,
    /// Worker threads; 0 stands for one per core this process may use.
    pub workers: usize,
    /// Share the port with another process (overlapped restart) instead of refusing a taken one.
    pub reuse_port: bool,
    /// Certificate of the listener; plain HTTP without.
    pub tls: Option<TlsFiles>,
    /// Secret of the key hashes, in hexadecimal.
    pub pepper: String,
    /// Where the request log goes: 1 (standard output) or 2 (standard error).
    pub log_fd: i32,
}

/// Host and port, or a Unix socket.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Address to bind.
    pub host: String,
    /// Port; 0 takes a free one.
    pub port: u16,
    /// A Unix socket instead of both.
    pub unix: Option<Unix>,
}

/// A Unix socket.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unix {
    /// Its file.
    pub path: std::path::PathBuf,
    /// The file's permissions.
    pub mode: u32,
}

/// A certificate chain and its key.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// PEM certificates, leaf first.
    pub cert_pem: String,
    /// PEM private key.
    pub key_pem: String,
}

impl std::fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsFiles(***)")
    }
}

impl Options {
    /// Reads the JSON that Python wrote.
    ///
    /// # Errors
    /// serde's message: the field and what is wrong with it.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(json).map_err(|e| format!("options: {e}"))
    }

    /// The pepper's bytes.
    ///
    /// # Errors
    /// When it is not an even number of hexadecimal digits, 32 or more.
    pub fn pepper_bytes(&self) -> Result<Vec<u8>, String> {
        let digits = self.pepper.as_bytes();
        if digits.len() < 32 || !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err("options.pepper: must be at least 32 hexadecimal digits".to_owned());
        }
        Ok(digits
            .chunks_exact(2)
            .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect())
    }
}

/// Cores this process may use: the affinity mask, cut by the cgroup's CPU quota (std reads both).
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
