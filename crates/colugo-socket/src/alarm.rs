//! `Alarm`: what a thread sleeps on until others say when it is to wake, without waking it to say so. There is one on Linux only.

#[cfg(target_os = "linux")]
pub(crate) use linux::Alarm;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::Alarm;

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::io::{Errno, read};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };

    const NEVER: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };

    /// A timer of the system (`timerfd_create(2)`).
    #[derive(Debug)]
    pub(crate) struct Alarm(OwnedFd);

    impl Alarm {
        /// None: the system gives none.
        pub(crate) fn new() -> Option<Self> {
            let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC).ok()?;
            set(&timer, NEVER).ok().map(|()| Self(timer))
        }

        /// Goes off after so long, whatever was said before.
        pub(crate) fn set(&self, after: Duration) {
            // A time of zero would be never.
            let after = after.max(Duration::from_nanos(1));
            let time = Timespec::try_from(after).unwrap_or(NEVER);
            let _ = set(&self.0, time);
        }

        /// Does not go off.
        pub(crate) fn stop(&self) {
            let _ = set(&self.0, NEVER);
        }

        /// Sleeps until it goes off.
        pub(crate) fn wait(&self) {
            let mut times = [0; 8];
            while read(&self.0, &mut times) == Err(Errno::INTR) {}
        }
    }

    fn set(timer: &OwnedFd, time: Timespec) -> rustix::io::Result<()> {
        let once = Itimerspec {
            it_interval: NEVER,
            it_value: time,
        };
        timerfd_settime(timer, TimerfdTimerFlags::empty(), &once).map(|_| ())
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::time::Duration;

    /// There is none.
    #[derive(Debug)]
    pub(crate) enum Alarm {}

    impl Alarm {
        pub(crate) fn new() -> Option<Self> {
            None
        }

        pub(crate) fn set(&self, _: Duration) {
            match *self {}
        }

        pub(crate) fn stop(&self) {
            match *self {}
        }

        pub(crate) fn wait(&self) {
            match *self {}
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::Alarm;

    #[test]
    fn goes_off_after_its_time_and_not_when_it_was_stopped() {
        let alarm = Arc::new(Alarm::new().unwrap());
        let start = Instant::now();
        alarm.set(Duration::from_millis(5));
        alarm.wait();
        assert!(start.elapsed() >= Duration::from_millis(5));
        alarm.set(Duration::from_millis(5));
        alarm.stop();
        let due = Arc::new(AtomicBool::new(false));
        let sleeper = thread::spawn({
            let (alarm, due) = (alarm.clone(), due.clone());
            move || {
                alarm.wait();
                due.load(Ordering::SeqCst)
            }
        });
        // Long enough for the alarm that was stopped.
        thread::sleep(Duration::from_millis(20));
        due.store(true, Ordering::SeqCst);
        alarm.set(Duration::ZERO);
        assert!(sleeper.join().unwrap(), "it went off by itself");
    }
}
