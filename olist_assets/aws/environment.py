"""AWS settings from variables and profiles, passed on to every library that reads or writes the lake.

boto3 reads variables, profiles and roles. The other libraries read variables only, and each finds credentials by
itself. Region and endpoint of a profile are therefore copied into variables here. Credentials are never copied.
"""

import os
from collections.abc import MutableMapping
from typing import Any

from olist_assets.errors import SettingsError

S3 = "s3://"
"""The scheme of lakes and sources on S3."""


def is_s3(uri: str) -> bool:
    """Whether a root or an object is on S3; a folder otherwise."""
    return uri.startswith(S3)


def configure(encryption: str = "", environment: MutableMapping[str, str] = os.environ) -> None:
    """Set the variables with which all libraries reach S3 as boto3 does.

    Args:
        encryption: how new objects are encrypted: AES256, aws:kms, or aws:kms:<key>; the bucket's default if empty.
        environment: the variables to read and to change.

    Raises:
        SettingsError: AWS_PROFILE names a profile that does not exist.
    """
    profile = {} if environment.get("AWS_ACCESS_KEY_ID") else _read_profile(environment.get("AWS_PROFILE"))
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or profile.get("region")
    if region:
        environment["AWS_REGION"] = environment["AWS_DEFAULT_REGION"] = region
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    endpoint = endpoint or profile.get("endpoint_url")
    if endpoint:
        environment["AWS_ENDPOINT_URL_S3"] = endpoint
        environment.setdefault("AWS_ENDPOINT_URL", endpoint)
        if endpoint.startswith("http://"):
            environment["AWS_ALLOW_HTTP"] = "true"  # obstore and delta-rs refuse http without it
    if not environment.get("AWS_ACCESS_KEY_ID"):
        environment["AWS_FORCE_CREDENTIAL_LOAD"] = "true"  # delta-rs then looks for a profile or role at any endpoint
    if encryption:
        algorithm, _, key = encryption.partition("aws:kms:")
        environment["AWS_SERVER_SIDE_ENCRYPTION"] = algorithm or "aws:kms"
        if key:
            environment["AWS_SSE_KMS_KEY_ID"] = key


def _read_profile(name: str | None) -> dict[str, Any]:
    """The settings of a profile, of the default one if no name is given; empty if there is none."""
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - costs 0.3 s, and is for lakes on S3 only
    from botocore.session import Session  # noqa: PLC0415

    try:
        return Session(profile=name).get_scoped_config()
    except BotoCoreError as error:
        raise SettingsError(f"AWS_PROFILE={name}: {error}") from error
