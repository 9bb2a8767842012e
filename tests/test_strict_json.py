"""JSON without NaN and Infinity, and a package that writes no other."""

import ast
import json
import math
from pathlib import Path

import numpy as np
import pytest

from dlf_jax import strict_json
from dlf_jax.metrics.table import restored

PACKAGE = Path(strict_json.__file__).parent


def test_what_is_not_finite_is_null():
    value = {"a": [1.5, math.inf, (-math.inf, np.float64("nan"))], "b": {"c": math.nan}}
    wanted = '{"a": [1.5, null, [null, null]], "b": {"c": null}}'
    assert strict_json.dumps(value) == wanted


@pytest.mark.parametrize(
    "value", [None, True, 0, -1.5, "NaN", [1, [2.0, "é"]], {"a": {"b": []}}]
)
def test_everything_else_is_what_json_makes_of_it(value):
    for options in ({}, {"indent": 1}, {"sort_keys": True}):
        assert strict_json.dumps(value, **options) == json.dumps(value, **options)


def test_infinite_metrics_come_back():
    values = {"psnr": math.inf, "ms_ssim": None, "bytes": 3}
    assert restored(json.loads(strict_json.dumps(values))) == values


def test_nothing_else_in_the_package_writes_json():
    """`serve.py` runs in an environment without the package."""
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in ("dump", "dumps", "to_json")
        and not (isinstance(node.value, ast.Name) and node.value.id == "strict_json")
    }
    assert found == {"strict_json.py", "evaluation/tfc/serve.py"}
