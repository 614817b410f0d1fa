"""Ways in which a Delta table breaks on a disk, as functions of its folder."""

import json
import shutil
from pathlib import Path

import deltalake


def newest_commit(table: Path) -> Path:
    """The file of the newest commit."""
    return max((table / "_delta_log").glob("*.json"))


def data_file(table: Path) -> Path:
    """One of the data files."""
    return min(table.rglob("*.parquet"))


def truncate_newest_commit(table: Path) -> None:
    """Cut the newest commit in half."""
    commit = newest_commit(table)
    commit.write_bytes(commit.read_bytes()[: commit.stat().st_size // 2])


def empty_newest_commit(table: Path) -> None:
    """Remove the content of the newest commit."""
    newest_commit(table).write_bytes(b"")


def replace_newest_commit_by_binary(table: Path) -> None:
    """Write bytes that are no text into the newest commit."""
    newest_commit(table).write_bytes(bytes(range(256)))


def remove_first_commit(table: Path) -> None:
    """Remove the commit that created the table."""
    min((table / "_delta_log").glob("*.json")).unlink()


def skip_a_version(table: Path) -> None:
    """Give the newest commit the next number."""
    commit = newest_commit(table)
    commit.rename(commit.with_name(f"{int(commit.stem) + 1:020}.json"))


def require_reader_feature(table: Path, feature: str = "columnMapping") -> None:
    """Let the table need a reader feature."""
    for checksum in (table / "_delta_log").glob("*.crc"):
        checksum.unlink()
    version = int(newest_commit(table).stem) + 1
    features = {"readerFeatures": [feature], "writerFeatures": [feature]}
    protocol = {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}}
    (table / "_delta_log" / f"{version:020}.json").write_text(json.dumps(protocol))


def require_unknown_feature(table: Path) -> None:
    """Let the table need a reader feature that no library knows."""
    require_reader_feature(table, "tomorrow")


def truncate_checkpoint(table: Path) -> None:
    """Write a checkpoint, and cut it."""
    deltalake.DeltaTable(table).create_checkpoint()
    [checkpoint] = (table / "_delta_log").glob("*.checkpoint.parquet")
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])


def remove_checkpoint(table: Path) -> None:
    """Write a checkpoint, and remove it, but not the reference to it."""
    deltalake.DeltaTable(table).create_checkpoint()
    [checkpoint] = (table / "_delta_log").glob("*.checkpoint.parquet")
    checkpoint.unlink()


def put_file_in_place(table: Path) -> None:
    """Replace the table by a file."""
    shutil.rmtree(table)
    table.write_text("not a table")


def put_file_in_place_of_layer(table: Path) -> None:
    """Replace the folder of all tables of the layer by a file."""
    put_file_in_place(table.parent)


def put_file_in_place_of_log(table: Path) -> None:
    """Replace the log by a file."""
    shutil.rmtree(table / "_delta_log")
    (table / "_delta_log").write_text("not a log")


def link_log_to_itself(table: Path) -> None:
    """Replace the log by a symbolic link that has no end."""
    shutil.rmtree(table / "_delta_log")
    (table / "_delta_log").symlink_to(table / "_delta_log")


def remove_data_file(table: Path) -> None:
    """Remove a data file."""
    data_file(table).unlink()


def truncate_data_file(table: Path) -> None:
    """Cut a data file."""
    file = data_file(table)
    file.write_bytes(file.read_bytes()[:100])


def overwrite_data_file(table: Path) -> None:
    """Write zeros over a data file, which keeps its size."""
    file = data_file(table)
    file.write_bytes(bytes(file.stat().st_size))
