"""What to try when a derivative was about to be lost, guessed from the line of user code that did it.

Only hints: nothing is decided here, and a line that fits no rule gets the general one.
"""

from __future__ import annotations

import re
import sys

_OF_A_LIST = "np.stack([...]), or np.array([...], like=x), of the list or array of tracked numbers first"

_NUMPY_FRAMES = {
    "_mean": _OF_A_LIST,
    "_var": _OF_A_LIST,
    "_std": _OF_A_LIST,
    "_vectorize_call": "wengert.numpy.vectorize instead of np.vectorize (NumPy's own admits no foreign type)",
    "_get_ufunc_and_otypes": "wengert.numpy.vectorize instead of np.vectorize (NumPy's own admits no foreign type)",
    "mapdomain": "wengert.numpy.polynomial.evaluate(p, x) instead of p(x) (NumPy's class admits no foreign type)",
    "as_strided": "np.lib.stride_tricks.sliding_window_view, or indexing, instead of as_strided",
}

_LINES = (
    (re.compile(r"\bc?math\.(\w+)\("), "np.{0}(...) instead of math.{0}(...)"),
    (
        re.compile(r"\bnp\.(?:as)?array\(\s*[\[(]"),
        "np.stack([...]), np.array([...], like=x) or wengert.numpy.array([...]) instead of np.array([...])",
    ),
    (
        re.compile(r"\b(np\.(?:zeros|ones|full|empty)\([^)]*\))\s*\["),
        "np.zeros_like(x), or {0} with like=x, instead of the plain array",
    ),
    (
        re.compile(r"^([A-Za-z_][\w.]*)\s*\[.*\]\s*(?:[-+*/%@&|^]|\*\*|//)?=(?!=)"),
        "make `{0}` with np.zeros_like(x) instead of np.zeros(...) (np.empty_like, np.zeros(..., like=x) and "
        "x.copy() do as well)",
    ),
    (
        re.compile(r"^([A-Za-z_][\w.]*)\s*(?:[-+*/%@&|^]|\*\*|//)=(?!=)"),
        "make `{0}` with np.zeros_like(x) instead of np.zeros(...), or write {0} = {0} + ... ",
    ),
    (re.compile(r"\bout\s*="), "a buffer made with np.zeros_like(x) or np.empty_like(x) for out="),
    (re.compile(r"\b(float|int|complex)\("), "x itself instead of {0}(x), or x.numpy() if no derivative is wanted"),
    (re.compile(r"\.(?:item|tolist)\("), "x itself, or x.numpy() if no derivative is wanted"),
)

_GENERAL = (
    "NumPy functions on the tensor itself (np.sin, not math.sin; a buffer from np.zeros_like(x), not np.zeros(n)), "
    "np.stack instead of np.array([...]), or x.numpy() if no derivative is wanted"
)


_SPARSE = "a method of a sparse matrix"


def _public(folders: list[str], method: str) -> str:
    """Return the public module of SciPy's that has a function, or else the one that its file belongs to."""
    for depth in range(len(folders), 0, -1):
        name = ".".join(folders[:depth])
        if "._" not in name and hasattr(sys.modules.get(f"scipy.{name}"), method):
            return name
    return "sparse.linalg" if folders[:2] == ["sparse", "linalg"] else folders[0]


def scipy_caller() -> str | None:
    """Return what to use instead of the function of SciPy's that is running, None if none is."""
    import importlib

    found: tuple[str, str, str] | None = None
    frame = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("scipy."):
            method = frame.f_code.co_name
            folders = module.split(".")[1:]
            if folders[0].startswith("_"):  # a wrapper that many functions share
                wrapped = frame.f_locals.get("f")
                folders = getattr(wrapped, "__module__", module).split(".")[1:] or [""]
                method = getattr(wrapped, "__name__", method)
            folder = _public(folders, method)
            me = frame.f_locals.get("self")
            me = getattr(me, "dist", me)
            kind = ""
            public = sys.modules.get(f"scipy.{folder}")
            if folder == "stats" and me is not None:
                name = getattr(me, "name", "")  # a frozen distribution holds a copy of the public one
                known = (
                    n for n, value in vars(public).items() if value is me or (n == name and type(value) is type(me))
                )
                kind = next((f"{n}." for n in known), "")
            if folder == "sparse" and me is not None and method != "__init__":
                kind, method = "", _SPARSE
            elif not kind and me is not None:
                kinds = (c.__name__ for c in type(me).__mro__)
                method = next((name for name in kinds if hasattr(public, name)), "")
            if method == _SPARSE or hasattr(public, (kind + method).split(".")[0]):
                found = folder, kind, method
        elif module.partition(".")[0] not in ("wengert", "numpy", "functools", "contextlib"):
            break  # the user's own line: what calls it is none of ours
        frame = frame.f_back  # type: ignore[assignment]
    if found is None:
        return None
    folder, kind, method = found
    if method == _SPARSE:
        return "A @ x or x @ A, which take tensors (other operations of a sparse matrix do not), or A.toarray()"
    name = f"{folder}.{kind}{method}"
    try:
        face = vars(importlib.import_module(f"wengert.scipy.{folder}"))
    except ImportError:
        face = {}
    if (kind + method).split(".")[0] in face:
        return f"wengert.scipy.{name} instead of scipy.{name} (SciPy's own admits no tensor)"
    return f"wengert.custom_vjp for scipy.{name}, which has no rule here, or x.numpy() if no derivative is wanted"


def advice(where: str) -> str:
    """Return one line to try, for a user line as `errors.user_line` gives it."""
    frame = sys._getframe(1)
    while frame is not None:
        if "numpy" in frame.f_code.co_filename and frame.f_code.co_name in _NUMPY_FRAMES:
            return _NUMPY_FRAMES[frame.f_code.co_name]
        frame = frame.f_back  # type: ignore[assignment]
    named = scipy_caller()
    if named is not None:
        return named
    source = where.split(": ", 1)[1] if ": " in where else ""
    for pattern, hint in _LINES:
        found = pattern.search(source)
        if found:
            return hint.format(*found.groups())
    return _GENERAL
