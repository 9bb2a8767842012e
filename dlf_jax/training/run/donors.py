"""Donors: earlier stages and models whose parameters a stage starts from."""

import collections
import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from dlf_jax.checkpoints.store import (
    bundled_models,
    is_directory_of_weights,
    load_donor,
)
from dlf_jax.errors import UserError
from dlf_jax.paths import flatten, nest
from dlf_jax.training.run import checkpointing
from dlf_jax.training.stages.table import Rules

# Among donors: what none of them has starts at random.
RANDOM = "none"


class Inheritance(NamedTuple):
    """What donors leave to a stage.

    Attributes:
      params: parameters; shapes where no donor has them.
      moments: of the last donor's optimiser; None where it is a model, or none.
      reports: lines for people.
    """

    params: Any
    moments: Any
    reports: Sequence[str]


def inherit(stage: str, init_from: str, shapes: Any, needs: Rules) -> Inheritance:
    """Reads the donors of a stage.

    Args:
      stage: its name, for messages.
      init_from: training runs and models, separated by commas, the last one winning;
        `RANDOM` among them says that needs may be missing.
      shapes: of the parameters.
      needs: see `dlf_jax.training.stages.table.Stage`.

    Raises:
      UserError: a donor cannot be read or has nothing for this stage, or all of them
        lack what the stage needs.
    """
    sources = [source for source in init_from.split(",") if source]
    params, moments, reports = shapes, None, []
    for source in sources:
        if source == RANDOM:
            continue
        donor, moments, origin = _read(source)
        params, report = graft(params, donor)
        reports.append(f"{source} ({origin}): {report}")
    if RANDOM not in sources:
        _check_needs(stage, params, needs, bool(sources))
    return Inheritance(params, moments, reports)


def _check_needs(stage: str, params: Any, needs: Rules, has_donors: bool) -> None:
    """Raises UserError where `params` has shapes in the place of what is needed."""
    fresh = [
        path
        for path, leaf in flatten(params).items()
        if isinstance(leaf, jax.ShapeDtypeStruct)
    ]
    missing = {}
    for pattern, maker in needs:
        parts = [path.split("/")[0] for path in fresh if re.fullmatch(pattern, path)]
        if parts:
            missing[maker] = ", ".join(dict.fromkeys(parts))
    if not missing:
        return
    what = " and ".join(f"{p} of stage {maker}" for maker, p in missing.items())
    lack = ", which these donors lack or have in other sizes" if has_donors else ""
    raise UserError(
        f"stage {stage} needs {what}{lack}: name the runs or models that have them in "
        f"--config.init_from, or {RANDOM} there to start from random weights"
    )


def _read(source: str) -> tuple[Any, Any, str]:
    """Parameters, moments and name of an earlier stage; a model has no moments."""
    source = os.path.expanduser(source)
    if source in bundled_models() or is_directory_of_weights(Path(source)):
        name, params = load_donor(source)
        return params, None, name
    state, step = checkpointing.load_state(checkpointing.absolute(source))
    return checkpointing.averaged(state), state["opt_state"], f"step {step}"


@dataclasses.dataclass(frozen=True)
class GraftReport:
    """Number of arrays that `graft` took over, and of others, by group."""

    taken: int
    fresh: Mapping[str, int]

    def __str__(self) -> str:
        fresh = ", ".join(f"{count} of {name}" for name, count in self.fresh.items())
        return f"took over {self.taken} arrays; left alone: {fresh or 'none'}"


def graft(params: Any, donor: Any) -> tuple[Any, GraftReport]:
    """Takes over every parameter of `donor` that has the same path and shape.

    Args:
      params: parameters, or their shapes.
      donor: parameters of an earlier stage.

    Returns:
      `params` with the donor's arrays in the place of its own, and a report with groups
      named by the first part of the path.

    Raises:
      UserError: nothing fits.
    """
    ours, theirs = flatten(params), flatten(donor)
    fits = {p for p in ours if p in theirs and theirs[p].shape == ours[p].shape}
    if not fits:
        raise UserError("the checkpoint to start from has no parameter of this stage")
    merged = {
        path: theirs[path].astype(leaf.dtype) if path in fits else leaf
        for path, leaf in ours.items()
    }
    fresh = collections.Counter(p.split("/")[0] for p in ours if p not in fits)
    merged = nest(merged)
    return merged, GraftReport(len(fits), dict(sorted(fresh.items())))


def graft_moments(opt_state: Any, donor: Any) -> tuple[Any, GraftReport]:
    """Takes over Adam's moments and step count of every group that `donor` has whole.

    Groups that are new stay fresh, as the VQGAN's decoder does at the start of the
    released image stage (docs/architecture.md#optimisation).

    Args:
      opt_state: fresh state of `dlf_jax.training.step.optimizer.make_optimizer`.
      donor: the same of an earlier stage, as restored.

    Returns:
      The combined state, and a report by group.
    """
    ours, tree = jax.tree_util.tree_flatten_with_path(opt_state)
    theirs, _ = jax.tree_util.tree_flatten_with_path(donor)
    names = [_group_path(keys) for keys, _ in ours]
    found = {_group_path(keys): leaf for keys, leaf in theirs}
    groups = collections.defaultdict(list)
    for name, (_, leaf) in zip(names, ours, strict=True):
        if name:
            fits = name in found and found[name].shape == leaf.shape
            groups[name.split("/")[0]].append(fits)
    whole = {group for group, fits in groups.items() if all(fits)}
    leaves = [
        found[name] if name and name.split("/")[0] in whole else leaf
        for name, (_, leaf) in zip(names, ours, strict=True)
    ]
    report = GraftReport(
        sum(len(groups[group]) for group in whole),
        {group: len(fits) for group, fits in groups.items() if group not in whole},
    )
    return jax.tree_util.tree_unflatten(tree, leaves), report


def _group_path(keys: Any) -> str | None:
    """Group and path below it of a member of a group's state."""
    path = jax.tree_util.keystr(keys, simple=True, separator="/")
    return path.partition("inner_states/")[2] or None
