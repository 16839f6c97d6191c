"""What grammars cost: compiling against PocketSphinx's own reader, loading, interpreting, spelling, large lists.

    python -m benchmarks.bench_grammar [--only compile,answer] [--peer-limit 10000] [--json FILE]

Processor seconds of this process (a shared machine's wall clock means nothing); medians of `--rounds`. The word lists
are drawn from the model's dictionary. PocketSphinx's reader is measured in the same run up to `--peer-limit`
alternatives: 50 000 take it over a minute. `--only decode` recognises the development recordings of single names and
commands in lists of up to 10 000; it takes minutes and is left out unless it is named.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pocketsphinx
import trio

from asr_trio.cli.bench import local_server, percentile
from asr_trio.client import Grammar, connect
from asr_trio.grammar import builtin, semantics, spelling
from asr_trio.grammar.compile import CompiledGrammar, compile_grammar
from asr_trio.grammar.generate import Generator
from asr_trio.grammar.lexicon import Lexicon
from asr_trio.recognizer import base, grammars
from asr_trio.recognizer.graphs import GraphDecoder
from asr_trio.recognizer.guarded import GuardedDecoder
from asr_trio.recognizer.models import ModelRegistry
from asr_trio.recognizer.pocketsphinx import GRAMMAR_OPTIONS
from asr_trio.settings import RecognizerSettings
from benchmarks import corpus, machine
from benchmarks.bench_accuracy import share
from benchmarks.bench_competition import Recogniser

LIMITS_S = {"names_10000": 0.3, "full_names_10000": 0.3, "names_50000": 2.0, "full_names_50000": 2.0}
LOAD_SHARE = 0.2
"""Of the time that compiling may take."""
HELD_OUT = 1000
ANSWERS = 300
REGISTRY = ModelRegistry(RecognizerSettings())


def timed(function: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """Return the median processor time of a call, and its last result."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        result = function()
        times.append(time.process_time() - start)
    return statistics.median(times), result


def cases(words: list[str]) -> dict[str, str]:
    chance = random.Random(1)
    first, last = words[:2000], words[2000:12000]

    def full(count: int) -> str:
        return " |\n".join(f"{chance.choice(first)} {chance.choice(last)}" for _ in range(count))

    bodies = {
        "names_1000": " |\n".join(words[:1000]),
        "names_10000": " |\n".join(words[:10_000]),
        "full_names_10000": full(10_000),
        "names_50000": " |\n".join(words[:50_000]),
        "full_names_50000": full(50_000),
        "optionals_nested_200": "[yes " * 200 + "]" * 200 + " no",
        "optionals_in_sequence_50": " ".join(f"[{word}]" for word in words[:50]) + " no",
        "optionals_in_sequence_200": " ".join(f"[{word}]" for word in words[:200]) + " no",
        "groups_nested_200": "(" * 200 + "yes" + ")" * 200,
    }
    return {name: f"#JSGF V1.0;\ngrammar g;\npublic <r> = {body};\n" for name, body in bodies.items()}


def decoder(dictionary: str | None) -> pocketsphinx.Decoder:
    return pocketsphinx.Decoder(
        hmm=pocketsphinx.get_model_path("en-us/en-us"), dict=dictionary, lm=None, bestpath=False, loglevel="FATAL"
    )


def loading(model: base.GrammarModel, rounds: int) -> float:
    """Return what bringing a compiled grammar into a decoder takes, for a worker that sees it for the first time."""
    times = []
    for _ in range(rounds):
        grammars._loaded.cache_clear()
        grammars._unpacked.cache_clear()
        target = graph_decoder()
        took_s, _ = timed(lambda target=target: target.activate([model], {}), 1)
        times.append(took_s)
    return statistics.median(times)


def packaged(text: str) -> base.GrammarModel:
    frame = base.Compile(text=text.encode(), content_type=None, lm="g")
    compiled = grammars.compile_grammar(frame, REGISTRY)
    return base.GrammarModel(compiled=compiled.compiled, digest=compiled.digest, lm="g")


