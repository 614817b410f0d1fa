"""Error texts in one line, without the names of buckets, the numbers of accounts, keys, and debug output."""

import re

from olist_assets.errors import OlistError

_CREDENTIALS = r"(?:[^\s/:]+:\S*@)?"
_BUCKET = re.compile(rf"s3://{_CREDENTIALS}([a-z0-9][a-z0-9.-]+)")
_PRIVATE = (
    (re.compile(rf"(s3[an]?://){_CREDENTIALS}[a-z0-9][a-z0-9.-]+"), r"\1…"),  # a bucket
    (re.compile(r"(https?://)[^\s,;\"'<>()]+"), r"\1…"),  # host and path of a request name the bucket too
    (re.compile(r"(arn:[\w-]+:s3:::)[a-z0-9][a-z0-9.-]+"), r"\1…"),  # a bucket, in refusals of S3
    (re.compile(r"(arn:[\w-]+:[\w-]*:[\w-]*:)\d{12}"), r"\1…"),  # an account
    (re.compile(r"([Aa]ccount\W{1,3})\d{12}"), r"\1…"),
    (re.compile(r"(<(?:AWSAccessKeyId|BucketName|Resource|StringToSign|HostId)>)[^<]+"), r"\1…"),  # in answers of S3
    (re.compile(r"\bA[KS]IA[A-Z0-9]{16}\b"), "…"),  # an access key
)
_ANSWER = re.compile(r"<Error>.*?<Code>(.*?)</Code>.*?<Message>(.*?)</Message>", re.DOTALL)
_STORAGE_LIBRARIES = {"obstore", "deltalake", "_internal", "duckdb", "_duckdb", "pyarrow"}
"""The first part of the modules of errors whose class says nothing to users; `_internal` is that of delta-rs."""
_DEBUG_OUTPUT = re.compile(r"\n\s*(?:\n|\d+: |at |stack backtrace|Debug source)")
"""The start of what libraries write after their message: structures of Rust, and stack traces of Rust and Java."""
_CAUSE = re.compile(r"\s*(?:\x1b\[\d*m)?↳(?:\x1b\[\d*m)?\s*|(?<=error) -> ")
_WRAPPER = re.compile(
    r"\b(?:Generic \w+ error|Kernel error|External|I[Oo] [Ee]rror|Failed to parse parquet"
    r"|(?:\w+\.)*(?:GenericError|DeltaError|OSError)): "
)
"""What libraries write before the cause of an error."""
_DETAIL = re.compile(
    r" \(os error \d+\)|\[[Ee]rrno \d+\] "
    r"| in [\d.]+[mµn]?s(?:, after \d+ retries, max_retries: \d+, retry_timeout: \d+s)?(?= - )"
)
_MAX_LENGTH = 500


def summarize_error(error: BaseException, *uris: str) -> str:
    """An error as one redacted line, without debug output: S3's code and message if it contains them.

    An error of Python, which hints at a bug, begins with the name of its class.

    Args:
        error: any error.
        uris: see `redact`.
    """
    if isinstance(error, OlistError):
        return redact(" ".join(str(error).splitlines()), *uris)
    if isinstance(error, OSError) or type(error).__module__.split(".")[0] in _STORAGE_LIBRARIES:
        return summarize_text(str(error), *uris)
    first_line = str(error).partition("\n")[0]
    return summarize_text(f"{type(error).__name__}: {first_line}".removesuffix(": "), *uris)


def summarize_text(text: str, *uris: str) -> str:
    """The text of an error of a library as one redacted line, without debug output."""
    text = _DEBUG_OUTPUT.split(text.strip(), maxsplit=1)[0]
    if answer := _ANSWER.search(text):
        text = f"{answer[1]}: {answer[2].rstrip('.')}"
    text = _DETAIL.sub("", _WRAPPER.sub("", _CAUSE.sub(": ", text)))
    text = redact(" ".join(text.split()), *uris)
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}…"


def redact(text: str, *uris: str) -> str:
    """The text without names of buckets, numbers of accounts, and ids of keys.

    Args:
        text: a text that may contain them.
        uris: S3 URIs whose buckets are removed also where the text has no s3:// before them, as some libraries write.
    """
    for bucket in {match[1] for uri in uris if (match := _BUCKET.match(uri))}:
        text = re.sub(rf"(?<![\w.-]){re.escape(bucket)}(?![\w.-])", "…", text)
    for pattern, replacement in _PRIVATE:
        text = pattern.sub(replacement, text)
    return text
