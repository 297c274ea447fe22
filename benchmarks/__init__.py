"""Benchmarks: each module has a `main()` that prints a table of ratios taken in one run."""
