"""`tf.errors`: names under which programs catch errors. Each stands for the errors of this library and NumPy's own.

Shapes that do not fit are NumPy's ValueError in most functions, so these are tuples, as `except` takes them.
"""

from __future__ import annotations

from ...errors import WengertError

OpError = InvalidArgumentError = UnimplementedError = FailedPreconditionError = (WengertError, ValueError)
OutOfRangeError = StopIteration
