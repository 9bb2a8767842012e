"""Operators of ONNX for primitives that work on every element by itself."""

from collections.abc import Callable
from typing import Any

import numpy as np


def _square(one, graph, names, operands, params):
    return one("Mul", names[0], names[0])


def _integer_pow(one, graph, names, operands, params):
    return one("Pow", names[0], graph.constant(params["y"], operands[0].dtype))


def _rsqrt(one, graph, names, operands, params):
    return one("Reciprocal", one("Sqrt", names[0]))


def _cast(one, graph, names, operands, params):
    return one("Cast", names[0], to=onnx_type(params["new_dtype"]))


def _select(one, graph, names, operands, params):
    condition, otherwise, chosen = names
    return one("Where", condition, chosen, otherwise)


def _shift_right(one, graph, names, operands, params):
    return one("BitShift", *names, direction="RIGHT")


# Primitives whose results are their operands.
SAME = {"stop_gradient", "copy"}
# Operators with the same operands, or functions that add nodes.  Their arguments are a
# function (operator, *names) -> name, the graph, names and values of the operands, and
# the parameters.
ELEMENTWISE: dict[str, str | Callable[..., str]] = {
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "max": "Max",
    "min": "Min",
    "neg": "Neg",
    "erf": "Erf",
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
    "convert_element_type": _cast,
    "select_n": _select,
    "shift_right_logical": _shift_right,
}


def onnx_type(dtype: Any) -> int:
    """Number of a type in ONNX."""
    from onnx.helper import np_dtype_to_tensor_dtype

    return np_dtype_to_tensor_dtype(np.dtype(dtype))
