"""The ufuncs of `scipy.special`, all families. Importing this module declares them."""

from __future__ import annotations

from . import special_bessel, special_error, special_gamma, special_other
from .special_base import SEVERAL

__all__ = ["SEVERAL", "special_bessel", "special_error", "special_gamma", "special_other"]
