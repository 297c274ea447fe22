"""The models of the 27 NIST data sets, each as one ordinary NumPy function.

Nothing here knows that it will be differentiated. A model takes the parameters `b` and the predictor `x` and
returns the predicted response. ``b[0]`` is the parameter that NIST calls b1. The formula in each data file is
the source; the two are easy to compare line by line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["MODELS", "response"]

Model = Callable[[Any, Any], Any]


def bennett5(b: Any, x: Any) -> Any:
    """Superconductivity magnetization against the log of time."""
    return b[0] * (b[1] + x) ** (-1 / b[2])


def chwirut(b: Any, x: Any) -> Any:
    """Ultrasonic response against metal distance (Chwirut1 and Chwirut2)."""
    return np.exp(-b[0] * x) / (b[1] + b[2] * x)


def danwood(b: Any, x: Any) -> Any:
    """Energy radiated by a carbon filament against its temperature."""
    return b[0] * x ** b[1]


def eckerle4(b: Any, x: Any) -> Any:
    """Circular interference transmittance against wavelength."""
    return (b[0] / b[1]) * np.exp(-0.5 * ((x - b[2]) / b[1]) ** 2)


def enso(b: Any, x: Any) -> Any:
    """Monthly air pressure differences: an annual cycle and two more of unknown period."""
    return (
        b[0]
        + b[1] * np.cos(2 * np.pi * x / 12)
        + b[2] * np.sin(2 * np.pi * x / 12)
        + b[4] * np.cos(2 * np.pi * x / b[3])
        + b[5] * np.sin(2 * np.pi * x / b[3])
        + b[7] * np.cos(2 * np.pi * x / b[6])
        + b[8] * np.sin(2 * np.pi * x / b[6])
    )


def exponential_growth(b: Any, x: Any) -> Any:
    """Growth that levels off (BoxBOD and Misra1a)."""
    return b[0] * (1 - np.exp(-b[1] * x))


def gauss(b: Any, x: Any) -> Any:
    """Two Gaussian peaks on an exponential baseline (Gauss1, Gauss2, Gauss3)."""
    return (
        b[0] * np.exp(-b[1] * x)
        + b[2] * np.exp(-((x - b[3]) ** 2) / b[4] ** 2)
        + b[5] * np.exp(-((x - b[6]) ** 2) / b[7] ** 2)
    )


def cubic_over_cubic(b: Any, x: Any) -> Any:
    """A rational function (Hahn1 and Thurber)."""
    return (b[0] + b[1] * x + b[2] * x**2 + b[3] * x**3) / (1 + b[4] * x + b[5] * x**2 + b[6] * x**3)


def kirby2(b: Any, x: Any) -> Any:
    """A rational function, quadratic over quadratic: scanning electron microscope line widths."""
    return (b[0] + b[1] * x + b[2] * x**2) / (1 + b[3] * x + b[4] * x**2)


def lanczos(b: Any, x: Any) -> Any:
    """A sum of three decaying exponentials (Lanczos1, Lanczos2, Lanczos3)."""
    return b[0] * np.exp(-b[1] * x) + b[2] * np.exp(-b[3] * x) + b[4] * np.exp(-b[5] * x)


def mgh09(b: Any, x: Any) -> Any:
    """Kowalik and Osborne's problem, linear over quadratic."""
    return b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3])


def mgh10(b: Any, x: Any) -> Any:
    """Meyer's problem: resistance of a thermistor."""
    return b[0] * np.exp(b[1] / (x + b[2]))


def mgh17(b: Any, x: Any) -> Any:
    """Osborne's first problem: a constant and two exponentials."""
    return b[0] + b[1] * np.exp(-x * b[3]) + b[2] * np.exp(-x * b[4])


def misra1b(b: Any, x: Any) -> Any:
    """Monomolecular adsorption, second of four models for the same data."""
    return b[0] * (1 - (1 + b[1] * x / 2) ** (-2))


def misra1c(b: Any, x: Any) -> Any:
    """Monomolecular adsorption, third model."""
    return b[0] * (1 - (1 + 2 * b[1] * x) ** (-0.5))


def misra1d(b: Any, x: Any) -> Any:
    """Monomolecular adsorption, fourth model."""
    return b[0] * b[1] * x * ((1 + b[1] * x) ** (-1))


def nelson(b: Any, x: Any) -> Any:
    """Log of dielectric breakdown strength against time `x[0]` and temperature `x[1]`."""
    return b[0] - b[1] * x[0] * np.exp(-b[2] * x[1])


def rat42(b: Any, x: Any) -> Any:
    """Pasture yield: a sigmoid of three parameters."""
    return b[0] / (1 + np.exp(b[1] - b[2] * x))


def rat43(b: Any, x: Any) -> Any:
    """Onion growth: a sigmoid of four parameters."""
    return b[0] / ((1 + np.exp(b[1] - b[2] * x)) ** (1 / b[3]))


def roszman1(b: Any, x: Any) -> Any:
    """Quantum defects against the excited energy state."""
    return b[0] - b[1] * x - np.arctan(b[2] / (x - b[3])) / np.pi


MODELS: dict[str, Model] = {
    "Bennett5": bennett5,
    "BoxBOD": exponential_growth,
    "Chwirut1": chwirut,
    "Chwirut2": chwirut,
    "DanWood": danwood,
    "ENSO": enso,
    "Eckerle4": eckerle4,
    "Gauss1": gauss,
    "Gauss2": gauss,
    "Gauss3": gauss,
    "Hahn1": cubic_over_cubic,
    "Kirby2": kirby2,
    "Lanczos1": lanczos,
    "Lanczos2": lanczos,
    "Lanczos3": lanczos,
    "MGH09": mgh09,
    "MGH10": mgh10,
    "MGH17": mgh17,
    "Misra1a": exponential_growth,
    "Misra1b": misra1b,
    "Misra1c": misra1c,
    "Misra1d": misra1d,
    "Nelson": nelson,
    "Rat42": rat42,
    "Rat43": rat43,
    "Roszman1": roszman1,
    "Thurber": cubic_over_cubic,
}
"""Name of a data set, as NIST spells it, to its model."""


def response(name: str, y: np.ndarray) -> np.ndarray:
    """Return what the model of the set called `name` predicts: `y` itself, or its log for Nelson."""
    return np.log(y) if name == "Nelson" else y
