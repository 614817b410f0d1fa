"""Shared by all tests: engines, small and loaded lakes, an S3 server, a browser; and which tests run where and when."""

import logging
import os
import shutil
import uuid
from pathlib import Path

import boto3
import pytest
from hypothesis import settings
from moto.server import ThreadedMotoServer
from pyspark.sql import SparkSession
from xdist.scheduler import LoadScopeScheduling

from olist_assets.aws.environment import configure
from olist_assets.engines.base import LocalEngine
from olist_assets.engines.local.java import require_java
from olist_assets.engines.local.sail import SailEngine
from olist_assets.engines.local.spark import SparkEngine
from olist_assets.errors import OlistError
from olist_assets.lake.storage import open_store
from olist_assets.settings.engine_names import LOCAL_ENGINES
from olist_assets_tests.dumps import build_loaded_lake
from olist_assets_tests.lakes import TestLake
from olist_assets_tests.session_folders import build_once

SMALL_AND_QUICK = {
    # The data of a test fit one task; planning and compiling take the time, so as little as possible is compiled.
    "spark.master": "local[1]",
    "spark.sql.shuffle.partitions": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.databricks.delta.stats.skipping": "false",
    "spark.databricks.delta.incrementalCommit.enabled": "false",
    "spark.databricks.delta.writeChecksumFile.enabled": "false",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xms1500m -Xmn1000m",
}
_LONG = Path(__file__).parent / "e2e"

settings.register_profile("thorough", deadline=None, max_examples=300)  # --hypothesis-profile=thorough


def pytest_addoption(parser):
    parser.addoption("--engine", choices=[*LOCAL_ENGINES, "all"], default="all", help="engine that runs the steps")


def _engines(config) -> list[str]:
    chosen = config.getoption("--engine")
    return list(LOCAL_ENGINES) if chosen == "all" else [chosen]


def pytest_configure(config):
    """Stop with one line if Java is missing."""
    if "spark" in _engines(config):
        try:
            require_java()
        except OlistError as error:
            raise pytest.UsageError(f"{error}; or test without it: pytest --engine=sail") from error


def pytest_generate_tests(metafunc):
    if "engine" in metafunc.fixturenames:
        engines = _engines(metafunc.config)
        ids = [f"on-{engine}" for engine in engines]
        metafunc.parametrize("engine", engines, ids=ids, indirect=True, scope="session")


@pytest.hookimpl(tryfirst=True)  # before pytest evaluates `-m`
def pytest_collection_modifyitems(config, items):
    """Mark end-to-end tests as long, select the cases on Spark, and put what takes long first."""
    for item in items:
        if item.path.is_relative_to(_LONG):
            item.add_marker(pytest.mark.long)
    if config.getoption("--engine") == "all":
        _deselect_spark_cases(config, items)
    items.sort(key=_start_order)


def _deselect_spark_cases(config, items):
    """Of the cases on Spark, keep the first one of each test that is marked `spark`."""
    kept, deselected, selected_tests = [], [], set()
    for item in items:
        test = (item.path, item.originalname)
        if not _runs_on_spark(item):
            kept.append(item)
        elif item.get_closest_marker("spark") and test not in selected_tests:
            selected_tests.add(test)
            kept.append(item)
        else:
            deselected.append(item)
    config.hook.pytest_deselected(items=deselected)
    items[:] = kept


def _start_order(item):
    """Spark and slow modules start first, so that all workers end at about the same time."""
    if _runs_on_spark(item):
        return 0
    return 1 if item.get_closest_marker("slow_module") else 2


def _runs_on_spark(item):
    return hasattr(item, "callspec") and item.callspec.params.get("engine") == "spark"


class ModuleScheduling(LoadScopeScheduling):
    """Keeps a module on one worker, so that its fixtures are set up once, and the few cases on Spark on one JVM.

    pytest-xdist 3.8 ignores its own `xdist_group` marks under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        few_on_spark = self.config.getoption("--engine") == "all"
        return "spark" if few_on_spark and "on-spark" in nodeid else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config, log):
    """Schedule whole modules, in the order of collection, whatever `--dist` says."""
    config.option.loadscopereorder = False
    return ModuleScheduling(config, log)


@pytest.fixture(scope="session")
def s3_server():
    """The address of an S3 server in this process."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server, monkeypatch):
    """A client of an S3 server; the AWS variables name the server."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for name, value in {**credentials, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": s3_server}.items():
        monkeypatch.setenv(name, value)
    configured = dict(os.environ)
    configure(environment=configured)
    for name in configured.keys() - os.environ.keys():
        monkeypatch.setenv(name, configured[name])
    return boto3.client("s3")


@pytest.fixture
def bucket(s3):
    """The URI of an empty bucket."""
    name = f"shop-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    return f"s3://{name}"


@pytest.fixture(params=["local", "s3"])
def root(request, tmp_path) -> str:
    """The root of a lake: in a folder, and on S3."""
    return f"{request.getfixturevalue('bucket')}/lake" if request.param == "s3" else str(tmp_path / "lake")


@pytest.fixture
def store(root):
    """Storage on a disk, and on an S3 server."""
    return open_store(root, create=True)


@pytest.fixture(scope="session")
def engine(request) -> LocalEngine:
    """Each engine in turn: a test that uses it runs on all of them."""
    if request.param == "sail":
        return SailEngine()
    spark = SparkEngine(properties=SMALL_AND_QUICK)
    spark.session()  # runs that find a session leave it open
    return spark


@pytest.fixture
def spark(engine: LocalEngine) -> SparkSession:
    """The session of each engine in turn."""
    return engine.session()


@pytest.fixture
def lake(tmp_path, engine: LocalEngine) -> TestLake:
    """An empty lake, its steps running on each engine in turn."""
    return TestLake(tmp_path / "lake", engine)


@pytest.fixture
def sail_lake(tmp_path) -> TestLake:
    """An empty lake on the embedded engine, for tests that do not depend on the engine."""
    return TestLake(tmp_path / "lake", SailEngine())


@pytest.fixture(scope="session")
def loaded_lake(tmp_path_factory) -> TestLake:
    """A loaded lake that tests only read: see `build_loaded_lake`. A test that writes takes `loaded_lake_copy`.

    The lake is in `root`, its deliveries are in `source`; the only landing date is `dumps.LANDING_DATE`.
    """
    return TestLake(build_once(tmp_path_factory, "loaded", build_loaded_lake) / "lake", SailEngine())


@pytest.fixture
def loaded_lake_copy(loaded_lake, tmp_path) -> TestLake:
    """A copy of `loaded_lake`, with its deliveries, that one test may change."""
    shutil.copytree(loaded_lake.root, tmp_path / "lake")
    shutil.copytree(loaded_lake.source, tmp_path / "source")
    return TestLake(tmp_path / "lake", SailEngine())


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, without requests of its own to the network."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - few tests have it

    place = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert place, "Chromium is missing: `make test` installs it, or says how"
    disabled = ("gpu", "quic", "background-networking", "component-update", "sync")
    flags = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in disabled)]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=place, args=flags)
        yield started
        started.close()
