"""Compatibility of versions: exchange of files between environments, and the table.

`launch/test.sh --matrix` runs these commands in the environment of every row:

    python launch/versions.py write ROW     # writes a run, a model and files
    python launch/versions.py record ROW    # records versions and test results
    python launch/versions.py read ROW      # reads the data of all rows

The data are in runs/matrix. Afterwards, in any environment, this command updates
docs/versions.json and the table in docs/versions.md:

    python launch/versions.py table
"""

import datetime
import importlib.metadata
import json
import platform
import runpy
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import click
import jax
import ml_collections
import numpy as np
from etils import epath
from PIL import Image

from dlf_jax.checkpoints.store import load_model
from dlf_jax.codec.catalog import load
from dlf_jax.codec.codec import Codec
from dlf_jax.codec.network import Analysis
from dlf_jax.training.devices.sharding import MeshConfig, make_mesh
from dlf_jax.training.export.export import export
from dlf_jax.training.run import checkpointing
from dlf_jax.training.run.plan import Plan, make_plan
from dlf_jax.training.step.state import TrainState

REPOSITORY = Path(__file__).resolve().parent.parent
MATRIX = REPOSITORY / "launch" / "matrix.txt"
FOLDER = REPOSITORY / "runs" / "matrix"
RESULTS = REPOSITORY / "docs" / "versions.json"
PACKAGES = ("jax", "flax", "orbax-checkpoint", "numpy", "constriction")
_MODEL, _STEP = "dlf-nano", 3


def rows() -> list[str]:
    """Row names of launch/matrix.txt, in order."""
    lines = MATRIX.read_text().splitlines()
    return [line.split()[0] for line in lines if line and not line.startswith("#")]


def write(folder: Path) -> None:
    """Writes a training checkpoint, its exported model, and compressed files."""
    config = _settings()
    run = epath.Path(folder / "run")
    checkpointing.write_config(run, config.to_dict())
    checkpoints = checkpointing.Checkpoints(run)
    state = _state(_plan(config))
    data = {"batch": _STEP}
    checkpoints.save(_STEP, state, config=config.to_dict(), data=data, loss=1.0)
    checkpoints.close()
    export(run, folder / "model", overwrite=True)

    (folder / "files").mkdir(exist_ok=True)
    codec, image = load(_MODEL), _photo()
    for rate in (0, codec.num_rates - 1):
        data, code = codec.encode(image, rate)
        (folder / "files" / f"{rate}.dlf").write_bytes(data)
        np.savez(folder / "files" / f"{rate}.npz", **vars(code))


def read(folder: Path) -> dict[str, str]:
    """Reads the data of another row; returns an error message for each failing kind."""
    checks = {"checkpoint": check_run, "model": check_model, "files": check_files}
    wrong = {}
    for kind, check in checks.items():
        try:
            check(folder)
        except Exception as error:  # any library may fail: that is the result
            message = (str(error).strip() or type(error).__name__).splitlines()[0]
            wrong[kind] = message
    return wrong


def check_run(folder: Path) -> None:
    """Restores the checkpoint of another row as a resumed run would.

    Raises:
      AssertionError: a value differs.
    """
    with tempfile.TemporaryDirectory() as copies:
        run = epath.Path(shutil.copytree(folder / "run", Path(copies) / "run"))
        config = ml_collections.ConfigDict(checkpointing.read_config(run))
        plan = _plan(config)
        checkpoints = checkpointing.Checkpoints(run)
        state, data = checkpoints.restore(plan.shapes, plan.placements)
        checkpoints.close()
        assert data == {"batch": _STEP}, f"the iterator is at {data}"
        jax.tree.map(np.testing.assert_array_equal, state, _state(plan))


def check_model(folder: Path) -> None:
    """Exports the run of another row, and compares the model with the one stored there.

    Raises:
      AssertionError: a value differs.
    """
    theirs = load_model(folder / "model")
    with tempfile.TemporaryDirectory() as copies:
        run = epath.Path(shutil.copytree(folder / "run", Path(copies) / "run"))
        export(run, Path(copies) / "model")
        ours = load_model(Path(copies) / "model")
    assert ours.fingerprint == theirs.fingerprint, "the models differ"
    jax.tree.map(np.testing.assert_array_equal, ours.params, theirs.params)


