"""A network traced for a batch of tiles, cut where tiles need their neighbours."""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax.extend.core import Literal

from dlf_jax.codec.plan import Input, Plan, Segment
from dlf_jax.ops.links import BOUNDARY, SURROUNDINGS

_CUTS = (SURROUNDINGS, BOUNDARY)


@dataclasses.dataclass(frozen=True)
class _Equation:
    """An operation; inputs are numbers of values, or arrays."""

    primitive: Any
    params: dict[str, Any]
    inputs: list[Any]
    outputs: list[int]


def split(
    closed: Any, num_params: int, num_places: int
) -> tuple[Plan, list[tuple[Callable, list[Any]]]]:
    """Cuts a traced function of (*parameters, *places of tiles, *values of tiles).

    Returns:
      (the plan, its programs); a program is (function, abstract arguments).
    """
    trace = _Trace(closed)
    return _Cut(trace, num_params, num_places).result()


class _Trace:
    """A traced function as one list of equations, without those that nobody needs.

    Attributes:
      arguments, results: numbers of the function's arguments, and of its results.
      equations: in order.
      avals: shape and type of every number.
    """

    def __init__(self, closed: Any):
        self.avals: list[Any] = []
        equations: list[_Equation] = []
        self.arguments = [self._number(v.aval) for v in closed.jaxpr.invars]
        self.results = self._inline(closed, self.arguments, equations)
        needed = set(self.results)
        self.equations = []
        for equation in reversed(equations):
            if needed.intersection(equation.outputs):
                needed.update(i for i in equation.inputs if isinstance(i, int))
                self.equations.append(equation)
        self.equations.reverse()

    def size(self, number: int) -> int:
        """Bytes of a value."""
        aval = self.avals[number]
        return int(np.prod(aval.shape)) * aval.dtype.itemsize

    def _number(self, aval: Any) -> int:
        self.avals.append(aval)
        return len(self.avals) - 1

    def _inline(
        self, closed: Any, arguments: Sequence[Any], equations: list[_Equation]
    ) -> list[Any]:
        jaxpr = closed.jaxpr
        env = dict(zip(jaxpr.invars, arguments, strict=True))
        env.update(zip(jaxpr.constvars, map(np.asarray, closed.consts), strict=True))

        def read(atom: Any) -> Any:
            if isinstance(atom, Literal):
                return np.asarray(atom.val, atom.aval.dtype)
            return env[atom]

        for equation in jaxpr.eqns:
            inputs, params = [read(a) for a in equation.invars], equation.params
            inner = params.get("jaxpr", params.get("call_jaxpr"))
            if inner is not None:
                results = self._inline(inner, inputs, equations)
            else:
                results = [self._number(v.aval) for v in equation.outvars]
                equations.append(_Equation(equation.primitive, params, inputs, results))
            env.update(zip(equation.outvars, results, strict=True))
        return [read(a) for a in jaxpr.outvars]


