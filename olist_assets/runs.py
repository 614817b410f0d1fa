"""Materialising the lineage through Dagster: the job, the instance and the events, as Dagit would."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from typing import Any
from uuid import uuid4

import dagster as dg

from olist_assets.assets import all_assets
from olist_assets.assets.metadata import RANGE
from olist_assets.definitions import defs, deliveries, engine, lake
from olist_assets.errors import OlistError
from olist_assets.orchestration.partitions import landing_dates
from spark_steps.protocol import Window

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_TOLD = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.STEP_FAILURE}


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one asset in a run: its counts over all landing dates, or the error that stopped it."""

    asset: str
    metadata: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


def selection(names: Iterable[str], window: Window) -> list[dg.AssetKey]:
    """The assets that are named, upstream first.

    Args:
        names: asset keys such as `trusted/orders`, or layers such as `refined`; everything if empty.
        window: the landing dates that they shall be materialised for.

    Raises:
        OlistError: a name is not known, or a day is not a partition.
    """
    for day in (window.start, window.end - timedelta(days=1)):
        if not landing_dates.has_partition_key(day.isoformat()):
            first, last = landing_dates.get_first_partition_key(), landing_dates.get_last_partition_key()
            raise OlistError(f"{day} is not a landing date: they go from {first} to {last}")
    known = {"/".join(asset.key.path): asset.key for asset in all_assets}
    layers = {key.path[0] for key in known.values()}
    wanted: set[str] = set()
    for name in names:
        found = {k for k in known if k == name or (name in layers and k.startswith(f"{name}/"))}
        if not found:
            near = get_close_matches(name, [*known, *layers], n=3)
            hint = f"did you mean {' or '.join(near)}" if near else "see olist status"
            raise OlistError(f"no asset or layer {name!r}; {hint}")
        wanted |= found
    return [key for name, key in known.items() if name in wanted or not wanted]


def prepare(on_progress: Callable[[str], None] = lambda _: None) -> None:
    """See that all is there that a run needs, so that what is missing is named before anything runs.

    Args:
        on_progress: called with a line for each thing that takes long.

    Raises:
        OlistError: the lake or the source cannot be opened, or the engine lacks something that cannot be fetched.
    """
    _ = lake.store, deliveries.store
    engine.prepare(on_progress)


def materialize(
    window: Window, assets: list[dg.AssetKey], on_step: Callable[[Step], None] = lambda _: None
) -> list[Step]:
    """Materialise assets for the landing dates of a window, in one run.

    Args:
        window: the landing dates.
        assets: what to materialise, as `selection` gives it.
        on_step: called as soon as an asset is done or has failed.

    Returns:
        The steps that ran. Assets below a failed one did not run; the others did.

    Raises:
        KeyboardInterrupt: the run was interrupted; Dagster has recorded it as failed.
        OlistError: the run failed outside its steps.
    """
    steps: list[Step] = []
    delivered = deliveries.days()  # what arrives from here on is for the next run
    whole = {day: files for day, files in delivered.items() if day in window and len(assets) == len(all_assets)}
    for day in whole:
        lake.load_marks.clear(day)  # until this run has succeeded, too

    def listen(entry: dg.EventLogEntry) -> None:
        step = _step(entry.dagster_event)
        if step is not None and step.asset not in {s.asset for s in steps}:
            steps.append(step)
            on_step(step)

    with dg.DagsterInstance.get() as instance:
        tags = _partitions(window, assets)
        if engine.is_remote:
            result = _execute_in_processes(instance, assets, tags, listen)
        else:
            instance.add_event_listener(run_id := str(uuid4()), listen)
            result = lakehouse_job().execute_in_process(
                instance=instance,
                run_id=run_id,
                asset_selection=assets,
                raise_on_error=False,
                run_config=_QUIET,
                tags=tags,
            )
    if any(_interrupted(event) for event in result.all_events):
        raise KeyboardInterrupt
    if result.success:
        for day, files in whole.items():
            lake.load_marks.write(day, files)
    if not result.success and not any(step.error for step in steps):
        raise OlistError(f"the run {result.run_id} failed; see it in `olist ui`")
    return steps


def windows_to_load() -> list[Window]:
    """The days whose delivery is not what a wholly successful run has loaded, or that wait in the landzone.

    They are in as few windows as hold no day that has been loaded; days without a delivery do not part them.
    """
    loaded, delivered = lake.load_marks.read(), deliveries.days()
    pending = {day for day, files in delivered.items() if loaded.get(day) != files}.union(lake.landzone.pending_days())
    windows: list[Window] = []
    adjoining = False
    for day in sorted(pending.union(delivered)):
        if day in pending:
            start = windows.pop().start if adjoining else day
            windows.append(Window(start, day + timedelta(days=1)))
        adjoining = day in pending
    return windows


def _partitions(window: Window, assets: list[dg.AssetKey]) -> dict[str, str]:
    """The tags by which a run is told its landing dates; not at all if every asset of it is computed whole."""
    daily = {asset.key for asset in all_assets if asset.partitions_def is not None}
    if not daily.intersection(assets):
        return {}
    first, last = window.start.isoformat(), (window.end - timedelta(days=1)).isoformat()
    if first == last:
        return {"dagster/partition": first}
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def lakehouse_job() -> dg.JobDefinition:
    """The job, as the processes of a run find it."""
    return defs.resolve_job_def("lakehouse")


def _execute_in_processes(
    instance: dg.DagsterInstance,
    assets: list[dg.AssetKey],
    tags: dict[str, str],
    listen: Callable[[dg.EventLogEntry], None],
) -> dg.JobExecutionResult:
    """Run the job in processes of its own, and listen to their events as they come into the event log."""
    this_one = {"olist/invocation": str(uuid4())}
    ended = threading.Event()

    def follow() -> None:
        cursor, last_look = None, False
        while not last_look:
            last_look = ended.wait(1)
            for run in instance.get_runs(dg.RunsFilter(tags=this_one)):
                found = instance.get_records_for_run(run.run_id, cursor, of_type=_TOLD)
                cursor = found.cursor
                for record in found.records:
                    listen(record.event_log_entry)

    following = threading.Thread(target=follow, name="follow the run", daemon=True)
    following.start()
    try:
        return dg.execute_job(
            dg.reconstructable(lakehouse_job),
            instance=instance,
            asset_selection=assets,
            run_config=_QUIET,
            tags=tags | this_one,
        )
    finally:
        ended.set()
        following.join()


def _step(event: dg.DagsterEvent | None) -> Step | None:
    if event is None or event.step_key is None:
        return None
    if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
        materialization = event.step_materialization_data.materialization
        metadata: dict[str, Any] = {name: value.value for name, value in materialization.metadata.items()}
        return Step("/".join(materialization.asset_key.path), metadata.get(RANGE, metadata))
    if event.event_type is dg.DagsterEventType.STEP_FAILURE:
        failure = event.step_failure_data
        user = failure.user_failure_data
        error = failure.error
        cause = user.description if user else (error.cause or error).message if error else None
        return Step(event.step_key.replace("__", "/", 1), error=" ".join((cause or "unknown").split()))
    return None


def _interrupted(event: dg.DagsterEvent) -> bool:
    """Whether an event is the failure of a step or of the run by Ctrl-C or a signal."""
    error = None
    if event.event_type is dg.DagsterEventType.STEP_FAILURE:
        error = event.step_failure_data.error
    elif event.event_type is dg.DagsterEventType.RUN_FAILURE:
        error = event.job_failure_data.error
    return error is not None and error.cls_name == dg.DagsterExecutionInterruptedError.__name__
