"""Grammars that refer to others, over the wire: what they name is fetched within the fences of the configuration."""

from __future__ import annotations

import pytest

from asr_trio.client import Grammar, RequestRefusedError
from asr_trio.protocol.messages import DefineGrammar, StartRecognition

from .serving import running


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "com" / "acme").mkdir(parents=True)
    (tmp_path / "com" / "acme" / "size.gram").write_text(
        "#JSGF V1.0; grammar com.acme.size; public <size> = large {L} | small {S};"
    )
    (tmp_path / "fruit.grxml").write_text(
        '<grammar version="1.0" xmlns="http://www.w3.org/2001/06/grammar" root="fruit">'
        '<rule id="fruit" scope="public">bananas <tag>yellow</tag></rule></grammar>'
    )
    (tmp_path / "order.gram").write_text(
        "#ABNF 1.0; lexicon <words.pls>; root $order; $order = buy $<fruit.grxml#fruit>;"
    )
    (tmp_path / "words.pls").write_text(
        '<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="x-cmu">'
        "<lexeme><grapheme>buy</grapheme><phoneme>B AA</phoneme></lexeme></lexicon>"
    )
    (tmp_path / "pizza.jsgf").write_text(
        "#JSGF V1.0; grammar pizza; import <com.acme.size.*>; public <pizza> = <size> pizza;"
    )
    return tmp_path


async def test_files_refer_to_files(folder):
    async with (
        running(language_models={"file_roots": (str(folder),)}) as server,
        server.connect() as session,
    ):
        found = await session.interpret("buy bananas", lm=(folder / "order.gram").as_uri())
        assert found.interpretations == ["yellow"]
        found = await session.interpret("small pizza", lm=(folder / "pizza.jsgf").as_uri())
        assert found.interpretations == ["S"]


async def test_a_sent_grammar_refers_to_a_file_and_to_a_builtin_one(folder):
    text = f"#ABNF 1.0; root $r; $r = $<{(folder / 'fruit.grxml').as_uri()}> | at $<builtin:grammar/time>;"
    async with (
        running(language_models={"file_roots": (str(folder),)}) as server,
        server.connect() as session,
    ):
        found = await session.interpret("bananas", lm=Grammar(text.encode(), content_id="g"))
        assert found.interpretations == ["yellow"]


async def test_the_server_may_refuse_unknown_words():
    text = b"#ABNF 1.0;\nroot $r;\n$r = yes | xyzzyx | qwertyish;"
    async with (
        running(recognizer={"unknown_words": "reject", "workers_idle": 1}) as server,
        server.connect() as session,
    ):
        with pytest.raises(RequestRefusedError, match=r"line 3, column 12.*2 words .*xyzzyx, qwertyish"):
            await session.define_grammar("g", text)


UNKNOWN = b"#ABNF 1.0;\nroot $r;\n$r = yes | xyzzyx | qwertyish;"


async def test_each_session_says_what_becomes_of_unknown_words():
    async with running() as server:
        async with server.connect() as strict:
            assert await strict.set_parameters({"grammar.unknownWords": "reject"}) == {}
            assert await strict.get_parameters("grammar.unknownWords") == {"grammar.unknownWords": "reject"}
            assert await strict.set_parameters({"grammar.unknownWords": "guess"}) == {
                "grammar.unknownWords": "ERR_INVALID_PARAMETER_VALUE"
            }
            with pytest.raises(RequestRefusedError, match=r"line 3, column 12.*2 words .*xyzzyx, qwertyish"):
                await strict.define_grammar("g", UNKNOWN)
            # Said by hints, they are not unknown.
            await strict.set_parameters({"hints.words": "XYZZYX [Z-IH-Z-IY], qwertyish [K-W-ER-T-IH-SH]"})
            await strict.define_grammar("g", UNKNOWN)
            await strict.set_parameters({"hints.words": "xyzzyx [Z-IH-Z-IY], qwertyish [Q-W]"})
            with pytest.raises(RequestRefusedError, match=r"1 word without a pronunciation - qwertyish"):
                await strict.define_grammar("g", UNKNOWN)
        async with server.connect() as lenient:
            define = DefineGrammar(content_id="g", content_type="application/srgs", body=UNKNOWN)
            assert "pronounced by their spelling - xyzzyx, qwertyish" in (await lenient.request(define)).message
            start = StartRecognition(
                parameters={"grammar.unknownWords": "ignore"}, content_type="application/srgs", body=UNKNOWN
            )
            assert "left out for want of a pronunciation - xyzzyx, qwertyish" in (await lenient.request(start)).message
            await lenient.cancel()
            await lenient.set_parameters({"grammar.unknownWords": "ignore"})
            left = await lenient.interpret("yes", lm=Grammar(UNKNOWN))
            assert left.interpretations == ["yes"]


async def test_phones_that_there_are_not_are_told_with_their_place():
    text = b"""<grammar version="1.0" xmlns="http://www.w3.org/2001/06/grammar" root="r">
<rule id="r"><token pron="Y EH Q">yes</token></rule></grammar>"""
    async with running() as server, server.connect() as session:
        with pytest.raises(RequestRefusedError, match=r"line 2, .*Y EH Q of yes has phones .* lacks - Q"):
            await session.define_grammar("g", text, "application/srgs+xml")


async def test_what_lies_outside_is_refused_with_the_line(folder):
    text = "#ABNF 1.0;\nroot $r;\n$r = $<file:///etc/passwd>;"
    async with running() as server, server.connect() as session:
        with pytest.raises(RequestRefusedError, match=r"line 3, column 6.*/etc/passwd.* cannot be loaded"):
            await session.define_grammar("g", text.encode())
