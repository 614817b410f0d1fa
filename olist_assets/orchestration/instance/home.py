"""DAGSTER_HOME: the folder of Dagster's instance, with runs and their events."""

import os
import re
from importlib import import_module
from importlib.resources import files
from pathlib import Path

from olist_assets.aws.redaction import summarize_text
from olist_assets.errors import SettingsError

_EVENTS_PER_TRANSACTION = "500"
_MOVED_MODULES = {"module: olist_assets.event_log\n": "module: olist_assets.orchestration.instance.event_log\n"}
"""Lines of a dagster.yaml that an earlier release wrote, and their present form."""

_INTRODUCTION = re.compile(r"\A(?:Errors whilst loading .*?Error 1: |Failure condition: )", re.DOTALL)


def prepare_home(home: Path) -> None:
    """Create DAGSTER_HOME with the project's dagster.yaml, unless it has one, and set Dagster's variables.

    An existing dagster.yaml that names a module by its location in an earlier release is updated. The rest of it is
    not changed.

    Raises:
        SettingsError: Dagster cannot read dagster.yaml, or it names a class that does not exist.
    """
    home.mkdir(parents=True, exist_ok=True)
    configuration = home / "dagster.yaml"
    if configuration.exists():
        _update_modules(configuration)
    else:
        configuration.write_text(files("olist_assets.orchestration.instance").joinpath("dagster.yaml").read_text())
    _check_configuration(configuration)
    nux = home / ".nux" / "nux.yaml"
    if not nux.exists():  # suppresses the newsletter pop-up of the Dagster UI
        nux.parent.mkdir(exist_ok=True)
        nux.write_text("seen: 1\n")
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", _EVENTS_PER_TRANSACTION)


def _update_modules(configuration: Path) -> None:
    before = after = configuration.read_text(errors="surrogateescape")
    for old, new in _MOVED_MODULES.items():
        after = after.replace(old, new)
    if after != before:
        configuration.write_text(after, errors="surrogateescape")


def _check_configuration(configuration: Path) -> None:
    from dagster._core.instance.ref import InstanceRef  # noqa: PLC0415 - takes a second
    from dagster._serdes import ConfigurableClassData  # noqa: PLC0415

    try:
        for value in InstanceRef.from_dir(str(configuration.parent)):
            if isinstance(value, ConfigurableClassData):
                getattr(import_module(value.module_name), value.class_name)
    except Exception as error:
        reason = summarize_text(_INTRODUCTION.sub("", str(error))).partition(". Expected")[0].rstrip(".")
        message = f"{configuration} cannot be used: {reason}; correct it, or delete it to get the project's one again"
        raise SettingsError(message) from error