class _Cut:
    """Distributes the equations of a trace over segments.

    The level of a value is the largest number of cuts between it and an input of the
    network; None for what depends on parameters and places only, such as masks: that is
    computed wherever it is needed.
    """

    def __init__(self, trace: _Trace, num_params: int, num_places: int):
        self._trace = trace
        self._params = {n: i for i, n in enumerate(trace.arguments[:num_params])}
        self._sources = trace.arguments[num_params:]
        self._maker = {n: e for e in trace.equations for n in e.outputs}
        self._level: dict[int, int | None] = dict.fromkeys(trace.arguments)
        self._level |= dict.fromkeys(self._sources[num_places:], 0)
        for equation in trace.equations:
            levels = [self._level[n] for n in _numbers(equation)]
            levels = [level for level in levels if level is not None]
            level = max(levels, default=None)
            if equation.primitive in _CUTS:
                level += 1
            self._level |= dict.fromkeys(equation.outputs, level)
        self._sink()

    def _sink(self) -> None:
        """Moves equations to later levels where less is then stored in between."""
        level, latest = self._level, {}
        for equation in reversed(self._trace.equations):
            (first, *_), inputs = equation.outputs, _numbers(equation)
            inputs = [n for n in dict.fromkeys(inputs) if level[n] is not None]
            if level[first] is None:
                continue
            if equation.primitive in _CUTS:
                wanted = level[first] - 1
            else:
                wanted = min(
                    (latest[n] for n in equation.outputs if n in latest), default=0
                )
                # The network's inputs are kept anyway.
                stored = sum(map(self._trace.size, set(inputs) - set(self._sources)))
                made = sum(map(self._trace.size, equation.outputs))
                results = set(self._trace.results).intersection(equation.outputs)
                if wanted > level[first] and stored <= made and not results:
                    level |= dict.fromkeys(equation.outputs, wanted)
                wanted = level[first]
            for n in inputs:
                latest[n] = min(latest.get(n, wanted), wanted)

    def result(self) -> tuple[Plan, list[tuple[Callable, list[Any]]]]:
        """The plan and its programs."""
        groups = self._groups()
        home = {
            n: i for i, group in enumerate(groups) for e in group for n in e.outputs
        }
        stored = dict.fromkeys(map(self._origin, self._trace.results))
        for i, group in enumerate(groups):
            for equation in group:
                for n in _numbers(equation):
                    if self._is_cut(n):
                        stored[self._origin(n)] = None
                    elif self._level[n] is not None and home.get(n) not in (None, i):
                        stored[n] = None
        values = {n: i for i, n in enumerate(self._sources)}
        segments, programs, keys = [], [], {}
        for group in groups:
            outputs = [n for e in group for n in e.outputs if n in stored]
            body = self._with_uniform(group)
            inputs = self._inputs(body)
            params = [n for n in inputs if n in self._params]
            others = [n for n in inputs if n not in self._params]
            for n in outputs:
                values[n] = len(values)
            key = self._key(body, params + others, outputs)
            if key not in keys:
                keys[key] = len(programs)
                avals = [self._trace.avals[n] for n in params + others]
                function = _function(body, params + others, outputs)
                programs.append((function, avals))
            segments.append(
                Segment(
                    keys[key],
                    tuple(self._params[n] for n in params),
                    tuple(self._input(n, values) for n in others),
                    tuple(values[n] for n in outputs),
                )
            )
        results = tuple(values[self._origin(n)] for n in self._trace.results)
        shapes = tuple(self._trace.avals[n].shape[1:] for n in values)
        return Plan(tuple(segments), results, shapes), programs

    def _is_cut(self, number: int) -> bool:
        return number in self._maker and self._maker[number].primitive in _CUTS

    def _origin(self, number: int) -> int:
        """The value at the other side of cuts."""
        while self._is_cut(number):
            number = self._maker[number].inputs[0]
        return number

    def _input(self, number: int, values: dict[int, int]) -> Input:
        params = {}
        while self._is_cut(number):
            maker = self._maker[number]
            params |= maker.params
            number = maker.inputs[0]
        return Input(values[number], **params)

    def _groups(self) -> list[list[_Equation]]:
        """Equations of each segment: those of one level that depend on each other."""
        parent: dict[int, int] = {}

        def root(n: int) -> int:
            while parent.setdefault(n, n) != n:
                n = parent[n]
            return n

        equations = [
            e
            for e in self._trace.equations
            if e.primitive not in _CUTS and self._level[e.outputs[0]] is not None
        ]
        for equation in equations:
            for n in _numbers(equation):
                same = self._level[n] == self._level[equation.outputs[0]]
                if same and n in self._maker and not self._is_cut(n):
                    parent[root(n)] = root(equation.outputs[0])
            for n in equation.outputs:
                parent[root(n)] = root(equation.outputs[0])
        groups: dict[int, list[_Equation]] = {}
        for equation in equations:
            groups.setdefault(root(equation.outputs[0]), []).append(equation)
        return sorted(
            groups.values(), key=lambda group: self._level[group[0].outputs[0]]
        )

    def _with_uniform(self, group: list[_Equation]) -> list[_Equation]:
        """Adds the equations without a level that a group needs."""
        needed = {n for e in group for n in _numbers(e)}
        body = list(group)
        uniform = []
        for equation in reversed(self._trace.equations):
            if self._level[equation.outputs[0]] is None and needed.intersection(
                equation.outputs
            ):
                needed.update(_numbers(equation))
                uniform.append(equation)
        return uniform[::-1] + body

    def _inputs(self, body: list[_Equation]) -> list[int]:
        made = {n for e in body for n in e.outputs}
        used = dict.fromkeys(n for e in body for n in _numbers(e))
        return [n for n in used if n not in made]

    def _key(self, body: list[_Equation], inputs: list[int], outputs: list[int]) -> str:
        """Equal for segments that compute the same function."""
        names = {n: i for i, n in enumerate(inputs)}
        digest = hashlib.sha256()

        def add(value: Any) -> None:
            digest.update(repr(value).encode())

        for n in inputs:
            add(self._trace.avals[n].str_short())
        for equation in body:
            add((equation.primitive.name, sorted(equation.params.items())))
            for i in equation.inputs:
                if isinstance(i, int):
                    add(names[i])
                else:
                    add((i.shape, i.dtype.str))
                    digest.update(i.tobytes())
            for n in equation.outputs:
                names[n] = len(names)
        add([names[n] for n in outputs])
        return digest.hexdigest()


def _numbers(equation: _Equation) -> list[int]:
    return [i for i in equation.inputs if isinstance(i, int)]


def _function(
    body: list[_Equation], inputs: list[int], outputs: list[int]
) -> Callable[..., list[Any]]:
    def function(*arguments: Any) -> list[Any]:
        env = dict(zip(inputs, arguments, strict=True))
        for equation in body:
            operands = [env[i] if isinstance(i, int) else i for i in equation.inputs]
            results = equation.primitive.bind(*operands, **equation.params)
            if not equation.primitive.multiple_results:
                results = [results]
            env.update(zip(equation.outputs, results, strict=True))
        return [env[n] for n in outputs]

    return function