def check_files(folder: Path) -> None:
    """Decodes files of another row, and encodes the symbols again.

    Raises:
      AssertionError: a symbol or a byte differs.
    """
    codec, image = Codec(load(_MODEL).model), _photo()
    for file in sorted((folder / "files").glob("*.dlf")):
        data = file.read_bytes()
        header, code = codec.decode(data)
        with np.load(file.with_suffix(".npz")) as written:
            for name, found in vars(code).items():
                np.testing.assert_array_equal(found, written[name])
        found = Analysis(code.tokens, lambda rate, y_hat=code.y_hat: y_hat)
        codec.network = SimpleNamespace(analyze=lambda image, found=found: found)
        again, _ = codec.encode(image, header.rate)
        assert again == data, f"{file.name} has other bytes after encoding again"


def record(folder: Path) -> dict[str, Any]:
    """Versions of this environment, and the results of launch/matrix.sh."""
    suite = ElementTree.parse(folder / "tests.xml").getroot().find("testsuite")
    count = {key: int(suite.get(key)) for key in ("tests", "failures", "errors")}
    skipped, failed = int(suite.get("skipped")), count["failures"] + count["errors"]
    return {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        "quickstart": (folder / "quickstart").exists(),
        "passed": count["tests"] - failed - skipped,
        "failed": failed,
        "skipped": skipped,
    }


def table(results: dict[str, dict[str, Any]]) -> str:
    """Markdown table with a line for every row that has results."""
    titles = ["row", "Python", *PACKAGES, "quickstart", "passed", "failed", "skipped"]
    lines = [[*titles, "reads", "date"], ["---"] * (len(titles) + 2)]
    for name, found in results.items():
        readable = [row for row, wrong in found["reads"].items() if not wrong]
        cells = [found["python"], *(found[package] for package in PACKAGES)]
        cells += ["yes" if found["quickstart"] else "no"]
        cells += [found["passed"], found["failed"], found["skipped"]]
        cells += [f"{len(readable)} of {len(found['reads'])}", found["date"]]
        lines.append([f"`{name}`", *map(str, cells)])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _settings() -> ml_collections.ConfigDict:
    shipped = runpy.run_path(str(REPOSITORY / "configs" / "dlf.py"))
    return shipped["get_config"]("preset=smoke,stage=align")


def _plan(config: ml_collections.ConfigDict) -> Plan:
    return make_plan(config, make_mesh(MeshConfig(**config.mesh)))


def _state(plan: Plan) -> TrainState:
    """Training state with the same values in every environment."""
    rng = np.random.default_rng(0)

    def fill(leaf: jax.ShapeDtypeStruct, placement: jax.sharding.Sharding) -> jax.Array:
        values = rng.integers(1, 100, leaf.shape).astype(leaf.dtype) / 128
        return jax.device_put(values.astype(leaf.dtype), placement)

    return jax.tree.map(fill, plan.shapes, plan.placements)


def _photo() -> np.ndarray:
    with Image.open(REPOSITORY / "launch" / "assets" / "coffee.png") as photo:
        return np.asarray(photo.convert("RGB"))[:256, :384]


def _load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def _save(path: Path, found: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n")


@click.group(help=__doc__, context_settings={"max_content_width": 88})
def main() -> None:
    """Parses the command line."""


@main.command("write")
@click.argument("row")
def _write(row: str) -> None:
    write(FOLDER / row)


@main.command("record")
@click.argument("row")
def _record(row: str) -> None:
    _save(FOLDER / row / "result.json", record(FOLDER / row))


@main.command("read")
@click.argument("row")
@click.pass_context
def _read(context: click.Context, row: str) -> None:
    """Checks that this row reads the data of every row that was run here."""
    others = [name for name in rows() if (FOLDER / name / "files").is_dir()]
    found = {name: read(FOLDER / name) for name in others}
    result = FOLDER / row / "result.json"
    _save(result, _load(result) | {"reads": found})
    for name, wrong in found.items():
        outcome = "; ".join(f"{kind}: {text}" for kind, text in wrong.items())
        click.echo(f"{row} reads {name}: {outcome or 'all'}")
    context.exit(int(any(found.values())))


@main.command("table")
def _table() -> None:
    """Merges new results into the table, in the order of launch/matrix.txt."""
    known = _load(RESULTS)
    known |= {
        name: found
        for name in rows()
        if (found := _load(FOLDER / name / "result.json"))
    }
    results = {name: known[name] for name in rows() if name in known}
    _save(RESULTS, results)
    document = RESULTS.with_suffix(".md")
    head = document.read_text().partition("\n| row |")[0]
    document.write_text(f"{head}\n{table(results)}")


if __name__ == "__main__":
    main()
