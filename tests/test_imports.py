"""The dependency rule: which part of the package may import which.

    typing <- ops <- nn <- entropy <- models <- codec <- cli   (left never sees right)

Read from the syntax tree, so that an import inside a function counts as well.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "dlf_jax"

_BASE = {
    "compilation",
    "compile_cache",
    "errors",
    "extras",
    "files",
    "interruption",
    "libtpu",
    "limits",
    "paths",
    "pytorch_files",
    "strict_json",
    "typing",
}
_NETWORK = _BASE | {"ops", "nn", "entropy", "models"}
_PHOTOS = {"data.formats", "data.image_io"}
_CODEC = _NETWORK | {"entropy_coding", "entropy_coding.partition", "checkpoints"}
# The commands that train, and the options that they share: no other command does.
_TRAINING_COMMANDS = {"cli.aot", "cli.export", "cli.settings", "cli.train"}

_TRAINING = _BASE | _TRAINING_COMMANDS | {"cli", "models", "training"}

# Part -> the parts it may import besides itself. The longest matching prefix of a
# module's dotted name is its part; "" is the façade, dlf_jax/__init__.py.
MAY_IMPORT = {
    "compilation": set(),
    "compile_cache": {"files"},
    "errors": set(),
    "extras": {"errors"},
    "files": {"errors", "interruption"},
    "libtpu": set(),
    "interruption": set(),
    "limits": set(),
    "paths": set(),
    "pytorch_files": {"errors"},
    "strict_json": set(),
    "typing": set(),
    "ops": _BASE,
    "nn": _BASE | {"ops"},
    "entropy": _BASE | {"ops", "nn", "entropy_coding.partition"},
    "models": _NETWORK,
    "entropy_coding": {"errors", "entropy_coding.partition"},
    "entropy_coding.partition": set(),
    "entropy_coding.tfc_coder": {"errors", "entropy_coding"},
    "checkpoints": _NETWORK | {"entropy_coding"},
    "perceptual": _BASE | {"ops", "nn"},
    "metrics": _BASE | {"ops", "perceptual"},
    "data": _BASE | _PHOTOS | {"ops", "data.folders"},
    "data.folders": _BASE | {"data.formats"},
    "data.formats": _BASE,
    "data.images": _BASE | {"data.formats"},
    "data.image_io": _BASE | {"data.formats", "data.images"},
    "codec": _CODEC | {"metrics"},
    "api": _CODEC | {"", "codec"},
    "": {"api"},
    "training": _NETWORK
    | {"entropy_coding", "perceptual", "metrics", "data", "checkpoints"},
    "evaluation": _BASE | {"", "codec", "metrics", "perceptual"} | _PHOTOS,
    "evaluation.tfc": set(),
    "browser": _NETWORK | {"entropy_coding", "checkpoints"},
    "bulk": _BASE | {"codec", "data.folders", "metrics", "evaluation"} | _PHOTOS,
    "cli": _CODEC
    | {"", "codec", "data.folders", "metrics", "evaluation", "bulk", "browser"}
    | _TRAINING_COMMANDS
    | _PHOTOS,
    **dict.fromkeys(_TRAINING_COMMANDS, _TRAINING),
    "cli.export": _TRAINING | {"browser"},
    "__main__": {"cli", "interruption"},
}

_TENSORFLOW = {"tensorflow", "tensorflow_compression", "tensorflow_compression_ops"}
# The second is run by path in another environment: nobody imports it.
_MAY_IMPORT_TENSORFLOW = {"entropy_coding.tfc_coder", "evaluation.tfc"}

# Part -> libraries out of its reach.
NEVER = {
    "entropy_coding": {"jax", "jaxlib", "flax", "optax", "chex", "orbax"},
    "codec": {"optax", "orbax", "grain"},
    "data.folders": {"jax", "grain"},
    "data.formats": {"jax", "grain"},
    "data.image_io": {"jax", "grain"},
    "data.images": {"jax", "grain"},
    "models": {"optax", "orbax", "grain"},
}


def part_of(module: str) -> str:
    """The part of the rule that `module` (dotted, below dlf_jax) belongs to."""
    matches = [p for p in MAY_IMPORT if p and f"{module}.".startswith(f"{p}.")]
    return max(matches, key=len, default="")


def _never(part: str) -> set[str]:
    """Libraries out of reach: for most parts TensorFlow, others by `NEVER`."""
    tensorflow = set() if part in _MAY_IMPORT_TENSORFLOW else _TENSORFLOW
    return tensorflow | NEVER.get(part, set())


def imported(module: str, source: str) -> Iterator[tuple[int, str]]:
    """Yields (line, absolute dotted name) of everything `source` imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            package = f"dlf_jax.{module}".split(".")[: -node.level]
            base = ".".join(package + [node.module or ""]).strip(".")
            for alias in node.names:
                yield node.lineno, f"{base if node.level else node.module}.{alias.name}"


