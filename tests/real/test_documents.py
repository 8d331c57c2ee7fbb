"""The real parsers read the commands of gcloud, the files of Terraform and the Python programs in the documentation.

The blocks that need nothing but the program are run by tests/documents.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess

from support.pages import blocks, commands
from support.places import HERE, need


def understood_by_gcloud(lines: list[list[str]], folder) -> tuple[list[bool], str]:
    """Whether gcloud's parser accepts each command, and its messages about the others."""
    sdk = need("gcloud").resolve().parents[1]
    bundled = sdk / "platform" / "bundledpythonunix" / "bin" / "python3"
    python = bundled if bundled.exists() else "python3"
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "CLOUDSDK_CONFIG": str(folder / "gcloud"), "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
    script = [str(python), "-B", str(HERE / "support" / "parse_gcloud.py"), str(sdk)]
    done = subprocess.run(script, input=json.dumps(lines), env=env, capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def test_gcloud_knows_every_command_and_option(tmp_path):
    """The commands of every page are parsed. The files that options name exist, because the parser reads some of them."""
    file = tmp_path / "file.json"
    file.write_text("{}")
    known = commands("gcloud")
    assert len(known) > 10
    lines = [[re.sub(r"^(--[a-z-]+-(?:path|file))=.*", rf"\1={file}", word) for word in words] for _, words in known]
    understood, said = understood_by_gcloud([*lines, ["iam", "workload-identity-pools", "frobnicate"]], tmp_path)
    assert understood.pop() is False
    assert [f"{page}: gcloud {' '.join(words)}" for (page, words), known in zip(known, understood, strict=True) if not known] == [], said


def test_terraform_reads_the_terraform_files():
    """`terraform fmt` parses what it formats."""
    for block in blocks("hcl"):
        done = subprocess.run([need("terraform"), "fmt", "-"], input=block.text, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (0, block.text), f"{block.page}: {done.stderr}"


def test_python_reads_the_python_programs():
    """Python compiles the programs on the pages."""
    for block in blocks("python"):
        ast.parse(block.text, block.page)
