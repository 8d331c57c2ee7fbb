"""The fenced blocks of the documentation, for tests that need more than the program: tests/documents runs the rest."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FENCE = re.compile(r"^( *)```([a-z]+)\n(.*?)^ *```$", re.M | re.S)


@dataclass
class Block:
    """One fenced block, with its page."""

    page: str
    language: str
    text: str


def blocks(*languages: str) -> list[Block]:
    """The blocks of every page in one of these languages."""
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "packaging/README.md")]
    found = []
    for page in [*pages, *sorted((ROOT / "docs").rglob("*.md"))]:
        for indent, language, text in FENCE.findall(page.read_text()):
            if language in languages:
                found.append(Block(str(page.relative_to(ROOT)), language, re.sub(f"^{indent}", "", text, flags=re.M)))
    return found


def command_lines(block: Block) -> Iterator[list[str]]:
    """The words of each command line of a shell block. A quoted word can span lines."""
    line = ""
    for part in re.sub(r"[\\^`]\n", " ", block.text).splitlines():
        line += part
        lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
        lexer.whitespace_split, lexer.escape = True, "" if block.language != "sh" else "\\"
        try:
            yield list(lexer)
            line = ""
        except ValueError:
            line += "\n"
    assert not line, f"{block.page}: a quotation mark is not closed"


def commands(program: str) -> list[tuple[str, list[str]]]:
    """Every command of a shell block that begins with this word, as a page and its words."""
    found = []
    for block in blocks("sh", "bat", "powershell"):
        for words in command_lines(block):
            starts = [at for at, word in enumerate(words) if word == program and (at == 0 or set(words[at - 1]) <= set("();<>|&$"))]
            for start in starts:
                end = next((at for at in range(start, len(words)) if set(words[at]) <= set("();<>|&")), len(words))
                found.append((block.page, words[start + 1 : end]))
    return found
