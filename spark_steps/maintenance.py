"""Maintenance of Delta tables: what keeps them fast to read after many small commits. It changes no content.

A step maintains the tables that it has committed to, under the same lease. Compaction is a commit of its own, in which
no data change; the commit before it stays readable.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
from deltalake import PostCommitHookProperties

from spark_steps.delta_log import KEEP_LOG, OpenTable, Table, data_files, open_table
from spark_steps.filesystems import resolve
from spark_steps.protocol import TableHandle

MIN_FILES = 16
"""How many small files a partition has before they are compacted."""

MAX_FILES = 48
"""A table with more files than these compacts the partition with the most files earlier."""

MIN_FILES_OF_MANY = 4
"""How many small files that partition has then. Otherwise a month that no longer grows would stay in up to 16 files."""

CHECKPOINT_INTERVAL = 10
"""The number of commits after which a table gets a checkpoint. A reader reads the commits since the newest one."""

_MAX_BYTES = 128 << 20
"""The greatest size of the files that one compaction replaces, in total."""

_NO_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


def maintain(table: Table) -> None:
    """Compact the partitions of a table that have too many small files, and write a checkpoint if one is due.

    A table with a writer feature, such as deletion vectors, belongs to another engine too and is not compacted.

    Raises:
        DeltaError: the table cannot be read or written, or another writer has changed it meanwhile.
        OSError: its storage cannot be read.
    """
    opened = open_table(table)
    log = opened.log
    if not log.protocol().writer_features:
        for partition, target_bytes in _due_compactions(opened):
            opened.before_commit()
            log.optimize.compact(
                partition_filters=partition,
                target_size=target_bytes + 1,  # larger files are left out, and the others fit into one
                post_commithook_properties=_NO_HOOKS,
            )
    if opened.version - _newest_checkpoint(opened.handle) >= CHECKPOINT_INTERVAL:
        if not KEEP_LOG.items() <= log.metadata().configuration.items():  # an earlier release created the table
            opened.before_commit()
            log.alter.set_table_properties(KEEP_LOG)
        log.create_checkpoint()


def bytes_to_compact(sizes: Iterable[int], min_files: int = MIN_FILES) -> int | None:
    """The total size of a partition's files to be made one file; None if no compaction is due.

    These are the smallest files, up to the first one that is larger than all smaller ones together. There are at least
    `min_files`, and even the largest of them is not larger than the others together. So each time a row is rewritten,
    its file has at least doubled: n daily commits rewrite a row about log2(n) times, and leave about log2(n) files
    beside the newest `min_files`.

    Args:
        sizes: the sizes of the partition's files, in bytes.
        min_files: how many small files there are at least.
    """
    total = 0
    ascending = sorted(sizes)
    for count, size in enumerate(ascending, start=1):
        is_dominant = size > total
        total += size
        if total > _MAX_BYTES:
            return None
        if count >= min_files and not is_dominant and (count == len(ascending) or ascending[count] > total):
            return total
    return None


def _due_compactions(table: OpenTable) -> Iterator[tuple[list[tuple[str, str, Any]] | None, int]]:
    """The partitions to compact, as filters of delta-rs, each with the total size of the files to replace."""
    files, column = data_files(table.within(None).handle, table.log), table.declaration.partition
    sizes: dict[Any, list[int]] = {}
    values = files.column(f"partition.{column}") if column and files.num_rows else pa.nulls(files.num_rows)
    for value, size in zip(values.to_pylist(), files.column("size_bytes").to_pylist(), strict=True):
        sizes.setdefault(value, []).append(size)
    fullest = max(sizes.values(), key=len) if files.num_rows > MAX_FILES else None
    for value, partition_sizes in sizes.items():
        target_bytes = bytes_to_compact(partition_sizes, MIN_FILES_OF_MANY if partition_sizes is fullest else MIN_FILES)
        if target_bytes is not None and (column is None or value is not None):
            yield [(column, "=", str(value))] if column else None, target_bytes


def _newest_checkpoint(handle: TableHandle) -> int:
    """The version of the table's newest checkpoint; 0 if there is none, or if its pointer is damaged."""
    filesystem, path = resolve(f"{handle.uri}/_delta_log/_last_checkpoint")
    try:
        with filesystem.open_input_stream(path) as stream:
            return int(json.loads(stream.read())["version"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return 0
