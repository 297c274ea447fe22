"""Samples of the one contraction, with `np.einsum` as the reference."""

import numpy as np
from sample import Sample

GENERATOR = np.random.default_rng(5)


def _contract(subscripts, x, y):
    """Return the sample for an einsum of two operands."""
    operands, out = subscripts.split("->")
    a, b = operands.split(",")
    number = {letter: i for i, letter in enumerate(sorted(set(a + b)))}
    labels = {"a": a, "b": b, "out": out}
    params = {key: tuple(number[letter] for letter in text) for key, text in labels.items()}
    return Sample((x, y), params, reference=lambda x, y: np.einsum(subscripts, x, y))


def _array(*shape, complex_=False):
    x = GENERATOR.standard_normal(shape)
    return x + 1j * GENERATOR.standard_normal(shape) if complex_ else x


SAMPLES = {
    "contract": [
        _contract("ij,jk->ik", _array(3, 4), _array(4, 2)),
        _contract("ij,jk->ki", _array(3, 4), _array(4, 2)),
        _contract("ji,kj->ik", _array(4, 3), _array(2, 4)),
        _contract("ij,j->i", _array(3, 4), _array(4)),
        _contract("i,ij->j", _array(3), _array(3, 4)),
        _contract("i,i->", _array(5), _array(5)),
        _contract("i,j->ij", _array(2), _array(3)),
        _contract("i,j->ji", _array(2), _array(3)),
        _contract(",->", _array(), _array()),
        _contract(",ij->ij", _array(), _array(2, 3)),
        _contract("ij,ij->", _array(3, 4), _array(3, 4)),
        _contract("ij,ji->", _array(3, 4), _array(4, 3)),
        _contract("bij,bjk->bik", _array(2, 3, 4), _array(2, 4, 2)),
        _contract("bi,bi->b", _array(3, 4), _array(3, 4)),
        _contract("bi,bj->ijb", _array(3, 2), _array(3, 4)),
        _contract("ijk,kjl->il", _array(2, 3, 4), _array(4, 3, 2)),
        _contract("ijk,lkj->li", _array(2, 3, 4), _array(2, 4, 3)),
        _contract("b,b->b", _array(4), _array(4)),
        _contract("ij,jk->ik", _array(0, 4), _array(4, 2)),
        _contract("ij,jk->ik", _array(3, 0), _array(0, 2)),
        _contract("bij,bjk->bik", _array(0, 3, 4), _array(0, 4, 2)),
        _contract("i,i->", _array(0), _array(0)),
        _contract("ij,jk->ik", _array(2, 3, complex_=True), _array(3, 2, complex_=True)),
        _contract("ij,jk->ik", _array(2, 3), _array(3, 2, complex_=True)),
        _contract("bi,bi->b", _array(2, 3, complex_=True), _array(2, 3)),
    ]
}
