"""Grammars over the wire: builtin, inline, defined, several at once; interpretation of text."""

from __future__ import annotations

import pytest
import trio

from asr_trio.client import Grammar, RequestRefusedError
from asr_trio.protocol.messages import ResultStatus

from .recordings import samples, table, wav
from .serving import running

YES_NO = """#ABNF 1.0 UTF-8;
language en-US;
mode voice;
tag-format <semantics/1.0-literals>;
root $answer;
public $answer = yes {affirmed} | no {denied};
"""


@pytest.fixture(scope="module")
def commands(shared):
    """Short commands of several speakers, with their transcripts."""
    rows = [row for row in table(shared / "data/an4/refs.tsv") if row["grammar"] == "commands"][:6]
    return [(wav(*samples(shared / "data/an4" / row["path"])), row["transcript"]) for row in rows]


@pytest.mark.shared
async def test_an_inline_grammar_a_defined_one_and_a_list(shared, commands):
    grammar = (shared / "data/grammars/commands.abnf").read_bytes()
    async with running() as server, server.connect() as session:
        uri = await session.define_grammar("commands", grammar)
        assert uri == "session:commands"
        right = 0
        for audio, transcript in commands:
            inline = await session.recognize(audio, lm=Grammar(grammar, content_id="commands")).final()
            defined = await session.recognize(audio, lm=uri).final()
            for final in (inline, defined):
                assert final.status in {ResultStatus.RECOGNIZED, ResultStatus.NO_MATCH}
                assert all(found.lm == "session:commands" for found in final.result.alternatives)
                assert bool(final.interpretations) == bool(final.result.alternatives)
            right += (inline.text == transcript) + (defined.text == transcript)
        assert right >= len(commands)  # more than half; accuracy itself is measured by the benchmarks
        both = await session.recognize(commands[0][0], lm=[uri, "builtin:slm/general"]).final()
        assert both.status in {ResultStatus.RECOGNIZED, ResultStatus.NO_MATCH}


@pytest.mark.shared
async def test_a_builtin_grammar_interprets_spoken_digits(shared):
    rows = table(shared / "data/digits_fsdd/isolated.tsv")[:20]
    path = next(name for name in rows[0] if "path" in name or "file" in name)
    async with running() as server, server.connect() as session:
        finals = [
            await session.recognize(
                wav(*samples(shared / "data/digits_fsdd" / row[path])), lm="builtin:grammar/digits"
            ).final()
            for row in rows
        ]
    recognised = [final for final in finals if final.status is ResultStatus.RECOGNIZED]
    assert len(recognised) >= len(rows) // 2
    assert all(final.result.alternatives[0].lm == "builtin:grammar/digits" for final in recognised)
    assert all(str(final.interpretations[0]).isdigit() for final in recognised)


async def test_text_is_interpreted_without_audio():
    async with running() as server, server.connect() as session:
        final = await session.interpret("yes", lm=Grammar(YES_NO))
        assert final.interpretations == ["affirmed"]
        assert (await session.interpret("perhaps", lm=Grammar(YES_NO))).status is ResultStatus.NO_MATCH
        digits = await session.interpret("one two three", lm="builtin:grammar/digits")
        assert [str(value) for value in digits.interpretations] == ["123"]


async def test_words_that_a_grammar_names_are_not_taken_for_garbage():
    text = "#ABNF 1.0; language en-US; root $r; $r = order [ham {ham} [cheese {both}]] $GARBAGE;"
    async with running() as server, server.connect() as session:
        final = await session.interpret("order ham cheese please", lm=Grammar(text))
        assert final.interpretations == ["both"]


@pytest.mark.parametrize(
    ("lm", "code"),
    [
        ("builtin:slm/none", "ERR_FILE_OPEN"),
        ("builtin:grammar/none", "ERR_FILE_OPEN"),
        ("session:none", "ERR_FILE_OPEN"),
        ("file:///etc/passwd", "ERR_FILE_OPEN"),
        ("http://127.0.0.1:1/x.gram", "ERR_FILE_OPEN"),
        (Grammar("#ABNF 1.0;\nroot $a;\n$a = ( open ;"), "ERR_CORRUPTED_LM"),
        (Grammar("#ABNF 1.0;\nroot $nowhere;\n$a = open;"), "ERR_CORRUPTED_LM"),
        ("nothing:known", "ERR_NO_ACTIVE_LM"),
    ],
)
async def test_a_model_that_cannot_be_had_is_refused_by_its_kind_and_costs_nothing_else(lm, code):
    async with running() as server, server.connect() as session:
        with pytest.raises(RequestRefusedError) as refused:
            await session.recognize(b"", lm=lm).final()
        assert refused.value.error_code == code
        assert (await session.recognize(b"", lm=Grammar(YES_NO)).final()).status is ResultStatus.NO_SPEECH


async def test_a_known_grammar_is_not_answered_before_the_python_client_waits():
    async with running() as server, server.connect() as session:
        await session.define_grammar("answer", YES_NO)
        start_s = trio.current_time()
        await session.define_grammar("answer", YES_NO)
        assert trio.current_time() - start_s >= 0.01
