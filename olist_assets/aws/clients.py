"""Calls of AWS's API: what is lost on the way is asked again, what is wrong is not."""

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from olist_assets.aws.environment import redact
from olist_assets.errors import OlistError

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


def create_client(service: str) -> Any:
    """A client that asks again after throttling, errors of the server and broken connections."""
    return _client(service, _ATTEMPTS)


def create_client_without_retries(service: str) -> Any:
    """A client for calls that must not be heard twice; see `call_at_most_once`."""
    return _client(service, 1)


def call_at_most_once(call: Callable[[], T], find_result: Callable[[], T | None]) -> T:
    """Make a call that must be heard once only, though it has no token that says so.

    Args:
        call: the call, by a client that asks once.
        find_result: looks for what the call makes; asked before the call is repeated.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return call()
        except (ClientError, HTTPClientError) as error:
            if not _is_transient(error) or attempt == _ATTEMPTS:
                raise
        time.sleep(random.uniform(0.5, 1) * min(2**attempt / 2, 20))  # noqa: S311 - so that not all ask at once
        if (found := find_result()) is not None:
            return found
    raise AssertionError  # the last attempt returns or raises


def error_code(error: ClientError) -> str:
    """The error's code, such as AccessDeniedException."""
    return error.response.get("Error", {}).get("Code", "")


def to_user_error(error: BotoCoreError | ClientError) -> OlistError:
    """The error as a user reads it."""
    return OlistError(redact(f"AWS refuses: {error}" if isinstance(error, ClientError) else f"AWS: {error}"))


def _is_transient(error: ClientError | HTTPClientError) -> bool:
    if isinstance(error, HTTPClientError):
        return True
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error_code(error) in _THROTTLED or status >= _SERVER_ERROR


def _client(service: str, attempts: int) -> Any:
    import boto3  # noqa: PLC0415 - costs 0.3 s

    return boto3.client(
        service,
        config=Config(
            connect_timeout=10, read_timeout=30, retries={"mode": "standard", "total_max_attempts": attempts}
        ),
    )
