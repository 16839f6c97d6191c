"""Runs the test grammars of the W3C's SRGS 1.0 implementation report, which say themselves what they must do.

    python -m tests.grammar.srgs_suite FOLDER

Each grammar of FOLDER (`*.gram`, `*.grxml`) has metas ``in.N`` with a sentence and ``out.N`` with the logical parse
structure (SRGS 1.0, appendix H) that must come out, or REJECT. Prints what differs; the exit code is 1 if
anything does. The grammars are the W3C's and no part of this project; docs/grammar.md says where they can be had and
what came out.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from asr_trio.errors import AsrError, LanguageModelNotFoundError
from asr_trio.grammar.compile import CompiledGrammar, compile_grammar
from asr_trio.grammar.lexicon import Lexicon
from asr_trio.grammar.parse import Enter, Event, Leave, Match, Parser, Tagged
from asr_trio.grammar.reader import read_grammar

LEXICON = Lexicon({}, pronouncers={"en": lambda _: ("AA",)})
DERIVATIONS_MAX = 100

_META = re.compile(
    r"""meta\s+(?:name\s*=\s*)?["']((?:in|out)\.\d+)["']\s*(?:is|content\s*=)\s*(["'])(.*?)\2""", re.DOTALL
)
_SPACE = re.compile(r"\s+(?=}!})")
_EXTERNAL = re.compile(r"\$<[^>]*>")


def expectations(path: Path) -> Iterator[tuple[str, str, bool]]:
    """Yield the sentences of a grammar, what must come out of each, and whether rejecting it is as good."""
    data = path.read_bytes()
    try:
        metas = {meta.name: _SPACE.sub("", meta.content) for meta in read_grammar(data).metas}
    except AsrError:  # as it may be meant
        metas = {name: text for name, _, text in _META.findall(data.decode("latin-1"))}
    for name, sentence in metas.items():
        if name.startswith("in."):
            number = name.removeprefix("in.")
            optional = "may be rejected" in metas.get(f"info.{number}", "")
            yield sentence, metas[f"out.{number}"], optional


def resolve(uri: str) -> tuple[bytes, str | None]:
    path = Path(unquote(urlsplit(uri).path))
    if not uri.startswith("file:") or not path.is_file():
        raise LanguageModelNotFoundError("there is no such file")
    return path.read_bytes(), None


def structure(compiled: CompiledGrammar, events: tuple[Event, ...]) -> str:
    """Return a derivation as a logical parse structure; rules of other documents go without their names."""
    parts: list[list[str]] = [[]]
    rules: list[int] = []
    for event in events:
        match event:
            case Enter(rule=rule):
                rules.append(rule)
                parts.append([])
            case Leave():
                rule = rules.pop()
                here = compiled.rule_grammars[rule]
                outside = compiled.rule_grammars[rules[-1]] if rules else here
                name = compiled.rule_names[rule] if here == outside else "<>"
                inner = ",".join(parts.pop())
                parts[-1].append(f"${name}[{inner}]")
            case Match(word=word) if word >= 0:
                parts[-1].append(f'"{compiled.words[word]}"')
            case Tagged(tag=tag):
                parts[-1].append(f"{{!{{{compiled.tags[tag].strip()}}}!}}")
    return parts[0][0]


def outcome(path: Path, sentence: str, wanted: str) -> str:
    """Return what comes out of a sentence: `wanted` where a derivation gives just that."""
    root = re.match(r"\$([^<\[]+)", wanted)
    try:
        data = path.read_bytes()
        grammar = read_grammar(data)
        parallel = root[1] if root and root[1] != grammar.root and root[1] in grammar.rules else ""
        compiled = compile_grammar(data, lexicon=LEXICON, resolver=resolve, root=parallel, name=path.resolve().as_uri())
    except AsrError as error:
        return "REJECT" if wanted == "REJECT" else f"REJECT: {error}"
    found = "REJECT"
    for number, derivation in enumerate(Parser(compiled.network, compiled.words).derivations(sentence.split())):
        came_out = structure(compiled, derivation.events)
        if came_out == _EXTERNAL.sub("$<>", wanted):
            return wanted
        found = came_out if not number else found
        if number > DERIVATIONS_MAX:
            break
    return found


def main() -> None:
    folder = Path(sys.argv[1])
    passed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for path in sorted(folder.iterdir()):
        tests = list(expectations(path)) if path.suffix in {".gram", ".grxml"} else []
        differences = [
            (sentence, wanted, found)
            for sentence, wanted, optional in tests
            if (found := outcome(path, sentence, wanted)) != wanted and not (optional and found == "REJECT")
        ]
        total[path.suffix] += bool(tests)
        passed[path.suffix] += bool(tests) and not differences
        for sentence, wanted, found in differences:
            sys.stdout.write(f"{path.name}: {sentence!r}\n  must give {wanted}\n  and gives {found}\n")
    for suffix, number in total.items():
        sys.stdout.write(f"{suffix}: {passed[suffix]} of {number} as they must\n" if number else "")
    sys.exit(passed != total)


if __name__ == "__main__":
    main()
