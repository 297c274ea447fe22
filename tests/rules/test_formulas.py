"""Primitives whose function is a formula of other primitives, which executors without code for them write out."""

import numpy as np
import pytest
from sample import registry, samples

from wengert.program import Slot, trace

FORMULAS = [name for name, primitive in registry().items() if getattr(primitive, "formula", None) is not None]


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_computes_what_the_primitive_does(name):
    primitive = registry()[name]
    for sample in samples()[name]:
        program = trace(lambda *xs: [primitive.formula(*xs)], [Slot.of(np.asarray(x)) for x in sample.args])
        assert name not in {step.primitive.name for step in program.steps}
        expected = primitive.evaluate(*sample.args)
        np.testing.assert_array_equal(program(*map(np.asarray, sample.args))[0], expected)
        assert program.output_slots[0] == Slot.of(np.asarray(expected))


def test_there_are_some():
    assert "tanh_slope" in FORMULAS
