"""The event log answers the queries of the Dagster UI as Dagster's own event log does."""

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log import SqliteEventLogStorage

from olist_assets.orchestration.instance.event_log import BatchingSqliteEventLogStorage
from olist_assets.orchestration.partitions import landing_date_partitions, single_run_backfill
from olist_assets.sources.landing_dates import DEFAULT

pytestmark = pytest.mark.filterwarnings("ignore:.*`backfill_policy`:dagster.BetaWarning")

RUN = "11111111-1111-4111-8111-111111111111"
FAILED_RUN = "22222222-2222-4222-8222-222222222222"
CHECK = dg.AssetCheckKey(dg.AssetKey("orders"), "complete")
DAYS = [f"2018-05-{day:02}" for day in range(1, 31)]


def open_instance(home, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    return dg.DagsterInstance.get()


def materialize(instance):
    """Materialize a month of two assets with a check in one run, and an asset that fails for the last two days."""
    daily = {"partitions_def": landing_date_partitions(DEFAULT), "backfill_policy": single_run_backfill}

    @dg.asset(**daily, check_specs=[dg.AssetCheckSpec("complete", asset="orders")])
    def orders(context: dg.AssetExecutionContext):
        for day in context.partition_keys:
            context.add_asset_metadata({"rows": int(day[-2:])}, partition_key=day)
        yield dg.MaterializeResult(
            data_version=dg.DataVersion("v1"), check_results=[dg.AssetCheckResult(passed=False, metadata={"lost": 3})]
        )

    @dg.asset(**daily, deps=[orders])
    def items():
        return dg.MaterializeResult(metadata={"rows": 7})

    @dg.asset(**daily, deps=[items])
    def failing():
        raise ValueError("failing")

    job = dg.Definitions(
        assets=[orders, items, failing], jobs=[dg.define_asset_job("all")], executor=dg.in_process_executor
    ).resolve_job_def("all")

    def run(assets, run_id, first, last):
        job.execute_in_process(
            instance=instance,
            run_id=run_id,
            asset_selection=[asset.key for asset in assets],
            tags={"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last},
            raise_on_error=False,
        )

    run([orders, items], RUN, DAYS[0], DAYS[-1])
    run([items, failing], FAILED_RUN, DAYS[-2], DAYS[-1])


def pages(fetch, limit):
    """All records of a paginated call, from the first page to the last."""
    cursor = None
    while True:
        page = fetch(cursor, limit)
        yield from page.records
        cursor = page.cursor
        if not page.has_more:
            return


def summarize(record):
    """A record without its time and its number."""
    entry = record.event_log_entry
    dagster_event = entry.dagster_event
    kind = dagster_event.event_type_value if dagster_event else None
    metadata = None
    if kind == "ASSET_MATERIALIZATION":
        metadata = {k: v.value for k, v in dagster_event.step_materialization_data.materialization.metadata.items()}
    return entry.run_id, kind, entry.step_key, dagster_event and dagster_event.partition, metadata


def answers(instance):
    """The answers to the UI's queries about assets, checks and runs."""
    log = instance.event_log_storage
    keys = sorted(instance.all_asset_keys(), key=str)
    statuses = (dg.DagsterEventType.RUN_START, dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE)
    materialized = dg.DagsterEventType.ASSET_MATERIALIZATION
    return {
        "assets": [
            (record.asset_entry.asset_key, record.asset_entry.last_run_id) for record in log.get_asset_records()
        ],
        "partitions": {key: sorted(instance.get_materialized_partitions(key)) for key in keys},
        "newest of each partition": {
            key: sorted(log.get_latest_storage_id_by_partition(key, materialized)) for key in keys
        },
        "tags of each partition": {
            key: log.get_latest_tags_by_partition(key, materialized, ["dagster/data_version"]) for key in keys
        },
        "latest": {key: summarize_latest(instance, key) for key in keys},
        "materializations": {
            key: [*map(summarize, pages(lambda c, n, key=key: instance.fetch_materializations(key, n, c), 7))]
            for key in keys
        },
        "planned": {
            key: info and info.run_id for key in keys for info in [log.get_latest_planned_materialization_info(key)]
        },
        "latest check": {
            key: summarize_check(check) for key, check in log.get_latest_asset_check_execution_by_key([CHECK]).items()
        },
        "checks": [summarize_check(check) for check in log.get_asset_check_execution_history(CHECK, limit=50)],
        "runs": [(run.run_id, run.status) for run in instance.get_runs()],
        "status changes": {
            status: [*map(summarize, pages(lambda c, n, s=status: instance.fetch_run_status_changes(s, n, c), 1))]
            for status in statuses
        },
        "logs": {
            run: [*map(summarize, pages(lambda c, n, run=run: instance.get_records_for_run(run, c, limit=n), 13))]
            for run in (RUN, FAILED_RUN)
        },
        "steps": {
            run: [(step.step_key, step.status, step.attempts) for step in instance.get_run_step_stats(run)]
            for run in (RUN, FAILED_RUN)
        },
        "figures": {
            run: (s.steps_succeeded, s.steps_failed, s.materializations, s.expectations)
            for run in (RUN, FAILED_RUN)
            for s in [instance.get_run_stats(run)]
        },
    }


def summarize_latest(instance, key):
    latest = instance.get_latest_materialization_event(key)
    return latest and (latest.run_id, latest.step_key, latest.asset_materialization.partition)


def summarize_check(check):
    dagster_event = check.event.dagster_event
    evaluated = dagster_event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    metadata = (
        {k: v.value for k, v in dagster_event.asset_check_evaluation_data.metadata.items()} if evaluated else None
    )
    return check.run_id, check.status, check.partition, metadata


def test_the_ui_gets_the_same_answers_as_from_dagsters_own_event_log(homes, monkeypatch):
    results = []
    for home, kind in zip(homes, (BatchingSqliteEventLogStorage, SqliteEventLogStorage), strict=True):
        with open_instance(home, monkeypatch) as instance:
            assert type(instance.event_log_storage) is kind
            materialize(instance)
            results.append(answers(instance))
    own, plain = results
    assert own["partitions"][dg.AssetKey("orders")] == DAYS
    assert own["figures"][RUN][:3] == (2, 0, 60)
    assert own["latest check"][CHECK][1:] == (AssetCheckExecutionRecordStatus.FAILED, None, {"lost": 3})
    # Dagster plans a range's check for each day, but evaluates it once for the range: the days stay planned forever.
    planned = [check for check in plain["checks"] if check[1] is AssetCheckExecutionRecordStatus.PLANNED]
    assert [check[2] for check in planned] == sorted(DAYS, reverse=True)
    plain["checks"] = [check for check in plain["checks"] if check not in planned]
    for query, answer in plain.items():
        assert own[query] == answer, query
