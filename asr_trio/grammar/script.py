"""Script tags: Semantic Interpretation for Speech Recognition 1.0 (W3C Recommendation, 2007).

A parse tree is turned into one nested expression: each matched rule is a function of its own, with `out`, `rules` and
`meta` as the standard has them, whose tags run in the order of the words. So one evaluation in a fresh sandbox gives
the value, and nothing of one interpretation can reach the next. The sandbox has no files, no network and no timers;
memory, stack and processor time are bounded.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import quickjs

from asr_trio.errors import GrammarError
from asr_trio.grammar.model import uses_scripts

if TYPE_CHECKING:
    from asr_trio.grammar.compile import CompiledGrammar
    from asr_trio.grammar.semantics import RuleMatch

MEMORY_BYTES: Final = 16 * 1024 * 1024
STACK_BYTES: Final = 256 * 1024
TIME_S: Final = 0.25
"""Processor time of the whole process: a script that needs a hundredth of it is already unusual."""

MAX_VALUE_CHARACTERS: Final = 256 * 1024

MAX_VALUE_DEPTH: Final = 64
_BRACKET: Final = re.compile(r"[\[\]{}]")

_PRELUDE: Final = """
const __write = JSON.stringify;
let __score = 1;
class __Frame {
  constructor() { this.rules = {}; this.meta = {}; this.last = undefined; this.lastText = '';
    const frame = this;
    this.current = {text: '', score: 1};
    const hidden = (object, name, value) => Object.defineProperty(object, name, {value, enumerable: false});
    hidden(this.rules, 'latest', () => frame.last);
    hidden(this.meta, 'latest', () => ({text: frame.lastText, score: 1}));
    hidden(this.meta, 'current', () => frame.current); }
  add(name, value, text) { this.last = value; this.lastText = text;
    if (name !== 'latest') { this.rules[name] = value; }
    if (name !== 'latest' && name !== 'current') { this.meta[name] = {text, score: 1}; } }
  end(out) { const score = Number(this.current.score); __score *= score >= 0 && score <= 1 ? score : 1; return out; }
}
"""


def run(compiled: CompiledGrammar, tree: RuleMatch) -> tuple[Any, float]:
    """Return the value of a parse tree whose rules have scripts, and the score that they gave it, in [0, 1].

    The score is 1 unless a tag says otherwise (``meta.current().score = 0.5``, an extension): a check digit that does
    not fit makes a reading less likely, not impossible.

    Raises:
        GrammarError: a script fails or passes a limit.
    """
    context = _sandbox()
    try:
        context.eval(_PRELUDE)
        for index, header in enumerate(compiled.headers):
            _run_header(context, index, header, alone=len(compiled.headers) == 1)
        written = context.eval(f"__write([{_expression(compiled, tree)}, __score])")
    except RecursionError as error:
        raise GrammarError(
            "the rules nest too deep for their scripts", hint="use repeats instead of recursion"
        ) from error
    except (quickjs.JSException, quickjs.StackOverflow, ValueError) as error:
        raise GrammarError(f"a tag failed: {_first_line(error)}", hint="see asr-trio grammar parse") from error
    if not isinstance(written, str) or len(written) > MAX_VALUE_CHARACTERS:
        raise GrammarError("a tag made a value that is too long")
    if _depth(written) > MAX_VALUE_DEPTH:
        raise GrammarError("a tag made a value that is nested too deep")
    value, score = json.loads(written)
    return value, float(score)


def _depth(written: str) -> int:
    """Return how deep JSON text nests; brackets inside of strings count as well, which errs on the safe side."""
    deepest = depth = 0
    for bracket in _BRACKET.finditer(written):
        depth += 1 if bracket[0] in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def syntax_faults(scripts: list[str]) -> dict[int, str]:
    """Return what is wrong with scripts that are none, by their index."""
    faults = {index: "a null character" for index, text in enumerate(scripts) if "\0" in text}
    if faults:
        return faults
    context = _sandbox()
    check = (
        "(list => list.map(text => { try { new Function(text); return ''; } catch (error) { return String(error); } }))"
    )
    try:
        found = json.loads(context.eval(f"JSON.stringify({check}({json.dumps(scripts)}))"))
    except quickjs.JSException:  # the limits of the sandbox, reached by their number
        return {}
    return {index: fault for index, fault in enumerate(found) if fault}


def _sandbox() -> quickjs.Context:
    context = quickjs.Context()
    context.set_memory_limit(MEMORY_BYTES)
    context.set_max_stack_size(STACK_BYTES)
    context.set_time_limit(TIME_S)
    return context


def _run_header(context: quickjs.Context, index: int, header: list[str], *, alone: bool) -> None:
    """Run the global scripts of a document (SISR 1.0, 3.2.4), in a scope of its own where there are several."""
    text = "\n;".join(header)
    if alone:
        context.eval(text)
    else:
        context.eval(f"const __scope{index} = (function () {{ {text}\n; return __c => eval(__c); }})()")


def _expression(compiled: CompiledGrammar, tree: RuleMatch) -> str:
    """Return the expression whose value is that of the tree."""
    from asr_trio.grammar.semantics import RuleMatch, text_of

    alone = len(compiled.headers) == 1

    def of_rule(match: RuleMatch) -> str:
        """Return the expression of one rule; recursion is bounded by the stack limit on the result."""
        grammar = compiled.rule_grammars[match.rule]
        scripted = uses_scripts(compiled.tag_formats[grammar])
        tagged = any(isinstance(part, int) for part in match.parts)
        body = ["var out = {}, rules = __f.rules, meta = __f.meta;"]
        said: list[str] = []
        for part in match.parts:
            if isinstance(part, RuleMatch):
                text = text_of(part)
                said.append(text)
                name = json.dumps(compiled.rule_names[part.rule])
                body.append(f"__f.add({name}, {of_rule(part)}, {json.dumps(text)});")
            elif isinstance(part, int):
                tag = compiled.tags[part]
                if not scripted:
                    body.append(f"out = {json.dumps(tag)};")
                    continue
                if "meta" in tag:
                    body.append(f"__f.current.text = {json.dumps(' '.join(filter(None, said)))};")
                body.append(f"{tag}\n;")
            else:
                said.append(part.text)
        if not tagged:
            referred = any(isinstance(part, RuleMatch) for part in match.parts)
            body.append("out = rules.latest();" if referred else f"out = {json.dumps(' '.join(said))};")
        code = f"(function (__f) {{ {' '.join(body)} return __f.end(out); }})(new __Frame())"
        return code if alone else f"__scope{grammar}({json.dumps(code)})"

    return of_rule(tree)


def _first_line(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return "out of memory" if text in {"", "null"} else text
