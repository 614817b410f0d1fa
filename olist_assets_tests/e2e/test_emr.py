"""The lake on S3, its steps on clusters: the first months of a dump, loaded by `olist run`.

The S3 server is a real one, and Spark runs the steps; EMR's API is a stand-in (see `cluster`). The dump is the real one
if it is on this machine (see `real_dump`), else a generated one. `emr` runs the whole lineage; `emr-serverless` one
table of each layer, because only submission, status and cancellation differ.
"""

import os
import subprocess
import sys
from datetime import timedelta

import duckdb
import pytest

from olist_assets.engines.local.jars import delta_jars, find
from olist_assets.lake.layout import Lake
from olist_assets.operations.diff import differences
from olist_assets.serving.sql.session import connect
from olist_assets.sources.generator.dump import generate
from olist_assets.sources.replay import replay
from olist_assets_tests.dumps import real_dump
from olist_assets_tests.e2e.servers import wait_until
from olist_assets_tests.lakes import ASSETS
from spark_steps.declarations import TableSpec
from spark_steps.tables import TABLES

MONTHS = timedelta(days=105)  # more than 100 files per table, so that executors read them
RUN = frozenset({"_run_id", "_received_at"})  # each lake has deliveries of its own
KEYS = tuple("/".join(asset.key.path) for asset in ASSETS)
SELECTED = {
    "emr": KEYS,
    "emr-serverless": ("landzone/sellers", "raw/sellers", "trusted/sellers", "refined/dim_sellers"),
}

pytestmark = pytest.mark.slow_module


@pytest.fixture(scope="module")
def days(s3_folder, tmp_path_factory):  # noqa: ARG001 - the deliveries are on S3
    """The first and last landing date of the deliveries in the source."""
    dump = real_dump() or tmp_path_factory.mktemp("emr") / "dump"
    if real_dump() is None:
        generate(dump, orders=2_000, days=365, seed=6)
    orders = str(dump / "olist_orders_dataset.csv")
    first = duckdb.sql(f"SELECT min(order_purchase_timestamp)::DATE FROM '{orders}'").fetchall()[0][0]
    done = replay(dump, "s3://shop/source", last=first + MONTHS)
    return done.days[0], done.days[-1]


@pytest.fixture(scope="module")
def olist(tmp_path_factory, package, cluster, days):  # noqa: ARG001 - the variables name the cluster
    """Runs `olist run` on the lake of an engine on S3."""
    folder = tmp_path_factory.mktemp("olist")
    own = {
        "OLIST_SOURCE": "s3://shop/source",
        "OLIST_EMR_PACKAGE": package,
        "OLIST_EMR_LOGS": "s3://logs/emr",
        "OLIST_EMR_POLL_SECONDS": "1",
        "OLIST_EMR_SERVERLESS_RELEASE": "emr-7.10.0",  # moto lacks the releases with Spark 4
        "OLIST_EMR_SERVERLESS_ROLE": "arn:aws:iam::123456789012:role/olist",
        "OLIST_EMR_SERVERLESS_DELTA_JARS": ",".join(map(str, find(delta_jars()))),
    }

    def run(engine: str, *options: str) -> str:
        places = {"OLIST_LAKE": f"s3://shop/{engine}", "DAGSTER_HOME": str(folder / engine), "OLIST_ENGINE": engine}
        window = ("--from", str(days[0]), "--to", str(days[1]))
        done = subprocess.run(
            [sys.executable, "-m", "olist_assets", "run", *window, *options],
            env={**os.environ, **own, **places},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def sail(olist, s3_folder):
    """The folder of the lake that the embedded engine loaded."""
    olist("sail")
    return s3_folder / "shop" / "sail"


def test_a_cluster_makes_the_same_tables(olist, sail, s3_folder, cluster, service):
    assets = SELECTED[service]
    selection = [word for key in assets for word in ("--select", key)] if assets != KEYS else []
    submitted_before = len(cluster.jobs)
    output = olist(service, *selection)
    for key in assets:
        assert f"✓ {key}" in output
    steps = sorted(key for key in assets if key in TABLES)
    assert len(cluster.jobs) == submitted_before + 1  # one worker for all steps
    wait_until(lambda: cluster.running == [], 60)
    lake = s3_folder / "shop" / service
    assert _tables_of(steps)
    assert [line for table in _tables_of(steps) for line in differences(table, sail, lake, without=RUN)] == []
    records = Lake(str(lake)).step_records.read_all()
    assert {record.table for record in records} == set(assets)
    assert {(record.engine, record.status) for record in records} == {(service, "succeeded")}


def _tables_of(steps: list[str]) -> list[TableSpec]:
    """The tables that steps write, with the quarantines of trusted ones."""
    written = {*steps, *(step.replace("trusted/", "quarantine/") for step in steps)}
    return [table for key, table in TABLES.items() if key in written]


def test_sql_and_report_read_a_lake_on_s3(sail):
    expected = duckdb.sql(f"SELECT count(*) FROM read_parquet('{sail}/refined/dim_date/*.parquet')").fetchall()
    with connect("s3://shop/sail") as lake:
        assert lake.query("SELECT count(*) FROM dim_date").fetchall() == expected
        assert lake.query("SELECT count(*) FROM control.steps").fetchall() == [(len(KEYS),)]
    assert (sail / "report" / "index.html").read_text().startswith("<!doctype html>")
