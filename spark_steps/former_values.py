"""Former values: what the tracked columns of a trusted row contained before a correction.

A correction may move a row from one key of a refined table to another, for example a customer to another person. The
old key is then affected too, but the trusted row no longer has it. So a trusted step keeps the values that it replaces,
in a small Delta table in the folder of the trusted table. Few rows are ever corrected, so the table stays small.
"""

from contextlib import suppress

import deltalake
import deltalake.exceptions
import pyarrow as pa

from spark_steps.declarations import TableSpec
from spark_steps.delta_log import OpenTable
from spark_steps.protocol import StepError, TableHandle

_FOLDER = "_former"
"""Delta ignores names that begin with an underscore, so it belongs to no version of the trusted table."""

_MAX_FILES = 16


def columns(table: TableSpec) -> tuple[str, ...]:
    """The columns of a table's former values: its key and its tracked columns, all of them texts."""
    return (*table.key, *table.tracked)


def uri(handle: TableHandle) -> str:
    """The path or URI of the former values of a trusted table."""
    return f"{handle.uri}/{_FOLDER}"


def relation(handle: TableHandle) -> str:
    """SQL of the former values of a trusted table; without any, an empty literal relation.

    Raises:
        StepError: they cannot be read.
    """
    log = _open(handle)
    names = columns(handle.declaration)
    if log is None:
        return f"SELECT {', '.join(f'CAST(NULL AS STRING) AS {name}' for name in names)} WHERE false"
    return f"SELECT {', '.join(names)} FROM delta.`{uri(handle)}` VERSION AS OF {log.version()}"


def keep(rows: pa.Table, table: OpenTable) -> None:
    """Add former values, before the commit that replaces them. A repeated step adds some of them twice.

    Args:
        rows: the key and the former values of the tracked columns, in the order of `columns`.
        table: the trusted table.

    Raises:
        StepError: earlier ones cannot be read.
    """
    log = _open(table.handle)
    types = pa.schema([pa.field(name, pa.string()) for name in columns(table.declaration)])
    table.before_commit()
    deltalake.write_deltalake(log or uri(table.handle), rows.cast(types), mode="append")
    if log and len(log.file_uris()) > _MAX_FILES:
        with suppress(deltalake.exceptions.DeltaError):  # the next correction tries again
            table.before_commit()
            log.optimize.compact()


def _open(handle: TableHandle) -> deltalake.DeltaTable | None:
    try:
        return deltalake.DeltaTable(uri(handle))
    except deltalake.exceptions.TableNotFoundError:
        return None
    except deltalake.exceptions.DeltaError as error:
        reason = str(error).splitlines()[0]
        raise StepError(
            f"{handle.id}: its former values are unreadable ({reason}): `olist rebuild {handle.id}` recomputes it"
        ) from error
