"""Dagster's instance: where runs and their events are kept."""

import os
from importlib.resources import files
from pathlib import Path

_EVENTS_A_TRANSACTION = "500"


def prepare_home(home: Path) -> None:
    """Make DAGSTER_HOME ready, with the project's dagster.yaml unless it has its own, and announce it to Dagster."""
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        (home / "dagster.yaml").write_text(files("olist_assets").joinpath("dagster.yaml").read_text())
    nux = home / ".nux" / "nux.yaml"
    if not nux.exists():  # spares the user Dagit's newsletter pop-up
        nux.parent.mkdir(exist_ok=True)
        nux.write_text("seen: 1\n")
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", _EVENTS_A_TRANSACTION)
