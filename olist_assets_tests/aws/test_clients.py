"""Calls of AWS that take effect at most once: retried after transient errors only, and only without a result."""

import time

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from olist_assets.aws.clients import call_at_most_once, describe_error


def error_response(code: str, status: int = 400, message: str = "no") -> ClientError:
    """An error response of the service."""
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "RunJobFlow")


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """The pauses between attempts, without waiting."""
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", made.append)
    return made


class Call:
    """A call that raises these errors one after the other and then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.times = list(errors), 0

    def __call__(self) -> str:
        """Make the call."""
        self.times += 1
        if self.errors:
            raise self.errors.pop(0)
        return "made"


TRANSIENT = [
    error_response("ThrottlingException"),
    error_response("TooManyRequestsException", 429),
    error_response("InternalServerError", 500),
    error_response("ServiceUnavailable", 503),
    ConnectionClosedError(endpoint_url="https://emr"),
    ReadTimeoutError(endpoint_url="https://emr"),
    ConnectTimeoutError(endpoint_url="https://emr"),
    EndpointConnectionError(endpoint_url="https://emr"),
]


@pytest.mark.parametrize("error", TRANSIENT, ids=str)
def test_a_call_is_retried_after_a_transient_error(error, pauses):
    call = Call(error, error)
    assert call_at_most_once(call, lambda: None) == "made"
    assert call.times == 3
    assert len(pauses) == 2
    assert 0.5 <= pauses[0] <= 1 <= pauses[1] <= 2


@pytest.mark.parametrize("error", TRANSIENT, ids=str)
def test_a_call_whose_answer_was_lost_is_not_repeated(error):
    call = Call(error)
    assert call_at_most_once(call, lambda: "found") == "found"
    assert call.times == 1


@pytest.mark.parametrize(
    "error", [error_response("AccessDeniedException"), error_response("ValidationException")], ids=str
)
def test_a_refused_call_is_not_retried(error, pauses):
    call = Call(error)
    with pytest.raises(ClientError) as caught:
        call_at_most_once(call, lambda: "found")
    assert caught.value is error
    assert (call.times, pauses) == (1, [])


def test_a_call_is_attempted_eight_times():
    call = Call(*[error_response("ThrottlingException")] * 99)
    with pytest.raises(ClientError, match="ThrottlingException"):
        call_at_most_once(call, lambda: None)
    assert call.times == 8


def test_an_error_while_looking_for_the_result_is_final():
    call, outage = Call(*TRANSIENT), error_response("ServiceUnavailable", 503)

    def find_result() -> str:
        raise outage

    with pytest.raises(ClientError) as caught:
        call_at_most_once(call, find_result)
    assert caught.value is outage
    assert call.times == 1


def test_the_result_is_looked_for_before_every_retry():
    call, results = Call(*[error_response("ThrottlingException")] * 99), [None, None, "found"]
    assert call_at_most_once(call, lambda: results.pop(0)) == "found"
    assert call.times == 3


def test_a_described_error_is_one_line_without_accounts():
    denied = error_response(
        "AccessDeniedException", message="User: arn:aws:iam::123456789012:user/jane is not authorized"
    )
    assert describe_error(denied) == (
        "AWS error: An error occurred (AccessDeniedException) when calling the RunJobFlow operation: "
        "User: arn:aws:iam::…:user/jane is not authorized"
    )
    assert describe_error(NoCredentialsError()) == "AWS: Unable to locate credentials"
