//! Somebody else at the other end: says nonsense, nothing, or breaks the protocol once it has shaken hands.

use std::time::Duration;

use colugo_zmtp::SocketType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use std::sync::atomic::AtomicBool;

use crate::greet::{Passed, greet};
use crate::options::{Options, Overflow};
use crate::pipe::Pipe;
use crate::stream::Stream;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Nonsense,
    Mute,
    /// Shakes hands, then sends a frame that no version of ZMTP has.
    Breaks,
}

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn pose(pipe: Pipe, kind: SocketType, manner: Manner) {
    let mut stream = Stream::Pipe(pipe);
    match manner {
        Manner::Nonsense => {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
        Manner::Mute => {}
        Manner::Breaks => {
            let options = Options::new(Overflow::DropNewest);
            if greet(
                &mut stream,
                kind,
                &options,
                &mut Passed::default(),
                false,
                &AtomicBool::default(),
                &mut Some,
            )
            .await
            .is_ok()
            {
                let _ = stream.write_all(&[0xf8; 9]).await;
            }
        }
    }
    let mut rest = [0; 512];
    let heard = async { while matches!(stream.read(&mut rest).await, Ok(n) if n > 0) {} };
    let _ = tokio::time::timeout(PATIENCE, heard).await;
}
