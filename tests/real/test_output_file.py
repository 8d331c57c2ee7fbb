"""A failure of the cache never costs the caller a token: whatever is at the path of the output file or of its
lock, the document is printed, the exit status is 0 and stderr is empty. A file with an unusable document is replaced.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from support.places import missing, need
from support.program import JWT, token_of
from support.signer import some_token

GOOD = {"version": 1, "success": True, "token_type": JWT,
        "id_token": some_token(sub="poison"), "expiration_time": int(time.time()) + 12 * 3600}


@pytest.fixture
def folder(asked):
    """The home of the program, in which it may leave only the output file and the lock."""
    return asked.home


@pytest.fixture
def token(folder):
    """A token in a file of that folder."""
    (folder / "token").write_text(text := some_token())
    return text


@pytest.fixture
def run(asked, token):
    """Runs the program with this token and this output file."""
    return lambda output: asked.run("file", "--path=token", f"--output-file={output}", "--timeout=5")


def leftovers(folder):
    return sorted(set(os.listdir(folder)) - {"token", "out.json", "out.json.lock"})


# Poison

POISON = {
    "nothing": b"", "{}": b"{}", "a byte order mark": b"\xef\xbb\xbf{}",
    "truncated": json.dumps(GOOD).encode()[:-40], "two documents": json.dumps(GOOD).encode() * 2,
    "a failure": json.dumps({"version": 1, "success": False, "code": "DENIED", "message": "no"}).encode(),
    "version 2": json.dumps(GOOD | {"version": 2}).encode(),
    "no expiry": json.dumps({k: v for k, v in GOOD.items() if k != "expiration_time"}).encode(),
    "expiry in milliseconds": json.dumps(GOOD | {"expiration_time": GOOD["expiration_time"] * 1000}).encode(),
    "expiry as a string": json.dumps(GOOD | {"expiration_time": str(GOOD["expiration_time"])}).encode(),
    "no token": json.dumps({k: v for k, v in GOOD.items() if k != "id_token"}).encode(),
    "no request": json.dumps(GOOD).encode(),
    "another request": json.dumps(GOOD | {"wif_token_request": "0" * 64}).encode(),
    "5 MB of spaces": b" " * 5_000_000, "zero bytes": b"\0" * 4096,
}

OTHERS = {
    "an array": b"[]", "a number": b"1", "null": b"null", "not UTF-8": b"\xff\xfe{}", "a key": b"-----BEGIN PRIVATE KEY-----\n",
    "a configuration": b'{"type": "external_account"}', "5 MB of garbage": b"\x00garbage" * 655_360, "deep nesting": b"[" * 200_000,
}


@pytest.mark.parametrize("poison", POISON)
def test_a_poisoned_file_is_replaced(folder, run, token, poison):
    output = folder / "out.json"
    output.write_bytes(POISON[poison])
    output.chmod(0o644)
    assert run(output).token == token
    assert token_of(json.loads(output.read_text())) == token
    assert output.stat().st_mode & 0o777 == 0o600 and leftovers(folder) == []


@pytest.mark.parametrize("other", OTHERS)
def test_a_file_with_another_content_is_left_alone(folder, run, token, other):
    output = folder / "out.json"
    output.write_bytes(OTHERS[other])
    assert run(output).token == token
    assert output.read_bytes() == OTHERS[other] and leftovers(folder) == []


def test_a_changed_output_file_of_this_request_is_not_used(folder, run, token):
    """The digest of the request alone does not make a document valid."""
    output = folder / "out.json"
    assert run(output).token == token
    stored = json.loads(output.read_text())
    for change in ({"version": 2}, {"success": False}, {"expiration_time": int(time.time()) - 1},
                   {"expiration_time": None}, {"id_token": ""}, {"id_token": None}):
        output.write_text(json.dumps(stored | change))
        assert run(output).token == token, change
        assert json.loads(output.read_text())["id_token"] == token, change


def test_the_stored_document_is_what_is_printed_the_next_time(folder, run, token):
    """This control shows that a valid file is not replaced."""
    output = folder / "out.json"
    first = run(output)
    before = (output.stat().st_ino, output.read_bytes())
    (folder / "token").unlink()
    assert run(output).stdout == first.stdout and first.token == token
    assert (output.stat().st_ino, output.read_bytes()) == before


def test_files_of_a_killed_run_are_removed_by_the_next_run(folder, run, token):
    """The output file is given as an absolute path and as a bare name. Files of other programs remain."""
    for output in (str(folder / "out.json"), "out.json"):
        (folder / ".out.json.aB3xYz.wif-token.tmp").write_text("half a docu")
        (folder / ".other.json.aB3xYz.wif-token.tmp").write_text("another output file's")
        assert run(output).token == token
        assert leftovers(folder) == [".other.json.aB3xYz.wif-token.tmp"], output
        (folder / "out.json").unlink()


# Other things at the path

def test_a_directory_in_the_way(folder, run, token):
    for name in ("out.json", "second.json.lock"):
        (folder / name).mkdir()
        (folder / name / "kept").touch()
        assert run(folder / name.removesuffix(".lock")).token == token, name
        assert (folder / name / "kept").exists(), name


def test_a_directory_that_does_not_exist(folder, run, token):
    assert run(folder / "absent/out.json").token == token
    assert run(folder / "token/out.json").token == token


def test_a_symbolic_link_in_the_place_of_the_output_file_and_its_target_are_untouched(folder, run, token):
    (folder / "victim").write_text("precious")
    (folder / "out.json").symlink_to(folder / "victim")
    assert run(folder / "out.json").token == token
    assert (folder / "victim").read_text() == "precious"
    assert (folder / "out.json").is_symlink()


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_in_the_place_of_the_lock_is_not_followed(folder, run, token, exists):
    victim = folder / "victim"
    if exists:
        victim.write_text("precious")
    (folder / "out.json.lock").symlink_to(victim)
    assert run(folder / "out.json").token == token
    assert victim.read_text() == "precious" if exists else not victim.exists()


# File systems that refuse

def mount(*options):
    if os.geteuid() != 0:
        missing("mounting a file system needs root")
    done = subprocess.run([need("mount"), *options], capture_output=True, text=True)
    if done.returncode != 0:
        missing(f"mounting does not work here: {done.stderr.strip()}")


@pytest.fixture
def small(tmp_path):
    """A file system of 64 KiB."""
    found = tmp_path / "small"
    found.mkdir()
    mount("-t", "tmpfs", "-o", "size=64k", "none", str(found))
    yield found
    subprocess.run(["umount", "-l", str(found)], check=True)


def fill(folder):
    with open(folder / "ballast", "wb", buffering=0) as ballast:
        with pytest.raises(OSError, match="No space left"):
            while True:
                ballast.write(b"x" * 4096)


def test_a_full_disk(run, small, token):
    """The old file is unchanged, and no incomplete file remains next to it."""
    old = json.dumps(GOOD | {"expiration_time": int(time.time()) - 60}).encode()
    (small / "out.json").write_bytes(old)
    fill(small)
    assert run(small / "out.json").token == token
    assert (small / "out.json").read_bytes() == old and leftovers(small) == ["ballast"]
    (small / "ballast").unlink()
    assert run(small / "out.json").token == token
    assert token_of(json.loads((small / "out.json").read_text())) == token


def test_a_read_only_directory(run, small, token):
    mount("-o", "remount,ro", str(small))
    assert run(small / "out.json").token == token
    assert os.listdir(small) == []


def test_another_users_directory_and_another_users_lock(asked):
    """The user nobody runs the program: first in a directory that it cannot write, then with a lock that it cannot open.
    """
    if os.geteuid() != 0:
        missing("running as another user needs root")
    shared = Path(tempfile.mkdtemp(prefix="wif-token-shared-"))  # other users cannot access pytest's own folder
    moved = replace(asked, home=shared, path=Path(shutil.copy(asked.path, shared)))
    nobody = {"user": 65534, "group": 65534, "extra_groups": [], "logs": False}
    try:
        (shared / "token").write_text(token := some_token())
        (shared / "token").chmod(0o644)
        shared.chmod(0o755)
        words = ("file", "--path=token", "--output-file=out.json", "--timeout=5")
        assert moved.run(*words, **nobody).token == token
        assert not (shared / "out.json").exists()
        shared.chmod(0o777)
        (shared / "out.json.lock").touch(mode=0o600)
        assert moved.run(*words, **nobody).token == token
    finally:
        shutil.rmtree(shared)


def test_a_disk_that_is_full_for_the_log_file_too(asked, token, small):
    fill(small)
    assert asked.run("file", "--path=token", f"--log-file={small / 'log'}", logs=False).token == token
