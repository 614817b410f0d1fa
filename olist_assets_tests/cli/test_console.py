"""Output of the commands: control characters, encodings, streams that fail; and the dates in options."""

import os
import pty
import subprocess
import sys
from datetime import UTC, date, datetime
from io import BytesIO, TextIOWrapper

import pytest
import typer

from olist_assets.cli import console

HOSTILE = "\x1b]0;title\x07\x1b[31mred\x9b2J\u202eevil\u2066\x7f"
VISIBLE = r"\x1b]0;title\x07\x1b[31mred\x9b2J\u202eevil\u2066\x7f"
HOSTILE_SQL = (
    "select chr(27) || ']0;title' || chr(7) || chr(27) || '[31mred' || chr(155) || '2J' || chr(8238) || 'evil'"
)


def deliver_sellers(olist, header: str = "seller_id,seller_zip_code_prefix,seller_city,seller_state") -> None:
    day = olist.root / "source/2018-05-10"
    day.mkdir(parents=True)
    (day / "olist_sellers_dataset.csv").write_text(f"{header}\ns1,1001,sao paulo,SP\n")


SELLERS = ("run", "--select", "landzone/sellers", "--select", "raw/sellers")


# --- Control characters --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (HOSTILE, VISIBLE),
        ("two\r\nlines\tand a tab", "two\nlines\tand a tab"),
        ("over\rwritten", r"over\rwritten"),
        ("São Paulo 👩‍💻 ✓", "São Paulo 👩‍💻 ✓"),  # joiners of emoji remain
        ("\ufeffmark\u200b\udcff", r"\ufeffmark\u200b\udcff"),
    ],
)
def test_control_characters_are_visible(text, shown):
    assert console.escape_controls(text) == shown


def test_values_in_a_table_reach_the_terminal_as_visible_text(loaded):
    shown = VISIBLE.partition(r"\u2066")[0]
    assert shown in loaded("sql", HOSTILE_SQL)
    assert HOSTILE.partition("\u2066")[0] in loaded("sql", HOSTILE_SQL, "--format", "csv")


def test_a_header_name_in_an_error_is_visible_text(olist):
    deliver_sellers(olist, "seller_id\x1b[2J,seller_zip_code_prefix,seller_city,seller_state")
    error = olist(*SELLERS, fails=1)
    assert "\x1b" not in error
    assert "lacks the column seller_id" in error
    assert "\x1b" not in olist("status")


def test_an_error_is_one_line_whatever_is_in_it(olist):
    assert olist("sql", "-f", "no\x1b[31m\nfile\x85[red]", fails=2) == (
        "error: Invalid value: there is no file no\\x1b[31m\\nfile\\x85[red]; see --help\n"
    )


def test_colons_in_data_are_not_emoji(loaded):
    assert ":red_heart:" in loaded("sql", "select ':red_heart:' as x")


def test_on_a_terminal_styles_remain_and_csv_is_visible_text_too(loaded):
    def read_terminal(*arguments: str) -> str:
        terminal, slave = pty.openpty()
        process = loaded.start(*arguments, stdout=slave, TERM="xterm")
        os.close(slave)
        process.communicate(timeout=60)
        text = os.read(terminal, 65536).decode()
        os.close(terminal)
        assert process.returncode == 0
        return text

    table = read_terminal("sql", HOSTILE_SQL)
    assert r"\x1b]0;title\x07\x1b[31mred\x9b2J\u202eevil" in table
    assert "\x1b[2m(\x1b[0m" in table or "\x1b[2m(1 row)" in table
    assert "\x1b]" not in table
    assert r"\x1b]0;title\x07" in read_terminal("sql", HOSTILE_SQL, "--format", "csv")


# --- Encodings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_character_that_the_encoding_lacks_has_a_stand_in(encoding, monkeypatch):
    written = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(written, encoding=encoding))
    with console.guard_streams():
        console.out.print("✓ ✗ … │ ⏎ 日")
    assert written.getvalue() == b"+ x ... |   \\u65e5\n"


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_help_needs_no_utf_8(olist, environment):
    process = olist.start("run", "--help", **environment)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "--day ..." in output


def test_results_for_programs_are_utf_8_in_every_locale(loaded):
    process = loaded.start("sql", "--format", "csv", PYTHONIOENCODING="latin-1")
    output, errors = process.communicate("select 'São ✓' as x", timeout=60)
    assert (process.returncode, output, errors) == (0, "x\nSão ✓\n", "")


def test_a_statement_in_a_file_that_is_not_utf_8_is_an_error(loaded, tmp_path):
    (tmp_path / "q.sql").write_bytes("select 'São'".encode("latin-1"))
    assert f"{tmp_path}/q.sql is not UTF-8" in loaded("sql", "-f", f"{tmp_path}/q.sql", fails=2)


# --- Streams that fail ---------------------------------------------------------------------------------------------


def run_in_shell(olist, command: str) -> tuple[int, str]:
    """The exit code and standard error of a command line, in which `olist` is the program."""
    line = command.replace("olist", f"{sys.executable} -m olist_assets")
    done = subprocess.run(["/bin/sh", "-c", line], env=olist.environment(), capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_a_run_completes_on_a_full_disk_and_with_closed_streams(olist):
    deliver_sellers(olist)
    assert run_in_shell(olist, f"olist {' '.join(SELLERS)} > /dev/full <&- 2>&-") == (0, "")
    assert olist.sql("select seller_id from raw.sellers") == [{"seller_id": "s1"}]
    assert run_in_shell(olist, "olist generate --orders 3 $DAGSTER_HOME/dump > /dev/full") == (
        0,
        "note: output was lost: No space left on device\n",
    )
    assert run_in_shell(olist, "olist --help >&-") == (0, "")


@pytest.mark.parametrize("format_", ["table", "csv", "parquet"])
def test_a_result_that_cannot_be_written_is_an_error(loaded, format_):
    error = "error: the result cannot be written: No space left on device\n"
    assert run_in_shell(loaded, f"olist sql 'select 1' --format {format_} > /dev/full") == (1, error)


# --- Options -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["2018-W01-1", "20180510", "2018-5-10", "2018-13-01", "٢018-05-10", "2018-05-10T00:00"]
)
def test_a_day_is_written_in_one_way(text):
    assert console.parse_day("2018-05-10") == date(2018, 5, 10)
    with pytest.raises(typer.BadParameter, match="is not a date; write it as 2018-05-10"):
        console.parse_day(text)


@pytest.mark.parametrize(
    "text", ["2018-W01-1", "20180510", "20180510T1200", "2018-05-10T12", "2018-05-10T25:00", "now"]
)
def test_a_time_is_written_in_one_way(text):
    assert console.parse_time("2018-05-10 12:00:01.5Z") == datetime(2018, 5, 10, 12, 0, 1, 500_000, UTC)
    with pytest.raises(typer.BadParameter, match="is not a time; write it as 2018-05-10 or 2018-05-10T12:00"):
        console.parse_time(text)
