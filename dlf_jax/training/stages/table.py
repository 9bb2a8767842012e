"""The training stages: one row each.

Every stage trains a subtree of the same parameter tree, that of
`dlf_jax.models.dlf.DLF`, so a later stage takes over parameters of an earlier one by
path and shape alone.  A row names the computation of a stage, a
`dlf_jax.training.stages.task.Task`; everything else that differs between stages is
asked of that class.
"""

import dataclasses
from collections.abc import Mapping

from dlf_jax.training.stages.codec import AlignTask, ContextTask, ImageTask
from dlf_jax.training.stages.rules import (
    ADVERSARY,
    DECODER,
    FROZEN,
    TRAINED,
    Rules,
    trained_paths,
)
from dlf_jax.training.stages.task import SEMANTIC_CODEBOOK, VQGAN_CODEBOOK, Task
from dlf_jax.training.stages.tokenizer import TokenizerTask
from dlf_jax.training.stages.vqgan import VQGANTask
from dlf_jax.typing import Params


@dataclasses.dataclass(frozen=True)
class Stage:
    """A row of the table.

    Attributes:
      task: computation of the stage.
      rules: which parameters are trained, as released: the semantic branch is frozen.
      needs: (regex over paths, stage that trains these parameters) for parameters that
        must come from an earlier stage: frozen ones, those that make targets, and
        those that training starts from.
      codebooks: paths of the codebooks whose unused entries are revived, where they
        are trained.
      tune_semantic_rules: `rules` where the semantic branch is trained too; None where
        that makes no difference.
      tune_semantic_needs: `needs` where the semantic branch is trained too; None where
        that makes no difference.
    """

    task: type[Task]
    rules: Rules
    needs: Rules = ()
    codebooks: tuple[str, ...] = ()
    tune_semantic_rules: Rules | None = None
    tune_semantic_needs: Rules | None = None

    def rules_for(self, *, tune_semantic: bool, adversarial: bool) -> Rules:
        """Returns the rules in force, with those of the discriminator if it exists."""
        rules = self.rules
        if tune_semantic and self.tune_semantic_rules is not None:
            rules = self.tune_semantic_rules
        return _ADVERSARY + rules if adversarial else rules

    def needs_for(self, *, tune_semantic: bool) -> Rules:
        """Returns the needs in force: pairs of regex over paths, and stage."""
        if tune_semantic and self.tune_semantic_needs is not None:
            return self.tune_semantic_needs
        return self.needs


def trained_codebooks(params: Params, stage: Stage, rules: Rules) -> tuple[str, ...]:
    """Returns the codebooks of `stage` that `rules` train; others must not change."""
    trained = trained_paths(params, rules)
    return tuple(path for path in stage.codebooks if path in trained)


_SEMANTIC = "encoder/(patch_embed|semantic)/.*|decoder/semantic/.*|tokens/.*"
_DETAIL = "(encoder|decoder|analysis|context|synthesis|fusion)/.*"

# ---- Rules ---------------------------------------------------------------------------

# Released split (docs/architecture.md#training-stages): the semantic branch is
# frozen, the shift masks of the detail branch are trained and those of the fusion are
# not (docs/architecture.md#shift-masks).
_CODEC: Rules = (
    (_SEMANTIC, FROZEN),
    ("fusion/.*_mask", FROZEN),
    (_DETAIL, TRAINED),
)
# Everything except the shift masks: on crops of one window, masks would absorb what
# belongs in the position terms, which would then be missing in every other window.
_WHOLE_CODEC: Rules = (
    (".*_mask", FROZEN),
    (f"{_SEMANTIC}|{_DETAIL}", TRAINED),
)
# Everything, as in the last released pass, which trains masks too.
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
# The prior stays: the decoder is trained for its quantisation steps.
_CONTEXT_ALONE: Rules = (
    ("context/prior_.*", FROZEN),
    ("context/.*", TRAINED),
    (f"{_SEMANTIC}|{_DETAIL}|vqgan/.*", FROZEN),
)
# Only reconstructions change: the symbols in files stay as they are.
_DECODER_ALONE: Rules = (
    ("vqgan/(post_quant_conv|decoder)/.*", DECODER),
    (f"{_SEMANTIC}|{_DETAIL}|vqgan/.*", FROZEN),
)
_TOKENIZER_ALONE: Rules = (*_VQGAN_FROZEN, (f"{_SEMANTIC}|head/.*", TRAINED))

# ---- Needs ---------------------------------------------------------------------------

_NEEDS_VQGAN: Rules = (("vqgan/.*", "vqgan"),)
_NEEDS_TOKENIZER: Rules = ((_SEMANTIC, "tokenizer"),)
# After `align`, nothing uses the encoder of the VQGAN, which exported models lack.
_VQGAN_OF_CODEC = "vqgan/(quantizer|post_quant_conv|decoder)/.*"
# The fusion marks an aligned codec; other parts of the detail branch may be new.
_NEEDS_ALIGN: Rules = ((f"{_SEMANTIC}|fusion/.*|{_VQGAN_OF_CODEC}", "align"),)
_NEEDS_CODEC: Rules = ((f"{_SEMANTIC}|{_DETAIL}|{_VQGAN_OF_CODEC}", "pixel"),)
_NEEDS_CODEC_EXCEPT_CONTEXT: Rules = (
    (
        f"{_SEMANTIC}|(encoder|decoder|analysis|synthesis|fusion)/.*|context/prior_.*"
        f"|{_VQGAN_OF_CODEC}",
        "pixel",
    ),
)

# ---- Stages --------------------------------------------------------------------------

_ALIGN = Stage(
    AlignTask,
    rules=_VQGAN_FROZEN + _CODEC,
    needs=_NEEDS_VQGAN + _NEEDS_TOKENIZER,
    codebooks=(SEMANTIC_CODEBOOK,),
    tune_semantic_rules=_CODEBOOK_TRAINED + _WHOLE_CODEC,
    tune_semantic_needs=_NEEDS_VQGAN,
)
_PIXEL = Stage(
    ImageTask,
    rules=_VQGAN_DECODER_TRAINED + _CODEC,
    needs=_NEEDS_ALIGN,
    codebooks=(SEMANTIC_CODEBOOK,),
    tune_semantic_rules=_VQGAN_DECODER_TRAINED + _WHOLE_CODEC,
)

STAGES: Mapping[str, Stage] = {
    "vqgan": Stage(VQGANTask, rules=_VQGAN_ALONE, codebooks=(VQGAN_CODEBOOK,)),
    "tokenizer": Stage(
        TokenizerTask,
        rules=_TOKENIZER_ALONE,
        needs=_NEEDS_VQGAN,
        codebooks=(SEMANTIC_CODEBOOK,),
    ),
    # Settings tell these pairs apart: the weight of the rate, which is tiny at first,
    # and the side of the crops.
    "align_warmup": _ALIGN,
    "align": _ALIGN,
    "pixel": _PIXEL,
    "pixel_512": _PIXEL,
    "tune_semantic": Stage(
        ImageTask,
        rules=_VQGAN_DECODER_TRAINED + _TUNED_CODEC,
        needs=_NEEDS_ALIGN,
    ),
    # Not released: these fit one part to a codec that is otherwise finished.
    "decoder": Stage(ImageTask, rules=_DECODER_ALONE, needs=_NEEDS_CODEC),
    "context": Stage(
        ContextTask, rules=_CONTEXT_ALONE, needs=_NEEDS_CODEC_EXCEPT_CONTEXT
    ),
}
