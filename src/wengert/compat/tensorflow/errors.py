"""`tf.errors`: names under which programs catch errors. Ours all derive from `InvalidArgumentError`."""

from __future__ import annotations

from ...errors import WengertError

OpError = InvalidArgumentError = UnimplementedError = FailedPreconditionError = WengertError
OutOfRangeError = StopIteration
