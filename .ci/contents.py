"""What a wheel and a source distribution hold, against what is tracked.

python .ci/contents.py TRACKED DIST     # a file of paths, a folder with one of each
"""

import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

PACKAGES = ("bounds/", "verify/")
WRITTEN = ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE", "top_level.txt")
ALSO_IN_SDIST = ("PKG-INFO", "lgbounds.egg-info/")


def same(what: str, found: set[str], wanted: set[str]) -> None:
    """Leave with what is missing and what is too many."""
    if found != wanted:
        sys.exit(f"{what}: missing {sorted(wanted - found)}, too many {sorted(found - wanted)}")
    print(f"{what}: {len(found)} files, as they should be")


def main(tracked: Path, dist: Path) -> None:
    """Look at both."""
    sources = set(tracked.read_text(encoding="utf-8").split("\0")) - {""}
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        about = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info/"
        packed = {path for path in sources if path.startswith(PACKAGES)}
        same(wheel.name, set(file.namelist()), packed | {about + name for name in WRITTEN})
        metadata = message_from_string(file.read(about + "METADATA").decode())
    text = metadata.get_payload()
    if "](docs/" in text or metadata["Description-Content-Type"] != "text/markdown":
        sys.exit(f"{wheel.name}: the description has links that are dead on an index")
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as file:
        paths = {member.name.split("/", 1)[-1] for member in file if member.isfile()}
    same(sdist.name, {p for p in paths if not p.startswith(ALSO_IN_SDIST)}, sources)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
