"""The wheel: what users install holds all it needs and nothing else, and runs away from the sources."""

import hashlib
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import google.protobuf
import pytest
import trove_classifiers
from packaging.metadata import Metadata

ROOT = Path(__file__).resolve().parents[2]
PINS = ROOT / "tests/constraints.txt"
CACHE = ROOT / "build/venvs"
"""Environments that only depend on versions, kept from run to run."""

IMPORT_ALL = "import rig.v1.physics_pb2, rig.v1.telemetry_pb2_grpc, rig.channels, rigclient"


def run(*words: object, cwd: Path) -> str:
    """The output of a command, which has to succeed."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(folder: Path, *requirements: object, pins: bool) -> Path:
    """The interpreter of a new environment that holds these alone."""
    venv.create(folder, symlinks=True)
    python = folder / "bin/python"
    words = ["-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
    constraint = ["--constraint", PINS] if pins else []
    run(sys.executable, *words, *constraint, *requirements, cwd=folder)
    return python


def kept_environment(*requirements: str) -> Path:
    """The same, made once and kept under a name that tells what is in it."""
    name = hashlib.sha256("\n".join([sys.version, *requirements]).encode()).hexdigest()[:16]
    folder = CACHE / name
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        environment(folder, *requirements, pins=False)
        (folder / "complete").write_text("\n".join(requirements))
    return folder / "bin/python"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the sources as they are."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=ROOT)
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of commands of an environment with the wheel, its `daemon` and its `gateway` extra."""
    folder = tmp_path_factory.mktemp("installed")
    yield environment(folder / "venv", f"{wheel}[daemon,gateway]", pins=True).parent
    shutil.rmtree(folder)


