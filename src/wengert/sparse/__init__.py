"""Sparse derivatives: patterns from the rules, structured accumulation, colourings, compressed derivatives, plans."""
