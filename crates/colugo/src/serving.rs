//! How reply servers call back: `OnRequest` where the node's callbacks run, `InlineRequests` on the data thread.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use colugo_socket::{Inbox, LinkId, Message as RawMessage, MessageRef};

use crate::callbacks::{SlowWatch, note_slow, notify_task};
use crate::codec::{Decoder, Encoder};
use crate::executor::{InlineGuard, Task, Work};
use crate::peer::Peer;
use crate::request_ref::RequestRef;
use crate::responder::{Refusal, Responder, ServerCore};
use crate::subscriber::note_undecoded;
use crate::sync::lock;
use crate::transport::Receiver;
use crate::wire::Envelope;

type RequestCallback<Q, R> = Box<dyn FnMut(Q, Responder<R>) + Send>;
type InlineCallback<R> = Box<dyn FnMut(RequestRef<'_>, Responder<R>) + Send>;

/// Takes requests from an inbox and calls back with them.
pub(crate) struct OnRequest<Q, R: ?Sized> {
    server: Weak<ServerCore>,
    inbox: Arc<Inbox>,
    decoder: Decoder<Q>,
    encoder: Encoder<R>,
    callback: Mutex<RequestCallback<Q, R>>,
    task: OnceLock<Arc<Task>>,
}

impl<Q: Send + 'static, R: ?Sized + 'static> OnRequest<Q, R> {
    pub(crate) fn start(
        server: &Arc<ServerCore>,
        inbox: Arc<Inbox>,
        decoder: Decoder<Q>,
        encoder: Encoder<R>,
        callback: RequestCallback<Q, R>,
    ) -> Arc<Self> {
        let this = Arc::new(Self {
            server: Arc::downgrade(server),
            inbox: inbox.clone(),
            decoder,
            encoder,
            callback: Mutex::new(callback),
            task: OnceLock::new(),
        });
        let work: Weak<Self> = Arc::downgrade(&this);
        let handle = &server.handle;
        let task = this
            .task
            .get_or_init(|| Task::new(&handle.core.executor, handle.label.clone(), work));
        notify_task(&inbox, task);
        this
    }

    fn call(&self, server: &Arc<ServerCore>, raw: &RawMessage) {
        let handle = &server.handle;
        let (body, responder) = server.accept(raw, &self.encoder);
        match self.decoder.decode(body) {
            Ok(request) => {
                let mut callback = lock(&self.callback);
                handle
                    .core
                    .contain(&handle.label, Some(&handle.counters), || {
                        callback(request, responder)
                    });
            }
            Err(error) => {
                note_undecoded(handle, &error);
                responder.refuse(Refusal::UNDECODABLE, &error.to_string());
            }
        }
    }
}

impl<Q: Send + 'static, R: ?Sized + 'static> Work for OnRequest<Q, R> {
    fn run(&self, budget: usize) -> bool {
        let Some(server) = self.server.upgrade() else {
            return false;
        };
        for _ in 0..budget {
            let Ok(raw) = self.inbox.try_recv() else {
                return false;
            };
            self.call(&server, &raw);
        }
        true
    }
}

/// Calls back on the data thread.
pub(crate) struct InlineRequests<R: ?Sized> {
    server: Weak<ServerCore>,
    encoder: Encoder<R>,
    callback: InlineCallback<R>,
    /// Which links speak our commands.
    colugo: HashMap<LinkId, bool>,
    watch: SlowWatch,
}

impl<R: ?Sized + 'static> InlineRequests<R> {
    pub(crate) fn new(
        server: &Arc<ServerCore>,
        encoder: Encoder<R>,
        callback: InlineCallback<R>,
    ) -> Self {
        Self {
            server: Arc::downgrade(server),
            encoder,
            callback,
            colugo: HashMap::new(),
            watch: SlowWatch::default(),
        }
    }
}

impl<R: ?Sized + 'static> Receiver for InlineRequests<R> {
    /// A user's callback: it may lock what a thread that waits holds.
    fn any_thread(&self) -> bool {
        false
    }

    fn message(&mut self, link: LinkId, message: MessageRef<'_>) {
        let Some(server) = self.server.upgrade() else {
            return;
        };
        let (envelope, skip) = Envelope::parse(&message);
        let colugo = self.colugo.get(&link).copied().unwrap_or(false);
        let responder = server.responder(link, colugo, envelope, &self.encoder);
        let request = RequestRef::new(message, skip);
        let begun = self.watch.begin();
        let inline = InlineGuard::enter();
        let callback = &mut self.callback;
        server
            .handle
            .core
            .contain(&server.handle.label, Some(&server.handle.counters), || {
                callback(request, responder)
            });
        drop(inline);
        if let Some(took) = self.watch.end(begun) {
            note_slow(&Arc::downgrade(&server.handle), took);
        }
    }

    fn up(&mut self, peer: Arc<Peer>) {
        self.colugo.insert(peer.link, peer.is_colugo());
        if let Some(server) = self.server.upgrade() {
            server.handle.link_up(peer);
        }
    }

    fn down(&mut self, link: LinkId, reason: &str) {
        self.colugo.remove(&link);
        if let Some(server) = self.server.upgrade() {
            server.handle.link_down(link, reason);
        }
    }
}
