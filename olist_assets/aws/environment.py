"""AWS as its own variables and profiles describe it, made known to every library that reads or writes the lake.

boto3 knows variables, profiles and roles; the others know the variables, and look for credentials each by itself. So
what a profile says of region and endpoint becomes a variable here. Credentials are never copied anywhere.
"""

import os
import re
from collections.abc import MutableMapping
from typing import Any

from olist_assets.errors import OlistError

S3 = "s3://"
"""What the root of a lake or source on S3 begins with."""

_PRIVATE = (
    (re.compile(r"(s3[an]?://)[a-z0-9][a-z0-9.-]+"), r"\1…"),  # a bucket
    (re.compile(r"(https?://)[^\s,;\"'<>()]+"), r"\1…"),  # a request's host and path name it too
    (re.compile(r"(arn:[\w-]+:[\w-]*:[\w-]*:)\d{12}"), r"\1…"),  # an account
    (re.compile(r"([Aa]ccount\W{1,3})\d{12}"), r"\1…"),
    (re.compile(r"(<(?:AWSAccessKeyId|BucketName|Resource|StringToSign|HostId)>)[^<]+"), r"\1…"),  # in answers of S3
    (re.compile(r"\bA[KS]IA[A-Z0-9]{16}\b"), "…"),  # an access key
)
_ANSWER = re.compile(r"<Error>.*?<Code>(.*?)</Code>.*?<Message>(.*?)</Message>", re.DOTALL)


def configure(encryption: str = "", environment: MutableMapping[str, str] = os.environ) -> None:
    """Set the variables by which all libraries reach S3 as boto3 would.

    Args:
        encryption: how new objects are encrypted: AES256, aws:kms, or aws:kms:<key>; by the bucket's default if empty.
        environment: where the variables are, and are set.

    Raises:
        OlistError: there is no profile of the name that is asked for.
    """
    profile = {} if environment.get("AWS_ACCESS_KEY_ID") else _profile(environment.get("AWS_PROFILE"))
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or profile.get("region")
    if region:
        environment["AWS_REGION"] = environment["AWS_DEFAULT_REGION"] = region
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    endpoint = endpoint or profile.get("endpoint_url")
    if endpoint:
        environment["AWS_ENDPOINT_URL_S3"] = endpoint
        environment.setdefault("AWS_ENDPOINT_URL", endpoint)
        if endpoint.startswith("http://"):
            environment["AWS_ALLOW_HTTP"] = "true"  # else it is refused
    if not environment.get("AWS_ACCESS_KEY_ID"):
        environment["AWS_FORCE_CREDENTIAL_LOAD"] = "true"  # has delta-rs look for a profile or role at any endpoint
    if encryption:
        algorithm, _, key = encryption.partition("aws:kms:")
        environment["AWS_SERVER_SIDE_ENCRYPTION"] = algorithm or "aws:kms"
        if key:
            environment["AWS_SSE_KMS_KEY_ID"] = key


def summarize_error(error: Exception) -> str:
    """What S3 answered where an error tells it, in one line; else the error's own words, redacted."""
    text = str(error).partition("\n\n")[0]  # what follows are structures of libraries
    if answer := _ANSWER.search(text):
        return f"{answer[1]}: {answer[2].rstrip('.')}"
    return redact(" ".join(text.split()))


def redact(text: str, *uris: str) -> str:
    """The text without names of buckets, numbers of accounts, and ids of keys.

    Args:
        text: what may tell them.
        uris: of whose buckets the names stand in it without s3:// too, as some libraries write them.
    """
    for bucket in {uri.removeprefix(S3).partition("/")[0] for uri in uris if uri.startswith(S3)}:
        text = re.sub(rf"(?<![\w.-]){re.escape(bucket)}(?![\w.-])", "…", text)
    for private, shown in _PRIVATE:
        text = private.sub(shown, text)
    return text


def _profile(name: str | None) -> dict[str, Any]:
    """What a profile says, the default one if no name is given; nothing if there is none."""
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - costs 0.3 s, and is for lakes on S3 only
    from botocore.session import Session  # noqa: PLC0415

    try:
        return Session(profile=name).get_scoped_config()
    except BotoCoreError as error:
        raise OlistError(f"AWS_PROFILE={name}: {error}") from error
