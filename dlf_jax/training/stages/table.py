"""Training stages as data: what is optimised, and which parameters move.


Every stage trains a subtree of the same parameter tree, that of
`dlf_jax.models.dlf.DLF`, so a later stage takes over what an earlier one made by path
and shape alone.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dlf_jax.paths import flatten, nest

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
      objective: name of the loss in `dlf_jax.training.stages.tasks`.
      rules: which parameters move, as released: the semantic branch stays as
        pre-trained.
      tune_semantic_rules: the same where the semantic branch is trained as well.
      codebooks: paths of the codebooks whose unused entries are revived, where they
        are trained.
      needs: parameters without which training is in vain, and the stage that makes
        them: frozen ones, targets, and those that training starts from.
      tune_semantic_needs: the same where the semantic branch is trained as well.
    """

    objective: str
    rules: Rules
    tune_semantic_rules: Rules
    codebooks: tuple[str, ...]
    needs: Rules = ()
    tune_semantic_needs: Rules = ()

    def rules_for(self, *, tune_semantic: bool, adversarial: bool) -> Rules:
        """The table in force, with the discriminator's rows where there is one."""
        rules = self.tune_semantic_rules if tune_semantic else self.rules
        return _ADVERSARY + rules if adversarial else rules

    def needs_for(self, *, tune_semantic: bool) -> Rules:
        """Pairs of regex over paths, and stage that makes what matches."""
        return self.tune_semantic_needs if tune_semantic else self.needs


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

# Needs.  After `align`, nothing uses the VQGAN's encoder, which models lack.
_NEEDS_VQGAN: Rules = (("vqgan/.*", "vqgan"),)
_NEEDS_TOKENIZER: Rules = ((_SEMANTIC, "tokenizer"),)
_VQGAN_OF_CODEC = "vqgan/(quantizer|post_quant_conv|decoder)/.*"
# The fusion marks an aligned codec; other parts of the detail branch may be new.
_NEEDS_ALIGN: Rules = ((f"{_SEMANTIC}|fusion/.*|{_VQGAN_OF_CODEC}", "align"),)
_NEEDS_CODEC: Rules = ((f"{_SEMANTIC}|{_DETAIL}|{_VQGAN_OF_CODEC}", "pixel"),)
_NEEDS_CODEC_BUT_CONTEXT: Rules = (
    (
        f"{_SEMANTIC}|(encoder|decoder|analysis|synthesis|fusion)/.*|context/prior_.*"
        f"|{_VQGAN_OF_CODEC}",
        "pixel",
    ),
)

_ALIGN = Stage(
    "align",
    _VQGAN_FROZEN + _CODEC,
    _CODEBOOK_TRAINED + _WHOLE_CODEC,
    (SEMANTIC_CODEBOOK,),
    _NEEDS_VQGAN + _NEEDS_TOKENIZER,
    _NEEDS_VQGAN,
)
_PIXEL = Stage(
    "reconstruct",
    _VQGAN_DECODER_TRAINED + _CODEC,
    _VQGAN_DECODER_TRAINED + _WHOLE_CODEC,
    (SEMANTIC_CODEBOOK,),
    _NEEDS_ALIGN,
    _NEEDS_ALIGN,
)

STAGES: Mapping[str, Stage] = {
    "vqgan": Stage("autoencode", _VQGAN_ALONE, _VQGAN_ALONE, (VQGAN_CODEBOOK,)),
    "tokenizer": Stage(
        "tokenize",
        _TOKENIZER_ALONE,
        _TOKENIZER_ALONE,
        (SEMANTIC_CODEBOOK,),
        _NEEDS_VQGAN,
        _NEEDS_VQGAN,
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
        _NEEDS_ALIGN,
        _NEEDS_ALIGN,
    ),
    # Ours: fits the VQGAN's decoder, or the context model, to a codec that is done.
    "decoder": Stage(
        "reconstruct",
        _DECODER_ALONE,
        _DECODER_ALONE,
        (),
        _NEEDS_CODEC,
        _NEEDS_CODEC,
    ),
    "context": Stage(
        "fit_context",
        _CONTEXT_ALONE,
        _CONTEXT_ALONE,
        (),
        _NEEDS_CODEC_BUT_CONTEXT,
        _NEEDS_CODEC_BUT_CONTEXT,
    ),
}


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
    found = {path: first_match(path, rules) for path in flatten(tree)}
    for path, rule in found.items():
        if rule is None:
            raise ValueError(f"no rule says whether {path} is trained")
    unused = [rule[0] for rule in rules if rule not in found.values()]
    if unused and all_rules:
        raise ValueError(f"no parameter matches {', '.join(unused)}")
    labels = {path: rule[1] for path, rule in found.items()}
    return nest(labels)


def trained_paths(params: Any, rules: Rules) -> tuple[str, ...]:
    """Paths of the parameters that `rules` train."""
    labels = flatten(match_rules(params, rules))
    return tuple(path for path, label in labels.items() if label != FROZEN)


def select(tree: Any, paths: Sequence[str]) -> Any:
    """The part of nested dictionaries with the leaves at `paths`."""
    leaves = flatten(tree)
    return nest({p: leaves[p] for p in paths})


def merge(tree: Any, part: Any) -> Any:
    """Nested dictionaries with the leaves of `part` in place of their own."""
    leaves = flatten(tree) | flatten(part)
    return nest(leaves)


def trained_codebooks(params: Any, stage: Stage, rules: Rules) -> tuple[str, ...]:
    """The codebooks of `stage` that `rules` train; the others must not be touched."""
    trained = trained_paths(params, rules)
    return tuple(path for path in stage.codebooks if path in trained)
