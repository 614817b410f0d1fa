"""The report of a lake with a broken or lost table: one line that names the table and the remedy, and no page."""

import shutil

import pytest

from olist_assets.errors import QueryError
from olist_assets.serving import report
from olist_assets_tests.lake import damage


@pytest.mark.parametrize("table", ["refined/fact_orders", "quarantine/orders", "trusted/sellers"])
def test_an_unreadable_table_is_named(loaded_lake_copy, table):
    damage.empty_newest_commit(loaded_lake_copy.root / table)
    with pytest.raises(QueryError) as error:
        report.make(str(loaded_lake_copy.root))
    assert str(error.value).startswith(f"{table} is unreadable: commit ")
    assert str(error.value).endswith(f"`olist rebuild {table.replace('quarantine', 'trusted')}` recomputes it")


def test_a_lost_table_is_named(loaded_lake_copy):
    shutil.rmtree(loaded_lake_copy.root / "refined/fact_orders")
    with pytest.raises(QueryError) as error:
        report.make(str(loaded_lake_copy.root))
    assert str(error.value) == "refined/fact_orders: missing although days are loaded; run `olist run`"
