"""Vega: its JavaScript, embedded so that the page needs no network, and charts as PNG."""

import struct
import sys
import zlib
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import vl_convert

_PNG = b"\x89PNG\r\n\x1a\n"


def load_library() -> str:
    """The JavaScript of Vega, Vega-Lite and Vega-Embed, about 0.9 MB.

    Bundling takes seconds of CPU and depends only on the installed packages. The bundle is therefore cached beside
    them, in the environment, if that is writable.
    """
    cache = Path(sys.prefix) / "share" / "olist" / f"vega-{version('vl-convert-python')}.js"
    with suppress(OSError):
        return cache.read_text(encoding="utf-8")
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    with suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        new = cache.with_name(f"{cache.name}.{uuid4().hex}")
        new.write_text(bundle, encoding="utf-8")
        new.replace(cache)
    return bundle


def to_png(spec: dict[str, Any], width: int) -> bytes:
    """A chart as PNG, `width` pixels wide, on white."""
    return _compress(vl_convert.vegalite_to_png(spec | {"width": width, "background": "white", "padding": 8}))


def _compress(png: bytes) -> bytes:
    """The same PNG in a fifth of the bytes, since the converter compresses for speed."""
    chunks, position = [], len(_PNG)
    while position < len(png):
        [size] = struct.unpack_from(">I", png, position)
        chunks.append((png[position + 4 : position + 8], png[position + 8 : position + 8 + size]))
        position += size + 12
    pixels = zlib.compress(zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT")), level=9)
    head, *rest = [chunk for chunk in chunks if chunk[0] != b"IDAT"]
    return _PNG + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (head, (b"IDAT", pixels), *rest)
    )
