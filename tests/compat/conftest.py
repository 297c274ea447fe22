"""What PyTorch's spelling keeps per thread is put back after each test."""

import sys
from pathlib import Path

import pytest

# Tables stand next to the tests that read them.
if str(Path(__file__).parent) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def fresh_torch_state():
    if "wengert.compat.torch" not in sys.modules:
        yield
        return
    from wengert.compat.torch import creation, dtypes, printing

    dtype, options, generator = dtypes._default.get(), printing._options.get(), creation._generator.get()
    creation._generator.set(creation.Generator().manual_seed(7))
    yield
    dtypes._default.set(dtype)
    printing._options.set(options)
    creation._generator.set(generator)
