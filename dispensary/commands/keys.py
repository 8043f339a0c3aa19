"""Commands about the keys of the house: which there are, exchanging them while everybody works, copies of them."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from dispensary import key_sources
from dispensary.backups.files import BadBackup
from dispensary.commands.parts import bar, database_of, now, one_clear_line
from dispensary.database import Database
from dispensary.key_sources import KeyFile, change_file, source_of
from dispensary.keys import BadKeys, Kind, Ring, with_new_key
from dispensary.settings import Settings, settings_from

_DOES = {Kind.SEALING: "seals", Kind.INDEX: "finds", Kind.SIGNING: "signs"}
_NEXT = {
    Kind.SEALING: "Then: dispensary keys reseal",
    Kind.INDEX: "Then: dispensary keys reindex",
    Kind.SIGNING: "When the passes that the older one signed are over: dispensary keys drop",
}
_AFTER = {
    Kind.SEALING: "Backups that were made before everything was sealed anew still need it: keep the older copy of the"
    " key file for as long as you keep them, and destroy both together.",
    Kind.INDEX: "A backup that was made before is looked up by it: keep the older copy of the key file for as long as"
    " you keep them, or run `dispensary keys reindex` after a restore.",
    Kind.SIGNING: "An export as of a moment at which it signed gives its clients other pseudonyms from now on.",
}
_COPY = click.Path(dir_okay=False, path_type=Path)


@click.group()
def keys() -> None:
    """The keys of the house: add one, seal or index everything anew, see which are in use, copy them."""


@keys.command()
def status() -> None:
    """Each key with its fingerprint, and how many fields or digests lie under it."""
    from dispensary.resealing.counting import OWN, fields_by_key
    from dispensary.resealing.digests import digests_by_key
    from dispensary.resealing.prints import noted, spoken

    with one_clear_line(), database_of(settings_from()) as database:
        ring, source = database.vault.ring, database.vault.keyring.source
        with database.reading() as session:
            fields, digests, needed = fields_by_key(session), digests_by_key(session), noted(session)
        click.echo(f"{source.told if source else 'Keys'}:")
        prints = ring.prints()
        for kind in Kind:
            for name in sorted(ring.held(kind).keys):
                what = f"{fields.get(name, 0):>9,} fields" if kind is Kind.SEALING else ""
                what = f"{digests.get(name, 0):>9,} digests" if kind is Kind.INDEX else what
                now_ = f", {_DOES[kind]} from now on" if name == ring.held(kind).current else ""
                new = "" if name in needed else ", new here"
                click.echo(f"  {name:<8} {spoken(prints[name])} {what}{now_}{new}")
        click.echo(f"  clients' own keys           {fields.get(OWN, 0):>9,} fields")
        for name in sorted(fields.keys() - prints.keys() - {OWN}):
            click.echo(f"  {name:<8} is missing here: {fields[name]:,} fields do not open", err=True)
        for name in sorted(digests.keys() - prints.keys()):
            click.echo(f"  {name:<8} is not here: {digests[name]:,} digests are found by nobody", err=True)


@keys.command()
@click.option(
    "--kind",
    type=click.Choice([kind.name.lower() for kind in Kind]),
    default=Kind.SEALING.name.lower(),
    show_default=True,
    help="What it is for: sealing fields, digests to look up by, signing passes.",
)
@click.option("--not-yet", is_flag=True, help="Add it without using it: copy the file to every machine first.")
def add(kind: str, not_yet: bool) -> None:
    """Add a new random key to the key file; programs that run use it from the next seconds on."""
    from dispensary.resealing.prints import note

    with one_clear_line():
        settings = settings_from()
        path, of = _file_of(settings), Kind[kind.upper()]
        made = ""

        def more(ring: Ring) -> Ring:
            nonlocal made
            ring, made = with_new_key(ring, current=False, kind=of)
            return ring

        with database_of(settings) as database:
            ring = change_file(path, more)
            with database.writing() as session:
                note(session, ring, at=now())
        if not not_yet:
            # A program that looks up, or reads a pass, must know the key before another one writes by it.
            time.sleep(2 * key_sources.LOOK_EVERY)
            change_file(path, partial(_used, made))
    click.echo(f"{path} has the key {made}{', not in use yet' if not_yet else f', which {_DOES[of]} from now on'}.")
    click.echo(
        "Copy the key file to where its copy is kept, now: the copy of before does not open what is written next."
    )
    click.echo(f"Then: dispensary keys use {made}" if not_yet else _NEXT[of])


@keys.command()
@click.argument("name")
def use(name: str) -> None:
    """Seal, find or sign by this key from now on; it must be in the key file of every machine."""
    with one_clear_line():
        path = _file_of(settings_from())
        change_file(path, partial(_used, name))
        kind = Kind(name[0])
    click.echo(f"{name} {_DOES[kind]} from now on. {_NEXT[kind]}")


def _used(name: str, ring: Ring) -> Ring:
    kind = _kind_of(name, ring)
    return ring.with_held(kind, replace(ring.held(kind), current=name))


def _kind_of(name: str, ring: Ring) -> Kind:
    for kind in Kind:
        if name in ring.held(kind).keys:
            return kind
    raise BadKeys(f"There is no key “{name}”.")


@keys.command()
def reindex() -> None:
    """Make the digests that people, numbers and passes are found by anew, beside whoever works.

    It can be ended at will. Nobody is missed meanwhile: what is looked up is looked up under every index key there is.
    """
    from dispensary.resealing.digests import digests_by_key, reached
    from dispensary.resealing.indexing import index_anew

    with one_clear_line(), database_of(settings_from()) as database:
        with database.reading() as session:
            old = [name for name in digests_by_key(session) if name != database.vault.ring.index.current]
            total = sum(reached(session, name) for name in old)
        tell = bar("looking up anew", " digests")
        done = index_anew(database, progress=lambda so_far: tell(min(so_far, total), total))
    for line in done.unread[:20]:
        click.echo(line, err=True)
    click.echo(f"{done.clients:,} clients, {done.numbers:,} numbers and {done.passes:,} passes are found anew.")
    if done.unread:
        click.echo(f"{len(done.unread):,} do not open and stay as they are.", err=True)
        raise SystemExit(1)


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
@click.option("--even-so", is_flag=True, help="Drop it although something depends on it that cannot be made anew.")
def drop(name: str, even_so: bool) -> None:
    """Remove a key under which nothing lies any more, and by which no pass is signed that still opens something."""
    from dispensary.resealing.dropping import end_what_depends, refuse_while_needed
    from dispensary.resealing.prints import forget

    with one_clear_line():
        settings = settings_from()
        with database_of(settings) as database:
            kind = _kind_of(name, database.vault.ring)

            def without(ring: Ring) -> Ring:
                held = ring.held(_kind_of(name, ring))
                if name == held.current:
                    raise BadKeys(f"{name} {_DOES[kind]} from now on. Add another one first: dispensary keys add")
                with database.reading() as session:
                    refuse_while_needed(session, kind, name, even_so=even_so, at=now())
                return ring.with_held(kind, replace(held, keys={n: k for n, k in held.keys.items() if n != name}))

            source = source_of(settings)
            if isinstance(source, KeyFile):
                change_file(_file_of(settings), without)
            else:
                without(database.vault.ring)
            with database.writing() as session:
                end_what_depends(session, kind, name, at=now())
                forget(session, name)
    if isinstance(source, KeyFile):
        click.echo(f"{name} is gone from {source.path}.")
    else:
        click.echo(f"The database needs {name} no more. Take it out of {source.told}, then start the programs again.")
    click.echo(_AFTER[kind])


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
    click.echo(f"{file} holds {', '.join(ring.prints())}. Check it now: dispensary keys check {file}")


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
    from dispensary.schema import met

    database: Database = open_database(settings, Vault(Keyring(ring)))
    try:
        if needs := met(database).needs:
            raise BadKeys(needs)
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
