"""The Dockerfile's command as a container has it: another user, no home, a root that cannot be written to."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from places import ROOT

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
USER = 1000
HEAD = {"Host": "somebody-faces.hf.space", "Content-Type": "application/json", "X-Sefa-Visitor": "a"}


def instruction(name):
    """The words of an instruction of the Dockerfile."""
    (line,) = re.findall(rf"^{name} (.*)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    return json.loads(line) if line.startswith("[") else line.split()


def contained(folder, scratch, environ):
    """A process that sees every file system as read-only (but ``scratch``), as another user, in an empty folder.

    This computer's Python may lie in a folder of root: the user may read everything, and write nothing.
    """
    sefa = f"{sys.executable} -P -m sefa_plugin"
    words = [word.replace("exec sefa ", f"exec {sefa} ") for word in instruction("CMD")]
    mounts = f"""
        mount --make-rprivate / && mount -t tmpfs tmpfs /mnt && chmod 755 /mnt && mkdir /mnt/home &&
        {f"mount --bind {scratch} {scratch} &&" if scratch else ""}
        awk '{{print $2}}' /proc/mounts | while read -r place; do
            mount -o remount,bind,ro "$place" 2>/dev/null || true
        done
        {f"mount -o remount,bind,rw {scratch} &&" if scratch else ""}
        cd /mnt/home && exec setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs \\
            --inh-caps +dac_read_search --ambient-caps +dac_read_search "$@"
    """
    with open(folder / "log", "w") as log:
        command = ["unshare", "--mount", "--ipc", "sh", "-c", mounts, "sh", *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environ, text=True)


def ask(address, path, body=None, **head):
    request = urllib.request.Request(address + path, body and json.dumps(body).encode(), {**HEAD, **head})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


@pytest.mark.parametrize("temporary", [True, False])
def test_a_space(tmp_path, temporary):
    if os.geteuid() or not shutil.which("unshare") or not shutil.which("setpriv"):
        pytest.skip("needs root, unshare and setpriv")
    scratch = tmp_path / "scratch" if temporary else None
    if scratch:
        scratch.mkdir()
        scratch.chmod(0o777)
    environ = dict(word.split("=") for word in instruction("ENV"))
    assert environ["PORT"] == "7860" and instruction("EXPOSE") == ["7860"] and environ["NETWORK"] == "demo"
    environ |= {"PORT": "0", "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environ |= {"SPACE_HOST": HEAD["Host"], "HOME": "/nonexistent", "TMPDIR": str(scratch or "/mnt/home")}
    process = contained(tmp_path, scratch, environ)
    try:
        line = process.stdout.readline().strip()
        log = (tmp_path / "log").read_text()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", line), log
        assert ("visitors get no videos" in log) != temporary
        address = line.rstrip("/")
        status, mounted = (Path(f"/proc/{process.pid}/{name}").read_text() for name in ("status", "mounts"))
        assert f"Uid:\t{USER}\t{USER}" in status
        writable = [row.split()[1] for row in mounted.splitlines() if row.split()[3].split(",")[0] == "rw"]
        assert not {"/", "/tmp", "/mnt"} & set(writable)

        about = json.loads(ask(address, "/api/studio"))
        (network,) = about["networks"]
        assert about["shared"] and network["name"] == "demo"
        edits = [{"layers": "all", "index": 0, "distance": 1.0}]
        state = {"network": network["id"], "seed": 1, "edits": edits}
        assert ask(address, "/api/frame", state)[:4] == b"\x89PNG"
        path = f"/api/directions?network={network['id']}&layers=all&count=2"
        end = time.monotonic() + 60
        while not all(one["measured"] for one in json.loads(ask(address, path))["directions"]):
            assert time.monotonic() < end
            time.sleep(0.2)
        record = {"state": state, "frames": 4, "video": "mp4"}
        if not temporary:
            with pytest.raises(urllib.error.HTTPError, match="403"):
                ask(address, "/api/record", record)
            return
        id = json.loads(ask(address, "/api/record", record))["id"]
        while (now := json.loads(ask(address, f"/api/record/{id}")))["state"] in ("waiting", "running"):
            assert time.monotonic() < end
            time.sleep(0.2)
        assert now["state"] == "done", now
        assert ask(address, f"/api/record/{id}/file")[4:8] == b"ftyp"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            ask(address, "/api/studio", Host="evil.example")
    finally:
        process.terminate()
        code = process.wait(60)
        process.stdout.close()
    assert code in (0, 143, -15), (tmp_path / "log").read_text()
    assert not scratch or not list(scratch.iterdir())
    assert "Traceback" not in (tmp_path / "log").read_text()
