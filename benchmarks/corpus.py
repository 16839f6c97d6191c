"""The development recordings as pairs of audio and what recognises it; see the folder's own README."""

from __future__ import annotations

import csv
import random
from functools import lru_cache
from math import gcd
from pathlib import Path

import msgspec
import numpy as np
import soundfile
from scipy.signal import resample_poly

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
SAMPLE_RATE_HZ = 16_000
CROSSED_GRAMMARS = ("digits", "digit", "yesno", "commands", "spell", "date", "number", "home", "coffee")
GRAMMARS = (*CROSSED_GRAMMARS, "alnum", "an4_all", "edit")
NOISE_LENGTHS_S = (0.5, 0.8, 1.3, 2.0, 3.2)
LOW_DIGITS = ["zero", "one", "two", "three", "four"]
HIGH_DIGITS = ["five", "six", "seven", "eight", "nine"]


class Pair(msgspec.Struct, frozen=True):
    """A recording and what is to recognise it.

    Attributes:
        kind: set of the corpus that the pair belongs to.
        grammar: name of a grammar, or "" for free speech.
        covered: the grammar covers what is said.
        start_s, end_s: the part of the recording that is meant; None for its end.
    """

    kind: str
    path: Path
    transcript: str
    grammar: str
    covered: bool
    speaker: str
    start_s: float = 0.0
    end_s: float | None = None

    def read(self) -> bytes:
        """Return the audio that is meant, as 16 kHz 16-bit samples."""
        end = None if self.end_s is None else 2 * int(self.end_s * SAMPLE_RATE_HZ)
        return read_audio(self.path)[2 * int(self.start_s * SAMPLE_RATE_HZ) : end]


def table(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@lru_cache(maxsize=64)
def read_audio(path: Path) -> bytes:
    """Return 16 kHz 16-bit samples."""
    samples, rate = soundfile.read(path, dtype="float64")
    if samples.ndim > 1:
        samples = samples.mean(axis=1)
    if rate != SAMPLE_RATE_HZ:
        divisor = gcd(rate, SAMPLE_RATE_HZ)
        samples = resample_poly(samples, SAMPLE_RATE_HZ // divisor, rate // divisor)
    return np.clip(np.rint(samples * 32767), -32768, 32767).astype("<i2").tobytes()


def grammar_text(name: str) -> bytes:
    if name in ("low_digit", "high_digit"):
        words = LOW_DIGITS if name == "low_digit" else HIGH_DIGITS
        return f"#JSGF V1.0; grammar d; public <d> = {' | '.join(words)};".encode()
    return (DATA / "grammars" / f"{name}.jsgf").read_bytes()


def covered_pairs() -> list[Pair]:
    """Recordings with a grammar that covers them."""
    pairs = [_pair("an4", "an4", row) for row in table("an4/refs.tsv")]
    pairs += [_pair("digits", "digits_fsdd", row) for row in table("digits_fsdd/isolated.tsv")]
    pairs += [_pair("digit strings", "digits_fsdd", row) for row in table("digits_fsdd/strings.tsv")]
    pairs += [_pair("home", "home", row) for row in table("home/refs.tsv") if row["in_grammar"] == "yes"]
    return pairs + _telephone_pairs("telephone", [row for row in table("tel/refs.tsv") if row["grammar"] in GRAMMARS])


def _telephone_pairs(kind: str, rows: list[dict[str, str]]) -> list[Pair]:
    """Return the recordings of these rows in both codings."""
    codings = ((kind, "path_pcm"), (f"{kind} mu-law", "path_ulaw"))
    return [_pair(coded, "tel", {**row, "path": row[path]}) for coded, path in codings for row in rows]


def _pair(kind: str, folder: str, row: dict[str, str]) -> Pair:
    return Pair(kind, DATA / folder / row["path"], row["transcript"], row["grammar"], True, row["speaker"])


def uncovered_pairs() -> list[Pair]:
    """The given pairs of recordings and grammars that do not cover them."""
    speakers = {pair.path: pair.speaker for pair in covered_pairs() + free_pairs()}
    return [
        Pair("oog", path, row["transcript"], row["grammar"], False, speakers.get(path, path.stem))
        for row in table("oog/refs.tsv")
        for path in [DATA / row["path"]]
    ]


def silent_pairs() -> list[Pair]:
    """Recordings without speech under several grammars."""
    return [
        Pair("nospeech", DATA / "nospeech" / row["path"], "", grammar, False, Path(row["path"]).stem)
        for row in table("nospeech/refs.tsv")
        for grammar in ("digits", "yesno", "commands", "home", "digit", "spell")
    ]


def noise_pairs() -> list[Pair]:
    """Short pieces of recordings without speech, as a detector that is mistaken cuts them, under several grammars."""
    choose = random.Random(1)
    pairs = []
    for row in table("nospeech/refs.tsv"):
        path = DATA / "nospeech" / row["path"]
        for length_s in 3 * NOISE_LENGTHS_S:
            start_s = choose.uniform(0.0, float(row["duration_s"]) - length_s)
            pairs += [
                Pair("noise", path, "", grammar, False, path.stem, start_s, start_s + length_s)
                for grammar in choose.sample(GRAMMARS, 4)
            ]
    return pairs


def half_digit_pairs() -> list[Pair]:
    """Single digits under grammars of the lower and of the upper five: the same speakers inside and outside."""
    return [
        Pair("half digits", pair.path, pair.transcript, name, pair.transcript in words, pair.speaker)
        for pair in covered_pairs()
        if pair.kind == "digits"
        for name, words in (("low_digit", LOW_DIGITS), ("high_digit", HIGH_DIGITS))
    ]


def crossed_pairs(words_of: dict[str, set[str]]) -> list[Pair]:
    """Further pairs that do not fit, made by crossing recordings with other grammars.

    Args:
        words_of: words of each grammar; a pair is left out where they could make up the transcript.
    """
    choose = random.Random(1)
    sources = [pair for pair in covered_pairs() if pair.kind in ("an4", "home", "digit strings")]
    sources += [
        Pair("free", DATA / "free" / row["path"], row["transcript"], "", False, row["speaker"])
        for row in table("free/refs.tsv")
    ]
    return [
        Pair(f"{source.kind} x", source.path, source.transcript, grammar, False, source.speaker)
        for source in sources
        for grammar in choose.sample(CROSSED_GRAMMARS, 3)
        if grammar != source.grammar and not set(source.transcript.split()) <= words_of[grammar]
    ]


def free_pairs() -> list[Pair]:
    """Read sentences for free speech."""
    return [
        Pair("free", DATA / "free" / row["path"], row["transcript"], "", True, row["speaker"])
        for row in table("free/refs.tsv")
    ]


def telephone_free_pairs() -> list[Pair]:
    """Read sentences over the telephone."""
    return _telephone_pairs("telephone free", [row for row in table("tel/refs.tsv") if not row["grammar"]])
