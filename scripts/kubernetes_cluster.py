"""A Kubernetes of one node on this machine, from Kubernetes' own programs; it needs root.

Everything listens on 127.0.0.1 or on the address of a bridge of its own, and is taken down again:
programs, containers, mounts, network and settings of the kernel. What is left then is an error.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import oci_layout
from docker_host import install
from go_tools import ensure_tools
from local_platform import free_port

KUBERNETES = "k8s.io/kubernetes"
BRIDGE = "pycnb0"
GATEWAY = "10.88.7.1"
SUBNET = "10.88.7.0/24"
NETWORK = "pycnb"
# Its packets leave for other networks as this machine's own, and a firewall lets them pass.
FIREWALL_RULES = (
    f"FORWARD --in-interface {BRIDGE} --jump ACCEPT",
    f"FORWARD --out-interface {BRIDGE} --jump ACCEPT",
    f"POSTROUTING --table nat --source {SUBNET} ! --destination {SUBNET} --jump MASQUERADE",
)
CGROUP = "pycnb"
# Settings of the kernel that we or the kubelet change, below /proc/sys.
KERNEL_SETTINGS = (
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
START_SECONDS = 120
STOP_SECONDS = 10
# Debian package -> a program of it.
PACKAGES = {
    "etcd-server": "etcd",
    "containerd": "containerd",
    "runc": "runc",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "docker-registry": "docker-registry",
    "skopeo": "skopeo",
    "iproute2": "ip",
    "iptables": "iptables",
    "openssl": "openssl",
}


class ClusterError(Exception):
    """Raised with a text for the user when the cluster does not come up."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A running cluster. `registry` is `host:port`, the same from here and from its pods."""

    work: Path
    programs: Path
    kubeconfig: Path
    registry: str

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl; raises `ClusterError` when it fails and `check` is set."""
        done = subprocess.run(
            [str(self.programs / "kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, "KUBECACHEDIR": str(self.work / "kubectl")},
            check=False,
        )
        if check and done.returncode:
            raise ClusterError(f"kubectl {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done


def ensure_kubernetes(log: Callable[[str], None]) -> Path:
    """The directory that holds the programs of one node: control plane, kubelet and kubectl."""
    programs = (
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubelet",
        "kubectl",
    )
    return ensure_tools(
        "kubernetes",
        KUBERNETES,
        (*(f"cmd/{program}" for program in programs), "./pause"),
        log,
        flags=_version_flags,
        minutes=8,
    )


def _version_flags(version: str) -> str:
    major, minor, _ = version.split(".")
    values = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor}
    base = "k8s.io/component-base/version"
    return " ".join(f"-X {base}.{name}={value}" for name, value in values.items())


def install_packages(log: Callable[[str], None]) -> None:
    """Install those of Debian's packages whose programs are missing."""
    missing = [name for name, program in PACKAGES.items() if shutil.which(program) is None]
    if missing:
        install(missing, log)


