"""Draws docs/architecture.svg: the path of an image through dlf-l to a file and back.

  python docs/architecture_figure.py docs/architecture.svg

Sizes are those of `dlf_jax.models.variants`; a test compares the file with the result.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

import click

from dlf_jax.models.config import DLFConfig, TrunkConfig
from dlf_jax.models.variants import VARIANTS

_BOX_WIDTH, _BOX_HEIGHT, _GAP, _ROW_GAP, _MARGIN = 190, 84, 26, 66, 18
_TITLE, _LINE = 30, 17
_COLUMN, _ROW = _BOX_WIDTH + _GAP, _BOX_HEIGHT + _ROW_GAP
_TALL = _ROW + _BOX_HEIGHT
_PANEL = _TITLE + _TALL + 2 * _MARGIN
_WIDTH = 2 * _MARGIN + 4 * _COLUMN + _BOX_WIDTH

# The background belongs to the figure, so that text is readable where the theme of the
# page is not that of the browser.
_STYLE = """
  text { font: 13px system-ui, 'DejaVu Sans', sans-serif; text-anchor: middle }
  .name { font-weight: bold }
  .title { font-size: 15px; font-weight: bold; text-anchor: start }
  .note { text-anchor: end }
  rect, path { stroke-width: 1.5 }
"""
_LIGHT = """
  .ground { fill: #ffffff }
  text { fill: #1f2328 }
  path { stroke: #57606a; fill: #57606a }
  .both { fill: #f6f8fa; stroke: #57606a }
  .semantic { fill: #ddf4ff; stroke: #0969da }
  .detail { fill: #fff1e5; stroke: #bc4c00 }
"""
_DARK = """
  .ground { fill: #0d1117 }
  text { fill: #e6edf3 }
  path { stroke: #8b949e; fill: #8b949e }
  .both { fill: #21262d; stroke: #8b949e }
  .semantic { fill: #0b2a52; stroke: #58a6ff }
  .detail { fill: #47220a; stroke: #f0883e }
"""


@dataclasses.dataclass(frozen=True)
class Box:
    """One step: semantic in the upper row, detail in the lower one, or both.

    Attributes:
      kind: which branch.
      column: 0 to 4.
      text: lines, the first of them a name.
    """

    kind: Literal["semantic", "detail", "both"]
    column: int
    text: str


@click.command()
@click.argument("output", type=click.Path(path_type=Path))
def main(output: Path) -> None:
    """Writes the figure to OUTPUT."""
    output.write_text(figure(VARIANTS["dlf-l"]), encoding="utf-8")


def figure(config: DLFConfig) -> str:
    """The whole figure as SVG."""
    panels = (
        ("Encoder", encoder(config), config.encoder_interactions),
        ("Decoder", decoder(config), config.decoder_interactions),
    )
    height = len(panels) * _PANEL
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{_WIDTH}" '
        f'height="{height}" viewBox="0 0 {_WIDTH} {height}">',
        "<title>Data flow of dlf-l</title>",
        f"<style>{_STYLE}{_LIGHT}",
        f"@media (prefers-color-scheme: dark) {{{_DARK}}}</style>",
        '<rect class="ground" width="100%" height="100%" />',
    ]
    for i, (title, boxes, layers) in enumerate(panels):
        lines.append(f'<g transform="translate({_MARGIN} {i * _PANEL + _MARGIN})">')
        lines.append(f'<text class="title" x="0" y="16">{title}</text>')
        for box in boxes:
            lines.extend(_draw(box))
        lines.extend(_interaction(layers))
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


def encoder(config: DLFConfig) -> list[Box]:
    """Steps from an image to a file."""
    stride = config.detail_stride
    return [
        Box("both", 0, f"image\n[H, W, 3]\n\npatch_embed\n{_map(config, 'encoder')}"),
        Box(
            "semantic",
            1,
            f"SemanticEncoder\nclass, {config.grid**2} cells,\n"
            f"{config.num_tokens} latent tokens\n{_sequence(config, config.encoder)}",
        ),
        Box(
            "detail",
            1,
            f"detail_embed, detail_in\n{config.num_detail_in_blocks} Swin blocks\n"
            + _map(config, "detail"),
        ),
        *_meeting(config, config.encoder, config.encoder_interactions),
        Box(
            "semantic",
            3,
            f"readout, tokens\nVectorQuantizer,\n{config.codebook_size} codes of "
            f"{config.token_width}\nindices [T, {config.num_tokens}]",
        ),
        Box(
            "detail",
            3,
            f"detail_out, analysis\n{config.num_detail_out_blocks} Swin blocks,\n"
            f"halved sides\n[H/{stride}, W/{stride}, {config.latent_channels}]",
        ),
        Box(
            "both",
            4,
            "entropy coding\ntokens: stored table\ndetails: IntegerContext,\nfour parts"
            "\n\none range coder\n\nfile",
        ),
    ]


def decoder(config: DLFConfig) -> list[Box]:
    """Steps from a file to an image."""
    vqgan = config.vqgan
    cells = f"H/{config.patch_size}, W/{config.patch_size}"
    return [
        Box(
            "both",
            0,
            "entropy decoding\nfile\n\none range coder\n\ntokens: stored table\n"
            "details: IntegerContext,\nfour parts",
        ),
        Box(
            "semantic",
            1,
            f"SemanticDecoder\nclass, {config.grid**2} mask tokens,\n"
            f"{config.num_tokens} code vectors\n{_sequence(config, config.decoder)}",
        ),
        Box(
            "detail",
            1,
            "synthesis, detail_in\ndoubled sides,\n"
            f"{config.num_detail_in_blocks} Swin blocks\n{_map(config, 'detail')}",
        ),
        *_meeting(config, config.decoder, config.decoder_interactions),
        Box(
            "both",
            3,
            f"LatentFusion\nlogits\n[{cells}, {vqgan.num_codes}]\n\n"
            f"VQGAN.lookup\nexpected code vectors\n[{cells}, {vqgan.embed_dim}]",
        ),
        Box("both", 4, "VQGAN.decode\nconvolutions\n\nimage\n[H, W, 3]"),
    ]


def _meeting(
    config: DLFConfig, trunk: TrunkConfig, layers: tuple[int, ...]
) -> Iterator[Box]:
    """The column in which both branches advance and attend to each other."""
    blocks = f"{trunk.num_layers} transformer blocks"
    yield Box("semantic", 2, f"SemanticTrunk\n{blocks}\n{_sequence(config, trunk)}")
    each = f"{config.num_stage_blocks} Swin, {config.num_stage_blocks} ConvNeXt blocks"
    stages = f"{len(layers)} × InteractionStage"
    yield Box("detail", 2, f"{stages}\n{each}\n{_map(config, 'detail')}")


def _sequence(config: DLFConfig, trunk: TrunkConfig) -> str:
    return f"[T, {1 + config.grid**2 + config.num_tokens}, {trunk.width}]"


def _map(config: DLFConfig, branch: Literal["encoder", "detail"]) -> str:
    width = config.encoder.width if branch == "encoder" else config.detail_width
    return f"[H/{config.patch_size}, W/{config.patch_size}, {width}]"


def _draw(box: Box) -> Iterator[str]:
    """A box with its text, and the arrows that lead on from it."""
    x = box.column * _COLUMN
    y = _TITLE + _ROW * (box.kind == "detail")
    height = _TALL if box.kind == "both" else _BOX_HEIGHT
    size = f'width="{_BOX_WIDTH}" height="{height}"'
    yield f'<rect class="{box.kind}" x="{x}" y="{y}" {size} rx="6" />'
    lines = box.text.split("\n")
    middle = x + _BOX_WIDTH // 2
    first = y + (height - _LINE * len(lines)) // 2 + 13
    for i, line in enumerate(lines):
        name = ' class="name"' if i == 0 else ""
        if line:
            text = escape(line)
            yield f'<text{name} x="{middle}" y="{first + i * _LINE}">{text}</text>'
    if box.column == 0:
        levels = [_TITLE + _BOX_HEIGHT // 2, _TITLE + _ROW + _BOX_HEIGHT // 2]
    else:
        levels = [y + height // 2] if box.column < 4 else []
    for level in levels:
        end = x + _COLUMN - 2
        yield f'<path d="M {end - _GAP + 4} {level} H {end - 6}" />'
        yield f'<path d="M {end} {level} l -7 -4 v 8 z" />'


def _interaction(layers: tuple[int, ...]) -> Iterator[str]:
    """The double arrow between the branches, and what it stands for."""
    x = 2 * _COLUMN + _BOX_WIDTH // 2
    top, bottom = _TITLE + _BOX_HEIGHT + 2, _TITLE + _ROW - 2
    yield f'<path d="M {x} {top + 6} V {bottom - 6}" />'
    yield f'<path d="M {x} {top} l -4 7 h 8 z M {x} {bottom} l -4 -7 h 8 z" />'
    text = f"after layers {', '.join(map(str, layers))}"
    for i, line in enumerate(("CrossBranchInteraction", text)):
        y = top + 28 + i * _LINE
        yield f'<text class="note" x="{x - 12}" y="{y}">{line}</text>'


if __name__ == "__main__":
    main()
