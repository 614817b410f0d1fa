"""How settings are read from environment variables; a wrong value is a one-line error."""

import os
import re
from collections.abc import Mapping
from typing import Self, get_args

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from olist_assets.errors import SettingsError

_CREDENTIALS = re.compile(r"\S*:.*?[@?]\S*", re.DOTALL)
"""Values that may contain a password, as s3://key:password@bucket does."""


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
    """The first of the errors, as one line: variable=value: reason, without credentials."""
    [first, *_] = error.errors()
    name = str(first["loc"][0])
    fields = settings.model_fields
    field = fields.get(name) or next(field for field in fields.values() if field.validation_alias == name)
    if first["type"] == "literal_error":
        reason = f"takes {' or '.join(get_args(field.annotation))}"
    else:
        reason = first["msg"].removeprefix("Value error, ")
    value = str(first["input"])
    if _CREDENTIALS.search(value):
        value, reason = "…", _CREDENTIALS.sub("…", reason)
    return f"{field.validation_alias}={value}: {reason}"
