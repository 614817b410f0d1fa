"""All settings, read from the environment and checked in one place."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, get_args

from olist_assets.aws.environment import S3, configure
from olist_assets.errors import OlistError

_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9._~+@=,-]+)*")
_GLUE = re.compile(r"[a-z][a-z0-9_]{0,99}")
_ENCRYPTION = re.compile(r"AES256|aws:kms(?::[A-Za-z0-9:/_-]+)?")
EngineName = Literal["sail", "spark", "emr", "emr-serverless"]
ENGINES: tuple[str, ...] = get_args(EngineName)
"""What runs the steps; the first is the default."""
LOCAL_ENGINES = ENGINES[:2]
"""Those that run them on this machine."""

_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._~+@=,-]+")
AFTER_RAW = ("archive", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where things are and how they are done.

    Attributes:
        lake: root of the lake, an absolute path or an s3:// URI (OLIST_LAKE).
        source: folder of the deliveries, an absolute path or an s3:// URI (OLIST_SOURCE).
        engine: what runs the steps (OLIST_ENGINE).
        after_raw: what becomes of landed files once raw holds them (OLIST_LANDZONE_AFTER_RAW).
        dagster_home: folder of Dagster's instance (DAGSTER_HOME).
        encryption: how objects on S3 are encrypted: AES256, aws:kms or aws:kms:<key>; as the bucket's default says if
            empty (OLIST_S3_ENCRYPTION).
        glue: what the names of the Glue databases begin with; runs register no tables if empty (OLIST_GLUE).
    """

    lake: str
    source: str
    engine: str
    after_raw: str
    dagster_home: Path
    encryption: str = ""
    glue: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The settings that the environment gives, defaults for the rest.

        Raises:
            OlistError: a value is not accepted; the message names the variable and what it takes.
        """
        return cls(
            lake=_root(environment, "OLIST_LAKE", ".olist/lake"),
            source=_root(environment, "OLIST_SOURCE", ".olist/source"),
            engine=_one_of(environment, "OLIST_ENGINE", ENGINES),
            after_raw=_one_of(environment, "OLIST_LANDZONE_AFTER_RAW", AFTER_RAW),
            dagster_home=Path(_folder("DAGSTER_HOME", environment.get("DAGSTER_HOME") or ".olist/dagster")),
            encryption=_encryption(environment),
            glue=_glue(environment),
        )

    @property
    def on_s3(self) -> bool:
        """Whether the lake or the source lies on S3."""
        return self.lake.startswith(S3) or self.source.startswith(S3)


def load_settings() -> Settings:
    """The settings of this process, which can reach S3 afterwards if they name it.

    Raises:
        OlistError: as `Settings.from_environment` does; or there is no such AWS profile.
    """
    settings = Settings.from_environment()
    if settings.on_s3:
        configure(settings.encryption)
    return settings


def _root(environment: Mapping[str, str], name: str, default: str) -> str:
    value = environment.get(name) or default
    if "://" not in value:
        return _folder(name, value)
    if not _BUCKET.fullmatch(root := value.rstrip("/")):
        raise OlistError(f"{name}={value}: takes the path of a folder, or s3://<bucket>/<prefix> of plain characters")
    return root


def _encryption(environment: Mapping[str, str]) -> str:
    value = environment.get("OLIST_S3_ENCRYPTION") or ""
    if value and not _ENCRYPTION.fullmatch(value):
        raise OlistError(f"OLIST_S3_ENCRYPTION={value}: takes AES256, aws:kms or aws:kms:<key>")
    return value


def _glue(environment: Mapping[str, str]) -> str:
    value = environment.get("OLIST_GLUE") or ""
    if value and not _GLUE.fullmatch(value):
        raise OlistError(f"OLIST_GLUE={value}: takes lower-case letters, digits and underscores, a letter first")
    return value


def _folder(name: str, value: str) -> str:
    """The absolute path of a folder, of characters that engines do not encode each in its own way."""
    path = str(Path(value).expanduser().resolve())
    if not _PLAIN_PATH.fullmatch(path):
        raise OlistError(f"{name}={value}: {path} has a character beyond letters, digits and /._~+@=,- in it")
    return path


def _one_of(environment: Mapping[str, str], name: str, accepted: tuple[str, ...]) -> str:
    value = environment.get(name) or accepted[0]
    if value not in accepted:
        raise OlistError(f"{name}={value}: takes {' or '.join(accepted)}")
    return value
