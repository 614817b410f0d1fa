"""`olist run --engine spark`, as a person types it: the same command, the same words, another engine."""

import json
import os
import subprocess
import sys

from pyspark.sql import SparkSession

from olist_assets.engines.spark import SparkEngine
from olist_assets_tests.lakes import TestLake

HEADER = "seller_id,seller_zip_code_prefix,seller_city,seller_state"


def test_a_run_on_spark_needs_nothing_but_the_option(tmp_path):
    delivery = tmp_path / "source" / "2018-05-10"
    delivery.mkdir(parents=True)
    (delivery / "olist_sellers_dataset.csv").write_text(f"{HEADER}\ns1,1001,são paulo,SP\ns2,20001,rio de janeiro,XX\n")
    places = {"OLIST_LAKE": "lake", "OLIST_SOURCE": "source", "DAGSTER_HOME": "dagster"}
    select = [word for layer in ("landzone", "raw", "trusted") for word in ("--select", f"{layer}/sellers")]
    done = subprocess.run(
        [sys.executable, "-m", "olist_assets", "run", "--engine", "spark", "--day", "2018-05-10", *select],
        cwd=tmp_path,
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert any(line.startswith("✓ raw/sellers 2 inserted") for line in lines)
    assert any(line.startswith("✓ trusted/sellers 1 inserted, 1 quarantined") for line in lines)
    assert "Traceback" not in done.stderr
    [record] = (json.loads(path.read_text()) for path in tmp_path.glob("lake/control/steps/*/*/trusted.sellers.json"))
    assert (record["engine"], record["status"], record["rows_quarantined"]) == ("spark", "succeeded", 1)
    assert not (tmp_path / "spark-warehouse").exists()


def test_a_session_that_a_run_started_ends_with_it(tmp_path):
    lake = TestLake(tmp_path / "lake", SparkEngine())
    lake.deliver("2018-05-10", "olist_sellers_dataset.csv", f"{HEADER}\ns1,1001,são paulo,SP\n")
    lake.materialise("landzone/sellers", "raw/sellers", day="2018-05-10")
    assert SparkSession.getActiveSession() is None
    assert lake.read("raw/sellers", "seller_id") == [{"seller_id": "s1"}]
