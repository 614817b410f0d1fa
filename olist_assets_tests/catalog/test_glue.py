"""Tables in Glue, against moto's: what is sent, that only changes are, and that others' tables stay as they are."""

import io
import json
import re
import uuid
from dataclasses import replace

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from urllib3 import HTTPResponse

from olist_assets.catalog import glue
from olist_assets.catalog.glue import register, table_input
from olist_assets.errors import OlistError
from spark_steps import delta
from spark_steps.declarations import Layer
from spark_steps.protocol import TableHandle
from spark_steps.tables import TABLES

pytestmark = pytest.mark.usefixtures("s3")

SELLERS, DIM_SELLERS, MONTHS = (
    TABLES[name] for name in ("trusted/sellers", "refined/dim_sellers", "refined/aggregate_payments_per_month")
)
TABLES_OF_THE_LAKE = (SELLERS, DIM_SELLERS, MONTHS)
WRITES = ("Create", "Update", "Delete", "BatchDelete")


class Wire:
    """What goes over the wire to Glue, and answers that are given in its place.

    Attributes:
        requests: operation and body of each request, in order.
        answers: called with operation and body; what they return goes back instead of Glue's answer, unless None.
    """

    def __init__(self):
        self.requests, self.answers = [], []

    def __call__(self, request, **_):
        """Botocore's hook: called before a request is sent, and before each repetition."""
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).removeprefix("AWSGlue.")
        body = json.loads(request.body)
        self.requests.append((operation, body))
        for answer in self.answers:
            if (given := answer(operation, body)) is not None:
                return given
        return None

    @property
    def writes(self):
        """The requests that change something."""
        return [(operation, body) for operation, body in self.requests if operation.startswith(WRITES)]


def answered(body, status=200):
    """An HTTP answer of Glue."""
    raw = HTTPResponse(io.BytesIO(json.dumps(body).encode()), preload_content=False)
    return AWSResponse("https://glue", status, {"Content-Type": "application/x-amz-json-1.1"}, raw)


def refused(code, message="no"):
    return answered({"__type": code, "Message": message}, status=400)


def lake_in(bucket):
    root = f"{bucket}/lake"
    for table in TABLES_OF_THE_LAKE:
        delta.create_if_missing(TableHandle(table.id, f"{root}/{table.id}"))
    return root


@pytest.fixture(scope="module")
def made():
    """The lake that tests share, once it is made."""
    return []


@pytest.fixture
def lake(bucket, made):
    """A lake on S3 that holds three tables; nothing changes it."""
    if not made:
        made.append(lake_in(bucket))
    return made[0]


@pytest.fixture
def name():
    """The name of a lakehouse that Glue does not know yet: its server is shared by tests."""
    return f"shop_{uuid.uuid4().hex[:8]}"


@pytest.fixture
def wire(monkeypatch):
    """What clients that are made from here on say to Glue."""
    wire, session = Wire(), boto3.Session()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    session.events.register("before-send.glue", wire)
    return wire


@pytest.fixture
def catalog():
    """A client of the same Glue, whose requests are not on the wire."""
    return boto3.Session().client("glue")


def registered(lake, name, **options):
    return register(lake, name, tables=options.pop("tables", TABLES_OF_THE_LAKE), **options)


def outcomes(name, *, database, sellers, dim_sellers, months):
    return {
        f"{name}_trusted": database,
        f"{name}_trusted.sellers": sellers,
        f"{name}_refined": database,
        f"{name}_refined.dim_sellers": dim_sellers,
        f"{name}_refined.aggregate_payments_per_month": months,
    }


def all_of(name, outcome):
    return outcomes(name, database=outcome, sellers=outcome, dim_sellers=outcome, months=outcome)


# --- What is sent -----------------------------------------------------------------------------------------------------


