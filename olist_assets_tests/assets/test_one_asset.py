"""One asset at a time, as authors of assets test it: for a day, for a range, and as a full refresh."""

import json
from dataclasses import replace

import dagster as dg
import pytest

from olist_assets.engines.local.sail import SailEngine
from olist_assets_tests.lakes import TestLake

DAY = "2018-05-10"


def test_a_seller_who_moves_is_one_row_with_the_new_place(lake):
    lake.rows("trusted/sellers", {"seller_id": "s1", "seller_city": "campinas", "seller_state": "SP"})
    lake.materialize("refined/dim_sellers", day=DAY)
    assert lake.read("refined/dim_sellers", "seller_id", "city", "state") == [
        {"seller_id": None, "city": None, "state": None},  # the unknown seller
        {"seller_id": "s1", "city": "campinas", "state": "SP"},
    ]


def test_a_range_of_days_is_one_materialization(lake):
    days = ("2018-05-09", DAY, "2018-05-11", "2018-05-12")
    lake.rows("raw/sellers", *({"seller_id": f"of {day}", "_landing_date": day} for day in days))
    run = lake.materialize("trusted/sellers", day=days[1], to=days[2])
    assert [row["seller_id"] for row in lake.read("trusted/sellers", "seller_id")] == [f"of {d}" for d in days[1:3]]
    assert len(run.asset_materializations_for_node("trusted__sellers")) == 2


def test_row_outcomes_are_reported_per_landing_date(sail_lake):
    days = (DAY, "2018-05-11", "2018-05-12")
    seller = {"seller_id": "s1", "seller_state": "SP"}
    sail_lake.rows(
        "raw/sellers",
        seller | {"_landing_date": days[0], "_extracted_at": "2018-05-10 03:00:00"},
        seller | {"_landing_date": days[2], "_extracted_at": "2018-05-12 03:00:00"},
        seller | {"_landing_date": days[2], "seller_state": "XX", "_row": 1},
    )
    run = sail_lake.materialize("trusted/sellers", day=days[0], to=days[2])
    reported = sail_lake.partition_metadata("trusted/sellers", *days)
    for metadata in reported.values():
        whole = metadata.pop("range")
        assert (whole["window"], whole["rows_read"]) == ("2018-05-10 to 2018-05-12", 3)
    counts = ("rows_read", "rows_inserted", "rows_updated", "rows_unchanged", "rows_superseded", "rows_quarantined")
    table = {"dagster/uri": str(sail_lake.root / "trusted/sellers"), "delta_version": 1} | dict.fromkeys(counts, 0)
    assert reported == {
        "2018-05-10": table | {"rows_read": 1, "rows_superseded": 1},
        "2018-05-11": table | {"note": "no rows: raw has none of this day"},
        "2018-05-12": table | {"rows_read": 2, "rows_inserted": 1, "rows_quarantined": 1},
    }
    [path] = [p for p in sail_lake.objects("control/steps") if run.run_id in p]
    record = json.loads((sail_lake.root / path).read_text())
    assert (record["rows_read"], record["rows_quarantined"]) == (3, 1)
    assert "days" not in record  # a record is one row of control.steps


def test_a_full_refresh_table_reports_totals_for_the_range_only(sail_lake):
    sail_lake.materialize("refined/dim_sellers", day=DAY, to="2018-05-11")
    for metadata in sail_lake.partition_metadata("refined/dim_sellers", DAY, "2018-05-11").values():
        assert set(metadata) == {"dagster/uri", "delta_version", "range"}
        assert metadata["range"]["rows_inserted"] == 1  # the unknown seller


def test_an_aggregate_is_materialized_without_a_day(lake):
    payment = {"order_id": "o1", "payment_sequential": 1, "customer_key": -1, "purchase_date_key": 20180510}
    value = {"payment_type": "boleto", "payment_value": "58.90", "order_month": "2018-05"}
    lake.rows("refined/fact_payments", payment | value, payment | value | {"payment_sequential": 2})
    lake.materialize("refined/aggregate_payments_per_month")
    [month] = lake.read("refined/aggregate_payments_per_month")
    assert (month["payments"], month["orders"], month["payment_value"]) == (2, 1, "117.80")


def test_a_failed_step_raises_unless_raise_on_error_is_false(sail_lake):
    sail_lake.deliver(DAY, "olist_sellers_dataset.csv", "seller_id\ns1\n")
    assets = ("landzone/sellers", "raw/sellers")
    with pytest.raises(dg.Failure, match="lacks the column seller_zip_code_prefix"):
        sail_lake.materialize(*assets, day=DAY)
    assert not sail_lake.materialize(*assets, day=DAY, raise_on_error=False).success


class Miscounting(SailEngine):
    """An engine that loses a row and notices it."""

    def run(self, context, request):
        """The step's result, the check failed."""
        result = super().run(context, request)
        failed = (replace(check, failed_rows=int(check.name == "rows_accounted_for")) for check in result.checks)
        return replace(result, checks=tuple(failed))


def test_rows_that_are_not_accounted_for_fail_their_asset_and_stop_downstream_assets(tmp_path):
    lake = TestLake(tmp_path / "lake", Miscounting())
    header = "seller_id,seller_zip_code_prefix,seller_city,seller_state"
    lake.deliver("2018-05-10", "olist_sellers_dataset.csv", f"{header}\ns1,1001,sao paulo,SP\n")
    lake.materialize("landzone/sellers", "raw/sellers", day="2018-05-10")
    result = lake.materialize("trusted/sellers", "refined/dim_sellers", day="2018-05-10", raise_on_error=False)
    assert not result.success
    assert [event.step_key for event in result.all_events if event.is_step_failure] == ["trusted__sellers"]
    started = [event.step_key for event in result.all_events if event.is_step_start]
    assert started == ["trusted__sellers"]
