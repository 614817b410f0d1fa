"""Fixtures of the end-to-end tests."""

import os
import shutil
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import boto3
import pytest

from olist_assets.aws.environment import configure
from olist_assets.engines.code_version import steps_digest
from olist_assets.engines.local.spark import SparkEngine
from olist_assets.engines.remote import worker
from olist_assets.engines.remote.package import FOLDER, Package
from olist_assets_tests.conftest import SMALL_AND_QUICK
from olist_assets_tests.e2e.cluster import REGION, REPOSITORY, Cluster, StepProgram
from olist_assets_tests.e2e.servers import free_port, listens, wait_until
from olist_assets_tests.e2e.shops import BUCKET, create_shop


@pytest.fixture(scope="module")
def spark_engine():
    """Local Spark that compiles little, with one session for all runs."""
    engine = SparkEngine(properties=SMALL_AND_QUICK)
    session = engine.session(print)
    yield engine
    session.stop()


@pytest.fixture(scope="module")
def s3_folder(tmp_path_factory):
    """The folder of a real S3 server's buckets, `shop` and `logs`. The AWS variables name the server."""
    place = shutil.which("versitygw", path=os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ["PATH"]]))
    assert place, "versitygw is missing: `make e2e` builds it, with Go"
    folder = tmp_path_factory.mktemp("s3")
    port = free_port()
    address = f"127.0.0.1:{port}"
    keys = {"AWS_ACCESS_KEY_ID": "shop", "AWS_SECRET_ACCESS_KEY": "shops-secret-key"}
    access = {"ROOT_ACCESS_KEY": keys["AWS_ACCESS_KEY_ID"], "ROOT_SECRET_KEY": keys["AWS_SECRET_ACCESS_KEY"]}
    server = subprocess.Popen([place, "--quiet", "--port", address, "posix", str(folder)], env={**os.environ, **access})
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update({**keys, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": f"http://{address}"})
    configure()
    boto3.setup_default_session()  # that of an earlier test has other credentials
    try:
        wait_until(lambda: listens(port), seconds=10)
        for bucket in ("shop", "logs"):
            boto3.client("s3").create_bucket(Bucket=bucket)
        yield folder
    finally:
        os.environ.clear()
        os.environ.update(before)
        boto3.setup_default_session()
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def package():
    """The folder of the package for a cluster."""
    Package.find(REPOSITORY / FOLDER)
    return str(REPOSITORY / FOLDER)


@pytest.fixture(scope="module")
def small_package(tmp_path_factory) -> str:
    """A minimal package. Steps that do not run on Spark import their packages from this environment."""
    folder = tmp_path_factory.mktemp("package")
    (folder / f"steps-{steps_digest()}.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    python = tarfile.TarInfo("bin/python")
    python.size, python.mode = 10, 0o755
    with tarfile.open(folder / "environment-000000000000.tar.gz", "w:gz") as archive:
        archive.addfile(python, BytesIO(b"#!/bin/sh\n"))
    return str(folder)


@pytest.fixture(params=["emr", "emr-serverless"])
def service(request) -> str:
    """Each service in turn."""
    return request.param


@pytest.fixture(scope="module")
def cluster(request, s3_folder, tmp_path_factory):  # noqa: ARG001 - its machine needs S3
    """A stand-in for EMR with the module's STEP_PROGRAM, else Spark. The AWS variables name its API."""
    program = getattr(request.module, "STEP_PROGRAM", StepProgram.SPARK)
    machine = Cluster(tmp_path_factory.mktemp("cluster"), program)
    services = ("AWS_ENDPOINT_URL_EMR", "AWS_ENDPOINT_URL_EMR_SERVERLESS")
    os.environ.update(dict.fromkeys(services, machine.url))
    yield machine
    machine.stop()
    for name in services:
        del os.environ[name]


@pytest.fixture(scope="module")
def shops_bucket(s3_folder) -> Path:
    """The folder of the bucket of all shops."""
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    return s3_folder / BUCKET


@pytest.fixture
def shop(service, cluster, shops_bucket, small_package, monkeypatch):
    """A shop with an empty lake, a delivery of one day, and no cluster."""
    monkeypatch.setattr(worker, "_WAIT_SECONDS", 0.1)
    monkeypatch.setattr(worker, "_SILENCE", 2)
    for state in (cluster.calls, cluster.jobs, cluster.faults, cluster.before):
        state.clear()
    shop = create_shop(service, cluster, shops_bucket, small_package)
    yield shop
    cluster.faults.clear()
    for job, *_ in shop.engine.live():
        shop.engine.cancel(job)
    for job in cluster.jobs:
        job.cancelled = True
    cluster.hold.clear()
    cluster.quotas.clear()
    cluster.pause.unlink(missing_ok=True)
    cluster.crash.unlink(missing_ok=True)
    cluster.prepare_result()
