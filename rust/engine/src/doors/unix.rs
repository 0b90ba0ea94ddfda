//! A Unix socket to listen on: its file, and what becomes of it.
//!
//! The file is made beside its place and renamed into it, so that clients never meet one that nobody listens
//! on, and a server that starts while another goes away takes the place over in one step. It is removed at
//! the end only while it is still ours.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::options::Unix;

/// The longest path: what `sockaddr_un` holds, less what is added while the file is made.
const PATH_BYTES_MAX: usize = 100;

/// The file of a listening socket; removed when this is dropped, if it is still the one that was made.
#[derive(Debug)]
pub(crate) struct SocketFile {
    pub(crate) path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    /// Removes the file, unless another server has taken its place.
    pub(crate) fn remove(&self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // Gone already is as good.
            drop(fs::remove_file(&self.path));
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Listens; `replace` takes the place of a server that still answers there.
///
/// # Errors
/// What could not be done and why, for people.
pub(crate) fn bind(wanted: &Unix, replace: bool, backlog: i32) -> Result<(SocketFile, UnixListener), String> {
    let path = &wanted.path;
    let shown = path.display();
    if path.as_os_str().len() > PATH_BYTES_MAX {
        return Err(format!("listen.api: the path `{shown}` is longer than {PATH_BYTES_MAX} bytes"));
    }
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(format!("listen.api: `{shown}` exists and is no socket. hint: choose another path"));
        }
        Ok(_) if !replace && UnixStream::connect(path).is_ok() => {
            return Err(format!(
                "listen.api: `{shown}` is taken by another program. hint: choose another path"
            ));
        }
        // A socket that nobody listens on is left over from a server that was killed.
        Ok(_) | Err(_) => {}
    }
    listen(path, wanted.mode, backlog).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => {
            format!("listen.api: the folder of `{shown}` does not exist. hint: make it first")
        }
        io::ErrorKind::PermissionDenied => {
            format!("listen.api: this process may not make `{shown}`. hint: choose a folder it may write to")
        }
        _ => format!("listen.api: `{shown}` cannot be listened on: {e}"),
    })
}

fn listen(path: &Path, mode: u32, backlog: i32) -> io::Result<(SocketFile, UnixListener)> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{:x}", std::process::id()));
    let draft = PathBuf::from(draft);
    match fs::remove_file(&draft) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(&draft)?)?;
    let made = || {
        // Nobody can connect before it listens, so nobody sees other permissions than these.
        fs::set_permissions(&draft, fs::Permissions::from_mode(mode))?;
        socket.listen(backlog)?;
        socket.set_nonblocking(true)?;
        let identity = identity(&draft)?;
        fs::rename(&draft, path)?;
        Ok(SocketFile { path: path.to_owned(), identity })
    };
    let file: io::Result<SocketFile> = made();
    if file.is_err() {
        drop(fs::remove_file(&draft));
    }
    Ok((file?, UnixListener::from(socket)))
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}
