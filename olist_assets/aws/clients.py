"""Calls of AWS's API: what is lost on the way is asked again, what is wrong is not."""

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from olist_assets.aws.environment import redacted
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


def client(service: str) -> Any:
    """A client that asks again after throttling, errors of the server and broken connections."""
    return _client(service, _ATTEMPTS)


def client_asking_once(service: str) -> Any:
    """A client for calls that must not be heard twice; see `surely_once`."""
    return _client(service, 1)


def surely_once(call: Callable[[], T], heard: Callable[[], T | None]) -> T:
    """Make a call that must be heard once only, though it has no token that says so.

    Args:
        call: the call, by a client that asks once.
        heard: looks for what the call makes; asked before the call is repeated.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return call()
        except (ClientError, HTTPClientError) as error:
            if not _may_pass(error) or attempt == _ATTEMPTS:
                raise
        time.sleep(random.uniform(0.5, 1) * min(2**attempt / 2, 20))  # noqa: S311 - so that not all ask at once
        if (found := heard()) is not None:
            return found
    raise AssertionError  # the last attempt returns or raises


def code_of(error: ClientError) -> str:
    """The error's code, such as AccessDeniedException."""
    return error.response.get("Error", {}).get("Code", "")


def in_one_line(error: BotoCoreError | ClientError) -> OlistError:
    """The error as a user reads it."""
    return OlistError(redacted(f"AWS refuses: {error}" if isinstance(error, ClientError) else f"AWS: {error}"))


def _may_pass(error: ClientError | HTTPClientError) -> bool:
    if isinstance(error, HTTPClientError):
        return True
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code_of(error) in _THROTTLED or status >= _SERVER_ERROR


def _client(service: str, attempts: int) -> Any:
    import boto3  # noqa: PLC0415 - costs 0.3 s

    return boto3.client(
        service,
        config=Config(
            connect_timeout=10, read_timeout=30, retries={"mode": "standard", "total_max_attempts": attempts}
        ),
    )
