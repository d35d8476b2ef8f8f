//! `Lead`: who runs the data thread's tasks. That is mostly itself. A receiver whose messages come one by one takes the lead while it waits
//! for the next: it reads the network by itself then, and one thread is woken for a message, not two, one after the other. (Leader and
//! followers, Schmidt et al., PLoP 2000.)

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Runtime};
use tokio::sync::Notify;

use crate::alarm::Alarm;
use crate::gate::lock;
use crate::options::AWAY;
use crate::runtime::as_data_thread;

/// Who runs the tasks.
#[derive(Debug)]
pub(crate) struct Lead {
    /// None: ended.
    runtime: RwLock<Option<Runtime>>,
    turn: Mutex<Turn>,
    /// What the data thread sleeps on while others lead. None: nobody else can.
    alarm: Option<Alarm>,
    /// Whoever leads is to see whether it still should.
    nudge: Notify,
    /// The data thread is to let go.
    offered: AtomicBool,
    /// Sockets whose handlers the data thread alone may call.
    bound: AtomicUsize,
    ending: AtomicBool,
    /// Batches of messages that came.
    batches: AtomicU64,
    process: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    DataThread,
    Receiver,
    /// A receiver has its message. It may come back, or the data thread's alarm goes off.
    Nobody,
}

impl Lead {
    pub(crate) fn new(runtime: Runtime) -> Self {
        Self {
            runtime: RwLock::new(Some(runtime)),
            turn: Mutex::new(Turn::DataThread),
            alarm: Alarm::new(),
            nudge: Notify::new(),
            offered: AtomicBool::new(false),
            bound: AtomicUsize::new(0),
            ending: AtomicBool::new(false),
            batches: AtomicU64::new(0),
            process: std::process::id(),
        }
    }

    /// The data thread's work: leads until the [`end`](Self::end), or stands by while others do. Gives the runtime, which nobody uses any more.
    pub(crate) fn work(&self) -> Option<Runtime> {
        while !self.is_ending() {
            self.drive(|_| {
                if self.offered.load(Ordering::SeqCst) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            });
            if let Some(alarm) = self.alarm.as_ref().filter(|_| !self.is_ending()) {
                self.offered.store(false, Ordering::SeqCst);
                *lock(&self.turn) = Turn::Nobody;
                self.stand_by(alarm);
            }
        }
        // Waits until a receiver that leads has let go.
        let mut runtime = self.runtime.write().unwrap_or_else(PoisonError::into_inner);
        runtime.take()
    }

    /// Until nobody leads, and nobody comes.
    fn stand_by(&self, alarm: &Alarm) {
        alarm.set(AWAY);
        loop {
            alarm.wait();
            let mut turn = lock(&self.turn);
            if *turn == Turn::Nobody {
                *turn = Turn::DataThread;
                return;
            }
        }
    }

