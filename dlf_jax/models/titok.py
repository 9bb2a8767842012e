"""The semantic branch: TiTok encoder and decoder in named steps.

See docs/architecture.md#dual-branch-encoder and
docs/architecture.md#dual-branch-decoder.

The dual-branch networks run the trunk layer by layer, interleaved with the detail
branch, so both classes offer `embed`, `block` and `readout` instead of a single call.
"""

import jax.numpy as jnp
from flax import linen as nn

from dlf_jax.models.config import DLFConfig, TrunkConfig
from dlf_jax.nn.layers import Dense, LayerNorm
from dlf_jax.nn.transformer import TransformerBlock
from dlf_jax.typing import Array, Float


def legacy_token_reshape(tokens: Float[Array, "T K D"]) -> Float[Array, "T D K"]:
    """Reinterprets each item's row-major buffer as (D, K): a reshape, no transpose.

    TiTok was trained with this reshape, so its weights require the reshape
    (docs/architecture.md#dual-branch-encoder).
    """
    count, length, width = tokens.shape
    return tokens.reshape(count, width, length)


class SemanticTrunk(nn.Module):
    """Embeddings, transformer layers and norms of encoder and decoder."""

    config: TrunkConfig
    num_cells: int
    num_tokens: int

    def setup(self):
        width = self.config.width
        init = nn.initializers.normal(width**-0.5)
        self.class_embedding = self.param("class_embedding", init, (1, width))
        self.positions = self.param("positions", init, (1 + self.num_cells, width))
        self.token_positions = self.param(
            "token_positions", init, (self.num_tokens, width)
        )
        self.norm_in = LayerNorm()
        self.blocks = [
            TransformerBlock(self.config.num_heads, name=f"block_{i}")
            for i in range(self.config.num_layers)
        ]
        self.norm_out = LayerNorm()

    def sequence(
        self, cells: Float[Array, "T L D"], tokens: Float[Array, "*T K D"]
    ) -> Float[Array, "T S D"]:
        """[class, cells, tokens], each with its position term; normalised."""
        tiles, _, width = cells.shape
        parts = self.class_embedding, cells, tokens
        parts = [jnp.broadcast_to(p, (tiles, p.shape[-2], width)) for p in parts]
        positions = jnp.concatenate([self.positions, self.token_positions])
        return self.norm_in(jnp.concatenate(parts, axis=1) + positions)

    def block(self, i: int, seq: Float[Array, "T S D"]) -> Float[Array, "T S D"]:
        """Layer `i` (0-based)."""
        return self.blocks[i](seq)

    def cells(self, seq: Float[Array, "T S D"]) -> Float[Array, "T L D"]:
        """Normalised features of the cells."""
        return self.norm_out(seq[:, 1 : 1 + self.num_cells])

    def tokens(self, seq: Float[Array, "T S D"]) -> Float[Array, "T K D"]:
        """Normalised features of the latent tokens."""
        return self.norm_out(seq[:, 1 + self.num_cells :])


class SemanticEncoder(nn.Module):
    """Embedded cells of a tile to the vectors of its latent tokens."""

    config: DLFConfig

    def setup(self):
        cfg = self.config
        width = cfg.encoder.width
        init = nn.initializers.normal(width**-0.5)
        self.latent_tokens = self.param("latent_tokens", init, (cfg.num_tokens, width))
        self.trunk = SemanticTrunk(cfg.encoder, cfg.grid**2, cfg.num_tokens)
        self.conv_out = Dense(cfg.token_width)

    def embed(self, cells: Float[Array, "T L D"]) -> Float[Array, "T S D"]:
        """Sequence [class, cells, latent tokens] of every tile."""
        return self.trunk.sequence(cells, self.latent_tokens)

    def block(self, i: int, seq: Float[Array, "T S D"]) -> Float[Array, "T S D"]:
        """Trunk layer `i` (0-based)."""
        return self.trunk.block(i, seq)

    def readout(self, seq: Float[Array, "T S D"]) -> Float[Array, "T K E"]:
        """Token vectors before quantisation."""
        tokens = legacy_token_reshape(self.trunk.tokens(seq))
        return self.conv_out(tokens.swapaxes(1, 2))


class SemanticDecoder(nn.Module):
    """Code vectors of a tile's tokens to features of its cells."""

    config: DLFConfig

    def setup(self):
        cfg = self.config
        width = cfg.decoder.width
        init = nn.initializers.normal(width**-0.5)
        self.mask_token = self.param("mask_token", init, (1, width))
        self.trunk = SemanticTrunk(cfg.decoder, cfg.grid**2, cfg.num_tokens)
        # Scales code vectors, of length 1, to the size of the position terms.
        self.token_embed = Dense(width, kernel_init=init)

    def embed(self, codes: Float[Array, "T K E"]) -> Float[Array, "T S D"]:
        """Sequence [class, mask tokens, code vectors] of every tile."""
        cells = jnp.broadcast_to(
            self.mask_token,
            (codes.shape[0], self.config.grid**2, self.config.decoder.width),
        )
        return self.trunk.sequence(cells, self.token_embed(codes))

    def block(self, i: int, seq: Float[Array, "T S D"]) -> Float[Array, "T S D"]:
        """Trunk layer `i` (0-based)."""
        return self.trunk.block(i, seq)

    def readout(self, seq: Float[Array, "T S D"]) -> Float[Array, "T L D"]:
        """Features of the cells."""
        return self.trunk.cells(seq)