def graph_decoder() -> GraphDecoder:
    options = {"hmm": pocketsphinx.get_model_path("en-us/en-us"), "dict": None, "lm": None, **GRAMMAR_OPTIONS}
    return GraphDecoder(GuardedDecoder(n_cepstra=13, options=options))


def peer(text: str) -> dict[str, float]:
    """Return what PocketSphinx's own reader takes for the same text."""
    target = decoder(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))
    start = time.process_time()
    graph = target.parse_jsgf(text)
    parsed = time.process_time()
    target.add_fsg("g", graph)
    return {"peer_parse_s": parsed - start, "peer_load_s": time.process_time() - parsed}


def compiling(lexicon: Lexicon, words: list[str], rounds: int, peer_limit: int) -> dict[str, Any]:
    report = {}
    for name, text in cases(words).items():
        compile_s, compiled = timed(lambda text=text: compile_grammar(text.encode(), lexicon=lexicon), rounds)
        bytes_s, data = timed(compiled.to_bytes, rounds)
        back_s, _ = timed(lambda data=data: CompiledGrammar.from_bytes(data), rounds)
        model = packaged(text)
        row = {
            "compile_s": compile_s, "to_bytes_s": bytes_s, "from_bytes_s": back_s, "load_s": loading(model, rounds),
            "bytes": len(data), "states": compiled.n_states, "arcs": len(compiled.graph.sources),
        }  # fmt: skip
        if text.count("|") < peer_limit:
            row |= peer(text)
        if name in LIMITS_S:
            row["limit_s"] = LIMITS_S[name]
            row["within"] = compile_s <= LIMITS_S[name] and row["load_s"] <= LOAD_SHARE * LIMITS_S[name]
        report[name] = row
        print(name, json.dumps(row))
    return report


def interpreting(lexicon: Lexicon) -> dict[str, Any]:
    """Interpret sentences of the builtin grammars, scripts included."""
    report = {}
    for language in ("en", "pt"):
        for name in builtin.NAMES:
            compiled = compile_grammar(builtin.load(name, language), lexicon=lexicon)
            generator = Generator(compiled, random.Random(1))
            times = []
            for _ in range(200):
                sentence = generator.sentence()[:20]
                start = time.process_time()
                semantics.read(compiled, sentence)
                times.append(1000 * (time.process_time() - start))
            times.sort()
            report[f"{name}-{language}"] = {"p50_ms": times[100], "p95_ms": times[190], "within": times[190] <= 5.0}
    print("interpretation, worst p95:", max(row["p95_ms"] for row in report.values()), "ms")
    return report


async def answering() -> dict[str, Any]:
    """Ask a server over a socket what sentences mean: INTERPRET_TEXT to its RECOGNITION_RESULT, wall clock."""
    small = "#ABNF 1.0; language en-US; tag-format <semantics/1.0>; root $r; $r = yes {out = true} | no {out = false};"
    asked = {
        "yes or no, sent along": (Grammar(small), "yes"),
        "digits": ("builtin:grammar/digits", "one two three four"),
        "date": ("builtin:grammar/date", "january thirteenth"),
    }
    report = {}
    async with local_server() as server, connect(server.url) as session:
        for name, (lm, text) in asked.items():
            times = []
            for _ in range(ANSWERS + 1):
                began_s = trio.current_time()
                await session.interpret(text, lm=lm)
                times.append(1e3 * (trio.current_time() - began_s))
            report[name] = {
                "first_ms": times[0],  # compiles
                "p50_ms": percentile(times[1:], 50),
                "p95_ms": percentile(times[1:], 95),
                "within": percentile(times[1:], 95) <= 5.0,
            }
            print("INTERPRET_TEXT", name, json.dumps(report[name]))
    return report


