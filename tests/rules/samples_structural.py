"""Samples of the primitives that only pass values on."""

import numpy as np
from sample import Sample

A = np.array([[0.7, -1.3], [2.1, 0.4]])

SAMPLES = {
    **{
        name: [Sample((A,)), Sample((A + 1j,)), Sample((np.array(0.5),)), Sample((np.zeros((0, 2)),))]
        for name in ("alias", "watch")
    },
    "stop_gradient": [
        Sample(
            (A,), skip=dict.fromkeys(("forward", "reverse"), "the derivative is declared zero and is not that of x")
        ),
        Sample((np.zeros((0, 2)),)),
    ],
}
