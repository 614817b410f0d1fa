"""Start runs through Dagster as its UI does: the same job, instance and events."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Self
from uuid import uuid4

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.execute_in_process import core_execute_in_process

from olist_assets.assets.landzone import INCOMPLETE_DAYS
from olist_assets.assets.metadata import RANGE
from olist_assets.assets.report import write_report
from olist_assets.aws.redaction import summarize_text
from olist_assets.definitions import build_definitions
from olist_assets.engines.base import Engine
from olist_assets.errors import EngineError, SettingsError, close_matches, did_you_mean
from olist_assets.lake.layout import Lake
from olist_assets.orchestration.instance.run_process import RunProcess, end_dead_runs
from olist_assets.orchestration.jobs import lakehouse
from olist_assets.serving import report
from olist_assets.settings.general import Settings
from olist_assets.sources.deliveries import Deliveries
from spark_steps.declarations import Layer
from spark_steps.protocol import Progress, Window, ignore_progress

_NO_CONSOLE_LOG = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_END_EVENTS = {dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}

Listener = Callable[[dg.EventLogEntry], None]


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """An asset check that did not pass.

    Attributes:
        name: the check.
        rows: how many rows fail it.
        description: what all rows should meet, or the warning about rows that do not.
        is_error: whether the step counts as failed.
    """

    name: str
    rows: int
    description: str
    is_error: bool

    @classmethod
    def from_evaluation(cls, evaluation: dg.AssetCheckEvaluation) -> Self:
        """The check of an event."""
        rows = evaluation.metadata["failed_rows"].value if "failed_rows" in evaluation.metadata else 0
        is_error = evaluation.severity is dg.AssetCheckSeverity.ERROR
        return cls(evaluation.check_name, int(str(rows)), evaluation.description or "", is_error)

    def __str__(self) -> str:
        count = "1 row fails" if self.rows == 1 else f"{self.rows:,} rows fail"
        return f"{self.name}: {count}: {self.description}"


@dataclass(frozen=True, slots=True)
class Step:
    """The outcome of one asset in a run.

    Attributes:
        asset: the asset's key, such as trusted/orders.
        metadata: its metadata over all landing dates.
        error: why it failed, in one line; None if it succeeded.
        failed_checks: its checks that did not pass, warnings included.
    """

    asset: str
    metadata: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    failed_checks: tuple[FailedCheck, ...] = ()


@dataclass(frozen=True, slots=True)
class Lakehouse:
    """The definitions, and the lake, deliveries and engine that their runs use."""

    definitions: dg.Definitions
    assets: tuple[dg.AssetsDefinition, ...]
    lake: Lake
    deliveries: Deliveries
    engine: Engine

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The lakehouse for these settings.

        Raises:
            SettingsError: a setting of the engine is not accepted.
        """
        definitions = build_definitions(settings)
        resources = definitions.resources or {}
        assets = tuple(asset for asset in definitions.assets or () if isinstance(asset, dg.AssetsDefinition))
        return cls(definitions, assets, *(resources[name] for name in ("lake", "deliveries", "engine")))

    def select(self, names: Iterable[str], window: Window) -> list[dg.AssetKey]:
        """Look up assets by name, upstream first.

        Args:
            names: asset keys such as `trusted/orders`, or layers such as `refined`; the whole lineage if empty.
            window: the landing dates that they are to be materialized for.

        Raises:
            SettingsError: a name is not known, or a day is not a partition.
        """
        self._check_landing_dates(window)
        keys = {"/".join(asset.key.path): asset.key for asset in self.assets}
        layers = {key.path[0] for key in keys.values()}
        selected: set[str] = set()
        for name in names:
            matches = {key for key in keys if key == name or (name in layers and key.startswith(f"{name}/"))}
            if not matches:
                hint = did_you_mean(close_matches(name, [*keys, *layers]), fallback="; see olist status")
                raise SettingsError(f"no asset or layer {name!r}{hint}")
            selected |= matches
        return [key for name, key in keys.items() if name in selected or not selected]

    def select_tables(self, tables: Iterable[str]) -> list[dg.AssetKey]:
        """The assets that recompute these tables, upstream first, with the landing zones of raw and what serves tables.

        Args:
            tables: ids of tables that have a step.
        """
        names = set(tables)
        names |= {name.replace(f"{Layer.RAW}/", "landzone/", 1) for name in names if name.startswith(f"{Layer.RAW}/")}
        return [a.key for a in self.assets if "/".join(a.key.path) in names or a.key.path[0] == "serving"]

    def prepare(self, on_progress: Callable[[str], None] = lambda _: None) -> None:
        """Open the lake and the source and prepare the engine, so that a run does not start if one of them fails.

        Args:
            on_progress: called with a line before each slow operation.

        Raises:
            OlistError: the lake or the source cannot be opened, or the engine lacks something that cannot be fetched.
        """
        _ = self.lake.store, self.deliveries.store
        self.engine.prepare(on_progress)

    def materialize(
        self,
        window: Window,
        assets: list[dg.AssetKey],
        on_step: Callable[[Step], None] = lambda _: None,
        on_progress: Progress = ignore_progress,
    ) -> list[Step]:
        """Materialize assets for the landing dates of a window, in one run.

        Args:
            window: the landing dates.
            assets: the assets to materialize, as returned by `select`.
            on_step: called as soon as an asset is done or has failed.
            on_progress: called with what a step is doing or waiting for, if it takes long.

        Returns:
            The steps that ran. Assets downstream of a failed one did not run; the others did.

        Raises:
            KeyboardInterrupt: the run was interrupted; Dagster has recorded it as failed.
            EngineError: the run failed outside its steps.
        """
        # Listed before the run: files that arrive during the run are left to the next one.
        run_id = str(uuid4())
        deliveries = self._fully_loaded_deliveries(run_id, window, assets)
        self.lake.load_marks.clear(deliveries)  # the days count as loaded again only when this run has succeeded
        collector = _StepCollector(on_step, on_progress)
        with dg.DagsterInstance.get() as instance:
            tags = self._partition_tags(window, assets)
            result = self._execute(instance, run_id, assets, tags, collector.listen)
        if any(_is_interruption(event) for event in result.all_events):
            raise KeyboardInterrupt
        if result.success:
            incomplete = {day for step in collector.steps for day in step.metadata.get(INCOMPLETE_DAYS, ())}
            self.lake.load_marks.write({day: files for day, files in deliveries.items() if f"{day}" not in incomplete})
        elif not any(step.error for step in collector.steps):
            raise EngineError(f"the run {result.run_id} failed; see it in `olist ui`")
        return collector.steps

    def _check_landing_dates(self, window: Window) -> None:
        landing_dates = self.deliveries.landing_dates
        for day in (window.start, _last_day(window)):
            if day not in landing_dates:
                raise SettingsError(f"{day} is not a landing date: the landing dates are {landing_dates}")

    def _fully_loaded_deliveries(self, run_id: str, window: Window, assets: list[dg.AssetKey]) -> dict[date, list[str]]:
        """The deliveries that a successful run loads completely; none if it does not materialize all assets."""
        if len(assets) < len(self.assets):
            return {}
        return self.deliveries.scan_for_run(run_id, window).fingerprints

    def _partition_tags(self, window: Window, assets: list[dg.AssetKey]) -> dict[str, str]:
        """The tags that tell Dagster the landing dates of a run; none if no selected asset is partitioned."""
        partitioned = {asset.key for asset in self.assets if asset.partitions_def is not None}
        if not partitioned.intersection(assets):
            return {}
        first, last = window.start.isoformat(), _last_day(window).isoformat()
        if first == last:
            return {"dagster/partition": first}
        return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}

    def _execute(
        self,
        instance: dg.DagsterInstance,
        run_id: str,
        assets: list[dg.AssetKey],
        tags: dict[str, str],
        listen: Listener,
    ) -> dg.ExecuteInProcessResult:
        instance.add_event_listener(run_id, listen)
        selection = frozenset(assets)
        if write_report.key in selection:  # the report is the last step, so its imports need not delay the run
            threading.Thread(target=report.preload, name="import the report's libraries").start()
        # JobDefinition.execute_in_process does the same, but with an executor of its own.
        return core_execute_in_process(
            job=InMemoryJob(self.definitions.resolve_job_def(lakehouse.name).get_subset(asset_selection=selection)),
            instance=instance,
            run_id=run_id,
            asset_selection=selection,
            raise_on_error=False,
            output_capturing_enabled=False,
            run_config=_NO_CONSOLE_LOG,
            run_tags=tags | RunProcess.current(run_id).tags,  # the executor would write it only after the run's start
        )


