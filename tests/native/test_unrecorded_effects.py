"""Plain calls of derivatives that skip recording: functions with effects run, and warnings and watchers get theirs."""

import math
import re
import sys
import time
import warnings

import numpy as np
import pytest
from native_unrecorded import X, follow, is_skipped, points, reason, same

import wengert as wg
from wengert.differentiation import unrecorded
from wengert.errors import StructureError

pytestmark = pytest.mark.usefixtures("always_pays")


# ---------------------------------------------------------------- effects


COUNTER = 0


def global_counter(x):
    global COUNTER
    COUNTER += 1
    return np.sum(x)


class Box:
    k = 1.0

    def method(self, x):
        return np.sum(x * self.k)

    def __call__(self, x):
        return np.sum(x * self.k)


def effects():
    counter, calls, box, table = 0, [], Box(), {"k": 1.0}
    array, rng, variable, tensor = np.zeros(3), np.random.default_rng(0), wg.Variable([1.0, 2.0, 3.0]), wg.Tensor(X)
    stream = iter(range(1000))

    def nonlocal_counter(x):
        nonlocal counter
        counter += 1
        return np.sum(x) * counter

    def attribute(x):
        box.k = 2.0
        return np.sum(x)

    def prints(x):
        print("called", end="")
        return np.sum(x)

    def appends(x):
        calls.append(1)
        return np.sum(x) * len(calls)

    def catches(x):
        try:
            return np.sum(x)
        except ValueError:
            return x[0]

    def imports(x):
        import math

        return np.sum(x) * math.pi

    def generator(x):
        yield np.sum(x)

    def errstate(x):
        with np.errstate(all="ignore"):
            return np.sum(np.log(x))

    def keyword_only(x, *, k=array):
        return np.sum(x * k)

    def marked(x):
        return np.sum(x)

    marked.count = 1
    return [
        (nonlocal_counter, "it stores to 'counter', a variable of an enclosing function"),
        (global_counter, "it stores to the global 'COUNTER'"),
        (attribute, "'box' is a .*Box|it stores to the attribute 'k'"),
        (prints, "it uses 'print'"),
        (appends, "'calls' is a list"),
        (catches, "a try statement"),
        (imports, "it imports 'math'"),
        (generator, "a generator or coroutine"),
        (errstate, "numpy.errstate"),
        (keyword_only, "has defaults for keyword-only arguments"),
        (marked, "has attributes of its own"),
        (lambda x: np.sum(x) * rng.random(), "'rng' is a numpy.random"),
        (lambda x: np.sum(x) * np.random.random(), "numpy.random"),  # noqa: NPY002
        (lambda x: np.sum(x) * time.time(), "the module 'time'"),
        (lambda x: np.sum(x) * next(stream), "'next'|'stream'"),
        (lambda x: np.sum(x) * box.k, "'box' is a"),
        (lambda x: np.sum(x) * table["k"], "'table' is a dict"),
        (lambda x: np.sum(x * variable), "'variable' is a .*Variable"),
        (lambda x: np.sum(x * tensor), "'tensor' is a .*Tensor"),
        (lambda x: np.sum(x) if array is calls else x[0], "is a list"),
        (lambda x: np.sum(x) if x is array else x[0], "a comparison of identities"),
        (lambda x: np.sum(x) * id(x), "it uses 'id'"),
        (lambda x: np.sum(x.data), "the attribute 'data'"),
        (lambda x: np.sum(x) * len({1, 2, float(id)}), "'id'|a set"),
        (lambda x: np.sum(np.load("x")), "numpy.load"),
        (lambda x: wg.jit(np.sum)(x), "wengert.jit"),
        (lambda x, module=np: np.sum(x) + module.load("x"), "numpy.load"),
        (lambda x, module=time: np.sum(x), "the module 'time'"),
        (lambda x, table=table: np.sum(x), "a default is a dict"),
        (lambda x: np.sum(x) * float(f"{x}"), "a formatted string|the instruction"),
    ]


@pytest.mark.parametrize(("function", "why"), effects(), ids=lambda v: getattr(v, "__name__", ""))
def test_what_is_not_proved_and_why(function, why):

    assert re.search(why, reason(function))


def test_the_bytecode_of_other_versions_is_not_read(monkeypatch):
    monkeypatch.setattr("wengert.differentiation.purity.VERSIONS", ((3, 10),))
    assert reason(lambda x: x) == "the bytecode of this Python is not known"


def test_effects_happen_in_each_call(capsys):
    counter = []

    def f(x):
        counter.append(1)
        print(len(counter))
        return np.sum(x) * len(counter)

    gradient = wg.grad(f)
    for k in range(20):
        same(gradient(X), np.full(3, k + 1.0))
    assert capsys.readouterr().out.split() == [str(k + 1) for k in range(20)]


def test_objects_and_methods_are_recorded():
    box = Box()
    for function in (box, box.method):
        gradient = wg.grad(function)
        for k in range(20):
            box.k = float(k)
            same(gradient(X), np.full(3, float(k)))
        assert "only plain Python functions" in unrecorded.status(gradient)


