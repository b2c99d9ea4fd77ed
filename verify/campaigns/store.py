"""The folder of a campaign: one SQLite file, one writer, any number of readers.

Why SQLite: a row is there or not, whatever is killed when; every language reads it; nothing to
install. Why its rollback journal and not the write-ahead log: the latter needs memory that all its
readers share, which network file systems do not have. Commits cost a few hundredths of a second
there, so the rows that come in during one commit make up the next one.

Who may write is decided by a lock on a second file, which the operating system takes back from a
process that dies. It is SQLite's own lock, which works wherever the first file does, and which
worker processes do not inherit.
"""

from __future__ import annotations

import json
import queue
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from numbers import Integral
from pathlib import Path
from typing import Any

from bounds.version import version
from verify.campaigns.definition import MOST_CASES, Definition, claim_data, digest_of
from verify.campaigns.entries import UNREADABLE
from verify.campaigns.work import CRASHED, Found
from verify.errors import InputError
from verify.lengths import from_json, to_json

FILE, LOCK = "campaign.sqlite", "campaign.lock"

APPLICATION = 0x6C674243
"""Marks the file as a campaign's, in the header that SQLite has for that: "lgBC"."""
VERSION = 1

_PATIENCE = 60.0
"""Seconds to wait for a reader that holds the file."""

_TABLES = """
CREATE TABLE definition (digest TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE claims (claim INTEGER PRIMARY KEY, text TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE cases (number INTEGER PRIMARY KEY, claim INTEGER NOT NULL REFERENCES claims,
  input TEXT NOT NULL, part INTEGER NOT NULL, digest TEXT NOT NULL, UNIQUE (digest, input));
CREATE TABLE results (number INTEGER PRIMARY KEY REFERENCES cases, status TEXT NOT NULL,
  length TEXT, from_length TEXT, proved_horizon TEXT, low REAL, high REAL, seconds REAL NOT NULL,
  error TEXT, detail TEXT NOT NULL, certificate TEXT, version TEXT NOT NULL);
CREATE VIEW report AS SELECT number, claims.text AS claim, input, part, status, length, from_length,
  proved_horizon, low, high, seconds, error, detail
  FROM cases JOIN claims USING (claim) LEFT JOIN results USING (number) ORDER BY number;
"""
"""Lengths are text, since they may be longer than SQLite's integers: decimal, or 0x…."""


class Store:
    """The file while its campaign runs: rows are handed over here and written by one thread."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self._folder = folder
        self._connection = connection
        self._rows: queue.SimpleQueue[Found | None] = queue.SimpleQueue()
        self._problem: Exception | None = None
        # Not in the main thread: Ctrl-C cannot come in the middle of a commit.
        self._writer = threading.Thread(target=self._write, name="campaign writer")

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, definition: Definition) -> Iterator[Store]:
        """Make the folder, or find it with the same definition; nobody else may write to it.

        Raises:
            InputError: the folder cannot be written to, another campaign is running in it, it
                holds another definition, or a file that is none of this version.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise _unusable(folder, error) from None
        with _locked(folder), closing(_connected(folder, "rwc")) as connection:
            with _explained(folder):
                empty = _is_empty(connection)
                if not empty:
                    _check_file(connection, folder)
                    _check_definition(connection, folder, definition)
                # The journal is kept until the end, which saves half of the time of a commit.
                # Not before the file is known to be a campaign's: this changes one that has a log.
                connection.execute("PRAGMA journal_mode = PERSIST")
                connection.execute("PRAGMA foreign_keys = ON")
                if empty:
                    _create(connection, definition)
            store = cls(folder, connection)
            store._writer.start()
            try:
                yield store
            finally:
                store._rows.put(None)
                store._writer.join()
                store._raise()
                with suppress(sqlite3.Error):  # a reader may be there; the journal does no harm
                    connection.execute("PRAGMA journal_mode = DELETE")

    def numbers(self, *, crashed: bool) -> dict[tuple[str, str], int]:
        """Return the number of every case without a row, by its digest and input.

        Args:
            crashed: those that crashed count as without a row.
        """
        with _explained(self._folder):
            rows = self._connection.execute(
                "SELECT digest, input, number FROM cases LEFT JOIN results USING (number) "
                "WHERE status IS NULL OR (? AND status = ?)",
                (crashed, CRASHED),
            ).fetchall()
        return {(digest, name): number for digest, name, number in rows}

    def add(self, found: Found) -> None:
        """Hand over a row; it is on disk when the commit that it is part of has ended.

        Raises:
            InputError: an earlier row could not be written.
        """
        self._raise()
        self._rows.put(found)

    def _write(self) -> None:
        """Write what comes, in the thread that alone uses the connection until the end."""
        ended = False
        while not ended:
            batch = [self._rows.get()]
            while not self._rows.empty():
                batch.append(self._rows.get())
            ended = None in batch
            if self._problem is None:
                self._problem = self._kept([found for found in batch if found is not None])

    def _kept(self, rows: Sequence[Found]) -> Exception | None:
        """Commit rows; where there is room for some of them only, those."""
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany(
                    f"INSERT OR REPLACE INTO results VALUES ({', '.join('?' * 12)})",
                    [_values(found) for found in rows],
                )
        except Exception as error:
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_FULL or len(rows) == 1:
                return error
            # Rows that took hours to work out are not given up for those that do not fit.
            return next((problem for row in rows if (problem := self._kept([row]))), None)
        return None

    def _raise(self) -> None:
        if self._problem is not None:
            raise _unusable(self._folder, self._problem) from self._problem