class Processes:
    """Programs that run until the cluster is taken down, each with a log of its own."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.logs.mkdir()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self, name: str, command: Sequence[str | Path], environ: Mapping[str, str] | None = None
    ) -> None:
        with (self.logs / f"{name}.log").open("wb") as output:
            self._running[name] = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environ or {})},
                start_new_session=True,
            )

    def wait_for(self, name: str, is_ready: Callable[[], bool]) -> None:
        """Raises `ClusterError`, with the end of its log, when a program does not get ready."""
        deadline = time.monotonic() + START_SECONDS
        while not is_ready():
            process = self._running[name]
            if process.poll() is not None or time.monotonic() > deadline:
                text = (self.logs / f"{name}.log").read_text(errors="replace")
                raise ClusterError(f"{name} does not start:\n{text[-3000:]}")
            time.sleep(0.2)

    def stop(self) -> None:
        """End all of them; those that are slow to go are killed."""
        for process in reversed(self._running.values()):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._running.values():
            try:
                process.wait(timeout=max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextlib.contextmanager
def cluster(work: Path, log: Callable[[str], None]) -> Iterator[Cluster]:
    """Bring up registry, control plane and node in `work`; take all of it down afterwards.

    Raises `ClusterError` when it does not come up, or when something of it is left behind.
    """
    if os.getuid() != 0:
        raise ClusterError("Only root can run a node of Kubernetes.")
    install_packages(log)
    programs = ensure_kubernetes(log)
    settings = _kernel_settings()
    processes = Processes(work / "logs")
    try:
        _make_bridge()
        registry = _start_registry(work, processes)
        _push_pause_image(work, programs / "pause", registry)
        kubeconfig = _start_control_plane(work, programs, processes)
        found = Cluster(work=work, programs=programs, kubeconfig=kubeconfig, registry=registry)
        endpoint = _start_containerd(work, registry, processes)
        _start_kubelet(work, programs, endpoint, kubeconfig, processes)
        log("Waiting for the node")
        processes.wait_for("kubelet", lambda: _node_is_ready(found))
        yield found
    finally:
        processes.stop()
        take_down(work)
        _set_kernel_settings(settings)
        if left := leftovers(work):
            raise ClusterError("The cluster left behind:\n" + "\n".join(left))


def _kernel_settings() -> dict[Path, str]:
    paths = (Path("/proc/sys") / name for name in KERNEL_SETTINGS)
    return {path: path.read_text() for path in paths if path.exists()}


def _set_kernel_settings(settings: Mapping[Path, str]) -> None:
    for path, value in settings.items():
        if path.read_text() != value:
            path.write_text(value)


def _make_bridge() -> None:
    _remove_network()
    for words in (
        f"link add {BRIDGE} type bridge",
        f"addr add {GATEWAY}/24 dev {BRIDGE}",
        f"link set {BRIDGE} up",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    for rule in FIREWALL_RULES:
        subprocess.run(["iptables", "--wait", "--insert", *rule.split()], check=True)


def _remove_network() -> None:
    for rule in FIREWALL_RULES:
        while not _iptables("--delete", rule):
            pass
    subprocess.run(["ip", "link", "del", BRIDGE], stderr=subprocess.DEVNULL, check=False)


def _iptables(action: str, rule: str) -> int:
    command = ["iptables", "--wait", action, *rule.split()]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode


def _answers(url: str) -> bool:
    done = subprocess.run(
        ["curl", "--silent", "--insecure", "--noproxy", "*", "--output", "/dev/null", url],
        check=False,
    )
    return done.returncode == 0


def _start_registry(work: Path, processes: Processes) -> str:
    address = f"{GATEWAY}:{free_port()}"
    config = work / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: info, formatter: json}}\nstorage:\n  filesystem: {{rootdirectory: {work}/registry}}\n"
        f"  delete: {{enabled: true}}\nhttp: {{addr: '{address}'}}\n"
    )
    processes.start("registry", ["docker-registry", "serve", config])
    processes.wait_for("registry", lambda: _answers(f"http://{address}/v2/"))
    return address


def _push_pause_image(work: Path, pause: Path, registry: str) -> None:
    layer = oci_layout.files_layer({"pause": (pause.read_bytes(), 0o755)})
    layout = oci_layout.write_image(work / "pause", [layer], {"Entrypoint": ["/pause"]})
    push(layout, f"{registry}/pause:1")


def push(layout: Path, image: str) -> None:
    """Copy the one image of an OCI layout to a registry on this machine."""
    done = subprocess.run(
        [
            "skopeo",
            "copy",
            "--quiet",
            "--dest-tls-verify=false",
            f"oci:{layout}",
            f"docker://{image}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ClusterError(f"skopeo copy to {image} failed:\n{done.stderr}")


def _start_control_plane(work: Path, programs: Path, processes: Processes) -> Path:
    etcd = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    processes.start(
        "etcd",
        [
            "etcd", "--data-dir", work / "etcd", "--listen-client-urls", etcd[0],
            "--advertise-client-urls", etcd[0], "--listen-peer-urls", etcd[1],
            "--initial-advertise-peer-urls", etcd[1], "--initial-cluster", f"default={etcd[1]}",
            "--unsafe-no-fsync",
        ],
        {"ETCD_UNSUPPORTED_ARCH": "arm64"},
    )  # fmt: skip
    key = work / "service-account.key"
    subprocess.run(
        ["openssl", "genrsa", "-out", str(key), "2048"], check=True, stderr=subprocess.DEVNULL
    )
    (work / "tokens.csv").write_text('admin-token,admin,admin,"system:masters"\n')
    port = free_port()
    certificates = work / "certificates"
    processes.start(
        "kube-apiserver",
        [
            programs / "kube-apiserver", f"--etcd-servers={etcd[0]}", "--bind-address=127.0.0.1",
            f"--advertise-address={GATEWAY}", f"--secure-port={port}",
            f"--cert-dir={certificates}", f"--token-auth-file={work / 'tokens.csv'}",
            "--authorization-mode=AlwaysAllow", f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.96.0.0/24", "--allow-privileged=true",
            "--kubelet-preferred-address-types=InternalIP,Hostname",
        ],
    )  # fmt: skip
    processes.wait_for("kube-apiserver", lambda: _answers(f"https://127.0.0.1:{port}/readyz"))
    kubeconfig = work / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "local",
                "clusters": [
                    {
                        "name": "local",
                        "cluster": {
                            "server": f"https://127.0.0.1:{port}",
                            "certificate-authority": str(certificates / "apiserver.crt"),
                        },
                    }
                ],
                "users": [{"name": "admin", "user": {"token": "admin-token"}}],
                "contexts": [{"name": "local", "context": {"cluster": "local", "user": "admin"}}],
            }
        )
    )
    processes.start(
        "kube-controller-manager",
        [
            programs / "kube-controller-manager", f"--kubeconfig={kubeconfig}",
            f"--service-account-private-key-file={key}", "--leader-elect=false",
            f"--root-ca-file={certificates / 'apiserver.crt'}", "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}", f"--cert-dir={certificates}",
        ],
    )  # fmt: skip
    processes.start(
        "kube-scheduler",
        [
            programs / "kube-scheduler", f"--kubeconfig={kubeconfig}", "--leader-elect=false",
            "--bind-address=127.0.0.1", f"--secure-port={free_port()}",
            f"--cert-dir={certificates}",
        ],
    )  # fmt: skip
    return kubeconfig


_CONTAINERD = """\
version = 2
root = "{work}/containerd"
state = "{work}/run/containerd"
[grpc]
address = "{work}/run/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
path = "{work}/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{registry}/pause:1"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
Root = "{work}/run/runc"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{work}/cni"
[plugins."io.containerd.grpc.v1.cri".registry.mirrors."{registry}"]
endpoint = ["http://{registry}"]
"""


def _start_containerd(work: Path, registry: str, processes: Processes) -> Path:
    (work / "cni").mkdir()
    network = {
        "cniVersion": "0.4.0",
        "name": NETWORK,
        "plugins": [
            {
                "type": "bridge",
                "bridge": BRIDGE,
                "isGateway": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(work / "addresses"),
                    "ranges": [[{"subnet": SUBNET, "rangeStart": "10.88.7.10"}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
        ],
    }
    (work / "cni" / "10-pycnb.conflist").write_text(json.dumps(network))
    config = work / "containerd.toml"
    config.write_text(_CONTAINERD.format(work=work, registry=registry))
    processes.start("containerd", ["containerd", "--config", config])
    endpoint = work / "run" / "containerd.sock"
    processes.wait_for("containerd", endpoint.exists)
    return endpoint


def _start_kubelet(
    work: Path, programs: Path, endpoint: Path, kubeconfig: Path, processes: Processes
) -> None:
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "address": GATEWAY,
        "port": free_port(),
        "healthzPort": 0,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "containerRuntimeEndpoint": f"unix://{endpoint}",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "podLogsDir": str(work / "pods"),
        "volumePluginDir": str(work / "volume-plugins"),
        "makeIPTablesUtilChains": False,
        "resolvConf": "/etc/resolv.conf",
    }  # fmt: skip
    path = work / "kubelet.json"
    path.write_text(json.dumps(config))
    for hierarchy in _cgroup_hierarchies():
        (hierarchy / CGROUP).mkdir(exist_ok=True)
    processes.start(
        "kubelet",
        [
            programs / "kubelet", f"--config={path}", f"--kubeconfig={kubeconfig}",
            f"--root-dir={work / 'kubelet'}", f"--node-ip={GATEWAY}",
            "--hostname-override=pycnb-node", f"--cert-dir={work / 'kubelet-certificates'}",
        ],
    )  # fmt: skip


def _node_is_ready(found: Cluster) -> bool:
    done = found.kubectl(
        "get", "nodes", "--output", 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}',
        check=False,
    )  # fmt: skip
    return done.stdout.strip() == "True"


def take_down(work: Path) -> None:
    """Remove whatever a cluster in `work` has left, be it that its run was killed."""
    # Containers outlive containerd and their shims.
    for attempt in range(50):
        pids = [*_processes(work), *_contained_processes()]
        if not pids:
            break
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02 * (attempt + 1))
    for mount in reversed(_mounts(work)):
        subprocess.run(["umount", "-l", mount], check=False)
    for namespace in _network_namespaces():
        subprocess.run(["umount", "-l", str(namespace)], stderr=subprocess.DEVNULL, check=False)
        namespace.unlink(missing_ok=True)
    for path in (*_dead_files(), *_network_records(), *_log_links(work)):
        path.unlink()
    for folder in _cgroups():
        with contextlib.suppress(OSError):
            folder.rmdir()
    _remove_network()


def leftovers(work: Path) -> list[str]:
    """What a cluster in `work` has left on this machine, outside of `work`; a line for each."""
    return [
        *(f"process: {pid}" for pid in (*_processes(work), *_contained_processes())),
        *(f"mount: {path}" for path in _mounts(work)),
        *(f"network namespace: {path}" for path in _network_namespaces()),
        *(f"file: {path}" for path in (*_dead_files(), *_network_records(), *_log_links(work))),
        *(f"cgroup: {path}" for path in _cgroups()),
        *(f"firewall rule: {rule}" for rule in FIREWALL_RULES if not _iptables("--check", rule)),
        *(f"network device: {path.name}" for path in Path("/sys/class/net").glob(BRIDGE)),
    ]


def _processes(work: Path) -> list[int]:
    """Those that have a path below `work` on their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"{work}/".encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def _contained_processes() -> list[int]:
    found: set[int] = set()
    for folder in _cgroups():
        with contextlib.suppress(OSError):
            found.update(int(line) for line in (folder / "cgroup.procs").read_text().split())
    return sorted(found - {0})


