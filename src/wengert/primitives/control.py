"""Primitives for control flow."""
from .base import Primitive, shape_of
from typing import Any
import numpy as np

pack = Primitive(
    "pack",
    lambda *parts: parts,
    abstract=lambda *parts: (tuple(map(shape_of, parts)), tuple(part.dtype for part in parts)),
    vjp=lambda cotangents, _out, *parts, needs: tuple(cotangents),
    jvp=lambda tangents, _out, *parts: tuple(tangents),
    batch=lambda size, batched, *parts: pack(
        *(
            part if flag else np.broadcast_to(part, (size, *shape_of(part)))
            for part, flag in zip(parts, batched, strict=True)
        )
    ),
    reads=lambda i, count: set(),
    family="structural",
)
"""Several values as the results of one line; `pick` takes them apart."""
