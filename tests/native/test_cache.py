"""Machine code on disk: found again by another process, and never trusted without a look."""

import os
import stat
import subprocess
import sys

import numpy as np
import pytest

import wengert as wg
from wengert.execute.native import cache, engine


@pytest.fixture
def cached(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("WENGERT_CACHE", str(folder))
    return folder


def test_an_entry_is_written_and_found(cached):
    name = cache.key("here", True, "text")
    assert cache.load(name) is None
    cache.store(name, b"code")
    assert cache.load(name) == b"code"
    assert stat.S_IMODE(cached.stat().st_mode) == 0o700
    assert [p.suffix for p in cached.iterdir()] == [".o"]


def test_everything_that_matters_is_in_the_key():
    keys = {cache.key(*args) for args in (("a", True, "t"), ("b", True, "t"), ("a", False, "t"), ("a", True, "u"))}
    assert len(keys) == 4


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_a_damaged_entry_is_compiled_again(cached, damage):
    f = wg.jit(lambda x: x * 17.5)
    f(np.ones(3))
    (file,) = cached.glob("*.o")
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if damage is None else damage)
    assert cache.load(file.stem) is None
    assert np.array_equal(wg.jit(lambda x: x * 17.5)(np.ones(3)), [17.5] * 3)
    assert file.read_bytes() == content


def test_an_entry_under_the_name_of_another_one_is_compiled_again(cached):
    """Its checksum was right, and the wrong function ran."""
    wg.jit(lambda x: x * 17.5)(np.ones(3))
    (first,) = cached.glob("*.o")
    content = first.read_bytes()
    wg.jit(lambda x: x + 17.5)(np.ones(3))
    (second,) = (file for file in cached.glob("*.o") if file != first)
    second.write_bytes(content)
    f = wg.jit(lambda x: x + 17.5)
    for _ in range(2):
        assert np.array_equal(f(np.ones(3)), [18.5] * 3)
    assert second.read_bytes() != content


def test_a_folder_that_cannot_be_written_to_is_no_error(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    for folder in (blocked, blocked / "below"):
        monkeypatch.setenv("WENGERT_CACHE", str(folder))
        f = wg.jit(lambda x: x * 18.5)
        f(np.ones(3))
        assert np.array_equal(f(np.ones(3)), [18.5] * 3)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these systems have places of their own")
def test_where_it_is_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("WENGERT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache._prepare.cache_clear()
    try:
        assert cache.folder() == tmp_path / "wengert"
    finally:
        cache._prepare.cache_clear()


def test_turned_off(monkeypatch, tmp_path):
    monkeypatch.setenv("WENGERT_CACHE", "off")
    assert cache.folder() is None
    cache.store("name", b"code")
    assert cache.load("name") is None


def test_a_folder_that_others_may_write_to_is_not_used(monkeypatch, tmp_path):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setenv("WENGERT_CACHE", str(folder))
    assert cache.folder() is None


def test_the_oldest_entries_go_when_there_are_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT_BYTES", 1000)
    for i in range(10):
        file = tmp_path / f"{i}.o"
        file.write_bytes(bytes(200))
        os.utime(file, (i, i))
    cache._trim(tmp_path)
    assert sorted(p.stem for p in tmp_path.iterdir()) == ["8", "9"]


def test_a_second_process_starts_warm(cached):
    code = (
        "import numpy as np, wengert as wg\n"
        "from wengert.execute.native import engine\n"
        "made = []\n"
        "plain = engine.Engine.optimise\n"
        "engine.Engine.optimise = lambda self, *a, **k: (made.append(1), plain(self, *a, **k))[1]\n"
        "f = wg.jit(wg.grad(lambda x: np.sum(np.sin(x) ** 2)))\n"
        "f(np.ones(3)); print(len(made), f(np.ones(3))[0] == f(np.ones(3))[1])\n"
    )
    found = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert found == ["1 True\n", "0 True\n"]


def test_several_processes_at_once(cached):
    code = (
        "import numpy as np, wengert as wg\n"
        "x = np.arange(5.0)\n"
        "for k in range(12):\n"
        "    f = wg.jit(lambda x: np.sin(x) * k)\n"
        "    f(x); assert np.allclose(f(x), np.sin(x) * k)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in running:
        assert process.communicate(timeout=120)[1] == ""
        assert process.returncode == 0
    entries = list(cached.iterdir())
    assert all(cache.load(file.stem) for file in entries) and len(entries) == 12  # no half-written ones are left


def test_the_compiler_is_imported_when_it_is_needed():
    code = "import sys, numpy as np, wengert as wg; wg.grad(np.prod)(np.ones(3)); print('llvmlite' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_text_that_llvm_refuses_is_an_error_not_a_crash():
    with pytest.raises(RuntimeError):
        engine.compile_text("define void @f() { ret i32 1 }", ["f"])