def _cgroup_hierarchies() -> list[Path]:
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return [root]
    return [path for path in sorted(root.iterdir()) if path.is_dir() and not path.is_symlink()]


def _cgroups() -> list[Path]:
    """The cluster's own, the innermost first."""
    roots = [path / CGROUP for path in _cgroup_hierarchies()]
    found = [path for root in roots for path in (root, *root.rglob("*")) if path.is_dir()]
    return sorted(found, reverse=True)


def _mounts(work: Path) -> list[str]:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in points if point.startswith(f"{work}/")]


def _network_records() -> list[Path]:
    """CNI's notes of the pods that it connected to our bridge."""
    return sorted(Path("/var/lib/cni/results").glob(f"{NETWORK}-*"))


def _dead_files() -> list[Path]:
    """What programs that were killed leave in places of which there is one per machine."""
    pods = {
        record.name.removeprefix(f"{NETWORK}-").rpartition("-")[0] for record in _network_records()
    }
    loopback = Path("/var/lib/cni/results").glob("cni-loopback-*-lo")
    sockets = (
        *Path("/run/containerd/s").glob("*"),
        Path("/var/lib/kubelet/device-plugins/kubelet.sock"),
    )
    return [
        *(path for path in loopback if path.name.split("-")[2] in pods),
        *(path for path in sockets if path.is_socket() and not _is_answered(path)),
    ]


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
    return True


def _network_namespaces() -> list[Path]:
    """The pods' namespaces that are still there."""
    results = (json.loads(record.read_bytes())["result"] for record in _network_records())
    found = {
        Path(interface["sandbox"])
        for result in results
        for interface in result["interfaces"]
        if interface.get("sandbox")
    }
    return sorted(path for path in found if path.exists())


def _log_links(work: Path) -> list[Path]:
    """The kubelet's links to the logs of containers; it takes no other place for them."""
    links = Path("/var/log/containers").glob("*.log")
    return [
        link for link in links if link.is_symlink() and str(link.readlink()).startswith(f"{work}/")
    ]