def test_random_numbers_are_drawn_in_each_call():
    rng = np.random.default_rng(0)
    wanted = np.random.default_rng(0)
    gradient = wg.grad(lambda x: np.sum(x) * rng.random())
    for _ in range(20):
        same(gradient(X), np.full(3, wanted.random()))


def writes_to_data(x, data):
    data[0] = data[0] + 1.0
    return np.sum(x * data)


def writes_through_view(x, data):
    part = data.reshape(-1)[1:]
    part += 1.0
    return np.sum(x * data)


def writes_by_out(x, data):
    np.multiply(data, 2.0, out=data)
    return np.sum(x * data)


def writes_by_function(x, data):
    np.copyto(data, data + 1.0)
    return np.sum(x * data)


def writes_by_method(x, data):
    data.fill(data[0] + 1.0)
    return np.sum(x * data)


def writes_by_position(x, data):
    np.add(data, 1.0, data)
    return np.sum(x * data)


def writes_to_real_part(x, data):
    np.real(data)[0] = x.size + data[0]
    return np.sum(x * data)


def writes_through_split(x, data):
    np.split(data, 3)[1][0] = data[0] + 2.0
    return np.sum(x * data)


def writes_by_option(x, data):
    np.nan_to_num(data, False, 0.0)
    return np.sum(x * data)


def writes_what_was_there(x, data):
    data[:] = data * 1.0
    return np.sum(x * data)


def writes_sometimes(x, data):
    if data[1] < 5.0:
        data[2] = data[2] + 1.0
    return np.sum(x * data)


@pytest.mark.parametrize(
    "function",
    [
        *(writes_to_data, writes_through_view, writes_by_out, writes_by_function, writes_by_method, writes_sometimes),
        *(writes_by_position, writes_to_real_part, writes_through_split, writes_by_option, writes_what_was_there),
    ],
)
@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("layout", [lambda a: a, lambda a: np.repeat(a, 2)[::2]])
def test_writes_to_arrays_of_the_caller_happen_in_each_call(function, outside, layout):
    mine, theirs = layout(np.arange(3.0)), layout(np.arange(3.0))
    if outside:
        data = mine
        gradient = wg.grad(lambda x: function(x, data))
    else:
        gradient = wg.grad(function)
    for k in range(30):
        found = gradient(X + k) if outside else gradient(X + k, mine)
        wanted = wg.grad(function).evaluate(X + k, theirs)
        same(found, wanted)
        assert np.array_equal(mine, theirs)
        if k == 15:
            mine[1] = theirs[1] = 0.0
    if function is not writes_sometimes:
        assert "it writes to an array" in unrecorded.status(gradient)


def test_writes_to_the_differentiated_argument_stay_inside():
    def f(x):
        x[0] = x[1] * 3.0
        x *= 2.0
        return np.sum(x * x)

    x = X.copy()
    gradient = wg.grad(f)
    follow(gradient, lambda k: (x,))
    assert np.array_equal(x, X)


def test_structures_changed_by_the_function():
    def f(x, data):
        data["calls"] = data["calls"] + 1.0
        return np.sum(x) * data["calls"]

    data = {"calls": 0.0}
    gradient = wg.grad(f)
    for k in range(20):
        same(gradient(X, data), np.full(3, k + 1.0))
    assert data["calls"] == 20.0
    assert "it changes a structure" in unrecorded.status(gradient)


def test_local_buffers():
    def f(x):
        y = np.zeros(4)
        weights = np.zeros(3)
        total = x[0] * 0.0
        for i in range(3):
            weights[i] = i + 1.0
            total = total + np.sum(x * weights)
        z = np.zeros_like(x)
        z[1:] = x[:-1] * total
        y[0] = 2.0
        return np.sum(z) * y[0] + total

    gradient = wg.grad(f)
    follow(gradient, points)
    assert is_skipped(gradient)


# ---------------------------------------------------------------- warnings and watchers


def test_floating_point_warnings_are_given_in_each_call():
    gradient = wg.grad(lambda x: np.sum(np.where(x > 0, np.log(x), 0.0)))
    good, bad = np.ones(3), np.array([1.0, -1.0, 2.0])
    for _ in range(10):
        gradient(good)
    assert is_skipped(gradient)
    for _ in range(5):
        with pytest.warns(RuntimeWarning, match="invalid value encountered in log"):
            same(gradient(bad), np.array([1.0, 0.0, 0.5]))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            same(gradient(good), np.ones(3))


def test_warnings_of_what_other_threads_compute():
    before = wg.get_num_threads()
    wg.set_num_threads(2)
    try:
        gradient = wg.grad(lambda x: np.sum(np.log(x) * x))
        x = np.ones(300_000)
        for _ in range(6):
            gradient(x)
        assert is_skipped(gradient)
        for place in (3, 150_002, 299_999):
            x[place] = -1.0
            with pytest.warns(RuntimeWarning, match="invalid value encountered in log"):
                assert np.isnan(gradient(x)[place])
            x[place] = 1.0
            with warnings.catch_warnings():
                warnings.simplefilter("error", RuntimeWarning)
                assert gradient(x)[place] == 1.0
        assert is_skipped(gradient)
    finally:
        wg.set_num_threads(before)


