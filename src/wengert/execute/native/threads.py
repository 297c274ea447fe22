"""A small pool of threads for large loops, written in LLVM IR over POSIX threads.

A kernel whose outermost loop has independent steps is called with ranges of it, one for each thread; the caller does
the first, and takes over the floating-point flags that the others raised. The ranges depend on the number of threads
only, so results are the same from run to run. A second caller, a caller inside of a parallel loop and the child of a
fork find the pool busy or gone and run alone. Threads sleep while there is no work.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from typing import Any

from ...errors import ArgumentError
from .flags import flags

MOST = 64
_FLAGS = flags()
_MASK = _FLAGS.mask if _FLAGS is not None else 0
_TEXT = f"""
@mutex = global [128 x i8] zeroinitializer, align 16
@wake = global [128 x i8] zeroinitializer, align 16
@done = global [128 x i8] zeroinitializer, align 16
@generation = internal global i64 0
@pending = internal global i64 0
@workers = internal global i64 0
@threads = internal global i64 1
@process = internal global i32 0
@busy = internal global i32 0
@function = internal global ptr null
@argument = internal global ptr null
@steps = internal global i64 0
@raised = internal global i32 0
declare i32 @fetestexcept(i32)
declare i32 @feclearexcept(i32)
declare i32 @feraiseexcept(i32)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
declare i32 @getpid()

define internal i64 @part(i64 %steps, i64 %k, i64 %threads) {{
  %last = icmp uge i64 %k, %threads
  %product = mul i64 %steps, %k
  %quotient = udiv i64 %product, %threads
  %place = select i1 %last, i64 %steps, i64 %quotient
  ret i64 %place
}}

define ptr @worker(ptr %id) {{
entry:
  %k = ptrtoint ptr %id to i64
  call i32 @pthread_mutex_lock(ptr @mutex)
  %first = load i64, ptr @generation
  %more = load i64, ptr @workers
  %count = add i64 %more, 1
  store i64 %count, ptr @workers
  call i32 @pthread_cond_broadcast(ptr @done)
  br label %look
look:
  %seen = phi i64 [ %first, %entry ], [ %seen, %sleep ], [ %now, %finished ]
  %now = load i64, ptr @generation
  %same = icmp eq i64 %now, %seen
  br i1 %same, label %sleep, label %work
sleep:
  call i32 @pthread_cond_wait(ptr @wake, ptr @mutex)
  br label %look
work:
  %f = load ptr, ptr @function
  %a = load ptr, ptr @argument
  %n = load i64, ptr @steps
  %t = load i64, ptr @threads
  call i32 @pthread_mutex_unlock(ptr @mutex)
  %mine = icmp ult i64 %k, %t
  br i1 %mine, label %run, label %end
run:
  %low = call i64 @part(i64 %n, i64 %k, i64 %t)
  %k1 = add i64 %k, 1
  %high = call i64 @part(i64 %n, i64 %k1, i64 %t)
  call i32 @feclearexcept(i32 {_MASK})
  call void %f(ptr %a, i64 %low, i64 %high)
  %flags = call i32 @fetestexcept(i32 {_MASK})
  atomicrmw or ptr @raised, i32 %flags monotonic
  br label %end
end:
  call i32 @pthread_mutex_lock(ptr @mutex)
  %left = load i64, ptr @pending
  %fewer = sub i64 %left, 1
  store i64 %fewer, ptr @pending
  %none = icmp eq i64 %fewer, 0
  br i1 %none, label %tell, label %finished
tell:
  call i32 @pthread_cond_broadcast(ptr @done)
  br label %finished
finished:
  br label %look
}}

define void @parallel(ptr %f, ptr %a, i64 %n) {{
entry:
  %t = load i64, ptr @threads
  %several = icmp ugt i64 %t, 1
  br i1 %several, label %ask, label %alone
ask:
  %got = cmpxchg ptr @busy, i32 0, i32 1 acquire monotonic
  %free = extractvalue {{ i32, i1 }} %got, 1
  br i1 %free, label %own, label %alone
own:
  %pid = call i32 @getpid()
  %home = load i32, ptr @process
  %here = icmp eq i32 %pid, %home
  br i1 %here, label %share, label %orphan
orphan:
  store atomic i32 0, ptr @busy release, align 4
  br label %alone
alone:
  call void %f(ptr %a, i64 0, i64 %n)
  ret void
share:
  call i32 @pthread_mutex_lock(ptr @mutex)
  store ptr %f, ptr @function
  store ptr %a, ptr @argument
  store i64 %n, ptr @steps
  %w = load i64, ptr @workers
  store i64 %w, ptr @pending
  %g = load i64, ptr @generation
  %g1 = add i64 %g, 1
  store i64 %g1, ptr @generation
  call i32 @pthread_cond_broadcast(ptr @wake)
  call i32 @pthread_mutex_unlock(ptr @mutex)
  %high = call i64 @part(i64 %n, i64 1, i64 %t)
  call void %f(ptr %a, i64 0, i64 %high)
  call i32 @pthread_mutex_lock(ptr @mutex)
  br label %check
check:
  %left = load i64, ptr @pending
  %waiting = icmp ne i64 %left, 0
  br i1 %waiting, label %wait, label %over
wait:
  call i32 @pthread_cond_wait(ptr @done, ptr @mutex)
  br label %check
over:
  call i32 @pthread_mutex_unlock(ptr @mutex)
  %theirs = atomicrmw xchg ptr @raised, i32 0 monotonic
  call i32 @feraiseexcept(i32 %theirs)
  store atomic i32 0, ptr @busy release, align 4
  ret void
}}

