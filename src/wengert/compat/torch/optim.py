"""`torch.optim`: the optimisers that tutorials use, each from its own update formula."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import ArgumentError, StructureError
from ...recording import Traced
from .missing import missing
from .modes import enable_grad, no_grad

__getattr__ = missing("torch.optim")


class Optimizer(ABC):
    """Base of the optimisers: parameter groups with their settings, and the state of each parameter."""

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        given = list(params)
        if not given:
            raise ArgumentError("the optimizer got an empty list of parameters")
        groups = given if isinstance(given[0], dict) else [{"params": given}]
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        for group in groups:
            values = group["params"]
            values = [values] if isinstance(values, Traced) else list(values)
            for value in values:
                if not isinstance(value, Traced):
                    raise StructureError(
                        f"the optimizer can only optimize tensors, but one of the parameters is {type(value).__name__}"
                    )
                if not value.is_leaf:  # type: ignore[attr-defined]
                    raise ArgumentError(
                        "the optimizer can only optimize leaf tensors", hint="x.detach().requires_grad_()"
                    )
            self.param_groups.append({**defaults, **group, "params": values})
        self.state: dict[Any, dict[str, Any]] = {}

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none or p.grad is None:
                    p.grad = None
                else:
                    p.grad.detach().zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move each parameter by its gradient; `closure`, if given, computes the loss again first."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        gradient = np.asarray(p.grad.detach()._data)
                        change = self._change(np.asarray(p._data), gradient, group, self.state.setdefault(p, {}))
                        p._assign(p.detach() + change.astype(gradient.dtype))
        return loss

    @abstractmethod
    def _change(
        self, value: np.ndarray, gradient: np.ndarray, group: dict[str, Any], state: dict[str, Any]
    ) -> np.ndarray: ...


class SGD(Optimizer):
    """Gradient descent with momentum (Sutskever et al., 2013, in PyTorch's form)."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
        )

    def _change(
        self, value: np.ndarray, gradient: np.ndarray, group: dict[str, Any], state: dict[str, Any]
    ) -> np.ndarray:
        g = -gradient if group["maximize"] else gradient
        if group["weight_decay"]:
            g = g + group["weight_decay"] * value
        if group["momentum"]:
            known = state.get("momentum_buffer")
            velocity = g if known is None else group["momentum"] * known + (1 - group["dampening"]) * g
            state["momentum_buffer"] = velocity
            g = g + group["momentum"] * velocity if group["nesterov"] else velocity
        return -group["lr"] * g


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015, algorithm 1)."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
            },
        )

    def _change(
        self, value: np.ndarray, gradient: np.ndarray, group: dict[str, Any], state: dict[str, Any]
    ) -> np.ndarray:
        first, second = group["betas"]
        g = -gradient if group["maximize"] else gradient
        if group["weight_decay"]:
            g = g + group["weight_decay"] * value
        t = state["step"] = state.get("step", 0) + 1
        m = state["exp_avg"] = first * state.get("exp_avg", 0) + (1 - first) * g
        v = state["exp_avg_sq"] = second * state.get("exp_avg_sq", 0) + (1 - second) * g * g
        if group["amsgrad"]:
            v = state["max_exp_avg_sq"] = np.maximum(v, state.get("max_exp_avg_sq", 0))
        return -group["lr"] * (m / (1 - first**t)) / (np.sqrt(v / (1 - second**t)) + group["eps"])


class RMSprop(Optimizer):
    """RMSprop (Hinton's lecture 6e, 2012)."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "alpha": alpha,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "centered": centered,
            },
        )

    def _change(
        self, value: np.ndarray, gradient: np.ndarray, group: dict[str, Any], state: dict[str, Any]
    ) -> np.ndarray:
        g = gradient + group["weight_decay"] * value if group["weight_decay"] else gradient
        a = group["alpha"]
        mean = state["square_avg"] = a * state.get("square_avg", 0) + (1 - a) * g * g
        if group["centered"]:
            average = state["grad_avg"] = a * state.get("grad_avg", 0) + (1 - a) * g
            mean = mean - average * average
        step = g / (np.sqrt(mean) + group["eps"])
        if group["momentum"]:
            step = state["momentum_buffer"] = group["momentum"] * state.get("momentum_buffer", 0) + step
        return -group["lr"] * step