def test_where_the_flags_cannot_be_read_every_call_is_recorded(monkeypatch):
    monkeypatch.setattr(unrecorded, "flags", lambda: None)
    gradient = wg.grad(lambda x: np.sum(np.sin(x)))
    follow(gradient, points, calls=8)
    assert unrecorded.status(gradient) == "recorded in each call: this platform's floating-point flags cannot be read"


def test_an_overflow_in_the_value_alone_is_warned_of():
    gradient = wg.grad(lambda x: np.sum(x * x))
    for _ in range(10):
        gradient(X)
    with pytest.warns(RuntimeWarning, match="overflow"):
        gradient(X * 1e200)


@pytest.mark.parametrize("mode", ["raise", "call", "print", "log"])
def test_error_settings_of_numpy_are_kept(mode, capfd):
    gradient = wg.grad(lambda x: np.sum(np.exp(x)))
    for _ in range(10):
        gradient(X)
    assert is_skipped(gradient)
    seen = []

    class Log:
        def write(self, text):
            seen.append(text)

    with np.errstate(over=mode, call=Log() if mode == "log" else lambda *args: seen.append(args)):
        if mode == "raise":
            with pytest.raises(FloatingPointError):
                gradient(X * 1e4)
        else:
            gradient(X * 1e4)
            assert seen or "overflow" in capfd.readouterr().err


def test_warnings_as_errors():
    gradient = wg.grad(lambda x: np.sum(1.0 / x))
    for _ in range(10):
        gradient(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            gradient(np.zeros(3))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=DeprecationWarning)
        same(gradient(X), -1 / X**2)


def test_a_debugger_sees_the_function_run():
    seen = []
    gradient = wg.grad(lambda x: np.sum(np.sin(x)))
    for _ in range(10):
        gradient(X)
    assert is_skipped(gradient)
    code = gradient.function.__code__
    before = sys.gettrace()
    sys.settrace(lambda frame, event, arg: seen.append(frame.f_code is code))
    try:
        gradient(X)
    finally:
        sys.settrace(before)
    assert any(seen)


def test_tapes_and_outer_derivatives_record_it():
    w = wg.Variable([1.0, 2.0, 3.0])
    gradient = wg.grad(lambda x: np.sum(np.sin(x) * np.cos(x)))
    for _ in range(10):
        gradient(X)
    assert is_skipped(gradient)
    with wg.GradientTape() as tape:
        y = np.sum(gradient(w) ** 2)
    inner = np.cos(2 * np.asarray(w))
    np.testing.assert_allclose(np.asarray(tape.gradient(y, w)), -4 * inner * np.sin(2 * np.asarray(w)))
    np.testing.assert_allclose(wg.jacobian(gradient)(X), np.diag(-2 * np.sin(2 * X)), atol=1e-15)
    np.testing.assert_allclose(wg.vmap(gradient)(np.stack([X, 2 * X])), np.cos(2 * np.stack([X, 2 * X])))
    np.testing.assert_allclose(wg.jit(gradient)(X), np.cos(2 * X))
    assert isinstance(gradient(wg.Tensor(X)), wg.Tensor)


def test_calls_with_tensors_do_not_stand_in_the_way_of_others():
    gradient = wg.grad(lambda x: np.sum(np.sin(x)))
    for _ in range(20):
        np.testing.assert_allclose(wg.vmap(gradient)(np.stack([X, X])), np.cos(np.stack([X, X])))
        assert isinstance(gradient(wg.Tensor(X)), wg.Tensor)
    for _ in range(5):
        same(gradient(X), np.cos(X))
    assert is_skipped(gradient)


def test_subclasses_are_recorded():
    class Mine(np.ndarray):
        pass

    gradient = wg.grad(lambda x, w: np.sum(np.sin(x) * w))
    follow(gradient, lambda k: (X.view(Mine) if k % 2 else X, X))
    gradient(X, X)
    with pytest.raises(TypeError, match="returned NotImplemented"):
        gradient(X, X.view(Mine))


def module_level(x):
    return np.sum(np.sin(x) * math.pi)


def test_derivatives_whose_options_are_not_known_are_recorded():
    class Mine(type(wg.grad(module_level))):
        sign = 1.0

        def evaluate(self, *args, **kwargs):
            return self.sign * super().evaluate(*args, **kwargs)

    for k in range(20):
        derivative = Mine(module_level)
        derivative.sign = float(k)
        same(derivative(X), np.cos(X) * math.pi * k)
        same(wg.grad(lambda x, d=derivative: np.sum(d(x)))(X), -np.sin(X) * math.pi * k)
        same(wg.jacobian(derivative)(X), np.diag(-np.sin(X) * math.pi * k))


def test_wrong_options_are_still_errors():
    def f(x):
        return np.sum(x)

    gradient = wg.grad(f)
    for _ in range(10):
        gradient(X)
    with pytest.raises(StructureError, match="argnums must be an int"):
        wg.grad(f, argnums=[0])(X)
    with pytest.raises(StructureError, match="argnums must be an int"):
        wg.grad(f, argnums=False)(X)
