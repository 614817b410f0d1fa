"""Calls of AWS that must be heard once: asked again only where it may help, and never for what was heard."""

import time

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, NoCredentialsError, ReadTimeoutError

from olist_assets.aws.clients import call_at_most_once, to_user_error


def refused(code: str, status: int = 400, message: str = "no") -> ClientError:
    """An error that the service answers with."""
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "RunJobFlow")


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """The pauses that are made, in no time."""
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", made.append)
    return made


class Call:
    """A call that meets these errors one after the other, and then is answered."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.times = list(errors), 0

    def __call__(self) -> str:
        """Make the call."""
        self.times += 1
        if self.errors:
            raise self.errors.pop(0)
        return "made"


PASSING = [
    refused("ThrottlingException"),
    refused("TooManyRequestsException", 429),
    refused("InternalServerError", 500),
    refused("ServiceUnavailable", 503),
    ConnectionClosedError(endpoint_url="https://emr"),
    ReadTimeoutError(endpoint_url="https://emr"),
]


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_a_call_that_was_not_heard_is_made_again(error, pauses):
    call = Call(error, error)
    assert call_at_most_once(call, lambda: None) == "made"
    assert call.times == 3
    assert len(pauses) == 2
    assert 0 < pauses[0] < pauses[1] * 2


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_a_call_that_was_heard_though_its_answer_was_lost_is_not_made_again(error):
    call = Call(error)
    assert call_at_most_once(call, lambda: "found") == "found"
    assert call.times == 1


@pytest.mark.parametrize("error", [refused("AccessDeniedException"), refused("ValidationException")], ids=str)
def test_a_call_that_is_wrong_is_not_made_again(error, pauses):
    call = Call(error)
    with pytest.raises(ClientError) as caught:
        call_at_most_once(call, lambda: "found")
    assert caught.value is error
    assert (call.times, pauses) == (1, [])


def test_a_call_that_is_never_answered_is_given_up():
    call = Call(*[refused("ThrottlingException")] * 99)
    with pytest.raises(ClientError, match="ThrottlingException"):
        call_at_most_once(call, lambda: None)
    assert call.times == 8


def test_errors_are_told_in_one_line_without_accounts():
    denied = refused("AccessDeniedException", message="User: arn:aws:iam::123456789012:user/jane is not authorized")
    assert str(to_user_error(denied)) == (
        "AWS refuses: An error occurred (AccessDeniedException) when calling the RunJobFlow operation: "
        "User: arn:aws:iam::…:user/jane is not authorized"
    )
    assert str(to_user_error(NoCredentialsError())) == "AWS: Unable to locate credentials"
