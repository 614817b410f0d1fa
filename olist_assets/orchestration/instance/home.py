"""DAGSTER_HOME: the folder of Dagster's instance, with runs and their events."""

import os
import re
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock, Timeout

from olist_assets.aws.redaction import summarize_text
from olist_assets.errors import OlistError, SettingsError

_EVENTS_PER_TRANSACTION = "500"
_LOCK_SECONDS = 60.0
_RUNS = Path("history", "runs.db")
_DATABASES = (_RUNS, Path("schedules", "schedules.db"), Path("event_log.db"))
_EVENT_LOG = "module: olist_assets.orchestration.instance.event_log\n"
_MONITORING = re.compile(r"^run_(launcher|monitoring):", re.MULTILINE)
_MONITORING_BLOCK = "\n\n# A killed process"
_MOVED_MODULES = {"module: olist_assets.event_log\n": _EVENT_LOG}
"""Lines of a dagster.yaml that an earlier release wrote, and their present form."""

_INTRODUCTION = re.compile(r"\A(?:Errors whilst loading .*?Error 1: |Failure condition: )", re.DOTALL)


def prepare_home(home: Path) -> None:
    """Create DAGSTER_HOME with the project's dagster.yaml and databases, unless it has them; set Dagster's variables.

    Several processes may do this at once: one creates, the others wait for it. A process that is killed leaves no
    incomplete file.

    A dagster.yaml that an earlier release wrote is updated: the names of moved modules, and the run monitoring if it
    configures none. The rest of it is not changed.

    Raises:
        SettingsError: Dagster cannot read dagster.yaml, or it names a class that does not exist.
        OlistError: the home cannot be used, or another process does not finish its creation.
    """
    home.mkdir(parents=True, exist_ok=True)
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", _EVENTS_PER_TRANSACTION)
    with _lock(home):
        _write_configuration(home / "dagster.yaml")
        _check_configuration(home / "dagster.yaml")
        nux = home / ".nux" / "nux.yaml"
        if not nux.exists():  # suppresses the newsletter pop-up of the Dagster UI
            nux.parent.mkdir(exist_ok=True)
            nux.write_text("seen: 1\n")
        if (home / _RUNS).exists():
            _check_databases(home)
        else:
            _create_databases(home)


@contextmanager
def _lock(home: Path) -> Generator[None]:
    """Let one process at a time prepare a home. The lock ends with its process."""
    path = home / ".lock"
    try:
        with FileLock(path, timeout=_LOCK_SECONDS):
            yield
    except Timeout as error:
        raise OlistError(
            f"another process has prepared {home} for {_LOCK_SECONDS:g} seconds: end the process that has {path} open"
        ) from error


def _write_configuration(configuration: Path) -> None:
    """Write the project's dagster.yaml if there is none; otherwise update the one of an earlier release."""
    template = files("olist_assets.orchestration.instance").joinpath("dagster.yaml").read_text()
    before = configuration.read_text(errors="surrogateescape") if configuration.exists() else None
    after = template if before is None else before
    for old, new in _MOVED_MODULES.items():
        after = after.replace(old, new)
    if _EVENT_LOG in after and not _MONITORING.search(after):
        after = after.rstrip("\n") + template[template.index(_MONITORING_BLOCK) :]
    if after != before:
        new_file = configuration.with_name(".dagster.yaml.new")
        new_file.write_text(after, errors="surrogateescape")
        new_file.replace(configuration.resolve())


def _create_databases(home: Path) -> None:
    """Let Dagster create its databases in another folder, then move those that the home lacks.

    Dagster's creation is not atomic: processes that do it at once, or a killed one, would leave a database that no
    process can open. The database of runs is moved last, so if it exists, all exist.
    """
    from dagster import DagsterInstance  # noqa: PLC0415 - takes a second, at the first start only

    with TemporaryDirectory(prefix=".new-", dir=home) as scratch:
        shutil.copy(home / "dagster.yaml", scratch)
        os.environ["DAGSTER_HOME"] = scratch  # dagster.yaml refers to it
        try:
            DagsterInstance.from_config(scratch).dispose()
        finally:
            os.environ["DAGSTER_HOME"] = str(home)
        created = [path.relative_to(scratch) for path in Path(scratch).rglob("*.db")]
        for path in sorted(created, key=_RUNS.__eq__):
            target = home / path
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                for suffix in ("-wal", "-shm"):  # of a deleted database: SQLite would apply it to the new one
                    target.with_name(target.name + suffix).unlink(missing_ok=True)
                Path(scratch, path).replace(target)


def _check_databases(home: Path) -> None:
    """Check that Dagster can open the databases: earlier releases did not lock a home while they created it.

    Raises:
        OlistError: one is broken.
    """
    for path in (home / name for name in _DATABASES):
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
                [revisions] = database.execute("SELECT count(*) FROM alembic_version").fetchone()
        except sqlite3.OperationalError:  # missing, being written, or not SQLite's: Dagster decides
            continue
        except sqlite3.DatabaseError as error:
            raise _broken(path, home, str(error)) from error
        if revisions > 1:
            raise _broken(path, home, "two processes created it at once")


def _broken(path: Path, home: Path, reason: str) -> OlistError:
    return OlistError(f"{path} is broken ({reason}): delete the folder {home}; it has the history of runs, no tables")


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
