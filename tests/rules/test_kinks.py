"""The conventions at kinks: exact values in every mode, first and second order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from kinks_table import KINKS, kinks_page

import wengert as wg

IDS = [f"{i}: {kink.code}" for i, kink in enumerate(KINKS)]


def equal(found, expected):
    # one unit in the last place, for norms whose result is rounded; zeros, infinities and NaN exactly
    np.testing.assert_allclose(found, np.broadcast_to(expected, np.shape(found)), rtol=4e-16, atol=0)


def total(jacobian):
    """Sum the rows of a Jacobian of a gradient: the gradient of its sum."""
    return np.sum(jacobian, axis=0) if np.ndim(jacobian) == 2 else jacobian


def summed(kink):
    return lambda x: np.sum(kink(x))


@pytest.mark.parametrize("kink", KINKS, ids=IDS)
def test_first_order(kink):
    x = np.asarray(kink.at, float)
    with np.errstate(all="ignore"):
        equal(wg.grad(summed(kink))(x), kink.first)
        value, pullback = wg.vjp(kink, x)
        equal(pullback(np.ones_like(value))[0], kink.first)
        for mode in ("forward", "reverse"):
            equal(wg.jacobian(summed(kink), mode=mode)(x), kink.first)
            equal(wg.jacobian(lambda x: np.stack([summed(kink)(x)]), mode=mode)(x)[0], kink.first)
        tape_x = wg.Tensor(x)
        with wg.GradientTape() as tape:
            tape.watch(tape_x)
            y = summed(kink)(tape_x)
        equal(tape.gradient(y, tape_x).numpy(), kink.first)


@pytest.mark.parametrize("kink", KINKS, ids=IDS)
def test_second_order(kink):
    x = np.asarray(kink.at, float)
    with np.errstate(all="ignore"):
        reverse, forward = wg.grad(summed(kink)), wg.jacobian(summed(kink), mode="forward")
        equal(wg.grad(lambda x: np.sum(reverse(x)))(x), kink.second)
        equal(wg.grad(lambda x: np.sum(forward(x)))(x), kink.second)
        for first in (reverse, forward):
            for mode in ("forward", "reverse"):
                equal(total(wg.jacobian(first, mode=mode)(x)), kink.second)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_masks_in_other_dtypes(dtype):
    x = np.array([0.0, 4.0], dtype)
    with np.errstate(all="ignore"):
        gradient = wg.grad(lambda x: np.sum(np.real(np.where(np.real(x) > 0, np.sqrt(x), 0))))(x)
    assert gradient.dtype == dtype
    equal(gradient, [0, 0.25])


def test_maximum_and_its_second_argument_share_a_tie():
    by_x, by_y = wg.grad(lambda x, y: np.maximum(x, y), (0, 1))(1.0, 1.0)
    assert (by_x, by_y) == (0.5, 0.5)


def test_clip_at_its_bounds_by_the_bounds():
    gradients = wg.grad(lambda x, low, high: np.sum(np.clip(x, low, high)), (0, 1, 2))(
        np.array([0.0, 1.0, -3.0, 5.0]), 0.0, 1.0
    )
    np.testing.assert_array_equal(gradients[0], [1, 1, 0, 0])
    assert gradients[1:] == (1.0, 1.0)


def test_an_infinite_slope_that_is_used_stays():
    """`where` cuts one element only: the other's infinite slope is the derivative."""
    with np.errstate(all="ignore"):
        equal(wg.grad(lambda x: np.sum(np.where(x > -1, np.sqrt(x), 0)))(np.array([0.0, 1.0])), [np.inf, 0.5])


def test_there_are_enough():
    assert len(KINKS) >= 25


def test_the_page_is_current():
    """docs/explanation/kinks.md is made from the table: python tests/rules/kinks_table.py"""
    page = Path(__file__).parents[2] / "docs" / "explanation" / "kinks.md"
    assert page.read_text() == kinks_page()
