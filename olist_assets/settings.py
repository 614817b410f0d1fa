"""The settings: read from environment variables, checked and described in one place."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from olist_assets.aws.environment import configure, is_s3
from olist_assets.engine_names import EngineName
from olist_assets.errors import SettingsError

_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9._~+@=,-]+)*")
_GLUE = re.compile(r"[a-z][a-z0-9_]{0,99}")
_ENCRYPTION = re.compile(r"AES256|aws:kms(?::[A-Za-z0-9:/_-]+)?")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._~+@=,-]+")


class EnvironmentSettings(BaseSettings):
    """Settings that environment variables give. The alias of a field is its variable.

    Only `from_environment` reads variables. The constructor takes values by the names of the fields.
    """

    model_config = SettingsConfigDict(
        frozen=True, case_sensitive=True, env_ignore_empty=True, validate_by_name=True, validate_default=True
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings, with defaults for variables that are missing or empty.

        Raises:
            SettingsError: a value is not accepted; the message names the variable and the accepted values.
        """
        source = EnvSettingsSource(cls)
        source.env_vars = {name: value for name, value in environment.items() if value}
        try:
            return cls(**source())
        except ValidationError as error:
            raise SettingsError(_summarize(cls, error)) from error

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic passes all of them
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The arguments of the constructor alone."""
        return (init_settings,)


def _summarize(settings: type[EnvironmentSettings], error: ValidationError) -> str:
    """The first of the errors, as one line: variable=value: reason."""
    [first, *_] = error.errors()
    name = str(first["loc"][0])
    fields = settings.model_fields
    field = fields.get(name) or next(field for field in fields.values() if field.validation_alias == name)
    if first["type"] == "literal_error":
        reason = f"takes {' or '.join(get_args(field.annotation))}"
    else:
        reason = first["msg"].removeprefix("Value error, ")
    return f"{field.validation_alias}={first['input']}: {reason}"


def _check_folder(value: str) -> str:
    """The absolute path of a folder. Engines encode other characters in URIs, each in a different way."""
    path = str(Path(value).expanduser().resolve())
    if not _PLAIN_PATH.fullmatch(path):
        raise ValueError(f"{path} has a character beyond letters, digits and /._~+@=,- in it")
    return path


def _check_root(value: str) -> str:
    if "://" not in value:
        return _check_folder(value)
    if not _BUCKET.fullmatch(root := value.rstrip("/")):
        raise ValueError("takes the path of a folder, or s3://<bucket>/<prefix> of plain characters")
    return root


def _check_encryption(value: str) -> str:
    if value and not _ENCRYPTION.fullmatch(value):
        raise ValueError("takes AES256, aws:kms or aws:kms:<key>")
    return value


def _check_glue(value: str) -> str:
    if value and not _GLUE.fullmatch(value):
        raise ValueError("takes lower-case letters, digits and underscores, a letter first")
    return value


def _field(variable: str, default: Any, description: str) -> Any:
    return Field(default, validation_alias=variable, description=description)


class Settings(EnvironmentSettings):
    """The general settings. Roots are absolute paths of folders, or s3:// URIs without a slash at the end."""

    lake: Annotated[str, AfterValidator(_check_root)] = _field(
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
    dagster_home: Annotated[Path, BeforeValidator(lambda path: _check_folder(str(path)))] = _field(
        "DAGSTER_HOME", Path(".olist/dagster"), "folder of Dagster's instance"
    )

    @property
    def on_s3(self) -> bool:
        """Whether the lake or the source is on S3."""
        return is_s3(self.lake) or is_s3(self.source)


def load_settings() -> Settings:
    """Read the settings of this process, and configure the S3 clients if the lake or the source is on S3.

    Raises:
        SettingsError: a value is not accepted.
        OlistError: there is no AWS profile of the name in AWS_PROFILE.
    """
    settings = Settings.from_environment()
    if settings.on_s3:
        configure(settings.encryption)
    return settings


class SettingRow(NamedTuple):
    """A setting in the documentation: its variable, its default as one would write it or `none`, and its meaning."""

    variable: str
    default: str
    meaning: str


def describe_settings(model: type[BaseModel], prefix: str = "") -> list[SettingRow]:
    """The settings of a model, in the order of its fields.

    Args:
        model: a model whose fields have descriptions.
        prefix: what comes before a field's name, in capitals, in the name of its variable; an alias is used as is.
    """
    return [
        SettingRow(str(field.validation_alias or f"{prefix}{name}".upper()), _default(field), field.description or "")
        for name, field in model.model_fields.items()
    ]


def _default(field: FieldInfo) -> str:
    default: Any = field.default
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float):
        return f"{default:g}"
    if isinstance(default, list):
        default = ",".join(map(str, default))
    return str(default or "none")
