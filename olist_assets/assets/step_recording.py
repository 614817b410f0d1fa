"""Every step run leaves a record in the lake, whether it succeeds or fails."""

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import dagster as dg
from obstore.exceptions import BaseError, GenericError

from olist_assets.aws.redaction import redact, summarize_error
from olist_assets.engines.base import Engine
from olist_assets.engines.code_version import code_version
from olist_assets.errors import OlistError, OutageError
from olist_assets.lake.layout import Lake
from olist_assets.lake.step_records import RecordedWindow, StepRecord
from spark_steps.protocol import StepError, Window


@contextmanager
def record_step(
    context: dg.AssetExecutionContext, lake: Lake, engine: Engine, window: Window | None
) -> Iterator[StepRecord]:
    """Time the block, which is a step, and write the step's record after it.

    The block adds its own figures to the record.

    Args:
        context: the context of the asset.
        lake: the lake that the record is written to.
        engine: the engine that runs the step.
        window: the landing dates of the run; None if the asset has no partitions.

    Raises:
        dagster.Failure: the block raised an error that a user can act on, or any error while the lake is on S3; or
            the record cannot be written to S3. Its description is one redacted line.
        dagster.RetryRequested: a machine or a service failed, which a retry may survive; its cause is such a Failure.
    """
    record = StepRecord(
        table="/".join(context.asset_key.path),
        window=RecordedWindow(window.start, window.end) if window else None,
        engine=engine.name,
        code_version=code_version(),
        run_id=context.run.run_id,
        started_at=datetime.now(UTC),
    )
    start = time.perf_counter()
    try:
        yield record
        record.status = "succeeded"
    except (StepError, OlistError) as error:
        record.error = redact(str(error), lake.root)
        if isinstance(error, OutageError):
            _request_retry(context, engine, record.error)
        raise dg.Failure(description=record.error, allow_retries=False) from (None if lake.on_s3 else error)
    except Exception as error:
        record.error = summarize_error(error, lake.root)
        if not lake.on_s3:
            raise
        if isinstance(error, GenericError):  # S3 does not answer
            _request_retry(context, engine, record.error)
        # Dagster stores and shows the texts of all causes, which name the bucket.
        context.log.error(  # noqa: TRY400 - with the traceback, redacted
            redact("".join(traceback.format_exception(error)), lake.root)
        )
        raise dg.Failure(description=record.error, allow_retries=False) from None
    except BaseException as error:
        record.error = redact(f"{type(error).__name__}: {error}", lake.root)
        raise
    finally:
        record.total_seconds = round(time.perf_counter() - start, 3)
        if record.seconds is None:  # the step has not measured its own work
            record.seconds = record.total_seconds
        _write(context, lake, record)


def _request_retry(context: dg.AssetExecutionContext, engine: Engine, error: str) -> None:
    """Request a retry of the step, unless its engine retries nothing, or the step has been retried often enough.

    Raises:
        dagster.RetryRequested: the request.
    """
    if retry := engine.retry_after_outage(context.retry_number):
        context.log.info("%s; retry in %g s", error, retry.seconds_to_wait)
        raise retry from dg.Failure(description=error, allow_retries=False)


def _write(context: dg.AssetExecutionContext, lake: Lake, record: StepRecord) -> None:
    """Write the record. If that fails, an error of the step itself takes precedence."""
    try:
        lake.step_records.write(record)
    except BaseError as error:
        if not lake.on_s3:
            raise
        message = f"the step's record cannot be written: {summarize_error(error, lake.root)}"
        if record.succeeded:
            raise dg.Failure(description=message, allow_retries=False) from None
        context.log.warning(message)