def test_a_first_register_creates_databases_and_tables_and_these_are_the_bodies(lake, name, wire):
    assert registered(lake, name) == all_of(name, "created")
    assert [operation for operation, _ in wire.writes] == [
        *("CreateDatabase", "CreateTable"),
        *("CreateDatabase", "CreateTable", "CreateTable"),
    ]
    bodies = [body for _, body in wire.writes]
    assert bodies[0] == {
        "DatabaseInput": {
            "Name": f"{name}_trusted",
            "Description": "Typed rows, the newest state of each key",
            "LocationUri": f"{lake}/trusted/",
            "Parameters": {"olist:lakehouse": name},
        }
    }
    assert bodies[2] == {
        "DatabaseInput": {
            "Name": f"{name}_refined",
            "Description": "The star schema",
            "LocationUri": f"{lake}/refined/",
            "Parameters": {"olist:lakehouse": name},
        }
    }
    assert bodies[4] == {
        "DatabaseName": f"{name}_refined",
        "TableInput": {
            "Name": "aggregate_payments_per_month",
            "Description": "One row: a month and a means of payment; all orders. Key: order_month and payment_type.",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {
                "EXTERNAL": "TRUE",
                "table_type": "delta",
                "spark.sql.sources.provider": "delta",
                "olist:lakehouse": name,
            },
            "PartitionKeys": [],
            "StorageDescriptor": {
                "Columns": [
                    {"Name": "order_month", "Type": "string", "Comment": "month of the purchase, yyyy-MM"},
                    {"Name": "payment_type", "Type": "string", "Comment": "means of payment"},
                    {"Name": "payments", "Type": "bigint", "Comment": "number of payments"},
                    {"Name": "orders", "Type": "bigint", "Comment": "number of different orders"},
                    {"Name": "payment_value", "Type": "decimal(18,2)", "Comment": "sum of the payments in BRL"},
                    {"Name": "average_installments", "Type": "double", "Comment": "mean number of instalments"},
                ],
                "Location": f"{lake}/refined/aggregate_payments_per_month/",
                "InputFormat": "org.apache.hadoop.mapred.SequenceFileInputFormat",
                "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
                "SerdeInfo": {
                    "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
                    "Parameters": {
                        "path": f"{lake}/refined/aggregate_payments_per_month/",
                        "serialization.format": "1",
                    },
                },
            },
        },
    }


def test_what_glue_answers_afterwards_is_what_was_sent(lake, name, catalog):
    registered(lake, name)
    found = catalog.get_table(DatabaseName=f"{name}_refined", Name="dim_sellers")["Table"]
    sent = table_input(DIM_SELLERS, lake, name)
    assert {key: found[key] for key in sent} == sent


def test_a_table_that_is_partitioned_tells_it_in_its_description():
    described = table_input(TABLES["refined/fact_orders"], "s3://shop/lake", "shop")["Description"]
    assert described == "One row: an order. Key: order_id. Partitioned by order_month."


@pytest.mark.parametrize("table", glue.published(), ids=lambda table: table.id)
def test_glue_and_hive_take_what_every_table_is_told_as(table):
    """By the limits of Glue's API, and the names of Hive's types."""
    told = table_input(table, "s3://shop/lake", "shop")
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,254}", told["Name"])
    assert len(told["Description"]) <= 2048
    for column in told["StorageDescriptor"]["Columns"]:
        assert re.fullmatch(r"[a-z_][a-z0-9_]{0,254}", column["Name"])
        assert re.fullmatch(r"string|int|bigint|double|boolean|date|timestamp|decimal\(\d\d,\d\)", column["Type"])
        assert 0 < len(column["Comment"]) <= 255


def test_trusted_and_refined_are_published_and_nothing_else():
    assert [table.id for table in glue.published()] == [
        name for name, table in TABLES.items() if table.layer in (Layer.TRUSTED, Layer.REFINED)
    ]
    assert len(glue.published()) == 22


# --- Only what changed ------------------------------------------------------------------------------------------------


def test_a_second_register_writes_nothing(lake, name, wire):
    registered(lake, name)
    wire.requests.clear()
    assert registered(lake, name) == all_of(name, "unchanged")
    assert [operation for operation, _ in wire.requests] == ["GetDatabase", "GetTables"] * 2


