"""What a start changes in the machine's network: the node's device, one kernel switch, one chain in the firewall.

Every change is made so that a stop finds it again: devices and chain by their names, the switch by its written-down value.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from cluster import node, say
from cluster.net import Networks
from cluster.paths import RUN_DIR

FIREWALL_CHAIN = "VIDEOJOB-PODS"
_SWITCH = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
_BEFORE = RUN_DIR / "bridge-nf-call-iptables.before"


def make_node_bridge(networks: Networks) -> None:
    """The device with the node's own address; CannotRunError quotes `ip` if the kernel refuses."""
    for arguments in (
        ("link", "add", node.NODE_BRIDGE, "type", "bridge"),
        ("addr", "add", f"{networks.node}/32", "dev", node.NODE_BRIDGE),
        ("link", "set", node.NODE_BRIDGE, "up"),
    ):
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise say.CannotRunError(
                f"The node's network device could not be made (ip {' '.join(arguments)}): {done.stderr.strip()}"
            )


def switch_on_bridge_calls(switch: Path = _SWITCH, before: Path = _BEFORE) -> bool:
    """Have packets between pods of one bridge pass iptables, where the kernel can; says whether they do.

    The value that the machine had is written down first; without the module no such packet passed iptables, which is 0.
    """
    loaded = switch.is_file()
    if not loaded and shutil.which("modprobe"):
        subprocess.run(["modprobe", "br_netfilter"], capture_output=True, check=False)
    if not switch.is_file():
        return False
    try:
        value = switch.read_text().strip() if loaded else "0"
        if value != "1" and not before.exists():
            before.parent.mkdir(parents=True, exist_ok=True)
            before.write_text(value)
        switch.write_text("1")
    except OSError:
        return False
    return True


def restore_bridge_calls(switch: Path = _SWITCH, before: Path = _BEFORE) -> None:
    """Give the switch the value that it had before the first start; nothing was changed without a written-down value."""
    try:
        value = before.read_text()
        if switch.is_file():
            switch.write_text(value)
    except OSError:
        return
    before.unlink()


def firewall_rules(networks: Networks) -> str:
    """Input for `iptables-restore --noflush`: pods may speak to the node, to each other and outwards, and get answers.

    A host firewall that drops by default (ufw; what Docker leaves behind) would cut pods off from the API server and DNS.
    Nobody outside is let in: towards the pods only answers pass.
    """
    why = '-m comment --comment "videojob cluster: traffic of its pods"'
    return f"""*filter
:{FIREWALL_CHAIN} - [0:0]
-A {FIREWALL_CHAIN} -s {networks.pods} -i {node.POD_BRIDGE} {why} -j ACCEPT
-A {FIREWALL_CHAIN} -d {networks.pods} -o {node.POD_BRIDGE} -m conntrack --ctstate RELATED,ESTABLISHED {why} -j ACCEPT
-I INPUT -j {FIREWALL_CHAIN}
-I FORWARD -j {FIREWALL_CHAIN}
COMMIT
"""


def admit_pods(networks: Networks) -> None:
    """Put the rules before those of the machine's own firewall; most machines do without, so a refusal is only told."""
    try:
        done = subprocess.run(
            ["iptables-restore", "--noflush"],
            input=firewall_rules(networks),
            text=True,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        say.line(f"the firewall could not be told to let pods through: {error}")
        return
    if done.returncode != 0:
        say.line(f"the firewall could not be told to let pods through: {done.stderr.strip()}")
