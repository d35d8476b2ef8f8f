//! How much memory a call takes at its worst, counted by an allocator. The one place here with `unsafe`: an allocator can't be without.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    /// Octets held by this thread since the count began, and the most there were.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn count(octets: isize) {
    // Not there any more while the thread ends.
    let _ = HELD.try_with(|held| {
        let now = held.get().0.wrapping_add(octets);
        held.set((now, held.get().1.max(now)));
    });
}

// SAFETY: the system's allocator does the work; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Calls `call`, which may hold `most` octets more than before at any time.
#[track_caller]
pub fn within<T>(most: usize, call: impl FnOnce() -> T) -> T {
    let before = HELD.replace((0, 0));
    let result = call();
    let (now, peak) = HELD.get();
    HELD.set((before.0 + now, before.1.max(before.0 + peak)));
    assert!(
        peak <= most as isize,
        "{peak} octets of memory, at most {most} were to be used"
    );
    result
}
