"""Writes docs/licences.md and a bill of materials (CycloneDX) of everything that the clinic's lock file names.

    python docs/supply_chain.py             writes docs/licences.md
    python docs/supply_chain.py sbom FILE   writes the bill of materials

Versions and digests come from requirements.lock, licences and who needs whom from what is installed here. A package
that this machine does not need (another system's) stands in both with its version and digests, and without a licence.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
_ENTRY = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==([^\s;\\]+)(?:\s*;\s*([^\\]+?))?\s*\\$")

# What the metadata of a package calls its licence, by the identifier that SPDX has for it.
SPDX = {
    "mit license": "MIT",
    "apache software license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "bsd license": "BSD",
    "bsd": "BSD",
    "python software foundation license": "PSF-2.0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "gnu lesser general public license v2 or later (lgplv2+)": "LGPL-2.1-or-later",
    "isc license (iscl)": "ISC",
}

# Packages whose metadata does not name a licence in one word: read in the file of it that they bring.
READ = {
    "pyrage": "MIT",
    "qrcode": "BSD-3-Clause",
    "rich-click": "MIT",
}

# Licences under which the clinic may run, change and pass on the whole. Those of the second row bind a changed copy of
# the package itself, and nothing here changes one.
FREE = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Zlib",
}  # fmt: skip
OF_THE_PACKAGE = {"LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "MPL-2.0"}


@dataclass(frozen=True)
class Pinned:
    """A package as the lock file has it."""

    name: str
    version: str
    digests: tuple[str, ...]
    here: bool
    """Whether it is installed on this machine, in this version."""
    licence: str
    """An SPDX expression; nothing when it is not here."""
    needs: tuple[str, ...]


def pinned(lock: Path = ROOT / "requirements.lock") -> list[Pinned]:
    """Every entry of a lock file, in its order."""
    found: list[Pinned] = []
    for block in re.split(r"\n(?=[a-z0-9])", lock.read_text("utf-8")):
        if entry := _ENTRY.match(block.split("\n", 1)[0]):
            name, version = entry.group(1), entry.group(2)
            digests = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", block))
            found.append(_as_installed(name, version, digests))
    return found


def _as_installed(name: str, version: str, digests: tuple[str, ...]) -> Pinned:
    try:
        installed = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return Pinned(name, version, digests, False, "", ())
    if installed.version != version:
        return Pinned(name, version, digests, False, "", ())
    needs = [Requirement(line) for line in installed.requires or ()]
    plain = {
        re.sub(r"[-_.]+", "-", each.name).lower()
        for each in needs
        if not each.marker or each.marker.evaluate({"extra": ""})
    }
    return Pinned(name, version, digests, True, licence_of(name, installed), tuple(sorted(plain)))


def licence_of(name: str, installed: metadata.Distribution) -> str:
    """The SPDX expression of a package. Raises LookupError for one that nobody has read yet."""
    said = installed.metadata
    if name in READ:
        return READ[name]
    if expression := said.get("License-Expression"):
        return str(expression)
    classifiers = [
        line.rsplit(" :: ", 1)[-1] for line in said.get_all("Classifier") or () if line.startswith("License ::")
    ]
    words = [SPDX.get(word.lower(), "") for word in classifiers if word != "OSI Approved"]
    if not words:
        words = [SPDX.get((said.get("License") or "").strip().lower(), (said.get("License") or "").strip())]
    if not all(re.fullmatch(r"[A-Za-z0-9.-]+( (AND|OR) [A-Za-z0-9.-]+)*", word) for word in words):
        raise LookupError(f"{name}: read its licence and write it into READ ({classifiers or said.get('License')})")
    return " OR ".join(sorted({_bsd(name, installed) if word == "BSD" else word for word in words}))


def _bsd(name: str, installed: metadata.Distribution) -> str:
    """Which of the BSD licences: the one with three clauses forbids to use the authors' names."""
    for file in installed.files or ():
        if "licen" in file.name.lower() and (path := Path(str(file.locate()))).is_file():
            text = " ".join(path.read_text("utf-8", "replace").lower().split())
            if "redistribution and use in source and binary forms" in text:
                return (
                    "BSD-3-Clause"
                    if re.search(r"neither the name|names? of .{0,80} may not be used", text)
                    else "BSD-2-Clause"
                )
    raise LookupError(f"{name}: it brings no text of its BSD licence; read it and write it into READ")


def not_allowed(expression: str) -> list[str]:
    """The licences of an expression that are in neither list; of “A OR B” one that is allowed is enough."""
    allowed = FREE | OF_THE_PACKAGE
    for choice in re.split(r"\s+OR\s+", expression.strip("()")):
        parts = re.split(r"\s+AND\s+", choice.strip("()"))
        if all(part.strip("()") in allowed for part in parts):
            return []
    return [part for part in re.split(r"\s+(?:AND|OR)\s+", expression) if part.strip("()") not in allowed]


def page() -> str:
    """docs/licences.md."""
    lines = [
        "# What the program is made of",
        "",
        "Every package that a clinic installs, with the licence that it comes under. The versions and digests of",
        "exactly these are in `requirements.lock`; `make sbom` writes all as a bill of materials (CycloneDX 1.6),",
        "which a scanner of known weaknesses reads. `make licences` writes this page; a test fails when it is not",
        "true, or when a package comes under a licence that is in none of the lists of `docs/supply_chain.py`.",
        "",
        "Packages under LGPL or MPL are used as they are: who changes one of them passes on the changes of that",
        "package under its own licence, and nothing else of the program.",
        "",
        "| package | version | licence |",
        "| --- | --- | --- |",
    ]
    return (
        "\n".join(
            [
                *lines,
                *(f"| {each.name} | {each.version} | {each.licence or 'not on this system'} |" for each in pinned()),
            ]
        )
        + "\n"
    )


def bill(version: str) -> str:
    """The bill of materials as CycloneDX 1.6 JSON: the same text for the same lock file on the same kind of machine."""
    licences = LicenseFactory()
    bom = Bom(serial_number=uuid5(NAMESPACE_URL, (ROOT / "requirements.lock").read_text("utf-8")))
    root = Component(name="takehome", version=version, type=ComponentType.APPLICATION, bom_ref="takehome")
    bom.metadata.component = root
    bom.metadata.timestamp = None  # type: ignore[assignment]
    made: dict[str, tuple[Pinned, Component]] = {}
    for each in pinned():
        component = Component(
            name=each.name,
            version=each.version,
            type=ComponentType.LIBRARY,
            bom_ref=f"{each.name}=={each.version}",
            purl=PackageURL("pypi", None, each.name, each.version),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in each.digests],
            licenses=[licences.make_from_string(each.licence)] if each.licence else None,
        )
        made[each.name] = (each, component)
        bom.components.add(component)
    for each, component in made.values():
        bom.register_dependency(component, [made[need][1] for need in each.needs if need in made])
    needed = {need for each, _ in made.values() for need in each.needs}
    bom.register_dependency(root, [component for name, (_, component) in made.items() if name not in needed])
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


if __name__ == "__main__":
    if sys.argv[1:2] == ["sbom"]:
        target = Path(sys.argv[2])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(bill(metadata.version("takehome")), "utf-8")
        sys.stdout.write(f"{target}: {len(pinned())} packages\n")
    else:
        (ROOT / "docs" / "licences.md").write_text(page(), "utf-8")
