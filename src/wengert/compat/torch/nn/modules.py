"""`torch.nn`: parameters and the modules that tutorials use."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ....errors import ArgumentError, GraphArgumentError, MissingName, StructureError
from ....recording import Traced, wrap
from .. import creation
from ..tensor import Tensor
from . import functional as F


class Parameter(Tensor):
    """A leaf that requires a gradient and belongs to a module."""

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Parameter:
        """Make a parameter of the values' own dtype."""
        values = (
            np.zeros(0, np.float32) if data is None else np.asarray(data._data if isinstance(data, Traced) else data)
        )
        made = wrap(_Raw, values)
        made.__class__ = cls
        if requires_grad:
            made.requires_grad_()
        return made

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        pass  # made in __new__, so that the base's conversion to the default dtype does not happen

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()

    __str__ = __repr__


class _Raw(Tensor):
    pass


class Module:
    """A function with parameters; subclasses define `forward`."""

    training = True

    def __init__(self) -> None:
        self._parameters: dict[str, Any] = {}
        self._buffers: dict[str, Any] = {}
        self._modules: dict[str, Any] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        tables = self.__dict__
        if isinstance(value, Parameter | Module) and "_parameters" not in tables:
            raise StructureError(
                f"cannot assign {name!r} before Module.__init__() was called", hint="super().__init__() first"
            )
        if isinstance(value, Parameter):
            tables["_parameters"][name] = value
        elif isinstance(value, Module):
            tables["_modules"][name] = value
        elif name in tables.get("_buffers", {}):
            tables["_buffers"][name] = value
        elif name in tables.get("_parameters", {}):
            tables["_parameters"][name] = value
        else:
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        for table in ("_parameters", "_buffers", "_modules"):
            found = self.__dict__.get(table, {})
            if name in found:
                return found[name]
        raise MissingName(f"{type(self).__name__} has no attribute {name!r}")

    def register_parameter(self, name: str, param: Any) -> None:
        """Give the module a parameter, or None."""
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Give the module a tensor that is not trained."""
        self._buffers[name] = tensor

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the result; to be overridden."""
        raise MissingName(f"{type(self).__name__} does not define forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the result."""
        return self.forward(*args, **kwargs)

    # ------------------------------------------------------------ walking

    def children(self) -> Iterator[Module]:
        """Iterate over the modules directly inside."""
        return (module for module in self._modules.values() if module is not None)

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Iterate over this module and all inside, with their dotted names."""
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator[Module]:
        """Iterate over this module and all inside."""
        return (module for _, module in self.named_modules())

    def _named(self, table: str) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for name, value in getattr(module, table).items():
                if value is not None and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{prefix}.{name}" if prefix else name, value

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """Iterate over parameters with their dotted names; a shared one comes once."""
        return self._named("_parameters")

    def parameters(self) -> Iterator[Any]:
        """Iterate over parameters."""
        return (value for _, value in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Any]]:
        """Iterate over buffers with their dotted names."""
        return self._named("_buffers")

    def buffers(self) -> Iterator[Any]:
        """Iterate over buffers."""
        return (value for _, value in self.named_buffers())

    def state_dict(self) -> dict[str, Any]:
        """Return parameters and buffers by name, without history."""
        return OrderedDict((name, value.detach()) for name, value in (*self.named_parameters(), *self.named_buffers()))

    def load_state_dict(self, state_dict: dict[str, Any], strict: bool = True) -> None:
        """Take on values by name.

        Raises ArgumentError if `strict` and names are missing or unknown.
        """
        own = dict((*self.named_parameters(), *self.named_buffers()))
        if strict and set(own) != set(state_dict):
            raise ArgumentError(
                f"load_state_dict: missing {sorted(set(own) - set(state_dict))}, "
                f"unknown {sorted(set(state_dict) - set(own))}"
            )
        for name, value in state_dict.items():
            if name in own:
                own[name].data = value

    def apply(self, fn: Callable[[Module], Any]) -> Module:
        """Call a function on this module and all inside."""
        for module in self.modules():
            fn(module)
        return self

    def train(self, mode: bool = True) -> Module:
        """Switch to training (dropout acts) or back."""
        for module in self.modules():
            object.__setattr__(module, "training", mode)
        return self

    def eval(self) -> Module:
        """Switch training off."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Ask for gradients of all parameters, or no longer."""
        for value in self.parameters():
            value.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for value in self.parameters():
            if set_to_none or value.grad is None:
                value.grad = None
            else:
                value.grad.detach().zero_()

    def to(self, *args: Any, **kwargs: Any) -> Module:
        """Convert parameters and buffers to another dtype."""
        for value in (*self.parameters(), *self.buffers()):
            if value.dtype.kind in "fc":
                value.data = value.detach().to(*args, **kwargs)
        return self

    def double(self) -> Module:
        """Convert to float64."""
        from ..dtypes import float64

        return self.to(float64)

    def float(self) -> Module:
        """Convert to float32."""
        from ..dtypes import float32

        return self.to(float32)

    def _call_with(self, given: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any], strict: bool) -> Any:
        """Call with other tensors in place of parameters and buffers."""
        places = {}
        for prefix, module in self.named_modules():
            for table in (module._parameters, module._buffers):
                for name in table:
                    places[f"{prefix}.{name}" if prefix else name] = (table, name)
        if strict and set(places) != set(given):
            raise GraphArgumentError(
                f"functional_call: missing {sorted(set(places) - set(given))}, "
                f"unknown {sorted(set(given) - set(places))}"
            )
        before = {key: table[name] for key, (table, name) in places.items()}
        shared = {id(before[key]): value for key, value in given.items() if key in before}
        try:
            for key, (table, name) in places.items():
                table[name] = given.get(key, shared.get(id(before[key]), before[key]))
            return self(*args, **kwargs)
        finally:
            for key, (table, name) in places.items():
                table[name] = before[key]

    def extra_repr(self) -> str:
        """Return what stands between the parentheses when printed."""
        return ""

    def __repr__(self) -> str:
        if not self._modules:
            return f"{type(self).__name__}({self.extra_repr()})"
        rows = [f"({name}): {module!r}".replace("\n", "\n  ") for name, module in self._modules.items()]
        return f"{type(self).__name__}(\n  " + "\n  ".join(rows) + "\n)"