    /// Runs the tasks until it is `over`, or the end of all.
    fn drive(&self, mut over: impl FnMut(&mut Context<'_>) -> Poll<()>) {
        let Ok(runtime) = self.runtime.try_read() else {
            return;
        };
        let Some(runtime) = runtime.as_ref() else {
            return;
        };
        let mut nudged = pin!(self.nudge.notified());
        runtime.block_on(poll_fn(|cx| {
            loop {
                if self.is_ending() || over(cx).is_ready() {
                    return Poll::Ready(());
                }
                if nudged.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                nudged.set(self.nudge.notified());
            }
        }));
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }

    /// Has the data thread let go, for a receiver that is about to be woken. False: it does not lead, or no receiver may.
    pub(crate) fn offer(&self) -> bool {
        let offers =
            self.alarm.is_some() && !self.is_bound() && *lock(&self.turn) == Turn::DataThread;
        if offers {
            self.offered.store(true, Ordering::SeqCst);
            self.nudge.notify_waiters();
        }
        offers
    }

    /// Leads until `there`, or the time `until`. False: it is somebody else's turn.
    pub(crate) fn take(
        &self,
        until: Option<Instant>,
        mut there: impl FnMut(&mut Context<'_>) -> Poll<()>,
    ) -> bool {
        let Some(alarm) = &self.alarm else {
            return false;
        };
        // After a fork the data thread, and with it the runtime, is the other process's.
        if self.process != std::process::id() || !may_lead() {
            return false;
        }
        {
            let mut turn = lock(&self.turn);
            if *turn != Turn::Nobody || self.is_ending() || self.is_bound() {
                return false;
            }
            *turn = Turn::Receiver;
        }
        alarm.stop();
        let _leading = Leading { lead: self, alarm };
        let mut timeout = None;
        as_data_thread(|| {
            self.drive(|cx| {
                if self.is_bound() || there(cx).is_ready() {
                    return Poll::Ready(());
                }
                let Some(until) = until else {
                    return Poll::Pending;
                };
                let timeout =
                    timeout.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until.into())));
                timeout.as_mut().poll(cx)
            });
        });
        true
    }

    /// Who has led will not do so again soon: the data thread takes over at once.
    pub(crate) fn recall(&self) {
        if self.process == std::process::id()
            && let Some(alarm) = &self.alarm
            && *lock(&self.turn) == Turn::Nobody
        {
            alarm.set(Duration::ZERO);
        }
    }

    /// A batch of messages came.
    pub(crate) fn count_batch(&self) {
        // Only who leads does so.
        let batches = self.batches.load(Ordering::Relaxed);
        self.batches
            .store(batches.wrapping_add(1), Ordering::Relaxed);
    }

    /// How many batches of messages came to the process.
    pub(crate) fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }

    fn is_bound(&self) -> bool {
        self.bound.load(Ordering::SeqCst) > 0
    }

    /// Has the data thread alone lead while what this gives lives.
    pub(crate) fn bind(self: &Arc<Self>) -> Bound {
        self.bound.fetch_add(1, Ordering::SeqCst);
        self.nudge.notify_waiters();
        self.recall();
        Bound(self.clone())
    }

    /// Whoever leads lets go, and the data thread comes to its end.
    pub(crate) fn end(&self) {
        self.ending.store(true, Ordering::SeqCst);
        self.nudge.notify_waiters();
        if let Some(alarm) = &self.alarm {
            alarm.set(Duration::ZERO);
        }
    }
}

/// Whether this thread can run tasks: one that does so already, for whatever runtime, can't.
pub(crate) fn may_lead() -> bool {
    matches!(Handle::try_current(), Err(error) if error.is_missing_context())
}

/// A receiver's lead, until it is dropped.
struct Leading<'a> {
    lead: &'a Lead,
    alarm: &'a Alarm,
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        *lock(&self.lead.turn) = Turn::Nobody;
        let goes = self.lead.is_bound() || self.lead.is_ending();
        self.alarm.set(if goes { Duration::ZERO } else { AWAY });
    }
}

/// While it lives, the data thread alone leads.
#[derive(Debug)]
pub(crate) struct Bound(Arc<Lead>);

