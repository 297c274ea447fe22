"""Derivatives of functions: products, gradients, Jacobians. All of them record once and walk the lines."""