def test_a_changed_comment_is_one_update(lake, name, wire):
    registered(lake, name)
    wire.requests.clear()
    *others, last = MONTHS.columns
    changed = replace(MONTHS, columns=(*others, replace(last, comment="average of the instalments")))
    done = registered(lake, name, tables=(SELLERS, DIM_SELLERS, changed))
    same = "unchanged"
    assert done == outcomes(name, database=same, sellers=same, dim_sellers=same, months="updated")
    body = {"DatabaseName": f"{name}_refined", "TableInput": table_input(changed, lake, name)}
    assert wire.writes == [("UpdateTable", body)]
    assert body["TableInput"]["StorageDescriptor"]["Columns"][-1]["Comment"] == "average of the instalments"


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
    registered(lake, name)
    wire.requests.clear()
    registered(lake, name, tables=(SELLERS, DIM_SELLERS, replace(MONTHS, **change)))
    assert [operation for operation, _ in wire.writes] == ["UpdateTable"]


def test_what_others_changed_on_a_table_is_put_right_and_what_they_added_stays(lake, name, wire, catalog):
    registered(lake, name)
    table = table_input(DIM_SELLERS, lake, name)
    theirs = table["Parameters"] | {"table_type": "hive", "reviewed": "yes"}
    catalog.update_table(DatabaseName=f"{name}_refined", TableInput={**table, "Parameters": theirs})
    wire.requests.clear()
    registered(lake, name)
    ((operation, body),) = wire.writes
    assert operation == "UpdateTable"
    assert body["TableInput"] == {**table, "Parameters": {**table["Parameters"], "reviewed": "yes"}}
    wire.requests.clear()
    assert registered(lake, name) == all_of(name, "unchanged")


def test_a_lake_that_moved_is_told_anew(lake, name, wire, bucket):
    registered(lake, name)
    wire.requests.clear()
    moved = f"{bucket}/moved"
    delta.create_if_missing(TableHandle(MONTHS.id, f"{moved}/{MONTHS.id}"))
    done = registered(moved, name, tables=(MONTHS,))
    assert done == {
        f"{name}_trusted.sellers": "vanished",
        f"{name}_refined": "updated",
        f"{name}_refined.aggregate_payments_per_month": "updated",
        f"{name}_refined.dim_sellers": "vanished",
    }
    assert [operation for operation, _ in wire.writes] == ["UpdateDatabase", "UpdateTable"]


def test_a_dry_run_tells_the_same_and_writes_nothing(lake, name, wire):
    assert registered(lake, name, dry_run=True) == all_of(name, "created")
    assert wire.writes == []
    registered(lake, name)
    wire.requests.clear()
    done = registered(lake, name, tables=(SELLERS, replace(MONTHS, grain="another")), drop=True, dry_run=True)
    same = "unchanged"
    assert done == outcomes(name, database=same, sellers=same, dim_sellers="dropped", months="updated")
    assert wire.writes == []


def test_all_pages_of_tables_are_looked_at(lake, name, wire, catalog):
    registered(lake, name)

    def page(operation, body):
        if operation != "GetTables":
            return None
        tables = catalog.get_tables(DatabaseName=body["DatabaseName"])["TableList"]
        at = int(body.get("NextToken", 0))
        told = [{key: table[key] for key in table_input(SELLERS, lake, name)} for table in tables[at : at + 1]]
        return answered({"TableList": told, **({"NextToken": str(at + 1)} if at + 1 < len(tables) else {})})

    wire.answers.append(page)
    wire.requests.clear()
    assert registered(lake, name) == all_of(name, "unchanged")
    assert wire.writes == []


# --- What is not there, and what is gone ------------------------------------------------------------------------------


def test_a_table_that_is_not_written_yet_is_told_and_not_registered(lake, name, wire):
    dates = TABLES["refined/dim_date"]
    assert registered(lake, name, tables=(DIM_SELLERS, dates)) == {
        f"{name}_refined.dim_date": "not written",
        f"{name}_refined": "created",
        f"{name}_refined.dim_sellers": "created",
    }
    assert [body["TableInput"]["Name"] for operation, body in wire.writes if operation == "CreateTable"] == [
        "dim_sellers"
    ]


def test_all_declared_tables_are_looked_for(lake, name):
    done = register(lake, name)
    assert glue.table_counts(done) == {
        "created": 3,
        "updated": 0,
        "unchanged": 0,
        "dropped": 0,
        "vanished": 0,
        "not written": 19,
    }


