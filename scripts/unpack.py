"""Unpack an archive into a folder, resuming an earlier attempt: `python scripts/unpack.py a.zip folder`.

Files are renamed into place once complete; train.csv, by which a corpus is recognised, comes last.
"""

import os
import sys
import zipfile
import zlib
from pathlib import Path

from hms.errors import UserError
from hms.system.atomic import locked, scratch_folder


def unpack(archive: Path, folder: Path) -> None:
    """Unpack all files of `archive` into `folder`, except those already there. Raises UserError."""
    place = folder / "unpacked"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(place, f"unpacking {archive}"), scratch_folder(place) as scratch:
        try:
            with zipfile.ZipFile(archive) as opened:
                members = [member for member in opened.infolist() if not member.is_dir()]
                for member in sorted(members, key=lambda member: member.filename == "train.csv"):
                    target = folder / member.filename
                    if not target.resolve().is_relative_to(folder.resolve()):
                        raise UserError(f"{archive}: want files within one folder, got '{member.filename}'")
                    if not target.is_file() or target.stat().st_size != member.file_size:
                        target.parent.mkdir(parents=True, exist_ok=True)
                        os.replace(opened.extract(member, scratch), target)
        except FileNotFoundError as error:
            raise UserError(f"{error.filename}: no such file") from None
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise UserError(f"{archive}: not a complete archive ({error}); delete it and download it again") from None


if __name__ == "__main__":
    try:
        unpack(Path(sys.argv[1]), Path(sys.argv[2]))
    except UserError as error:
        sys.exit(str(error))
