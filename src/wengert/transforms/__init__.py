"""Rewriting recorded lines and Programs: reverse, forward, batch, simplify."""
