"""Faults of S3 under a run whose steps run on EMR, and tables on S3 that equal those in a folder.

Steps run on Sail, so that the writes of a step have the faults too.
"""

import os

import pytest

from olist_assets.engines.local.sail import SailEngine
from olist_assets.lake.leases import LeaseUnavailableError, hold_lease
from olist_assets_tests.e2e.cluster import StepProgram
from olist_assets_tests.e2e.proxy import FaultyProxy
from olist_assets_tests.e2e.shops import ASSETS, DAY, FILE_NAME, SELLERS
from olist_assets_tests.lakes import TestLake

STEP_PROGRAM = StepProgram.SAIL

_THIRD_COMMIT = r"_delta_log/0*(?:[2-9]|[1-9]\d+)\.json$"
"""Third and later commits: after a lost answer an engine commits the same files again, a limited number of times."""


@pytest.fixture
def faulty_s3(request, shop, monkeypatch):
    """S3 behind a proxy with the parameter's fault, once per method and object."""
    proxy = FaultyProxy(os.environ["AWS_ENDPOINT_URL_S3"], request.param, spared=_THIRD_COMMIT)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, proxy.url)
        monkeypatch.setitem(shop.cluster.environment, name, proxy.url)
    yield proxy
    proxy.stop()


@pytest.mark.parametrize("service", ["emr-serverless"], indirect=True)
@pytest.mark.parametrize("faulty_s3", ["500", "503", "unsure", "lost"], indirect=True)
def test_a_lease_can_be_taken_and_released_on_a_faulty_s3(shop, faulty_s3):
    store = shop.lake.lake.store
    for run_id in ("run-a", "run-b"):
        with (
            hold_lease(store, "raw/sellers", run_id),
            pytest.raises(LeaseUnavailableError),
            hold_lease(store, "raw/sellers", "run-c"),
        ):
            pass
    assert faulty_s3.hits


@pytest.mark.parametrize("service", ["emr-serverless"], indirect=True)
@pytest.mark.parametrize("faulty_s3", ["503", "lost"], indirect=True)
def test_rows_are_written_once_on_a_faulty_s3(shop, faulty_s3):
    ids = [f"s{number:02}" for number in range(20)]
    rows = "".join(f"{seller},1001,sao paulo,SP\n" for seller in ids)
    shop.lake.deliver(DAY, FILE_NAME, f"{SELLERS.splitlines()[0]}\n{rows}")  # longer than the text of an error
    assert shop.run() == ""
    assert {method for method, _ in faulty_s3.hits} >= {"PUT"}
    assert len(shop.cluster.jobs) == 1
    assert shop.sellers() == ids


@pytest.mark.parametrize("service", ["emr-serverless"], indirect=True)
def test_tables_on_s3_equal_those_in_a_folder(shop, tmp_path):
    assets = (*ASSETS, "trusted/sellers")
    assert shop.run(*assets) == ""
    local = TestLake(tmp_path / "lake", SailEngine())
    local.deliver(DAY, FILE_NAME, SELLERS)
    modified = (shop.lake.source / DAY / FILE_NAME).stat().st_mtime
    os.utime(local.source / DAY / FILE_NAME, (modified, modified))
    local.materialize(*assets, day=DAY)
    for table in assets[1:]:
        rows = [[{**row, "_run_id": "", "_received_at": ""} for row in lake.read(table)] for lake in (shop.lake, local)]
        assert rows[0] == rows[1]
        assert len(rows[0]) == 2
