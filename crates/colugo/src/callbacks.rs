//! How subscribers call back: `OnMessage` where the node's callbacks run, `InlineMessages` on the data thread.

use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use colugo_socket::{Inbox, LinkId, Message as RawMessage, MessageRef};

use crate::codec::{DecodeError, Decoder};
use crate::event::Event;
use crate::executor::{InlineGuard, Task, Work};
use crate::handle::Handle;
use crate::message::{Message, MessageMeta};
use crate::peer::Peer;
use crate::stats::count;
use crate::subscriber::note_undecoded;
use crate::sync::lock;
use crate::transport::Receiver;

type MessageCallback<T> = Box<dyn FnMut(Message<T>) + Send>;
type DecodeErrorCallback = Box<dyn FnMut(&DecodeError) + Send>;

/// Takes messages from an inbox and calls back with them.
pub(crate) struct OnMessage<T> {
    handle: Weak<Handle>,
    inbox: Arc<Inbox>,
    decoder: Decoder<T>,
    callbacks: Mutex<(MessageCallback<T>, Option<DecodeErrorCallback>)>,
    task: OnceLock<Arc<Task>>,
}

impl<T: Send + 'static> OnMessage<T> {
    pub(crate) fn start(
        handle: &Arc<Handle>,
        inbox: Arc<Inbox>,
        decoder: Decoder<T>,
        callback: MessageCallback<T>,
        on_decode_error: Option<DecodeErrorCallback>,
    ) -> Arc<Self> {
        let this = Arc::new(Self {
            handle: Arc::downgrade(handle),
            inbox: inbox.clone(),
            decoder,
            callbacks: Mutex::new((callback, on_decode_error)),
            task: OnceLock::new(),
        });
        let work: Weak<Self> = Arc::downgrade(&this);
        let task = this
            .task
            .get_or_init(|| Task::new(&handle.core.executor, handle.label.clone(), work));
        notify_task(&inbox, task);
        this
    }

    fn call(&self, handle: &Handle, raw: RawMessage) {
        let meta = MessageMeta::from(&raw);
        let mut callbacks = lock(&self.callbacks);
        let (callback, on_decode_error) = &mut *callbacks;
        match self.decoder.decode(raw) {
            Ok(value) => {
                handle
                    .core
                    .contain(&handle.label, Some(&handle.counters), || {
                        callback(Message::new(value, meta))
                    });
            }
            Err(error) => {
                note_undecoded(handle, &error);
                if let Some(callback) = on_decode_error {
                    handle
                        .core
                        .contain(&handle.label, Some(&handle.counters), || callback(&error));
                }
            }
        }
    }
}

impl<T: Send + 'static> Work for OnMessage<T> {
    fn run(&self, budget: usize) -> bool {
        let Some(handle) = self.handle.upgrade() else {
            return false;
        };
        for _ in 0..budget {
            let Ok(raw) = self.inbox.try_recv() else {
                return false;
            };
            self.call(&handle, raw);
        }
        true
    }
}

/// Schedules `task` whenever something comes into `inbox`, and once for what is there.
pub(crate) fn notify_task(inbox: &Inbox, task: &Arc<Task>) {
    let weak = Arc::downgrade(task);
    inbox.set_notify(Box::new(move || weak.upgrade()?.enqueue()));
    task.schedule();
}

/// Calls back on the data thread.
pub(crate) struct InlineMessages {
    handle: Weak<Handle>,
    label: Arc<str>,
    callback: Box<dyn FnMut(MessageRef<'_>) + Send>,
    watch: SlowWatch,
}

impl InlineMessages {
    pub(crate) fn new(
        handle: &Arc<Handle>,
        callback: Box<dyn FnMut(MessageRef<'_>) + Send>,
    ) -> Self {
        Self {
            handle: Arc::downgrade(handle),
            label: handle.label.clone(),
            callback,
            watch: SlowWatch::default(),
        }
    }
}

impl Receiver for InlineMessages {
    /// A user's callback: it may lock what a thread that waits holds.
    fn any_thread(&self) -> bool {
        false
    }

    fn message(&mut self, _: LinkId, message: MessageRef<'_>) {
        let begun = self.watch.begin();
        let inline = InlineGuard::enter();
        let callback = &mut self.callback;
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| callback(message)));
        drop(inline);
        if let Err(panic) = done
            && let Some(handle) = self.handle.upgrade()
        {
            handle
                .core
                .contain(&self.label, Some(&handle.counters), || {
                    std::panic::resume_unwind(panic)
                });
        }
        if let Some(took) = self.watch.end(begun) {
            note_slow(&self.handle, took);
        }
    }

    fn up(&mut self, peer: Arc<Peer>) {
        if let Some(handle) = self.handle.upgrade() {
            handle.link_up(peer);
        }
    }

    fn down(&mut self, link: LinkId, reason: &str) {
        if let Some(handle) = self.handle.upgrade() {
            handle.link_down(link, reason);
        }
    }
}

/// An inline callback that takes longer is counted.
const SLOW_INLINE: Duration = Duration::from_millis(1);
/// Reading the clock twice costs as much as a small message: only every so many calls are timed.
const TIMED_EVERY: u32 = 16;

/// Times some of the calls of an inline callback.
#[derive(Debug, Default)]
pub(crate) struct SlowWatch {
    calls: u32,
}

impl SlowWatch {
    #[inline]
    pub(crate) fn begin(&mut self) -> Option<Instant> {
        self.calls = self.calls.wrapping_add(1);
        (self.calls % TIMED_EVERY == 1).then(Instant::now)
    }

    /// How long the call took, if it was too long.
    #[inline]
    pub(crate) fn end(&mut self, begun: Option<Instant>) -> Option<Duration> {
        begun
            .map(|begun| begun.elapsed())
            .filter(|took| *took > SLOW_INLINE)
    }
}

#[cold]
pub(crate) fn note_slow(handle: &Weak<Handle>, took: Duration) {
    if let Some(handle) = handle.upgrade() {
        count(&handle.counters.slow_inline);
        handle.core.events.emit(Event::SlowInline {
            handle: handle.label.clone(),
            took,
        });
    }
}
