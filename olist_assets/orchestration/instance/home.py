"""DAGSTER_HOME: the folder of Dagster's instance, with runs and their events."""

import os
from importlib.resources import files
from pathlib import Path

_EVENTS_PER_TRANSACTION = "500"
_MOVED_MODULES = {"module: olist_assets.event_log\n": "module: olist_assets.orchestration.instance.event_log\n"}
"""Lines of a dagster.yaml that an earlier release wrote, and their present form."""


def prepare_home(home: Path) -> None:
    """Create DAGSTER_HOME with the project's dagster.yaml, unless it has one, and set Dagster's variables.

    An existing dagster.yaml that names a module by its location in an earlier release is updated. The rest of it is
    not changed.
    """
    home.mkdir(parents=True, exist_ok=True)
    configuration = home / "dagster.yaml"
    if configuration.exists():
        _update_modules(configuration)
    else:
        configuration.write_text(files("olist_assets.orchestration.instance").joinpath("dagster.yaml").read_text())
    nux = home / ".nux" / "nux.yaml"
    if not nux.exists():  # suppresses the newsletter pop-up of the Dagster UI
        nux.parent.mkdir(exist_ok=True)
        nux.write_text("seen: 1\n")
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", _EVENTS_PER_TRANSACTION)


def _update_modules(configuration: Path) -> None:
    before = after = configuration.read_text()
    for old, new in _MOVED_MODULES.items():
        after = after.replace(old, new)
    if after != before:
        configuration.write_text(after)
