"""An audit as printable lines and as JSON."""

from __future__ import annotations

from ...system.messages import shown
from .audit import Audit
from .book import Name, Source
from .names import EXPECTED, HARMLESS, RUNS, UNKNOWN

_MOST_NAMES = 40  # lines for each kind
_TITLES = {
    RUNS: "would run code",
    UNKNOWN: "would import what is not known here",
    HARMLESS: "would import what is known to be harmless",
    EXPECTED: "would import what networks are made of",
}


def lines(audit: Audit) -> list[str]:
    """Printable lines, the worst first and the verdict last."""
    book = audit.book
    account = [f"{audit.path}: {audit.format}, {audit.size:,} bytes; nothing of it was run"]
    if book.pickles:
        account.append("Unpickled by an ordinary program it")
    for kind, title in _TITLES.items():
        names = [name for name in audit.names if name.kind == kind]
        if names:
            account.append(f"  {title}:")
            width = min(60, max(len(name.path) for name in names[:_MOST_NAMES]))
            account += [f"    {name.path:<{width}}  {_calls(name)}" for name in names[:_MOST_NAMES]]
            if len(names) > _MOST_NAMES:
                account.append(f"    and {len(names) - _MOST_NAMES} more")
    if audit.sources:
        account.append("  would run source text that it holds:")
        account += [f"    {_source(source)}" for source in audit.sources[:_MOST_NAMES]]
        if len(audit.sources) > _MOST_NAMES:
            account.append(f"    and {len(audit.sources) - _MOST_NAMES} more")
    if book.blobs:
        account.append(f"  would read {book.blobs} files of torch.save that lie inside, which are accounted for above")
    if book.references:
        account.append(f"  would ask for {book.references} pieces of data outside the pickle (persistent ids)")
    if book.pickles and not (audit.names or audit.sources or book.reasons or book.broken):
        account.append("  would make plain values only")
    account += [f"Note: {shown(text, 300)}" for text in book.notes]
    odd = [*book.reasons, *([f"and {book.left_out} more"] if book.left_out else [])]
    account += [f"Odd: {shown(text, 300)}" for text in odd]
    if book.broken:
        account.append(f"Broken: {shown(book.broken, 300)}; what is said above has run before that")
    return [*account, f"Verdict: {shown(audit.verdict, 500)}"]


def _calls(name: Name) -> str:
    if not name.calls:
        text = f"never called; {name.where}"
    else:
        total = sum(name.calls.values())
        counts = sorted(name.calls)
        arguments = (
            "1 argument" if counts == [1] else f"{'-'.join(map(str, sorted({counts[0], counts[-1]})))} arguments"
        )
        times = "called once" if total == 1 else f"called {total:,} times"
        text = f"{times} with {arguments}; {'' if total == 1 else 'from '}{name.where}"
    return shown(f"{text}: {name.why}" if name.why else text, 300)


def _source(source: Source) -> str:
    who = ", ".join(source.classes[:4]) + (", ..." if len(source.classes) > 4 else "")
    known = "no code, comments only" if not source.digest else f"known: {source.known}" if source.known else "NOT KNOWN"
    digest = source.digest[:16] or "-" * 16
    return f"{digest}  {source.size:,} bytes, {known}; {source.objects} objects from {source.where} on: {who}"


def as_json(audit: Audit) -> dict[str, object]:
    """The audit as plain values."""
    book = audit.book
    return {
        "path": audit.path,
        "size": audit.size,
        "format": audit.format,
        "names": [
            {
                "name": name.path,
                "kind": name.kind,
                "why": name.why,
                "calls": {str(count): times for count, times in sorted(name.calls.items())},
                "where": name.where,
            }
            for name in audit.names
        ],
        "sources": [
            {
                "digest": source.digest,
                "size": source.size,
                "known": source.known,
                "objects": source.objects,
                "classes": source.classes,
                "where": source.where,
            }
            for source in audit.sources
        ],
        "pickles": book.pickles,
        "inside": book.blobs,
        "persistent_ids": book.references,
        "notes": book.notes,
        "odd": book.reasons,
        "broken": book.broken,
        "findings": list(audit.findings),
        "verdict": audit.verdict,
        "safe": not audit.findings,
    }
