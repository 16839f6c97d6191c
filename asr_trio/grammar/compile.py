"""Text to decoder form: read, link, build the network, unfold the graph, find the pronunciations.

A compiled grammar is self-contained: it holds what the decoder needs (graph, words, phones) and what interpretation
needs (network, tags), and travels as bytes from the worker that compiled it to those that use it.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from asr_trio.errors import GrammarError
from asr_trio.grammar.automaton import TooLargeError
from asr_trio.grammar.graph import Graph, build_graph
from asr_trio.grammar.lexicon import SILENCE, Lexicon, UnknownWords
from asr_trio.grammar.link import Program, Resolver, link
from asr_trio.grammar.model import LITERAL_TAGS, Grammar, uses_scripts
from asr_trio.grammar.network import GARBAGE, WORD, Network, NetworkBuilder
from asr_trio.grammar.pronounce import Pronouncing
from asr_trio.grammar.reader import read_grammar
from asr_trio.grammar.unfold import NotRegularError

FORMAT: Final = 1
"""Raised whenever a compiled grammar of an older program can no longer be used."""


class GrammarLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on one grammar: an honest one is far below, a hostile one costs no more than this.

    Attributes:
        size_bytes: length of the text.
        arcs: of the network, after counted repeats are written out, and of the graph.
        states: of the graph, before equal ones are merged: about 10 µs and 1 kB each.
        time_s: for all of it.
    """

    size_bytes: int = 4 * 1024 * 1024
    arcs: int = 1_000_000
    states: int = 300_000
    time_s: float = 8.0


