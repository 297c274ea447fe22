"""`no_grad`, `enable_grad`, `set_grad_enabled`, `inference_mode`: contexts, and decorators of functions."""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from ...modes import Recording
from .state import active_class, dual_level, is_grad_enabled, tangents_only
from .tensor import InferenceTensor


class Mode(ABC):
    """A context that can also decorate a function, a generator included."""

    @abstractmethod
    def _enter(self) -> Any: ...

    @abstractmethod
    def _exit(self, token: Any) -> None: ...

    def __enter__(self) -> Any:
        self.__dict__.setdefault("_tokens", []).append(self._enter())
        return self

    def __exit__(self, *exception: Any) -> None:
        self._exit(self.__dict__["_tokens"].pop())

    def _again(self) -> Mode:
        return type(self)()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a function: the mode holds while it runs."""
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generator(*args: Any, **kwargs: Any) -> Any:
                with self._again():
                    running = function(*args, **kwargs)
                value, sent = None, None
                while True:  # the mode holds while the generator runs, not while it waits
                    try:
                        with self._again():
                            value = running.send(sent)
                    except StopIteration as stop:
                        return stop.value
                    sent = yield value

            return generator

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return call


class _Switch(Mode):
    on = True

    def _enter(self) -> Any:
        return _switched(self.on)

    def _exit(self, token: Any) -> None:
        _restored(token)


def _switched(on: bool) -> Any:
    """Turn gradients on or off. While dual tensors are in use their tangents go on being recorded."""
    switch = None
    if on or dual_level.get() is None:
        switch = Recording(on)
        switch.__enter__()
    return switch, tangents_only.set(switch is None)


def _restored(token: Any) -> None:
    switch, memory = token
    tangents_only.reset(memory)
    if switch is not None:
        switch.__exit__()


class no_grad(_Switch):
    """Nothing is recorded: in a `with` block, or in a decorated function."""

    on = False

    def __new__(cls, function: Any = None) -> Any:
        """Make the context, or decorate a function at once."""
        made = super().__new__(cls)
        return made if function is None else made(function)  # @no_grad without parentheses


class enable_grad(_Switch):
    """Recording is on again, inside of `no_grad`."""

    def __new__(cls, function: Any = None) -> Any:
        """Make the context, or decorate a function at once."""
        made = super().__new__(cls)
        return made if function is None else made(function)


class set_grad_enabled(Mode):
    """Recording on or off: at once when called, and until the end of the block as a context."""

    def __init__(self, mode: bool) -> None:
        self.mode = bool(mode)
        self._switch = _switched(self.mode)

    def _enter(self) -> Any:
        return None

    def _exit(self, token: Any) -> None:
        _restored(self._switch)

    def _again(self) -> Mode:
        return set_grad_enabled(self.mode)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a function: the mode holds while it runs, and not before."""
        _restored(self._switch)  # as a decorator it acts inside the function only
        return super().__call__(function)


class inference_mode(Mode):
    """Nothing is recorded, and results can never take part in a recording."""

    def __init__(self, mode: Any = True) -> None:
        self.mode = mode

    def __new__(cls, mode: Any = True) -> Any:
        """Make the context, or decorate a function at once."""
        made = super().__new__(cls)
        if callable(mode):
            made.mode = True
            return made(mode)
        return made

    def _enter(self) -> Any:
        switch = Recording(not self.mode)
        switch.__enter__()
        return switch, active_class.set(InferenceTensor if self.mode else None)

    def _exit(self, token: Any) -> None:
        switch, memory = token
        active_class.reset(memory)
        switch.__exit__()

    def _again(self) -> Mode:
        return inference_mode(self.mode)


__all__ = [
    "Mode",
    "enable_grad",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_grad_enabled",
]


def is_inference_mode_enabled() -> bool:
    """Return whether inference mode is on."""
    return active_class.get() is InferenceTensor
