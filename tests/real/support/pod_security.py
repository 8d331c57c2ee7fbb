"""What the Pod Security Standard "restricted" forbids, for pods of Linux.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def violations(pod: dict) -> list[str]:
    """The names of the fields in the spec of a pod that violate the standard."""
    whole = pod.get("securityContext", {})
    found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)]
    found += [f"sysctl {sysctl['name']}" for sysctl in whole.get("sysctls", [])]
    found += [f"volume {volume['name']}" for volume in pod.get("volumes", []) if not set(volume) - {"name"} <= VOLUMES]
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        own = container.get("securityContext", {})
        of_both = whole | own
        capabilities = own.get("capabilities", {})
        broken = {
            "privileged": own.get("privileged", False),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is not False,
            "runAsNonRoot": of_both.get("runAsNonRoot") is not True,
            "runAsUser": of_both.get("runAsUser") == 0,
            "seccompProfile": of_both.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"),
            "capabilities": capabilities.get("drop") != ["ALL"] or not set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"},
            "procMount": own.get("procMount", "Default") != "Default",
            "hostPort": any(port.get("hostPort") for port in container.get("ports", [])),
        }
        found += [f"{container['name']}: {name}" for name, is_broken in broken.items() if is_broken]
    return found
