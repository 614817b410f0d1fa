"""Files that are replaced, grow, or cannot be read while they are landed; and files whose end is missing."""

import os
from datetime import UTC, datetime

import pytest
from obstore.exceptions import GenericError

from olist_assets.lake.files import DeliveredFile

PAYMENTS = "order_id,payment_sequential,payment_type,payment_installments,payment_value\n"
NAME = "olist_order_payments_dataset_20180510T030000Z.csv"
ASSETS = tuple(f"{layer}/order_payments" for layer in ("landzone", "raw", "trusted"))
DAY = "2018-05-10"


def _deliver(lake, content, *, minute, name=NAME):
    """Write a file of the delivery, as it was at a minute."""
    lake.deliver(DAY, name, PAYMENTS + content)
    time = datetime(2018, 5, 10, 4, minute, tzinfo=UTC).timestamp()
    os.utime(lake.source / DAY / name, (time, time))


def _values(lake):
    return {row["order_id"]: row["payment_value"] for row in lake.read("trusted/order_payments")}


def _landed(run) -> dict:
    [materialization] = run.asset_materializations_for_node("landzone__order_payments")
    return {name: value.value for name, value in materialization.metadata.items()}


@pytest.mark.parametrize(("first", "second"), [("12", "1299.90"), ("1299.90", "12.00"), ("1.00", "2.00")])
def test_a_file_that_replaces_a_half_uploaded_one_of_its_name_wins(sail_lake, first, second):
    _deliver(sail_lake, f"o2,1,boleto,1,{first}", minute=0)
    sail_lake.materialize(*ASSETS, day=DAY)
    _deliver(sail_lake, f"o2,1,boleto,1,{second}\n", minute=1)
    sail_lake.materialize(*ASSETS, day=DAY)
    assert _values(sail_lake) == {"o2": second}


def test_a_file_that_gets_its_earlier_content_back_wins_again(sail_lake):
    for minute, value in enumerate(("10.00", "20.00", "10.00", "10.00")):
        _deliver(sail_lake, f"o1,1,boleto,1,{value}\n", minute=minute)
        sail_lake.materialize(*ASSETS, day=DAY)
        assert _values(sail_lake) == {"o1": value}
    # The last delivery changed only the time: raw appends nothing.
    assert [row["payment_value"] for row in sail_lake.read("raw/order_payments")].count("10.00") == 2


def test_a_bad_file_that_is_replaced_in_its_delivery_blocks_nothing(sail_lake):
    sail_lake.deliver(DAY, NAME, "order_id\no1\n")
    assert not sail_lake.materialize(*ASSETS, day=DAY, raise_on_error=False).success
    _deliver(sail_lake, "o1,1,boleto,1,5.00\n", minute=1)
    sail_lake.materialize(*ASSETS, day=DAY)
    assert _values(sail_lake) == {"o1": "5.00"}
    assert sail_lake.objects("landzone") == []
    [replaced] = sail_lake.objects("replaced")
    assert replaced.startswith("replaced/order_payments/2018-05-10/olist_order_payments_dataset_20180510T030000Z.")


def test_a_last_line_without_a_line_end_is_a_warning(sail_lake):
    _deliver(sail_lake, "o1,1,boleto,1,12", minute=0)
    _deliver(sail_lake, "o2,1,boleto,1,12\n", minute=0, name="olist_order_payments_dataset_2.csv")
    run = sail_lake.materialize("landzone/order_payments", day=DAY)
    [check] = run.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.metadata["failed_rows"].value) == ("last_lines_complete", False, 1)
    assert _landed(run)["notices"] == [
        f"warning: 2018-05-10/{NAME}: its last line has no line end; the file may be incomplete"
    ]


def test_a_file_that_grows_while_it_is_landed_waits_and_the_others_land(sail_lake, monkeypatch):
    _deliver(sail_lake, "o1,1,boleto,1,12.00\n", minute=0)
    _deliver(sail_lake, "o2,1,boleto,1,7.00\n", minute=0, name="olist_order_payments_dataset_2.csv")
    read_chunks = DeliveredFile.chunks

    def grow(file):
        yield from read_chunks(file)
        if file.name == NAME:
            with (sail_lake.source / file.path).open("a") as growing:
                growing.write("o3,1,boleto,1,9.00\n")

    with monkeypatch.context() as writing:
        writing.setattr(DeliveredFile, "chunks", grow)
        run = sail_lake.materialize(*ASSETS, day=DAY)
    assert _landed(run)["notices"] == [f"due later: 2018-05-10/{NAME}: still being written"]
    assert _landed(run)["incomplete_days"] == [DAY]
    assert _values(sail_lake) == {"o2": "7.00"}
    assert not [path for path in sail_lake.objects("") if NAME.removesuffix(".csv") in path]

    sail_lake.materialize(*ASSETS, day=DAY)
    assert _values(sail_lake) == {"o1": "12.00", "o2": "7.00", "o3": "9.00"}


def test_a_file_without_permission_waits_and_the_others_land(sail_lake, monkeypatch):
    _deliver(sail_lake, "o1,1,boleto,1,12.00\n", minute=0)
    _deliver(sail_lake, "o2,1,boleto,1,7.00\n", minute=0, name="olist_order_payments_dataset_2.csv")
    read_chunks = DeliveredFile.chunks

    def refuse(file):
        if file.name == NAME:
            raise GenericError("Unable to open file: Permission denied (os error 13)\n\nDebug source: ...")
        return read_chunks(file)

    monkeypatch.setattr(DeliveredFile, "chunks", refuse)
    run = sail_lake.materialize(*ASSETS, day=DAY)
    assert _landed(run)["notices"] == [f"due later: 2018-05-10/{NAME}: cannot be read: Permission denied"]
    assert _values(sail_lake) == {"o2": "7.00"}


def test_notices_of_a_day_are_metadata_of_its_landing_zone(sail_lake):
    _deliver(sail_lake, "o1,1,boleto,1,12.00\n", minute=0)
    sail_lake.deliver(DAY, "notes.txt", "x")
    future = "olist_sellers_dataset_99991231T235959Z.csv"
    sail_lake.deliver(DAY, future, "x")
    sail_lake.deliver("2018-05-11", "other.txt", "x")
    run = sail_lake.materialize("landzone/order_payments", day=DAY)
    # The file of sellers is reported by the asset of sellers.
    assert _landed(run)["notices"] == ["ignored: 2018-05-10/notes.txt: no file name of a table"]
    run = sail_lake.materialize("landzone/sellers", day=DAY)
    [materialization] = run.asset_materializations_for_node("landzone__sellers")
    assert materialization.metadata["notices"].value == [
        f"due later: 2018-05-10/{future}: its extraction time, 9999-12-31 23:59:59 UTC, is in the future",
        "ignored: 2018-05-10/notes.txt: no file name of a table",
    ]


def test_an_error_names_the_delivered_file(sail_lake):
    sail_lake.deliver(DAY, "olist_order_payments_dataset.csv", "order_id\no1\n")
    sail_lake.materialize(*ASSETS, day=DAY, raise_on_error=False)
    record = sail_lake.lake.step_records.newest({"raw/order_payments"})["raw/order_payments"]
    assert record.error.startswith(
        "raw/order_payments: olist_order_payments_dataset.csv of 2018-05-10 lacks the column "
    )
