"""The scripts for TPU slices, SLURM and Kubernetes, with stand-ins for their tools."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from dlf_jax.training.run.distributed import UNFINISHED
from tests.processes import run_script

_TRAIN = ["--config=configs/dlf.py:preset=l,stage=align", "--workdir=gs://b/align"]


def _dry_run(repository, script, *arguments, **environment):
    done = run_script(
        *(repository / "launch" / script, "--dry-run", *arguments),
        env={"PATH": os.environ["PATH"], "TMPDIR": "/tmp", **environment},
        cwd=repository,
    )
    assert done.returncode == 0 and done.stderr == ""
    return done.stdout.splitlines()


def _write_tool(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/bash\n{text}")
    (folder / name).chmod(0o755)


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)


def test_tpu_pod_prints_what_it_would_do(repository):
    lines = _dry_run(
        repository,
        "tpu_pod.sh",
        *("dlf", "us-west4-a", "v5litepod-16"),
        *_TRAIN,
        "--config.data=my photos",
    )
    vm = "gcloud compute tpus tpu-vm"
    assert lines == [
        f"{vm} create dlf --accelerator-type v5litepod-16 "
        "--version v2-alpha-tpuv5-lite --zone us-west4-a",
        "git archive --format tar.gz --output /tmp/dlf-dlf.tar.gz HEAD",
        f"{vm} scp /tmp/dlf-dlf.tar.gz dlf:dlf.tar.gz --worker all --zone us-west4-a",
        f"{vm} ssh dlf --worker all --command 'mkdir -p dlf && "
        "tar -xzf dlf.tar.gz -C dlf && cd dlf && "
        "python3 -m pip install --quiet --user uv && "
        "python3 -m uv venv --quiet --allow-existing --python 3.12 .venv && "
        "python3 -m uv pip install --quiet --python .venv "
        '--constraints launch/constraints/tpu.txt "jax[tpu]" '
        """-e ".[train,tfds,gcs]"' --zone us-west4-a""",
        f"{vm} ssh dlf --worker all --command 'cd dlf && "
        r"if ! { kill -0 $(cat pid); } 2>/dev/null; then "
        r"rm -f status; (trap '\'''\'' HUP; "
        ".venv/bin/dlf train --cluster "
        "--config=configs/dlf.py:preset=l,stage=align --workdir=gs://b/align "
        r"'\''--config.data=my photos'\''; echo $? >status) "
        ">>train.log 2>&1 </dev/null & echo $! >pid; fi' --zone us-west4-a",
        f"{vm} ssh dlf --worker 0 --command "
        "'tail -n 20 -F --pid $(cat dlf/pid) dlf/train.log' --zone us-west4-a",
    ]


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("v4-8", "tpu-ubuntu2204-base"),
        ("v5p-8", "v2-alpha-tpuv5"),
        ("v6e-8", "v2-alpha-tpuv6e"),
    ],
)
def test_tpu_pod_knows_the_runtime_of_a_slice(repository, kind, version):
    first, *_ = _dry_run(repository, "tpu_pod.sh", "dlf", "z", kind, *_TRAIN)
    assert f" --version {version} " in first


def test_tpu_pod_has_options(repository):
    arguments = ("dlf", "z", "v4-8", *_TRAIN)
    options = {"SPOT": "1", "VERSION": "newest", "SETUP": "sudo mount /photos"}
    plain = _dry_run(repository, "tpu_pod.sh", *arguments)
    lines = _dry_run(repository, "tpu_pod.sh", *arguments, **options)
    assert lines[0].endswith(" --version newest --spot --zone z")
    (setup,) = set(lines[1:]) - set(plain)
    assert setup.endswith("--worker all --command 'sudo mount /photos' --zone z")


# A slice of one host, simulated by a folder.  The first run is interrupted.
_GCLOUD = """
echo "$4" >>calls
case $4 in
  describe) cat state 2>/dev/null ;;
  create) echo READY >state; rm -rf host; mkdir host ;;
  delete) rm state ;;
  scp) cp "$5" host/dlf.tar.gz ;;
  ssh) cd host && PATH=$PWD/../remote:$PATH bash -c "$9" ;;
esac
"""
_REMOTE_PYTHON = """
[ "$3" != venv ] || { mkdir -p .venv/bin && cp ../../dlf .venv/bin/dlf; }
"""
_DLF = """
echo "$@" >>../../trained
if [ $(wc -l <../../trained) = 1 ]; then
  echo "stopped at step 5; the same command resumes"
  echo PREEMPTED >../../state
else
  sleep 0.2
  echo "at the end"
  exit 7
fi
"""


@pytest.mark.slow
def test_tpu_pod_makes_a_lost_slice_anew_and_ends_with_the_run(repository, tmp_path):
    _write_tool(tmp_path / "bin", "gcloud", f"cd {tmp_path}\n{_GCLOUD}")
    _write_tool(tmp_path / "bin", "sleep", "")
    _write_tool(tmp_path / "bin", "git", 'tar -czf "$5" -C /etc hostname')
    _write_tool(tmp_path / "remote", "python3", _REMOTE_PYTHON)
    _write_tool(tmp_path / "remote", "sleep", 'exec /bin/sleep "$@"')
    _write_tool(tmp_path, "dlf", _DLF)
    done = run_script(
        *(repository / "launch" / "tpu_pod.sh", "dlf", "z", "v4-8", *_TRAIN),
        env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "TMPDIR": str(tmp_path)},
        timeout=50,
    )
    assert done.returncode == 7, done.stderr
    assert "stopped at step 5" in done.stdout and "at the end" in done.stdout
    assert done.stderr == "The run was interrupted; resuming\n"
    whole = " ".join(["train", "--cluster", *_TRAIN])
    assert (tmp_path / "trained").read_text().splitlines() == [whole, whole]
    first = ["describe", "create", "scp", "ssh", "ssh", "ssh", "describe"]
    again = ["describe", "delete", *first[1:], "ssh"]
    assert (tmp_path / "calls").read_text().split() == first + again


