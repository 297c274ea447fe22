"""Diagonals, blocks, one Jacobian per sample: values, proofs of independence, and the corner cases."""

from __future__ import annotations

import numpy as np
import pytest

import wengert as wg
from wengert.sparse.plans import plans


@pytest.fixture(autouse=True)
def fresh():
    plans.clear()


# ---------------------------------------------------------------- diagonals


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.sin(x) * np.roll(x, 1) + x[::-1],
        lambda x: np.cumsum(np.cumsum(x)) * x,
        lambda x: x * np.sum(x**2),
        lambda x: np.sort(x) ** 2,
        lambda x: np.fft.irfft(np.fft.rfft(x) * np.arange(1, 5), 6) * x,
        lambda x: np.linalg.solve(np.diag(x) + 0.1, x),
        lambda x: np.ones(6),
        lambda x: (x.reshape(2, 3) @ np.ones((3, 3))) * x.reshape(2, 3),
    ],
)
def test_the_diagonal_of_a_jacobian(function, rng):
    x = rng.normal(size=6)
    full = wg.jacobian(function)(x).reshape(6, 6)
    found = wg.jacobian_diagonal(function)(x)
    assert found.shape == x.shape
    assert np.allclose(found, np.diag(full), atol=1e-10)


def test_the_diagonal_is_cheaper_than_the_matrix(rng):
    # an FFT along rows is dense there, but independent between rows: as many passes as a row is long
    f = lambda x: np.fft.fft(x.reshape(200, 4), axis=1).real.ravel()
    x = rng.normal(size=800)
    found = wg.jacobian_diagonal(f)(x)
    assert np.allclose(found[:4], np.diag(wg.jacobian(lambda r: np.fft.fft(r).real)(x[:4])))


def test_a_diagonal_needs_a_square():
    with pytest.raises(wg.errors.ShapeError, match=r"the Jacobian is 2 x 3, so it has no diagonal"):
        wg.jacobian_diagonal(lambda x: x[1:])(np.ones(3))
    with pytest.raises(wg.errors.ShapeError, match="one array in and one array out are needed, not 2 and 1"):
        wg.jacobian_diagonal(lambda p: p["a"] + p["b"])({"a": np.ones(2), "b": np.ones(2)})
    with pytest.raises(wg.errors.ArgumentError, match=r"argnums names one argument, not \(0, 1\)"):
        wg.jacobian_diagonal(lambda x, y: x, argnums=(0, 1))


@pytest.mark.parametrize("n", [3, 200])
def test_hessian_diagonals(n, rng):
    x = rng.normal(size=n)
    for f in (
        lambda x: np.sum(np.sin(x) ** 2),
        lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2),
        lambda x: np.sum(x) ** 3,
        lambda x: np.sum(np.arange(x.shape[0]) * x),
    ):
        expected = np.diag(wg.hessian(f)(x))
        assert np.allclose(wg.hessian_diag(f)(x), expected, rtol=1e-9, atol=1e-9)
        assert np.allclose(wg.laplacian(f)(x), expected.sum(), rtol=1e-9, atol=1e-8)


def test_a_separable_hessian_diagonal_of_100_000(rng):
    x = rng.normal(size=100_000)
    f = lambda x: np.sum(np.exp(np.sin(x)))
    expected = np.exp(np.sin(x)) * (np.cos(x) ** 2 - np.sin(x))
    assert np.allclose(wg.hessian_diag(f)(x), expected)
    plan = wg.plan_hessian(f, x)
    assert plan.nnz == 100_000 and np.allclose(plan.values(x), expected)


def test_hessian_diagonal_of_structures_and_auxiliary_data(rng):
    p = {"a": rng.normal(size=150), "b": rng.normal(size=(4, 5))}
    f = lambda p: (np.sum(p["a"] ** 3) + np.sum(p["b"] ** 4), "note")
    diagonal, aux = wg.hessian_diag(f, has_aux=True)(p)
    assert aux == "note"
    assert np.allclose(diagonal["a"], 6 * p["a"]) and np.allclose(diagonal["b"], 12 * p["b"] ** 2)


# ---------------------------------------------------------------- batches


