"""Training stages as data: what is optimised, and which parameters move.

Every stage trains a subtree of the same parameter tree, that of
`dlf_jax.models.dlf.DLF`, so a later stage takes over what an earlier one made by path
and shape alone.
"""

import collections
import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import flax
import jax

from dlf_jax.errors import UserError

# Ordered (regex, label) pairs over "/"-joined paths; the first match wins, and a
# parameter without a match is an error.
Rules = tuple[tuple[str, str], ...]

FROZEN = "frozen"
TRAINED = "trained"
DECODER = "decoder"  # trained as well, from the image stages on
ADVERSARY = "adversary"  # trained as well, against the others


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
      objective: name of the loss in `dlf_jax.training.tasks`.
      rules: which parameters move, as released: the semantic branch stays as
        pre-trained.
      tune_semantic_rules: the same where the semantic branch is trained as well.
      codebooks: paths of the codebooks whose unused entries are revived, where they
        are trained.
    """

    objective: str
    rules: Rules
    tune_semantic_rules: Rules
    codebooks: tuple[str, ...]

    def rules_for(self, *, tune_semantic: bool, adversarial: bool) -> Rules:
        """The table in force, with the discriminator's rows where there is one."""
        rules = self.tune_semantic_rules if tune_semantic else self.rules
        return _ADVERSARY + rules if adversarial else rules


VQGAN_CODEBOOK = "vqgan/quantizer/embedding"
SEMANTIC_CODEBOOK = "tokens/embedding"

_SEMANTIC = "encoder/(patch_embed|semantic)/.*|decoder/semantic/.*|tokens/.*"
_DETAIL = "(encoder|decoder|analysis|context|synthesis|fusion)/.*"

# Released split (docs/architecture.md#training-stages): the semantic branch is
# frozen, the shift masks of the detail branch are trained and those of the fusion are
# not (docs/architecture.md#shift-masks).
_CODEC: Rules = (
    (_SEMANTIC, FROZEN),
    ("fusion/.*_mask", FROZEN),
    (_DETAIL, TRAINED),
)
# Everything is trained but the shift masks: on crops of one window they would learn
# what belongs into the position terms, and lack it in all other windows.
_WHOLE_CODEC: Rules = (
    (".*_mask", FROZEN),
    (f"{_SEMANTIC}|{_DETAIL}", TRAINED),
)
# Everything, as in the last released pass, whose masks go on being trained.
_TUNED_CODEC: Rules = (
    ("fusion/.*_mask", FROZEN),
    (f"{_SEMANTIC}|{_DETAIL}", TRAINED),
)
_ADVERSARY: Rules = (
    ("discriminator/batch_stats/.*", FROZEN),
    ("discriminator/params/.*", ADVERSARY),
)
_VQGAN_FROZEN: Rules = (("vqgan/.*", FROZEN),)
_VQGAN_DECODER_TRAINED: Rules = (
    ("vqgan/(encoder|quant_conv)/.*", FROZEN),
    ("vqgan/(quantizer|post_quant_conv|decoder)/.*", DECODER),
)
_CODEBOOK_TRAINED: Rules = (("vqgan/quantizer/.*", TRAINED), *_VQGAN_FROZEN)
_VQGAN_ALONE: Rules = (("vqgan/.*", TRAINED),)
# The context model without its prior: the decoder is used to those quantisation steps.
_CONTEXT_ALONE: Rules = (
    ("context/prior_.*", FROZEN),
    ("context/.*", TRAINED),
    (f"{_SEMANTIC}|{_DETAIL}|vqgan/.*", FROZEN),
)
# Pictures alone change: the symbols in files stay as they are.
_DECODER_ALONE: Rules = (
    ("vqgan/(post_quant_conv|decoder)/.*", DECODER),
    (f"{_SEMANTIC}|{_DETAIL}|vqgan/.*", FROZEN),
)
_TOKENIZER_ALONE: Rules = (*_VQGAN_FROZEN, (f"{_SEMANTIC}|head/.*", TRAINED))

_ALIGN = Stage(
    "align",
    _VQGAN_FROZEN + _CODEC,
    _CODEBOOK_TRAINED + _WHOLE_CODEC,
    (SEMANTIC_CODEBOOK,),
)
_PIXEL = Stage(
    "reconstruct",
    _VQGAN_DECODER_TRAINED + _CODEC,
    _VQGAN_DECODER_TRAINED + _WHOLE_CODEC,
    (SEMANTIC_CODEBOOK,),
)

