"""Writing out formulas: the same numbers from primitives that every executor knows."""

import numpy as np
import pytest
from sample import registry, samples

from wengert.program import Slot, trace
from wengert.transforms.derive import reverse_program
from wengert.transforms.expand import expand

FORMULAS = [name for name, primitive in registry().items() if getattr(primitive, "formula", None) is not None]


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_computes_what_the_primitive_does(name):
    primitive = registry()[name]
    for sample in samples()[name]:
        program = trace(lambda *xs: [primitive(*xs)], [Slot.of(x) for x in sample.args])
        written_out = expand(program)
        assert name not in {step.primitive.name for step in written_out.steps}
        np.testing.assert_array_equal(written_out(*sample.args)[0], primitive.evaluate(*sample.args))
        assert written_out.output_slots == program.output_slots


def test_what_an_executor_knows_is_left_alone():
    program = trace(lambda x: [np.tanh(x) * 2], [Slot((3,), np.dtype(float))])
    assert expand(program) is program
    backward = reverse_program(program)
    assert "tanh_slope" in {step.primitive.name for step in backward.steps}
    assert expand(backward, lambda primitive: primitive.name == "tanh_slope") is backward
    x, c = np.array([0.1, -2.0, 30.0]), np.ones(3)
    np.testing.assert_array_equal(expand(backward)(x, c)[0], backward(x, c)[0])