def violations(module: str, source: str) -> list[str]:
    """Says which imports of `source`, the text of `module`, break the rule."""
    part, found = part_of(module), []
    for line, name in imported(module, source):
        top, _, below = name.partition(".")
        if top == "dlf_jax":
            target = part_of(below)
            if target != part and target not in MAY_IMPORT[part]:
                found.append(f"{module}:{line}: {part or 'façade'} imports {name}")
        elif top in _never(part):
            found.append(f"{module}:{line}: {part or 'façade'} imports {name}")
    return found


def _modules() -> dict[str, str]:
    modules = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        # A package's own file counts as module "name.__init__", so that a relative
        # import in it resolves like in its neighbours.
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        modules[name] = path.read_text(encoding="utf-8")
    return modules


def test_package_follows_the_rule():
    modules = _modules()
    assert "models.dlf" in modules and "entropy_coding.tables" in modules
    assert [v for name, text in modules.items() for v in violations(name, text)] == []


def test_every_part_is_in_the_table():
    unknown = {name for name in _modules() if not part_of(name)}
    assert unknown <= {"__init__"}


def test_configs_import_nothing_from_the_package():
    for path in sorted((PACKAGE.parent / "configs").rglob("*.py")):
        names = [n for _, n in imported("configs", path.read_text(encoding="utf-8"))]
        assert not [n for n in names if n.split(".")[0] == "dlf_jax"], path


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ops.windows", "import dlf_jax.nn.swin"),
        ("ops.windows", "from dlf_jax import nn"),
        ("ops.windows", "from ..nn import swin"),
        ("ops.windows", "from dlf_jax.nn.swin import SwinGroup"),
        ("nn.__init__", "from ..models.dlf import DLF"),
        ("entropy_coding.tables", "def f():\n    import jax.numpy as jnp"),
        ("entropy_coding.tables", "from dlf_jax.typing import Float"),
        ("codec.codec", "from dlf_jax.data.pipeline import batches"),
        ("codec.codec", "import optax"),
        ("evaluation.codecs", "from dlf_jax.evaluation.tfc import models"),
        ("evaluation.tfc.serve", "import dlf_jax"),
        ("cli.compress", "from dlf_jax.training.run.loop import train"),
        ("cli.session", "from dlf_jax.training.settings.table import SETTINGS"),
        ("cli.__init__", "from dlf_jax.training.devices import aot"),
        ("metrics.psnr", "import tensorflow as tf"),
        ("entropy_coding.range_coder", "import tensorflow_compression_ops"),
        ("entropy_coding.coders", "from dlf_jax.entropy_coding import tfc_coder"),
        ("checkpoints.store", "from dlf_jax.codec import codec"),
        ("__init__", "from dlf_jax.cli import main"),
    ],
)
def test_a_violation_is_found(module, source):
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("models.dlf", "from dlf_jax.ops.tiling import pad\nimport jax"),
        ("entropy_coding.tables", "from dlf_jax.errors import UserError\nimport numpy"),
        ("entropy_coding.range_coder", "from . import tables"),
        ("entropy_coding.tfc_coder", "import tensorflow as tf"),
        ("cli.train", "from dlf_jax.training.run import loop"),
        ("cli.aot", "from dlf_jax.training.devices import aot"),
        ("cli.export", "from dlf_jax.training.export.export import export"),
        ("cli.settings", "from dlf_jax.training.settings.table import SETTINGS"),
        ("codec.codec", "from dlf_jax.entropy_coding.tables import load"),
    ],
)
def test_an_allowed_import_is_not_reported(module, source):
    assert violations(module, source) == []


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("dlf_jax", ["train", "tfds", "tfc", "evaluate", "beam", "onnx"]),
        ("tests", ["train", "tfds", "test", "evaluate", "beam"]),
    ],
)
def test_every_imported_library_is_declared(folder, extras):
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    listed = list(project["dependencies"])
    for extra in extras:
        listed += project["optional-dependencies"][extra]
    renamed = {
        "absl-py": "absl",
        "orbax-checkpoint": "orbax",
        "pillow": "PIL",
        "pylibjpeg-openjpeg": "openjpeg",
        "pyyaml": "yaml",
        "scikit-image": "skimage",
    }
    declared = {re.match(r"[\w-]+", requirement)[0] for requirement in listed}
    importable = {renamed.get(name, name).replace("-", "_") for name in declared}
    # These have requirements of their own.
    apart = {PACKAGE / "evaluation" / "tfc", PACKAGE.parent / "tests" / "golden"}
    used = {
        name.partition(".")[0]
        for path in (PACKAGE.parent / folder).rglob("*.py")
        if path.parent not in apart
        for _, name in imported("", path.read_text(encoding="utf-8"))
    }
    assert used <= importable | set(sys.stdlib_module_names) | {"dlf_jax", "tests"}
