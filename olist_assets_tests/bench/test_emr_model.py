"""The estimates of time and cost on EMR, computed by hand."""

import pytest

from bench.emr_model import Assumptions, Measured, Model, Prices, Scenario, Work, markdown
from olist_assets_tests.bench.machines import MACHINE

PRICES = Prices(
    as_of="2018",
    region="nowhere",
    instance="m",
    instance_vcpus=4,
    ec2_hour=1.0,
    emr_hour=0.27,
    disk_gb_month=7.3,
    serverless_vcpu_hour=0.1,
    serverless_gb_hour=0.01,
)
ASSUMED = Assumptions(
    core_speed=2.0,
    steps=20,
    s3_seconds=2.0,
    cluster_start_seconds=100.0,
    worker_start_seconds=40.0,
    serverless_start_seconds=90.0,
    disk_gb=73.0,
)
FEW = Measured(orders=1_000, load_cpu=210.0, day_orders=100, day_cpu=71.0)
MANY = Measured(orders=11_000, load_cpu=310.0, day_orders=500, day_cpu=175.0)
LOAD = Scenario(name="a load", orders=6_000, executors=2)
DAY = Scenario(name="a day", orders=100, known_orders=6_000, executors=2)


@pytest.fixture
def model():
    return Model(Work.fit(FEW, MANY), PRICES, ASSUMED)


def test_two_lakes_give_the_work_without_rows_and_per_order():
    work = Work.fit(FEW, MANY)
    assert work.per_order == pytest.approx(0.01)
    assert work.per_known_order == pytest.approx(0.01)
    assert (work.load, work.day) == (pytest.approx(200.0), pytest.approx(60.0))


def test_a_slope_is_never_negative():
    work = Work.fit(FEW, Measured(orders=11_000, load_cpu=200.0, day_orders=100, day_cpu=70.0))
    assert (work.per_order, work.per_known_order, work.load, work.day) == (0.0, 0.0, 210.0, 71.0)


def test_a_new_cluster_is_paid_for_from_its_start_to_the_end_of_its_idle_time(model):
    estimate = model.on_cluster(LOAD, warm=False)
    steps = (200 / 4 + 60 / 4) / 2 + 20 * 2 / 4  # driver and executors have 4 cores each
    assert estimate.seconds == pytest.approx(100 + 40 + steps)
    assert estimate.dollars == pytest.approx(2 * (1.27 + 0.73) * (100 + 40 + steps + 900) / 3600)


def test_a_run_on_a_warm_cluster_pays_for_its_own_time(model):
    estimate = model.on_cluster(DAY, warm=True)
    steps = (60 / 4 + (1 + 60) / 4) / 2 + 10
    assert estimate.seconds == pytest.approx(40 + steps)
    assert estimate.dollars == pytest.approx(2 * 2.0 * (40 + steps) / 3600)


def test_serverless_has_three_executors_and_bills_a_minute_at_least(model):
    estimate = model.on_serverless(DAY)
    steps = (60 / 2 + 61 / 6) / 2 + 10
    per_hour = 8 * 0.1 + 32 * 0.01
    assert estimate.seconds == pytest.approx(90 + steps)
    assert estimate.dollars == pytest.approx(per_hour * 60 / 3600)
    large = model.on_serverless(Scenario(name="large", orders=60_000, executors=10))
    steps = (200 / 2 + 600 / 20) / 2 + 10
    assert large.dollars == pytest.approx((22 * 0.1 + 88 * 0.01) * steps / 3600)


def test_the_page_names_prices_and_assumptions():
    page = markdown([FEW, MANY], PRICES, ASSUMED, MACHINE)
    assert "nothing has run on AWS" in page
    assert "as known in 2018 and not checked since: m 1.0 + 0.27 per hour" in page
    assert "core speed 2, steps 20, s3 seconds 2" in page
    assert page.count("\n| ") == 6


def test_the_stored_prices_are_complete():
    assert Prices.read().region == "us-east-1"
