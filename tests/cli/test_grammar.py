"""``asr-trio grammar``: output and exit codes of every command."""

from __future__ import annotations

import io
import json

import pytest

from asr_trio.cli.main import main
from asr_trio.grammar.compile import CompiledGrammar

GOOD = "#JSGF V1.0;\ngrammar g;\npublic <r> = [please] (yes {y} | /9/ no {n});\n"


@pytest.fixture
def grammar(tmp_path):
    path = tmp_path / "good.jsgf"
    path.write_text(GOOD)
    return path


@pytest.fixture
def run(capsys):
    def run(*arguments) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["grammar", *map(str, arguments)])
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return run


def test_check(run, grammar):
    code, out, _ = run("check", grammar, "builtin:grammar/time-pt")
    assert code == 0
    assert "1 rule, 3 words" in out
    assert "pt-BR" in out


def test_check_tells_the_place(run, tmp_path):
    path = tmp_path / "bad.jsgf"
    path.write_text("#JSGF V1.0;\ngrammar g;\npublic <r> = (yes | no;\n")
    code, _, err = run("check", path)
    assert code == 2
    assert err.splitlines()[0].endswith("bad.jsgf:3:23: found ';' where ')' must close the '(' of line 3, column 14")
    assert err.splitlines()[2].index("^") == err.splitlines()[1].index(";")
    code, out, _ = run("check", "--json", path)
    assert code == 2
    assert json.loads(out)[0]["error"]["column"] == 23


def test_standard_input(run, grammar, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(grammar.read_bytes())))
    code, out, _ = run("check", "-")
    assert code == 0
    assert out.startswith("-: good")


def test_a_misspelt_option_is_no_file(run, grammar):
    for arguments in (("check", grammar, "--jsn"), ("words", "--jsn", grammar), ("coverage", grammar, "--jsn")):
        code, _, errors = run(*map(str, arguments))
        assert code == 2
        assert "no option --jsn" in " ".join(errors.replace("│", "").split())


def test_a_missing_file(run):
    code, _, err = run("check", "nowhere.gram")
    assert code == 2
    assert "nowhere.gram" in err


@pytest.mark.parametrize("notation", ["abnf", "xml", "jsgf"])
def test_convert_and_parse(run, grammar, tmp_path, notation):
    target = tmp_path / f"converted.{notation}"
    assert run("convert", grammar, "--to", notation, "-o", target)[0] == 0
    code, out, _ = run("parse", "--json", target, "please yes", "no no")
    assert code == 1
    first, second = json.loads(out)
    assert first["interpretations"] == [{"value": "y", "weight": 1.0, "fault": None}]
    assert second["covered"] is False


def test_imports_are_found_beside_the_grammar(run, tmp_path):
    (tmp_path / "com" / "acme").mkdir(parents=True)
    (tmp_path / "com" / "acme" / "digits.gram").write_text(
        "#JSGF V1.0; grammar com.acme.digits; public <d> = <one> | two; <one> = one {1};"
    )
    path = tmp_path / "main.jsgf"
    path.write_text("#JSGF V1.0; grammar main; import <com.acme.digits.*>; public <r> = dial <d>+;")
    assert run("parse", path, "dial two one")[0] == 0
    path.write_text("#ABNF 1.0; root $r; $r = call $<com/acme/digits.gram#d>;")
    assert run("parse", path, "call one")[0] == 0
    path.write_text("#ABNF 1.0; root $r; $r = call $<com/acme/digits.gram#one>;")
    code, _, err = run("parse", path, "call one")
    assert code == 2
    assert "not public" in err


def test_compile(run, grammar, tmp_path):
    target = tmp_path / "good.bin"
    assert run("compile", grammar, "-o", target)[0] == 0
    assert set(CompiledGrammar.from_bytes(target.read_bytes()).words) == {"please", "yes", "no"}


def test_generate_draws_by_weight(run, grammar):
    code, out, _ = run("generate", grammar, "-n", "200", "--seed", "1")
    assert code == 0
    assert 150 < sum(line.endswith("no") for line in out.splitlines()) < 200


def test_coverage(run, grammar, tmp_path):
    phrases = tmp_path / "phrases.txt"
    phrases.write_text('# comment\nyes\nplease no\tn\nplease yes\t"y"\n!maybe\n')
    assert run("coverage", grammar, phrases)[:2] == (0, "4 of 4 as they should be\n")
    phrases.write_text("maybe\n!yes\nno\ty\nno\n")
    code, out, _ = run("coverage", grammar, phrases)
    assert code == 1
    assert out.splitlines() == [
        "maybe: is not covered",
        "yes: is covered and must not be",
        'no: means "n", not "y"',
        "1 of 4 as they should be",
    ]


def test_words(run, grammar):
    code, out, _ = run("words", grammar, "--json")
    assert code == 0
    assert {"word": "yes", "from": "dictionary", "pronunciations": ["Y EH S"]} in json.loads(out)
    grammar.write_text('#JSGF V1.0; grammar g; public <a> = "new york" | zorp | &&;')
    code, out, _ = run("words", grammar)
    assert code == 1
    assert out.splitlines() == ["&&\tnone\t", "new york\tdictionary\tN UW Y AO R K", "zorp\tspelling\tZ AO R P"]
    code, out, _ = run("words", "builtin:grammar/boolean-pt")
    assert code == 0
    assert "não\tspelling\tN AW N; N AW" in out.splitlines()


def test_a_file_that_is_not_there_does_not_keep_others_from_being_checked(run, grammar, tmp_path):
    code, out, err = run("check", tmp_path / "missing.jsgf", grammar)
    assert code == 2
    assert out.startswith(f"{grammar}: good")
    assert err == f"{tmp_path / 'missing.jsgf'}: No such file or directory\n"


def test_nothing_to_check_is_wrong_use(run):
    code, out, _ = run("check")
    assert (code, out) == (2, "")


def test_a_warning_names_its_grammar(run, tmp_path):
    path = tmp_path / "unknown.jsgf"
    path.write_text("#JSGF V1.0;\ngrammar g;\npublic <r> = xyzzyq;\n")
    _, _, err = run("check", path)
    assert err == f"{path}: warning: pronounced by their spelling: xyzzyq\n"


@pytest.mark.parametrize("command", [("compile",), ("convert", "--to", "xml")])
def test_a_file_that_cannot_be_written_is_told(run, grammar, tmp_path, command):
    target = tmp_path / "nowhere" / "out"
    code, _, err = run(*command, grammar, "-o", target)
    assert (code, err) == (2, f"asr-trio: {target}: No such file or directory\n")


def test_conversion_as_json(run, grammar):
    code, out, _ = run("convert", grammar, "--to", "abnf", "--json")
    assert code == 0
    converted = json.loads(out)
    assert converted["grammar"].startswith("#ABNF 1.0")
    assert converted["warnings"] == []


def test_phrases_to_cover_may_come_from_standard_input(run, grammar, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"please yes\n!maybe\n")))
    code, out, _ = run("coverage", grammar, "-")
    assert (code, out) == (0, "2 of 2 as they should be\n")


def test_fewer_than_one_sentence_cannot_be_drawn(run, grammar):
    assert run("generate", grammar, "-n", "0")[0] == 2
