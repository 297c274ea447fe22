"""Write docs/reference: the API, the primitives and the errors, from the code itself.

    python tools/reference.py            write the pages
    python tools/reference.py --check    exit with 1 if a page is out of date
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "reference"
NOTE = "Made by `python tools/reference.py`; do not edit.\n"


def first_paragraph(text: str | None) -> str:
    """Return a docstring's first paragraph on one line."""
    return " ".join((inspect.cleandoc(text or "")).split("\n\n")[0].split())


def entry(name: str, value: object, level: str = "##") -> list[str]:
    """Return the section of one public name: its signature and docstring."""
    try:
        signature = str(inspect.signature(value)).replace("'", "")  # type: ignore[arg-type]
    except (TypeError, ValueError):
        signature = "(...)"
    text = inspect.cleandoc(value.__doc__ or "")
    short = name.rpartition(".")[2]
    return [f"{level} {name}", "", "```", f"{short}{signature}", "```", "", "```text", text, "```", ""]


def api_page() -> str:
    """Return every public name with its signature and docstring, those of public modules included."""
    import wengert
    from wengert.differentiation.taylor import derivatives

    rows = ["# API", "", NOTE]
    for name in wengert.__all__:
        value = getattr(wengert, name)
        if name == "derivatives":  # the package, which is called
            value = derivatives
        if not inspect.ismodule(value):
            rows += entry(f"wengert.{name}", value)
            continue
        rows += [f"## wengert.{name}", "", first_paragraph(value.__doc__), ""]
        if name == "errors":
            rows += ["Every class has its cause and fix in [errors.md](errors.md).", ""]
            continue
        for member in value.__all__:
            rows += entry(f"wengert.{name}.{member}", getattr(value, member), "###")
    return "\n".join(rows)


def all_primitives() -> dict[str, object]:
    """Return the registry with every module of primitives imported."""
    from wengert import primitives
    from wengert.primitives.base import REGISTRY

    for module in pkgutil.iter_modules(primitives.__path__):
        importlib.import_module(f"wengert.primitives.{module.name}")
    return dict(REGISTRY)


def primitives_page() -> str:
    """Return the table of all primitives and what is known of each."""
    rows = [
        "# Primitives",
        "",
        NOTE,
        "`zero`: the derivative is exactly zero. `loop`: batched one entry after the other.",
        "",
        "| primitive | family | reverse | forward | batched |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, primitive in sorted(all_primitives().items(), key=lambda item: (item[1].family, item[0])):  # type: ignore[attr-defined]
        reverse = "zero" if primitive.vjp is None else "rule"  # type: ignore[attr-defined]
        forward = "zero" if primitive.jvp is None else "rule"  # type: ignore[attr-defined]
        batch = "loop" if getattr(primitive.batch, "loops", False) else "rule"  # type: ignore[attr-defined]
        rows.append(f"| `{name}` | {primitive.family} | {reverse} | {forward} | {batch} |")  # type: ignore[attr-defined]
    return "\n".join(rows) + "\n"


def errors_page() -> str:
    """Return every error with its cause and fix."""
    from wengert import errors

    rows = ["# Errors", "", NOTE, "Every error derives from `WengertError` and from the builtin named with it.", ""]
    for name in errors.__all__:
        kind = getattr(errors, name)
        builtin = next(base.__name__ for base in kind.__mro__ if base.__module__ == "builtins")
        rows += [f"## {name} ({builtin})", "", inspect.cleandoc(kind.__doc__ or ""), ""]
    return "\n".join(rows)


def main(check: bool) -> int:
    """Write or check the pages; return the exit status."""
    pages = {"api.md": api_page(), "primitives.md": primitives_page(), "errors.md": errors_page()}
    stale = [name for name, text in pages.items() if not (PAGES / name).exists() or (PAGES / name).read_text() != text]
    if check:
        for name in stale:
            print(f"docs/reference/{name} is out of date: run python tools/reference.py")
        return 1 if stale else 0
    PAGES.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (PAGES / name).write_text(pages[name])
        print(f"wrote docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
