"""`rigd token` where no server runs, and what `rigd pair` and `rigd token` refuse before they ask anybody."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rig import sockets
from rigd.__main__ import rigd_command
from rigd.auth.caller import Scope
from rigd.auth.tokens import TokenStore

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(sockets, "SYSTEM", tmp_path / "system")

    def invoke(*words: str) -> Result:
        return CliRunner(env={"COLUMNS": "200", "RIGD_DATA": str(tmp_path)}).invoke(rigd_command, words)

    return invoke


@pytest.fixture
def token(tmp_path: Path) -> str:
    """The id of a token in the folder."""
    store = TokenStore(tmp_path)
    secret, made = store.create("laptop", "birch", [Scope.LIVE, Scope.LAPS], 86_400)
    assert secret.startswith(made.id)
    return made.id


class TestOffline:
    def test_it_says_whose_they_are(self, run: Run, tmp_path: Path) -> None:
        assert run("token", "list").stderr == f"no rig answers here; in {tmp_path}:\n"
        assert run("token", "list", "--data", str(tmp_path)).stderr == ""

    def test_none_was_made(self, run: Run) -> None:
        assert run("token", "list").stdout == "no token was made yet; see `rigd pair`\n"
        assert json.loads(run("token", "list", "--json").stdout) == []

    def test_listed_without_what_proves_it(self, run: Run, token: str) -> None:
        done = run("token", "list")
        assert done.exit_code == 0
        assert [word in done.output for word in (token, "laptop", "birch", "laps, live", "until")] == [
            True
        ] * 5
        (listed,) = json.loads(run("token", "list", "--json").stdout)
        assert (listed["id"], listed["scopes"]) == (token, ["laps", "live"])
        assert not {"digest", "secret"} & set(listed)

    def test_revoked_and_it_stays_so(self, run: Run, token: str) -> None:
        assert "revoked" in run("token", "revoke", token).output
        (extended,) = json.loads(run("token", "extend", token, "--for", "never", "--json").stdout)
        assert extended["expire_time_ns"] == 0
        assert extended["revoked_time_ns"] > 0
        assert "revoked" in run("token", "list").output

    def test_extended(self, run: Run, token: str) -> None:
        (before,) = json.loads(run("token", "list", "--json").stdout)
        (after,) = json.loads(run("token", "extend", token, "--for", "30d", "--json").stdout)
        days = (after["expire_time_ns"] - before["expire_time_ns"]) / 86_400e9
        assert 28.9 < days < 29.1

    def test_what_was_done_is_told_before_what_was_not(self, run: Run, token: str) -> None:
        done = run("token", "revoke", token, "nonesuch", "--json")
        assert done.exit_code == 5
        assert json.loads(done.stdout)[0]["id"] == token
        assert "there is no token 'nonesuch'" in done.stderr

    def test_not_beside_a_server_that_has_them(self, run: Run, token: str, tmp_path: Path) -> None:
        serving = TokenStore(tmp_path)
        serving.own()
        try:
            done = run("token", "revoke", token)
        finally:
            serving.close()
        assert done.exit_code == 7
        assert f"the tokens are kept by process {os.getpid()}" in done.stderr

    def test_a_file_that_others_can_read_is_refused(self, run: Run, token: str, tmp_path: Path) -> None:
        (tmp_path / "tokens.json").chmod(0o644)
        assert run("token", "list").exit_code == 4
        assert "0644" in run("token", "list").stderr

    def test_a_damaged_file_is_refused(self, run: Run, token: str, tmp_path: Path) -> None:
        file = tmp_path / "tokens.json"
        file.write_bytes(file.read_bytes()[:-9])
        done = run("token", "list")
        assert done.exit_code == 8
        assert "tokens.json" in done.stderr

    def test_a_named_rig_is_not_another_ones_folder(self, run: Run, token: str) -> None:
        done = run("token", "revoke", token, "--instance", "demo")
        assert done.exit_code == 3
        assert "no rig answers" in done.stderr
        assert "revoked" not in run("token", "list").output


class TestRefused:
    @pytest.mark.parametrize(
        ("scope", "said"), [("live,lap", "'lap' is no scope"), (",", "at least one"), ("LIVE", "is no scope")]
    )
    def test_scopes_that_are_none(self, run: Run, scope: str, said: str) -> None:
        done = run("pair", "laptop", "--scope", scope)
        assert (done.exit_code, said in done.stderr) == (2, True), done.stderr

    @pytest.mark.parametrize(
        "time", ["3", "0d", "30s", "1.5h", "-1d", "٣d", "999999999y", "101y", "never", ""]
    )
    def test_times_that_are_none(self, run: Run, time: str) -> None:
        assert run("pair", "laptop", "--scope", "live", "--for", time).exit_code == 2

    def test_pairing_takes_a_server(self, run: Run) -> None:
        done = run("pair", "laptop", "--scope", "live")
        assert done.exit_code == 3
        assert "is `rigd run` running?" in done.stderr
