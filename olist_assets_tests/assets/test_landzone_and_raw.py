"""From the source through the landing zone to raw: no row is lost or duplicated, even after a crash."""

import json
import re
from hashlib import sha256

import dagster as dg
import deltalake
import pytest

from olist_assets.engines.local.sail import SailEngine

SELLERS = "seller_id,seller_zip_code_prefix,seller_city,seller_state\n"
ONE = f"{SELLERS}s1,1001,sao paulo,SP\n"
TWO = f"{SELLERS}s2,20001,rio de janeiro,RJ\n"
NAME = "olist_sellers_dataset_20180510T030000Z.csv"
ASSETS = ("landzone/sellers", "raw/sellers")


def _id(content: str) -> str:
    return sha256(content.encode()).hexdigest()[:16]


def _raw(sail_lake) -> list[tuple]:
    rows = deltalake.DeltaTable(str(sail_lake.root / "raw/sellers")).to_pyarrow_table().to_pylist()
    return sorted((str(r["_landing_date"]), r["_file_name"], r["seller_id"]) for r in rows)


def _raw_version(sail_lake) -> int:
    return deltalake.DeltaTable(str(sail_lake.root / "raw/sellers")).version()


def test_a_delivered_file_lands_under_its_content_and_is_archived_once_raw_holds_it(sail_lake):
    sail_lake.deliver("2018-05-10", NAME, ONE)
    assert sail_lake.materialize("landzone/sellers", day="2018-05-10").success
    [landed] = sail_lake.objects("landzone")
    name = "landzone/sellers/2018-05-10/olist_sellers_dataset_20180510T030000Z"
    assert re.fullmatch(rf"{name}\.\d{{8}}T\d{{12}}Z\.{_id(ONE)}\.csv", landed)

    assert sail_lake.materialize("raw/sellers", day="2018-05-10").success
    assert sail_lake.objects("landzone") == []
    assert sail_lake.objects("archive") == [landed.replace("landzone/", "archive/")]
    assert _raw(sail_lake) == [("2018-05-10", NAME, "s1")]


def test_landed_files_are_deleted_if_the_setting_says_so(sail_lake):
    sail_lake.after_raw = "delete"
    sail_lake.deliver("2018-05-10", NAME, ONE)
    assert sail_lake.materialize(*ASSETS, day="2018-05-10").success
    assert sail_lake.objects("landzone") == []
    assert sail_lake.objects("archive") == []
    assert _raw(sail_lake) == [("2018-05-10", NAME, "s1")]


def test_the_manifest_contains_file_id_bytes_and_times(sail_lake):
    sail_lake.deliver("2018-05-10", NAME, ONE)
    run = sail_lake.materialize("landzone/sellers", day="2018-05-10")
    [materialization] = run.asset_materializations_for_node("landzone__sellers")
    [row] = materialization.metadata["manifest"].records
    assert row.data | {"landed_at": ""} == {
        "file_name": NAME,
        "file_id": _id(ONE),
        "landing_date": "2018-05-10",
        "bytes": len(ONE),
        "extracted_at": "2018-05-10 03:00:00+00:00",
        "landed_at": "",
    }
    assert materialization.metadata["files"].value == 1


def test_the_same_file_sent_twice_under_two_names_is_one_set_of_rows(sail_lake):
    sail_lake.deliver("2018-05-10", NAME, ONE)
    sail_lake.deliver("2018-05-10", "olist_sellers_dataset_again_20180510T040000Z.csv", ONE)
    assert sail_lake.materialize(*ASSETS, day="2018-05-10").success
    assert [seller for _, _, seller in _raw(sail_lake)] == ["s1"]


def test_loading_a_day_again_and_loading_an_empty_landzone_append_nothing(sail_lake):
    sail_lake.deliver("2018-05-10", NAME, ONE)
    sail_lake.materialize(*ASSETS, day="2018-05-10")
    assert sail_lake.materialize(*ASSETS, day="2018-05-10").success
    assert sail_lake.objects("landzone") == []
    assert sail_lake.materialize("raw/sellers", day="2018-05-10").success
    assert _raw(sail_lake) == [("2018-05-10", NAME, "s1")]
    assert _raw_version(sail_lake) == 1


