"""Object files on disk, so that a second process starts warm.

An entry is named by a hash of everything it depends on and begins with a checksum of its name and content; one that does not
match is compiled again. Files are machine code and nothing else: nothing is ever unpickled. The folder is the
user's own (mode 0700); one that others may write to is not used. `WENGERT_CACHE=off` turns the cache off,
`WENGERT_CACHE=/some/folder` moves it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

FORMAT = b"wengert-object-2\n"
# When the folder holds more than this, the entries used longest ago are removed.
LIMIT_BYTES = 256 << 20
_DIGEST = 32


def folder() -> Path | None:
    """Return the folder of the cache, or None if it is turned off."""
    setting = os.environ.get("WENGERT_CACHE", "")
    if setting.lower() in ("off", "0", "no"):
        return None
    return _prepare(setting)


@lru_cache(maxsize=8)
def _prepare(setting: str) -> Path | None:
    if setting:
        path = Path(setting)
    elif sys.platform == "win32":
        path = Path(os.environ.get("LOCALAPPDATA", str(Path.home() / "AppData" / "Local"))) / "wengert" / "cache"
    elif sys.platform == "darwin":
        path = Path.home() / "Library" / "Caches" / "wengert"
    else:
        path = Path(os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")) / "wengert"
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        state = path.stat()
        if hasattr(os, "getuid") and (state.st_uid != os.getuid() or state.st_mode & 0o022):
            return None  # others could put code there for us to run
        _trim(path)
    except (OSError, RuntimeError):
        return None
    return path


def _trim(path: Path) -> None:
    entries = [(entry.stat(), entry.path) for entry in os.scandir(path) if entry.name.endswith(".o")]
    total = sum(state.st_size for state, _ in entries)
    if total <= LIMIT_BYTES:
        return
    for state, name in sorted(entries, key=lambda entry: entry[0].st_mtime):
        if total <= LIMIT_BYTES // 2:
            break
        with contextlib.suppress(OSError):
            os.unlink(name)
        total -= state.st_size


def key(identity: str, loops: bool, text: str) -> str:
    """Return the name of an entry: a hash of library version, compiler, processor, way of compiling and text."""
    from ... import __version__

    parts = "\0".join((FORMAT.decode(), __version__, identity, str(loops), text))
    return hashlib.blake2b(parts.encode(), digest_size=_DIGEST).hexdigest()


def _checksum(name: str, code: bytes) -> bytes:
    """Return the checksum of an entry; that of another entry under this name is another one."""
    return hashlib.blake2b(name.encode() + code, digest_size=_DIGEST).digest()


def load(name: str) -> bytes | None:
    """Return an entry's object code, or None if it is not there or not intact."""
    path = folder()
    if path is None:
        return None
    file = path / f"{name}.o"
    try:
        content = file.read_bytes()
    except OSError:
        return None
    head, code = content[: len(FORMAT) + _DIGEST], content[len(FORMAT) + _DIGEST :]
    if head != FORMAT + _checksum(name, code):
        return None
    with contextlib.suppress(OSError):
        os.utime(file)
    return code


def store(name: str, code: bytes) -> None:
    """Write an entry; a reader sees all of it or nothing. Failure to write is no error."""
    path = folder()
    if path is None:
        return
    content = FORMAT + _checksum(name, code) + code
    try:
        handle, temporary = tempfile.mkstemp(dir=path)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(temporary, path / f"{name}.o")
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError:
        return
