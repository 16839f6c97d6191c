"""Joins the C library into one source file: ``python csrc/amalgamate.py FOLDER`` writes asr_dsp.c and .h there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
INCLUDE = re.compile(r'^#include "(?P<name>[^"]+)"\n', re.MULTILINE)
PUBLIC = "asr_dsp.h"


def amalgamate(folder: Path) -> None:
    """Write asr_dsp.c and asr_dsp.h into `folder`.

    Internal headers are put in once, in front of the first source that wants them. What is static in two sources gets
    the name of its source appended, so that each keeps its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    header = (HERE / "include" / PUBLIC).read_text(encoding="ascii")
    (folder / PUBLIC).write_text(header, encoding="ascii")
    sources = {path: path.read_text(encoding="ascii") for path in sorted((HERE / "src").glob("*.c"))}
    owners: dict[str, list[Path]] = {}
    for path, text in sources.items():
        for name in _file_names(text):
            owners.setdefault(name, []).append(path)
    seen: set[str] = set()
    parts = [f'/* Made by amalgamate.py from csrc/src. See {PUBLIC} for the licence. */\n#include "{PUBLIC}"\n']
    for path, text in sources.items():
        clashing = [name for name, files in owners.items() if len(files) > 1 and path in files]
        for name in clashing:
            text = re.sub(rf"\b{name}\b", f"{name}_{path.stem}", text)  # noqa: PLW2901
        macros = sorted(set(re.findall(r"^#define (\w+)", text, re.MULTILINE)))
        body = INCLUDE.sub(lambda match: _header(match["name"], seen), text)
        undefine = "".join(f"#undef {name}\n" for name in macros)
        parts.append(f"\n/* ==== {path.name} ==== */\n{body}{undefine}")
    (folder / "asr_dsp.c").write_text("".join(parts), encoding="ascii")


def _file_names(text: str) -> set[str]:
    """Return what a source defines for itself at file level: functions, objects, types and their tags."""
    return {
        *re.findall(r"^(?:[A-Z_]\w* )?static (?:inline )?(?:const )?(?:struct )?\w+ \**(\w+)\b", text, re.MULTILINE),
        *re.findall(r"^\} (\w+);", text, re.MULTILINE),
        *re.findall(r"^typedef (?:struct|enum) (\w+) \{", text, re.MULTILINE),
    }


def _header(name: str, seen: set[str]) -> str:
    if name == PUBLIC or name in seen:
        return ""
    seen.add(name)
    text = (HERE / "src" / name).read_text(encoding="ascii")
    return INCLUDE.sub(lambda match: _header(match["name"], seen), text)


if __name__ == "__main__":
    amalgamate(Path(sys.argv[1]))
