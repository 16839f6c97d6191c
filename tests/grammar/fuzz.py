"""A fuzzer over reading, compiling, converting and interpreting: whatever the bytes, only AsrError may come out.

    python -m tests.grammar.fuzz --seconds 60 [--seed 1]

It mutates the builtin grammars in all notations and three documents that use all that a notation has; a failing
document is printed with its seed.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import time

from asr_trio.errors import AsrError
from asr_trio.grammar import builtin, semantics
from asr_trio.grammar.compile import GrammarLimits, compile_model
from asr_trio.grammar.generate import Generator
from asr_trio.grammar.lexicon import Lexicon
from asr_trio.grammar.reader import read_grammar
from asr_trio.grammar.writer import write

LEXICON = Lexicon({}, pronouncers={"en": lambda word: ("AA",), "pt": lambda word: ("AA",)})
LIMITS = GrammarLimits(states=3000, arcs=20_000, time_s=1.0)
NOTATIONS = ("abnf", "xml", "jsgf")
SNIPPETS = (
    *rb"""$NULL $VOID $GARBAGE <NULL> [ ] ( ) | ; <0-> <2-3> * + /2/ { } {!{ }!} " \ // /* */ !en <item> </item> &x;
    <![CDATA[ repeat="2-" special="GARBAGE" <ruleref uri="#a"/> $$ $<builtin:grammar/digits> import public root
    tag-format""".split(),
    b"\x00",
    b"\xff",
    "\u202e".encode(),
    b"9" * 30,
)
"""Put in at random: what means something in a notation, and what means nothing in any."""

FEATURES = (
    b"""#ABNF 1.0 UTF-8;
language en-US; mode voice; root $a; base <http://example.com/>; tag-format <semantics/1.0>; meta "a" is "b";
{ var total = 0; };
public $a = (one {out.x = 1} | /3.5/ "new york"!en-US {out.x = rules.latest()}) <0-3 /0.5/> [$b] $GARBAGE;
$b = $c {out = rules.c; meta.current().score = 0.5;} | $NULL | $VOID;
private $c = (a | b $c) {!{ out = meta.current().text + "}"; }!};
""",
    b"""<?xml version="1.0" encoding="UTF-8"?>
<grammar version="1.0" xmlns="http://www.w3.org/2001/06/grammar" xml:lang="en-US" mode="voice"
root="a" tag-format="semantics/1.0">
<meta name="a" content="b"/><tag>var total = 0;</tag>
<rule id="a" scope="public"><one-of><item weight="2">one<tag>out = 1;</tag></item><item repeat="0-2" repeat-prob="0.5">
<token>new york</token></item></one-of><ruleref uri="#b"/><ruleref special="GARBAGE"/><example>one</example></rule>
<rule id="b"><item repeat="1-">b</item><ruleref uri="builtin:grammar/digits"/>
<tag><![CDATA[out = rules.latest();]]></tag></rule>
</grammar>""",
    b"""#JSGF V1.0 UTF-8 en;
grammar com.acme.orders;
import <com.acme.orders.b>;
/** comment */
public <a> = /2/ one {x=1} | /0.5/ "new york" {y=\\{2\\}} <b>* [three]+ // end
 | <com.acme.orders.b> (four | <NULL> | <VOID>);
<b> = five <b> | six;
""",
)


def seeds() -> list[bytes]:
    """Return the builtin grammars in every notation that can express them."""
    documents = list(FEATURES)
    for name in builtin.NAMES:
        for language in builtin.LANGUAGES:
            data = builtin.load(name, language)
            for notation in NOTATIONS:
                with contextlib.suppress(AsrError):
                    documents.append(write(read_grammar(data), notation)[0].encode())
    return documents


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return a document with a few random changes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(changed) + 1)
        length = chance.randint(0, 12)
        kind = chance.randrange(4)
        if kind == 0:
            changed[place:place] = chance.choice(SNIPPETS)
        elif kind == 1:
            del changed[place : place + length]
        elif kind == 2:
            start = chance.randrange(len(changed) + 1)
            changed[place:place] = changed[start : start + length]
        else:
            changed[place : place + 1] = bytes([chance.randrange(256)])
    return bytes(changed)


def attempt(data: bytes, chance: random.Random) -> None:
    """Do with a document all that can be done with it."""
    grammar = read_grammar(data)
    with contextlib.suppress(AsrError):
        read_grammar(write(grammar, chance.choice(NOTATIONS))[0].encode())
    compiled = compile_model(grammar, lexicon=LEXICON, limits=LIMITS)
    sentence = Generator(compiled, chance).sentence()
    if len(sentence) <= 30:
        semantics.read(compiled, sentence)


def run(seed: int, documents: list[bytes]) -> None:
    """Try one mutated document.

    Raises:
        AssertionError: something else than an AsrError came out.
    """
    chance = random.Random(seed)
    data = mutated(chance.choice(documents), chance)
    try:
        attempt(data, chance)
    except AsrError:
        pass
    except Exception as error:
        raise AssertionError(f"seed {seed}: {error!r}\n{data!r}") from error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    documents = seeds()
    deadline_s = time.monotonic() + arguments.seconds
    seed, found, slowest = arguments.seed, 0, (0.0, 0)
    while time.monotonic() < deadline_s:
        started_s = time.process_time()
        try:
            run(seed, documents)
        except AssertionError as fault:
            found += 1
            sys.stdout.write(f"{fault}\n")
            sys.stdout.flush()
        slowest = max(slowest, (time.process_time() - started_s, seed))
        seed += 1
    sys.stdout.write(
        f"{seed - arguments.seed} documents, {found} faults; the slowest took {slowest[0]:.2f} s (seed {slowest[1]})\n"
    )
    sys.exit(found > 0)


if __name__ == "__main__":
    main()
