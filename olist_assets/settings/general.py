"""The general settings: where the lake and the deliveries are, and what runs the steps."""

import os
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from olist_assets.aws.environment import configure, is_s3
from olist_assets.settings.engine_names import EngineName
from olist_assets.settings.environment import EnvironmentSettings

FIRST_LANDING_DATE = date(2016, 1, 1)
"""The default of the first landing date. Olist's first order is of September 2016."""

_MAX_PARALLELISM = 4
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9._~+@=,-]+)*")
_GLUE = re.compile(r"[a-z][a-z0-9_]{0,99}")
_ENCRYPTION = re.compile(r"AES256|aws:kms(?::[A-Za-z0-9:/_-]+)?")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._~+@=,-]+")


def _resolve_folder(value: str) -> str:
    """The absolute path of a folder."""
    try:
        return str(Path(value).expanduser().resolve())
    except RuntimeError:  # the only one is about the home
        raise ValueError("there is no such user") from None


def _check_lake(value: str) -> str:
    """The root of the lake. The engine Sail writes paths with other characters to folders with other names."""
    root = _check_root(value)
    if not is_s3(root) and not _PLAIN_PATH.fullmatch(root):
        raise ValueError(
            f"{root} has a character beyond letters, digits and /._~+@=,- in it; set OLIST_LAKE to a folder without"
        )
    return root


def _check_root(value: str) -> str:
    if "://" not in value:
        return _resolve_folder(value)
    if not _BUCKET.fullmatch(root := value.rstrip("/")):
        raise ValueError("takes the path of a folder, or s3://<bucket>/<prefix> of plain characters")
    return root


def _check_home(value: object) -> str:
    """The folder of Dagster's instance. Dagster makes URIs of it, in which some characters have a meaning."""
    path = _resolve_folder(str(value))
    if re.search(r"[%?]", path):
        raise ValueError(f"{path} has % or ? in it; set DAGSTER_HOME to a folder without")
    return path


def _check_encryption(value: str) -> str:
    if value and not _ENCRYPTION.fullmatch(value):
        raise ValueError("takes AES256, aws:kms or aws:kms:<key>")
    return value


def _check_glue(value: str) -> str:
    if value and not _GLUE.fullmatch(value):
        raise ValueError("takes lower-case letters, digits and underscores, a letter first")
    return value


def _to_day(value: object) -> object:
    """The day of a text such as 2018-10-31; other values are already days."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("takes a date, such as 2018-10-31") from None


def _to_count(value: object) -> object:
    if isinstance(value, str):
        if not re.fullmatch(r"[1-9]\d{0,3}", value, re.ASCII):
            raise ValueError("takes a number from 1 to 9999")
        return int(value)
    return value


def _check_last(last: date | None, info: ValidationInfo) -> date | None:
    first = info.data.get("first_landing_date")
    if first and last and last < first:
        raise ValueError(f"is before OLIST_FIRST_LANDING_DATE={first}")
    return last


def _field(variable: str, default: Any, description: str) -> Any:
    return Field(default, validation_alias=variable, description=description)


class Settings(EnvironmentSettings):
    """The general settings. Roots are absolute paths of folders, or s3:// URIs without a slash at the end."""

    lake: Annotated[str, AfterValidator(_check_lake)] = _field(
        "OLIST_LAKE", ".olist/lake", "root of the lake: a folder or `s3://bucket/prefix`"
    )
    source: Annotated[str, AfterValidator(_check_root)] = _field(
        "OLIST_SOURCE", ".olist/source", "the deliveries: a folder or `s3://bucket/prefix`"
    )
    engine: EngineName = _field(
        "OLIST_ENGINE",
        "sail",
        "where steps run: `sail`, embedded; `spark`, local Spark on the JVM (Java 17 or 21); `emr` or `emr-serverless`",
    )
    parallelism: Annotated[int | None, BeforeValidator(_to_count)] = _field(
        "OLIST_SPARK_PARALLELISM", None, "concurrent steps on `sail` and `spark`; if not set, the cores, at most 4"
    )
    encryption: Annotated[str, AfterValidator(_check_encryption)] = _field(
        "OLIST_S3_ENCRYPTION",
        "",
        "`AES256`, `aws:kms` or `aws:kms:<key>` for new objects on S3; the bucket's own encryption if not set",
    )
    glue: Annotated[str, AfterValidator(_check_glue)] = _field(
        "OLIST_GLUE", "", "prefix of the Glue databases' names; runs register their tables if it is set"
    )
    after_raw: Literal["archive", "delete"] = _field(
        "OLIST_LANDZONE_AFTER_RAW",
        "archive",
        "`archive` or `delete` landed files after raw has loaded them",
    )
    first_landing_date: Annotated[date, BeforeValidator(_to_day)] = _field(
        "OLIST_FIRST_LANDING_DATE", FIRST_LANDING_DATE, "the first partition; earlier deliveries are ignored"
    )
    last_landing_date: Annotated[date | None, BeforeValidator(_to_day), AfterValidator(_check_last)] = _field(
        "OLIST_LAST_LANDING_DATE", None, "the last partition; today if not set"
    )
    history_days: Annotated[int, BeforeValidator(_to_count)] = _field(
        "OLIST_HISTORY_DAYS", 30, "for how many days earlier versions of the tables can be read (`olist sql --as-of`)"
    )
    dagster_home: Annotated[Path, BeforeValidator(_check_home)] = _field(
        "DAGSTER_HOME", Path(".olist/dagster"), "folder of Dagster's instance"
    )

    @property
    def concurrent_steps(self) -> int:
        """How many steps run at the same time on a local engine."""
        return self.parallelism or min(os.cpu_count() or 1, _MAX_PARALLELISM)

    @property
    def on_s3(self) -> bool:
        """Whether the lake or the source is on S3."""
        return is_s3(self.lake) or is_s3(self.source)


def load_settings() -> Settings:
    """Read the settings of this process, and configure the S3 clients if the lake or the source is on S3.

    Raises:
        SettingsError: a value is not accepted, or AWS_PROFILE names a profile that does not exist.
    """
    settings = Settings.from_environment()
    if settings.on_s3:
        configure(settings.encryption)
    return settings
