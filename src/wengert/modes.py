"""Recording switched off for a while, and on again inside of that. Per context, so threads and tasks do not meet."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from .recording import AMBIENT, Recorder, current, reset_current, set_current

# What was recording when it was switched off, so that it can be switched on again.
_paused: ContextVar[Recorder | None] = ContextVar("wengert_paused", default=None)


class Recording:
    """A context in which recording is on or off.

    Parameters
    ----------
    on : bool
        On means what was recording before it was switched off; off means that nothing is recorded.
    """

    __slots__ = ("_on", "_tokens")

    def __init__(self, on: bool) -> None:
        self._on = on
        self._tokens: list[Any] = []

    def __enter__(self) -> Recording:
        recorder = current()
        if self._on:
            token = set_current(_resumed()) if recorder is None else None
            self._tokens.append((token, None))
        else:
            memory = _paused.set(recorder) if recorder is not None else None
            self._tokens.append((set_current(None), memory))
        return self

    def __exit__(self, *exception: Any) -> None:
        token, memory = self._tokens.pop()
        if token is not None:
            reset_current(token)
        if memory is not None:
            _paused.reset(memory)


def _resumed() -> Recorder:
    """Return the recorder that was switched off, or the innermost around it that is still open."""
    recorder = _paused.get()
    while recorder is not None and not recorder.sessions:
        recorder = recorder.outer
    return recorder or AMBIENT
