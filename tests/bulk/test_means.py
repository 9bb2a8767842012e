"""Tables of results, whatever order and number of files they come in."""

import json

import pytest

pytest.importorskip("apache_beam")

from dlf_jax.bulk.means import Means, summarize


def test_means_leave_out_what_has_no_value():
    means = Means()
    for bpp, lpips in ((1.0, None), (2.0, 0.5), (6.0, None)):
        row = {
            "image": "a",
            "codec": "c",
            "setting": "1",
            "bpp": bpp,
            "lpips_alex": lpips,
        }
        means.add(row | {"dists": None})
    wanted = {"images": 3, "bpp": 3.0, "lpips_alex": 0.5, "dists": None}
    assert means.result() == wanted


def test_tables_are_sorted_by_image_and_by_codec(tmp_path):
    def row(codec, setting, size):
        return {"codec": codec, "setting": setting, "bytes": size, "lpips_alex": None}

    (tmp_path / "b").mkdir()
    both = [row("x", "2", 10), row("c", "1", 30)]
    (tmp_path / "b" / "q.png.json").write_text(json.dumps(both))
    (tmp_path / "p, r.png.json").write_text(json.dumps([row("c", "1", 50)]))
    (tmp_path / "errors.jsonl").write_text("")
    means = summarize(str(tmp_path))
    assert means == [
        {"codec": "c", "setting": "1", "images": 2, "bytes": 40.0, "lpips_alex": None},
        {"codec": "x", "setting": "2", "images": 1, "bytes": 10.0, "lpips_alex": None},
    ]
    lines = (tmp_path / "means.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == means
    assert (tmp_path / "results.csv").read_text().splitlines() == [
        "image,codec,setting,bytes,lpips_alex",
        "b/q.png,x,2,10,",
        "b/q.png,c,1,30,",
        '"p, r.png",c,1,50,',
    ]


def test_no_results_make_no_tables(tmp_path):
    assert summarize(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
