"""Commands that keep the database safe: making a backup, trying one out, and bringing it back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click
from sqlalchemy import make_url

from dispensary.backups.files import BadBackup
from dispensary.commands.parts import bar, database_of, now, one_clear_line
from dispensary.commands.taking import who_runs_this
from dispensary.embedded import start_embedded
from dispensary.key_sources import keys_are_there, vault_of
from dispensary.leading import note_run
from dispensary.settings import Settings, settings_from
from dispensary.staff.queries import BACKUP

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(name="backup-key")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup_key(file: Path) -> None:
    """Make the pair of keys for backups: FILE gets the secret one, the public one is printed."""
    import pyrage

    pair = pyrage.x25519.Identity.generate()
    with one_clear_line():
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise BadBackup(f"{file} is there already. A key is never replaced: name another file.") from None
        with os.fdopen(handle, "w") as opened:
            opened.write(f"# public key: {pair.to_public()}\n{pair}\n")
    click.echo(f"Public key, for DISPENSARY_BACKUP_KEYS: {pair.to_public()}")
    click.echo(f"{file} holds the secret key. Take it off this machine: without it no backup can be read.")


@click.command()
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), help="Folder (DISPENSARY_BACKUPS).")
@click.option(
    "--key", "keys", multiple=True, help="Public key to seal it to; may be repeated (DISPENSARY_BACKUP_KEYS)."
)
@click.option("--copy-to", type=click.Path(file_okay=False, path_type=Path), help="A second folder.")
@click.option("--no-trial", is_flag=True, help="Do not restore it once before it counts as made.")
def backup(folder: Path | None, keys: tuple[str, ...], copy_to: Path | None, no_trial: bool) -> None:
    """Make a backup now, while work goes on: sealed to a public key, and restored once to see that it can be."""
    from dispensary.backups.making import back_up, note_at_each_site

    with one_clear_line():
        settings = settings_from()
        set_up = settings.backups
        folder = folder or (set_up.folder if set_up else None)
        if folder is None:
            raise BadBackup("Where to? Name a folder with --to, or set DISPENSARY_BACKUPS.")
        with database_of(settings) as database:
            at = now()
            made = back_up(
                database,
                into=folder.expanduser().resolve(),
                sealed_to=keys or (set_up.sealed_to if set_up else ()),
                data=settings.data,
                at=at,
                copy_to=copy_to or (set_up.copy_to if set_up else None),
                try_out=not no_trial,
                progress=_bars(),
            )
            with database.writing() as session:
                slot = f"by hand {at.isoformat(timespec='seconds')}"
                note_at_each_site(session, act="made backup", said=made.said, by=who_runs_this(), at=at)
                note_run(session, job=BACKUP, slot=slot, began_at=at, ended_at=now(), result=made.as_json())
    click.echo(f"{made.file}: {made.said.bytes / 1e6:.1f} MB in {made.seconds:.1f} s.")
    click.echo(
        f"Restored once, and all {len(made.said.sums)} counts and sums were the same."
        if made.said.tried_out
        else "It was not tried out: `dispensary restore FILE --dry-run` does."
    )
    if made.rotated:
        click.echo(f"{made.rotated} older backups were removed.")


@click.command()
@click.argument("file", type=_FILE)
@click.option("--key", "keys", required=True, type=_FILE, help="File with the secret key.")
@click.option("--dry-run", is_flag=True, help="Restore it on a server of its own, compare and verify; change nothing.")
def restore(file: Path, keys: Path, dry_run: bool) -> None:
    """Bring a backup back, in place of the database that is there, which is kept under another name."""
    with one_clear_line():
        settings = settings_from()
        if not keys_are_there(settings):
            raise BadBackup(
                f"{settings.keys} is missing. Bring the key file back first: with a new one nobody reads the names."
            )
        findings = _tried(file, keys, settings) if dry_run else _restored(file, keys, settings)
    if findings:
        raise SystemExit(1)


def _tried(file: Path, keys: Path, settings: Settings) -> int:
    from dispensary.backups.restoring import drill

    tried = drill(file, keys=keys, vault=vault_of(settings), data=settings.data, now=now(), progress=_bars())
    click.echo(f"Made {tried.said.made_at} by Takehome {tried.said.program}, at migration {tried.said.migration}.")
    click.echo(f"It came back: all {len(tried.said.sums)} counts and sums are the same.")
    if tried.last_act:
        click.echo(f"The last act in it is of {tried.last_act.isoformat(timespec='seconds')}; later ones are not.")
    for finding in tried.findings:
        click.echo(str(finding), err=True)
    click.echo(f"verify: {len(tried.findings)} findings." if tried.findings else "verify: all is well, names open.")
    click.echo("Dry run: nothing was changed.")
    return len(tried.findings)


def _restored(file: Path, keys: Path, settings: Settings) -> int:
    from dispensary.backups.restoring import restore as bring_back
    from dispensary.serving import only_program_on

    with only_program_on(settings.data):
        url = settings.database_url or start_embedded(settings.data / "postgresql")
        said, kept = bring_back(
            file,
            keys=keys,
            url=url,
            vault=vault_of(settings),
            data=settings.data,
            by=who_runs_this(),
            now=now(),
            progress=_bars(),
        )
    name = make_url(url).database
    click.echo(f"{name} is what it was at {said.made_at}: all {len(said.sums)} counts and sums are the same.")
    if kept:
        click.echo(f"What was there before is the database {kept} on the same server. Drop it when it is not needed.")
    click.echo("Run `dispensary migrate` when this program is newer than the backup, then `dispensary verify`.")
    return 0


def _bars() -> Callable[[str, int, int], None]:
    """A progress bar for each part of the work, one after the other."""
    shown: dict[str, Callable[[int, int], None]] = {}

    def tell(about: str, done: int, of: int) -> None:
        shown.setdefault(about, bar(about))(done, of)

    return tell
