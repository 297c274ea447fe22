"""The life of a tape: states, entering again, pausing, nesting, errors in user code."""

import numpy as np
import pytest

import wengert as wg
from wengert.errors import TapeError
from wengert.recording import AMBIENT, current


@pytest.fixture(autouse=True)
def nothing_stays_recorded():
    yield
    assert current() is AMBIENT


@pytest.fixture
def x():
    return wg.Tensor(3.0)


DERIVATIVES = ["gradient", "jacobian", "batch_jacobian"]


@pytest.mark.parametrize("name", DERIVATIVES)
def test_never_entered(x, name):
    with pytest.raises(TapeError, match=f"{name}: this tape was never entered\nAt: .*\nWhy: nothing was") as caught:
        getattr(wg.GradientTape(), name)(x, x)
    assert isinstance(caught.value, RuntimeError)


def test_never_entered_other_calls(x):
    tape = wg.GradientTape()
    with pytest.raises(TapeError, match="watch: this tape was never entered"):
        tape.watch(x)
    with pytest.raises(ValueError, match="reset: the tape is not recording"):
        tape.reset()
    with pytest.raises(RuntimeError, match="stop_recording: the tape is not recording"):
        tape.stop_recording()
    assert tape.watched_variables() == ()


def test_entering_twice(x):
    with wg.GradientTape() as tape:
        with pytest.raises(ValueError, match="this tape is recording already"):
            tape.__enter__()
        tape.watch(x)
        y = x * x
    assert float(tape.gradient(y, x)) == 6


@pytest.mark.parametrize("name", DERIVATIVES)
def test_used_up(x, name):
    m = wg.Tensor(np.ones((2, 2)))
    with wg.GradientTape() as tape:
        tape.watch(m)
        y = m * m
    getattr(tape, name)(y, m)
    for again in DERIVATIVES:
        with pytest.raises(
            TapeError, match=f"{again}: this tape is used up\n(.*\n)?Why: a tape that is not persistent"
        ):
            getattr(tape, again)(y, m)
    with pytest.raises(TapeError, match="watch: this tape is used up"):
        tape.watch(m)


def test_persistent(x):
    with wg.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
    for _ in range(3):
        assert float(tape.gradient(y, x)) == 6
        assert float(tape.jacobian(y, x)) == 6


def test_gradient_inside_the_block_ends_the_recording(x):
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        assert float(tape.gradient(y, x)) == 6  # nothing is recorded any more: the value may be converted
        z = x * x
        with pytest.raises(ValueError, match=r"reset: the tape is not recording\n.*\nWhy: a derivative of a tape"):
            tape.reset()
        with pytest.raises(RuntimeError, match="stop_recording: the tape is not recording"):
            tape.stop_recording()
        with pytest.raises(TapeError, match="gradient: this tape is used up"):
            tape.gradient(z, x)


def test_persistent_gradient_inside_the_block_goes_on_recording(x):
    with wg.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x**3
        first = tape.gradient(y, x)
        z = first * x
    assert float(tape.gradient(z, x)) == 81
    assert float(tape.gradient(first, x)) == 18


def test_after_the_block(x):
    with wg.GradientTape() as tape:
        tape.watch(x)
    for call in (tape.reset, tape.stop_recording):
        with pytest.raises(ValueError, match=r"the tape is not recording\n.*\nWhy: it records only inside"):
            call()


def test_entering_again_before_the_gradient_goes_on(x):
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    between = y * 10
    with tape:
        z = y * x
    with tape:
        w = z * x
    assert float(between) == 90
    assert float(tape.gradient(w, x)) == 4 * 27


def test_what_was_done_between_does_not_count(x):
    with wg.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
    between = y * 10
    with tape:
        z = between * x
    assert tape.gradient(between, x) is None
    assert float(tape.gradient(z, x)) == 90


def test_entering_again_after_the_gradient_begins_anew(x):
    v = wg.Variable(1.0)
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x * x * v
    tape.gradient(y, x)
    assert tape.watched_variables() == (v,)
    with tape:
        z = y * x  # x is not watched any more
        assert tape.watched_variables() == ()
    assert tape.gradient(z, x) is None
    with tape:
        tape.watch(x)
        z = x * x
    assert float(tape.gradient(z, x)) == 6


def test_a_watch_outside_of_the_block_sticks(x):
    with wg.GradientTape() as tape:
        pass
    tape.watch(x)
    with tape:
        y = x * x
    assert float(tape.gradient(y, x)) == 6


def test_a_watch_outside_of_the_block_while_another_tape_records(x):
    with wg.GradientTape() as tape:
        pass
    with wg.GradientTape() as other:
        other.watch(x)
        tape.watch(x)
        y = x * x
        with tape:
            z = y * x
    assert float(other.gradient(z, x)) == 27
    assert float(tape.gradient(z, x)) == 9  # y was made outside of its block


