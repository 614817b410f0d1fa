"""All settings, read from the environment and checked in one place."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, get_args

from olist_assets.errors import OlistError

EngineName = Literal["sail", "spark"]
ENGINES: tuple[str, ...] = get_args(EngineName)
"""What runs the steps; the first is the default."""

_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._~+@=,-]+")
AFTER_RAW = ("archive", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where things are and how they are done.

    Attributes:
        lake: root of the lake, an absolute path (OLIST_LAKE).
        source: folder of the deliveries, an absolute path (OLIST_SOURCE).
        engine: what runs the steps (OLIST_ENGINE).
        after_raw: what becomes of landed files once raw holds them (OLIST_LANDZONE_AFTER_RAW).
        dagster_home: folder of Dagster's instance (DAGSTER_HOME).
    """

    lake: str
    source: str
    engine: str
    after_raw: str
    dagster_home: Path

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
        )


def _root(environment: Mapping[str, str], name: str, default: str) -> str:
    value = environment.get(name) or default
    if "://" in value:
        raise OlistError(f"{name}={value}: takes the path of a folder")
    return _folder(name, value)


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
