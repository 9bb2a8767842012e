"""Conversion of traced jax functions to ONNX, with sizes known at run time only.

Covers the primitives of this package's networks.  Broadcasts are left to the operators
of ONNX wherever these broadcast by themselves.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax.extend.core import Literal

from dlf_jax.browser.onnx_graph import Graph

# Values that do not depend on inputs are computed here up to this many elements.
_MAX_FOLDED = 1 << 13
_END = np.iinfo(np.int64).max


@dataclasses.dataclass(frozen=True)
class _Value:
    """A value of the graph.

    Attributes:
      name: in the graph; None for a constant that is not in the graph yet.
      shape: sizes, some of which may be symbolic.
      dtype: its type.
      thin: axes that have one element in the graph, to be broadcast to `shape`.
      constant: the value where it is known.
    """

    name: str | None
    shape: tuple
    dtype: np.dtype
    thin: frozenset[int] = frozenset()
    constant: np.ndarray | None = None


def convert(
    closed: Any, names: Sequence[str], arrays: dict[str, np.ndarray], outputs: list[str]
) -> Any:
    """The ONNX model of a traced function.

    Args:
      closed: as from `jax.make_jaxpr`.
      names: of the function's arguments.
      arrays: values of some arguments, which become part of the model; all others
        become inputs.
      outputs: names of the results.

    Returns:
      An `onnx.ModelProto`.

    Raises:
      NotImplementedError: a primitive, or its use, is unknown here.
    """
    graph, values = Graph(), {}
    for variable, name in zip(closed.jaxpr.invars, names, strict=True):
        shape, dtype = variable.aval.shape, variable.aval.dtype
        if name in arrays:
            graph.initializer(name, arrays[name])
        else:
            graph.input(name, shape, dtype)
        values[variable] = _Value(name, shape, dtype)
    results = _Conversion(graph).run(closed, [values[v] for v in closed.jaxpr.invars])
    for value, name in zip(results, outputs, strict=True):
        graph.output(value[0], name, value[1].shape, value[1].dtype)
    return graph.model("dlf")


class _Conversion:
    """Translates the equations of a function one by one."""

    def __init__(self, graph: Graph):
        self._graph = graph

    def run(self, closed: Any, arguments: list[_Value]) -> list[tuple[str, _Value]]:
        """Names and descriptions of a function's results."""
        results = self._call(closed, arguments)
        return [(self._full(value), value) for value in results]

    def _call(self, closed: Any, arguments: Sequence[_Value]) -> list[_Value]:
        jaxpr, env = closed.jaxpr, {}

        def read(atom: Any) -> _Value:
            if isinstance(atom, Literal):
                return _constant(np.asarray(atom.val, atom.aval.dtype))
            return env[atom]

        env.update(zip(jaxpr.invars, arguments, strict=True))
        env.update(zip(jaxpr.constvars, map(_constant, closed.consts), strict=True))
        for equation in jaxpr.eqns:
            operands = [read(atom) for atom in equation.invars]
            results = self._equation(equation, operands)
            env.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(self, equation: Any, operands: list[_Value]) -> list[_Value]:
        primitive, params = equation.primitive.name, equation.params
        inner = params.get("jaxpr", params.get("call_jaxpr"))
        if inner is not None:
            return self._call(inner, operands)
        shapes = [variable.aval.shape for variable in equation.outvars]
        if (
            operands
            and all(value.constant is not None for value in operands)
            and all(_is_small(shape) for shape in shapes)
        ):
            constants = [value.constant for value in operands]
            results = equation.primitive.bind(*constants, **params)
            results = results if equation.primitive.multiple_results else [results]
            return [_constant(result) for result in results]
        if primitive in _SAME:
            return operands
        if primitive in _ELEMENTWISE:
            return [self._elementwise(equation, operands)]
        rule = getattr(self, f"_{primitive}", None)
        if rule is None:
            raise NotImplementedError(f"no rule for the primitive {primitive}")
        names = rule(*operands, **{"shape": shapes[0], **params})
        if isinstance(names, _Value):
            return [names]
        return [
            _Value(name, variable.aval.shape, variable.aval.dtype)
            for name, variable in zip(names, equation.outvars, strict=True)
        ]

    # Values.

    def _thin(self, value: _Value) -> str:
        """The name of a value, where broadcasts may be left to the operator."""
        if value.name is None:
            return self._graph.constant(value.constant, value.dtype)
        return value.name

    def _full(self, value: _Value) -> str:
        """The name of a value in its whole shape."""
        if not value.thin:
            return self._thin(value)
        shape = [
            size if axis in value.thin else 1 for axis, size in enumerate(value.shape)
        ]
        return self._one("Expand", self._thin(value), self._graph.sizes(shape))

    def _one(self, *args: Any, **kwargs: Any) -> str:
        return self._graph.emit(*args, **kwargs)[0]

    # Primitives that work on every element by itself.

    def _elementwise(self, equation: Any, operands: list[_Value]) -> _Value:
        (variable,) = equation.outvars
        shape = variable.aval.shape
        names = [self._thin(value) for value in operands]
        rule = _ELEMENTWISE[equation.primitive.name]
        if isinstance(rule, str):
            name = self._one(rule, *names)
        else:
            name = rule(self._one, self._graph, names, operands, equation.params)
        thin = frozenset(range(len(shape))).intersection(
            *(value.thin for value in operands if len(value.shape))
        )
        if all(not len(value.shape) for value in operands):
            thin = frozenset()
        return _Value(name, shape, variable.aval.dtype, thin)

    # Primitives that move elements.

    def _broadcast_in_dim(self, x, shape, broadcast_dimensions, **_):
        new = [axis for axis in range(len(shape)) if axis not in broadcast_dimensions]
        name = self._thin(x)
        if new:
            name = self._one("Unsqueeze", name, self._graph.constant(new))
        thin = {axis for axis in new if not _is_one(shape[axis])}
        for axis, target in enumerate(broadcast_dimensions):
            grown = _is_one(x.shape[axis]) and not _is_one(shape[target])
            if axis in x.thin or grown:
                thin.add(target)
        return _Value(name, shape, x.dtype, frozenset(thin))

    def _reshape(self, x, shape, **_):
        sizes = list(shape)
        unknown = [axis for axis, size in enumerate(sizes) if not _is_number(size)]
        for axis in unknown:
            if axis < len(x.shape) and _is_equal(x.shape[axis], sizes[axis]):
                sizes[axis] = 0  # the size of the input
        unknown = [axis for axis in unknown if not _is_number(sizes[axis])]
        if len(unknown) == 1:
            sizes[unknown[0]] = -1  # whatever remains
        elif unknown:
            sizes = shape
        return [self._one("Reshape", self._full(x), self._graph.sizes(sizes))]

    def _squeeze(self, x, dimensions, shape, **_):
        kept = [axis for axis in range(len(x.shape)) if axis not in dimensions]
        thin = frozenset(i for i, axis in enumerate(kept) if axis in x.thin)
        axes = self._graph.constant(dimensions)
        name = self._one("Squeeze", self._thin(x), axes)
        return _Value(name, shape, x.dtype, thin)

    def _transpose(self, x, permutation, shape, **_):
        thin = frozenset(i for i, axis in enumerate(permutation) if axis in x.thin)
        name = self._one("Transpose", self._thin(x), perm=list(permutation))
        return _Value(name, shape, x.dtype, thin)

    def _slice(self, x, start_indices, limit_indices, strides, **_):
        return [self._sliced(x, start_indices, limit_indices, strides)]

    def _sliced(self, x, starts, ends, strides=None):
        """The part of a value between two corners."""
        strides = strides or [1] * len(starts)
        cut = [
            (axis, _from_an_end(start, size), _from_an_end(end, size) or _END, stride)
            for axis, (start, end, stride, size) in enumerate(
                zip(starts, ends, strides, x.shape, strict=True)
            )
            if not (_is_equal(start, 0) and _is_equal(end, size) and stride == 1)
        ]
        if not cut:
            return self._full(x)
        axes, starts, ends, strides = map(list, zip(*cut, strict=True))
        numbers = map(self._graph.constant, (starts, ends, axes, strides))
        return self._one("Slice", self._full(x), *numbers)

    def _concatenate(self, *operands, dimension, **_):
        names = [self._full(value) for value in operands]
        return [self._one("Concat", *names, axis=dimension)]

    def _split(self, x, sizes, axis, **_):
        lengths = self._graph.constant([int(size) for size in sizes])
        return self._graph.emit(
            "Split", self._full(x), lengths, axis=axis, outputs=len(sizes)
        )

    def _pad(self, x, value, padding_config, **_):
        lows, highs, interiors = zip(*padding_config, strict=True)
        if any(interiors) or min(*lows, *highs) < 0:
            raise NotImplementedError("padding between or of fewer elements")
        pads = self._graph.constant([*lows, *highs])
        return [self._one("Pad", self._full(x), pads, self._thin(value))]

    def _gather(self, x, indices, shape, dimension_numbers, slice_sizes, **_):
        collapsed = dimension_numbers.collapsed_slice_dims
        axes = dimension_numbers.start_index_map
        name, batch = self._full(indices), len(indices.shape) - 1
        if collapsed != axes:
            if batch or collapsed or indices.constant is None:
                raise NotImplementedError("slices at several or computed places")
            starts = [0] * len(x.shape)
            for axis, start in zip(axes, indices.constant, strict=True):
                starts[axis] = int(start)
            ends = [a + size for a, size in zip(starts, slice_sizes, strict=True)]
            return [self._sliced(x, starts, ends)]
        kept = [size for axis, size in enumerate(x.shape) if axis not in axes]
        sizes = [size for axis, size in enumerate(slice_sizes) if axis not in axes]
        if not all(map(_is_equal, kept, sizes)):
            raise NotImplementedError("indices into parts of an array")
        if len(axes) == 1:
            index = self._one("Squeeze", name, self._graph.constant([batch]))
            before = [*range(axes[0]), *range(axes[0] + batch, len(shape))]
            if list(dimension_numbers.offset_dims) != before:
                raise NotImplementedError("axes of indices among others")
            return [self._one("Gather", self._full(x), index, axis=axes[0])]
        if axes != tuple(range(len(axes))):
            raise NotImplementedError("indices of later axes")
        index = self._one("Cast", name, to=_type(np.int64))
        return [self._one("GatherND", self._full(x), index)]

    # Primitives that make or combine elements.

    def _iota(self, shape, dtype, dimension, **_):
        size = self._graph.sizes([shape[dimension]])
        scalar = self._one("Squeeze", size, self._graph.constant([0]))
        zero, one = self._graph.constant(0), self._graph.constant(1)
        name = self._one("Range", zero, scalar, one)
        name = self._one("Cast", name, to=_type(dtype))
        new = [axis for axis in range(len(shape)) if axis != dimension]
        if new:
            name = self._one("Unsqueeze", name, self._graph.constant(new))
        return _Value(name, shape, np.dtype(dtype), frozenset(new))

    def _dim_as_value(self, dim, **_):
        size = self._graph.sizes([dim])
        scalar = self._one("Squeeze", size, self._graph.constant([0]))
        return [self._one("Cast", scalar, to=_type(np.int32))]

    def _reduce_sum(self, x, axes, **_):
        numbers = self._graph.constant(axes)
        return [self._one("ReduceSum", self._full(x), numbers, keepdims=0)]

    def _reduce_max(self, x, axes, **_):
        numbers = self._graph.constant(axes)
        return [self._one("ReduceMax", self._full(x), numbers, keepdims=0)]

    def _argmin(self, x, axes, index_dtype, **_):
        (axis,) = axes
        name = self._one("ArgMin", self._full(x), axis=axis, keepdims=0)
        return [self._one("Cast", name, to=_type(index_dtype))]

    def _dot_general(self, x, y, dimension_numbers, **_):
        (x_sum, y_sum), (x_batch, y_batch) = dimension_numbers
        x_free = _other_axes(x, x_sum, x_batch)
        y_free = _other_axes(y, y_sum, y_batch)
        if (
            (len(x_sum), len(y_sum), len(y_free)) != (1, 1, 1)
            or (len(x_free) != 1 and x_batch)
            or not x_free
        ):
            raise NotImplementedError("products that are no products of matrices")
        x = self._ordered(x, [*x_batch, *x_free, *x_sum])
        y = self._ordered(y, [*y_batch, *y_sum, *y_free])
        return [self._one("MatMul", x, y)]

    def _conv_general_dilated(
        self, x, kernel, window_strides, padding, dimension_numbers, **params
    ):
        if {*params["lhs_dilation"], *params["rhs_dilation"]} != {1} or (
            (params["feature_group_count"], params["batch_group_count"]) != (1, 1)
        ):
            raise NotImplementedError("dilated or grouped convolutions")
        x_axes, kernel_axes, axes = dimension_numbers
        name = self._one(
            "Conv",
            self._ordered(x, x_axes),
            self._ordered(kernel, kernel_axes),
            strides=list(window_strides),
            pads=[before for before, _ in padding] + [after for _, after in padding],
        )
        return [self._one("Transpose", name, perm=np.argsort(axes).tolist())]

    def _ordered(self, x, axes):
        """A value in its whole shape with its axes in another order."""
        name = self._full(x)
        if list(axes) == list(range(len(axes))):
            return name
        return self._one("Transpose", name, perm=list(axes))


