"""From the source over the landzone to raw: nothing lost, nothing doubled, whatever happens in between."""

import json
from hashlib import sha256

import deltalake
import pytest

from olist_assets.engines.sail import SailEngine

SELLERS = "seller_id,seller_zip_code_prefix,seller_city,seller_state\n"
ONE = f"{SELLERS}s1,1001,sao paulo,SP\n"
TWO = f"{SELLERS}s2,20001,rio de janeiro,RJ\n"
NAME = "olist_sellers_dataset_20180510T030000Z.csv"
ASSETS = "landzone/sellers raw/sellers"


def _id(content: str) -> str:
    return sha256(content.encode()).hexdigest()[:16]


def _raw(lakehouse) -> list[tuple]:
    rows = deltalake.DeltaTable(str(lakehouse.root / "lake/raw/sellers")).to_pyarrow_table().to_pylist()
    return sorted((str(r["_landing_date"]), r["_file_name"], r["seller_id"]) for r in rows)


def _raw_version(lakehouse) -> int:
    return deltalake.DeltaTable(str(lakehouse.root / "lake/raw/sellers")).version()


def test_a_delivered_file_lands_under_its_content_and_is_archived_once_raw_holds_it(lakehouse):
    lakehouse.deliver("2018-05-10", NAME, ONE)
    assert lakehouse.materialise("2018-05-10", only="landzone/sellers").success
    landed = f"sellers/2018-05-10/olist_sellers_dataset_20180510T030000Z.{_id(ONE)}.csv"
    assert lakehouse.objects("landzone") == [f"landzone/{landed}"]

    assert lakehouse.materialise("2018-05-10", only="raw/sellers").success
    assert lakehouse.objects("landzone") == []
    assert lakehouse.objects("archive") == [f"archive/{landed}"]
    assert _raw(lakehouse) == [("2018-05-10", NAME, "s1")]


def test_landed_files_are_deleted_where_the_setting_says_so(lakehouse):
    lakehouse.after_raw = "delete"
    lakehouse.deliver("2018-05-10", NAME, ONE)
    assert lakehouse.materialise("2018-05-10", only=ASSETS).success
    assert lakehouse.objects("landzone") == []
    assert lakehouse.objects("archive") == []
    assert _raw(lakehouse) == [("2018-05-10", NAME, "s1")]


def test_the_manifest_tells_file_id_bytes_and_times(lakehouse):
    lakehouse.deliver("2018-05-10", NAME, ONE)
    run = lakehouse.materialise("2018-05-10", only="landzone/sellers")
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


def test_the_same_file_sent_twice_under_two_names_is_one_object_and_one_set_of_rows(lakehouse):
    lakehouse.deliver("2018-05-10", NAME, ONE)
    lakehouse.deliver("2018-05-10", "olist_sellers_dataset_again_20180510T040000Z.csv", ONE)
    assert lakehouse.materialise("2018-05-10", only="landzone/sellers").success
    assert len(lakehouse.objects("landzone")) == 1
    assert lakehouse.materialise("2018-05-10", only="raw/sellers").success
    assert [seller for _, _, seller in _raw(lakehouse)] == ["s1"]


def test_loading_a_day_again_and_loading_an_empty_landzone_append_nothing(lakehouse):
    lakehouse.deliver("2018-05-10", NAME, ONE)
    lakehouse.materialise("2018-05-10", only=ASSETS)
    assert lakehouse.materialise("2018-05-10", only=ASSETS).success
    assert lakehouse.objects("landzone") == []
    assert lakehouse.materialise("2018-05-10", only="raw/sellers").success
    assert _raw(lakehouse) == [("2018-05-10", NAME, "s1")]
    assert _raw_version(lakehouse) == 1


def test_a_crash_between_raws_commit_and_the_clean_up_doubles_nothing(lakehouse, monkeypatch):
    lakehouse.deliver("2018-05-10", NAME, ONE)
    with monkeypatch.context() as crash:
        crash.setattr("olist_assets.lake.Lake.clear", lambda *_: 1 / 0)
        assert not lakehouse.materialise("2018-05-10", only=ASSETS).success
    assert len(lakehouse.objects("landzone")) == 1
    assert lakehouse.materialise("2018-05-10", only="raw/sellers").success
    assert lakehouse.objects("landzone") == []
    assert _raw(lakehouse) == [("2018-05-10", NAME, "s1")]


