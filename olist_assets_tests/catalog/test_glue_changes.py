"""Tables in Glue, against moto's: only changes are sent, and tables of others are not changed."""

from dataclasses import replace

import pytest

from olist_assets.catalog import glue
from olist_assets.catalog.glue import register, table_input
from olist_assets.errors import CatalogError
from olist_assets_tests.catalog.glue_wire import (
    DIM_SELLERS,
    MONTHS,
    SELLERS,
    all_outcomes,
    expected_outcomes,
    register_tables,
    to_response,
    write_lake,
)
from spark_steps import delta
from spark_steps.protocol import TableHandle
from spark_steps.tables import TABLES

pytestmark = pytest.mark.usefixtures("s3")


def test_a_second_register_writes_nothing(lake, name, wire):
    register_tables(lake, name)
    wire.requests.clear()
    assert register_tables(lake, name) == all_outcomes(name, "unchanged")
    assert [operation for operation, _ in wire.requests] == ["GetDatabase", "GetTables"] * 2


def test_a_changed_comment_is_one_update(lake, name, wire):
    register_tables(lake, name)
    wire.requests.clear()
    *others, last = MONTHS.columns
    changed = replace(MONTHS, columns=(*others, replace(last, comment="average of the installments")))
    done = register_tables(lake, name, tables=(SELLERS, DIM_SELLERS, changed))
    same = "unchanged"
    assert done == expected_outcomes(name, database=same, sellers=same, dim_sellers=same, months="updated")
    body = {"DatabaseName": f"{name}_refined", "TableInput": table_input(changed, lake, name)}
    assert wire.writes == [("UpdateTable", body)]
    assert body["TableInput"]["StorageDescriptor"]["Columns"][-1]["Comment"] == "average of the installments"


@pytest.mark.parametrize(
    "change",
    [
        {"grain": "a month and a way to pay"},
        {"columns": MONTHS.columns[:-1]},
        {"columns": (*MONTHS.columns[:-1], replace(MONTHS.columns[-1], type="bigint"))},
        {"columns": MONTHS.columns[::-1]},
        {"partition": "order_month"},
    ],
    ids=["grain", "column left out", "type", "order", "partition"],
)
def test_any_change_of_a_declaration_is_one_update(lake, name, wire, change):
    register_tables(lake, name)
    wire.requests.clear()
    register_tables(lake, name, tables=(SELLERS, DIM_SELLERS, replace(MONTHS, **change)))
    assert [operation for operation, _ in wire.writes] == ["UpdateTable"]


def test_changes_by_others_are_reverted_and_added_parameters_stay(lake, name, wire, catalog):
    register_tables(lake, name)
    table = table_input(DIM_SELLERS, lake, name)
    theirs = table["Parameters"] | {"table_type": "hive", "reviewed": "yes"}
    catalog.update_table(DatabaseName=f"{name}_refined", TableInput={**table, "Parameters": theirs})
    wire.requests.clear()
    register_tables(lake, name)
    ((operation, body),) = wire.writes
    assert operation == "UpdateTable"
    assert body["TableInput"] == {**table, "Parameters": {**table["Parameters"], "reviewed": "yes"}}
    wire.requests.clear()
    assert register_tables(lake, name) == all_outcomes(name, "unchanged")


def test_a_lake_that_moved_is_updated(lake, name, wire, bucket):
    register_tables(lake, name)
    wire.requests.clear()
    moved = f"{bucket}/moved"
    delta.create_if_missing(TableHandle(MONTHS.id, f"{moved}/{MONTHS.id}"))
    done = register_tables(moved, name, tables=(MONTHS,))
    assert done == {
        f"{name}_trusted.sellers": "vanished",
        f"{name}_refined": "updated",
        f"{name}_refined.aggregate_payments_per_month": "updated",
        f"{name}_refined.dim_sellers": "vanished",
    }
    assert [operation for operation, _ in wire.writes] == ["UpdateDatabase", "UpdateTable"]


def test_a_dry_run_has_the_same_outcomes_and_writes_nothing(lake, name, wire):
    assert register_tables(lake, name, dry_run=True) == all_outcomes(name, "created")
    assert wire.writes == []
    register_tables(lake, name)
    wire.requests.clear()
    done = register_tables(lake, name, tables=(SELLERS, replace(MONTHS, grain="another")), drop=True, dry_run=True)
    same = "unchanged"
    assert done == expected_outcomes(name, database=same, sellers=same, dim_sellers="dropped", months="updated")
    assert wire.writes == []


