//! Unix domain sockets: where they listen and how they are dialled. A path is a file that is made by listening, replaced when the process
//! that made it is dead, and removed at the end; an abstract name (Linux, `@name`) leaves nothing. Used by `listen` and `dial`.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{UnixListener, UnixStream};

use crate::endpoint::Endpoint;
use crate::error::BindError;
use crate::gate::lock;
use crate::listen::explain;
use crate::random;

/// Two who replace the same dead socket at the same time: one of them sees that it was replaced, and looks again.
const TRIES: usize = 8;

/// A listening socket, and the file that is its own.
#[derive(Debug)]
pub(crate) struct IpcListener {
    pub(crate) listener: UnixListener,
    /// Until it is removed: once, since the system gives the number of a removed file to the next one.
    file: Mutex<Option<(PathBuf, FileId)>>,
}

/// Device and inode: a file of the same name may be another's.
type FileId = (u64, u64);

/// Listens at `name`, the part of the endpoint after `ipc://`. Gives the endpoint with the name chosen for `*`.
pub(crate) fn bind(endpoint: &Endpoint, name: &str) -> Result<(IpcListener, Endpoint), BindError> {
    if name == "*" {
        let chosen = format!("colugo-{:08x}{:08x}", random::u32(), random::u32());
        let path = std::env::temp_dir().join(chosen);
        let chosen = Endpoint::ipc_at(&path.to_string_lossy());
        return bind(&chosen, &path.to_string_lossy());
    }
    let address = address(name);
    let listener = listen(&address).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => BindError::NotASocket(endpoint.to_string()),
        _ => explain(endpoint, error),
    })?;
    let file = Mutex::new(file_id(&address).map(|id| (address, id)));
    Ok((IpcListener { listener, file }, endpoint.clone()))
}

/// Dials `name`, the part of the endpoint after `ipc://`.
pub(crate) async fn connect(name: &str) -> io::Result<UnixStream> {
    UnixStream::connect(address(name)).await
}

/// How the system calls it: a path, or a zero octet and an abstract name.
fn address(name: &str) -> PathBuf {
    match name.strip_prefix('@') {
        Some(name) => format!("\0{name}").into(),
        None => name.into(),
    }
}

fn listen(address: &Path) -> io::Result<UnixListener> {
    for _ in 0..TRIES {
        match UnixListener::bind(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            done => return done,
        }
        let Some(before) = file_id(address) else {
            break;
        };
        if !fs::symlink_metadata(address)?.file_type().is_socket() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if is_alive(address)? {
            break;
        }
        // Still the one that was found dead, and not one that another process has just put there.
        if file_id(address) == Some(before) {
            match fs::remove_file(address) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

/// Whether somebody listens there; without waiting, also when that one accepts nobody.
fn is_alive(address: &Path) -> io::Result<bool> {
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(address)?) {
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Ok(false),
            // A full backlog is one of somebody who lives.
            io::ErrorKind::WouldBlock => Ok(true),
            _ => Err(error),
        },
        Ok(()) => Ok(true),
    }
}

fn file_id(address: &Path) -> Option<FileId> {
    let found = fs::symlink_metadata(address).ok()?;
    Some((found.dev(), found.ino()))
}

impl IpcListener {
    /// Removes the file if it still is the one that was made: nobody dials it from now on. Idempotent.
    // The system would end it at once by a shutdown, but then accepts nobody and says at the same time that somebody is there: the thread
    // that accepts would ask without end.
    pub(crate) fn stop(&self) {
        if let Some((path, made)) = lock(&self.file).take()
            && file_id(&path) == Some(made)
        {
            let _ = fs::remove_file(path);
        }
    }
}

impl Drop for IpcListener {
    fn drop(&mut self) {
        self.stop();
    }
}
