"""Reversing a long chain of steps with a bounded number of stored states.

Binomial checkpointing: with s stored states and every step run at most r times ahead, C(s + r, s) steps can be
reversed, and no schedule does better (Griewank and Walther, "Algorithm 799: revolve", ACM Transactions on Mathematical
Software 26, 2000).
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb
from typing import Any


def reverse_steps(
    count: int,
    state: Any,
    advance: Callable[[Any, int], Any],
    back: Callable[[Any, int], None],
    snapshots: int | None = None,
) -> None:
    """Call `back(state before step k, k)` for k = count - 1 down to 0.

    Parameters
    ----------
    count : int
        Number of steps.
    state
        Before step 0.
    advance : callable
        `(state before step k, k) -> state after it`.
    back : callable
    snapshots : int, optional
        How many states may be held at once, the first included; all if not given.
    """
    if count == 0:
        return
    if snapshots is None or snapshots >= count:
        states = [state]
        for k in range(count - 1):
            states.append(advance(states[-1], k))
        for k in range(count - 1, -1, -1):
            back(states.pop(), k)
        return
    stack = [(0, state)]
    last = count
    while last > 0:
        start, state = stack[-1]
        if start == last - 1:
            stack.pop()
            back(state, start)
            last = start
            continue
        free = snapshots - len(stack)
        stop = start + split(last - start, free) if free > 0 else last - 1
        for k in range(start, stop):
            state = advance(state, k)
        if free > 0:
            stack.append((stop, state))
        else:
            back(state, stop)
            last = stop


def split(length: int, free: int) -> int:
    """Return after how many of `length` steps the next state is stored, if `free` more may be."""
    held = free + 1  # the state before the first of them included
    repeats = 1
    while comb(held + repeats, held) < length:
        repeats += 1
    # What lies ahead is reversed with one state less, what lies behind with one repetition less.
    return max(1, _reach(held, repeats - 2), length - _reach(held - 1, repeats))


def _reach(held: int, repeats: int) -> int:
    """Return how many steps `held` states reverse if no step runs ahead more than `repeats` times."""
    return comb(held + repeats, held) if repeats >= 0 else 0


def advances(count: int, snapshots: int) -> int:
    """Return how many steps ahead the schedule runs in all; `count - 1` if every state is stored."""
    total = 0

    def advance(state: None, k: int) -> None:
        nonlocal total
        total += 1

    reverse_steps(count, None, advance, lambda state, k: None, snapshots)
    return total
