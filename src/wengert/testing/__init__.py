"""Checks of derivatives: of a user's function, and of a primitive's rules."""

from .checks import check_derivatives
from .laws import check_primitive
from .report import Report, Row

__all__ = ["Report", "Row", "check_derivatives", "check_primitive"]
