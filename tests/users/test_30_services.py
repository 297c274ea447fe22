"""How often a function runs, how many seeds are pushed, what grows with what: by counting, never by a clock."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import wengert as wg
from wengert.differentiation import jacobian as dense
from wengert.errors import TraceLost, WengertError
from wengert.recording import Line

# ------------------------------------------------------------ 31: value and derivative from one run

X = np.linspace(0.3, 1.2, 4)


class Counted:
    def __init__(self, aux=False):
        self.calls = 0
        self.aux = aux

    def value(self, x):
        self.calls += 1
        y = np.sin(x) * x[::-1]
        return (y, {"norm": np.linalg.norm(x)}) if self.aux else y

    def scalar(self, x):
        self.calls += 1
        y = np.sum(np.sin(x) * x[::-1] ** 2)
        return (y, {"norm": np.linalg.norm(x)}) if self.aux else y


VECTOR_FORMS = [wg.jacobian, wg.value_and_jacobian, wg.jacfwd, wg.jacrev]
SCALAR_FORMS = [wg.grad, wg.value_and_grad, wg.hessian, wg.value_grad_and_hessian]


@pytest.mark.parametrize("aux", [False, True])
@pytest.mark.parametrize("form", [*VECTOR_FORMS, *SCALAR_FORMS], ids=lambda form: form.__name__)
def test_31_a_function_runs_once(form, aux):
    counted = Counted(aux)
    function = counted.value if form in VECTOR_FORMS else counted.scalar
    result = form(function, has_aux=aux)(X)
    assert counted.calls == 1
    if aux:
        extra = result[0][1] if "value" in form.__name__ else result[-1]
        np.testing.assert_allclose(extra["norm"], np.linalg.norm(X))


def test_31_products_run_it_once_too():
    for call in (
        lambda f: wg.vjp(f, X)[1](np.ones(4)),
        lambda f: wg.jvp(f, (X,), (X,)),
        lambda f: wg.linearize(f, X)[1](X),
        lambda f: wg.functional.jacobian(f, wg.Tensor(X)),
        lambda f: wg.jacobian(f, sparse=True)(X),
        lambda f: wg.value_and_jacobian(f, sparse=True)(X),
    ):
        counted = Counted()
        call(counted.value)
        assert counted.calls == 1
    for call in (lambda f: wg.hvp(f, (X,), (X,)), lambda f: wg.hessian_diag(f)(X), lambda f: wg.laplacian(f)(X)):
        counted = Counted()
        call(counted.scalar)
        assert counted.calls == 1


# ------------------------------------------------------------ 3: as few seeds as the smaller side


@pytest.fixture
def seeds(monkeypatch):
    """Collect how many seeds each pass carries."""
    found = []

    def spied(name):
        original = getattr(dense, name)

        def spy(lines, starts, ends, block, *args, **options):
            found.append(len(block[0]))
            return original(lines, starts, ends, block, *args, **options)

        return spy

    monkeypatch.setattr(dense, "push_block", spied("push_block"))
    return found


@pytest.mark.parametrize("flat", [True, False])
def test_03_the_smaller_side_decides_how_many_seeds_there_are(seeds, flat):
    weights = np.random.default_rng(0).normal(size=(5, 5000))
    if flat:
        function, x = lambda x: np.tanh(weights @ x), np.linspace(-1, 1, 5000)
        expected = (1 - np.tanh(weights @ x) ** 2)[:, None] * weights
    else:
        function, x = lambda x: np.tanh(weights.T @ x), np.linspace(-1, 1, 5)
        expected = (1 - np.tanh(weights.T @ x) ** 2)[:, None] * weights.T
    np.testing.assert_allclose(wg.jacobian(function, chunk_size=5)(x), expected, rtol=1e-10, atol=1e-12)
    assert sum(seeds) == 5
    assert len(seeds) == 1


# ------------------------------------------------------------ 9: recording is linear, and shapes need no compiling


def recorded_lines(monkeypatch, work):
    """Return how many lines a piece of work records."""
    import wengert.recording as recording

    before = recording.next_sequence()
    work()
    return recording.next_sequence() - before - 1


@pytest.mark.parametrize("derivative", [wg.grad, wg.value_and_grad], ids=lambda d: d.__name__)
def test_09_a_long_python_loop_records_in_lines_that_are_linear_in_its_steps(derivative, monkeypatch):
    monkeypatch.setenv("WENGERT_NATIVE", "off")

    def steps(n):
        def function(x):
            for _ in range(n):
                x = x + 0.001 * np.sin(x)
            return np.sum(x)

        return recorded_lines(monkeypatch, lambda: derivative(function)(X))

    counts = [steps(n) for n in (1000, 2000, 10_000)]
    assert counts[1] - counts[0] == 3000
    assert counts[2] - counts[1] == 24_000


def test_09_other_shapes_and_branches_are_followed():
    jitted = wg.jit(wg.grad(lambda x: np.sum(x**2) if x[0] > 0 else np.sum(x**3)))
    for n in range(1, 9):
        x = np.linspace(0.5, 1, n)
        np.testing.assert_allclose(jitted(x), 2 * x)
        np.testing.assert_allclose(jitted(-x), 3 * x**2)
        np.testing.assert_allclose(jitted(x.astype(np.float32)), 2 * x.astype(np.float32), rtol=1e-6)


# ------------------------------------------------------------ 8: no operation without a batch rule


def test_08_no_primitive_is_applied_in_a_loop():
    from wengert.primitives.base import looping

    assert looping() == []


@pytest.mark.parametrize("count", [1, 2, 17])
def test_08_any_number_of_seeds_gives_the_numbers_of_one_at_a_time(count):
    A = np.random.default_rng(0).normal(size=(6, 6)) + 6 * np.eye(6)

    def function(x):
        B = A + np.diag(x) + np.outer(x, x)
        y = np.linalg.solve(B, np.sort(x)) + np.cumprod(x) + np.linalg.eigvalsh(B + B.T)
        y = y + np.real(np.fft.ifft(np.fft.fft(x) ** 2)) + np.convolve(x, x, "same") + np.linalg.qr(B)[1][0]
        return np.concatenate([y, np.max(B, axis=0), np.var(B, axis=1), [np.linalg.det(B), np.linalg.norm(B)]])

    x = np.random.default_rng(1).uniform(0.2, 1.2, 6)
    whole = wg.jacobian(function, mode="reverse")(x)
    one = wg.jacobian(function, mode="reverse", chunk_size=1)(x)
    np.testing.assert_allclose(wg.jacobian(function, mode="reverse", chunk_size=count)(x), one, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(whole, one, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(wg.jacobian(function, mode="forward", chunk_size=count)(x), one, rtol=1e-9, atol=1e-10)


# ------------------------------------------------------------ 12: small


def test_12_the_package_is_small():
    root = Path(wg.__file__).parent
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path in root.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                wheel.write(path, path.relative_to(root))
    assert packed.tell() < 1_000_000


# ------------------------------------------------------------ 20: complex numbers

Z = np.array([1.0 + 2.0j, 0.3 - 0.5j, -0.7 + 0.1j])


def real_matrix(function, z):
    columns = []
    for unit in (1.0, 1j):
        for k in range(z.size):
            step = np.zeros(z.size, complex)
            step[k] = 1e-6 * unit
            columns.append((function(z + step) - function(z - step)) / 2e-6)
    columns = np.stack(columns, axis=1)
    return np.concatenate([columns.real, columns.imag]) if np.iscomplexobj(columns) else columns


HOLOMORPHIC = {"exp": np.exp, "square": lambda z: z**2, "fft": np.fft.fft, "product": lambda z: z * np.roll(z, 1)}
OTHERS = {"conj": np.conj, "abs": np.abs, "real": np.real, "half": lambda z: z * np.abs(z), "sum": lambda z: z + np.conj(z)}


@pytest.mark.parametrize("name", [*HOLOMORPHIC, *OTHERS])
def test_20_the_real_matrix_says_it_all(name):
    function = {**HOLOMORPHIC, **OTHERS}[name]
    found = wg.complex_jacobian(function)(Z)
    assert found.dtype == float
    np.testing.assert_allclose(found, real_matrix(function, Z), atol=1e-8)


@pytest.mark.parametrize("name", HOLOMORPHIC)
def test_20_one_complex_matrix_where_there_is_one(name):
    found = wg.complex_jacobian(HOLOMORPHIC[name], holomorphic=True)(Z)
    assert found.dtype == complex
    real = real_matrix(HOLOMORPHIC[name], Z)
    np.testing.assert_allclose(found, real[:3, :3] + 1j * real[3:, :3], atol=1e-8)
    np.testing.assert_allclose(wg.jacobian(HOLOMORPHIC[name])(Z), found, atol=1e-14)


@pytest.mark.parametrize("name", OTHERS)
def test_20_what_is_not_holomorphic_is_refused(name):
    with pytest.raises(WengertError, match="not holomorphic"):
        wg.complex_jacobian(OTHERS[name], holomorphic=True)(Z)
    with pytest.raises(wg.errors.DtypeError, match="from float64 to float64 is not holomorphic"):
        wg.complex_jacobian(np.exp, holomorphic=True)(Z.real)


def test_20_real_arguments_and_structures():
    np.testing.assert_allclose(wg.complex_jacobian(lambda x: np.exp(1j * x))(X)[:4], np.diag(-np.sin(X)))
    np.testing.assert_array_equal(wg.complex_jacobian(lambda z: np.ones(2) * 1j)(Z), np.zeros((4, 6)))
    with pytest.raises(wg.errors.StructureError, match="takes and returns one array"):
        wg.complex_jacobian(lambda z: (z, z))(Z)


@pytest.mark.parametrize("function", [np.arcsin, np.arccos, np.arccosh, np.sqrt, np.log], ids=lambda f: f.__name__)
@pytest.mark.parametrize("z", [complex(-1.5, 0.0), complex(-1.5, -0.0), complex(1.5, 0.0), complex(1.5, -0.0)])
def test_20_on_a_branch_cut_the_derivative_is_that_of_the_side_that_the_zero_is_on(function, z):
    beside = complex(z.real, np.copysign(1e-9, z.imag))
    found = wg.jacobian(function)(np.array(z))
    np.testing.assert_allclose(found, wg.jacobian(function)(np.array(beside)), rtol=1e-7, atol=1e-7)


# ------------------------------------------------------------ 24: structured parameters


@dataclass
class Layer:
    weights: np.ndarray
    offset: np.ndarray


def test_24_nested_mixtures_come_back_as_they_went_in():
    layer = Layer(np.arange(6.0).reshape(2, 3) / 5, np.array([0.1, -0.2]))
    params = {"layers": [layer, (1.5, np.array([2.0, 3.0]))], "scale": 0.7}

    def function(p):
        first, (a, b) = p["layers"]
        y = np.tanh(first.weights @ np.ones(3) + first.offset) * a * b
        return {"y": y * p["scale"], "total": np.sum(y)}

    J = wg.jacobian(function)(params)
    assert type(J["y"]["layers"][0]) is Layer
    assert type(J["y"]["layers"][1]) is tuple
    assert J["y"]["layers"][0].weights.shape == (2, 2, 3)
    matrix = wg.jacobian(function, as_matrix=True)(params)
    assert matrix.shape == (3, 12)
    np.testing.assert_allclose(matrix["y", "scale"].ravel(), J["y"]["scale"], rtol=1e-14)
    np.testing.assert_allclose(matrix["total", "scale"], J["total"]["scale"], rtol=1e-14)
    columns = np.concatenate(
        [
            np.reshape(part, (2, -1))
            for part in (
                J["y"]["layers"][0].weights,
                J["y"]["layers"][0].offset,
                *J["y"]["layers"][1],
                J["y"]["scale"],
            )
        ],
        axis=1,
    )
    np.testing.assert_allclose(np.asarray(matrix)[:2], columns, rtol=1e-14)


# ------------------------------------------------------------ 33: integers


def test_33_integers_at_the_point_become_floating():
    np.testing.assert_array_equal(wg.jacobian(lambda x: x**2)([1, 2, 3]), np.diag([2.0, 4.0, 6.0]))
    for dtype in (np.int8, np.uint8, np.int32, np.int64):
        found = wg.grad(lambda x: np.sum(x / 2))(np.array([1, 2], dtype))
        np.testing.assert_array_equal(found, [0.5, 0.5])
        assert found.dtype == np.float64
    assert wg.grad(lambda x: x**3)(2) == 12.0


def test_33_integers_that_are_data_stay_integers():
    kinds = []

    def function(x, index):
        kinds.append(index.dtype)
        return np.sum(x[index] * index)

    np.testing.assert_array_equal(wg.grad(function)(np.ones(4), np.array([1, 3, 3])), [0, 1, 0, 6])
    assert kinds == [np.int64]


def test_33_a_cast_inside_names_its_line():
    with pytest.raises(TraceLost, match=r"test_30_services\.py"):
        wg.jacobian(lambda x: x.astype(int) * x)([1.5, 2.5])
    with pytest.raises(WengertError):
        wg.jacobian(lambda x: np.int64(x[0]) * x)([1.5, 2.5])


def test_lines_are_counted_by_what_counts_them():
    """The counter of this file sees each line: the helper does not count nothing."""
    before = Line.__init__
    assert recorded_lines(None, lambda: wg.grad(lambda x: np.sum(x * x))(X)) == 3
    assert Line.__init__ is before
