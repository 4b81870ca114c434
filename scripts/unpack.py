"""Unpack an archive into a folder, going on where an earlier attempt ended: `python scripts/unpack.py a.zip folder`.

A file that is there has all of its bytes; train.csv, which says that there is a corpus, comes last.
"""

import os
import sys
import zipfile
import zlib
from pathlib import Path

from hms.atomic import locked, scratch_folder
from hms.errors import UserError


def unpack(archive: Path, folder: Path) -> None:
    """Bring all files of `archive` into `folder`, those that are there already aside. Raises UserError."""
    place = folder / "unpacked"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(place, f"another process unpacks {archive}: waiting for it"), scratch_folder(place) as scratch:
        try:
            with zipfile.ZipFile(archive) as held:
                files = [one for one in held.infolist() if not one.is_dir()]
                for one in sorted(files, key=lambda one: one.filename == "train.csv"):
                    there = folder / one.filename
                    if not there.resolve().is_relative_to(folder.resolve()):
                        raise UserError(f"{archive}: want files of one folder, got '{one.filename}'")
                    if not there.is_file() or there.stat().st_size != one.file_size:
                        there.parent.mkdir(parents=True, exist_ok=True)
                        os.replace(held.extract(one, scratch), there)
        except FileNotFoundError as error:
            raise UserError(f"{error.filename}: no such file") from None
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise UserError(f"{archive}: not a whole archive ({error}); remove it and download it again") from None


if __name__ == "__main__":
    try:
        unpack(Path(sys.argv[1]), Path(sys.argv[2]))
    except UserError as error:
        sys.exit(str(error))
