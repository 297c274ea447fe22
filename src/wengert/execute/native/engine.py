"""The compiler: LLVM IR as text in, addresses of machine code out. Knows LLVM, and nothing of Programs.

One engine serves the process. Text is optimised and turned into an object file, which is kept on disk (see `cache`)
and linked into memory; a `Library` holds the linked code and frees it when it is dropped.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import itertools
import threading
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from . import cache

_lock = threading.Lock()
_names = itertools.count()


class Engine:
    """LLVM set up for this processor."""

    def __init__(self) -> None:
        import llvmlite.binding as llvm

        self.llvm = llvm
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.triple = llvm.get_process_triple()
        self.cpu = llvm.get_host_cpu_name()
        features = llvm.get_host_cpu_features()
        self.features = frozenset(name for name, on in features.items() if on)
        self.flags = features.flatten()
        self.machine = self._machine(2)
        self.layout = str(self.machine.target_data)
        self.jit = llvm.create_lljit_compiler(self._machine(2))
        self.version = ".".join(map(str, llvm.llvm_version_info))

    def _machine(self, level: int) -> Any:
        target = self.llvm.Target.from_triple(self.triple)
        return target.create_target_machine(
            cpu=self.cpu, features=self.flags, opt=level, reloc="pic", codemodel="default"
        )

    @property
    def identity(self) -> str:
        """What an object file depends on besides its text."""
        return f"{self.version} {self.triple} {self.cpu} {self.flags}"

    def optimise(self, text: str, *, loops: bool) -> Any:
        """Parse and optimise; return LLVM's module.

        The text is written without repeated expressions and with its small functions in place, so straight-line code
        needs little more than instruction selection; loops need the vectorisers, and no more than level 1 around them.
        Either choice runs as fast as level 3, and compiles in half the time.
        """
        llvm = self.llvm
        module = llvm.parse_assembly(f'target triple = "{self.triple}"\ntarget datalayout = "{self.layout}"\n{text}')
        module.verify()
        options = llvm.create_pipeline_tuning_options(speed_level=1)
        options.loop_vectorization = loops
        options.slp_vectorization = loops
        # The vectoriser interleaves by itself; unrolling on top of that only makes compilation four times as long.
        options.loop_unrolling = False
        options.loop_interleaving = loops
        builder = llvm.create_pass_builder(self.machine, options)
        if loops:
            passes = builder.getModulePassManager()
        else:
            passes = llvm.create_new_module_pass_manager()
            passes.add_instruction_combine_pass()
            passes.add_simplify_cfg_pass()
        passes.run(module, builder)
        return module

    def object_code(self, text: str, *, loops: bool) -> bytes:
        """Compile to an object file, from the cache on disk where it is there."""
        key = cache.key(self.identity, loops, text)
        found = cache.load(key)
        if found is None:
            found = self.machine.emit_object(self.optimise(text, loops=loops))
            cache.store(key, found)
        return found


class Library:
    """Linked machine code; keep it as long as one of its addresses may be called."""

    __slots__ = ("_tracker", "addresses", "size", "text")

    def __init__(self, text: str, tracker: Any, names: Iterable[str], size: int) -> None:
        self.text = text
        self._tracker = tracker
        self.size = size
        self.addresses: dict[str, int] = {name: tracker[name] for name in names}


@lru_cache(maxsize=1)
def engine() -> Engine:
    """Return the process's engine.

    Raises
    ------
    ImportError, RuntimeError, OSError
        If llvmlite is missing or cannot produce code for this machine.
    """
    return Engine()


def compile_text(
    text: str, exports: Iterable[str], symbols: Mapping[str, int] | None = None, *, loops: bool = True
) -> Library:
    """Compile IR and return its exported functions' addresses.

    Parameters
    ----------
    text : str
        LLVM IR without target lines.
    exports : iterable of str
    symbols : mapping, optional
        Addresses of functions that the text declares. Others are looked up in the process.
    loops : bool
        Whether there are loops to make fast.
    """
    exports = tuple(exports)
    with _lock:  # LLVM's contexts are not for several threads at once
        machine = engine()
        code = machine.object_code(text, loops=loops)
        library = machine.llvm.JITLibraryBuilder().add_object_img(code).add_current_process()
        for name, address in (symbols or {}).items():
            library.import_symbol(name, address)
        for name in exports:
            library.export_symbol(name)
        tracker = library.link(machine.jit, f"wengert{next(_names)}")
    return Library(text, tracker, exports, len(code))


@lru_cache(maxsize=1)
def math_library() -> Any:
    """Return the C mathematics library."""
    import sys

    if sys.platform == "win32":
        return ctypes.CDLL("ucrtbase")
    return ctypes.CDLL(ctypes.util.find_library("m") or None)


@lru_cache(maxsize=256)
def symbol(name: str) -> int | None:
    """Return the address of a C library function, or None where this system lacks it."""
    try:
        return ctypes.cast(getattr(math_library(), name), ctypes.c_void_p).value
    except AttributeError:
        return None
