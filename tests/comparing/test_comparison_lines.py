"""How a comparison reads."""

from __future__ import annotations

from typing import Any

from ray_pipeline.comparing import comparison_lines

TABLE: dict[str, Any] = {
    "name": "routing/routes.parquet",
    "kind": "table",
    "n_rows": {"a": 2000, "b": 1999},
    "columns": {
        "only_in_a": ["old"],
        "only_in_b": [],
        "types": [{"column": "rank", "a": "int64", "b": "int32"}],
        "order": True,
    },
    "first": {
        "row": 1234,
        "identity": {"target": "'t'", "symbol": "'S00'"},
        "only_in": None,
        "column": "skill",
        "a": "0.30000000000000004",
        "b": "0.3",
    },
    "n_rows_differing": 2,
    "n_columns_compared": 9,
    "columns_differing": [{"column": "skill", "n_rows": 2}, {"column": "q_value", "n_rows": 1}],
}


def document(**parts: Any) -> dict[str, Any]:
    """Return a comparison of two done runs that differ in one file."""
    run = {"uri": "runs/x", "name": "x", "status": "done", "content_sha256": "aa"}
    run["recorded_content_sha256"] = "aa"
    return {
        "equal": False,
        "a": run,
        "b": run | {"uri": "s3://runs/y"},
        "files": [{"name": "routing/routes.parquet", "state": "different"}],
        "differences": [TABLE],
        "settings": {"record": [], "config": [], "config_without_effect": []},
    } | parts


def test_all_of_a_table() -> None:
    """What is different of rows and columns, the first difference with both values, the counts."""
    assert comparison_lines(document()) == [
        "different",
        "  A: runs/x",
        "  B: s3://runs/y",
        "",
        "  different  routing/routes.parquet",
        "",
        "routing/routes.parquet",
        "  rows: 2,000 in A, 1,999 in B",
        "  columns only in A: old",
        "  type of rank: int64 in A, int32 in B",
        "  the columns are in another order",
        "  first difference: column skill of row 1,234 (from 0), target 't', symbol 'S00'",
        "    A  0.30000000000000004",
        "    B  0.3",
        "  2 of 1,999 rows differ, in 2 of 9 columns: skill (2), q_value (1)",
        "",
        "nothing that the runs record is why: config, seed, input and versions are equal",
    ]


def test_a_row_that_only_one_table_has() -> None:
    """It is named with the table; a table without identifying columns has its number alone."""
    first = TABLE["first"] | {"only_in": "a", "column": None, "a": None, "b": None, "identity": {}}
    table = TABLE | {"first": first, "n_rows_differing": 0, "columns_differing": []}
    lines = comparison_lines(document(differences=[table]))
    assert lines[11] == "  first difference: only A has row 1,234 (from 0)"
    assert lines[12] == ""


def test_other_files() -> None:
    """JSON by path, text by line, bytes by offset; absent values are said to be absent."""
    differences = [
        {"name": "p.json", "kind": "json", "path": "", "a": "1", "b": None},
        {"name": "m.txt", "kind": "text", "line": 1000, "character": 3, "a": "x \n", "b": None},
        {"name": "m.bin", "kind": "bytes", "offset": 4, "a": "01 02", "b": "03"},
    ]
    assert comparison_lines(document(differences=differences))[5:-2] == [
        *("", "p.json", "  first difference: the document as a whole", "    A  1"),
        *("    B  nothing", "", "m.txt", "  first difference: character 3 of line 1,000"),
        *("    A  'x \\n'", "    B  nothing", "", "m.bin"),
        *("  first difference: byte 4 (from 0)", "    A  01 02", "    B  03"),
    ]


def test_many_model_files_are_counted() -> None:
    """One line per state, with three names at most."""
    files = [{"name": f"models/{i}/model.txt", "state": "different"} for i in range(12)]
    files += [{"name": f"models/e{i}/model.txt", "state": "equal"} for i in range(3)]
    assert comparison_lines(document(files=files))[4:6] == [
        "  equal      3 model files",
        "  different  12 model files: 0/model.txt, 1/model.txt, 2/model.txt and 9 more",
    ]


def test_what_may_be_why() -> None:
    """Values of both runs, long ones cut to where they differ; the fingerprint is explained."""
    symbols = [f'["{"A" * 300}{end}"]' for end in "XY"]
    settings = {
        "record": [{"key": "input_fingerprint", "a": '"1d"', "b": '"2d"'}],
        "config": [{"key": "data.symbols", "a": symbols[0], "b": symbols[1]}],
        "config_without_effect": [
            {"key": "output.run_dir", "a": "1", "b": "2"},
            {"key": "execution.n_workers", "a": "1", "b": "2"},
        ],
    }
    lines = comparison_lines(document(settings=settings))
    assert lines[-5:] == [
        "what may be why",
        '  input_fingerprint: "1d" in A, "2d" in B',
        "    (covers paths, sizes and ETags: equal data elsewhere has another)",
        f'  data.symbols: …{"A" * 24}X"] in A, …{"A" * 24}Y"] in B',
        "  differ, but change no result: output.run_dir, execution.n_workers",
    ]


def test_cautions_stand_before_the_files() -> None:
    """That a run is not done, or was edited since, is said before what follows from it."""
    run = document()["b"]
    found = document(b=run | {"status": "failed", "recorded_content_sha256": "bb"})
    assert comparison_lines(found)[3:6] == [
        "B failed: what it has written so far was compared.",
        "B was changed after the run: run.json has content_sha256 bb, its files now have aa.",
        "",
    ]
    found = document(a=run | {"status": "paused"})
    assert "A has status 'paused': what it has written so far was compared." in (
        comparison_lines(found)
    )
