"""The demo: 27 measured data sets with answers certified to 11 digits, fitted with exact Jacobians.

Run it with ``wengert demo`` or ``make demo``. The data come from NIST's Statistical Reference Datasets; the
folder ``data`` says more. `nist` reads the files, `models` has the formulas as plain NumPy functions, `fit`
solves, `score` compares with the certified answers, and `figure` draws.
"""
