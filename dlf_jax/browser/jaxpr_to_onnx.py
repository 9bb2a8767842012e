"""Conversion of traced jax functions to ONNX, with sizes known at run time only.

Covers the primitives of this package's networks.  Broadcasts are left to the operators
of ONNX wherever these broadcast by themselves.  The module is long because all rules
are methods of the class that names values.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.extend.core import Literal

from dlf_jax.browser.elementwise import ELEMENTWISE, SAME, onnx_type
from dlf_jax.browser.onnx_graph import Graph
from dlf_jax.browser.values import (
    Value,
    constant,
    from_an_end,
    is_equal,
    is_number,
    is_one,
    is_small,
    other_axes,
)

_END = np.iinfo(np.int64).max


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
        values[variable] = Value(name, shape, dtype)
    results = _Conversion(graph).run(closed, [values[v] for v in closed.jaxpr.invars])
    for value, name in zip(results, outputs, strict=True):
        graph.output(value[0], name, value[1].shape, value[1].dtype)
    return graph.model("dlf")


class _Conversion:
    """Translates the equations of a function one by one."""

    def __init__(self, graph: Graph):
        self._graph = graph

    def run(self, closed: Any, arguments: list[Value]) -> list[tuple[str, Value]]:
        """Names and descriptions of a function's results."""
        results = self._call(closed, arguments)
        return [(self._full(value), value) for value in results]

    def _call(self, closed: Any, arguments: Sequence[Value]) -> list[Value]:
        jaxpr, env = closed.jaxpr, {}

        def read(atom: Any) -> Value:
            if isinstance(atom, Literal):
                return constant(np.asarray(atom.val, atom.aval.dtype))
            return env[atom]

        env.update(zip(jaxpr.invars, arguments, strict=True))
        env.update(zip(jaxpr.constvars, map(constant, closed.consts), strict=True))
        for equation in jaxpr.eqns:
            operands = [read(atom) for atom in equation.invars]
            results = self._equation(equation, operands)
            env.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(self, equation: Any, operands: list[Value]) -> list[Value]:
        primitive, params = equation.primitive.name, equation.params
        inner = params.get("jaxpr", params.get("call_jaxpr"))
        if primitive == "cond" and operands[0].constant is not None:
            index, *operands = operands
            inner = params["branches"][int(index.constant)]
        if inner is not None:
            return self._call(inner, operands)
        shapes = [variable.aval.shape for variable in equation.outvars]
        if (
            operands
            and all(value.constant is not None for value in operands)
            and all(is_small(shape) for shape in shapes)
        ):
            constants = [value.constant for value in operands]
            results = equation.primitive.bind(*constants, **params)
            results = results if equation.primitive.multiple_results else [results]
            return [constant(result) for result in results]
        if primitive in SAME:
            return operands
        if primitive in ELEMENTWISE:
            return [self._elementwise(equation, operands)]
        rule = getattr(self, f"_{primitive}", None)
        if rule is None:
            raise NotImplementedError(f"no rule for the primitive {primitive}")
        names = rule(*operands, **{"shape": shapes[0], **params})
        if isinstance(names, Value):
            return [names]
        return [
            Value(name, variable.aval.shape, variable.aval.dtype)
            for name, variable in zip(names, equation.outvars, strict=True)
        ]

    # Values.

    def _thin(self, value: Value) -> str:
        """The name of a value, where broadcasts may be left to the operator."""
        if value.name is None:
            return self._graph.constant(value.constant, value.dtype)
        return value.name

    def _full(self, value: Value) -> str:
        """The name of a value in its whole shape."""
        if not value.thin:
            return self._thin(value)
        shape = [
            size if axis in value.thin else 1 for axis, size in enumerate(value.shape)
        ]
        return self._one("Expand", self._thin(value), self._graph.sizes(shape))

    def _scalar(self, size: Any) -> str:
        """The name of a size."""
        return self._one(
            "Squeeze", self._graph.sizes([size]), self._graph.constant([0])
        )

    def _one(self, *args: Any, **kwargs: Any) -> str:
        return self._graph.emit(*args, **kwargs)[0]

    # Primitives that work on every element by itself.

    def _elementwise(self, equation: Any, operands: list[Value]) -> Value:
        (variable,) = equation.outvars
        shape = variable.aval.shape
        names = [self._thin(value) for value in operands]
        rule = ELEMENTWISE[equation.primitive.name]
        if isinstance(rule, str):
            name = self._one(rule, *names)
        else:
            name = rule(self._one, self._graph, names, operands, equation.params)
        thin = frozenset(range(len(shape))).intersection(
            *(value.thin for value in operands if len(value.shape))
        )
        return Value(name, shape, variable.aval.dtype, thin)

    # Primitives that move elements.

    def _broadcast_in_dim(self, x, shape, broadcast_dimensions, **_):
        new = [axis for axis in range(len(shape)) if axis not in broadcast_dimensions]
        name = self._thin(x)
        if new:
            name = self._one("Unsqueeze", name, self._graph.constant(new))
        thin = {axis for axis in new if not is_one(shape[axis])}
        for axis, target in enumerate(broadcast_dimensions):
            grown = is_one(x.shape[axis]) and not is_one(shape[target])
            if axis in x.thin or grown:
                thin.add(target)
        return Value(name, shape, x.dtype, frozenset(thin))

    def _reshape(self, x, shape, **_):
        sizes = list(shape)
        unknown = [axis for axis, size in enumerate(sizes) if not is_number(size)]
        for axis in unknown:
            if axis < len(x.shape) and is_equal(x.shape[axis], sizes[axis]):
                sizes[axis] = 0  # the size of the input
        unknown = [axis for axis in unknown if not is_number(sizes[axis])]
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
        return Value(name, shape, x.dtype, thin)

    def _transpose(self, x, permutation, shape, **_):
        thin = frozenset(i for i, axis in enumerate(permutation) if axis in x.thin)
        name = self._one("Transpose", self._thin(x), perm=list(permutation))
        return Value(name, shape, x.dtype, thin)

    def _slice(self, x, start_indices, limit_indices, strides=None, **_):
        strides = strides or [1] * len(start_indices)
        cut = [
            (axis, from_an_end(start, size), from_an_end(end, size) or _END, stride)
            for axis, (start, end, stride, size) in enumerate(
                zip(start_indices, limit_indices, strides, x.shape, strict=True)
            )
            if not (is_equal(start, 0) and is_equal(end, size) and stride == 1)
        ]
        if not cut:
            return [self._full(x)]
        axes, starts, ends, strides = map(list, zip(*cut, strict=True))
        numbers = map(self._graph.constant, (starts, ends, axes, strides))
        return [self._one("Slice", self._full(x), *numbers)]

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
            return self._slice(x, starts, ends)
        kept = [size for axis, size in enumerate(x.shape) if axis not in axes]
        sizes = [size for axis, size in enumerate(slice_sizes) if axis not in axes]
        if not all(map(is_equal, kept, sizes)):
            raise NotImplementedError("indices into parts of an array")
        if len(axes) == 1:
            index = self._one("Squeeze", name, self._graph.constant([batch]))
            before = [*range(axes[0]), *range(axes[0] + batch, len(shape))]
            if list(dimension_numbers.offset_dims) != before:
                raise NotImplementedError("axes of indices among others")
            return [self._one("Gather", self._full(x), index, axis=axes[0])]
        if axes != tuple(range(len(axes))):
            raise NotImplementedError("indices of later axes")
        index = self._one("Cast", name, to=onnx_type(np.int64))
        return [self._one("GatherND", self._full(x), index)]

    # Primitives that make or combine elements.

    def _iota(self, shape, dtype, dimension, **_):
        size = self._scalar(shape[dimension])
        zero, one = self._graph.constant(0), self._graph.constant(1)
        name = self._one("Range", zero, size, one)
        name = self._one("Cast", name, to=onnx_type(dtype))
        new = [axis for axis in range(len(shape)) if axis != dimension]
        if new:
            name = self._one("Unsqueeze", name, self._graph.constant(new))
        return Value(name, shape, np.dtype(dtype), frozenset(new))

    def _platform_index(self, platforms, **_):
        return constant(np.int32(platforms.index(None)))  # any other platform

    def _dim_as_value(self, dim, **_):
        return [self._one("Cast", self._scalar(dim), to=onnx_type(np.int32))]

    def _reduce_sum(self, x, axes, operator="ReduceSum", **_):
        numbers = self._graph.constant(axes)
        return [self._one(operator, self._full(x), numbers, keepdims=0)]

    def _reduce_max(self, x, axes, **_):
        return self._reduce_sum(x, axes, "ReduceMax")

    def _argmin(self, x, axes, index_dtype, **_):
        (axis,) = axes
        name = self._one("ArgMin", self._full(x), axis=axis, keepdims=0)
        return [self._one("Cast", name, to=onnx_type(index_dtype))]

    def _dot_general(self, x, y, dimension_numbers, **_):
        (x_sum, y_sum), (x_batch, y_batch) = dimension_numbers
        x_free = other_axes(x, x_sum, x_batch)
        y_free = other_axes(y, y_sum, y_batch)
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
