"""The asset that registers tables in Glue, its metadata, and the command that does the same."""

import json
import os
import subprocess
import sys
import uuid

import boto3
import dagster as dg
import pytest

from olist_assets.assets.glue_tables import glue_assets
from olist_assets.catalog import glue
from olist_assets.engines.local.sail import SailEngine
from olist_assets.lake.layout import Lake
from olist_assets.settings.general import Settings
from spark_steps import delta
from spark_steps.protocol import TableHandle

WRITTEN = ("trusted/sellers", "refined/dim_sellers")


@pytest.fixture
def name():
    """A prefix of databases that do not exist in Glue yet."""
    return f"shop_{uuid.uuid4().hex[:8]}"


@pytest.fixture
def root(bucket):
    """A lake on S3 that holds two tables."""
    for table_id in WRITTEN:
        delta.create_if_missing(TableHandle(table_id, f"{bucket}/lake/{table_id}"))
    return f"{bucket}/lake"


def settings(lake, name):
    return Settings.from_environment({"OLIST_LAKE": lake, "OLIST_GLUE": name})


def materialize(root, name, **options):
    lake = Lake(root)
    run = dg.materialize(
        glue_assets(settings(root, name)),
        resources={"lake": lake, "engine": SailEngine()},
        raise_on_error=False,
        **options,
    )
    [record] = [
        json.loads(bytes(lake.store.get(meta["path"]).bytes()))
        for page in lake.store.list("control/steps")
        for meta in page
        if run.run_id in meta["path"]
    ]
    return run, record


def metadata(run):
    [event] = run.asset_materializations_for_node("serving__glue_tables")
    return {key: value.value for key, value in event.metadata.items()}


# --- The asset --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lake", "glue_name", "exists"),
    [("s3://shop/lake", "shop", True), ("s3://shop/lake", "", False), ("lake", "shop", False)],
    ids=["on S3 and set", "not set", "in a folder"],
)
def test_the_asset_exists_if_the_lake_is_on_s3_and_glue_is_set(lake, glue_name, exists):
    assert len(glue_assets(settings(lake, glue_name))) == exists


def test_it_is_downstream_of_all_tables_that_it_registers():
    [asset] = glue_assets(settings("s3://shop/lake", "shop"))
    assert asset.key.path == ["serving", "glue_tables"]
    assert {"/".join(key.path) for key in asset.asset_deps[asset.key]} == {table.id for table in glue.published()}
    [spec] = asset.specs
    assert (spec.group_name, spec.kinds, spec.owners) == ("serving", {"glue", "athena"}, ["team:analytics"])
    assert asset.partitions_def is None


def test_its_metadata_counts_created_tables_and_then_none(root, name):
    run, record = materialize(root, name)
    counts = {
        "tables_created": 2,
        "tables_updated": 0,
        "tables_unchanged": 0,
        "tables_dropped": 0,
        "tables_vanished": 0,
        "tables_not_written": 20,
    }
    assert metadata(run) == {
        "databases": [f"{name}_trusted", f"{name}_refined"],
        **counts,
        "changes": {
            "created": [
                *(f"{name}_trusted", f"{name}_trusted.sellers"),
                *(f"{name}_refined", f"{name}_refined.dim_sellers"),
            ],
            "updated": [],
            "dropped": [],
        },
    }
    assert counts.items() <= record.items()
    assert (record["table"], record["status"]) == ("serving/glue_tables", "succeeded")
    again, _ = materialize(root, name)
    assert metadata(again) == {
        "databases": [f"{name}_trusted", f"{name}_refined"],
        **counts,
        "tables_created": 0,
        "tables_unchanged": 2,
        "changes": {"created": [], "updated": [], "dropped": []},
    }


def test_it_drops_vanished_tables_if_its_configuration_says_so(root, name, s3):
    materialize(root, name)
    bucket = root.removeprefix("s3://").removesuffix("/lake")
    for found in s3.list_objects_v2(Bucket=bucket, Prefix="lake/trusted/sellers/")["Contents"]:
        s3.delete_object(Bucket=bucket, Key=found["Key"])
    run, _ = materialize(root, name)
    assert (metadata(run)["tables_dropped"], metadata(run)["tables_vanished"]) == (0, 1)
    drop = {"ops": {"serving__glue_tables": {"config": {"drop": True}}}}
    run, _ = materialize(root, name, run_config=drop)
    assert (metadata(run)["tables_dropped"], metadata(run)["tables_vanished"]) == (1, 0)


def test_its_failure_is_one_line_without_a_bucket(root, name):
    catalog = boto3.client("glue")
    catalog.create_database(DatabaseInput={"Name": f"{name}_trusted"})
    catalog.create_table(DatabaseName=f"{name}_trusted", TableInput={"Name": "sellers"})
    run, record = materialize(root, name)
    [failure] = [event for event in run.all_events if event.is_step_failure]
    line = (
        f"{name}_trusted.sellers is in Glue already, and not by `olist register`: "
        "drop or rename it there, or choose other databases by OLIST_GLUE"
    )
    assert failure.step_failure_data.user_failure_data.description == line
    assert record["error"] == line
    assert root.removeprefix("s3://").partition("/")[0] not in str(run.all_events)


# --- The command ------------------------------------------------------------------------------------------------------


def olist(*arguments, fails=0, **environment):
    process = subprocess.run(
        [sys.executable, "-m", "olist_assets", "register", *arguments],
        env={**os.environ, "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == fails, process.stderr
    return process.stdout, process.stderr


def test_the_command_lists_its_changes_and_a_dry_run_the_changes_it_would_make(root, name):
    where = {"OLIST_LAKE": root, "OLIST_GLUE": name}
    missing = [f"{name}_{t.layer}.{t.name}" for t in glue.published() if t.id not in WRITTEN]
    note = f"note: not written: {', '.join(missing)}; write them with `olist run`\n"
    created = f"""\
  created {name}_trusted
  created {name}_trusted.sellers
  created {name}_refined
  created {name}_refined.dim_sellers
{name}_trusted and {name}_refined: 2 created, 20 not written
"""
    assert olist("--dry-run", **where) == (created.replace("  created", "  would be created"), note)
    assert olist(**where) == (created, note)
    assert olist(**where) == (f"{name}_trusted and {name}_refined: 2 unchanged, 20 not written\n", note)


def test_the_command_drops_vanished_tables_with_an_option(root, name, s3):
    where = {"OLIST_LAKE": root, "OLIST_GLUE": name}
    olist(**where)
    bucket = root.removeprefix("s3://").removesuffix("/lake")
    for found in s3.list_objects_v2(Bucket=bucket, Prefix="lake/trusted/sellers/")["Contents"]:
        s3.delete_object(Bucket=bucket, Key=found["Key"])
    output, errors = olist(**where)
    assert output == f"{name}_trusted and {name}_refined: 1 unchanged, 1 vanished, 20 not written\n"
    assert errors.endswith(f"note: vanished: {name}_trusted.sellers; drop them with --drop\n")
    output, _ = olist("--drop", **where)
    assert output.startswith(f"  dropped {name}_trusted.sellers\n")


def test_the_command_refuses_a_folder_in_one_line(tmp_path):
    _, errors = olist(OLIST_LAKE=str(tmp_path), fails=1)
    assert errors == (
        "error: Glue and Athena know tables on S3 only, and this lake is a folder: set OLIST_LAKE=s3://…\n"
    )