def spelling_errors(entries: dict[str, str], lexicon: Lexicon) -> dict[str, Any]:
    """Train without some words of the dictionary and read those."""
    held_out = set(random.Random(7).sample([word for word in entries if word.isalpha()], HELD_OUT))
    start = time.process_time()
    model = spelling.train({w: p for w, p in entries.items() if w.partition("(")[0] not in held_out})
    trained = time.process_time()
    said = {word: (model.pronounce(word) or ("",))[0].split() for word in held_out}
    finished = time.process_time()
    wrong = total = right = 0
    for word, phones in said.items():
        distance, length = min((_distance(phones, r.split()), len(r.split())) for r in lexicon.pronunciations(word))
        wrong, total, right = wrong + distance, total + length, right + (distance == 0)
    report = {
        "held_out": HELD_OUT,
        "phone_error_percent": 100 * wrong / total,
        "words_right_percent": 100 * right / HELD_OUT,
        "train_s": trained - start,
        "ms_per_word": 1000 * (finished - trained) / HELD_OUT,
        "limit_percent": 10.0,
    }
    print("spelling", json.dumps(report))
    return report


def _distance(a: list[str], b: list[str]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def spoken_names() -> dict[Path, str]:
    """Return recordings of single names and short commands."""
    rows = [("oog", row) for row in corpus.table("oog/refs.tsv") if row["kind"] == "short keyword"]
    rows += [("an4", row) for row in corpus.table("an4/refs.tsv")] + [
        ("home", row) for row in corpus.table("home/refs.tsv")
    ]
    return {
        corpus.DATA / ("" if folder == "oog" else folder) / row["path"]: row["transcript"]
        for folder, row in rows
        if 0 < len(row["transcript"].split()) <= 2
    }


def decoding(words: list[str]) -> dict[str, Any]:
    """Recognise recordings of names in lists of more and more of them: what is right, and what it costs."""
    recordings = spoken_names()
    wanted = sorted(set(recordings.values()))
    chance = random.Random(3)
    others = [word for word in words if word not in wanted]
    pairs = [f"{chance.choice(others[:2000])} {chance.choice(others[2000:12_000])}" for _ in range(10_000)]
    report = {}
    for name, names in {
        "100 names": others[:100],
        "1000 names": others[:1000],
        "10000 names": others[:10_000],
        "10000 full names": pairs,
    }.items():
        listed = sorted({*wanted, *names[: len(names) - len(wanted)]})
        recogniser = Recogniser()
        recogniser.add(name, f"#JSGF V1.0; grammar g; public <r> = {' | '.join(listed)};".encode())
        found = {path: recogniser.recognize(path, recogniser.grammar(name)) for path in recordings}
        report[name] = {
            "recordings": len(recordings),
            "right_percent": share(best and best.text == recordings[path] for path, best in found.items()),
            "no_result_percent": share(best is None for best in found.values()),
            "cpu_per_audio_s": round(recogniser.cpu_s / recogniser.audio_s, 3),
        }
        print(name, json.dumps(report[name]))
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-limit", type=int, default=10_001)
    parser.add_argument("--only", default="", help="parts, by commas: compile, interpret, answer, spelling, decode")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    path = pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")
    lexicon = Lexicon.from_dictionary(path)
    entries = dict(line.split(" ", 1) for line in Path(path).read_text().splitlines())
    words = [word for word in entries if word.isalpha()]
    random.Random(1).shuffle(words)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "compile": lambda: compiling(lexicon, words, arguments.rounds, arguments.peer_limit),
        "interpret": lambda: interpreting(lexicon),
        "answer": lambda: trio.run(answering),
        "spelling": lambda: spelling_errors(entries, lexicon),
        "decode": lambda: decoding(words),
    }
    wanted = arguments.only.split(",") if arguments.only else [part for part in parts if part != "decode"]
    if unknown := set(wanted) - set(parts):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    report: dict[str, Any] = {"machine": machine.describe()} | {part: parts[part]() for part in wanted}
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