impl Drop for Bound {
    fn drop(&mut self) {
        self.0.bound.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::thread::{self, JoinHandle, ThreadId};

    use super::*;
    use crate::runtime::on_data_thread;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A data thread of the test's own.
    struct Data {
        lead: Arc<Lead>,
        tasks: Handle,
        thread: JoinHandle<bool>,
    }

    impl Data {
        fn start() -> Self {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let tasks = runtime.handle().clone();
            let lead = Arc::new(Lead::new(runtime));
            let worker = lead.clone();
            let thread = thread::spawn(move || worker.work().is_some());
            Self {
                lead,
                tasks,
                thread,
            }
        }

        fn id(&self) -> ThreadId {
            self.thread.thread().id()
        }

        /// On which thread a task runs that is made now, when it has.
        fn where_tasks_run(&self) -> Receiver<ThreadId> {
            let (tell, told) = channel();
            self.tasks.spawn(async move {
                let _ = tell.send(thread::current().id());
            });
            told
        }

        /// Takes the lead, which is offered until that succeeds.
        fn take(
            &self,
            until: Option<Instant>,
            mut there: impl FnMut(&mut Context<'_>) -> Poll<()>,
        ) {
            let end = Instant::now() + PATIENCE;
            loop {
                self.lead.offer();
                if self.lead.take(until, &mut there) {
                    return;
                }
                assert!(Instant::now() < end, "nobody lets go");
                thread::yield_now();
            }
        }

        fn end(self) {
            self.lead.end();
            assert!(self.thread.join().unwrap(), "a runtime is left");
        }
    }

    #[test]
    fn who_takes_the_lead_runs_the_tasks_and_then_the_data_thread_does_again() {
        let data = Data::start();
        assert_eq!(data.where_tasks_run().recv_timeout(PATIENCE), Ok(data.id()));
        let here = thread::current().id();
        let (mut told, mut ran) = (None, None);
        data.take(None, |cx| {
            assert!(on_data_thread());
            let told = told.get_or_insert_with(|| data.where_tasks_run());
            ran = told.try_recv().ok();
            if ran.is_some() {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        assert!(!on_data_thread());
        assert_eq!(ran, Some(here));
        // Nobody came back for more.
        assert_eq!(data.where_tasks_run().recv_timeout(PATIENCE), Ok(data.id()));
        data.end();
    }

    #[test]
    fn who_comes_back_soon_leads_again_without_an_offer() {
        let data = Data::start();
        let end = Instant::now() + PATIENCE;
        loop {
            data.take(None, |_| Poll::Ready(()));
            // Unless this thread was kept from the processor meanwhile.
            if data.lead.take(None, |_| Poll::Ready(())) {
                break;
            }
            assert!(Instant::now() < end, "the data thread is there at once");
        }
        data.end();
    }

    #[test]
    fn the_lead_is_taken_by_one_receiver_at_a_time() {
        let data = Data::start();
        let lead = data.lead.clone();
        data.take(None, |_| {
            assert!(!lead.offer(), "it is not the data thread's to give");
            let other = lead.clone();
            let other = thread::spawn(move || other.take(None, |_| Poll::Ready(())));
            assert!(!other.join().unwrap());
            Poll::Ready(())
        });
        data.end();
    }

    #[test]
    fn a_lead_ends_at_its_time() {
        let data = Data::start();
        let until = Instant::now() + Duration::from_millis(20);
        data.take(Some(until), |_| Poll::Pending);
        assert!(Instant::now() >= until);
        data.end();
    }

    #[test]
    fn the_end_comes_while_a_receiver_leads() {
        let data = Data::start();
        let lead = data.lead.clone();
        let mut ender = None;
        data.take(None, |_| {
            let lead = lead.clone();
            ender.get_or_insert_with(|| thread::spawn(move || lead.end()));
            Poll::Pending
        });
        assert!(!lead.take(None, |_| Poll::Ready(())), "it is over");
        ender.unwrap().join().unwrap();
        assert!(data.thread.join().unwrap());
    }

    #[test]
    fn who_is_bound_to_the_data_thread_takes_the_lead_from_a_receiver() {
        let data = Data::start();
        let lead = data.lead.clone();
        let mut binder = None;
        data.take(None, |_| {
            let lead = lead.clone();
            binder.get_or_insert_with(|| thread::spawn(move || lead.bind()));
            Poll::Pending
        });
        let bound = binder.unwrap().join().unwrap();
        assert!(!lead.offer());
        assert!(!lead.take(None, |_| Poll::Ready(())));
        assert_eq!(data.where_tasks_run().recv_timeout(PATIENCE), Ok(data.id()));
        drop(bound);
        data.take(None, |_| Poll::Ready(()));
        data.end();
    }

    #[test]
    fn a_thread_that_runs_another_runtime_does_not_lead() {
        let data = Data::start();
        let other = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        assert!(may_lead());
        let _entered = other.enter();
        assert!(!may_lead());
        data.lead.offer();
        assert!(!data.lead.take(None, |_| Poll::Ready(())));
        data.end();
    }
}
