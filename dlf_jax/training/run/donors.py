"""Donors: earlier stages and models whose parameters a stage starts from."""

import collections
import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax

from dlf_jax.checkpoints.directory import bundled_models, is_directory_of_weights
from dlf_jax.checkpoints.store import load_donor
from dlf_jax.errors import UserError
from dlf_jax.paths import flatten, nest
from dlf_jax.training.run import checkpointing
from dlf_jax.training.stages.rules import Rules
from dlf_jax.typing import Params, PyTree

# Among donors: parameters that no donor has start at random.
RANDOM = "none"


class DonorParams(NamedTuple):
    """Parameters and optimiser state from donors.

    Attributes:
      params: parameters; shapes where no donor has them.
      opt_state: optimiser state of the last donor; None if it is a model, or if there
        are no donors.
      reports: lines for users.
    """

    params: Params
    opt_state: PyTree | None
    reports: Sequence[str]


def load_donors(
    stage: str, init_from: str, shapes: Params, needs: Rules
) -> DonorParams:
    """Reads the donors of a stage.

    Args:
      stage: name of the stage, for messages.
      init_from: training runs and models, separated by commas; the last one wins, and
        `RANDOM` among them allows missing parameters.
      shapes: shapes of the parameters.
      needs: see `dlf_jax.training.stages.table.Stage`.

    Raises:
      UserError: a donor cannot be read or has no parameter of this stage, or no donor
        has the parameters that the stage needs.
    """
    sources = [source for source in init_from.split(",") if source]
    params, opt_state, reports = shapes, None, []
    for source in sources:
        if source == RANDOM:
            continue
        donor, opt_state, origin = _read(source)
        params, report = restore_matching(params, donor)
        reports.append(f"{source} ({origin}): {report}")
    if RANDOM not in sources:
        _check_needs(stage, params, needs, has_donors=bool(sources))
    return DonorParams(params, opt_state, reports)


def _check_needs(stage: str, params: Params, needs: Rules, *, has_donors: bool) -> None:
    """Raises UserError if a needed parameter is only a shape in `params`."""
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
        f"stage {stage} needs {what}{lack}: name runs or models that have them in "
        f"--config.init_from, or {RANDOM} to start from random weights"
    )


def _read(source: str) -> tuple[Params, PyTree | None, str]:
    """Parameters, optimiser state and name of a donor; models have no such state."""
    source = os.path.expanduser(source)
    if source in bundled_models() or is_directory_of_weights(Path(source)):
        name, params = load_donor(source)
        return params, None, name
    state, step = checkpointing.load_state(checkpointing.absolute(source))
    return checkpointing.averaged(state), state["opt_state"], f"step {step}"


@dataclasses.dataclass(frozen=True)
class RestoreReport:
    """Number of restored arrays, and numbers of the other arrays by group."""

    taken: int
    fresh: Mapping[str, int]

    def __str__(self) -> str:
        fresh = ", ".join(f"{count} of {name}" for name, count in self.fresh.items())
        return f"took over {self.taken} arrays; left alone: {fresh or 'none'}"


def restore_matching(params: Params, donor: Params) -> tuple[Params, RestoreReport]:
    """Takes over every parameter of `donor` with the same path and shape.

    Args:
      params: parameters, or their shapes.
      donor: parameters of an earlier stage.

    Returns:
      `params` with arrays of the donor in place of its own, and a report by the first
      part of the path.

    Raises:
      UserError: no parameter matches.
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
    return nest(merged), RestoreReport(len(fits), dict(sorted(fresh.items())))


def restore_matching_moments(
    opt_state: PyTree, donor: PyTree
) -> tuple[PyTree, RestoreReport]:
    """Takes over moments and step count of every group that `donor` has whole.

    New groups stay fresh, as does the VQGAN's decoder at the start of the released
    image stage (docs/architecture.md#optimisation).

    Args:
      opt_state: fresh state of `dlf_jax.training.step.optimizer.make_optimizer`.
      donor: restored optimiser state of an earlier stage.

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
    report = RestoreReport(
        sum(len(groups[group]) for group in whole),
        {group: len(fits) for group, fits in groups.items() if group not in whole},
    )
    return jax.tree_util.tree_unflatten(tree, leaves), report


def _group_path(keys: tuple) -> str | None:
    """Path of an array below ``inner_states``: its group, and its path in the group."""
    path = jax.tree_util.keystr(keys, simple=True, separator="/")
    return path.partition("inner_states/")[2] or None