class TestContents:
    def test_four_packages_and_the_papers(self, contents: set[str]) -> None:
        tops = {name.split("/")[0] for name in contents}
        assert {top for top in tops if not top.endswith(".dist-info")} == {
            "rig",
            "riglap",
            "rigclient",
            "rigd",
        }
        papers = {name.split("/", 1)[1] for name in contents if ".dist-info/" in name}
        assert {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"} <= papers

    def test_every_source_is_in_it(self, contents: set[str]) -> None:
        for base in (ROOT / "rigd", ROOT / "client/rigclient", ROOT / "client/riglap", ROOT / "proto/rig"):
            sources = {path.relative_to(base.parent).as_posix() for path in base.rglob("*.py*")}
            sources = {name for name in sources if "__pycache__" not in name}
            assert sources <= contents

    def test_the_contract_goes_along(self, contents: set[str]) -> None:
        protos = {path.name for path in (ROOT / "proto/rig/v1").glob("*.proto")}
        assert {f"rig/v1/{name}" for name in protos} <= contents
        stems = {name.removesuffix(".proto") for name in protos}
        assert {f"rig/v1/{stem}_pb2.pyi" for stem in stems} <= contents

    def test_the_units_go_along(self, contents: set[str]) -> None:
        units = {path.name for path in (ROOT / "systemd").iterdir()}
        assert {name.removeprefix("rigd/systemd/") for name in contents if "/systemd/" in name} == units

    def test_its_metadata_are_what_an_index_takes(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            found = Metadata.from_email(archive.read(name), validate=True)  # raises for what none would take
        assert (found.license_expression, found.license_files) == ("MIT", ["LICENSE"])
        assert found.description_content_type == "text/markdown"
        assert found.description == (ROOT / "README.md").read_text()
        assert set(found.classifiers or ()) <= trove_classifiers.classifiers
        assert not found.project_urls, "there is no address that is known to stay"

    def test_types_go_along(self, contents: set[str]) -> None:
        assert {"rig/py.typed", "rigclient/py.typed", "rigd/py.typed"} <= contents

    def test_nothing_of_the_workshop_goes_along(self, contents: set[str]) -> None:
        unwanted = ("test", "conftest", "generate.py", "__pycache__", ".binpb", ".git", "buf.yaml")
        assert [name for name in contents if any(word in name for word in unwanted)] == []


class TestInstalled:
    def test_the_daemon_says_its_version(self, installed: Path, tmp_path: Path, wheel: Path) -> None:
        version = wheel.name.split("-")[1]
        assert version in run(installed / "rigd", "--version", cwd=tmp_path)

    @pytest.mark.parametrize("command", ["rig", "rigd"])
    def test_commands_tell_what_they_can(self, installed: Path, tmp_path: Path, command: str) -> None:
        assert "Usage" in run(installed / command, "--help", cwd=tmp_path)

    def test_it_installs_units_that_name_it(self, installed: Path, tmp_path: Path) -> None:
        run(installed / "rigd", "install", "--system", "--player", "anna", "--root", tmp_path, cwd=tmp_path)
        unit = (tmp_path / "etc/systemd/system/rigd-record.service").read_text()
        assert f"ExecStart={installed.resolve() / 'rigd'} record\n" in unit
        run(installed / "rigd", "upgrade-check", "--data", tmp_path, cwd=tmp_path)

    def test_everything_comes_from_the_wheel(self, installed: Path, tmp_path: Path) -> None:
        code = (
            f"{IMPORT_ALL}, rigd.record.recorder, rigd.serve.server; import rig\n"
            "print(rig.__file__, rigclient.__file__, rigd.__file__, sep='\\n')"
        )
        places = run(installed / "python", "-c", code, cwd=tmp_path).split()
        assert len(places) == 3
        for place in places:
            assert Path(place).is_relative_to(installed.parent)
            assert not Path(place).is_relative_to(ROOT)

    def test_every_module_can_be_imported(self, installed: Path, tmp_path: Path, contents: set[str]) -> None:
        """With these extras alone: nothing leans on what only developers have."""
        modules = sorted(
            name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            for name in contents
            if name.endswith(".py")
            and not name.endswith("__main__.py")
            and not name.endswith("pyrf2.py")  # stands on a package that is not on the index
        )
        run(installed / "python", "-c", "import " + ", ".join(modules), cwd=tmp_path)

    def test_its_parts_fit_together(self, installed: Path, tmp_path: Path) -> None:
        words = ["-m", "pip", "--python", installed / "python", "check"]
        assert "No broken requirements" in run(sys.executable, *words, cwd=tmp_path)


class TestVersions:
    def imports(self, python: Path, wheel: Path, tmp_path: Path) -> list[str]:
        """Versions of protobuf and grpcio under which the generated code loads out of the wheel."""
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(tmp_path / "site")
        code = (
            f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
            f"{IMPORT_ALL}, grpc, google.protobuf\n"
            "print(google.protobuf.__version__, grpc.__version__)"
        )
        return run(python, "-W", "error", "-c", code, cwd=tmp_path).split()

    def test_the_generated_code_loads_under_the_oldest(self, wheel: Path, tmp_path: Path) -> None:
        """The floors of pyproject.toml: the versions that made it."""
        python = kept_environment(
            "protobuf==6.31.1", "grpcio==1.76.0", "grpcio-status==1.76.0", "googleapis-common-protos", "numpy"
        )
        assert self.imports(python, wheel, tmp_path) == ["6.31.1", "1.76.0"]

    def test_the_generated_code_loads_under_the_newest(self, wheel: Path, tmp_path: Path) -> None:
        found = self.imports(Path(sys.executable), wheel, tmp_path)
        assert found[0] == google.protobuf.__version__

    def test_the_floors_are_the_versions_that_made_the_code(self) -> None:
        pyproject = (ROOT / "pyproject.toml").read_text()
        generated = (ROOT / "proto/rig/v1/physics_pb2.py").read_text()
        stubs = (ROOT / "proto/rig/v1/telemetry_pb2_grpc.py").read_text()
        assert "# Protobuf Python Version: 6.31.1" in generated
        assert "GRPC_GENERATED_VERSION = '1.76.0'" in stubs
        assert '"protobuf>=6.31.1,' in pyproject
        assert '"grpcio>=1.76"' in pyproject