def test_a_crash_between_the_commit_of_raw_and_the_clean_up_duplicates_no_row(sail_lake, monkeypatch):
    sail_lake.deliver("2018-05-10", NAME, ONE)
    with monkeypatch.context() as crash:
        crash.setattr("olist_assets.lake.landzone.Landzone.remove", lambda *_: 1 / 0)
        assert not sail_lake.materialize(*ASSETS, day="2018-05-10", raise_on_error=False).success
    assert len(sail_lake.objects("landzone")) == 1
    assert sail_lake.materialize("raw/sellers", day="2018-05-10").success
    assert sail_lake.objects("landzone") == []
    assert _raw(sail_lake) == [("2018-05-10", NAME, "s1")]


def test_a_file_that_arrives_while_raw_is_running_stays_in_the_landzone(sail_lake):
    class Meanwhile(SailEngine):
        def run(self, context, request):
            result = super().run(context, request)
            late = sail_lake.root / "landzone/sellers/2018-05-10" / f"olist_sellers_dataset.{_id(TWO)}.csv"
            late.write_text(TWO)
            return result

    sail_lake.deliver("2018-05-10", NAME, ONE)
    sail_lake.engine = Meanwhile()
    assert sail_lake.materialize(*ASSETS, day="2018-05-10").success
    assert sail_lake.objects("landzone") == [f"landzone/sellers/2018-05-10/olist_sellers_dataset.{_id(TWO)}.csv"]

    sail_lake.engine = SailEngine()
    assert sail_lake.materialize("raw/sellers", day="2018-05-10").success
    assert sorted(seller for _, _, seller in _raw(sail_lake)) == ["s1", "s2"]


def test_only_the_days_of_the_run_are_landed_and_appended(sail_lake):
    for day, seller in (("09", "a"), ("10", "b"), ("11", "c"), ("12", "d")):
        sail_lake.deliver(f"2018-05-{day}", "olist_sellers_dataset.csv", f"{SELLERS}{seller},1,x,SP\n")
    assert sail_lake.materialize(*ASSETS, day="2018-05-10", to="2018-05-11").success
    assert [(day, seller) for day, _, seller in _raw(sail_lake)] == [("2018-05-10", "b"), ("2018-05-11", "c")]


def test_a_day_without_a_delivery_succeeds_and_says_so(sail_lake):
    run = sail_lake.materialize(*ASSETS, day="2018-05-10")
    assert run.success
    landed = sail_lake.partition_metadata("landzone/sellers", "2018-05-10")["2018-05-10"]
    assert (landed["files"], landed["note"]) == (0, "no files: nothing was delivered")
    appended = sail_lake.partition_metadata("raw/sellers", "2018-05-10")["2018-05-10"]
    assert (appended["rows_read"], appended["note"]) == (0, "no rows: nothing new landed")
    assert _raw(sail_lake) == []


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"seller_id,seller_city,seller_state\ns1,x,SP\n", "lacks the column seller_zip_code_prefix"),
        (ONE.encode() + b"s\xff,1,x,SP\n", "is not UTF-8"),
        (b"", "is empty: it has no header"),
    ],
)
def test_an_unreadable_file_fails_its_table_and_stays_while_other_tables_are_loaded(sail_lake, content, error):
    sail_lake.deliver("2018-05-10", NAME, content)
    sail_lake.deliver(
        "2018-05-10",
        "product_category_name_translation.csv",
        "product_category_name,product_category_name_english\nartes,art\n",
    )
    translation = "product_category_translation"
    keys = [f"{layer}/{table}" for table in ("sellers", translation) for layer in ("landzone", "raw", "trusted")]
    run = sail_lake.materialize(*keys, day="2018-05-10", raise_on_error=False)
    assert not run.success
    [failure] = [e for e in run.all_events if e.is_step_failure]
    assert failure.step_key == "raw__sellers"
    description = failure.step_failure_data.user_failure_data.description
    assert description.startswith(f"raw/sellers: {NAME} of 2018-05-10 {error}")
    assert "\n" not in description
    assert len(sail_lake.objects("landzone")) == 1
    assert not run.asset_materializations_for_node("trusted__sellers")
    assert run.asset_materializations_for_node(f"trusted__{translation}")

    [path] = [p for p in sail_lake.objects("control") if p.endswith("raw.sellers.json")]
    record = json.loads((sail_lake.root / path).read_text())
    assert (record["status"], record["error"]) == ("failed", description)


