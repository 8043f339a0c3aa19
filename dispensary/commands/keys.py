"""Commands about the keys of the house: which there are, exchanging them while everybody works, copies of them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click

from dispensary.backups.files import BadBackup
from dispensary.commands.parts import bar, database_of, now, one_clear_line
from dispensary.database import Database
from dispensary.key_sources import KeyFile, change_file, source_of
from dispensary.keys import BadKeys, Ring, with_new_key
from dispensary.settings import Settings, settings_from

_COPY = click.Path(dir_okay=False, path_type=Path)


@click.group()
def keys() -> None:
    """The keys of the house: add one, seal everything anew, see which are in use, copy them."""


@keys.command()
def status() -> None:
    """Each key with its fingerprint, and how many fields lie under it."""
    from dispensary.resealing.counting import OWN, fields_by_key
    from dispensary.resealing.prints import noted, spoken

    with one_clear_line(), database_of(settings_from()) as database:
        ring, source = database.vault.ring, database.vault.keyring.source
        with database.reading() as session:
            counts, needed = fields_by_key(session), noted(session)
        click.echo(f"{source.told if source else 'Keys'}:")
        for name, print_ in ring.prints().items():
            seals = name in ring.keys
            what = f"{counts.get(name, 0):>9,} fields" if seals else " " * 16
            now_ = ", seals from now on" if name == ring.current else ""
            click.echo(f"  {name:<8} {spoken(print_)} {what}{now_}{'' if name in needed else ', new here'}")
        click.echo(f"  clients' own keys           {counts.get(OWN, 0):>9,} fields")
        for name in sorted(counts.keys() - ring.keys.keys() - {OWN}):
            click.echo(f"  {name:<8} is missing here: {counts[name]:,} fields do not open", err=True)


@keys.command()
@click.option("--not-yet", is_flag=True, help="Add it without sealing by it: copy the file to every machine first.")
def add(not_yet: bool) -> None:
    """Add a new random key to the key file; programs that run seal by it from the next second on."""
    from dispensary.resealing.prints import note

    with one_clear_line():
        settings = settings_from()
        path = _file_of(settings)
        made = ""

        def more(ring: Ring) -> Ring:
            nonlocal made
            ring, made = with_new_key(ring, current=not not_yet)
            return ring

        with database_of(settings) as database:
            ring = change_file(path, more)
            with database.writing() as session:
                note(session, ring, at=now())
    click.echo(f"{path} has the key {made}{', not in use yet' if not_yet else ', which seals from now on'}.")
    click.echo(
        "Copy the key file to where its copy is kept, now: the copy of before does not open what is sealed next."
    )
    click.echo(f"Then: dispensary keys {f'use {made}' if not_yet else 'reseal'}")


@keys.command()
@click.argument("name")
def use(name: str) -> None:
    """Seal by this key from now on; it must be in the key file of every machine."""
    with one_clear_line():

        def chosen(ring: Ring) -> Ring:
            if name not in ring.keys:
                raise BadKeys(f"The key file has no key “{name}”.")
            return replace(ring, current=name)

        path = _file_of(settings_from())
        change_file(path, chosen)
    click.echo(f"{name} seals from now on. Then: dispensary keys reseal")


@keys.command()
def reseal() -> None:
    """Seal every field anew under the keys of today, beside whoever works. It can be ended and begun again at will."""
    from dispensary.resealing.moving import seal_anew

    with one_clear_line(), database_of(settings_from()) as database:
        moved = seal_anew(database, progress=bar("sealing anew", " fields"))
    for line in moved.unread[:20]:
        click.echo(line, err=True)
    click.echo(f"{moved.fields:,} fields were sealed anew, {moved.meanwhile:,} were written anew by others meanwhile.")
    if moved.unread:
        click.echo(f"{len(moved.unread):,} do not open and stay as they are.", err=True)
        raise SystemExit(1)


@keys.command()
@click.argument("name")
def drop(name: str) -> None:
    """Remove a key under which nothing lies any more."""
    from dispensary.resealing.counting import fields_by_key
    from dispensary.resealing.prints import forget

    with one_clear_line():
        settings = settings_from()
        path = _file_of(settings)
        with database_of(settings) as database:

            def without(ring: Ring) -> Ring:
                if name not in ring.keys:
                    raise BadKeys(f"The key file has no key “{name}”.")
                if name == ring.current:
                    raise BadKeys(f"{name} seals from now on. Add another one first: dispensary keys add")
                with database.reading() as session:
                    left = fields_by_key(session).get(name, 0)
                if left:
                    raise BadKeys(f"{left:,} fields lie under {name}. Seal them anew first: dispensary keys reseal")
                return replace(ring, keys={each: key for each, key in ring.keys.items() if each != name})

            change_file(path, without)
            with database.writing() as session:
                forget(session, name)
    click.echo(f"{name} is gone from {path}.")
    click.echo(
        "Backups that were made before everything was sealed anew still need it: keep the older copy of the key file"
        " for as long as you keep them, and destroy both together."
    )


@keys.command()
@click.option("--to", "file", type=_COPY, required=True, help="The file to write; it must not be there.")
@click.option("--key", "recipients", multiple=True, help="Public key to seal it to (age1...); may be repeated.")
@click.option("--words", is_flag=True, help="Ask for words that open it, for an envelope of their own.")
def copy(file: Path, recipients: tuple[str, ...], words: bool) -> None:
    """Write a copy of the keys, sealed as age seals, in letters that can be printed: for the envelope in the safe."""
    from dispensary.backups.making import public_keys
    from dispensary.resealing.copies import sealed_by_words, sealed_to

    with one_clear_line():
        if words == bool(recipients):
            raise BadKeys("Name a public key with --key, or ask for words with --words.")
        ring = source_of(settings_from()).read()
        if words:
            spoken = click.prompt("Words that open it", hide_input=True, confirmation_prompt=True)
            written = sealed_by_words(ring, spoken)
        else:
            written = sealed_to(ring, public_keys(recipients))
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise BadBackup(f"{file} is there already. Name another file.") from None
        with os.fdopen(handle, "w") as opened:
            opened.write(written)
    click.echo(
        f"{file} holds {', '.join(ring.keys)}, index and signing key. Check it now: dispensary keys check {file}"
    )


@keys.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", "secret", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Secret key file.")
@click.option("--to", "restored", type=_COPY, help="Write the keys as a key file there, when they fit.")
def check(file: Path, secret: Path | None, restored: Path | None) -> None:
    """Say whether a copy of the keys opens this database; with --to, bring it back as a key file."""
    from dispensary.backups.restoring import secret_keys
    from dispensary.resealing.copies import BY_WORDS, opened_by_words, opened_with, sealed_kind
    from dispensary.resealing.prints import spoken

    with one_clear_line():
        kind = sealed_kind(file.read_bytes())
        if kind is None:
            ring = KeyFile(file).read()
        elif kind == BY_WORDS:
            ring = opened_by_words(file, click.prompt("Words that open it", hide_input=True))
        elif secret is None:
            raise BadKeys(f"{file} is sealed to a public key. Name the file with the secret one: --key")
        else:
            ring = opened_with(file, secret_keys(secret))
        said = _fits(settings_from(), ring)
        for name, print_ in ring.prints().items():
            click.echo(f"  {name:<8} {spoken(print_)}")
        if said:
            raise BadKeys(f"These are not the keys of this database: {'; '.join(said)}.")
        if restored is not None:
            handle = os.open(restored, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as opened:
                opened.write(ring.as_json())
    click.echo("They open this database." + (f" Written to {restored}." if restored else ""))


def _fits(settings: Settings, ring: Ring) -> list[str]:
    """What of the database these keys do not open, without the program's own keys: they may be lost."""
    from dispensary.database import open_database
    from dispensary.keys import Keyring, Vault
    from dispensary.resealing.prints import disagreements, must_open, noted
    from dispensary.schema import behind

    database: Database = open_database(settings, Vault(Keyring(ring)))
    try:
        if behind(database):
            raise BadKeys("The database is not up to date. Run `dispensary migrate` first.")
        with database.reading() as session:
            wrong = disagreements(noted(session), ring)
            if not wrong:
                must_open(session)
            return wrong
    finally:
        database.close()


def _file_of(settings: Settings) -> Path:
    source = source_of(settings)
    if not isinstance(source, KeyFile):
        raise BadKeys(
            f"The keys come from elsewhere ({source.told}): change them there, then start the programs again."
            " A key is 32 random bytes in base64."
        )
    if not settings.keys.exists():
        raise BadKeys(f"There is no key file {settings.keys}.")
    return settings.keys
