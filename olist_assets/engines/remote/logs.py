"""The log of a job's driver, which the service writes to S3 some time after the job has ended."""

import gzip

from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from olist_assets.aws.redaction import summarize_error
from olist_assets.engines.remote.waiting import DeadlineError, poll_until
from olist_assets.errors import OlistError
from olist_assets.lake.storage import open_store, read_object

_LINES = 15
_STACK_FRAMES = ("at ", "... ")  # lines of Java's stack traces, which do not name the cause


def read_log_tail(uri: str | None, *, pause: float, deadline: float) -> str:
    """The last lines of a driver's log, or why there are none, to follow a semicolon in an error message.

    Args:
        uri: the URI of the log, gzipped; None if the service writes no logs.
        pause: average seconds between two attempts to read it.
        deadline: seconds after which it counts as missing.
    """
    if uri is None:
        return "there is no log: set OLIST_EMR_LOGS to s3://<bucket>/<prefix>"
    folder, _, name = uri.rpartition("/")
    try:
        store = open_store(folder, create=False)
        lines = poll_until(lambda: _read_lines(store, name), pause=pause, deadline=deadline)
    except DeadlineError:
        return f"its log has not been written yet: {uri}"
    except (BaseError, OlistError) as error:
        return f"its log, {uri}, cannot be read: {summarize_error(error)}"
    return "\n".join([f"its log, {uri}, ends:", *lines[-_LINES:]])


def _read_lines(store: ObjectStore, name: str) -> list[str] | None:
    """The lines of a log, without stack frames; None if it does not exist yet."""
    try:
        packed = read_object(store, name)
    except FileNotFoundError:
        return None
    lines = gzip.decompress(packed).decode(errors="replace").splitlines()
    return [line for line in lines if not line.strip().startswith(_STACK_FRAMES)]