def test_a_vanished_table_is_dropped_only_if_that_is_asked_for(lake, name, wire):
    registered(lake, name)
    wire.requests.clear()
    left = (SELLERS, MONTHS)
    done = registered(lake, name, tables=left)
    same = "unchanged"
    assert done == outcomes(name, database=same, sellers=same, dim_sellers="vanished", months=same)
    assert wire.writes == []
    done = registered(lake, name, tables=left, drop=True)
    assert done == outcomes(name, database=same, sellers=same, dim_sellers="dropped", months=same)
    assert wire.writes == [("DeleteTable", {"DatabaseName": f"{name}_refined", "Name": "dim_sellers"})]
    assert f"{name}_refined.dim_sellers" not in registered(lake, name, tables=left)


def test_a_table_whose_data_are_gone_from_the_lake_has_vanished(bucket, name, s3):
    lake = lake_in(bucket)
    registered(lake, name)
    where = bucket.removeprefix("s3://")
    for found in s3.list_objects_v2(Bucket=where, Prefix="lake/refined/dim_sellers/")["Contents"]:
        s3.delete_object(Bucket=where, Key=found["Key"])
    done = registered(lake, name)
    assert done[f"{name}_refined.dim_sellers"] == "vanished"
    assert registered(lake, name, drop=True)[f"{name}_refined.dim_sellers"] == "dropped"


# --- What is others' --------------------------------------------------------------------------------------------------


def test_tables_and_databases_of_others_stay_as_they_are(lake, name, wire, catalog):
    catalog.create_database(DatabaseInput={"Name": f"{name}_refined", "Description": "by the stack"})
    for other, parameters in {"plain": {}, "of_another_lakehouse": {"olist:lakehouse": "another"}}.items():
        catalog.create_table(
            DatabaseName=f"{name}_refined", TableInput={"Name": other, "Description": other, "Parameters": parameters}
        )
    done = registered(lake, name, drop=True)
    assert done == all_of(name, "created") | {f"{name}_refined": "unchanged"}
    tables = catalog.get_tables(DatabaseName=f"{name}_refined")["TableList"]
    assert {
        table["Name"]: table["Description"] for table in tables if table["Name"] in ("plain", "of_another_lakehouse")
    } == {
        "plain": "plain",
        "of_another_lakehouse": "of_another_lakehouse",
    }
    assert catalog.get_database(Name=f"{name}_refined")["Database"]["Description"] == "by the stack"
    assert {operation for operation, _ in wire.writes} == {"CreateDatabase", "CreateTable"}


def test_a_name_that_is_taken_is_an_error_before_anything_is_written_to_that_database(lake, name, wire, catalog):
    catalog.create_database(DatabaseInput={"Name": f"{name}_refined"})
    catalog.create_table(DatabaseName=f"{name}_refined", TableInput={"Name": "dim_sellers", "Parameters": {}})
    with pytest.raises(OlistError) as error:
        registered(lake, name, tables=(MONTHS, DIM_SELLERS))
    assert str(error.value) == (
        f"{name}_refined.dim_sellers is in Glue already, and not by `olist register`: "
        "drop or rename it there, or choose other databases by OLIST_GLUE"
    )
    assert wire.writes == []


# --- Two at a time, and calls that fail -------------------------------------------------------------------------------


def once(operation, act):
    """An answer to the first request of an operation only."""
    left = [act]

    def answer(asked, body):
        return left.pop()(body) if asked == operation and left else None

    return answer


def test_two_at_once_create_each_table_once(lake, name, wire):
    """The second comes between the first's look and its write."""
    for operation in ("CreateDatabase", "CreateTable"):
        wire.answers.append(once(operation, lambda _: registered(lake, name) and None))
    assert registered(lake, name) == all_of(name, "unchanged")  # the second was quicker with all of them
    refused = [operation for operation, _ in wire.writes]
    assert (refused.count("CreateDatabase"), refused.count("CreateTable")) == (3, 4)  # of these, 2 and 3 went well