def test_stop_recording(x):
    with wg.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        with tape.stop_recording():
            z = x * x
            assert float(z) == 9  # nobody records: conversion is allowed
            with pytest.raises(ValueError, match="the tape is not recording"):
                tape.stop_recording()
            with pytest.raises(ValueError, match="the tape is not recording"):
                tape.reset()
        w = y * z * x
    assert tape.gradient(z, x) is None
    assert float(tape.gradient(w, x)) == 9 * 27


def test_stop_recording_while_another_tape_records(x):
    with wg.GradientTape() as outer:
        outer.watch(x)
        with wg.GradientTape() as inner:
            inner.watch(x)
            y = x * x
            with inner.stop_recording():
                z = x**3
                with pytest.raises(wg.errors.TraceLost):
                    float(z)
            w = y * z
    assert float(inner.gradient(w, x)) == 6 * 27
    assert float(outer.gradient(w, x)) == 5 * 81


def test_many_pauses(x):
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x
        for _ in range(50):
            y = y + x
            with tape.stop_recording():
                y2 = y * x
        y = y + y2
    assert float(tape.gradient(y, x)) == 51
    assert len(tape._sessions) <= 2


def test_an_error_in_the_pause(x):
    with wg.GradientTape() as tape:
        tape.watch(x)
        with pytest.raises(ZeroDivisionError), tape.stop_recording():
            _ = 1 / 0
        y = x * x
    assert float(tape.gradient(y, x)) == 6


def test_reset(x):
    v = wg.Variable(2.0)
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x * x * v
        tape.reset()
        assert tape.watched_variables() == ()
        assert float(x * x) == 9  # x is not watched any more
        z = y * v
    assert tape.gradient(z, [x, v])[0] is None


def test_reset_and_watch_again(x):
    with wg.GradientTape() as tape:
        tape.watch(x)
        x * x
        tape.reset()
        tape.watch(x)
        y = x**3
    assert float(tape.gradient(y, x)) == 27


def test_reset_of_an_inner_tape_leaves_the_outer_one(x):
    with wg.GradientTape() as outer:
        outer.watch(x)
        with wg.GradientTape() as inner:
            inner.watch(x)
            y = x * x
            inner.reset()
            z = y * x
    assert inner.gradient(z, x) is None
    assert float(outer.gradient(z, x)) == 27


def test_an_error_in_the_block(x):
    tape = wg.GradientTape()
    with pytest.raises(ZeroDivisionError), tape:
        tape.watch(x)
        y = x * x
        _ = 1 / 0
    assert float(tape.gradient(y, x)) == 6


def test_tapes_closed_in_the_order_of_opening(x):
    a, b = wg.GradientTape(), wg.GradientTape()
    a.__enter__()
    a.watch(x)
    b.__enter__()
    b.watch(x)
    y = x * x
    a.__exit__(None, None, None)
    z = y * x
    with pytest.raises(wg.errors.TraceLost):
        float(z)
    b.__exit__(None, None, None)
    w = z * x
    assert float(w) == 81
    assert a.gradient(z, x) is None
    assert float(b.gradient(z, x)) == 27


def test_an_outer_tape_whose_window_ends_first_keeps_its_own(x):
    a, b = wg.GradientTape(), wg.GradientTape()
    a.__enter__()
    a.watch(x)
    b.__enter__()
    b.watch(x)
    y = x * x
    a.__exit__(None, None, None)
    b.__exit__(None, None, None)
    assert float(a.gradient(y, x)) == float(b.gradient(y, x)) == 6


def test_leaving_twice_does_no_harm(x):
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    tape.__exit__(None, None, None)
    assert float(tape.gradient(y, x)) == 6


def test_a_tape_that_is_dropped_while_recording(x):
    tape = wg.GradientTape()
    tape.__enter__()
    tape.watch(x)
    y = x * x
    del tape
    assert float(y) == 9


def test_an_error_in_a_derivative_leaves_everything_in_order(x):
    with wg.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        with pytest.raises(TypeError):
            tape.gradient(y, 3.0)
        z = y * x
    assert float(tape.gradient(z, x)) == 27
    with wg.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    with pytest.raises(ValueError, match="unconnected_gradients"):
        tape.gradient(y, x, unconnected_gradients="no")
    assert float(tape.gradient(y, x)) == 6  # not used up by the error


def test_a_target_that_another_tape_watched_later(x):
    with wg.GradientTape(persistent=True) as first:
        first.watch(x)
        y = x * x
    with wg.GradientTape() as second:
        second.watch([x, y])
        z = y * x
    assert [float(g) for g in second.gradient(z, [x, y])] == [9, 3]
    assert float(first.gradient(y, x)) == 6


def test_a_tensor_that_many_tapes_watch_in_turn_keeps_no_trace_of_them(x):
    for _ in range(20):
        with wg.GradientTape() as tape:
            tape.watch(x)
            y = x * x
        assert float(tape.gradient(y, x)) == 6
    line, length = x._line, 0
    while line is not None and line.inputs:
        line, length = line.inputs[0], length + 1
    assert length <= 1