def test_a_file_that_arrives_while_raw_is_running_stays_in_the_landzone(lakehouse):
    class Meanwhile(SailEngine):
        def run(self, context, request):
            result = super().run(context, request)
            late = lakehouse.root / "lake/landzone/sellers/2018-05-10" / f"olist_sellers_dataset.{_id(TWO)}.csv"
            late.write_text(TWO)
            return result

    lakehouse.deliver("2018-05-10", NAME, ONE)
    lakehouse.engine = Meanwhile()
    assert lakehouse.materialise("2018-05-10", only=ASSETS).success
    assert lakehouse.objects("landzone") == [f"landzone/sellers/2018-05-10/olist_sellers_dataset.{_id(TWO)}.csv"]

    lakehouse.engine = SailEngine()
    assert lakehouse.materialise("2018-05-10", only="raw/sellers").success
    assert sorted(seller for _, _, seller in _raw(lakehouse)) == ["s1", "s2"]


def test_only_the_days_of_the_run_are_landed_and_appended(lakehouse):
    for day, seller in (("09", "a"), ("10", "b"), ("11", "c"), ("12", "d")):
        lakehouse.deliver(f"2018-05-{day}", "olist_sellers_dataset.csv", f"{SELLERS}{seller},1,x,SP\n")
    assert lakehouse.materialise("2018-05-10", "2018-05-11", only=ASSETS).success
    assert [(day, seller) for day, _, seller in _raw(lakehouse)] == [("2018-05-10", "b"), ("2018-05-11", "c")]


def test_a_day_without_a_delivery_succeeds_and_says_so(lakehouse):
    run = lakehouse.materialise("2018-05-10", only=ASSETS)
    assert run.success
    [landed] = run.asset_materializations_for_node("landzone__sellers")
    assert landed.metadata["files"].value == 0
    assert _raw(lakehouse) == []


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"seller_id,seller_city,seller_state\ns1,x,SP\n", "lacks the column seller_zip_code_prefix"),
        (ONE.encode() + b"s\xff,1,x,SP\n", "is not UTF-8"),
        (b"", "is empty: it has no header"),
    ],
)
def test_a_broken_file_fails_its_table_and_stays_while_others_go_on(lakehouse, content, error):
    lakehouse.deliver("2018-05-10", NAME, content)
    lakehouse.deliver(
        "2018-05-10",
        "product_category_name_translation.csv",
        "product_category_name,product_category_name_english\nartes,art\n",
    )
    translation = "product_category_translation"
    run = lakehouse.materialise(
        "2018-05-10", only=f"{ASSETS} trusted/sellers landzone/{translation} raw/{translation} trusted/{translation}"
    )
    assert not run.success
    [failure] = [e for e in run.all_events if e.is_step_failure]
    assert failure.step_key == "raw__sellers"
    description = failure.step_failure_data.user_failure_data.description
    assert description.startswith(f"raw/sellers: {NAME} of 2018-05-10 {error}")
    assert "\n" not in description
    assert len(lakehouse.objects("landzone")) == 1
    assert not run.asset_materializations_for_node("trusted__sellers")
    assert run.asset_materializations_for_node(f"trusted__{translation}")

    [path] = [p for p in lakehouse.objects("control") if p.endswith("raw.sellers.json")]
    record = json.loads((lakehouse.root / "lake" / path).read_text())
    assert (record["status"], record["error"]) == ("failed", description)


def test_a_mended_file_loads_what_the_broken_one_could_not(lakehouse):
    lakehouse.deliver("2018-05-10", NAME, "seller_id\ns1\n")
    assert not lakehouse.materialise("2018-05-10", only=ASSETS).success
    (lakehouse.root / "lake" / lakehouse.objects("landzone")[0]).unlink()
    lakehouse.deliver("2018-05-10", NAME, ONE)
    assert lakehouse.materialise("2018-05-10", only=ASSETS).success
    assert _raw(lakehouse) == [("2018-05-10", NAME, "s1")]