def per_sample(function, x):
    return np.stack([wg.jacobian(lambda row: function(row[None])[0])(row) for row in x])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.tanh(x @ np.arange(12.0).reshape(4, 3)),
        lambda x: x[:, :1] * x[:, 1:],
        lambda x: np.sort(x, axis=1),
        lambda x: np.linalg.norm(x, axis=1, keepdims=True),
        lambda x: np.cumsum(x, axis=1)[:, ::-1],
        lambda x: np.einsum("bi,bj->bij", x, np.sin(x)),
    ],
)
def test_one_jacobian_per_sample(function, rng):
    x = rng.normal(size=(5, 4))
    found = wg.batch_jacobian(function)(x)
    expected = per_sample(function, x)
    assert found.shape == expected.shape
    assert np.allclose(found, expected)


@pytest.mark.parametrize(
    ("function", "pair"),
    [
        (lambda x: x - np.mean(x, axis=0), "sample 0 of the result depends on sample 1 "),
        (lambda x: x + x[::-1], "sample 0 of the result depends on sample 4 "),
        (lambda x: np.cumsum(x, axis=0), "sample 1 of the result depends on sample 0 "),
        (lambda x: np.concatenate([x[:3], x[2:4]]), "sample 3 of the result depends on sample 2 "),
        (lambda x: x * np.max(x), "sample 0 of the result depends on sample 1 "),
        (lambda x: np.linalg.solve(np.eye(5) * 2.0, x), "depends on sample"),
    ],
)
def test_coupled_samples_are_refused_with_the_first_pair(function, pair, rng):
    x = rng.normal(size=(5, 3))
    with pytest.raises(wg.errors.CoupledRows, match=pair):
        wg.batch_jacobian(function)(x)
    summed = np.sum(wg.jacobian(function)(x), axis=0)  # what a tape gives: summed over samples of the result
    found = wg.batch_jacobian(function, check=False)(x)
    assert np.allclose(found, np.moveaxis(summed.reshape(3, 5, 3), 1, 0))


def test_mean_subtraction_over_100_000_samples_is_refused_at_once(rng):
    with pytest.raises(wg.errors.CoupledRows, match="batch_jacobian: sample 0 of the result depends on sample 1"):
        wg.batch_jacobian(lambda x: x - np.mean(x, axis=0))(rng.normal(size=(100_000, 8)))


def test_100_000_samples_take_three_passes(rng):
    W = rng.normal(size=(8, 3))
    x = rng.normal(size=(100_000, 8))
    f = lambda x: np.tanh(x @ W)
    J = wg.batch_jacobian(f)(x)
    (family,) = plans._families.values()
    assert family[0].method == "3 reverse passes over all samples"
    assert np.allclose(J, (1 - np.tanh(x @ W) ** 2)[:, :, None] * W.T)


def test_the_proof_is_made_once_and_renewed_when_indices_change(rng):
    f = lambda x: np.take_along_axis(x, np.argsort(x, axis=1), axis=1)
    J = wg.batch_jacobian(f)
    for _ in range(3):
        x = rng.normal(size=(3, 4))
        assert np.allclose(J(x), per_sample(f, x))


def test_corner_cases_of_batches():
    f = lambda x: np.tanh(x @ np.ones((8, 3)))
    assert wg.batch_jacobian(f)(np.ones((0, 8))).shape == (0, 3, 8)
    constant = wg.batch_jacobian(lambda x: np.ones((len(x), 2), np.float32))(np.ones((4, 8), np.float32))
    assert constant.shape == (4, 2, 8) and constant.dtype == np.float32 and not constant.any()
    single = wg.batch_jacobian(lambda x: x**2)(np.ones((1, 3), np.float32))
    assert single.dtype == np.float32 and np.array_equal(single, 2 * np.eye(3)[None])
    assert wg.batch_jacobian(lambda x: x**3)(np.arange(3.0)).tolist() == [0.0, 3.0, 12.0]
    J, aux = wg.batch_jacobian(lambda x: (x, "note"), has_aux=True)(np.ones((2, 1)))
    assert aux == "note" and J.shape == (2, 1, 1)
    with pytest.raises(wg.errors.ShapeError, match=r"argument \(3, 2\) and result \(2,\) need the same first axis"):
        wg.batch_jacobian(lambda x: x[0])(np.ones((3, 2)))


# ---------------------------------------------------------------- blocks


def test_diagonal_blocks(rng):
    f = lambda x: (x.reshape(-1, 2)[:, ::-1] * x.reshape(-1, 2).sum(1, keepdims=True)).ravel()
    x = rng.normal(size=8)
    full = wg.jacobian(f)(x)
    found = wg.block_jacobian(f, (2, 2))(x)
    assert np.allclose(found, [full[k : k + 2, k : k + 2] for k in range(0, 8, 2)])
    tall = wg.block_jacobian(lambda x: np.stack([x, x**2, x**3], 1).ravel(), (3, 1))(x)
    assert tall.shape == (8, 3, 1) and np.allclose(tall[:, 1, 0], 2 * x)


