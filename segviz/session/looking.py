"""Looking: the thread that computes what somebody looks at."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

from segviz.session.looker import Job, Looker, Wanted
from segviz.session.looks import Look
from segviz.session.worker import Worker
from segviz.summaries import LookCancelledError

_log = logging.getLogger(__name__)


class Looking:
    """Computes looks and hands them over; a newer wish takes the place of the one before.

    Args:
        lock: guards all state; the two functions are called under it.
        show: called with a slot and a look. What it raises is a failure of that look.
        notice: called with a name and a value: ``fresh`` (the slots that are up to date),
            ``look_error`` (why something cannot be shown, or ``""``).
    """

    def __init__(
        self,
        lock: threading.RLock,
        show: Callable[[str, Look], object],
        notice: Callable[[str, object], object],
    ) -> None:
        self._lock = lock
        self._show = show
        self._notice = notice
        self._looker = Looker()
        self.worker = Worker(lock, on_idle=lambda: None)

    def ask(self, wanted: Wanted) -> None:
        """Compute what is wanted and not there yet."""
        with self._lock:
            self._notice("fresh", self._looker.fresh(wanted))
            self.worker.submit(partial(self._work, wanted))

    def forget(self) -> None:
        """Begin anew, and let go of all that was computed."""
        self._looker.forget()

    def _work(self, wanted: Wanted, cancel: threading.Event) -> None:
        """Called in the worker's thread."""
        failed = ""
        for job in self._looker.pending(wanted, cancel):
            if cancel.is_set():
                return
            try:
                self._take(job, wanted, cancel)
            except LookCancelledError:
                return
            except Exception as error:  # noqa: BLE001 (shown)
                # One that fails keeps nobody from the others.
                _log.debug("%s could not be shown", job.slot, exc_info=True)
                failed = failed or f"{job.slot} cannot be shown: {type(error).__name__}: {error}"
        with self._lock:
            if not cancel.is_set():
                self._notice("look_error", failed)

    def _take(self, job: Job, wanted: Wanted, cancel: threading.Event) -> None:
        look = job.compute()
        with self._lock:
            if not cancel.is_set():
                self._show(job.slot, look)
                self._looker.take(job)
                self._notice("fresh", self._looker.fresh(wanted))
