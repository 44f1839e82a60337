"""How is the project built and installed where nothing else is, and how is it run there?"""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
NOT_COPIED = (
    ".git",
    ".venv",
    ".*_cache",
    ".hypothesis",
    "__pycache__",
    "workspace",
    "build",
    "dist",
)
# What pip says where it reaches no index: then nothing can be learnt about the wheel.
UNREACHABLE = re.compile(
    r"NewConnectionError|connection broken|name resolution|ReadTimeoutError|ConnectTimeoutError"
)
OPENING_SECONDS = 90


class UnreachableError(RuntimeError):
    """Packages cannot be fetched here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A virtual environment that holds the built wheel and what it asks for.

    Attributes:
        folder: Of the environment.
    """

    folder: Path

    def run(self, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run one of its programs to its end."""
        return subprocess.run(
            [self.folder / "bin" / command[0], *command[1:]],
            cwd=cwd,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """A studio that answers.

    Attributes:
        process: The command that opened it.
        port: Where it was told to listen.
    """

    process: psutil.Process
    port: int

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def listening_addresses(self) -> set[tuple[str, int]]:
        """Where the command and its children wait for connections."""
        return {
            (connection.laddr.ip, connection.laddr.port)
            for process in (self.process, *self.process.children(recursive=True))
            for connection in process.net_connections(kind="inet")
            if connection.status == psutil.CONN_LISTEN
        }


def clean_environment() -> dict[str, str]:
    """This process's variables, but none that lead back to the checkout or another workspace."""
    dropped = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "GRACE_WORKSPACE")
    # What is not compiled by pip is compiled when it is first imported, and kept.
    dropped += ("PYTHONDONTWRITEBYTECODE",)
    return {name: value for name, value in os.environ.items() if name not in dropped}


def build_wheel(folder: Path) -> Path:
    """Build from a copy of the tree, by the build backend of the running environment."""
    tree = folder / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*NOT_COPIED))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, tree]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Environment:
    """Make an empty environment and install the wheel there, with the versions of the lock.

    Raises:
        UnreachableError: pip reaches no index.
    """
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, env=clean_environment())
    command = [folder / "bin" / "python", "-m", "pip", "install", "--no-input"]
    # Compiling all of it takes longer than copying it, and little of it is imported.
    command += ["--no-compile", "--constraint", ROOT / "requirements.lock", wheel]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=clean_environment()
    )
    said = done.stdout + done.stderr
    told = [line.strip() for line in said.splitlines() if UNREACHABLE.search(line)]
    if done.returncode and told:
        raise UnreachableError(told[0][:200])
    assert done.returncode == 0, said
    return Environment(folder=folder)


@contextlib.contextmanager
def opened_studio(
    environment: Environment, workspace: str, cwd: Path, log: Path
) -> Iterator[Studio]:
    """Run ``grace app`` until the block ends, then end the process group that it made."""
    port = free_port()
    command = [environment.folder / "bin" / "grace", "app", "--workspace", workspace]
    command += ["--no-browser", "--port", str(port)]
    with log.open("w") as output:
        opened = subprocess.Popen(
            command,
            cwd=cwd,
            env=clean_environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    studio = Studio(process=psutil.Process(opened.pid), port=port)
    try:
        until = time.monotonic() + OPENING_SECONDS
        while not _healthy(studio):
            assert opened.poll() is None, f"grace app ended: {log.read_text()}"
            assert time.monotonic() < until, f"grace app does not answer: {log.read_text()}"
            time.sleep(0.2)
        yield studio
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(opened.pid, signal.SIGTERM)
        try:
            opened.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(opened.pid, signal.SIGKILL)
            opened.wait()


def free_port() -> int:
    """A port of the loopback address that nobody holds now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _healthy(studio: Studio) -> bool:
    try:
        return studio.get("/_stcore/health") == (200, "ok")
    except OSError:
        return False