def test_a_corrected_file_is_loaded(sail_lake):
    sail_lake.deliver("2018-05-10", NAME, "seller_id\ns1\n")
    assert not sail_lake.materialize(*ASSETS, day="2018-05-10", raise_on_error=False).success
    (sail_lake.root / sail_lake.objects("landzone")[0]).unlink()
    sail_lake.deliver("2018-05-10", NAME, ONE)
    assert sail_lake.materialize(*ASSETS, day="2018-05-10").success
    assert _raw(sail_lake) == [("2018-05-10", NAME, "s1")]


DAYS = ("2018-05-10", "2018-05-11", "2018-05-12")


def _range_over_an_empty_day(sail_lake) -> dg.ExecuteInProcessResult:
    """Two sellers on the first day, none on the second, one on the third, landed and loaded in one run."""
    sail_lake.deliver(DAYS[0], NAME, ONE + TWO.removeprefix(SELLERS))
    sail_lake.deliver(DAYS[2], NAME, ONE)
    return sail_lake.materialize(*ASSETS, day=DAYS[0], to=DAYS[2])


def test_files_are_reported_per_landing_date_of_a_range(sail_lake):
    _range_over_an_empty_day(sail_lake)
    reported = sail_lake.partition_metadata("landzone/sellers", *DAYS)
    manifests = {day: metadata.pop("manifest") for day, metadata in reported.items() if "manifest" in metadata}
    both = len(ONE + TWO.removeprefix(SELLERS))
    whole = {"window": "2018-05-10 to 2018-05-12", "files": 2, "bytes": both + len(ONE)}
    assert reported == {
        "2018-05-10": {"files": 1, "bytes": both, "range": whole},
        "2018-05-11": {"files": 0, "bytes": 0, "note": "no files: nothing was delivered", "range": whole},
        "2018-05-12": {"files": 1, "bytes": len(ONE), "range": whole},
    }
    assert {day: [row.data["landing_date"] for row in manifest.records] for day, manifest in manifests.items()} == {
        "2018-05-10": ["2018-05-10"],
        "2018-05-12": ["2018-05-12"],
    }


def test_raw_rows_are_reported_per_landing_date_of_a_range(sail_lake):
    assert _range_over_an_empty_day(sail_lake).success
    reported = sail_lake.partition_metadata("raw/sellers", *DAYS)
    for metadata in reported.values():
        whole = metadata.pop("range")
        assert (whole["window"], whole["rows_inserted"]) == ("2018-05-10 to 2018-05-12", 3)
    table = {"dagster/uri": str(sail_lake.root / "raw/sellers"), "delta_version": 1}
    empty = {"rows_read": 0, "rows_inserted": 0, "note": "no rows: nothing new landed"}
    assert reported == {
        "2018-05-10": table | {"rows_read": 2, "rows_inserted": 2, "dagster/partition_row_count": 2},
        "2018-05-11": table | empty | {"dagster/partition_row_count": 0},
        "2018-05-12": table | {"rows_read": 1, "rows_inserted": 1, "dagster/partition_row_count": 1},
    }
    sail_lake.materialize("raw/sellers", day=DAYS[0], to=DAYS[2])
    again = sail_lake.partition_metadata("raw/sellers", *DAYS)
    counts = {day: metadata["dagster/partition_row_count"] for day, metadata in again.items()}
    assert counts == {"2018-05-10": 2, "2018-05-11": 0, "2018-05-12": 1}
    assert {metadata["rows_inserted"] for metadata in again.values()} == {0}


def test_a_single_day_has_its_own_figures_and_those_of_its_run_side_by_side(sail_lake):
    sail_lake.deliver(DAYS[0], NAME, ONE)
    sail_lake.materialize(*ASSETS, day=DAYS[0])
    reported = sail_lake.partition_metadata("raw/sellers", DAYS[0])[DAYS[0]]
    assert reported.pop("seconds") > 0
    assert reported.pop("bytes_added") > 0
    assert reported == {
        "dagster/uri": str(sail_lake.root / "raw/sellers"),
        "delta_version": 1,
        "window": "2018-05-10",
        "rows_read": 1,
        "rows_inserted": 1,
        "files_added": 1,
        "dagster/partition_row_count": 1,
    }
