"""How long the embedded SageMaker waits for things."""

from typing import Any

import attrs

from mnist_tracking.errors import ConfigError


def _not_negative(_: object, attribute: Any, value: float) -> None:
    if not value >= 0:
        raise ConfigError(f"{attribute.name}={value!r}; expected seconds >= 0.")


def _seconds(default: float) -> Any:
    return attrs.field(default=default, validator=_not_negative)


@attrs.frozen(kw_only=True)
class EngineTiming:
    """
    The timing of an embedded SageMaker, in seconds. The defaults suit everybody; tests shorten some of them.

    Jobs and endpoints keep the timing of the engine that started them.

    Attributes:
        stop_grace_s: How long a script of a job that must end may still run before it is killed. On AWS, up to 120 s.
        sigterm: Whether such a script gets SIGTERM first. On AWS it does not: the signal reaches the shell that started
            it, which does not pass it on (aws/sagemaker-training-toolkit#125).
        checkpoint_interval_s: Between two uploads of changed checkpoints while a job runs.
        slot_poll_s: How long a job that waits for GPUs or for other jobs pauses before it looks again, the first time;
            the pauses grow.
        longest_slot_poll_s: The longest of these pauses.
        output_poll_s: How long a supervisor waits for output before it looks at anything else, such as metric files.
        stopped_upload_s: How long a job that was stopped may continue to upload its output, which is then given up.
        full_disk_s: How long a job that has trained waits for room on a full disk for its output before it fails.
        full_disk_poll_s: Between two attempts of a supervisor to write to a full disk.
        endpoint_startup_s: How long an endpoint may take to start, if its variant does not set it.
        endpoint_stop_s: How long the supervisor of an endpoint may take to end before it is killed.
        server_stop_s: Between SIGTERM and SIGKILL of a model server.
        restart_pause_s: Before a model server is started anew that ended without a request; doubled each time.
        invocation_timeout_s: How long a model may take to answer a request; SageMaker allows 60 seconds. A model server
            that takes longer is killed and started anew.
        process_poll_s: Between two checks whether a process has ended.
        database_busy_s: How long a write waits for the writes of other processes.
        collection_interval_s: Between two collections of what killed programs left behind, done when a home is opened.
        upload_expiry_s: How long after its beginning a multipart upload that was neither completed nor aborted is kept.
        log_expiry_s: How long the log lines of deleted endpoints, and of jobs that do not exist, are kept.

    Raises:
        ConfigError: If a duration is negative.
    """

    stop_grace_s: float = _seconds(0.0)
    sigterm: bool = False
    checkpoint_interval_s: float = _seconds(2.0)
    slot_poll_s: float = _seconds(0.05)
    longest_slot_poll_s: float = _seconds(1.0)
    output_poll_s: float = _seconds(1.0)
    stopped_upload_s: float = _seconds(600.0)
    full_disk_s: float = _seconds(60.0)
    full_disk_poll_s: float = _seconds(1.0)
    endpoint_startup_s: float = _seconds(600.0)
    endpoint_stop_s: float = _seconds(10.0)
    server_stop_s: float = _seconds(2.0)
    restart_pause_s: float = _seconds(0.5)
    invocation_timeout_s: float = _seconds(60.0)
    process_poll_s: float = _seconds(0.005)
    database_busy_s: float = _seconds(60.0)
    collection_interval_s: float = _seconds(3600.0)
    upload_expiry_s: float = _seconds(7 * 86_400.0)
    log_expiry_s: float = _seconds(30 * 86_400.0)