def test_slurm_prints_what_it_would_do(repository):
    assert _dry_run(repository, "gpu_slurm.sh", *_TRAIN, "--config.data=my photos") == [
        "srun --kill-on-bad-exit=1 .venv/bin/dlf train "
        "--config=configs/dlf.py:preset=l,stage=align --workdir=gs://b/align "
        "'--config.data=my photos'",
        "# at the time limit; the last command also if the status is 75:",
        "scancel --signal=TERM JOB",
        "scontrol requeue JOB",
    ]


# The process that srun starts; scancel finds it by its number.
_SRUN = (
    "echo $$ >pid; trap 'echo saved >>calls; exit 0' TERM; while :; do sleep 0.1; done"
)
_SCANCEL = 'echo scancel "$@" >>calls; kill -TERM $(cat pid)'


def _slurm(repository, tmp_path, srun, **environment):
    _write_tool(tmp_path / "bin", "srun", srun)
    _write_tool(tmp_path / "bin", "scancel", _SCANCEL)
    _write_tool(tmp_path / "bin", "scontrol", 'echo scontrol "$@" >>calls')
    (tmp_path / "launch").symlink_to(repository / "launch")
    return subprocess.Popen(
        ["bash", "launch/gpu_slurm.sh", *_TRAIN],
        env={
            "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
            "SLURM_JOB_ID": "7",
            **environment,
        },
        cwd=tmp_path,
    )


def test_slurm_saves_and_queues_again_when_the_time_is_up(repository, tmp_path):
    with _slurm(repository, tmp_path, _SRUN) as script:
        _wait_for(tmp_path / "pid")
        script.send_signal(signal.SIGTERM)
        script.wait(20)
    assert (tmp_path / "calls").read_text().splitlines() == [
        "scancel --signal=TERM 7",
        "saved",
        "scontrol requeue 7",
    ]


@pytest.mark.parametrize("status", [0, 2])
def test_slurm_ends_with_the_run(repository, tmp_path, status):
    with _slurm(repository, tmp_path, f"exit {status}") as script:
        assert script.wait(20) == status
    assert not (tmp_path / "calls").exists()


def test_slurm_queues_again_when_the_processes_were_told_to_stop(repository, tmp_path):
    with _slurm(repository, tmp_path, f"exit {UNFINISHED}") as script:
        assert script.wait(20) == UNFINISHED
    assert (tmp_path / "calls").read_text() == "scontrol requeue 7\n"


@pytest.mark.parametrize(
    ("given", "found"), [({}, "16"), ({"SLURM_CPUS_PER_TASK": "9"}, "9")]
)
def test_slurm_hands_its_cpus_on(repository, tmp_path, given, found):
    with _slurm(repository, tmp_path, "echo $SRUN_CPUS_PER_TASK >cpus", **given) as run:
        assert run.wait(20) == 0
    assert (tmp_path / "cpus").read_text().strip() == found


@pytest.fixture(scope="module")
def kubernetes(repository):
    text = (repository / "launch" / "gpu_k8s.yaml").read_text()
    return list(yaml.safe_load_all(text))


def test_kubernetes_pods_know_each_other(kubernetes):
    service, job = kubernetes
    assert (service["kind"], job["kind"]) == ("Service", "Job")
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert spec["completionMode"] == "Indexed"
    (container,) = pod["containers"]
    values = {item["name"]: item.get("value") for item in container["env"]}
    nodes = str(spec["completions"])
    first = f"{job['metadata']['name']}-0"  # as the headless service names it
    assert values == {
        "JAX_COORDINATOR_ADDRESS": f"{first}.{pod['subdomain']}:8476",
        "JAX_NUM_PROCESSES": nodes,
        "JAX_PROCESS_ID": None,
    }
    assert spec["parallelism"] == spec["completions"]
    assert service["metadata"]["name"] == pod["subdomain"]
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    claimed = {volume["name"] for volume in pod["volumes"]}
    assert claimed == {mount["name"] for mount in container["volumeMounts"]}


@pytest.mark.parametrize("stopped", [True, False])
def test_a_pod_that_is_stopped_is_not_done(kubernetes, tmp_path, stopped):
    """Nor is one whose neighbour was stopped."""
    command = kubernetes[1]["spec"]["template"]["spec"]["containers"][0]["command"]
    text = f'echo "$@" >arguments\n{_SRUN}' if stopped else f"exit {UNFINISHED}"
    _write_tool(tmp_path / "bin", "dlf", text)
    pod = subprocess.Popen(
        command,
        env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"},
        cwd=tmp_path,
    )
    with pod:
        if stopped:
            _wait_for(tmp_path / "pid")
            pod.send_signal(signal.SIGTERM)
        assert pod.wait(20) == (143 if stopped else UNFINISHED)
    if stopped:
        assert (tmp_path / "calls").read_text() == "saved\n"
        assert (tmp_path / "arguments").read_text().split() == ["train", *command[4:]]


@pytest.mark.parametrize(
    ("script", "arguments"), [("tpu_pod.sh", ["dlf", "zone"]), ("gpu_slurm.sh", [])]
)
def test_too_few_arguments_are_one_line(repository, script, arguments):
    done = run_script(repository / "launch" / script, *arguments, cwd=repository)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "usage: " in done.stderr
