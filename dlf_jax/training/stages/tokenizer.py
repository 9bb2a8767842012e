"""Stage of the semantic branch alone: its tokens predict the codes of the VQGAN."""

from dlf_jax.models.dlf import SemanticTokenizer
from dlf_jax.models.vqgan import VQGAN
from dlf_jax.training.losses.output import CodebookUse, LossOutput
from dlf_jax.training.losses.table import (
    CROSS_ENTROPY,
    TOKEN_TERMS,
    CodePrediction,
    Quantized,
    weighted_sum,
)
from dlf_jax.training.stages.task import SEMANTIC_CODEBOOK, Task
from dlf_jax.training.stages.vqgan import vqgan_targets
from dlf_jax.training.step.inputs import StepInputs
from dlf_jax.training.step.randomness import StepRandomness
from dlf_jax.typing import Array, Float, Params

_CODEC_PARTS = ("encoder", "tokens", "decoder")


class TokenizerTask(Task):
    """Trains the semantic branch, with a linear head in place of the detail branch."""

    def init(self, key: Array, image: Float[Array, "B H W 3"]) -> Params:
        """Returns parameters of the semantic branch, the head and the VQGAN."""
        params = SemanticTokenizer(self.model).init(key, image)["params"]
        vqgan = VQGAN(self.model.vqgan).init(key, image)["params"]
        return params["codec"] | {"vqgan": vqgan, "head": params["head"]}

    def loss(
        self,
        params: Params,
        inputs: StepInputs,
        image: Float[Array, "B H W 3"],
        random: StepRandomness,
    ) -> LossOutput:
        """Returns the cross-entropy of the codes plus the terms of the tokens."""
        target = vqgan_targets(self.model, params, image)
        codec = {name: params[name] for name in _CODEC_PARTS}
        out = SemanticTokenizer(self.model).apply(
            {"params": {"codec": codec, "head": params["head"]}}, image
        )
        prediction = CodePrediction(None, out.logits, target)
        codes, metrics = weighted_sum((CROSS_ENTROPY,), self.weights, prediction)
        quantized = Quantized(out.tokens, len(image))
        tokens, token_metrics = weighted_sum(TOKEN_TERMS, self.weights, quantized)
        return LossOutput(
            loss=codes + tokens,
            metrics=metrics | token_metrics,
            codes={SEMANTIC_CODEBOOK: CodebookUse.of(out.tokens, len(image))},
        )