def folder_of(out: Any) -> Path:
    """Return the path of a folder.

    Raises:
        InputError: it is none.
    """
    try:
        return Path(out)
    except TypeError:
        raise InputError("out", out, "the path of a folder") from None


def read(folder: Path) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    """Return the definition and the rows, those that are there, from a folder that may be in use.

    Returns:
        The definition as plain data; for each case (number, claim as plain data, its text, input,
        part, status or None, length, from_length, proved_horizon, low, high, seconds, error).

    Raises:
        InputError: there is no campaign, or a file that is none of this version.
    """
    with closing(_connected(folder, "rw")) as connection, _explained(folder):
        _check_file(connection, folder)
        ((data,),) = connection.execute("SELECT data FROM definition").fetchall()
        claims = {
            number: (json.loads(written), text)
            for number, text, written in connection.execute("SELECT claim, text, data FROM claims")
        }
        rows = connection.execute(
            "SELECT number, claim, input, part, status, length, from_length, proved_horizon, "
            "low, high, seconds, error FROM cases LEFT JOIN results USING (number) ORDER BY number"
        ).fetchall()
    return json.loads(data), [
        (number, *claims[claim], *rest[:3], *map(_length, rest[3:6]), *rest[6:])
        for number, claim, *rest in rows
    ]


def read_one(folder: Path, number: Any, column: str) -> dict[str, Any] | None:
    """Return `detail` or `certificate` of a case; None where there is none.

    Raises:
        InputError: there is no campaign, or a file that is none of this version.
    """
    if (
        not isinstance(number, Integral)
        or isinstance(number, bool)
        or abs(int(number)) > MOST_CASES
    ):
        return None
    with closing(_connected(folder, "rw")) as connection, _explained(folder):
        _check_file(connection, folder)
        found = connection.execute(
            f"SELECT {column} FROM results WHERE number = ?", (int(number),)
        ).fetchone()
    return None if found is None or found[0] is None else json.loads(found[0])


def _connected(folder: Path, mode: str) -> sqlite3.Connection:
    path = folder / FILE
    if mode == "rw" and not path.is_file():
        raise InputError("out", str(folder), f"a folder with the file {FILE}")
    with _explained(folder):
        # Transactions are begun by hand; the writer's thread is not the one that opens the file.
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=_PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder against every other campaign, in this process or another."""
    with _explained(folder, LOCK):
        lock = sqlite3.connect(
            folder / LOCK, timeout=0, isolation_level=None, check_same_thread=False
        )
    with closing(lock):
        with _explained(folder, LOCK):
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
                allowed = (
                    "a folder in which no campaign is running: wait for that one, or take another "
                    "folder; verify.CampaignResult.load reads what it has done so far"
                )
                raise InputError("out", str(folder), allowed) from None
        yield


@contextmanager
def _explained(folder: Path, file: str = FILE) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _unusable(folder, error, file) from None


def _unusable(folder: Path, error: Exception, file: str = FILE) -> InputError:
    """Say what can be done about a file that cannot be used; it is never changed or replaced."""
    allowed = "a folder that can be written to"
    code = getattr(error, "sqlite_errorcode", None)
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        allowed = f"a folder whose {file} is whole: move that one away, or take another folder"
    elif code == sqlite3.SQLITE_FULL:
        allowed = "a folder with room on its disk: make some and start again, finished rows stay"
    elif code == sqlite3.SQLITE_BUSY:
        allowed = "a folder that other programs do not hold for long: end them and start again"
    return InputError("out", str(folder), f"{allowed} ({' '.join(str(error).split())})")


def _is_empty(connection: sqlite3.Connection) -> bool:
    """Whether nothing was ever stored: a new file, or one whose campaign was killed at once."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return not tables and _header(connection) == (0, 0)


