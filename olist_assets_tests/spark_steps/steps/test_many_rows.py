"""Steps write few rows from their own process, many rows by the engine or in parts: all end in the same tables."""

from dataclasses import replace

import pytest

from olist_assets_tests.spark_steps.steps.two_days import FIRST, SECOND, content, load
from spark_steps import arrow_writes, delta
from spark_steps.steps import increment, raw, refined

pytestmark = [pytest.mark.slow_module, pytest.mark.long]


def test_rows_that_the_engine_writes_equal_collected_ones(sail_lake, monkeypatch):
    few, many = (replace(sail_lake, root=sail_lake.root / name) for name in ("few", "many"))
    load(few, FIRST, SECOND)
    monkeypatch.setattr(raw, "_MAX_COLLECTED_FILES", 0)
    monkeypatch.setattr(delta, "MAX_COLLECTED_ROWS", 0)
    load(many, FIRST, SECOND)
    assert content(many) == content(few)


def test_rows_that_the_engine_merges_equal_replaced_ones(sail_lake, monkeypatch):
    replaced, merged = (replace(sail_lake, root=sail_lake.root / name) for name in ("replaced", "merged"))
    load(replaced, FIRST, SECOND)
    monkeypatch.setattr(arrow_writes, "_MAX_REPLACED_KEYS", 0)
    load(merged, FIRST, SECOND)
    assert content(merged) == content(replaced)


def test_tables_computed_in_parts_equal_whole_ones(sail_lake, monkeypatch):
    whole, in_parts = (replace(sail_lake, root=sail_lake.root / name) for name in ("whole", "in-parts"))
    load(whole, FIRST, SECOND)
    monkeypatch.setattr(increment, "LARGE_TABLE", 1)
    monkeypatch.setattr(increment, "_MIN_LIMIT", 0)  # no increments
    with monkeypatch.context() as killed:
        killed.setattr(refined, "remove_folder", lambda _uri: None)
        load(in_parts, FIRST)
    assert any("/_parts/" in path for path in in_parts.objects("refined"))  # what a killed step leaves
    load(in_parts, SECOND)
    assert not any("/_parts/" in path for path in in_parts.objects("refined"))
    assert content(in_parts) == content(whole)