def test_blocks_that_are_none(rng):
    x = rng.normal(size=6)
    with pytest.raises(wg.errors.CoupledRows, match="block 0 of the result depends on block 2 of the argument"):
        wg.block_jacobian(lambda x: x[::-1], (2, 2))(x)
    with pytest.raises(wg.errors.ShapeError, match="a 6 x 6 Jacobian does not consist of 4 x 4 diagonal blocks"):
        wg.block_jacobian(lambda x: x, (4, 4))(x)
    with pytest.raises(wg.errors.ArgumentError, match="block is a pair of positive ints"):
        wg.block_jacobian(lambda x: x, (0, 2))


# ---------------------------------------------------------------- inside of other derivatives


PARTS = {
    "batch_jacobian": (lambda f: wg.batch_jacobian(f), lambda x: np.sin(x) * x[:, ::-1] ** 2, (3, 2)),
    "batch_jacobian, tall": (lambda f: wg.batch_jacobian(f), lambda x: x[:, :1] ** np.arange(1.0, 5.0), (3, 1)),
    "batch_jacobian, summed": (lambda f: wg.batch_jacobian(f, check=False), lambda x: x**3 * np.mean(x, 0), (3, 2)),
    "block_jacobian": (lambda f: wg.block_jacobian(f, (2, 2)), lambda x: x * x.reshape(2, 2)[:, ::-1].ravel(), (4,)),
    "jacobian_diagonal": (wg.jacobian_diagonal, lambda x: np.roll(x, 1) * x**3, (4,)),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_inside_of_other_derivatives(name, rng):
    part, function, shape = PARTS[name]
    x, v = rng.normal(size=shape), rng.normal(size=shape)
    of = part(function)
    total = lambda x: np.sum(of(x) ** 2)
    h = 1e-6
    slope = (np.sum(of(x + h * v) ** 2) - np.sum(of(x - h * v) ** 2)) / (2 * h)
    assert np.isclose(np.sum(wg.grad(total)(x) * v), slope, rtol=1e-6)
    variable = wg.Variable(x)
    with wg.GradientTape() as tape:
        y = np.sum(of(variable) ** 2)
    assert np.isclose(np.sum(np.asarray(tape.gradient(y, variable)) * v), slope, rtol=1e-6)
    assert np.allclose(wg.vmap(of)(np.stack([x, v])), [of(x), of(v)])
    assert np.allclose(wg.jit(of)(x), of(x))
    assert np.allclose(wg.jit(lambda x: 2 * of(x))(x), 2 * of(x))
    assert np.allclose(wg.jacobian(of, sparse=True)(x).toarray(), wg.jacobian(of)(x).reshape(-1, x.size))


def test_a_penalty_on_the_jacobian_of_every_sample(rng):
    """The weights are what the enclosing derivative tracks, not the samples."""
    x, W = rng.normal(size=(6, 4)), rng.normal(size=(4, 3))
    penalty = lambda W: np.sum(wg.batch_jacobian(lambda x: np.tanh(x @ W))(x) ** 2)
    by_hand = lambda W: np.sum(((1 - np.tanh(x @ W) ** 2)[:, :, None] * W.T) ** 2)
    assert np.allclose(wg.grad(penalty)(W), wg.grad(by_hand)(W))


def test_the_proof_holds_inside_of_other_derivatives_too(rng):
    x = rng.normal(size=(3, 2))
    coupled = wg.batch_jacobian(lambda x: x + x[::-1])
    for run in (lambda: wg.grad(lambda x: np.sum(coupled(x)))(x), lambda: wg.vmap(coupled)(x[None])):
        with pytest.raises(wg.errors.CoupledRows, match="sample 0 of the result depends on sample 2"):
            run()
    with pytest.raises(wg.errors.ShapeError, match="need the same first axis"):
        wg.grad(lambda x: np.sum(wg.batch_jacobian(lambda x: x[0])(x)))(x)
    with pytest.raises(wg.errors.DtypeError, match="batch_jacobian: the function returned int64"):
        wg.grad(lambda x: np.sum(wg.batch_jacobian(lambda x: np.argsort(x, axis=1))(x)))(x)
    constant = wg.grad(lambda x: np.sum(wg.batch_jacobian(lambda y: np.ones((3, 2)))(x)) + np.sum(x))(x)
    assert np.array_equal(constant, np.ones((3, 2)))
