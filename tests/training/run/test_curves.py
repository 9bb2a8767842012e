"""Logs of runs are read with their gaps, and drawn."""

import json

import pytest

from dlf_jax.training.run.curves import draw, read_log

PANELS = {"loss": "loss", "val/bpp/": "bits per pixel", "val/psnr/": "PSNR"}


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", []),
        (
            json.dumps({"step": 50, "time": 1.5, "loss": None, "val/bpp/0": 0.56789})
            + '\n{"step": 100, "ti',
            [{"step": 50, "val/bpp/0": 0.5679}],
        ),
    ],
)
def test_logs_with_gaps_are_read(tmp_path, text, rows):
    (tmp_path / "metrics.jsonl").write_text(text)
    assert read_log(tmp_path) == rows


def test_runs_follow_one_another():
    first = [{"step": 50, "loss": 2.0}, {"step": 100, "loss": 1.0}]
    first += [{"step": 100, "val/bpp/0": 0.02, "val/bpp/1": 0.04}]
    second = [{"step": 30, "val/bpp/0": 0.01, "val/bpp/1": 0.03}]
    figure = draw({"a": first, "b": second}, PANELS)
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "bits per pixel"]
    # The first two lines are where runs begin.
    (loss,) = figure.axes[0].get_lines()[2:]
    assert loss.get_xydata().tolist() == [[50, 2.0], [100, 1.0]]
    assert figure.axes[0].get_legend() is None
    rates = figure.axes[1].get_lines()[2:]
    assert rates[0].get_xydata().tolist() == [[100, 0.02], [130, 0.01]]
    assert [line.get_label() for line in rates] == ["rate 0", "rate 1"]


def test_a_run_without_reports_is_drawn():
    (axes,) = draw({"a": []}, PANELS).axes
    assert axes.get_ylabel() == "loss"