def report_dead_runs() -> list[str]:
    """Report runs whose process was killed on this host as failed, and return their ids."""
    with dg.DagsterInstance.get() as instance:
        return end_dead_runs(instance)


def _last_day(window: Window) -> date:
    return window.end - timedelta(days=1)


class _StepCollector:
    """Makes the steps of a run from its events. A range of landing dates has one materialization event per day."""

    def __init__(self, on_step: Callable[[Step], None], on_progress: Progress) -> None:
        self.steps: list[Step] = []
        self._on_step = on_step
        self._on_progress = on_progress
        self._metadata: dict[str, dict[str, Any]] = {}
        self._failed_checks: dict[str, list[FailedCheck]] = {}
        self._lock = threading.Lock()

    def listen(self, entry: dg.EventLogEntry) -> None:
        """Take an event; the last one of a step completes it. Steps may call this at the same time."""
        with self._lock:
            self._listen(entry)

    def _listen(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None and entry.step_key and entry.level == logging.INFO:
            self._on_progress(f"{_asset_name(entry.step_key)}: {entry.user_message}")
        if event is None or event.step_key is None:
            return
        if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
            metadata = event.step_materialization_data.materialization.metadata
            self._metadata.setdefault(event.step_key, {name: value.value for name, value in metadata.items()})
        elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if not evaluation.passed:
                self._failed_checks.setdefault(event.step_key, []).append(FailedCheck.from_evaluation(evaluation))
        elif event.event_type in _END_EVENTS:
            step = self._complete(event, event.step_key)
            self.steps.append(step)
            self._on_step(step)

    def _complete(self, event: dg.DagsterEvent, step_key: str) -> Step:
        metadata = self._metadata.get(step_key, {})
        checks = tuple(self._failed_checks.get(step_key, ()))
        error = "; ".join(str(check) for check in checks if check.is_error) or None
        if event.event_type is dg.DagsterEventType.STEP_FAILURE and not error:
            error = _failure_text(event)
        return Step(_asset_name(step_key), metadata.get(RANGE, metadata), error, checks)


def _asset_name(step_key: str) -> str:
    return step_key.replace("__", "/", 1)


def _failure_text(event: dg.DagsterEvent) -> str:
    """The error of a failed step, in one line."""
    failure = event.step_failure_data
    user, error = failure.user_failure_data, failure.error
    cause = user.description if user else summarize_text((error.cause or error).message) if error else None
    return " ".join((cause or "unknown").split())


def _is_interruption(event: dg.DagsterEvent) -> bool:
    """Whether an event is the failure of a step or of the run by Ctrl-C or a signal."""
    error = None
    if event.event_type is dg.DagsterEventType.STEP_FAILURE:
        error = event.step_failure_data.error
    elif event.event_type is dg.DagsterEventType.RUN_FAILURE:
        error = event.job_failure_data.error
    return error is not None and error.cls_name == dg.DagsterExecutionInterruptedError.__name__
