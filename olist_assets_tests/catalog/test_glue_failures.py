"""Registering tables in Glue concurrently, and calls that fail."""

from dataclasses import replace

import boto3
import pytest

from olist_assets.catalog.glue import register
from olist_assets.errors import CatalogError, OlistError, SettingsError
from olist_assets_tests.catalog.glue_wire import (
    DIM_SELLERS,
    MONTHS,
    SELLERS,
    all_outcomes,
    once,
    register_tables,
    to_error_response,
)

pytestmark = pytest.mark.usefixtures("s3")


def test_concurrent_registers_create_each_table_once(lake, name, wire):
    """The second one runs between the first one's read and write."""
    for operation in ("CreateDatabase", "CreateTable"):
        wire.responders.append(once(operation, lambda _: register_tables(lake, name) and None))
    assert register_tables(lake, name) == all_outcomes(name, "unchanged")  # the second one did all writes
    writes = [operation for operation, _ in wire.writes]
    assert (writes.count("CreateDatabase"), writes.count("CreateTable")) == (3, 4)  # 2 and 3 succeeded


def test_a_table_name_taken_concurrently_is_not_overwritten(lake, name, wire, catalog):
    def take(body):
        catalog.create_table(DatabaseName=body["DatabaseName"], TableInput={"Name": body["TableInput"]["Name"]})

    wire.responders.append(once("CreateTable", take))
    with pytest.raises(CatalogError, match=f"{name}_trusted.sellers is in Glue already, and not by `olist register`"):
        register_tables(lake, name)
    assert "Parameters" not in catalog.get_table(DatabaseName=f"{name}_trusted", Name="sellers")["Table"]


def test_a_conflicting_update_is_retried(lake, name, wire):
    register_tables(lake, name)
    wire.requests.clear()
    wire.responders.append(once("UpdateTable", lambda _: to_error_response("ConcurrentModificationException")))
    done = register_tables(lake, name, tables=(SELLERS, DIM_SELLERS, replace(MONTHS, grain="another")))
    assert done[f"{name}_refined.aggregate_payments_per_month"] == "updated"
    assert [operation for operation, _ in wire.requests][-3:] == ["UpdateTable", "GetTable", "UpdateTable"]


def test_endless_conflicts_are_an_error(lake, name, wire):
    register_tables(lake, name)
    wire.responders.append(
        lambda operation, _: (
            to_error_response("ConcurrentModificationException") if operation == "UpdateTable" else None
        )
    )
    with pytest.raises(CatalogError) as error:
        register_tables(lake, name, tables=(replace(SELLERS, grain="another"),))
    assert str(error.value) == (
        f"{name}_trusted.sellers in Glue is being changed by others: run `olist register` again"
    )


def test_a_table_dropped_concurrently_counts_as_dropped(lake, name, wire, catalog):
    register_tables(lake, name)
    wire.responders.append(once("DeleteTable", lambda body: catalog.delete_table(**body) and None))
    done = register_tables(lake, name, tables=(SELLERS, MONTHS), drop=True)
    assert done[f"{name}_refined.dim_sellers"] == "dropped"


def test_throttled_calls_are_retried(lake, name, wire):
    for operation in ("GetDatabase", "CreateTable"):
        wire.responders.append(once(operation, lambda _: to_error_response("ThrottlingException", "Rate exceeded")))
    assert register_tables(lake, name) == all_outcomes(name, "created")
    assert [operation for operation, _ in wire.requests][:5] == [
        *("GetDatabase", "GetDatabase", "CreateDatabase", "GetTables"),
        "CreateTable",
    ]
    assert [operation for operation, _ in wire.writes].count("CreateTable") == 4


def test_a_denied_call_is_one_line_without_account_or_bucket(lake, name, wire):
    message = (
        f"User: arn:aws:iam::123456789012:user/ana is not authorized to perform: glue:CreateTable on resource: "
        f"arn:aws:glue:us-east-1:123456789012:table/shop_trusted/sellers of {lake}/trusted/sellers/"
    )
    wire.responders.append(once("CreateTable", lambda _: to_error_response("AccessDeniedException", message)))
    with pytest.raises(CatalogError) as error:
        register_tables(lake, name)
    assert str(error.value) == (
        "AWS error: An error occurred (AccessDeniedException) when calling the CreateTable operation: "
        "User: arn:aws:iam::…:user/ana is not authorized to perform: glue:CreateTable on resource: "
        "arn:aws:glue:us-east-1:…:table/shop_trusted/sellers of s3://…/lake/trusted/sellers/; "
        "see docs/athena.md for the permissions that `olist register` needs"
    )


def test_a_missing_region_is_one_line(lake, name, monkeypatch):
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(CatalogError) as error:
        register_tables(lake, name)
    assert str(error.value) == (
        "AWS: You must specify a region; check AWS_REGION, AWS_PROFILE and the network connection to Glue"
    )


def test_a_lake_that_cannot_be_read_is_one_line(name):
    with pytest.raises(OlistError) as error:
        register_tables("s3://nowhere-at-all/lake", name)
    assert str(error.value) == (
        "cannot list s3://…/lake: NoSuchBucket: The specified bucket does not exist; "
        "check the bucket's name, AWS_PROFILE and the AWS variables"
    )


def test_a_lake_in_a_folder_is_an_error(tmp_path):
    with pytest.raises(SettingsError) as error:
        register(str(tmp_path), "shop")
    assert str(error.value) == (
        "Glue and Athena know tables on S3 only, and this lake is a folder: set OLIST_LAKE=s3://…"
    )
