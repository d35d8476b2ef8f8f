//! Buffers that libzmq may send without a copy and gives back when they are written: its best way to send large messages.

use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

use zmq::Socket;

use kit::Result;

type Shelf = Mutex<Vec<Box<[u8]>>>;

/// Lends buffers of one size to libzmq.
#[derive(Debug)]
pub struct Lender {
    shelf: Arc<Shelf>,
    size: usize,
}

/// What libzmq keeps for each lent buffer: where it goes back to.
struct Loan {
    buffer: Box<[u8]>,
    shelf: Arc<Shelf>,
}

impl Lender {
    /// No buffers yet: they are made as they are needed, and used again.
    pub fn new(size: usize) -> Self {
        Self {
            shelf: Arc::default(),
            size,
        }
    }

    /// A buffer that nobody else uses.
    pub fn take(&self) -> Box<[u8]> {
        let free = self
            .shelf
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        free.unwrap_or_else(|| vec![0; self.size].into())
    }

    /// Sends a message that is this buffer.
    pub fn send(&self, socket: &mut Socket, buffer: Box<[u8]>) -> Result<()> {
        let loan = Box::into_raw(Box::new(Loan {
            buffer,
            shelf: self.shelf.clone(),
        }));
        let mut message = zmq_sys::zmq_msg_t::default();
        // SAFETY: the buffer lives in the loan until libzmq calls `give_back`, once; a message that was sent is not ours to close, one
        // that was not is closed here, which gives the buffer back too.
        unsafe {
            let data = (*loan).buffer.as_mut_ptr().cast();
            if zmq_sys::zmq_msg_init_data(
                &raw mut message,
                data,
                self.size,
                Some(give_back),
                loan.cast(),
            ) != 0
            {
                return Err("libzmq has no memory left".into());
            }
            if zmq_sys::zmq_msg_send(&raw mut message, socket.as_mut_ptr(), 0) < 0 {
                zmq_sys::zmq_msg_close(&raw mut message);
                return Err("libzmq refuses a lent message".into());
            }
        }
        Ok(())
    }
}

/// Called by libzmq's I/O thread.
unsafe extern "C" fn give_back(_data: *mut c_void, loan: *mut c_void) {
    // SAFETY: `loan` is the pointer that `lend` made from a box, and libzmq passes it here once.
    let loan = unsafe { Box::from_raw(loan.cast::<Loan>()) };
    loan.shelf
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(loan.buffer);
}