define void @configure(i64 %threads, i32 %pid) {{
  call i32 @pthread_mutex_lock(ptr @mutex)
  store i64 %threads, ptr @threads
  store i32 %pid, ptr @process
  call i32 @pthread_mutex_unlock(ptr @mutex)
  ret void
}}

define void @await(i64 %count) {{
entry:
  call i32 @pthread_mutex_lock(ptr @mutex)
  br label %check
check:
  %there = load i64, ptr @workers
  %enough = icmp uge i64 %there, %count
  br i1 %enough, label %over, label %wait
wait:
  call i32 @pthread_cond_wait(ptr @done, ptr @mutex)
  br label %check
over:
  call i32 @pthread_mutex_unlock(ptr @mutex)
  ret void
}}
; at most {MOST} threads
"""


class Pool:
    """The process's threads. `address` is the function that kernels call, 0 where there are no POSIX threads."""

    def __init__(self) -> None:
        self.address = 0
        self.threads = 1
        self._workers = 0
        self._library: Any = None
        self._pid = 0
        self._lock = threading.Lock()

    def start(self) -> int:
        """Make the pool if there is none, and return the address of its entry."""
        with self._lock:
            if self._library is None and self._pid == 0:
                self._pid = os.getpid()
                if sys.platform.startswith("linux"):
                    self._make()
                    self._resize(_wanted())
            return self.address

    def _make(self) -> None:
        from .engine import compile_text

        try:
            names = ("worker", "parallel", "configure", "await", "mutex", "wake", "done")
            self._library = compile_text(_TEXT, names, loops=False)
        except (RuntimeError, OSError, ImportError):
            return
        self.address = self._library.addresses["parallel"]

    def _resize(self, count: int) -> None:
        if self._library is None:
            return
        addresses = self._library.addresses
        create = ctypes.CDLL(None).pthread_create
        create.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        await_ = ctypes.CFUNCTYPE(None, ctypes.c_int64)(addresses["await"])
        while self._workers < count - 1:
            handle = ctypes.c_void_p()
            if create(ctypes.byref(handle), None, addresses["worker"], self._workers + 1) != 0:
                count = self._workers + 1
                break
            self._workers += 1
        await_(self._workers)
        configure = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int32)(addresses["configure"])
        configure(count, self._pid)
        self.threads = count

    def set(self, count: int) -> None:
        """Use `count` threads from now on."""
        self.start()
        with self._lock:
            if os.getpid() == self._pid:
                self._resize(count)


def _wanted() -> int:
    setting = os.environ.get("WENGERT_NUM_THREADS", "")
    if setting.isdigit() and int(setting) > 0:
        return min(int(setting), MOST)
    try:
        return min(len(os.sched_getaffinity(0)), MOST)
    except AttributeError:
        return min(os.cpu_count() or 1, MOST)


pool = Pool()


def set_num_threads(count: int) -> None:
    """Set how many threads compiled code uses for large loops.

    Parameters
    ----------
    count : int
        1 turns the use of several threads off. The default is the number of processors that the process may use, or the
        environment variable `WENGERT_NUM_THREADS`.

    Raises
    ------
    ArgumentError
        If `count` is not between 1 and 64.

    Notes
    -----
    Results are the same from run to run for a fixed count; sums are never split over threads, so they do not depend on
    the count either. BLAS has threads of its own, which this does not change.

    Examples
    --------
    >>> import wengert as wg
    >>> before = wg.get_num_threads()
    >>> wg.set_num_threads(2)
    >>> wg.get_num_threads()
    2
    >>> wg.set_num_threads(before)
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        raise ArgumentError(f"set_num_threads: the count is an int from 1 to {MOST}, not {count!r}")
    pool.set(count)


def get_num_threads() -> int:
    """Return how many threads compiled code uses for large loops.

    Examples
    --------
    >>> import wengert as wg
    >>> wg.set_num_threads(1)
    >>> wg.get_num_threads()
    1
    """
    pool.start()
    return pool.threads
