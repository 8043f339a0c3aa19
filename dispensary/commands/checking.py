"""The command that asks a rule: a calculator without a clinic or a database."""

from __future__ import annotations

import json
import re
import sys

import click
import msgspec

from dispensary.checks.catalogue import RULES, Rule, rule
from dispensary.commands.parts import one_clear_line
from dispensary.refusals import BadInput, Refusal

LONGEST_QUESTION = 100_000
"""Bytes; the longest question has a year of a client's record."""

_LACKING = re.compile(r"Object missing required field `(\w+)`.*")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+?)`.*")
_AT = re.compile(r"(.*) - at `\$\.?(.+)`")


@click.command()
@click.argument("name", metavar="RULE", required=False)
@click.argument("question", metavar="JSON", required=False)
@click.option("--list", "listed", is_flag=True, help="The rules that can be asked.")
@click.option("--schema", "shown", metavar="RULE", help="What a rule is asked, as JSON Schema.")
def check(name: str | None, question: str | None, listed: bool, shown: str | None) -> None:
    """Ask a rule: JSON in, JSON out, with the source. “-” reads the JSON from standard input.

    The exit code is 0 whatever the rule answers, and 2 when the question cannot be read.
    """
    with one_clear_line():
        if listed:
            _say([{"rule": each.name, "asks": each.asks} for each in RULES.values()])
        elif shown:
            _say(rule(shown).schema())
        elif name and question:
            _say(_answer(rule(name), question))
        else:
            raise BadInput(
                Refusal("no-question", "Name a rule and its question in JSON.", "Or ask for --list, --schema RULE.")
            )


def _answer(asked: Rule, question: str) -> dict[str, object]:
    """Raises BadInput, whose sentence begins with the name of the field."""
    text = sys.stdin.read(LONGEST_QUESTION + 1) if question == "-" else question
    if len(text) > LONGEST_QUESTION:
        raise BadInput(Refusal("too-long", f"A question has at most {LONGEST_QUESTION:,} characters."))
    try:
        return asked.answer(msgspec.json.decode(text, type=asked.question))
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeEncodeError) as reason:
        raise BadInput(_of_message(str(reason), asked)) from None
    except BadInput as reason:
        raise BadInput(*(_named(refusal) for refusal in reason.refusals)) from None


def _named(refusal: Refusal) -> Refusal:
    return Refusal(refusal.code, f"{refusal.field}: {refusal.sentence}", refusal.remedy, field=refusal.field)


def _of_message(message: str, asked: Rule) -> Refusal:
    """What the reader of JSON says, with the field first: “missed: Expected `int`, got `str`.”"""
    field, what = "", message
    if found := _LACKING.fullmatch(message):
        field, what = found[1], "It is missing"
    elif found := _UNKNOWN.fullmatch(message):
        field, what = found[1], f"{asked.name} has no such field"
    elif found := _AT.fullmatch(message):
        what, field = found[1], found[2]
    sentence = f"{field}: {what}." if field else f"The question is not what {asked.name} is asked: {what}."
    return Refusal("bad-value", sentence, f"See `dispensary check --schema {asked.name}`.", field=field)


def _say(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
