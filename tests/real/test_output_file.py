"""Cache trouble never costs the caller a token that was obtained: whatever is at the path of the output file or of its
lock, the document is printed, the exit status is 0 and stderr is empty. And a poisoned file is replaced.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from support.places import missing, need
from support_net import BIN, clean_env, jwt, token_of, wif

GOOD = {"version": 1, "success": True, "token_type": "urn:ietf:params:oauth:token-type:jwt",
        "id_token": jwt(sub="poison"), "expiration_time": int(time.time()) + 3000}


@pytest.fixture
def token(tmp_path):
    (tmp_path / "token").write_text(text := jwt())
    return text


def run(tmp_path, output, **more):
    return wif("file", f"--path={tmp_path / 'token'}", f"--output-file={output}", "--timeout=5", **more)


def leftovers(folder):
    return sorted(set(os.listdir(folder)) - {"token", "out.json", "out.json.lock"})


# Poison

POISON = {
    "nothing": b"", "{}": b"{}", "an array": b"[]", "a number": b"1", "null": b"null", "not UTF-8": b"\xff\xfe{}",
    "truncated": json.dumps(GOOD).encode()[:-40], "two documents": json.dumps(GOOD).encode() * 2,
    "a failure": json.dumps({"version": 1, "success": False, "code": "DENIED", "message": "no"}).encode(),
    "version 2": json.dumps(GOOD | {"version": 2}).encode(),
    "no expiry": json.dumps({k: v for k, v in GOOD.items() if k != "expiration_time"}).encode(),
    "expiry in milliseconds": json.dumps(GOOD | {"expiration_time": int(time.time() * 1000) + 3_000_000}).encode(),
    "expiry as a string": json.dumps(GOOD | {"expiration_time": str(GOOD["expiration_time"])}).encode(),
    "no token": json.dumps({k: v for k, v in GOOD.items() if k != "id_token"}).encode(),
    "no request": json.dumps(GOOD).encode(),
    "another request": json.dumps(GOOD | {"wif_token_request": "0" * 64}).encode(),
    "5 MB of garbage": b"\x00garbage" * 655_360, "5 MB of blanks": b" " * 5_000_000,
    "deep nesting": b"[" * 200_000,
}


@pytest.mark.parametrize("poison", POISON)
def test_a_poisoned_file_is_replaced(tmp_path, token, poison):
    output = tmp_path / "out.json"
    output.write_bytes(POISON[poison])
    output.chmod(0o644)
    assert run(tmp_path, output).token() == token
    assert token_of(json.loads(output.read_text())) == token
    assert output.stat().st_mode & 0o777 == 0o600 and leftovers(tmp_path) == []


def test_what_was_stored_for_this_request_is_poison_once_it_is_changed(tmp_path, token):
    """The digest alone does not make a document good."""
    output = tmp_path / "out.json"
    assert run(tmp_path, output).token() == token
    stored = json.loads(output.read_text())
    for change in ({"version": 2}, {"success": False}, {"expiration_time": int(time.time()) - 1},
                   {"expiration_time": None}, {"id_token": ""}, {"id_token": None}):
        output.write_text(json.dumps(stored | change))
        assert run(tmp_path, output).token() == token, change
        assert json.loads(output.read_text())["id_token"] == token, change


def test_the_stored_document_is_what_is_printed_the_next_time(tmp_path, token):
    """The control of the tests above: a good file is not replaced."""
    output = tmp_path / "out.json"
    first = run(tmp_path, output)
    before = (output.stat().st_ino, output.read_bytes())
    (tmp_path / "token").unlink()
    assert run(tmp_path, output).stdout == first.stdout and first.token() == token
    assert (output.stat().st_ino, output.read_bytes()) == before


def test_what_a_killed_run_left_is_removed_by_the_next_one(tmp_path, token):
    """Beside an absolute path and beside a bare name; what belongs to others stays."""
    for output in (str(tmp_path / "out.json"), "out.json"):
        (tmp_path / ".out.json.aB3xYz.wif-token.tmp").write_text("half a docu")
        (tmp_path / ".other.json.aB3xYz.wif-token.tmp").write_text("another output file's")
        assert run(tmp_path, output, cwd=tmp_path).token() == token
        assert leftovers(tmp_path) == [".other.json.aB3xYz.wif-token.tmp"], output
        (tmp_path / "out.json").unlink()


# Something else in the way

def test_a_directory_in_the_way(tmp_path, token):
    for name in ("out.json", "second.json.lock"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kept").touch()
        assert run(tmp_path, tmp_path / name.removesuffix(".lock")).token() == token, name
        assert (tmp_path / name / "kept").exists(), name


def test_a_directory_that_does_not_exist(tmp_path, token):
    assert run(tmp_path, tmp_path / "absent/out.json").token() == token
    assert run(tmp_path, tmp_path / "token/out.json").token() == token


def test_a_symbolic_link_in_the_place_of_the_output_file_is_replaced_and_its_target_untouched(tmp_path, token):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "out.json").symlink_to(tmp_path / "victim")
    assert run(tmp_path, tmp_path / "out.json").token() == token
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "out.json").is_symlink()
    assert token_of(json.loads((tmp_path / "out.json").read_text())) == token


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_in_the_place_of_the_lock_is_not_followed(tmp_path, token, exists):
    victim = tmp_path / "victim"
    if exists:
        victim.write_text("precious")
    (tmp_path / "out.json.lock").symlink_to(victim)
    assert run(tmp_path, tmp_path / "out.json").token() == token
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
    folder = tmp_path / "small"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=64k", "none", str(folder))
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    with open(folder / "ballast", "wb", buffering=0) as ballast:
        with pytest.raises(OSError, match="No space left"):
            while True:
                ballast.write(b"x" * 4096)


def test_a_full_disk(tmp_path, token, small):
    """The old file stays as it was, and nothing half-written stays beside it."""
    old = json.dumps(GOOD | {"expiration_time": int(time.time()) - 60}).encode()
    (small / "out.json").write_bytes(old)
    fill(small)
    assert run(tmp_path, small / "out.json").token() == token
    assert (small / "out.json").read_bytes() == old and leftovers(small) == ["ballast"]
    (small / "ballast").unlink()
    assert run(tmp_path, small / "out.json").token() == token
    assert token_of(json.loads((small / "out.json").read_text())) == token


def test_a_read_only_directory(tmp_path, token, small):
    mount("-o", "remount,ro", str(small))
    assert run(tmp_path, small / "out.json").token() == token
    assert os.listdir(small) == []


def test_another_users_directory_and_another_users_lock(token, tmp_path):
    """As nobody: a directory that may not be written to, then one that may, with a lock that may not be opened."""
    if os.geteuid() != 0:
        missing("running as another user needs root")
    folder = Path(tempfile.mkdtemp(prefix="wif-token-shared-"))  # pytest's own folder is closed to others
    nobody = {"program": shutil.copy(BIN, folder), "user": 65534, "group": 65534, "extra_groups": []}
    try:
        shutil.copy(tmp_path / "token", folder / "token")
        (folder / "token").chmod(0o644)
        folder.chmod(0o755)
        assert run(folder, folder / "out.json", **nobody).token() == token
        assert not (folder / "out.json").exists()
        folder.chmod(0o777)
        (folder / "out.json.lock").touch(mode=0o600)
        assert run(folder, folder / "out.json", **nobody).token() == token
    finally:
        shutil.rmtree(folder)


def test_a_disk_that_is_full_for_the_log_file_too(tmp_path, token, small):
    fill(small)
    done = wif("file", f"--path={tmp_path / 'token'}", f"--log-file={small / 'log'}", env=clean_env())
    assert done.token() == token