def _header(connection: sqlite3.Connection) -> tuple[int, int]:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    return application, found


def _check_file(connection: sqlite3.Connection, folder: Path) -> None:
    """Raise InputError unless the file is a campaign's, of this version."""
    if _is_empty(connection):
        raise InputError("out", str(folder), "a campaign that has begun: nothing is stored here")
    application, found = _header(connection)
    if application != APPLICATION:
        allowed = f"a folder of its own: {FILE} in this one is not a campaign's"
        raise InputError("out", str(folder), allowed)
    if found != VERSION:
        allowed = (
            f"a campaign of version {VERSION}: this one has version {found}; read it with the "
            "lgbounds that wrote it"
        )
        raise InputError("out", str(folder), allowed)


def _create(connection: sqlite3.Connection, definition: Definition) -> None:
    """Write the definition and all cases, at once or not at all."""
    claims = [
        (k, str(claim), json.dumps(claim_data(claim))) for k, claim in enumerate(definition.claims)
    ]
    cases = (
        (number, case.claim, definition.inputs[case.input].name, case.part, case.digest)
        for number, case in enumerate(definition.cases())
    )
    data = definition.data()
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _TABLES.split(";")[:-1]:
            connection.execute(statement)
        connection.execute(
            "INSERT INTO definition VALUES (?, ?)", (digest_of(data), json.dumps(data))
        )
        connection.executemany("INSERT INTO claims VALUES (?, ?, ?)", claims)
        connection.executemany("INSERT INTO cases VALUES (?, ?, ?, ?, ?)", cases)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _check_definition(connection: sqlite3.Connection, folder: Path, definition: Definition) -> None:
    """Raise InputError unless the folder holds this campaign, and its file is whole."""
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        damage = sqlite3.DatabaseError(verdict)
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage
    ((digest, written),) = connection.execute("SELECT digest, data FROM definition").fetchall()
    if digest == definition.digest:
        return
    there, here = json.loads(written), definition.data()
    problems = {entry.name: entry.problem for entry in definition.inputs}
    differences = [
        f"{label} {len(entries):,} {kind}, such as {_shown(entries[0], problems)}"
        for kind in ("claims", "inputs")
        for label, entries in (
            ("new are", _but(here[kind], there[kind])),
            ("gone are", _but(there[kind], here[kind])),
        )
        if entries
    ]
    allowed = "a new folder, or the one of this campaign: this folder holds another"
    raise InputError("out", str(folder), f"{allowed}; {'; '.join(differences)}")


def _but(some: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """Return those of some that are not among the others."""
    known = {json.dumps(entry, sort_keys=True) for entry in others}
    return [entry for entry in some if json.dumps(entry, sort_keys=True) not in known]


def _shown(entry: Any, problems: Mapping[str, str]) -> str:
    """A claim or an input as plain data, in short."""
    if isinstance(entry, dict):
        return ", ".join(f"{k} = {v}" for k, v in entry.items() if v not in (None, False))
    name, *weights = entry
    if UNREADABLE in weights:
        return f"{name!r}, which cannot be read ({problems.get(name) or 'then'})"
    return f"{name!r} with weights {' and '.join(weight[:8] for weight in weights)}"


def _values(found: Found) -> Sequence[Any]:
    answer = found.answer
    lengths = map(_written, (answer.length, answer.from_length, answer.proved_horizon))
    sides = (answer.low, answer.high)
    texts = (found.error, found.detail, found.certificate, version())
    return (found.number, answer.status, *lengths, *sides, found.seconds, *texts)


def _written(length: int | None) -> str | None:
    return None if length is None else str(to_json(length))


def _length(text: str | None) -> int | None:
    if text is None:
        return None
    return from_json(text) if text.startswith("0x") else int(text)
