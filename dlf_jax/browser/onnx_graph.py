"""ONNX graphs whose sizes are polynomials of sizes of their inputs."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlf_jax.extras import needs

# The newest version that released browsers' runtimes read with all operators in use.
OPSET = 18


class Graph:
    """A graph under construction; values are names.

    Sizes are integers or symbolic dimensions of `jax.export`: sums of products of
    variables, which are sizes of inputs.
    """

    def __init__(self):
        self._onnx = needs("onnx", "onnx")
        self._nodes, self._initializers = [], []
        self._inputs, self._outputs = [], []
        self._constants: dict[tuple, str] = {}
        self._sizes: dict[str, str] = {}

    def input(self, name: str, shape: Sequence[Any], dtype: np.dtype) -> str:
        """Adds an input; sizes that are one variable define this variable."""
        self._inputs.append(self._typed(name, shape, dtype))
        for axis, size in enumerate(shape):
            variable = str(size)
            if variable.isidentifier() and variable not in self._sizes:
                (dims,) = self.emit("Shape", name, start=axis, end=axis + 1)
                self._sizes[variable] = dims
        return name

    def output(self, value: str, name: str, shape: Sequence[Any], dtype: Any) -> None:
        """Names a value as an output."""
        self.emit("Identity", value, outputs=[name])
        self._outputs.append(self._typed(name, shape, dtype))

    def initializer(self, name: str, array: np.ndarray) -> str:
        """Adds an array under a name."""
        tensor = self._onnx.numpy_helper.from_array(array, name)
        self._initializers.append(tensor)
        return name

    def constant(self, value: Any, dtype: Any = np.int64) -> str:
        """A small array; equal ones share an initializer."""
        array = np.asarray(value, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = self.initializer(name, array)
        return self._constants[key]

    def emit(
        self,
        operator: str,
        *inputs: str,
        outputs: Sequence[str] | int = 1,
        **attributes: Any,
    ) -> list[str]:
        """Adds a node and returns the names of its outputs."""
        if isinstance(outputs, int):
            start = f"{operator}_{len(self._nodes)}"
            outputs = [f"{start}_{i}" for i in range(outputs)]
        node = self._onnx.helper.make_node(operator, inputs, outputs, **attributes)
        self._nodes.append(node)
        return list(outputs)

    def sizes(self, shape: Sequence[Any]) -> str:
        """A one-dimensional tensor of sizes."""
        if all(isinstance(size, int) for size in shape):
            return self.constant(shape)
        key = str(tuple(map(str, shape)))
        if key not in self._sizes:
            parts = [self._size(size) for size in shape]
            self._sizes[key] = self._one("Concat", *parts, axis=0)
        return self._sizes[key]

    def model(self, name: str) -> Any:
        """The checked `onnx.ModelProto`, without unused arrays."""
        helper = self._onnx.helper
        used = {value for node in self._nodes for value in node.input}
        initializers = [array for array in self._initializers if array.name in used]
        graph = helper.make_graph(
            self._nodes, name, self._inputs, self._outputs, initializers
        )
        opset = helper.make_opsetid("", OPSET)
        version = helper.find_min_ir_version_for([opset])
        model = helper.make_model(graph, opset_imports=[opset], ir_version=version)
        self._onnx.checker.check_model(model)
        return model

    def _size(self, size: Any) -> str:
        """A tensor of one size."""
        key = str(size)
        if key not in self._sizes:
            self._sizes[key] = self._sum(terms(key))
        return self._sizes[key]

    def _sum(self, polynomial: Mapping[tuple[str, ...], int]) -> str:
        total = None
        for variables, factor in polynomial.items():
            product = self.constant([factor])
            for variable in variables:
                product = self._one("Mul", product, self._sizes[variable])
            total = product if total is None else self._one("Add", total, product)
        return total

    def _one(self, *args: Any, **kwargs: Any) -> str:
        return self.emit(*args, **kwargs)[0]

    def _typed(self, name: str, shape: Sequence[Any], dtype: Any) -> Any:
        kind = self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        shape = [size if isinstance(size, int) else str(size) for size in shape]
        return self._onnx.helper.make_tensor_value_info(name, kind, shape)


def terms(polynomial: str) -> dict[tuple[str, ...], int]:
    """Factor of every product of variables in a text such as ``8*A*B - 4``.

    Raises:
      ValueError: the text is no sum of products.
    """
    found = {}
    for term in polynomial.replace(" - ", " + -").split(" + "):
        factors = term.removeprefix("-").split("*")
        numbers = [int(factor) for factor in factors if factor.isdecimal()]
        variables = tuple(factor for factor in factors if not factor.isdecimal())
        if not all(variable.isidentifier() for variable in variables):
            raise ValueError(f"{polynomial} is no sum of products of sizes")
        found[variables] = math.prod(numbers) * (-1 if term.startswith("-") else 1)
    return found
