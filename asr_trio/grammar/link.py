"""From documents to one program: every reference gets its rule, in this grammar or another one.

Only rules that the root reaches are linked: an unused rule may refer to what it likes. All undefined references are
reported in one error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias
from urllib.parse import urljoin

import msgspec

from asr_trio.errors import AsrError, GrammarError, LanguageModelNotFoundError
from asr_trio.grammar import builtin, pls
from asr_trio.grammar.model import Choice, Expansion, Grammar, Reference, Repeat, Rule, Sequence, Token
from asr_trio.grammar.reader import read_grammar

Resolver: TypeAlias = Callable[[str], tuple[bytes, str | None]]
"""Fetches what a grammar refers to: an absolute URI (or ``jsgf:`` and a grammar's full name) to bytes and media type.

It raises LanguageModelError for what it does not find or does not allow.
"""

JSGF_SCHEME = "jsgf:"
_MAX_GRAMMARS = 64
"""A program of more documents than this is a loop of generated URIs, not a grammar."""

_NOTATIONS = {"application/srgs": "abnf", "application/srgs+xml": "xml"}
_MAX_FAULTS = 20
_MAX_GUESSES = 500
"""Rules that are looked through for the one that a misspelt reference means."""


class LinkedRule(msgspec.Struct, frozen=True):
    """A rule in its grammar (an index into `Program.grammars`)."""

    grammar: int
    rule: Rule


class Program(msgspec.Struct):
    """All that a root rule reaches.

    Attributes:
        grammars: the documents; the first is the one that was compiled.
        rules: reachable rules; `root` is the index of the first one to match.
        targets: (grammar, URI, name) of a reference to the index of its rule.
        lexicons: by grammar, the entries of the lexicon documents that it names.
    """

    grammars: list[Grammar]
    rules: list[LinkedRule]
    root: int
    targets: dict[tuple[int, str, str], int]
    warnings: list[str]
    lexicons: dict[int, dict[str, pls.Entry]]


def references(expansion: Expansion) -> Iterator[Reference]:
    """Yield all references inside an expansion, in order."""
    stack = [expansion]
    while stack:
        node = stack.pop()
        if isinstance(node, Reference):
            yield node
        elif isinstance(node, Sequence | Choice):
            # Of 100 000 nodes of a word list all but one are tokens.
            stack.extend(item for item in reversed(node.items) if type(item) is not Token)
        elif isinstance(node, Repeat):
            stack.append(node.item)


def link(grammar: Grammar, *, resolver: Resolver | None = None, root: str = "") -> Program:
    """Resolve all references from the root rule on.

    Args:
        grammar: the main grammar.
        resolver: fetches other grammars; without it a reference to one is an error.
        root: rule to begin with, "" for the grammar's own root.

    Raises:
        GrammarError: a rule is missing, private elsewhere, or the root is not settled.
        LanguageModelError: from the resolver.
    """
    return _Linker(grammar, resolver).link(root)


class _Linker:
    def __init__(self, grammar: Grammar, resolver: Resolver | None) -> None:
        self._program = Program([grammar], [], 0, {}, list(grammar.warnings), {})
        self._resolver = resolver
        self._grammar_by_uri: dict[str, int] = {}
        self._rule_ids: dict[tuple[int, str], int] = {}
        self._faults: list[GrammarError] = []

    def link(self, root: str) -> Program:
        program = self._program
        grammar = program.grammars[0]
        if root and root not in grammar.rules:
            raise grammar.source.error(f"there is no rule {root!r}", 0, _known_rules(grammar))
        name = root or self._root_name(0)
        if grammar.source.name:
            self._grammar_by_uri[grammar.source.name] = 0
        if name:
            self._enter(0, name)
        else:
            self._enter_public_rules(grammar)
        position = 0
        while position < len(program.rules):  # the list grows while rules are entered
            linked = program.rules[position]
            position += 1
            for reference in references(linked.rule.expansion):
                key = (linked.grammar, reference.uri, reference.name)
                if key not in program.targets:
                    try:
                        program.targets[key] = self._resolve(linked.grammar, reference)
                    except GrammarError as fault:
                        self._faults.append(fault)
                        program.targets[key] = 0
                    if len(self._faults) > _MAX_FAULTS:
                        raise _joined(self._faults)
        if self._faults:
            raise _joined(self._faults)
        for index, document in enumerate(program.grammars):
            if document.lexicons:
                program.lexicons[index] = self._entries(index)
        return program

    def _entries(self, index: int) -> dict[str, pls.Entry]:
        """Return the lexicons of a grammar; one that cannot be had is a warning, as SRGS 1.0 (4.10) wants it."""
        grammar = self._program.grammars[index]
        entries: dict[str, pls.Entry] = {}
        for lexicon in grammar.lexicons:
            uri = urljoin(grammar.base_uri, lexicon.uri)
            try:
                if self._resolver is None:
                    raise LanguageModelNotFoundError("nothing is loaded here")
                entries |= pls.read(self._resolver(uri)[0])
            except AsrError as error:
                self._program.warnings.append(f"the lexicon {lexicon.uri} is left out: {error}")
        return entries

    def _enter(self, grammar: int, name: str) -> int:
        key = (grammar, name)
        if key not in self._rule_ids:
            self._rule_ids[key] = len(self._program.rules)
            self._program.rules.append(LinkedRule(grammar, self._program.grammars[grammar].rules[name]))
        return self._rule_ids[key]

    def _enter_public_rules(self, grammar: Grammar) -> None:
        """JSGF activates every public rule: make a root of all of them."""
        names = [rule.name for rule in grammar.rules.values() if rule.public]
        choice = Choice(0, tuple(Reference(grammar.rules[name].at, name) for name in names))
        self._program.rules.append(LinkedRule(0, Rule("", choice)))
        self._program.warnings.append(f"{len(names)} public rules compete: {', '.join(names)}")

    def _root_name(self, index: int) -> str:
        """Return the root rule of a grammar; "" where several JSGF rules are public."""
        grammar = self._program.grammars[index]
        source = grammar.source
        if grammar.root:
            if grammar.root not in grammar.rules:
                raise source.error(f"the root rule {grammar.root!r} is not defined", 0, _known_rules(grammar))
            return grammar.root
        if not grammar.rules:
            raise source.error("the grammar has no rules", len(source.text), "define at least the root rule")
        public = [rule.name for rule in grammar.rules.values() if rule.public]
        if grammar.notation == "jsgf":
            if not public:
                raise source.error("no rule is public", 0, "write 'public' before the rule to start with")
            return public[0] if len(public) == 1 else ""
        candidates = public or list(grammar.rules)
        if len(candidates) > 1:
            raise source.error("no root rule is declared", 0, "add the declaration: root $name;")
        self._program.warnings.append(f"no root rule is declared; {candidates[0]} is taken")
        return candidates[0]

    def _resolve(self, index: int, reference: Reference) -> int:
        grammar = self._program.grammars[index]
        if reference.uri:
            other = self._load(index, reference.uri, reference.media_type, reference.at)
            self._check_external(index, reference, self._program.grammars[other])
            name = reference.name or self._root_name(other)
            return self._enter_external(index, reference, other, name)
        if reference.name in grammar.rules:
            return self._enter(index, reference.name)
        if grammar.notation == "jsgf":
            return self._resolve_jsgf(index, reference)
        raise grammar.source.error(
            f"the rule ${reference.name} is not defined", reference.at, _known_rules(grammar, reference.name)
        )

    def _check_external(self, index: int, reference: Reference, other: Grammar) -> None:
        """Hold a reference to what it says about the other grammar (SRGS 1.0, 2.2.2)."""
        source = self._program.grammars[index].source
        notation = _NOTATIONS.get(reference.media_type.lower())
        if notation and notation != other.notation:
            raise source.error(
                f"{reference.uri!r} is said to be {reference.media_type} and is not", reference.at, "leave the type out"
            )
        if not reference.name and not other.root and other.notation != "jsgf":
            raise source.error(
                f"{reference.uri!r} declares no root rule", reference.at, f"name a rule: {reference.uri}#rule"
            )

    def _resolve_jsgf(self, index: int, reference: Reference) -> int:
        """Resolve an imported or qualified name (JSGF 1.0, section 4.2)."""
        grammar = self._program.grammars[index]
        qualifier, _, name = reference.name.rpartition(".")
        if qualifier and grammar.name in {qualifier, f"{qualifier}"} and name in grammar.rules:
            return self._enter(index, name)
        for imported in grammar.imports:
            package, _, imported_name = imported.uri.rpartition(".")
            if imported_name not in {"*", name}:
                continue
            if qualifier and package != qualifier and not package.endswith(f".{qualifier}"):
                continue
            other = self._load(index, JSGF_SCHEME + package, "", imported.at)
            rule = self._program.grammars[other].rules.get(name)
            if rule is None and imported_name == "*":
                continue
            return self._enter_external(index, reference, other, name)
        if qualifier:
            other = self._load(index, JSGF_SCHEME + qualifier, "", reference.at)
            return self._enter_external(index, reference, other, name)
        raise grammar.source.error(
            f"the rule <{reference.name}> is not defined", reference.at, _known_rules(grammar, reference.name)
        )

    def _enter_external(self, index: int, reference: Reference, other: int, name: str) -> int:
        grammar = self._program.grammars[other]
        rule = grammar.rules.get(name)
        if rule is None or not (rule.public or name == grammar.root):
            state = "not public" if rule else "not defined"
            raise self._program.grammars[index].source.error(
                f"the rule {name!r} of {grammar.source.name} is {state}", reference.at, _known_rules(grammar, name)
            )
        return self._enter(other, name)

    def _load(self, index: int, uri: str, media_type: str, at: int) -> int:
        grammar = self._program.grammars[index]
        if not uri.startswith(JSGF_SCHEME):
            uri = urljoin(grammar.base_uri, uri)
        known = self._grammar_by_uri.get(uri)
        if known is not None:
            return known
        if uri.startswith(builtin.SCHEME):
            resolver: Resolver | None = lambda name: builtin.resolve(name, grammar.language or "en-US")  # noqa: E731
        else:
            resolver = self._resolver
        if resolver is None:
            raise grammar.source.error(f"{uri!r} cannot be loaded here", at, "put its rules into this grammar")
        if len(self._program.grammars) >= _MAX_GRAMMARS:
            raise grammar.source.error(f"more than {_MAX_GRAMMARS} grammars refer to each other", at)
        try:
            data, content_type = resolver(uri)
            other = read_grammar(data, media_type or content_type, name=uri, external=True)
        except GrammarError:
            raise
        except AsrError as error:
            raise grammar.source.error(f"{uri!r} cannot be loaded: {error}", at) from error
        self._program.grammars.append(other)
        self._program.warnings.extend(f"{uri}: {warning}" for warning in other.warnings)
        self._grammar_by_uri[uri] = len(self._program.grammars) - 1
        return self._grammar_by_uri[uri]


def _known_rules(grammar: Grammar, wanted: str = "") -> str:
    """Return a hint that names the rules there are, the likeliest first."""
    import difflib

    names = difflib.get_close_matches(wanted, list(grammar.rules)[:_MAX_GUESSES], n=3) if wanted else []
    if names:
        return f"did you mean {' or '.join(names)}?"
    names = list(grammar.rules)[:8]
    return f"the rules are: {', '.join(names)}{' …' if len(grammar.rules) > len(names) else ''}" if names else ""


def _joined(faults: list[GrammarError]) -> GrammarError:
    first = faults[0]
    message = "; ".join(f"{fault} (line {fault.line})" for fault in faults[:_MAX_FAULTS])
    if len(faults) == 1:
        message = str(first)
    elif len(faults) > _MAX_FAULTS:
        message += "; and more"
    return GrammarError(message, line=first.line, column=first.column, excerpt=first.excerpt, hint=first.hint)
