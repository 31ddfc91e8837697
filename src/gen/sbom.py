#!/usr/bin/env python3
"""What a build is made of, as CycloneDX 1.5: the programs, the libraries that they load with their Debian packages, and
the npm packages that the API document's pages come from. The same build gives the same bytes.

    sbom.py --version V [--lock package-lock.json] PROGRAM... > latchwork.cdx.json
"""
import argparse
import base64
import hashlib
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import urllib.parse
import uuid

SPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 4122: names that are URLs


def sha256(path):
    return {"alg": "SHA-256", "content": hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout


def libraries(program):
    """Paths of what the loader would load, without the kernel's own."""
    found = set()
    for line in run("ldd", str(program)).splitlines():
        match = re.search(r"(?:=> )?(/\S+) \(0x", line)
        if "not found" in line:
            sys.exit(f"sbom.py: {program}: {line.strip()}")
        if match:
            found.add(os.path.realpath(match.group(1)))
    return found


def owner(path):
    """(package, version, architecture) of a file; the database may know it by its path before /usr was merged."""
    for name in (path, path.removeprefix("/usr")):
        done = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            package = done.stdout.split(": ")[0].split(",")[0]
            version, architecture = run("dpkg-query", "-W", "-f", "${Version} ${Architecture}", package).split()
            return package.split(":")[0], version, architecture
    return None


def debian(paths, distribution):
    """A component for each package, with the files of it that are loaded."""
    packages = {}
    for path in sorted(paths):
        known = owner(path)
        if known is None:
            sys.exit(f"sbom.py: {path} is of no package")
        packages.setdefault(known, []).append(path)
    for (name, version, architecture), files in sorted(packages.items()):
        purl = f"pkg:deb/debian/{name}@{urllib.parse.quote(version)}?arch={architecture}&distro={distribution}"
        yield {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
               "components": [{"type": "file", "name": file, "hashes": [sha256(file)]} for file in files]}


def npm(lock):
    """What a lock file pins, but for what only building it needs."""
    for place, package in sorted(json.loads(pathlib.Path(lock).read_text("utf-8"))["packages"].items()):
        if not place or package.get("dev"):
            continue
        name, version = place.split("node_modules/")[-1], package["version"]
        algorithm, _, digest = package["integrity"].partition("-")
        purl = f"pkg:npm/{urllib.parse.quote(name, safe='/')}@{version}"
        component = {"type": "library", "bom-ref": f"{purl}#{place}", "name": name, "version": version, "purl": purl,
                     "hashes": [{"alg": algorithm.upper().replace("SHA", "SHA-"), "content": base64.b64decode(digest).hex()}]}
        if "license" in package:
            component["licenses"] = [{"expression": package["license"]}]
        yield component


def distribution_name():
    try:
        release = platform.freedesktop_os_release()
    except (AttributeError, OSError):  # Python 3.9, or no such file
        return "debian"
    return f"{release.get('ID', 'debian')}-{release.get('VERSION_ID', '')}".rstrip("-")


def bill(version, programs, lock=None):
    loaded = set().union(*(libraries(program) for program in programs))
    components = [{"type": "application", "bom-ref": f"program:{pathlib.Path(p).name}", "name": pathlib.Path(p).name,
                   "version": version, "hashes": [sha256(p)]} for p in sorted(programs)]
    components += debian(loaded, distribution_name())
    components += npm(lock) if lock else []
    root = f"pkg:generic/latchwork@{version}"
    text = json.dumps(components, sort_keys=True)
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "serialNumber": uuid.uuid5(SPACE, root + text).urn,
        "metadata": {"component": {"type": "application", "bom-ref": root, "name": "latchwork", "version": version, "purl": root}},
        "components": components,
        "dependencies": [{"ref": root, "dependsOn": sorted(c["bom-ref"] for c in components)}],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", required=True)
    parser.add_argument("--lock")
    parser.add_argument("program", nargs="+")
    given = parser.parse_args()
    json.dump(bill(given.version, given.program, given.lock), sys.stdout, indent=1, sort_keys=True)
    print()


if __name__ == "__main__":
    main()
