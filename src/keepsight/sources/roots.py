"""Files only under folders that were named (promise S3): compared by real path, so that no link or `..` leads out."""

import os
from collections.abc import Sequence
from pathlib import Path

from keepsight.errors import AddressRefusedError
from keepsight.sources.address import SourceAddress, SourceKind

_ON_THIS_MACHINE = frozenset({SourceKind.FILE, SourceKind.FOLDER, SourceKind.PUSHED, SourceKind.CAMERA})


def check_is_under(address: SourceAddress, roots: Sequence[Path]) -> None:
    """Refuse a path outside the folders that sources may lie in. Addresses of servers and stdin have no path.

    The reader opens the path again afterwards: whoever can write into a root can still put a link in its place in
    between. Roots are therefore folders in which only trusted programs write, or in which links cannot be made.

    Args:
        address: of any source.
        roots: folders; none lets every path through.

    Raises:
        AddressRefusedError: the real path lies in none of them.
    """
    if not roots or address.is_stdin or address.kind not in _ON_THIS_MACHINE:
        return
    real = Path(os.path.realpath(address.text.removeprefix("unix:")))
    if not any(real.is_relative_to(os.path.realpath(root)) for root in roots):
        raise AddressRefusedError(f"{address.name} lies outside the folders that sources may be in")
