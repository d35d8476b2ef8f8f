//! What a socket does with a connection, in short: it drives a handshake, asks once whether traffic
//! is sealed, and carries frames. Knows no mechanism.

use colugo_zmtp::{
    Decision, Handshake, HandshakeError, OpenError, PeerHello, Question, Sealing, parse_header,
    put_frame, put_header,
};

#[derive(Debug, PartialEq)]
pub(crate) struct Received {
    pub(crate) body: Vec<u8>,
    pub(crate) more: bool,
    pub(crate) command: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Broken {
    Handshake(HandshakeError),
    Traffic(OpenError),
}

pub(crate) struct Wire {
    /// Until the hello.
    handshake: Option<Handshake>,
    hello: Option<PeerHello>,
    sealing: Option<Sealing>,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(mut handshake: Handshake) -> Self {
        let mut output = Vec::new();
        handshake.transmit(&mut output);
        Self {
            handshake: Some(handshake),
            hello: None,
            sealing: None,
            input: Vec::new(),
            output,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.hello.is_some()
    }

    pub(crate) fn hello(&self) -> &PeerHello {
        self.hello.as_ref().expect("the handshake is done")
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.sealing.is_some()
    }

    pub(crate) fn question(&self) -> Option<&Question> {
        self.handshake.as_ref()?.question()
    }

    pub(crate) fn answer(&mut self, decision: Decision) -> Result<Vec<Received>, Broken> {
        let handshake = self.handshake.as_mut().expect("in the handshake");
        let hello = handshake.answer(decision).map_err(Broken::Handshake)?;
        self.shaken(hello);
        self.receive(b"")
    }

    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    pub(crate) fn send(&mut self, body: &[u8], more: bool) {
        match &mut self.sealing {
            None => put_frame(&mut self.output, body, more),
            Some(sealing) => sealing
                .seal
                .seal(&mut self.output, body, more, false)
                .unwrap(),
        }
    }

    pub(crate) fn send_command(&mut self, body: &[u8]) {
        match &mut self.sealing {
            None => {
                put_header(&mut self.output, body.len(), false, true);
                self.output.extend_from_slice(body);
            }
            Some(sealing) => sealing
                .seal
                .seal(&mut self.output, body, false, true)
                .unwrap(),
        }
    }

    pub(crate) fn receive(&mut self, octets: &[u8]) -> Result<Vec<Received>, Broken> {
        self.input.extend_from_slice(octets);
        if let Some(handshake) = &mut self.handshake {
            let (taken, hello) = handshake.receive(&self.input).map_err(Broken::Handshake)?;
            self.input.drain(..taken);
            self.shaken(hello);
        }
        match self.handshake {
            None => self.frames().map_err(Broken::Traffic),
            Some(_) => Ok(Vec::new()),
        }
    }

    fn shaken(&mut self, hello: Option<PeerHello>) {
        let handshake = self.handshake.as_mut().expect("in the handshake");
        handshake.transmit(&mut self.output);
        if hello.is_some() {
            self.hello = hello;
            self.sealing = self.handshake.take().and_then(Handshake::into_sealing);
        }
    }

    fn frames(&mut self) -> Result<Vec<Received>, OpenError> {
        let mut frames = Vec::new();
        while let Some(header) = parse_header(&self.input).expect("frames") {
            let end = header.header_len + header.body_len as usize;
            let Some(body) = self.input.get_mut(header.header_len..end) else {
                break;
            };
            frames.push(match &mut self.sealing {
                None => Received {
                    body: body.to_vec(),
                    more: header.more,
                    command: header.command,
                },
                Some(sealing) => {
                    let opened = sealing.open.open(header, body)?;
                    Received {
                        body: opened.body(body).to_vec(),
                        more: opened.more,
                        command: opened.command,
                    }
                }
            });
            self.input.drain(..end);
        }
        Ok(frames)
    }
}