STAGES: Mapping[str, Stage] = {
    "vqgan": Stage("autoencode", _VQGAN_ALONE, _VQGAN_ALONE, (VQGAN_CODEBOOK,)),
    "tokenizer": Stage(
        "tokenize", _TOKENIZER_ALONE, _TOKENIZER_ALONE, (SEMANTIC_CODEBOOK,)
    ),
    # The first two differ in the rate weight alone, which is next to nothing at first,
    # and the next two in the size of the crops.
    "align_warmup": _ALIGN,
    "align": _ALIGN,
    "pixel": _PIXEL,
    "pixel_512": _PIXEL,
    "tune_semantic": Stage(
        "reconstruct",
        _VQGAN_DECODER_TRAINED + _TUNED_CODEC,
        _VQGAN_DECODER_TRAINED + _TUNED_CODEC,
        (),
    ),
    # Ours: fits the VQGAN's decoder, or the context model, to a codec that is done.
    "decoder": Stage("reconstruct", _DECODER_ALONE, _DECODER_ALONE, ()),
    "context": Stage("fit_context", _CONTEXT_ALONE, _CONTEXT_ALONE, ()),
}


def path_names(tree: Any) -> dict[str, Any]:
    """Flattens nested dictionaries to {"a/b/c": leaf}."""
    return flax.traverse_util.flatten_dict(tree, sep="/")


def first_match(path: str, rules: Rules) -> tuple[str, str] | None:
    """The first rule whose regex matches the whole of `path`."""
    return next((rule for rule in rules if re.fullmatch(rule[0], path)), None)


def match_rules(tree: Any, rules: Rules, *, all_rules: bool = True) -> Any:
    """The label of every leaf.

    Args:
      tree: nested dictionaries of parameters.
      rules: ordered (regex, label) pairs; a regex must match the whole path.
      all_rules: every rule must cover a parameter.

    Returns:
      Tree of labels with the structure of `tree`.

    Raises:
      ValueError: no rule covers some parameter, or a rule covers none.
    """
    found = {path: first_match(path, rules) for path in path_names(tree)}
    for path, rule in found.items():
        if rule is None:
            raise ValueError(f"no rule says whether {path} is trained")
    unused = [rule[0] for rule in rules if rule not in found.values()]
    if unused and all_rules:
        raise ValueError(f"no parameter matches {', '.join(unused)}")
    labels = {path: rule[1] for path, rule in found.items()}
    return flax.traverse_util.unflatten_dict(labels, sep="/")


def trained_paths(params: Any, rules: Rules) -> tuple[str, ...]:
    """Paths of the parameters that `rules` train."""
    labels = path_names(match_rules(params, rules))
    return tuple(path for path, label in labels.items() if label != FROZEN)


def select(tree: Any, paths: Sequence[str]) -> Any:
    """The part of nested dictionaries with the leaves at `paths`."""
    leaves = path_names(tree)
    return flax.traverse_util.unflatten_dict({p: leaves[p] for p in paths}, sep="/")


def merge(tree: Any, part: Any) -> Any:
    """Nested dictionaries with the leaves of `part` in place of their own."""
    leaves = path_names(tree) | path_names(part)
    return flax.traverse_util.unflatten_dict(leaves, sep="/")


def trained_codebooks(params: Any, stage: Stage, rules: Rules) -> tuple[str, ...]:
    """The codebooks of `stage` that `rules` train; the others must not be touched."""
    trained = trained_paths(params, rules)
    return tuple(path for path in stage.codebooks if path in trained)


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
    ours, theirs = path_names(params), path_names(donor)
    fits = {p for p in ours if p in theirs and theirs[p].shape == ours[p].shape}
    if not fits:
        raise UserError("the checkpoint to start from has no parameter of this stage")
    merged = {
        path: theirs[path].astype(leaf.dtype) if path in fits else leaf
        for path, leaf in ours.items()
    }
    fresh = collections.Counter(p.split("/")[0] for p in ours if p not in fits)
    merged = flax.traverse_util.unflatten_dict(merged, sep="/")
    return merged, GraftReport(len(fits), dict(sorted(fresh.items())))


def graft_moments(opt_state: Any, donor: Any) -> tuple[Any, GraftReport]:
    """Takes over Adam's moments and step count of every group that `donor` has whole.

    Groups that are new stay fresh, as the VQGAN's decoder does at the start of the
    released image stage (docs/architecture.md#optimisation).

    Args:
      opt_state: fresh state of `dlf_jax.training.optimizer.make_optimizer`.
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
