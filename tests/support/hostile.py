"""Archives made to escape from the folder that they are unpacked to; ``{outside}`` stands for a folder beside it."""

import io
import tarfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import attrs

REG, DIR, SYM, LNK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
KINDS = {"file": REG, "folder": DIR, "symlink": SYM, "hardlink": LNK}
SPECIAL = {"char": tarfile.CHRTYPE, "block": tarfile.BLKTYPE, "fifo": tarfile.FIFOTYPE, "unknown": b"Z"}

ABSOLUTE = ("{outside}/evil", "/{outside}/evil", "//{outside}/evil")
UP = ("../outside/evil", "a/../../outside/evil", "./../outside/evil", "a/b/../../../outside/evil", "..", "../", "a/..")
TARGETS = (
    "{outside}/secret",
    "../outside/secret",
    "a/../../outside/secret",
    "{outside}",
    "../outside",
    "..",
    "./..",
    "x/../../outside",
    "/",
)


@attrs.frozen
class Member:
    """One member; *pax* overrides what its header says, and *size* replaces the size in it."""

    name: str
    kind: bytes = REG
    link: str = ""
    content: bytes = b"evil"
    pax: dict[str, str] = attrs.field(factory=dict)
    size: int | None = None
    mode: int = 0o6777

    def header(self, outside: str) -> tarfile.TarInfo:
        """Return its header, with the folder beside the target filled in."""
        info = tarfile.TarInfo(self.name.replace("{outside}", outside))
        info.type, info.linkname, info.mode = self.kind, self.link.replace("{outside}", outside), self.mode
        info.pax_headers = {name: value.replace("{outside}", outside) for name, value in self.pax.items()}
        info.size = len(self.content) if self.kind in (REG, b"Z") else 0
        return info


def write_hostile(path: Path, members: list[Member], outside: Path) -> None:
    """Write the members one by one, as no program would."""
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            info = member.header(str(outside))
            content = member.content if info.size else b""
            if member.size is not None:
                info.size = member.size
                tar.fileobj.write(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))
                tar.fileobj.write(content.ljust(512, b"\0"))
            else:
                tar.addfile(info, io.BytesIO(content))


def hostile_archives() -> dict[str, list[Member]]:
    """Return the members of each archive, by what it tries."""
    return dict([*_names(), *_links(), *_chains(), *_replacements(), *_lookalikes(), *_sizes(), *_headers()])


def _names() -> Iterator[tuple[str, list[Member]]]:
    for name, kind in product((*ABSOLUTE, *UP), KINDS):
        yield f"{kind} {name}", [Member("secret"), Member(name, KINDS[kind], "secret")]
    for kind, number in SPECIAL.items():
        yield f"{kind}", [Member("special", number)]
        yield f"{kind} then written", [Member("special", number), Member("special")]
    yield "mode of the parent", [Member("a", DIR), Member("a/..", DIR, mode=0), Member("..", DIR, mode=0)]


def _links() -> Iterator[tuple[str, list[Member]]]:
    for target in TARGETS:
        door = Member("door", SYM, target)
        yield f"symlink to {target}", [door]
        yield f"hardlink to {target}", [Member("a", DIR), Member("door", LNK, target)]
        yield f"written through {target}", [door, Member("door")]
        yield f"written below {target}", [door, Member("door/evil"), Member("door/secret")]
        yield f"folder below {target}", [door, Member("door/new", DIR), Member("door", DIR, mode=0)]
        yield f"hardlink through {target}", [door, Member("stolen", LNK, "door/secret"), Member("stolen")]
        yield f"hardlink of the link to {target}", [door, Member("stolen", LNK, "door"), Member("stolen")]


def _chains() -> Iterator[tuple[str, list[Member]]]:
    """Links whose targets are inside, taken word for word, but lead outside by way of other links."""
    for depth in range(1, 7):
        through = "x/" * depth + "../" * depth
        yield (
            f"link to itself, {depth} deep",
            [
                Member("x", SYM, "."),
                Member("y", SYM, f"{through}../outside"),
                Member("z", SYM, f"{through}outside/secret"),
                Member("y/evil"),
                Member("z"),
            ],
        )
        yield (
            f"link in a folder, {depth} deep",
            [
                Member("d/" * depth, DIR),
                Member("d/" * depth + "x", SYM, "../" * depth),
                Member("y", SYM, "d/" * depth + "x/.."),
                Member("y/outside/evil"),
                Member("stolen", LNK, "y/outside/secret"),
            ],
        )
    for length, steps in ((247, 16), (55, 16), (247, 8), (200, 20)):
        yield f"path of {length * steps}", _long_chain(length, steps)


