"""What becomes of the store when its process is killed, its disk is full, or many use it at once."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.store import Store

FULL_DISK = """
import resource, sys
from botocore.exceptions import ClientError
from mnist_tracking.embedded.engine import EmbeddedSageMaker

engine = EmbeddedSageMaker(sys.argv[1])
sagemaker, s3 = engine.session().client("sagemaker"), engine.session().client("s3")
s3.create_bucket(Bucket="digits")
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, resource.RLIM_INFINITY))
made = 0
try:
    s3.put_object(Bucket="digits", Key="7", Body=b"7" * (1 << 20))
except ClientError as error:
    print(error)
try:
    while made < 10_000:
        sagemaker.create_experiment(ExperimentName=f"digits-{made}", Description="d" * 3000)
        made += 1
except ClientError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
sagemaker.create_experiment(ExperimentName="after")
print(made + 1)
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from mnist_tracking.embedded.store import Store

store = Store(Path(sys.argv[1]))
with store.write() as connection:
    connection.execute("INSERT INTO tags VALUES ('acknowledged', 'k', 'v')")
with store.write() as connection:
    connection.execute("INSERT INTO tags VALUES ('unfinished', 'k', 'v')")
    os.kill(os.getpid(), signal.SIGKILL)
"""
WRITER = """
import sys
from mnist_tracking.embedded.engine import EmbeddedSageMaker

client = EmbeddedSageMaker(sys.argv[1]).session().client("sagemaker")
for number in range(25):
    client.create_trial_component(TrialComponentName=f"c-{sys.argv[2]}-{number}")
    client.list_trial_components(MaxResults=1)
"""


def integrity(home: Path) -> str:
    """The result of SQLite's integrity check."""
    connection = sqlite3.connect(home / "sagemaker.db")
    found = str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    connection.close()
    return found


def test_a_full_disk_is_a_clear_error_and_nothing_is_lost(tmp_path: Path) -> None:
    """For the store and for S3; acknowledged writes are kept, and work continues once there is space."""
    home = tmp_path / "home"
    child = subprocess.run([sys.executable, "-c", FULL_DISK, str(home)], capture_output=True, text=True, check=False)
    said = child.stdout.splitlines()

    assert child.returncode == 0, child.stderr
    assert len(said) == 3
    for line in said[:2]:
        assert f"The embedded SageMaker cannot use '{home}'" in line
        assert "InternalFailure" in line
    assert integrity(home) == "ok"
    assert not [path for path in (home / "s3").rglob("*") if path.is_file()]
    store = Store(home)
    with store.read() as connection:
        assert connection.execute("SELECT count(*) FROM experiments").fetchone()[0] == int(said[2])
    store.close()


def test_committed_writes_survive_a_killed_writer(tmp_path: Path) -> None:
    """Its unfinished transaction is rolled back, and blocks nobody."""
    child = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    store = Store(tmp_path)
    with store.write() as connection:
        connection.execute("INSERT INTO tags VALUES ('next', 'k', 'v')")

    assert child.returncode == -signal.SIGKILL
    with store.read() as connection:
        assert [row["arn"] for row in connection.execute("SELECT arn FROM tags")] == ["acknowledged", "next"]
    store.close()
    assert integrity(tmp_path) == "ok"


def test_writer_does_not_block_readers(engine: EmbeddedSageMaker) -> None:
    """While another connection writes, readers see the state before."""
    client, other = engine.session().client("sagemaker"), Store(engine.home)
    client.create_experiment(ExperimentName="digits")
    with other.write() as connection:
        connection.execute("UPDATE experiments SET display_name = 'changed'")
        assert client.describe_experiment(ExperimentName="digits")["DisplayName"] == "digits"

    assert client.describe_experiment(ExperimentName="digits")["DisplayName"] == "changed"
    other.close()


def test_processes_make_calls_at_once(tmp_path: Path) -> None:
    """Six processes open a new folder at once and write to it; no call fails, and nothing is lost."""
    home = tmp_path / "home"
    children = [subprocess.Popen([sys.executable, "-c", WRITER, str(home), str(number)]) for number in range(6)]

    assert [child.wait(120) for child in children] == [0] * 6
    store = Store(home)
    with store.read() as connection:
        assert connection.execute("SELECT count(*) FROM components").fetchone()[0] == 150
    store.close()
