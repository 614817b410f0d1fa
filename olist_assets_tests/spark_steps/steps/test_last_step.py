"""A step is done without a query if its inputs and code are those of the table's last step."""

import shutil
from contextlib import contextmanager
from datetime import date

import pytest

from olist_assets.assets import table_asset
from olist_assets.errors import LeaseError
from olist_assets_tests.spark_steps.steps.two_days import BOTH, FIRST, SECOND, content, load
from spark_steps import delta
from spark_steps.protocol import RowCounts
from spark_steps.steps import last_step

STEPS = ("trusted/orders", "refined/dim_customers", "refined/fact_orders", "refined/aggregate_sales_per_month")
LAST_STEP = "_last_step.json"


@pytest.fixture
def loaded(sail_lake):
    load(sail_lake, FIRST)
    return sail_lake


def is_done_without_query(lake, table_id, monkeypatch, **arguments):
    """Whether a step of the first day neither queries nor commits anything. If it does query, it is not done."""

    def refuse(*_arguments):
        raise AssertionError("a query")

    with monkeypatch.context() as patch:
        patch.setattr(delta, "sql", refuse)
        try:
            result = lake.run(table_id, **{"day": FIRST, "recompute": False} | arguments)
        except AssertionError:
            return False
    assert result.version_after == result.version_before
    return True


@pytest.mark.parametrize("table_id", STEPS)
def test_an_unchanged_step_runs_no_query_and_reports_the_same_rows(loaded, table_id, monkeypatch):
    before = content(loaded)
    computed = loaded.run(table_id, day=FIRST)
    assert is_done_without_query(loaded, table_id, monkeypatch)
    result = loaded.run(table_id, day=FIRST, recompute=False)
    rows = computed.rows
    assert result.rows == RowCounts(
        read=rows.read,
        unchanged=rows.unchanged + rows.inserted,  # a table computed whole is inserted again
        superseded=rows.superseded,
        quarantined=rows.quarantined,
    )
    assert result.checks == computed.checks
    assert [(day.day, day.rows) for day in result.days] == [(day.day, day.rows) for day in computed.days]
    assert content(loaded) == before


def test_a_step_with_changed_inputs_is_computed(loaded, monkeypatch):
    load(loaded, SECOND)
    assert not is_done_without_query(loaded, "trusted/orders", monkeypatch)
    loaded.rows("raw/orders", {"order_id": "o9", "_landing_date": FIRST})
    assert not is_done_without_query(loaded, "trusted/orders", monkeypatch)


@pytest.mark.parametrize(
    "arguments",
    [{"day": date(2018, 5, 12)}, {"window": BOTH}, {"code_version": "next"}, {"recompute": True}],
    ids=["another-day", "a-longer-window", "another-code-version", "recompute"],
)
def test_another_request_is_computed(loaded, arguments, monkeypatch):
    assert is_done_without_query(loaded, "refined/fact_orders", monkeypatch)
    assert not is_done_without_query(loaded, "refined/fact_orders", monkeypatch, **arguments)


@pytest.mark.parametrize("table_id", STEPS)
def test_a_table_that_another_writer_has_changed_is_computed(loaded, table_id, monkeypatch):
    assert is_done_without_query(loaded, table_id, monkeypatch)
    delta.open_table(loaded.table(table_id)).log.delete()
    assert not is_done_without_query(loaded, table_id, monkeypatch)


def test_a_table_that_was_created_again_is_not_the_one_of_the_last_step(loaded, monkeypatch):
    """Its version may be the same: Delta's id of the table differs."""
    state = loaded.root / "refined/fact_orders" / LAST_STEP
    kept, version = state.read_bytes(), delta.open_table(loaded.table("refined/fact_orders")).version
    shutil.rmtree(state.parent)
    loaded.run("refined/fact_orders", day=FIRST)
    state.write_bytes(kept)
    assert delta.open_table(loaded.table("refined/fact_orders")).version == version
    assert not is_done_without_query(loaded, "refined/fact_orders", monkeypatch)


def test_a_restored_table_that_gets_the_same_version_again_is_not_the_same_input(loaded, monkeypatch):
    folder, backup = loaded.root / "raw/orders", loaded.root / "backup"
    shutil.copytree(folder, backup)
    loaded.rows("raw/orders", {"order_id": "o8", "_landing_date": FIRST})
    loaded.run("trusted/orders", day=FIRST)
    assert is_done_without_query(loaded, "trusted/orders", monkeypatch)
    shutil.rmtree(folder)
    shutil.copytree(backup, folder)
    loaded.rows("raw/orders", {"order_id": "o9", "_landing_date": FIRST})
    assert not is_done_without_query(loaded, "trusted/orders", monkeypatch)


@pytest.mark.parametrize("damaged", [b"", b"{}", b'{"basis": 1}', b"\xff"])
def test_a_damaged_last_step_is_ignored(loaded, damaged, monkeypatch):
    (loaded.root / "refined/fact_orders" / LAST_STEP).write_bytes(damaged)
    assert not is_done_without_query(loaded, "refined/fact_orders", monkeypatch)
    loaded.run("refined/fact_orders", day=FIRST, recompute=False)
    assert is_done_without_query(loaded, "refined/fact_orders", monkeypatch)


def test_a_step_succeeds_if_it_cannot_be_kept(loaded, monkeypatch, caplog):
    def fail(*_arguments):
        raise OSError("disk full")

    monkeypatch.setattr(last_step, "keep", fail)
    assert loaded.run("refined/fact_orders", day=FIRST).rows.read
    assert "refined/fact_orders: the last step cannot be stored" in caplog.text
    assert "disk full" in caplog.text


def test_a_step_that_compacts_its_table_is_unchanged_too(sail_lake, monkeypatch):
    for number in range(16):
        sail_lake.rows("trusted/sellers", {"seller_id": f"s{number}", "_row": number})
    sail_lake.rows("raw/sellers", {"seller_id": "new"})
    assert sail_lake.run("trusted/sellers").rows.inserted == 1
    assert len(delta.open_table(sail_lake.table("trusted/sellers")).log.file_uris()) == 1
    assert is_done_without_query(sail_lake, "trusted/sellers", monkeypatch)


def test_a_table_whose_lease_was_taken_over_is_computed_next(loaded, monkeypatch):
    @contextmanager
    def lose_lease(*_arguments):
        yield
        raise LeaseError("another run has taken over")

    state = loaded.root / "trusted/orders" / LAST_STEP
    loaded.rows("raw/orders", {"order_id": "o8", "_landing_date": FIRST})
    with monkeypatch.context() as patch:
        patch.setattr(table_asset, "hold_lease", lose_lease)
        assert not loaded.materialize("trusted/orders", day=f"{FIRST}", raise_on_error=False).success
    assert not state.exists()
    assert loaded.materialize("trusted/orders", day=f"{FIRST}").success
    assert state.exists()
