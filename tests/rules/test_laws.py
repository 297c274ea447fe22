"""Every law for every primitive, generated from the registry."""

from __future__ import annotations

import numpy as np
import pytest
from sample import generated, is_analytic, registry, samples

from wengert.testing import check_primitive


def cases():
    return list(_cases())


def _cases():
    primitives = registry()
    for name, entries in samples().items():
        if name not in primitives:
            continue  # reported by test_every_sample_is_of_a_primitive
        primitive = primitives[name]
        for k, sample in enumerate(entries):
            yield pytest.param(primitive, sample, id=f"{name}-{k}")
            for label, variant in generated(primitive, sample) if k == 0 else ():
                yield pytest.param(primitive, variant, id=f"{name}-{label}")


@pytest.mark.parametrize(("primitive", "sample"), cases())
def test_laws(primitive, sample):
    reference = sample.reference
    ufunc = getattr(primitive, "ufunc", None)
    if reference is None and ufunc is not None and not sample.params:
        reference = ufunc
    before = [np.array(x) for x in sample.args]
    report = check_primitive(
        primitive,
        *sample.args,
        order=sample.order,
        skip=set(sample.skip),
        reference=reference,
        analytic=is_analytic(primitive, sample),
        params=sample.params,
        shared=sample.shared,
    )
    assert report.ok, str(report)
    assert not [row for row in report if row.status == "unclear"], str(report)
    for x, y in zip(before, sample.args, strict=True):
        np.testing.assert_array_equal(x, y)


# Primitives that are not functions of arrays with a derivative at every point, and where they are tested instead.
EXEMPT = {
    "pick": "takes one result out of several: part of every sample with several results",
    "custom": "has the rules that a user gave: tests/transforms",
    "constant": "has no arguments",
    "unit_seeds": "has no arguments",
    "detach": "declares a derivative of zero for what is not constant, as stop_gradient does",
}


def test_every_primitive_has_samples():
    assert not set(EXEMPT) & set(samples())
    missing = sorted(set(registry()) - set(samples()) - set(EXEMPT))
    assert not missing, f"no samples in tests/rules/samples_*.py for {missing}"


def test_every_sample_is_of_a_primitive():
    unknown = sorted(set(samples()) - set(registry()))
    assert not unknown, f"samples for primitives that do not exist: {unknown}"


def test_every_skipped_law_has_a_reason():
    for name, entries in samples().items():
        for sample in entries:
            assert all(reason for reason in sample.skip.values()), name


def test_every_sample_is_checked_by_a_value_of_its_own():
    """Each primitive's value is compared with NumPy's, by a ufunc or a reference."""
    without = [
        name
        for name, entries in samples().items()
        if name in registry()
        and getattr(registry()[name], "ufunc", None) is None
        and getattr(registry()[name], "formula", None) is None
        and not any(sample.reference for sample in entries)
    ]
    # their value is that of the very function they are declared with
    allowed = {"alias", "watch", "stop_gradient", "sinc_derivative", "cast", "round", "eig", "svd", "lu_factor"}
    allowed |= {"scan_pull", "while_pull"}
    left = {name for name in without if name not in allowed and not name.startswith("special.")}
    assert not left, sorted(left)