def _square(one, graph, names, operands, params):
    return one("Mul", names[0], names[0])


def _integer_pow(one, graph, names, operands, params):
    return one("Pow", names[0], graph.constant(params["y"], operands[0].dtype))


def _rsqrt(one, graph, names, operands, params):
    return one("Reciprocal", one("Sqrt", names[0]))


def _erfc(one, graph, names, operands, params):
    return one("Sub", graph.constant(1, operands[0].dtype), one("Erf", names[0]))


def _cast(one, graph, names, operands, params):
    return one("Cast", names[0], to=_type(params["new_dtype"]))


def _select(one, graph, names, operands, params):
    condition, otherwise, chosen = names
    return one("Where", condition, chosen, otherwise)


def _shift_right(one, graph, names, operands, params):
    return one("BitShift", *names, direction="RIGHT")


_SAME = {"stop_gradient", "copy"}
_ELEMENTWISE: dict[str, str | Callable[..., str]] = {
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "max": "Max",
    "min": "Min",
    "neg": "Neg",
    "exp": "Exp",
    "tanh": "Tanh",
    "sqrt": "Sqrt",
    "floor": "Floor",
    "logistic": "Sigmoid",
    "xor": "BitwiseXor",
    "eq": "Equal",
    "lt": "Less",
    "gt": "Greater",
    "ge": "GreaterOrEqual",
    "square": _square,
    "integer_pow": _integer_pow,
    "rsqrt": _rsqrt,
    "erfc": _erfc,
    "convert_element_type": _cast,
    "select_n": _select,
    "shift_right_logical": _shift_right,
}


def _constant(value: Any) -> _Value:
    array = np.asarray(value)
    return _Value(None, array.shape, array.dtype, constant=array)


def _other_axes(x: _Value, *groups: Sequence[int]) -> list[int]:
    taken = {axis for group in groups for axis in group}
    return [axis for axis in range(len(x.shape)) if axis not in taken]


def _from_an_end(place: Any, size: Any) -> int:
    """A place along an axis as a number; from the end, negative or 0, if symbolic."""
    return int(place) if _is_number(place) else int(place - size)


def _is_number(size: Any) -> bool:
    return isinstance(size, int | np.integer)


def _is_one(size: Any) -> bool:
    return _is_number(size) and size == 1


def _is_equal(size: Any, other: Any) -> bool:
    """True for sizes that are equal for all values of the variables."""
    return str(size) == str(other)


def _is_small(shape: Sequence[Any]) -> bool:
    known = all(_is_number(size) for size in shape)
    return known and int(np.prod(shape, dtype=int)) <= _MAX_FOLDED


def _type(dtype: Any) -> int:
    from onnx.helper import np_dtype_to_tensor_dtype

    return np_dtype_to_tensor_dtype(np.dtype(dtype))
