"""Several grammars in one graph."""

from __future__ import annotations

from asr_trio.grammar.unite import unite


def test_every_path_belongs_to_one_grammar(compile_text):
    grammars = [
        compile_text("#ABNF 1.0; root $r; $r = yes | no thanks;"),
        compile_text("#ABNF 1.0; root $r; $r = (one | yes)<1->;"),
        compile_text("#ABNF 1.0; root $r; $r = /1/ yes | /3/ no [no];"),
    ]
    united = unite(grammars)
    graph = united.graph
    arcs: dict[int, list[tuple[int, int]]] = {}
    for source, target, word in zip(graph.sources, graph.targets, graph.words, strict=True):
        arcs.setdefault(source, []).append((target, word))
    found: set[tuple[int, str]] = set()
    todo: list[tuple[int, tuple[int, ...]]] = [(graph.start, ())]
    while todo:
        state, words = todo.pop()
        if state == graph.final and words:
            members = {united.members[word] for word in words}
            assert len(members) == 1
            found.add((members.pop(), " ".join(united.words[word] for word in words)))
        if len(words) < 2:
            todo += [(target, (*words, word) if word >= 0 else words) for target, word in arcs.get(state, ())]
        else:
            todo += [(target, words) for target, word in arcs.get(state, ()) if word < 0]
    assert found == {
        *((0, text) for text in ("yes", "no thanks")),
        *((1, text) for text in ("yes", "one", "yes yes", "yes one", "one yes", "one one")),
        *((2, text) for text in ("yes", "no", "no no")),
    }
    assert graph.accepts_silence
    assert len(united.pronunciations) == len(united.words) == len(united.members)
