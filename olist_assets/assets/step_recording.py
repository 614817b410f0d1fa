"""What every step run leaves behind, whether it ends well or not: its control object."""

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from obstore.exceptions import BaseError

from olist_assets.aws.redaction import redact, summarize_error
from olist_assets.engines.base import Engine
from olist_assets.engines.code_version import code_version
from olist_assets.errors import OlistError
from olist_assets.lake.layout import Lake
from spark_steps.protocol import StepError, Window


@contextmanager
def record_step(
    context: dg.AssetExecutionContext, lake: Lake, engine: Engine, window: Window | None
) -> Iterator[dict[str, Any]]:
    """Time a step, and leave its control object: the yielded record and what is known of every step.

    Errors that a user can mend become Dagster failures that say so in one line.
    """
    record: dict[str, Any] = {
        "table": "/".join(context.asset_key.path),
        "window": {"from": window.start, "to": window.end} if window else None,
        "engine": engine.name,
        "code_version": code_version(),
        "run_id": context.run.run_id,
        "started_at": datetime.now(UTC),
        "status": "failed",
        "error": None,
    }
    started = time.perf_counter()
    try:
        yield record
        record["status"] = "succeeded"
    except (StepError, OlistError) as error:
        record["error"] = redact(str(error), lake.root)
        raise dg.Failure(description=record["error"], allow_retries=False) from (None if lake.on_s3 else error)
    except Exception as error:
        record["error"] = redact(f"{type(error).__name__}: {error}", lake.root)
        if not lake.on_s3:
            raise
        # Dagster would keep and show the texts of all causes, which name the bucket.
        context.log.error(  # noqa: TRY400 - with the traceback, redacted
            redact("".join(traceback.format_exception(error)), lake.root)
        )
        raise dg.Failure(description=record["error"], allow_retries=False) from None
    except BaseException as error:
        record["error"] = f"{type(error).__name__}: {error}"
        raise
    finally:
        record["total_seconds"] = round(time.perf_counter() - started, 3)
        record.setdefault("seconds", record["total_seconds"])  # a step says itself how long it worked
        _leave(context, lake, record)


def _leave(context: dg.AssetExecutionContext, lake: Lake, record: dict[str, Any]) -> None:
    """Write the control object; if that fails, the step's own error comes first."""
    try:
        lake.write_step_record(record)
    except BaseError as error:
        if not lake.on_s3:
            raise
        told = f"the step's control object cannot be written: {summarize_error(error)}"
        if record["status"] == "succeeded":
            raise dg.Failure(description=told, allow_retries=False) from None
        context.log.warning(told)