def test_all_pages_of_tables_are_read(lake, name, wire, catalog):
    register_tables(lake, name)

    def page(operation, body):
        if operation != "GetTables":
            return None
        tables = catalog.get_tables(DatabaseName=body["DatabaseName"])["TableList"]
        at = int(body.get("NextToken", 0))
        part = [{key: table[key] for key in table_input(SELLERS, lake, name)} for table in tables[at : at + 1]]
        return to_response({"TableList": part, **({"NextToken": str(at + 1)} if at + 1 < len(tables) else {})})

    wire.responders.append(page)
    wire.requests.clear()
    assert register_tables(lake, name) == all_outcomes(name, "unchanged")
    assert wire.writes == []


# --- What is not there, and what is gone ------------------------------------------------------------------------------


def test_a_table_that_has_not_been_written_is_not_registered(lake, name, wire):
    dates = TABLES["refined/dim_date"]
    assert register_tables(lake, name, tables=(DIM_SELLERS, dates)) == {
        f"{name}_refined.dim_date": "not written",
        f"{name}_refined": "created",
        f"{name}_refined.dim_sellers": "created",
    }
    assert [body["TableInput"]["Name"] for operation, body in wire.writes if operation == "CreateTable"] == [
        "dim_sellers"
    ]


def test_all_declared_tables_have_an_outcome(lake, name):
    done = register(lake, name)
    assert glue.table_counts(done) == {
        "created": 3,
        "updated": 0,
        "unchanged": 0,
        "dropped": 0,
        "vanished": 0,
        "not written": 19,
    }


def test_a_vanished_table_is_dropped_only_on_request(lake, name, wire):
    register_tables(lake, name)
    wire.requests.clear()
    remaining = (SELLERS, MONTHS)
    done = register_tables(lake, name, tables=remaining)
    same = "unchanged"
    assert done == expected_outcomes(name, database=same, sellers=same, dim_sellers="vanished", months=same)
    assert wire.writes == []
    done = register_tables(lake, name, tables=remaining, drop=True)
    assert done == expected_outcomes(name, database=same, sellers=same, dim_sellers="dropped", months=same)
    assert wire.writes == [("DeleteTable", {"DatabaseName": f"{name}_refined", "Name": "dim_sellers"})]
    assert f"{name}_refined.dim_sellers" not in register_tables(lake, name, tables=remaining)


def test_a_table_whose_data_are_gone_from_the_lake_has_vanished(bucket, name, s3):
    lake = write_lake(bucket)
    register_tables(lake, name)
    bucket_name = bucket.removeprefix("s3://")
    for item in s3.list_objects_v2(Bucket=bucket_name, Prefix="lake/refined/dim_sellers/")["Contents"]:
        s3.delete_object(Bucket=bucket_name, Key=item["Key"])
    done = register_tables(lake, name)
    assert done[f"{name}_refined.dim_sellers"] == "vanished"
    assert register_tables(lake, name, drop=True)[f"{name}_refined.dim_sellers"] == "dropped"


# --- What is others' --------------------------------------------------------------------------------------------------


def test_tables_and_databases_of_others_are_not_changed(lake, name, wire, catalog):
    catalog.create_database(DatabaseInput={"Name": f"{name}_refined", "Description": "by the stack"})
    for other, parameters in {"plain": {}, "of_another_lakehouse": {"olist:lakehouse": "another"}}.items():
        catalog.create_table(
            DatabaseName=f"{name}_refined", TableInput={"Name": other, "Description": other, "Parameters": parameters}
        )
    done = register_tables(lake, name, drop=True)
    assert done == all_outcomes(name, "created") | {f"{name}_refined": "unchanged"}
    tables = catalog.get_tables(DatabaseName=f"{name}_refined")["TableList"]
    assert {
        table["Name"]: table["Description"] for table in tables if table["Name"] in ("plain", "of_another_lakehouse")
    } == {
        "plain": "plain",
        "of_another_lakehouse": "of_another_lakehouse",
    }
    assert catalog.get_database(Name=f"{name}_refined")["Database"]["Description"] == "by the stack"
    assert {operation for operation, _ in wire.writes} == {"CreateDatabase", "CreateTable"}


def test_a_taken_table_name_is_an_error_before_any_write_to_the_database(lake, name, wire, catalog):
    catalog.create_database(DatabaseInput={"Name": f"{name}_refined"})
    catalog.create_table(DatabaseName=f"{name}_refined", TableInput={"Name": "dim_sellers", "Parameters": {}})
    with pytest.raises(CatalogError) as error:
        register_tables(lake, name, tables=(MONTHS, DIM_SELLERS))
    assert str(error.value) == (
        f"{name}_refined.dim_sellers is in Glue already, and not by `olist register`: "
        "drop or rename it there, or choose other databases by OLIST_GLUE"
    )
    assert wire.writes == []
