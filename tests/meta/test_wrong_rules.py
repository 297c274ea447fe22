"""Seeded wrong rules: the laws find every one of them, and raise no false alarm."""

from __future__ import annotations

import pytest
from mutations import OPERATORS, cases, mutant
from sample import registry

from wengert.testing import check_primitive

CASES = list(cases())


@pytest.mark.parametrize(
    ("operator", "name", "chosen"), CASES, ids=[f"{name}, {operator}" for operator, name, _ in CASES]
)
def test_a_wrong_rule_is_found(operator, name, chosen):
    original = registry()[name]
    spoil, _ = OPERATORS[operator]
    with mutant(original, **spoil(original)) as wrong:
        for sample in chosen:
            args = [x.copy() if hasattr(x, "copy") else x for x in sample.args]
            reference = sample.reference or original.evaluate
            report = check_primitive(wrong, *args, params=sample.params, reference=reference, skip=set(sample.skip))
            if not report.ok:
                return
    pytest.fail(f"{name} with {operator!r} passed:\n{report}")


def test_there_are_enough():
    assert len(OPERATORS) >= 30
    assert len(CASES) >= 40


def test_an_unchanged_copy_passes():
    for name in {name for _, name, _ in CASES}:
        original = registry()[name]
        sample = next(chosen[0] for _, other, chosen in CASES if other == name)
        with mutant(original) as copy:
            report = check_primitive(copy, *sample.args, params=sample.params, reference=sample.reference)
        assert report.ok, str(report)
