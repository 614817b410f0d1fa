"""A step asks before each commit to a table, and an error at that point prevents the commit."""

from itertools import pairwise

import pytest

from olist_assets_tests.spark_steps.steps.two_days import FIRST, SECOND, load, run
from spark_steps import arrow_writes, delta, maintenance
from spark_steps.declarations import Layer
from spark_steps.steps import raw
from spark_steps.tables import TABLES

STEPS = [table.id for table in TABLES.values() if table.layer is not Layer.QUARANTINE]


class RefusedError(Exception):
    """A commit that is not allowed."""


@pytest.fixture(params=["collected rows", "rows that the engine writes", "rows that the engine merges"])
def lake(request, sail_lake, monkeypatch):
    """A lake whose steps write in each of the ways."""
    if request.param == "rows that the engine writes":
        monkeypatch.setattr(raw, "_MAX_COLLECTED_FILES", 0)
        monkeypatch.setattr(delta, "MAX_COLLECTED_ROWS", 0)
    if request.param == "rows that the engine merges":
        monkeypatch.setattr(arrow_writes, "_MAX_REPLACED_KEYS", 0)
    return sail_lake


def commits(lake):
    """The commits of all tables, without those that have created an empty table."""
    logs = [path for path in lake.objects("") if "/_delta_log/" in path and path.endswith(".json")]
    return [path for path in logs if "/_former/" in path or not path.endswith(f"{0:020}.json")]


def test_a_step_asks_before_each_commit(lake, monkeypatch):
    monkeypatch.setattr(maintenance, "MIN_FILES", 2)
    monkeypatch.setattr(maintenance, "CHECKPOINT_INTERVAL", 2)
    done = []
    load(lake, FIRST, SECOND, before_commit=lambda: done.append(len(commits(lake))))
    done.append(len(commits(lake)))
    assert done[0] == 0
    assert done[-1] > len(STEPS)
    assert all(later - earlier <= 1 for earlier, later in pairwise(done))


def test_a_refused_step_commits_nothing(sail_lake):
    lake = sail_lake
    load(lake, FIRST)

    def refuse():
        raise RefusedError

    refused = []
    for table_id in STEPS:
        before = commits(lake)
        try:
            run(lake, table_id, SECOND, before_commit=refuse)
        except RefusedError:
            refused.append(table_id)
        assert commits(lake) == before
        run(lake, table_id, SECOND)
        assert table_id in refused or commits(lake) == before
    assert {table_id.partition("/")[0] for table_id in refused} == {"raw", "trusted", "refined"}
