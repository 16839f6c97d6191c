"""A fuzzer over reading, compiling, converting and interpreting: whatever the bytes, only AsrError may come out.

    python -m tests.grammar.fuzz --seconds 60 [--seed 1]

It mutates the builtin grammars in all notations; a failing document is printed with its seed.
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
    *(
        b"$NULL",
        b"$VOID",
        b"$GARBAGE",
        b"<NULL>",
        b"[",
        b"]",
        b"(",
        b")",
        b"|",
        b";",
        b"<0->",
        b"<2-3>",
        b"*",
        b"+",
        b"/2/",
    ),
    *(
        b"{",
        b"}",
        b"{!{",
        b"}!}",
        b'"',
        b"\\",
        b"//",
        b"/*",
        b"*/",
        b"<item>",
        b"</item>",
        b"\x00",
        b"\xff",
        b"&x;",
        b"!en",
    ),
)


def seeds() -> list[bytes]:
    """Return the builtin grammars in every notation that can express them."""
    documents = []
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
    seed = arguments.seed
    while time.monotonic() < deadline_s:
        run(seed, documents)
        seed += 1
    sys.stdout.write(f"{seed - arguments.seed} documents\n")


if __name__ == "__main__":
    main()
