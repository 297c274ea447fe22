"""Rules made of rules: for stacked samples, and for methods of an instance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import tree
from ..errors import AbstractValue, TraceLost, UnsupportedFunction
from ..primitives.base import shape_of
from ..primitives.indexing import stack
from ..primitives.reduction import sum_
from ..recording import Traced
from .custom import CustomRule, one_result, zeros_like_leaf
from .vmap import Vmap


class BatchedRule(CustomRule):
    """A rule for stacked samples, made of a rule for one: the function and its rules are mapped."""

    def __init__(
        self, rule: CustomRule, flags: tuple[bool, ...], structure: tree.Tree, static: Any, results: Any
    ) -> None:
        self.key = (rule, flags, structure, static, results)
        super().__init__(self._function)
        self.needs_values = rule.needs_values
        self.__name__ = rule.__name__
        if rule.rules["vjp"] is not None or rule.rules["jvp"] is None:
            self.rules["vjp"] = self._vjp
        if rule.rules["jvp"] is not None:
            self.rules["jvp"] = self._jvp

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BatchedRule) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __reduce__(self) -> Any:
        return (BatchedRule, self.key)

    def _function(self, *leaves: Any) -> Any:
        rule, flags, structure, static, (outputs, _) = self.key

        def single(*values: Any) -> list[Any]:
            return tree.flatten(rule.function(*tree.unflatten(structure, values), **dict(static)))[0]

        found = _map_samples(single, flags, leaves, rule.needs_values)
        return tree.unflatten(outputs, found) if outputs.is_leaf else found

    def _vjp(self, cotangent: Any, out: Any, *leaves: Any) -> tuple[Any, ...]:
        rule, flags, structure, static, results = self.key
        count = results[0].count
        cotangents = [cotangent] if results[0].is_leaf else list(cotangent)
        outs = [out] if results[0].is_leaf else list(out)

        def single(*values: Any) -> list[Any]:
            mine, inner = values[:count], values[count : 2 * count]
            # A rule with a forward pass runs it again: what it saved belongs to the samples together.
            one = None if rule.rules["forward"] is not None else one_result(inner, results)
            pulled = rule.pull(mine, one, values[2 * count :], structure, static, results)
            return [
                zeros_like_leaf(leaf) if value is None else value
                for value, leaf in zip(pulled, values[2 * count :], strict=True)
            ]

        found = _map_samples(single, (*(True,) * 2 * count, *flags), [*cotangents, *outs, *leaves], rule.needs_values)
        return tuple(value if flag else sum_(value, axis=(0,)) for value, flag in zip(found, flags, strict=True))

    def _jvp(self, tangents: Sequence[Any], out: Any, *leaves: Any) -> Any:
        rule, flags, structure, static, results = self.key
        outs = [out] if results[0].is_leaf else list(out)
        count = results[0].count
        varying = [i for i, tangent in enumerate(tangents) if tangent is not None]

        def single(*values: Any) -> list[Any]:
            filled: list[Any] = [None] * len(leaves)
            for i, tangent in zip(varying, values, strict=False):
                filled[i] = tangent
            one = one_result(values[len(varying) : len(varying) + count], results)
            return rule.push(filled, one, values[len(varying) + count :], structure, static, results)

        axes = (*(flags[i] for i in varying), *(True,) * count, *flags)
        values = [*(tangents[i] for i in varying), *outs, *leaves]
        found = _map_samples(single, axes, values, rule.needs_values)
        return found[0] if results[0].is_leaf else found


def _map_samples(
    function: Callable[..., Any], flags: Sequence[bool], values: Sequence[Any], needs_values: bool = False
) -> list[Any]:
    """Map over samples at once, or one by one where the function leaves NumPy and the samples have values."""
    if not needs_values:
        try:
            return list(Vmap(function, tuple(0 if flag else None for flag in flags))(*values))
        except (AbstractValue, TraceLost, UnsupportedFunction):
            if any(isinstance(value, Traced) and value._data is None for value in values):
                raise
    size = next(shape_of(value)[0] for value, flag in zip(values, flags, strict=True) if flag)
    rows = [
        function(*(value[k] if flag else value for value, flag in zip(values, flags, strict=True))) for k in range(size)
    ]
    return [stack(*column, axis=0) for column in zip(*rows, strict=True)]


class _Patterned(CustomRule):
    """A derivative of a rule as a function of its own, so that the pattern the user declared stays with it."""

    def __init__(self, rule: CustomRule, which: Any, params: dict[str, Any]) -> None:
        self.key = (rule, which, params["structure"], params["static"], params["results"])
        super().__init__(self._function)
        self.__name__ = rule.__name__
        self.needs_values = rule.needs_values

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.key == other.key

    def __hash__(self) -> int:
        return hash((type(self), self.key))

    def __reduce__(self) -> Any:
        rule, which, structure, static, results = self.key
        return (type(self), (rule, which, {"structure": structure, "static": static, "results": results}))

    def _function(self, *values: Any) -> Any:
        raise NotImplementedError


class PatternedPush(_Patterned):
    """Tangents of some arguments, the result and the arguments, to the result's tangent."""

    def _function(self, *values: Any) -> Any:
        rule, moving, structure, static, results = self.key
        count = len(moving)
        leaves = values[count + 1 :]
        tangents: list[Any] = [None] * len(leaves)
        for i, tangent in zip(moving, values[:count], strict=True):
            tangents[i] = tangent
        return rule.push(tangents, values[count], leaves, structure, static, results)[0]

    def dependence(self, shapes: Sequence[Any], out_shape: Any) -> list[Any]:
        """Return the declared pattern for the tangents."""
        rule, moving, _, static, _ = self.key
        declared = rule.pattern_of(shapes[len(moving) + 1 :], out_shape, dict(static))
        return [*(declared[i] for i in moving), *(None,) * (len(shapes) - len(moving))]


class PatternedPull(_Patterned):
    """The result's cotangent, the result and the arguments, to the cotangent of one argument."""

    def _function(self, *values: Any) -> Any:
        rule, which, structure, static, results = self.key
        leaves = values[2:]
        found = rule.pull(values[:1], values[1], leaves, structure, static, results)[which]
        return zeros_like_leaf(leaves[which]) if found is None else found

    def dependence(self, shapes: Sequence[Any], out_shape: Any) -> list[Any]:
        """Return the transpose of the declared pattern for the cotangent."""
        rule, which, _, static, _ = self.key
        declared = rule.pattern_of(shapes[2:], shapes[0], dict(static))[which]
        return [None if declared is None else declared[::-1], *(None,) * (len(shapes) - 1)]


class BoundRule(CustomRule):
    """A rule on a method: the instance is passed on to the function and its rules as their first argument."""

    def __init__(self, rule: CustomRule, instance: Any) -> None:
        self.key = (rule, id(instance))
        self.instance = instance
        given = {
            kind: None if each is None else _Bound(each, instance, 0 if kind in ("forward", "like", "pattern") else 2)
            for kind, each in rule.rules.items()
        }
        super().__init__(_Bound(rule.function, instance, 0), **given)
        self.__name__ = rule.__name__
        self.needs_values = rule.needs_values
        self.origin = rule

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoundRule) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __reduce__(self) -> Any:
        return (BoundRule, (self.origin, self.instance))


class _Bound:
    """A function whose argument at `position` is fixed."""

    def __init__(self, function: Callable[..., Any], instance: Any, position: int) -> None:
        self.function = function
        self.instance = instance
        self.position = position

    def __call__(self, *args: Any, **settings: Any) -> Any:
        return self.function(*args[: self.position], self.instance, *args[self.position :], **settings)
