"""Any grammar document to the model: tells the notations apart and calls their readers."""

from __future__ import annotations

from asr_trio.errors import GrammarError
from asr_trio.grammar import jsgf, srgs_abnf, srgs_xml
from asr_trio.grammar.model import Grammar
from asr_trio.grammar.source import Source, decode_text

_XML_TYPES = frozenset({"application/srgs+xml", "application/grammar+xml", "application/xml", "text/xml"})


def read_grammar(data: bytes, content_type: str | None = None, *, name: str = "", external: bool = False) -> Grammar:
    """Read a grammar in JSGF, ABNF or XML form.

    The text decides; `content_type` is a hint where the text does not tell, because clients name types loosely.

    Args:
        data: the document.
        content_type: its media type as the sender named it, or None.
        name: its URI, for relative references.
        external: another grammar refers to it: errors name it.

    Raises:
        GrammarError: the document is none, or is faulty.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if srgs_xml.looks_like_xml(data):
        return srgs_xml.read(data, name=name, external=external)
    source = Source(decode_text(data), name, external)
    start = source.text.lstrip()
    if start.startswith("#ABNF"):
        return srgs_abnf.read(source)
    if start.startswith("#JSGF"):
        return jsgf.read(source)
    if not start:
        raise GrammarError("the grammar is empty", line=1, column=1, hint="send JSGF or SRGS (ABNF or XML)")
    if media_type in _XML_TYPES:
        return srgs_xml.read(data, name=name, external=external)
    raise source.error(
        "the text is no grammar: it begins neither with #JSGF V1.0; nor #ABNF 1.0; nor as XML",
        len(source.text) - len(start),
        "begin with one of these headers",
    )
