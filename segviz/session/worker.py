"""A thread that does the latest of the jobs it is given."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable
from weakref import WeakSet

_log = logging.getLogger(__name__)

_AT_EXIT = 5.0
"""Seconds that the interpreter waits at its end for jobs that are told to stop."""

Job = Callable[[threading.Event], object]
"""Called in the worker's thread; returns soon after its event is set. What it raises is logged."""


class Worker:
    """Does jobs one after the other; a newer job takes the place of all before it.

    >>> done = []
    >>> worker = Worker(threading.RLock(), on_idle=lambda: done.append("idle"))
    >>> worker.submit(lambda cancel: done.append("job"))
    >>> worker.wait(timeout=10)
    True
    >>> done
    ['job', 'idle']

    The thread exists only while there is something to do.

    Args:
        lock: guards the state that jobs change; the worker's own is guarded by it, too.
        on_idle: called under the lock, in the worker's thread, when nothing is left to do.
    """

    def __init__(self, lock: threading.RLock, on_idle: Callable[[], object]) -> None:
        self._changed = threading.Condition(lock)
        self._on_idle = on_idle
        self._thread: threading.Thread | None = None
        self._job: Job | None = None
        self._begin_at = 0.0
        self._cancel = threading.Event()
        _workers.add(self)

    def submit(self, job: Job, delay: float = 0.0) -> None:
        """Cancel what is under way, and begin ``job`` after ``delay`` seconds without another."""
        with self._changed:
            self._cancel.set()
            self._cancel = threading.Event()
            self._job = job
            self._begin_at = time.monotonic() + delay
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="segviz", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def hurry(self) -> None:
        """Begin the waiting job now."""
        with self._changed:
            self._begin_at = 0.0
            self._changed.notify_all()

    def cancel(self) -> bool:
        """Cancel the job under way, and the waiting one; whether there was any."""
        with self._changed:
            working = self._thread is not None and not self._cancel.is_set()
            self._job = None
            self._cancel.set()
            self._changed.notify_all()
            return working

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is left to do; whether that was within ``timeout`` seconds.

        Raises:
            RuntimeError: called by a job, which would wait for itself.
        """
        self.refuse_to_wait_inside()
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, timeout)

    def refuse_to_wait_inside(self) -> None:
        """Raise what :meth:`wait` raises in the worker's own thread."""
        if threading.current_thread() is self._thread:
            raise RuntimeError(
                "this is called by the very run that it would wait for: an observer uses what it "
                "is given (change.new), and leaves waiting to others"
            )

    def _work(self) -> None:
        while True:
            with self._changed:
                while self._job and (rest := self._begin_at - time.monotonic()) > 0:
                    self._changed.wait(rest)
                job, self._job = self._job, None
                cancel = self._cancel
                if job is None:
                    self._thread = None
                    self._changed.notify_all()
                    self._guarded(self._on_idle)
                    return
            self._guarded(job, cancel)

    def _guarded(self, function: Callable[..., object], *arguments: object) -> None:
        """Call somebody's function; an exception from it must not end the thread."""
        try:
            function(*arguments)
        except Exception:  # noqa: BLE001 (logged)
            _log.exception("an observer of a run failed")


_workers: WeakSet[Worker] = WeakSet()


@atexit.register
def _end_all() -> None:
    # A thread inside of torch while the interpreter goes would abort the process.
    for worker in list(_workers):
        worker.cancel()
    for worker in list(_workers):
        worker.wait(_AT_EXIT)
