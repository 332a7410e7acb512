"""A thread that stays awake for a moment after a short call, to take its share of the next.

To wake a thread takes as long as a prediction for thousands of rows. So who predicts again and
again finds this one awake, and a call does not wait for it where it is not: see _core/c/helper.h.
"""

import contextlib
import os
import threading

from hmlc import _passes

AWAKE_SECONDS = 300e-6
"""Longer than a caller is held up between calls: to fall asleep too soon costs several of them."""


class _Helper:
    def __init__(self) -> None:
        self.is_awake = False
        self.go = threading.Lock()
        self.go.acquire()
        threading.Thread(target=self._serve, name="hmlc helper", daemon=True).start()

    def _serve(self) -> None:
        from hmlc._core.linalg import _help_calls

        while True:
            self.go.acquire()
            self.is_awake = True
            _help_calls(AWAKE_SECONDS)
            self.is_awake = False

    def call(self) -> None:
        if not self.is_awake:
            # Who is called twice, before it woke, helps once more.
            with contextlib.suppress(RuntimeError):
                self.go.release()


_helpers: list[_Helper] = []


def call_helper(n_jobs: int | None) -> bool:
    """Return whether a helper may take part in a call, after waking it if it sleeps."""
    if _passes.n_threads(n_jobs) == 1:
        return False
    if not _helpers:
        _helpers.append(_Helper())
    _helpers[0].call()
    return True


def _drop_helper() -> None:
    """Forget the thread, which does not exist in a forked child."""
    if _helpers:
        from hmlc._core.linalg import _forget_helper

        _helpers.clear()
        _forget_helper()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_helper)
