"""AWS's variables and profiles, passed on to every library."""

import pytest

from olist_assets.aws.environment import configure, is_s3
from olist_assets.errors import SettingsError

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


def test_only_s3_uris_are_on_s3():
    assert [is_s3(uri) for uri in ("s3://shop/lake", "/lakes/s3", "s3a://shop/lake")] == [True, False, False]


@pytest.fixture
def profile(tmp_path, monkeypatch):
    """The environment of a user who has a profile and no other AWS variable."""
    config = tmp_path / "config"
    config.write_text("[profile shop]\nregion = sa-east-1\nendpoint_url = http://storage:7070\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    return {"AWS_PROFILE": "shop"}


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_region_is_set_under_both_names(name):
    environment = {**KEYS, name: "sa-east-1"}
    configure(environment=environment)
    assert environment == {**KEYS, "AWS_REGION": "sa-east-1", "AWS_DEFAULT_REGION": "sa-east-1"}


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_endpoint_is_set_under_both_names_and_http_is_allowed_if_the_endpoint_uses_it(name):
    environment = {**KEYS, name: "http://storage"}
    configure(environment=environment)
    both = {"AWS_ENDPOINT_URL": "http://storage", "AWS_ENDPOINT_URL_S3": "http://storage"}
    assert environment == {**KEYS, **both, "AWS_ALLOW_HTTP": "true"}


def test_an_endpoint_for_s3_is_kept_beside_the_general_one():
    environment = {**KEYS, "AWS_ENDPOINT_URL": "https://all", "AWS_ENDPOINT_URL_S3": "https://storage"}
    before = dict(environment)
    configure(environment=environment)
    assert environment == before


def test_region_and_endpoint_of_a_profile_become_variables_and_its_credentials_do_not(profile):
    configure(environment=profile)
    assert profile == {
        "AWS_PROFILE": "shop",
        "AWS_REGION": "sa-east-1",
        "AWS_DEFAULT_REGION": "sa-east-1",
        "AWS_ENDPOINT_URL": "http://storage:7070",
        "AWS_ENDPOINT_URL_S3": "http://storage:7070",
        "AWS_ALLOW_HTTP": "true",
        "AWS_FORCE_CREDENTIAL_LOAD": "true",
    }


def test_variables_take_precedence_over_the_profile(profile):
    profile |= {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "https://storage"}
    configure(environment=profile)
    assert (profile["AWS_REGION"], profile["AWS_ENDPOINT_URL_S3"]) == ("us-east-1", "https://storage")
    assert "AWS_ALLOW_HTTP" not in profile


def test_an_unknown_profile_is_named_in_the_error(profile):
    with pytest.raises(SettingsError, match=r"^AWS_PROFILE=other: The config profile \(other\) could not be found$"):
        configure(environment=profile | {"AWS_PROFILE": "other"})


@pytest.mark.parametrize(
    ("encryption", "variables"),
    [
        ("", {}),
        ("AES256", {"AWS_SERVER_SIDE_ENCRYPTION": "AES256"}),
        ("aws:kms", {"AWS_SERVER_SIDE_ENCRYPTION": "aws:kms"}),
        (
            "aws:kms:arn:aws:kms:sa-east-1:123456789012:key/abc",
            {
                "AWS_SERVER_SIDE_ENCRYPTION": "aws:kms",
                "AWS_SSE_KMS_KEY_ID": "arn:aws:kms:sa-east-1:123456789012:key/abc",
            },
        ),
    ],
)
def test_encryption_is_set_for_all_libraries(encryption, variables):
    environment = dict(KEYS)
    configure(encryption, environment)
    assert environment == {**KEYS, **variables}
