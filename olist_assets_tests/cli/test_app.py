"""Mistakes, settings and help: the same for all commands."""

import pytest

COMMANDS = ["generate", "deliver", "replay", "run", "status", "rebuild", "ui", "sql", "register", "report"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("run", "--day", "2018-13-01"), 2, "'2018-13-01' is not a date; write it as 2018-05-10"),
        (("run", "--day", "2015-01-01"), 1, "2015-01-01 is not a landing date: the landing dates are 2016-01-01 to "),
        (("run", "--from", "2018-05-10"), 2, "--from and --to go together"),
        (("run", "--from", "2018-05-10", "--to", "2018-05-09"), 2, "--from 2018-05-10 is after --to 2018-05-09"),
        (("run", "--day", "2018-05-10", "--to", "2018-05-11"), 2, "--day goes without --from and --to"),
        (("run", "--day", "2018-05-10", "--select", "trusted/order"), 1, "did you mean trusted/orders"),
        (("run", "--engine", "flink"), 2, "flink"),
        (("run",), 1, "no deliveries: the folder "),
        (("deliver", "nowhere"), 1, "no dump: nowhere is neither a folder nor a file"),
        (("generate", "--orders", "0", "dump"), 2, "--orders"),
        (("status",), 1, "there is no lake at "),
        (("sql",), 2, "give a statement, a file with one, or one on standard input"),
        (("sql", "select 1", "-f", "-"), 2, "give a statement or a file with one, not both"),
        (("sql", "-f", "nowhere.sql"), 2, "there is no file nowhere.sql"),
        (("sql", "select 1", "--format", "xml"), 2, "xml"),
        (("sql", "select 1", "-p", "state"), 2, "-p state: write it as name=value"),
        (("sql", "select $a", "-p", "a=1", "-p", "a=2"), 2, "-p gives a name twice"),
        (("sql", "select 1", "--as-of", "yesterday"), 2, "'yesterday' is not a time; write it as 2018-05-10 or "),
        (("sql", "select 1"), 1, "there is no lake at "),
        (("frobnicate",), 2, "frobnicate"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(olist, arguments, code, message):
    error = olist(*arguments, fails=code)
    assert message in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "command", [("run",), ("deliver", "dump"), ("replay", "dump"), ("status",), ("sql", "select 1"), ("report",)]
)
def test_every_command_that_reads_settings_names_one_that_is_not_accepted(olist, command):
    (olist.root / "dump").mkdir()
    message = "error: OLIST_ENGINE=flink: takes sail or spark or emr or emr-serverless\n"
    assert olist(*command, fails=1, OLIST_ENGINE="flink") == message


def test_a_lake_that_is_a_file_is_an_error_before_anything_runs(olist):
    (olist.root / "source").mkdir()
    (olist.root / "lake").write_text("")
    error = olist("run", "--day", "2018-05-10", fails=1)
    assert error == f"error: {olist.root}/lake is a file; a folder is needed\n"


def test_a_process_ends_with_one_line_and_the_exit_code_and_debug_shows_the_traceback(olist):
    message = f"error: there is no lake at {olist.root}/lake"
    process = olist.start("status")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, "")
    assert errors.startswith(message)
    assert errors.count("\n") == 1
    process = olist.start("status", "--debug")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, "")
    assert errors.startswith("Traceback (most recent call last):")
    assert f"Error: there is no lake at {olist.root}/lake" in errors


def test_an_unexpected_error_is_one_line_without_its_bucket(olist, monkeypatch):
    def fail(*_):
        raise RuntimeError("s3://shop-lake/raw is odd\nand more")

    (olist.root / "lake").mkdir()
    monkeypatch.setattr("olist_assets.lake.storage.require_lake", lambda _: None)
    monkeypatch.setattr("olist_assets.operations.status.look_at", fail)
    assert olist("status", fails=1) == "error: RuntimeError: s3://…/raw is odd; see more with --debug\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(olist, command):
    text = olist(command, "--help")
    assert "Example" in text
    assert f"olist {command}" in text


def test_help_lists_every_command(olist):
    text = olist("--help")
    assert [word for word in COMMANDS if f"│ {word} " not in text] == []
