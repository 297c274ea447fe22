"""Looking at what was recorded: the list of operations with their user lines, where a NaN or a zero comes from."""

from .listing import Listing, listing
from .nan import check_nan
from .zero import why_zero

__all__ = ["Listing", "check_nan", "listing", "why_zero"]
