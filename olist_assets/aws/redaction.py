"""Error texts without the names of buckets, the numbers of accounts and the ids of keys."""

import re

from olist_assets.aws.environment import S3, is_s3

_PRIVATE = (
    (re.compile(r"(s3[an]?://)[a-z0-9][a-z0-9.-]+"), r"\1…"),  # a bucket
    (re.compile(r"(https?://)[^\s,;\"'<>()]+"), r"\1…"),  # host and path of a request name the bucket too
    (re.compile(r"(arn:[\w-]+:s3:::)[a-z0-9][a-z0-9.-]+"), r"\1…"),  # a bucket, in refusals of S3
    (re.compile(r"(arn:[\w-]+:[\w-]*:[\w-]*:)\d{12}"), r"\1…"),  # an account
    (re.compile(r"([Aa]ccount\W{1,3})\d{12}"), r"\1…"),
    (re.compile(r"(<(?:AWSAccessKeyId|BucketName|Resource|StringToSign|HostId)>)[^<]+"), r"\1…"),  # in answers of S3
    (re.compile(r"\bA[KS]IA[A-Z0-9]{16}\b"), "…"),  # an access key
)
_ANSWER = re.compile(r"<Error>.*?<Code>(.*?)</Code>.*?<Message>(.*?)</Message>", re.DOTALL)


def summarize_error(error: Exception) -> str:
    """An error of a storage library as one redacted line: code and message of S3's answer if it contains one."""
    text = str(error).partition("\n\n")[0]  # debug output of the library follows
    if answer := _ANSWER.search(text):
        text = f"{answer[1]}: {answer[2].rstrip('.')}"
    return redact(" ".join(text.split()))


def redact(text: str, *uris: str) -> str:
    """The text without names of buckets, numbers of accounts, and ids of keys.

    Args:
        text: a text that may contain them.
        uris: S3 URIs whose buckets are removed also where the text has no s3:// before them, as some libraries write.
    """
    for bucket in {uri.removeprefix(S3).partition("/")[0] for uri in uris if is_s3(uri)}:
        text = re.sub(rf"(?<![\w.-]){re.escape(bucket)}(?![\w.-])", "…", text)
    for pattern, replacement in _PRIVATE:
        text = pattern.sub(replacement, text)
    return text
