# SPDX-License-Identifier: ISC
"""The container samples of contrib: the packages that they install suffice, and the commands that they run work."""

import os
import re
import subprocess

import httpx
import yaml

import cluster
from parlour import HERE, PLAIN, clean_env, free_port, wait_for

SOURCE = os.environ.get("PARLOUR_SRC", os.path.dirname(os.path.dirname(HERE)))


def text_of(name):
    with open(f"{SOURCE}/contrib/{name}", encoding="utf-8") as file:
        return file.read()


def installs(stage):
    """Returns the packages that this stage of the Dockerfile installs."""
    return set(re.search(r"--no-install-recommends([^\n&]*)", stage.replace("\\\n", " ")).group(1).split())


def with_dependencies(packages):
    out = subprocess.run(["apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks",
                          "--no-replaces", "--no-enhances", *packages], capture_output=True, text=True, check=True).stdout
    return packages | set(re.findall(r"Depends: <?([^\s<>:]+)", out))


def owner(path):
    """Returns the package of a file; /lib is /usr/lib."""
    for name in (path, path.removeprefix("/usr"), os.path.realpath(path), os.path.realpath(path).removeprefix("/usr")):
        done = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.split(":")[0]
    raise AssertionError(f"no package has {path}")


def test_the_image_has_every_library(binaries):
    there = with_dependencies(installs(text_of("docker/Dockerfile").split("\nFROM ")[2]) | {"libc6", "libgcc-s1"})
    libraries = set()
    for program in ("parlourd", "parlourctl"):
        libraries |= set(re.findall(r"=> (/\S+)", subprocess.run(["ldd", binaries[program]], capture_output=True, text=True,
                                                                  check=True).stdout))
    lacking = {library: owner(library) for library in libraries if owner(library) not in there}
    assert not [v for v in lacking.values() if not re.match("lib[atlu]?san|libubsan", v)], lacking


def test_the_image_is_built_with_what_quickstart_installs():
    names = re.search(r'build_packages="([^"]*)"', text_of("common.sh")).group(1).split()
    built = installs(text_of("docker/Dockerfile").split("\nFROM ")[1])
    assert {n for n in names if n.startswith("lib") and n.endswith("-dev")} <= built


def test_the_image_is_built_with_npm_unless_it_shall_not():
    build = text_of("docker/Dockerfile").split("\nFROM ")[1]
    assert 'ARG DOCS="nodejs npm"\n' in build and "$DOCS" in installs(build)


def compose():
    return yaml.safe_load(text_of("docker/compose.yaml"))["services"]


def test_what_compose_sets_up(pg, binaries, workdir):
    """setup.sh runs against a server, as compose runs it; then the daemon runs as in the image."""
    port, home = free_port(), f"{workdir}/compose"
    for folder in (home, home + "/etc", home + "/bin", home + "/run"):
        os.mkdir(folder, 0o755)
        cluster.give(folder)
    os.symlink(binaries["parlourctl"], home + "/bin/parlourctl")
    script = text_of("docker/setup.sh").replace("/etc/parlour", home + "/etc").replace("/run/parlour", home + "/run")
    script = script.replace("0.0.0.0:8000", f"127.0.0.1:{port}").replace("0.0.0.0:9464", f"127.0.0.1:{free_port()}")
    with open(home + "/setup.sh", "w", encoding="utf-8") as file:
        file.write(script)
    wanted = set(compose()["setup"]["environment"])
    assert wanted == {"ADMIN_DSN", "PARLOUR_APP_PASSWORD"} == set(re.findall(r'"\$\{(\w+):\?\}"', script))
    admin = re.sub(r"\bdbname=\S+", "", pg.dsn("postgres", cluster.OWNER))
    env = {**clean_env(), "PATH": f"{home}/bin:/usr/bin:/bin", "ADMIN_DSN": admin, "PARLOUR_APP_PASSWORD": "composed1",
           "DB_HOST": re.search(r"host=(\S+)", admin).group(1)}
    for _ in range(2):
        done = subprocess.run(cluster.as_user(["/bin/sh", home + "/setup.sh"]), cwd="/", env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert compose()["parlour"]["image"] == compose()["setup"]["image"]
    log = open(home + "/log", "w", encoding="utf-8")
    daemon = subprocess.Popen(cluster.as_user([binaries["parlourd"], "-f", "-c", home + "/etc/parlour.conf"]), cwd="/", stdout=log,
                              stderr=log, stdin=subprocess.DEVNULL, env=clean_env())
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", **PLAIN) as client:
            wait_for(lambda: daemon.poll() is None and client.get("/readyz").status_code == 200, 20, "/readyz is 200")
    finally:
        daemon.terminate()
        assert daemon.wait(20) == 0
        log.close()


def test_what_kubernetes_runs(parlour, workdir):
    """The daemon replies to the probes and accepts the files that the step before its start leaves."""
    deployment, service = yaml.safe_load_all(text_of("kubernetes/parlour.yaml"))
    pod = deployment["spec"]["template"]["spec"]
    [container], [first] = pod["containers"], pod["initContainers"]
    daemon = parlour()
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert daemon.get(container[probe]["httpGet"]["path"]).status_code == 200
    assert service["spec"]["ports"][0]["targetPort"] in {p["name"] for p in container["ports"]}
    assert {m["name"] for c in (container, first) for m in c["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
    secret, config = f"{workdir}/secret", f"{workdir}/config"
    for folder in (secret, config):
        os.mkdir(folder, 0o755)
        cluster.give(folder)
    for name, source in (("parlour.conf", daemon.config), ("token.key", daemon.settings["key_file"])):
        with open(source, encoding="utf-8") as there, open(f"{secret}/{name}", "w", encoding="utf-8") as here:
            here.write(there.read().replace(daemon.settings["key_file"], config + "/token.key"))
        os.chmod(f"{secret}/{name}", 0o644)
        cluster.give(f"{secret}/{name}")
    command = [word.replace("/secret", secret).replace("/etc/parlour", config) for word in first["command"]]
    assert subprocess.run(cluster.as_user(command), cwd="/", check=False).returncode == 0
    done = subprocess.run(cluster.as_user([daemon.binaries["parlourd"], "-t", "-c", config + "/parlour.conf"]), cwd="/",
                          capture_output=True, text=True, env=clean_env(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