class CompiledGrammar(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A grammar ready for decoding and interpretation.

    Attributes:
        language: tag of the grammar; the lexicon's where it gives none.
        graph: for the decoder; its words index `words`.
        words: tokens as the grammar writes them; "" for filler speech (GARBAGE), of which nothing is shown.
        pronunciations: for each word, phones separated by spaces.
        network: all rules, the root being rule 0.
        rule_names: names by rule.
        rule_grammars: by rule, which document it stands in.
        tags: texts by number; tag_formats and headers are by document.
        warnings: what the author should know.
    """

    format: int
    language: str
    graph: Graph
    words: list[str]
    pronunciations: list[list[str]]
    network: Network
    rule_names: list[str]
    rule_grammars: list[int]
    tags: list[str]
    tag_formats: list[str]
    headers: list[list[str]]
    warnings: list[str]

    @property
    def n_states(self) -> int:
        """Number of states of the decoder's graph."""
        return self.graph.n_states

    @property
    def start(self) -> int:
        """Start state of the decoder's graph."""
        return self.graph.start

    @property
    def final(self) -> int:
        """The one final state of the decoder's graph."""
        return self.graph.final

    def arcs(self) -> Iterator[tuple[int, int, float, int]]:
        """Yield the arcs of the decoder's graph: from, to, probability in (0, 1], index into `words` or -1 for none."""
        graph = self.graph
        for source, target, word, weight in zip(graph.sources, graph.targets, graph.words, graph.weights, strict=True):
            yield source, target, math.exp(weight), word

    def to_bytes(self) -> bytes:
        """Return the grammar as bytes."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> CompiledGrammar:
        """Return the grammar that `to_bytes` wrote.

        Raises:
            GrammarError: the bytes are of another version, or none of ours.
        """
        try:
            compiled = msgspec.msgpack.decode(data, type=cls)
        except msgspec.MsgspecError as error:
            raise GrammarError("the compiled grammar cannot be read", hint="compile it again") from error
        if compiled.format != FORMAT:
            raise GrammarError("the compiled grammar is of another version", hint="compile it again")
        return compiled

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Keep the garbage collector out: compiling makes many small objects and no cycles, a third of the time was its."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@no_collection()
def compile_grammar(
    text: bytes,
    *,
    content_type: str | None = None,
    lexicon: Lexicon,
    limits: GrammarLimits | None = None,
    resolver: Resolver | None = None,
    unknown_words: UnknownWords = "generate",
    root: str = "",
    name: str = "",
) -> CompiledGrammar:
    """Compile a grammar in any notation.

    Args:
        text: the document.
        content_type: media type as the sender named it, or None.
        lexicon: words of the acoustic model.
        limits: bounds; None for the defaults.
        resolver: fetches other grammars that this one refers to.
        unknown_words: policy for words that the lexicon does not have.
        root: rule to match, "" for the grammar's own root.
        name: URI of the document.

    Raises:
        GrammarError: with position and hint.
        LanguageModelError: from the resolver.
    """
    limits = limits or GrammarLimits()
    if len(text) > limits.size_bytes:
        raise GrammarError(
            f"the grammar has {len(text)} bytes, the limit is {limits.size_bytes}", hint="split it, or list less"
        )
    return compile_model(
        read_grammar(text, content_type, name=name),
        lexicon=lexicon,
        limits=limits,
        resolver=resolver,
        unknown_words=unknown_words,
        root=root,
    )


@no_collection()
def compile_model(
    grammar: Grammar,
    *,
    lexicon: Lexicon,
    limits: GrammarLimits | None = None,
    resolver: Resolver | None = None,
    unknown_words: UnknownWords = "generate",
    further: Mapping[str, Sequence[str]] | None = None,
    root: str = "",
) -> CompiledGrammar:
    """Compile a grammar that has been read; see `compile_grammar`.

    `further` are pronunciations besides those that are found, by word in small letters.
    """
    limits = limits or GrammarLimits()
    deadline_s = time.monotonic() + limits.time_s
    program = link(grammar, resolver=resolver, root=root)
    builder = NetworkBuilder(program, max_arcs=limits.arcs)
    network = builder.build()
    warnings = program.warnings
    language = grammar.language or lexicon.language
    if not lexicon.covers(language):
        warnings.append(f"no pronunciations for language {language}: its words are read as {lexicon.language}")
    pronunciations, ignored = Pronouncing(lexicon, unknown_words, further or {}).pronounce(builder, program)
    _check_scripts(builder, program)
    usable = _without_words(network, ignored) if ignored else network
    words = [token.text for token in builder.words]
    fillers = range(0)
    if GARBAGE in network.kinds:
        # GARBAGE loops over phones, each a word of its own.
        phones = sorted(lexicon.phones - {SILENCE}) or [SILENCE]
        fillers = range(len(words), len(words) + len(phones))
        words += [""] * len(phones)
        pronunciations += [[phone] for phone in phones]
    graph = _graph(usable, program, fillers, limits, deadline_s)
    graph.sort(_ranks(pronunciations))
    return CompiledGrammar(
        format=FORMAT,
        language=language,
        graph=graph,
        words=words,
        pronunciations=pronunciations,
        network=network,
        rule_names=[linked.rule.name for linked in program.rules],
        rule_grammars=[linked.grammar for linked in program.rules],
        tags=builder.tags,
        tag_formats=[document.tag_format or LITERAL_TAGS for document in program.grammars],
        headers=[[tag.text for tag in document.header_tags] for document in program.grammars],
        warnings=warnings,
    )


def _ranks(pronunciations: list[list[str]]) -> list[int]:
    """Return the place of each word in the order of sounds, in which a decoder loads them fastest."""
    ranks = [0] * len(pronunciations)
    for rank, word in enumerate(sorted(range(len(ranks)), key=pronunciations.__getitem__)):
        ranks[word] = rank
    return ranks


def _check_scripts(builder: NetworkBuilder, program: Program) -> None:
    """Have the syntax of all script tags checked, so that an author hears of it before a caller does.

    Raises:
        GrammarError: for the first tag that is no script.
    """
    scripts: list[tuple[str, int, int]] = []
    for index, document in enumerate(program.grammars):
        if uses_scripts(document.tag_format):
            scripts.extend((tag.text, index, tag.at) for tag in document.header_tags)
    for text, (index, at) in zip(builder.tags, builder.tag_positions, strict=True):
        if uses_scripts(program.grammars[index].tag_format):
            scripts.append((text, index, at))
    if not scripts:
        return
    from asr_trio.grammar.script import syntax_faults

    for number, fault in sorted(syntax_faults([text for text, _, _ in scripts]).items()):
        text, index, at = scripts[number]
        raise program.grammars[index].source.error(
            f"the tag {text[:60]!r} is no script: {fault}",
            at,
            f"write ECMAScript, or declare tag-format <{LITERAL_TAGS}> for literal tags",
        )


def _graph(network: Network, program: Program, fillers: range, limits: GrammarLimits, deadline_s: float) -> Graph:
    source = program.grammars[0].source
    try:
        return build_graph(
            network,
            program.root,
            max_states=limits.states,
            max_arcs=limits.arcs,
            fillers=fillers,
            deadline_s=deadline_s,
        )
    except NotRegularError as error:
        linked = program.rules[error.rule]
        raise program.grammars[linked.grammar].source.error(
            f"the rule {linked.rule.name!r} contains itself in the middle, which no finite graph can follow",
            linked.rule.at,
            "let it refer to itself only at its end, or use a repeat",
        ) from error
    except TooLargeError as error:
        raise source.error(
            f"the graph takes more than {limits.states} states, {limits.arcs} arcs or {limits.time_s:g} s",
            program.rules[program.root].rule.at,
            "shorten counted repeats and the nesting of rules in rules",
        ) from error


def _without_words(network: Network, words: set[int]) -> Network:
    arcs = zip(network.sources, network.kinds, network.arguments, network.targets, network.weights, strict=True)
    kept = [arc for arc in arcs if arc[1] != WORD or arc[2] not in words]
    return Network(
        n_states=network.n_states,
        starts=network.starts,
        finals=network.finals,
        sources=[arc[0] for arc in kept],
        kinds=[arc[1] for arc in kept],
        arguments=[arc[2] for arc in kept],
        targets=[arc[3] for arc in kept],
        weights=[arc[4] for arc in kept],
    )
