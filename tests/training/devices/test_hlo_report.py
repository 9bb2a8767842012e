"""Collectives in a compiled program, and the row of the table."""

import jax
import pytest

from dlf_jax.training.devices.hlo_report import HEADER, collectives, report

_HLO = """
ENTRY %main (p: f32[8,4]) -> f32[8,4] {
  %p = f32[8,4]{1,0} parameter(0)
  %gather = bf16[16,4]{1,0} all-gather(bf16[2,4]{1,0} %x), dimensions={0}
  %start = (f32[8]{0}, f32[64]{0}) all-gather-start(f32[8]{0} %y), dimensions={0}
  %done = f32[64]{0} all-gather-done((f32[8]{0}, f32[64]{0}) %start)
  %sum = (f32[10]{0}, f32[]) all-reduce(f32[10]{0} %a, f32[] %b), to_apply=%add
  ROOT %r = f32[8,4]{1,0} add(f32[8,4]{1,0} %p, f32[8,4]{1,0} %all-gather.7)
}
"""


def test_collectives_are_counted_once_with_their_results():
    assert collectives(_HLO) == {
        "all-gather": (2, 2 * 16 * 4 + 4 * 64),
        "all-reduce": (1, 4 * 10 + 4),
    }


class _Program:
    """Reports of compiled programs."""

    argument_size_in_bytes = 3e9
    temp_size_in_bytes = 2e9
    output_size_in_bytes = 3.5e9
    alias_size_in_bytes = 3e9

    def __init__(self, flops, moved):
        self._cost = {"flops": flops, "bytes accessed": moved}

    def memory_analysis(self):
        return self

    def cost_analysis(self):
        return self._cost

    def as_text(self):
        return _HLO


@pytest.mark.parametrize(
    ("flops", "moved", "bound"), [(197e12, 1.0, "16.0"), (1.0, 1638e9, "8.0")]
)
def test_row_is_bound_by_the_slowest(flops, moved, bound):
    row = report("pixel", "1x16", 16, _Program(flops, moved), "TPU v5 lite")
    columns = [column.strip() for column in row.strip("|").split("|")]
    assert len(columns) == HEADER.splitlines()[0].count("|") - 1
    assert columns[:7] == ["pixel", "1x16", "16", "3.00", "2.00", "0.50", "33%"]
    assert columns[-1] == bound


class _UnreadableProgram(_Program):
    def as_text(self):
        raise jax.errors.JaxRuntimeError("INTERNAL: no such instruction")


def test_a_program_that_jax_cannot_read_has_a_row_without_its_collectives():
    program = _UnreadableProgram(1.0, 1638e9)
    row = report("pixel", "1x16", 16, program, "TPU v5 lite")
    assert row.endswith("| unknown | 8.0 |")


def test_a_chip_that_is_not_known_leaves_its_columns_open():
    row = report("pixel", "1x16", 16, _Program(1.0, 1.0), "TPU v9")
    columns = [column.strip() for column in row.strip("|").split("|")]
    assert columns[3:8] == ["3.00", "2.00", "0.50", "unknown", "0.00"]
    assert columns[-1] == "unknown"


def test_a_chip_without_published_links_is_bound_by_the_rest():
    row = report("pixel", "1x16", 16, _Program(1.0, 700e9), "TPU v2")
    assert row.endswith("| 8.0 |")
