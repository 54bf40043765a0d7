"""An endpoint takes the calls of its owner alone, through the owner's client."""

import http.client
import json
import os
import stat
from pathlib import Path

import pytest
from tests.support.hosting_account import HostingAccount

from mnist_tracking.embedded.hosting.state import SECRET_HEADER

SEEN = """
import json, os
def model_fn(model_dir): return os.getpid()
def transform_fn(model, body, content_type, accept, context):
    return json.dumps({"pid": model, "headers": context.get_all_request_header(0), "env": dict(os.environ)})
"""


def status_of(account: HostingAccount, path: str, **headers: str) -> int:
    """The HTTP status of a request that is not sent by our client."""
    connection = http.client.HTTPConnection("127.0.0.1", account.row()["port"])
    connection.request("GET" if path == "/ping" else "POST", path, headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_requests_need_the_secret_and_this_machine_as_their_host(account: HostingAccount) -> None:
    """A web page that has its name lead to loopback sends that name as the host."""
    account.deploy()
    port = account.row()["port"]
    secret = {SECRET_HEADER: (account.folder() / "secret").read_text()}

    for path in ("/ping", "/invocations", "/other"):
        assert status_of(account, path) == 403
        assert status_of(account, path, **{SECRET_HEADER: "0" * 64}) == 403
        assert status_of(account, path, **{SECRET_HEADER: "é"}) == 403
        for host in ("example.com", f"example.com:{port}", f"127.0.0.1:{port}.example.com", "127.0.0.1", ""):
            assert status_of(account, path, Host=host, **secret) == 403
    assert status_of(account, "/ping", **secret) == 200
    assert status_of(account, "/ping", Host=f"localhost:{port}", **secret) == 200
    assert status_of(account, "/other", **secret) == 404


def test_handlers_and_other_users_do_not_see_the_secret(
    account: HostingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do they see what is secret in the environment of the endpoint's creator."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    account.deploy(script=SEEN)
    folder = account.folder()
    secret, seen = (folder / "secret").read_text(), json.loads(account.ask(""))

    assert len(secret) == 64
    assert SECRET_HEADER not in seen["headers"]
    assert secret not in json.dumps(seen)
    assert "HF_TOKEN" not in seen["env"]
    for pid in (seen["pid"], account.row()["supervisor_pid"]) if Path("/proc/self").exists() else ():
        shown = b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
        assert secret.encode() not in shown
        assert b"hf_secret" not in shown


def test_folder_and_files_of_an_endpoint_are_its_owners_alone(account: HostingAccount) -> None:
    umask = os.umask(0)
    try:
        account.deploy()
    finally:
        os.umask(umask)
    folder = account.folder()

    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) & 0o077 for path in folder.iterdir() if path.is_file()}
    assert modes == dict.fromkeys(modes, 0)


def test_each_endpoint_has_its_own_secret(account: HostingAccount) -> None:
    account.deploy("one")
    account.deploy("other")

    assert (account.folder("one") / "secret").read_text() != (account.folder("other") / "secret").read_text()
