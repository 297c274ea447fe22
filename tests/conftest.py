"""Before anything imports NumPy: one BLAS thread per test process.

The matrices of the tests are tiny. With several test processes on a few cores, a BLAS that starts a thread per core for
each of them spends milliseconds waiting where the work takes microseconds.
"""

import os

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")