def _long_chain(length: int, steps: int) -> list[Member]:
    """CVE-2025-4517: the real path of a link is too long to be resolved, so that a check stops half way."""
    folder, path, members = "d" * length, "", []
    for letter in "abcdefghijklmnopqrstuvwxyz"[:steps]:
        members += [Member(f"{path}{folder}", DIR), Member(f"{path}{letter}", SYM, folder)]
        path += f"{folder}/"
    long = "/".join("abcdefghijklmnopqrstuvwxyz"[:steps]) + "/" + "l" * 254
    members += [
        Member(long, SYM, "../" * steps),
        Member("escape", SYM, f"{long}/../outside"),
        Member("victim", LNK, "escape/secret"),
        Member("victim"),
        Member("escape/evil"),
    ]
    return members


def _replacements() -> Iterator[tuple[str, list[Member]]]:
    out = Member("d", SYM, "../outside")
    yield "folder replaced by a link", [Member("d", DIR), out, Member("d/evil")]
    yield "file replaced by a link", [Member("d"), Member("d", SYM, "../outside/secret"), Member("d")]
    yield "link replaced by a folder", [Member("d", SYM, "e"), Member("e", DIR), Member("d", DIR), Member("d/evil")]
    yield "link moved up by a hard link", [Member("a/b/l", SYM, "../../t"), Member("m", LNK, "a/b/l"), Member("m")]
    yield (
        "file replaced by a link, then linked",
        [Member("a/f"), Member("a/f", SYM, "../outside/secret"), Member("m", LNK, "a/f"), Member("m")],
    )
    yield "hard link to a later file", [Member("m", LNK, "later"), Member("later", SYM, "../outside/secret")]
    yield "hard link to itself", [Member("m", LNK, "m"), Member("m")]
    yield "many of one name", [out, Member("d/evil"), Member("d", DIR), Member("d"), Member("d", LNK, "d/secret"), out]


def _lookalikes() -> Iterator[tuple[str, list[Member]]]:
    for link, name in (("Door", "door"), ("caf\u00e9", "cafe\u0301"), ("stra\u00dfe", "STRASSE")):
        yield f"written below {name} for {link}", [Member(link, SYM, "../outside"), Member(f"{name}/evil")]
        yield f"inner link {link}, then {name}", [Member(link, SYM, "."), Member(f"{name}/../../outside/evil")]
    for dots in ("\uff0e\uff0e", "..\u200b", "\u2025", "..\u0000", "\\..", "..\\..\\outside\\"):
        yield f"dots {dots!r}", [Member(f"a/{dots}/{dots}/outside/evil")]


def _sizes() -> Iterator[tuple[str, list[Member]]]:
    for size in (-1, -512, -(1 << 40), 1 << 50, (1 << 62) + 5):
        for kind, number in {**KINDS, "longname": tarfile.GNUTYPE_LONGNAME, "pax": tarfile.XHDTYPE}.items():
            yield f"{kind} of {size} bytes", [Member("huge", number, "target", size=size), Member("after")]
    for stated in ("-1", "99999999999999999999", "1e400", "x"):
        yield f"size {stated} by pax", [Member("huge", pax={"size": stated})]
    for shape in ("0,-5", "-512,512", "0,1,0,1", "9223372036854775807,1", "0,512", "5"):
        sparse = {"GNU.sparse.map": shape, "GNU.sparse.size": str(1 << 55), "GNU.sparse.name": "../outside/evil"}
        yield f"sparse {shape}", [Member("sparse", pax=sparse)]


def _headers() -> Iterator[tuple[str, list[Member]]]:
    """Headers that override others."""
    for name in ("{outside}/evil", "../outside/evil", "ok\0/../../outside/evil", "", "."):
        yield f"path {name!r} by pax", [Member("ok", pax={"path": name})]
        yield f"link {name!r} by pax", [Member("ok", SYM, "fine", pax={"linkpath": name}), Member("ok")]
        yield f"hard link {name!r} by pax", [Member("fine"), Member("ok", LNK, "fine", pax={"linkpath": name})]
    yield "deep", [Member("d/" * 5000 + "evil")]
    yield "long", [Member("d" * 70_000)]
    yield "times", [Member("old", pax={"mtime": "-1e300"}), Member("nan", pax={"mtime": "nan"})]
