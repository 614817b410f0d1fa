"""Settings of the EMR engines: their fields, the variables that set them, and the rows of their documentation.

The fields are declared once, in plain models. An engine inherits them as its Dagster configuration, and a settings
class reads them from environment variables.
"""

import os
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError, ValidationInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from olist_assets.engines.remote.package import FOLDER
from olist_assets.errors import SettingsError
from olist_assets.settings.description import SettingRow, describe_settings


def _split_list(value: Any) -> Any:
    """`a, b` as a list; a list stays a list."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


def _split_pairs(value: Any) -> Any:
    """`key=value, key=value` as a dict; a dict stays a dict."""
    if not isinstance(value, str):
        return value
    pairs = (word.partition("=") for word in _split_list(value))
    return {key: text for key, _, text in pairs}


# NoDecode: pydantic-settings would read lists and dicts as JSON.
CommaList = Annotated[list[str], NoDecode, BeforeValidator(_split_list)]
CommaPairs = Annotated[dict[str, str], NoDecode, BeforeValidator(_split_pairs)]


_MEMORY = r"(?i)^\d+[mg]$"
"""A size of memory, such as 4g or 4096m."""


VCPUS = 4
"""vCPUs of each instance type of a cluster's core and task nodes."""


def _check_max_units(units: int, info: ValidationInfo) -> int:
    if units < info.data.get("units", 0):
        raise ValueError(f"Input should not be less than the minimum, OLIST_EMR_UNITS={info.data['units']}")
    return units


# --- Fields ----------------------------------------------------------------------------------------------------------


class RemoteFields(BaseModel):
    """Fields that both engines have."""

    release: str = Field("emr-spark-8.2.0", description="EMR release label of a cluster or application that is created")
    subnets: CommaList = Field(
        [], description="ids of the subnets for cluster nodes and Serverless workers, separated by commas"
    )
    logs: str = Field("", description="prefix that EMR writes logs to, `s3://<bucket>/<prefix>`")
    tags: CommaPairs = Field({}, description="further tags of what is created, `key=value` pairs separated by commas")
    idle_minutes: int = Field(
        15, description="minutes of idle time after which the cluster terminates or the application stops"
    )
    start_minutes: float = Field(
        30.0,
        description="minutes that a run's worker may take to start; then it is canceled, which counts as an outage",
    )
    run_minutes: float = Field(240.0, description="minutes that one step may take; then it is stopped and fails")
    retries: int = Field(
        2, ge=0, description="how often a step is retried after an outage: lost machines, no capacity, or no answer"
    )
    retry_seconds: float = Field(60.0, ge=0, description="seconds before such a retry")
    poll_seconds: float = Field(30.0, description="seconds between two requests for the state of a run's worker")
    stop_seconds: float = Field(
        120.0, description="seconds that a withdrawn step, or a canceled worker, may take to end"
    )
    log_seconds: float = Field(
        300.0, description="seconds to wait for the log of a failed worker, which EMR writes late"
    )
    driver_memory: str = Field(
        "4g", pattern=_MEMORY, description="memory of a worker's Spark driver, without Spark's overhead"
    )
    executor_cores: int = Field(2, description="cores of each executor of a worker")
    executor_memory: str = Field("3g", pattern=_MEMORY, description="memory of each executor, without Spark's overhead")
    max_executors: int = Field(4, description="greatest number of executors of a worker")
    slots: int = Field(4, description="number of steps that a run's worker executes at the same time")
    package: str = Field(str(FOLDER), description="folder that `make package` built into")


class EmrFields(RemoteFields):
    """Fields of Amazon EMR on EC2."""

    cluster: str = Field("olist", description="name of the cluster, which is found or created")
    applications: CommaList = Field(
        ["Spark"],
        description="applications that are installed on the cluster, separated by commas; notebooks need `Livy` and "
        "`JupyterEnterpriseGateway`",
    )
    service_role: str = Field("EMR_DefaultRole", description="role that EMR assumes to run the cluster")
    instance_profile: str = Field("EMR_EC2_DefaultRole", description="instance profile of the cluster's nodes")
    instance_types: CommaList = Field(
        ["m6i.xlarge", "m5.xlarge", "m6a.xlarge"],
        description="instance types of core and task nodes, separated by commas, each with 4 vCPUs; EMR takes what is "
        "available",
    )
    primary_type: str = Field("m6i.xlarge", description="instance type of the primary node")
    units: int = Field(
        4, ge=VCPUS, multiple_of=VCPUS, description="minimum vCPUs of all core and task nodes, a multiple of 4"
    )
    max_units: Annotated[int, AfterValidator(_check_max_units)] = Field(
        32, ge=VCPUS, multiple_of=VCPUS, description="maximum vCPUs of all core and task nodes, a multiple of 4"
    )
    spot: bool = Field(default=False, description="whether task nodes beyond the minimum are spot instances")
    step_concurrency: int = Field(2, description="number of workers, one per run, that run at a time on the cluster")
    unit_price: float = Field(
        0.06, description="US dollars per vCPU and hour, EC2 and EMR, for the cost estimate in the metadata"
    )


