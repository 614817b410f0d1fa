"""Clients of AWS's API. Transient errors are retried, others are not."""

import errno
import random
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any, TypeVar

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from olist_assets.aws.redaction import redact

T = TypeVar("T")
_ATTEMPTS = 8
_THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "ServiceQuotaExceededException",
}
_SERVER_ERROR = 500
_UNREACHABLE = (HTTPClientError, ConnectTimeoutError, EndpointConnectionError)
"""Errors of the connection to a service; the last two sent nothing."""

_creation = Lock()
"""Locked while a client is created: boto3's default session is not safe for threads."""


def create_client(service: str) -> Any:
    """A client that retries after throttling, server errors and lost connections."""
    return _client(service, _ATTEMPTS)


def create_client_without_retries(service: str) -> Any:
    """A client for calls that must not take effect twice; see `call_at_most_once`."""
    return _client(service, 1)


def list_keys(bucket: str, prefix: str, delimiter: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The keys and properties of objects; also of those whose keys are no valid paths, which obstore does not list.

    Args:
        bucket: the bucket.
        prefix: the beginning of the keys.
        delimiter: keys that have it after the prefix are listed once per part up to it, without properties; if it is
            empty, all keys are listed.

    Raises:
        OSError: S3 does not list them.
    """
    pages = create_client("s3").get_paginator("list_objects_v2")
    try:
        for page in pages.paginate(Bucket=bucket, Prefix=prefix, Delimiter=delimiter):
            yield from ((meta["Key"], meta) for meta in page.get("Contents", ()))
            yield from ((part["Prefix"], {}) for part in page.get("CommonPrefixes", ()))
    except (BotoCoreError, ClientError) as error:
        raise OSError(errno.EIO, redact(str(error), f"s3://{bucket}")) from error


def call_at_most_once(call: Callable[[], T], find_result: Callable[[], T | None]) -> T:
    """Make a non-idempotent call so that it takes effect at most once.

    The API takes no client token. Before each retry, `find_result` therefore checks whether an earlier attempt took
    effect although its answer was lost.

    Args:
        call: the call, by a client without retries.
        find_result: looks for the result of the call; None if there is none.

    Raises:
        ClientError: the service refuses the call, or all attempts failed.
        BotoCoreError: the service could not be reached by any attempt.
    """
    failures: list[BaseException] = []

    def find_or_call() -> T:
        if failures and (result := find_result()) is not None:
            return result
        try:
            return call()
        except (ClientError, *_UNREACHABLE) as error:
            failures.append(error)
            raise

    retrying = Retrying(
        stop=stop_after_attempt(_ATTEMPTS),
        wait=_pause_seconds,
        # An error of find_result is final: its own client has retried already.
        retry=retry_if_exception(lambda error: error in failures and is_transient(error)),
        reraise=True,
    )
    return retrying(find_or_call)


def error_code(error: ClientError) -> str:
    """The error's code, such as AccessDeniedException."""
    return error.response.get("Error", {}).get("Code", "")


def describe_error(error: BotoCoreError | ClientError) -> str:
    """The error as one redacted line for users."""
    return redact(f"AWS error: {error}" if isinstance(error, ClientError) else f"AWS: {error}")


def _pause_seconds(state: RetryCallState) -> float:
    """Exponential backoff up to 20 s, with jitter so that concurrent steps do not retry at the same time."""
    return random.uniform(0.5, 1) * min(2**state.attempt_number / 2, 20)  # noqa: S311 - no secret


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed later: throttling, an error of the service, or a lost connection."""
    if not isinstance(error, ClientError):
        return isinstance(error, _UNREACHABLE)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error_code(error) in _THROTTLED or status >= _SERVER_ERROR


def _client(service: str, attempts: int) -> Any:
    import boto3  # noqa: PLC0415 - costs 0.3 s

    config = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "total_max_attempts": attempts})
    with _creation:
        return boto3.client(service, config=config)