def test_a_table_that_another_takes_meanwhile_is_not_touched(lake, name, wire, catalog):
    def take(body):
        catalog.create_table(DatabaseName=body["DatabaseName"], TableInput={"Name": body["TableInput"]["Name"]})

    wire.answers.append(once("CreateTable", take))
    with pytest.raises(OlistError, match=f"{name}_trusted.sellers is in Glue already, and not by `olist register`"):
        registered(lake, name)
    assert "Parameters" not in catalog.get_table(DatabaseName=f"{name}_trusted", Name="sellers")["Table"]


def test_an_update_that_meets_another_looks_again(lake, name, wire):
    registered(lake, name)
    wire.requests.clear()
    wire.answers.append(once("UpdateTable", lambda _: refused("ConcurrentModificationException")))
    done = registered(lake, name, tables=(SELLERS, DIM_SELLERS, replace(MONTHS, grain="another")))
    assert done[f"{name}_refined.aggregate_payments_per_month"] == "updated"
    assert [operation for operation, _ in wire.requests][-3:] == ["UpdateTable", "GetTable", "UpdateTable"]


def test_what_is_changed_without_end_is_given_up(lake, name, wire):
    registered(lake, name)
    wire.answers.append(
        lambda operation, _: refused("ConcurrentModificationException") if operation == "UpdateTable" else None
    )
    with pytest.raises(OlistError) as error:
        registered(lake, name, tables=(replace(SELLERS, grain="another"),))
    assert str(error.value) == (
        f"{name}_trusted.sellers in Glue is changed by somebody else again and again: run it once more"
    )


def test_a_table_that_another_dropped_meanwhile_is_dropped(lake, name, wire, catalog):
    registered(lake, name)
    wire.answers.append(once("DeleteTable", lambda body: catalog.delete_table(**body) and None))
    done = registered(lake, name, tables=(SELLERS, MONTHS), drop=True)
    assert done[f"{name}_refined.dim_sellers"] == "dropped"


def test_throttled_calls_are_made_again(lake, name, wire):
    for operation in ("GetDatabase", "CreateTable"):
        wire.answers.append(once(operation, lambda _: refused("ThrottlingException", "Rate exceeded")))
    assert registered(lake, name) == all_of(name, "created")
    assert [operation for operation, _ in wire.requests][:5] == [
        *("GetDatabase", "GetDatabase", "CreateDatabase", "GetTables"),
        "CreateTable",
    ]
    assert [operation for operation, _ in wire.writes].count("CreateTable") == 4


def test_what_is_denied_is_one_line_without_account_or_bucket(lake, name, wire):
    message = (
        f"User: arn:aws:iam::123456789012:user/ana is not authorized to perform: glue:CreateTable on resource: "
        f"arn:aws:glue:us-east-1:123456789012:table/shop_trusted/sellers of {lake}/trusted/sellers/"
    )
    wire.answers.append(once("CreateTable", lambda _: refused("AccessDeniedException", message)))
    with pytest.raises(OlistError) as error:
        registered(lake, name)
    assert str(error.value) == (
        "AWS error: An error occurred (AccessDeniedException) when calling the CreateTable operation: "
        "User: arn:aws:iam::…:user/ana is not authorized to perform: glue:CreateTable on resource: "
        "arn:aws:glue:us-east-1:…:table/shop_trusted/sellers of s3://…/lake/trusted/sellers/; "
        "docs/athena.md tells what `olist register` must be permitted"
    )


def test_a_missing_region_is_one_line(lake, name, monkeypatch):
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(OlistError) as error:
        registered(lake, name)
    assert str(error.value) == (
        "AWS: You must specify a region; see AWS_REGION, AWS_PROFILE and the network's way to Glue"
    )


def test_a_lake_that_cannot_be_read_is_one_line(name):
    with pytest.raises(OlistError) as error:
        registered("s3://nowhere-at-all/lake", name)
    assert str(error.value) == (
        "cannot list s3://…/lake: NoSuchBucket: The specified bucket does not exist; "
        "check the bucket's name, AWS_PROFILE and the AWS variables"
    )


def test_a_lake_in_a_folder_is_an_error(tmp_path):
    with pytest.raises(OlistError) as error:
        register(str(tmp_path), "shop")
    assert str(error.value) == (
        "Glue and Athena know tables on S3 only, and this lake is a folder: set OLIST_LAKE=s3://…"
    )