class EmrServerlessFields(RemoteFields):
    """Fields of EMR Serverless."""

    application: str = Field("olist", description="name of the application, which is found or created")
    role: str = Field("", description="ARN of the role that steps have")
    security_groups: CommaList = Field([], description="security groups of workers in the subnets, separated by commas")
    delta_jars: str = Field(
        "/usr/share/aws/delta/lib/*.jar", description="Delta Lake's jars on the image of the workers"
    )
    driver_cores: int = Field(2, description="cores of a worker's Spark driver")
    driver_memory: str = Field(
        "7g", pattern=_MEMORY, description="memory of a worker's Spark driver; with Spark's overhead 8 GB"
    )
    executor_memory: str = Field(
        "7g", pattern=_MEMORY, description="memory of each executor; with Spark's overhead 8 GB"
    )
    max_vcpus: int = Field(64, description="maximum vCPUs of an application that is created")
    worker_minutes: int = Field(
        1440, ge=1, le=10080, description="minutes after which EMR Serverless ends a run's worker, whatever it does"
    )
    vcpu_price: float = Field(0.052624, description="US dollars per vCPU and hour, for the cost estimate")
    memory_price: float = Field(0.0057785, description="US dollars per GB of memory and hour, for the cost estimate")


# --- Variables -------------------------------------------------------------------------------------------------------


class RemoteSettings(BaseSettings):
    """Reads fields from variables: a prefix and the field's name in capitals. An empty variable counts as unset."""

    model_config = SettingsConfigDict(env_ignore_empty=True)
    prefixes: ClassVar[tuple[str, ...]]
    """Prefixes of the variables; an earlier one takes precedence."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the contract
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the contract
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the contract
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """One source per prefix, in order of precedence."""
        return init_settings, *(EnvSettingsSource(settings_cls, env_prefix=prefix) for prefix in cls.prefixes)

    @classmethod
    def load(cls) -> Self:
        """Read the variables of this process.

        Raises:
            SettingsError: a value is not accepted; the message names the variable.
        """
        try:
            return cls()
        except ValidationError as error:
            [first, *_] = error.errors()
            variable, value = cls._find_variable(str(first["loc"][0]))
            raise SettingsError(f"{variable}={value}: {first['msg']}") from error

    @classmethod
    def _find_variable(cls, field: str) -> tuple[str, str]:
        """The variable that sets a field, and its value."""
        environment = {name.upper(): value for name, value in os.environ.items()}
        names = [f"{prefix}{field.upper()}" for prefix in cls.prefixes]
        found = ((name, environment[name]) for name in names if environment.get(name))
        return next(found, (names[0], f"{cls.model_fields[field].default}"))  # a default that does not fit the others


# The ignored rule: pydantic types model_config of a model and of settings differently, and merges them all the same.


class EmrSettings(RemoteSettings, EmrFields):  # pyright: ignore[reportIncompatibleVariableOverride]
    """The fields of Amazon EMR on EC2, from `OLIST_EMR_…`."""

    prefixes = ("OLIST_EMR_",)


class EmrServerlessSettings(RemoteSettings, EmrServerlessFields):  # pyright: ignore[reportIncompatibleVariableOverride]
    """The fields of EMR Serverless, from `OLIST_EMR_SERVERLESS_…`, else from `OLIST_EMR_…`."""

    prefixes = ("OLIST_EMR_SERVERLESS_", "OLIST_EMR_")


# --- Documentation ---------------------------------------------------------------------------------------------------


def setting_rows() -> list[SettingRow]:
    """The settings of both engines for docs/emr.md: of a cluster, of both, then of EMR Serverless alone."""
    return [
        *_own_rows(EmrFields, "OLIST_EMR_"),
        *describe_settings(RemoteFields, "OLIST_EMR_"),
        *_own_rows(EmrServerlessFields, "OLIST_EMR_SERVERLESS_"),
    ]


def _own_rows(model: type[RemoteFields], prefix: str) -> list[SettingRow]:
    """The settings of a model without those of RemoteFields."""
    shared = describe_settings(RemoteFields, prefix)
    return [row for row in describe_settings(model, prefix) if row not in shared]
