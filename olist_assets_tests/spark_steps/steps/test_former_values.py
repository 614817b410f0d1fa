"""A correction that moves a row from one person or place to another: both are recomputed, in any order of the days."""

from dataclasses import replace

import deltalake
import pyarrow as pa
import pytest

from olist_assets_tests.spark_steps.steps.two_days import BOTH, FIRST, SECOND, content, load
from spark_steps import delta, former_values
from spark_steps.protocol import StepError
from spark_steps.tables import TABLES

COLUMNS = "customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state\n"
ORDERS = (
    "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_delivered_carrier_date"
    ",order_delivered_customer_date,order_estimated_delivery_date\n"
)
DIMENSIONS = ("dim_customers", "dim_location")


def former(lake, table_id="trusted/customers"):
    """The former values of a table."""
    return delta.sql(lake.spark, former_values.relation(lake.table(table_id))).toArrow().to_pylist()


def deliver(lake, day, *customers):
    """Load the customers of a day."""
    return lake.load("customers", COLUMNS + "\n".join(customers) + "\n", day=day, extracted_at=f"{day} 03:00:00")


def row(customer, person, zip_code):
    """Former values of a customer."""
    return {"customer_id": customer, "customer_unique_id": person, "customer_zip_code_prefix": zip_code}


@pytest.mark.spark
@pytest.mark.parametrize("most_collected", [delta.MAX_COLLECTED_ROWS, 0], ids=["few-rows", "many-rows"])
def test_only_values_that_an_update_replaces_are_kept(lake, most_collected, monkeypatch):
    monkeypatch.setattr(delta, "MAX_COLLECTED_ROWS", most_collected)
    deliver(lake, FIRST, "c1,ana,1001,rio,RJ", "c2,bia,,rio,RJ", "c3,caio,3001,rio,RJ", "c4,davi,4001,rio,RJ")
    assert former(lake) == []
    assert not (lake.root / "trusted/customers/_former").exists()
    result = deliver(
        lake, SECOND, "c1,bia,1001,rio,RJ", "c2,bia,2001,rio,RJ", "c3,caio,3001,santos,SP", "c5,eva,5001,rio,RJ"
    )
    assert (result.rows.updated, result.rows.inserted) == (3, 1)
    assert sorted(former(lake), key=str) == [row("c1", "ana", "01001"), row("c2", "bia", None)]


def test_a_row_that_arrives_late_replaces_nothing(sail_lake):
    deliver(sail_lake, SECOND, "c1,ana,1001,rio,RJ")
    deliver(sail_lake, FIRST, "c1,bia,2001,rio,RJ")
    assert former(sail_lake) == []


def test_each_table_keeps_the_values_that_refined_tables_assign_rows_by():
    tracked = {table.name: table.tracked for table in TABLES.values() if table.id.startswith("trusted/")}
    assert {name: columns for name, columns in tracked.items() if columns} == {
        "orders": ("customer_id",),
        "customers": ("customer_unique_id", "customer_zip_code_prefix"),
        "sellers": ("seller_zip_code_prefix",),
    }


def refine(lake, day, window=None):
    for name in DIMENSIONS:
        lake.run(f"refined/{name}", day=day, window=window)


@pytest.mark.parametrize("late", [False, True], ids=["day-by-day", "trusted-first"])
def test_increments_after_corrections_equal_a_computation_of_the_whole(sail_lake, late):
    """A customer moves twice, and the order to another customer, before or after the refined tables follow."""
    by_day, whole = (replace(sail_lake, root=sail_lake.root / name) for name in ("by-day", "whole"))
    days = {
        FIRST: ["c1,ana,1001,rio,RJ", "c9,zoe,9001,rio,RJ"],
        SECOND: ["c1,bia,2001,campinas,SP"],
        BOTH.end: ["c1,caio,3001,santos,SP"],
    }
    for lake in (by_day, whole):
        for number, (day, customers) in enumerate(days.items()):
            customer = "c9" if day == BOTH.end else "c1"
            text = f"{ORDERS}o1,{customer},created,2018-05-10 10:00:0{number},,,,\n"
            lake.load("orders", text, day=day, extracted_at=f"{day} 03:00:00")
            deliver(lake, day, *customers)
            if lake is by_day and (day == FIRST or not late):
                refine(lake, day)
    if late:
        for day in (SECOND, BOTH.end):
            refine(by_day, day)
    refine(whole, FIRST, replace(BOTH, end=BOTH.end.replace(day=BOTH.end.day + 1)))
    for name in DIMENSIONS:
        assert by_day.read(f"refined/{name}") == whole.read(f"refined/{name}")


def test_a_correction_that_is_killed_before_its_commit_is_not_lost(sail_lake, monkeypatch):
    killed, intact = (replace(sail_lake, root=sail_lake.root / name) for name in ("killed", "intact"))
    for lake in (killed, intact):
        load(lake, FIRST)

    def kill(*_arguments, **_more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(delta, "merge", kill)
        with pytest.raises(KeyboardInterrupt):
            load(killed, SECOND)
    for lake in (killed, intact):
        load(lake, SECOND)
    assert content(killed) == content(intact)


def test_many_corrections_stay_few_files(sail_lake):
    table = sail_lake.table("trusted/sellers")
    for number in range(40):
        rows = pa.table({"seller_id": [f"s{number}"], "seller_zip_code_prefix": [f"{number:05}"]})
        former_values.keep(rows, delta.open_table(table))
    assert len(former(sail_lake, "trusted/sellers")) == 40
    assert len(deltalake.DeltaTable(former_values.uri(table)).file_uris()) <= 17
    assert delta.open_table(table).version == 0  # the former values are no version of the table


@pytest.mark.parametrize("name", DIMENSIONS)
def test_a_refined_table_of_an_earlier_release_is_computed_as_a_whole(sail_lake, name):
    """It kept no former values, so a correction whose refined step was killed could not be found."""
    load(sail_lake, FIRST)
    table_id = f"refined/{name}"
    expected = sail_lake.read(table_id)
    (sail_lake.root / table_id / "_last_step.json").unlink()
    delta.open_table(sail_lake.table(table_id)).log.delete()
    sail_lake.run(table_id, day=BOTH.end)
    assert sail_lake.read(table_id) == expected


def test_a_damaged_log_of_former_values_is_named_with_the_remedy(sail_lake):
    sail_lake.load("orders", f"{ORDERS}o1,c1,created,2018-05-10 10:00:00,,,,\n")
    deliver(sail_lake, FIRST, "c1,ana,1001,rio,RJ")
    refine(sail_lake, FIRST)
    deliver(sail_lake, SECOND, "c1,bia,1001,rio,RJ")
    (sail_lake.root / "trusted/customers/_former/_delta_log/00000000000000000000.json").write_text("{")
    problem = r"trusted/customers: its former values are unreadable .* `olist rebuild trusted/customers` recomputes it"
    with pytest.raises(StepError, match=problem):
        sail_lake.run("refined/dim_customers", day=SECOND)
