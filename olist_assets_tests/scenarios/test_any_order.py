"""Deliveries loaded in any ranges, in any order and with repeats end in one lake, which is right after every run."""

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings

from olist_assets_tests.scenarios.delivery_strategies import (
    SCENARIO,
    SCENARIO_RUNS,
    WHOLE,
    Range,
    delivered_files,
    load,
    load_plans,
)
from olist_assets_tests.scenarios.invariants import violated_invariants
from olist_assets_tests.scenarios.oracle_comparison import COMPARED, differences, loaded_files, table_content
from spark_steps.tables import TABLES

pytestmark = pytest.mark.slow_module

_numbers = count()


def test_worst_case_deliveries_give_correct_tables_after_every_run(sail_lake):
    _load_and_compare(*_two_lakes(sail_lake), SCENARIO, SCENARIO_RUNS)


@pytest.mark.long
def test_a_run_that_failed_midway_is_repaired_by_running_its_days_again(sail_lake):
    steps_until = {}
    for name in ("refined/dim_customers", "refined/fact_orders"):
        steps_until[name] = tuple(TABLES)[: tuple(TABLES).index(name) + 1]
    load(sail_lake, SCENARIO, Range(0, 1))
    load(sail_lake, SCENARIO, Range(2, 3), steps_until["refined/dim_customers"])
    load(sail_lake, SCENARIO, Range(4, 5), steps_until["refined/fact_orders"])
    load(sail_lake, SCENARIO, Range(4, 5))
    load(sail_lake, SCENARIO, Range(2, 3))
    assert differences(sail_lake, loaded_files(SCENARIO, (Range(0, 5),))) == {}


@pytest.mark.long
@settings(
    derandomize=False,  # every run of the tests tries other deliveries
    deadline=None,
    print_blob=True,
    max_examples=settings().max_examples if settings.get_current_profile_name() == "thorough" else 12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=delivered_files(), runs=load_plans())
def test_random_deliveries_in_any_ranges_and_order_end_in_the_lake_of_one_range(sail_lake, files, runs):
    _load_and_compare(*_two_lakes(sail_lake), files, runs)


def _two_lakes(lake):
    """Two empty lakes for one example."""
    folder = lake.root / str(next(_numbers))
    return (replace(lake, root=folder / name) for name in ("parts", "whole"))


def _load_and_compare(parts, whole, files, runs):
    """Load by these runs, check the lake after each of them, and compare it with one that is loaded in one range."""
    for number, days in enumerate(runs):
        load(parts, files, days)
        assert violated_invariants(parts) == []
        assert differences(parts, loaded_files(files, runs[: number + 1])) == {}
    if runs == (WHOLE,):
        return
    load(whole, files, WHOLE)
    for table_id in COMPARED:
        assert table_content(parts, table_id) == table_content(whole, table_id), table_id