class Linear(Module):
    """`x @ weight.T + bias`, started as in PyTorch from uniform numbers within 1/sqrt(in_features)."""

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        bound = 1 / math.sqrt(in_features) if in_features else 0.0
        self.weight = Parameter(creation.rand(out_features, in_features, dtype=dtype) * (2 * bound) - bound)
        if bias:
            self.bias = Parameter(creation.rand(out_features, dtype=dtype) * (2 * bound) - bound)
        else:
            self.register_parameter("bias", None)

    def forward(self, input: Any) -> Any:
        """Return the product."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Sequential(Module):
    """Modules applied one after the other."""

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = (
            args[0].items()
            if len(args) == 1 and isinstance(args[0], OrderedDict)
            else ((str(i), m) for i, m in enumerate(args))
        )
        for name, module in named:
            self._modules[name] = module

    def forward(self, input: Any) -> Any:
        """Apply the modules."""
        for module in self._modules.values():
            input = module(input)
        return input

    def __getitem__(self, key: Any) -> Any:
        found = list(self._modules.values())[key]
        return Sequential(*found) if isinstance(key, slice) else found

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())


class ModuleList(Sequential):
    """A list of modules."""

    def __init__(self, modules: Any = ()) -> None:
        super().__init__(*modules)

    def append(self, module: Module) -> ModuleList:
        """Add a module at the end."""
        self._modules[str(len(self))] = module
        return self


class Flatten(Module):
    """Make one axis of several."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Any) -> Any:
        """Flatten."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """Return the axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """The input itself."""

    def forward(self, input: Any) -> Any:
        """Return the input."""
        return input


def _activation(name: str, function: Any, *defaults: tuple[str, Any]) -> type[Module]:
    """Return the module class of a function with settings."""

    def init(self: Any, *args: Any, inplace: bool = False, **kwargs: Any) -> None:
        Module.__init__(self)
        names = [key for key, _ in defaults]
        self.settings = {**dict(defaults), **dict(zip(names, args)), **kwargs}

    def forward(self: Any, input: Any) -> Any:
        return function(input, **self.settings)

    def extra_repr(self: Any) -> str:
        return ", ".join(f"{key}={value}" for key, value in self.settings.items())

    return type(
        name,
        (Module,),
        {
            "__init__": init,
            "forward": forward,
            "extra_repr": extra_repr,
            "__doc__": f"`functional.{function.__name__}` as a module.",
        },
    )


ReLU = _activation("ReLU", F.relu)
Sigmoid = _activation("Sigmoid", F.sigmoid)
Tanh = _activation("Tanh", F.tanh)
SiLU = _activation("SiLU", F.silu)
GELU = _activation("GELU", F.gelu, ("approximate", "none"))
ELU = _activation("ELU", F.elu, ("alpha", 1.0))
LeakyReLU = _activation("LeakyReLU", F.leaky_relu, ("negative_slope", 0.01))
Softplus = _activation("Softplus", F.softplus, ("beta", 1.0), ("threshold", 20.0))
LogSigmoid = _activation("LogSigmoid", F.logsigmoid)
Softsign = _activation("Softsign", F.softsign)
Softmax = _activation("Softmax", F.softmax, ("dim", None))
LogSoftmax = _activation("LogSoftmax", F.log_softmax, ("dim", None))


def _loss(name: str, function: Any, *settings: tuple[str, Any]) -> type[Module]:
    """Return the module class of a loss."""

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        Module.__init__(self)
        names = [key for key, _ in settings]
        self.settings = {**dict(settings), **dict(zip(names, args)), **kwargs}

    def forward(self: Any, input: Any, target: Any) -> Any:
        return function(input, target, **self.settings)

    return type(
        name,
        (Module,),
        {"__init__": init, "forward": forward, "__doc__": f"`functional.{function.__name__}` as a module."},
    )


MSELoss = _loss("MSELoss", F.mse_loss, ("reduction", "mean"))
L1Loss = _loss("L1Loss", F.l1_loss, ("reduction", "mean"))
SmoothL1Loss = _loss("SmoothL1Loss", F.smooth_l1_loss, ("reduction", "mean"), ("beta", 1.0))
HuberLoss = _loss("HuberLoss", F.huber_loss, ("reduction", "mean"), ("delta", 1.0))
CrossEntropyLoss = _loss("CrossEntropyLoss", F.cross_entropy, ("weight", None), ("reduction", "mean"))
NLLLoss = _loss("NLLLoss", F.nll_loss, ("weight", None), ("reduction", "mean"))
BCELoss = _loss("BCELoss", F.binary_cross_entropy, ("weight", None), ("reduction", "mean"))
BCEWithLogitsLoss = _loss(
    "BCEWithLogitsLoss", F.binary_cross_entropy_with_logits, ("weight", None), ("reduction", "mean")
)
