"""Beam's runner for one machine, with worker processes that ignore signals."""

import logging
import os
import shlex
import sys

from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    WorkerOptions,
)
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner.fn_runner import (
    ExtendedProvisionInfo,
    FnApiRunner,
)
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.transforms.environments import SubprocessSDKEnvironment

# Beam's worker; before it reads the options, it logs lines of all levels.
_WORKER = """import logging, runpy
logging.disable({level})
runpy.run_module("apache_beam.runners.worker.sdk_worker_main", run_name="__main__")"""


def local_runner(options: PipelineOptions) -> FnApiRunner:
    """Returns the runner that Beam's DirectRunner ends in, without a detour.

    DirectRunner first downloads and prefers Prism, which works in one process despite
    --direct_num_workers.

    Args:
      options: of the pipeline; the running mode is removed from them.
    """
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    provision = beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
    direct, environment = options.view_as(DirectOptions), None
    if direct.direct_running_mode == "multi_processing" and os.name == "posix":
        # A terminal signals all processes of a program. Beam starts workers by a shell,
        # which may unblock signals, as dash does, but children inherit ignored ones.
        words = sys.executable, "-c", _WORKER.format(level=_least_level(options) - 1)
        command = f"trap '' INT TERM; exec {shlex.join(words)}"
        environment = SubprocessSDKEnvironment.from_command_string(command)
        direct.direct_running_mode = None  # would replace the command by Beam's own
    return FnApiRunner(environment, provision_info=ExtendedProvisionInfo(provision))


def _least_level(options: PipelineOptions) -> int:
    """Level of what workers may log, by the names of `logging`."""
    name = options.view_as(WorkerOptions).default_sdk_harness_log_level
    return logging.getLevelNamesMapping().get(name, logging.NOTSET + 1)
