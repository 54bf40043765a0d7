"""A home is its user's alone, whatever the umask, even if its folder was there before."""

import contextlib
import fcntl
import os
import stat
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.store import Store
from mnist_tracking.errors import ConfigError

OTHER_USER = 65534
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that everybody can enter, as the folders above `tmp_path` are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def fill(home: Path) -> None:
    """Create one of each kind of file, and a backup."""
    engine = EmbeddedSageMaker(home)
    s3 = engine.session().client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=b"content")
    engine.backup(home.with_name("backup"))


def as_other_user(attempt: Callable[[], bool]) -> bool:
    """Whether something succeeds for another user."""
    child = os.fork()
    if child == 0:
        status = 2
        try:
            os.setgroups([])
            os.setgid(OTHER_USER)
            os.setuid(OTHER_USER)
            status = 0 if attempt() else 1
        except BaseException:  # noqa: BLE001 - the child must never go on with its parent's tests
            traceback.print_exc()
        finally:
            os._exit(status)
    found = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert found in (0, 1)
    return found == 0


@pytest.mark.usefixtures("no_umask")
def test_everything_in_a_home_is_private(tmp_path: Path) -> None:
    """Each file and folder, so that a copy is private, too; the umask of the process is not touched."""
    fill(tmp_path / "home")

    for folder in (tmp_path / "home", tmp_path / "backup"):
        found = {path: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
        assert {path: oct(mode) for path, mode in found.items() if mode & 0o077} == {}
    assert os.umask(0) == 0


def test_existing_folder_is_made_private(tmp_path: Path) -> None:
    """An older version, or the user, may have created it for everybody."""
    tmp_path.chmod(0o775)
    Store(tmp_path).close()

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


@only_root
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.usefixtures("no_umask")
def test_other_users_can_neither_read_nor_lock_anything(shared_folder: Path) -> None:
    """Not even the names of the files, and no lock that would make the owner wait."""
    home = shared_folder / "home"
    fill(home)
    paths = [path for path in home.rglob("*") if path.is_file()]

    def can_open() -> bool:
        for path in (home, *paths):
            with contextlib.suppress(PermissionError):
                descriptor = os.open(path, os.O_RDONLY)
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return True
        return False

    assert len(paths) >= 6
    assert not as_other_user(can_open)


@only_root
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_home_of_another_user_is_rejected(shared_folder: Path) -> None:
    """Its owner could read and change everything. Root, who may do so anyway, can use any home."""
    home = shared_folder / "home"
    home.mkdir(mode=0o777)
    home.chmod(0o777)

    def is_rejected() -> bool:
        with pytest.raises(ConfigError, match="belongs to another user"):
            Store(home)
        return True

    assert as_other_user(is_rejected)
    os.chown(home, OTHER_USER, OTHER_USER)
    Store(home).close()
