"""What keeps a package's service off while it is installed, as the package asks it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cluster import packages


def test_services_stay_off_during_an_installation_and_a_killed_one_leaves_nothing_for_long(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with packages.no_services(policy):
        assert subprocess.run([policy, "containerd", "start"], check=False).returncode == 101
        left = policy.read_text()
    assert not policy.exists()
    policy.write_text(left)
    packages.remove_leftover(policy)
    assert not policy.exists()
    policy.write_text(left)
    with packages.no_services(policy):
        assert policy.exists()
    assert not policy.exists()
