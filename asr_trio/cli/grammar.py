"""``asr-trio grammar``: check, compile, convert and try grammars without a server.

Exit codes: 0 everything fits, 1 something does not (a phrase is not covered, a word is not pronounced), 2 the grammar
cannot be used.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlparse

from cyclopts import App, Parameter
from cyclopts.validators import Number

from asr_trio.cli.inputs import input_file
from asr_trio.errors import ConfigError, GrammarError, LanguageModelNotFoundError
from asr_trio.grammar import builtin, semantics
from asr_trio.grammar.compile import CompiledGrammar, compile_grammar
from asr_trio.grammar.generate import Generator
from asr_trio.grammar.lexicon import SILENCE, Lexicon, UnknownWords
from asr_trio.grammar.link import JSGF_SCHEME
from asr_trio.grammar.reader import read_grammar
from asr_trio.grammar.writer import write

app = App(name="grammar", help="Check, compile, convert and try grammars.")

Source = Annotated[
    str,
    input_file("A file (JSGF, SRGS ABNF or XML), builtin:grammar/NAME, or - for stdin."),
]
Json = Annotated[bool, Parameter(name="--json", negative=(), help="Print one JSON document.")]
Dictionary = Annotated[Path | None, Parameter(help="A CMU Sphinx dictionary; that of the embedded model without it.")]
Unknown = Annotated[UnknownWords, Parameter(help="What becomes of words that the dictionary does not have.")]
_NO_PHONES = (SILENCE,)
_ANY_WORD = Lexicon({}, pronouncers={"en": lambda _: _NO_PHONES})
"""For what needs no sound: every word has the same one, and no dictionary is read."""

Root = Annotated[str, Parameter(help="The rule to match; the grammar's own root without it.")]


@app.command
def check(
    *sources: Annotated[Source, Parameter(required=True)],
    json_: Json = False,
    dictionary: Dictionary = None,
    unknown_words: Unknown = "generate",
) -> int:
    """Read and compile grammars; tell what is wrong with them, and where."""
    lexicon = _lexicon(dictionary)
    reports = [_report(source, lexicon, unknown_words) for source in sources]
    if json_:
        print(json.dumps(reports, ensure_ascii=False, indent=2))
    else:
        for report in reports:
            _print_report(report)
    return 2 if any("error" in report for report in reports) else 0


@app.command(name="compile")
def compile_(
    source: Source,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="File to write.")],
    *,
    json_: Json = False,
    dictionary: Dictionary = None,
    unknown_words: Unknown = "generate",
    root: Root = "",
) -> int:
    """Write the compiled form of a grammar: its graph, words, phones and tags."""
    compiled = _compiled(source, _lexicon(dictionary), unknown_words, root)
    _write(output, compiled.to_bytes())
    if json_:
        print(json.dumps(_summary(compiled), ensure_ascii=False, indent=2))
    else:
        _print_warnings(source, compiled.warnings)
        print(f"{output}: {_size(_summary(compiled))}")
    return 0


@app.command
def convert(
    source: Source,
    *,
    to: Annotated[Literal["abnf", "xml", "jsgf"], Parameter(help="Notation to write.")],
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="File to write; stdout without it.")] = None,
    json_: Json = False,
) -> int:
    """Write a grammar in another notation, the same in language, weights and tags."""
    data, name = _load(source)
    try:
        text, warnings = write(read_grammar(data, name=name), to)
    except GrammarError as error:
        _tell(source, error)
        return 2
    if output is not None:
        _write(output, text.encode())
    if json_:
        print(json.dumps({"grammar": text, "warnings": warnings}, ensure_ascii=False, indent=2))
        return 0
    _print_warnings(source, warnings)
    if output is None:
        print(text, end="")
    return 0


@app.command
def parse(
    source: Source,
    *phrases: Annotated[str, Parameter(help="Sentences; lines of stdin without any.")],
    json_: Json = False,
    root: Root = "",
) -> int:
    """Show what sentences mean: every interpretation with its weight; exit 1 where one is not covered."""
    compiled = _compiled(source, _ANY_WORD, root=root)
    covered = True
    found: list[dict[str, Any]] = []
    for phrase in phrases or (line.strip() for line in sys.stdin if line.strip()):
        readings = semantics.read(compiled, phrase.split())
        covered &= bool(readings)
        values = [
            {"value": reading.value, "weight": round(reading.weight, 6), "fault": reading.fault or None}
            for reading in readings
        ]
        found.append({"phrase": phrase, "covered": bool(readings), "interpretations": values})
        if not json_:
            print(f"{phrase}:" if readings else f"{phrase}: not covered")
            for reading in readings:
                fault = f"   ({reading.fault})" if reading.fault else ""
                print(f"  {reading.weight:.3f}  {json.dumps(reading.value, ensure_ascii=False)}{fault}")
    if json_:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    return 0 if covered else 1


@app.command
def generate(
    source: Source,
    *,
    count: Annotated[int, Parameter(name=["--count", "-n"], validator=Number(gte=1))] = 10,
    seed: Annotated[int | None, Parameter(help="The same number draws the same sentences.")] = None,
    json_: Json = False,
    root: Root = "",
) -> int:
    """Draw sentences by the weights of the grammar; rare ones where nobody meant them show what it overgenerates."""
    compiled = _compiled(source, _ANY_WORD, root=root)
    generator = Generator(compiled, random.Random(seed))  # noqa: S311 - examples, not secrets
    sentences = [" ".join(generator.sentence()) for _ in range(count)]
    print(json.dumps(sentences, ensure_ascii=False, indent=2) if json_ else "\n".join(sentences))
    return 0


@app.command
def coverage(
    source: Source,
    phrases: Annotated[
        str,
        input_file("A file of sentences, or - for stdin; lines that begin with ! must not be covered."),
    ],
    *,
    json_: Json = False,
    root: Root = "",
) -> int:
    """Test which sentences a grammar covers; exit 1 where one is covered that must not be, or the other way round.

    A line may demand a value as well, behind a tab: ``half past six<TAB>"0630?"`` (JSON). # begins a comment.
    """
    compiled = _compiled(source, _ANY_WORD, root=root)
    try:
        lines = _read(phrases).decode().splitlines()
    except UnicodeDecodeError as error:
        raise LanguageModelNotFoundError(f"{phrases}: the phrases are not valid UTF-8: {error.reason}") from error
    results = [_judge(compiled, line) for line in lines if line.strip() and not line.startswith("#")]
    failed = [result for result in results if not result["ok"]]
    if json_:
        print(json.dumps({"total": len(results), "failed": failed}, ensure_ascii=False, indent=2))
    else:
        for result in failed:
            print(f"{result['phrase']}: {result['why']}")
        print(f"{len(results) - len(failed)} of {len(results)} as they should be")
    return 1 if failed else 0


@app.command
def words(source: Source, *, json_: Json = False, dictionary: Dictionary = None, root: Root = "") -> int:
    """Show every word with its pronunciations and where they come from; exit 1 where one has none."""
    lexicon = _Witness.from_dictionary(_dictionary(dictionary))
    compiled = _compiled(source, lexicon, root=root)
    found: list[dict[str, Any]] = []
    for word, phones in zip(compiled.words, compiled.pronunciations, strict=True):
        if word:
            origin = lexicon.origins.get(word, "given")
            found.append({"word": word, "from": origin, "pronunciations": [] if origin == "none" else phones})
    found.sort(key=lambda entry: entry["word"])
    if json_:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        for entry in found:
            print(f"{entry['word']}\t{entry['from']}\t{'; '.join(entry['pronunciations'])}")
    return 1 if any(entry["from"] == "none" for entry in found) else 0


# --- loading ----------------------------------------------------------------------------------------------------------


def _load(source: str) -> tuple[bytes, str]:
    """Return the text of a grammar and its URI."""
    if source.startswith(builtin.SCHEME):
        return builtin.load(source.removeprefix(builtin.SCHEME)), source
    return _read(source), "" if source == "-" else Path(source).resolve().as_uri()


def _read(source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise LanguageModelNotFoundError(f"{source}: {error.strerror or error}") from error


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error


def _resolver(source: str) -> Callable[[str], tuple[bytes, str | None]]:
    """Return what fetches other grammars: files, and JSGF packages beside the grammar or in folders of their name."""
    folder = Path() if source == "-" else Path(source).parent

    def resolve(uri: str) -> tuple[bytes, str | None]:
        if uri.startswith(JSGF_SCHEME):
            package = uri.removeprefix(JSGF_SCHEME)
            candidates = [folder / name for base in (package.replace(".", "/"), package.rpartition(".")[2])
                          for name in (f"{base}.gram", f"{base}.jsgf")]  # fmt: skip
        else:
            parsed = urlparse(uri)
            if parsed.scheme not in {"", "file"}:
                raise LanguageModelNotFoundError("only files are read here")
            candidates = [Path(unquote(parsed.path))]
        for path in candidates:
            if path.is_file():
                return path.read_bytes(), None
        raise LanguageModelNotFoundError("there is no such file")

    return resolve


class _Witness(Lexicon):
    """A lexicon that says every word, and knows of those that it was asked for where their sounds came from."""

    def __init__(self, *args: Any, **further: Any) -> None:
        super().__init__(*args, **further)
        self.origins: dict[str, str] = {}

    def pronunciations(self, word: str, language: str = "") -> tuple[str, ...]:
        found = super().pronunciations(word, language)
        if found:
            self.origins[word] = "dictionary"
        return found

    def generate(self, word: str, language: str = "") -> tuple[str, ...]:
        found = super().generate(word, language)
        self.origins[word] = "spelling" if found else "none"
        return found or _NO_PHONES


def _lexicon(dictionary: Path | None) -> Lexicon:
    return Lexicon.from_dictionary(_dictionary(dictionary))


def _dictionary(given: Path | None) -> Path:
    from asr_trio.recognizer.models import package_model_folder

    return given or package_model_folder() / "cmudict-en-us.dict"


def _compiled(
    source: str, lexicon: Lexicon, unknown_words: UnknownWords = "generate", root: str = ""
) -> CompiledGrammar:
    data, name = _load(source)
    try:
        return compile_grammar(
            data,
            lexicon=lexicon,
            unknown_words=unknown_words,
            resolver=_resolver(source),
            root=root,
            name="" if source == "-" else name,
        )
    except GrammarError as error:
        _tell(source, error)
        raise SystemExit(2) from error


# --- telling ----------------------------------------------------------------------------------------------------------


def _report(source: str, lexicon: Lexicon, unknown_words: UnknownWords) -> dict[str, Any]:
    try:
        data, name = _load(source)
        compiled = compile_grammar(
            data, lexicon=lexicon, unknown_words=unknown_words, resolver=_resolver(source), name=name
        )
    except GrammarError as error:
        fault = {"message": _message(error), "line": error.line, "column": error.column}
        return {"grammar": source, "error": fault | {"excerpt": error.excerpt, "hint": error.hint}}
    except LanguageModelNotFoundError as error:  # the others are still to be checked
        missing = {"message": str(error).removeprefix(f"{source}: "), "line": None, "column": None}
        return {"grammar": source, "error": missing | {"excerpt": "", "hint": ""}}
    return {"grammar": source} | _summary(compiled)


def _summary(compiled: CompiledGrammar) -> dict[str, Any]:
    return {
        "language": compiled.language,
        "rules": len(compiled.rule_names),
        "words": sum(1 for word in compiled.words if word),
        "states": compiled.n_states,
        "arcs": len(compiled.graph.sources),
        "warnings": compiled.warnings,
    }


def _size(facts: dict[str, Any]) -> str:
    parts = ("rules", "words", "states", "arcs")
    return ", ".join(f"{facts[part]} {part if facts[part] != 1 else part[:-1]}" for part in parts)


def _print_report(report: dict[str, Any]) -> None:
    fault = report.get("error")
    if fault is None:
        _print_warnings(report["grammar"], report["warnings"])
        print(f"{report['grammar']}: good ({report['language']}; {_size(report)})")
        return
    _tell(report["grammar"], GrammarError(fault["message"], **{k: v for k, v in fault.items() if k != "message"}))


def _print_warnings(source: str, warnings: list[str]) -> None:
    for warning in warnings:
        print(f"{source}: warning: {warning}", file=sys.stderr)


def _message(error: GrammarError) -> str:
    return str(error).partition("\n")[0]


def _tell(source: str, error: GrammarError) -> None:
    """Print an error as compilers do: place, message, the line with a mark below it, and what to do."""
    place = source if error.line is None else f"{source}:{error.line}:{error.column}"
    print(f"{place}: {_message(error)}", file=sys.stderr)
    if error.excerpt and error.line is not None:
        print(f"  {error.excerpt}", file=sys.stderr)
        if error.column is not None and error.column <= len(error.excerpt) + 1:
            print(f"  {' ' * (error.column - 1)}^", file=sys.stderr)
    if error.hint:
        print(f"  {error.hint}", file=sys.stderr)


def _judge(compiled: CompiledGrammar, line: str) -> dict[str, Any]:
    """Return whether a line of a coverage file holds, and why not."""
    phrase, _, wanted = line.partition("\t")
    forbidden = phrase.startswith("!")
    phrase = phrase.removeprefix("!").strip()
    readings = semantics.read(compiled, phrase.split())
    why = ""
    if forbidden and readings:
        why = "is covered and must not be"
    elif not forbidden and not readings:
        why = "is not covered"
    elif wanted.strip():
        try:
            value = json.loads(wanted)
        except ValueError:
            value = wanted.strip()
        if value not in [reading.value for reading in readings]:
            got = ", ".join(json.dumps(reading.value, ensure_ascii=False) for reading in readings)
            why = f"means {got}, not {json.dumps(value, ensure_ascii=False)}"
    return {"phrase": phrase, "ok": not why, "why": why}
