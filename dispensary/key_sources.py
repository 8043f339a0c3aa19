"""Where the keys come from: a file, the environment, or a command that asks a key service; and changing the file."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import fasteners

from dispensary.keys import BadKeys, Keyring, Ring, Source, Vault, fresh_ring, ring_from
from dispensary.settings import Settings

LOOK_EVERY = 1.0
"""Seconds between two looks at whether the key file is another one: longer, a second program would seal on."""
ANSWER_WITHIN = 20
"""Seconds that the command has to print the keys."""
ASK_AGAIN_AFTER = 10.0
"""Seconds between two runs of the command, however many fields name a key that is not known."""
_LONGEST = 64 * 1024
"""Bytes of keys: a thousand of them."""


class KeyFile:
    """A file with the keys in JSON, readable by its owner alone, looked at again as it changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told = f"The key file {path}"
        self.made = False
        """Whether this very program made it, since there was none."""
        self._seen = self._signature()
        self._looked = time.monotonic()

    def read(self) -> Ring:
        seen = self._signature()
        try:
            if self.path.stat().st_size > _LONGEST:
                raise BadKeys(f"{self.told} is no key file: it is too long. Restore it from its copy.")
            ring = ring_from(self.path.read_text(), told=self.told)
        except (OSError, UnicodeDecodeError) as reason:
            raise BadKeys(f"{self.told} cannot be read ({type(reason).__name__}). Restore it from its copy.") from None
        self._seen = seen
        return ring

    def changed(self) -> bool:
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY:
            return False
        self._looked = now
        return self._signature() != self._seen

    def may_know_more(self) -> bool:
        return self._signature() != self._seen

    def _signature(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size


class KeysInEnvironment:
    """The keys in JSON in DISPENSARY_KEYS_JSON, read once: a new one needs a start of the program."""

    told = "DISPENSARY_KEYS_JSON"

    def __init__(self, text: str) -> None:
        self._ring = ring_from(text, told=self.told)

    def read(self) -> Ring:
        return self._ring

    def changed(self) -> bool:
        return False

    def may_know_more(self) -> bool:
        return False


class KeysFromCommand:
    """What a program prints: the hook to a key service. It is run by its own name, without a shell, for 20 seconds.

    It is run at the start, and again when a field names a key that is not known yet.
    """

    told = "What DISPENSARY_KEYS_COMMAND prints"

    def __init__(self, command: tuple[str, ...], *, within: float = ANSWER_WITHIN) -> None:
        self._command = command
        self._within = within
        self._asked = 0.0

    def read(self) -> Ring:
        self._asked = time.monotonic()
        name = Path(self._command[0]).name
        try:
            said = subprocess.run(  # noqa: S603 - the administrator's own command, and no shell
                self._command, stdin=subprocess.DEVNULL, capture_output=True, timeout=self._within, check=False
            )
        except subprocess.TimeoutExpired:
            raise BadKeys(f"DISPENSARY_KEYS_COMMAND: {name} did not answer within {self._within:g} seconds.") from None
        except OSError as reason:
            raise BadKeys(f"DISPENSARY_KEYS_COMMAND: {name} cannot be run: {reason.strerror}.") from None
        if said.returncode != 0:
            raise BadKeys(f"DISPENSARY_KEYS_COMMAND: {name} ended with {said.returncode}. Run it by hand to see why.")
        if len(said.stdout) > _LONGEST:
            raise BadKeys(f"DISPENSARY_KEYS_COMMAND: {name} printed more than keys.")
        return ring_from(said.stdout.decode(errors="replace"), told=self.told)

    def changed(self) -> bool:
        return False

    def may_know_more(self) -> bool:
        return time.monotonic() - self._asked > ASK_AGAIN_AFTER


def source_of(settings: Settings) -> Source:
    """Where these settings have the keys. Raises BadKeys for JSON that is none."""
    if settings.keys_command:
        return KeysFromCommand(settings.keys_command)
    if settings.keys_json:
        return KeysInEnvironment(settings.keys_json)
    return KeyFile(settings.keys)


def vault_of(settings: Settings) -> Vault:
    """The keys of these settings. A key file that is not there is made; nothing else ever is. Raises BadKeys."""
    source = source_of(settings)
    return open_vault(settings.keys) if isinstance(source, KeyFile) else Vault(Keyring(source.read(), source))


def keys_are_there(settings: Settings) -> bool:
    """Whether there are keys without making any: a file that is not there was lost, or is yet to be made."""
    return bool(settings.keys_command or settings.keys_json) or settings.keys.exists()


def open_vault(path: Path) -> Vault:
    """Reads the key file, or makes it (readable by its owner alone) when there is none. Raises BadKeys."""
    source = KeyFile(path)
    return Vault(Keyring(source.read() if path.exists() else _made(path, source), source))


def _made(path: Path, source: KeyFile) -> Ring:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _written_beside(path, fresh_ring())
    try:
        os.link(part, path)  # fails when another start made the file first: theirs counts
        source.made = True
    except FileExistsError:
        pass
    finally:
        part.unlink()
    return source.read()


def change_file(path: Path, change: Callable[[Ring], Ring]) -> Ring:
    """Exchanges the key file for another in one step, and returns what it holds now; one program at a time.

    Whoever reads it meanwhile reads the old one or the new one, whole. Raises BadKeys, and then nothing changed.
    """
    with fasteners.InterProcessLock(path.with_name(f".{path.name}.lock")):
        changed = change(KeyFile(path).read())
        if changed.faults():
            raise BadKeys("These keys do not fit together. Nothing was changed.")
        part = _written_beside(path, changed)
        found = path.stat()
        if os.name == "posix" and (found.st_uid, found.st_gid) != (os.getuid(), os.getgid()):
            os.chown(part, found.st_uid, found.st_gid)  # by root, for a program that runs as somebody else
        part.replace(path)
        if os.name == "posix":
            handle = os.open(path.parent, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)
        return changed


def _written_beside(path: Path, ring: Ring) -> Path:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(ring.as_json())
        file.flush()
        os.fsync(file.fileno())
    return part
