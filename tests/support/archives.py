"""Archives as training jobs and models have them."""

import io
import tarfile
from collections.abc import Mapping


def archive(members: Mapping[str, str | bytes]) -> bytes:
    """Pack files, by their names; the name ``""`` makes a folder, as the SageMaker SDK does."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, given in members.items():
            content = given.encode() if isinstance(given, str) else given
            info = tarfile.TarInfo(name)
            info.type, info.size = tarfile.REGTYPE if name else tarfile.DIRTYPE, len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
