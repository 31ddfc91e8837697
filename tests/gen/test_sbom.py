"""The bill of materials names every library that a program loads, with the version that is installed."""

import json
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src/gen"))
import sbom  # noqa: E402

LOCK = ROOT / "contrib/docs/package-lock.json"


@unittest.skipUnless(shutil.which("dpkg-query") and shutil.which("ldd"), "not on Debian")
class Bill(unittest.TestCase):
    def setUp(self):
        # A program that the system itself has, from a path that isn't a package's.
        self.directory = tempfile.TemporaryDirectory()
        self.program = os.path.join(self.directory.name, "latchd")
        shutil.copy(os.path.realpath(shutil.which("tar")), self.program)
        self.addCleanup(self.directory.cleanup)
        self.bill = sbom.bill("1.2", [self.program], LOCK)

    def of_kind(self, kind):
        return [c for c in self.bill["components"] if c.get("purl", "").startswith(f"pkg:{kind}/")]

    def test_every_library_that_is_loaded_is_there_with_its_package(self):
        files = {f["name"]: f["hashes"] for c in self.of_kind("deb") for f in c["components"]}
        self.assertEqual(set(files), sbom.libraries(self.program))
        self.assertTrue(any("/libc.so" in name for name in files))
        libc = next(c for c in self.of_kind("deb") if c["name"] == "libc6")
        self.assertEqual(libc["version"], sbom.run("dpkg-query", "-W", "-f", "${Version}", "libc6"))

    def test_every_pinned_package_is_there_with_its_hash(self):
        packages = {k: v for k, v in json.loads(LOCK.read_text())["packages"].items() if k and not v.get("dev")}
        self.assertEqual(len(self.of_kind("npm")), len(packages))
        for component in self.of_kind("npm"):
            self.assertEqual(component["hashes"][0]["alg"], "SHA-512")
            self.assertEqual(len(component["hashes"][0]["content"]), 128)

    def test_the_program_is_known_by_its_hash(self):
        [program] = [c for c in self.bill["components"] if c["type"] == "application"]
        before = program["hashes"]
        self.assertEqual((program["name"], program["version"]), ("latchd", "1.2"))
        with open(self.program, "ab") as file:
            file.write(b"x")
        self.assertNotEqual(sbom.bill("1.2", [self.program])["components"][0]["hashes"], before)

    def test_the_same_build_gives_the_same_bill_and_no_reference_twice(self):
        self.assertEqual(sbom.bill("1.2", [self.program], LOCK), self.bill)
        references = [c["bom-ref"] for c in self.bill["components"]]
        self.assertEqual(len(references), len(set(references)))
        self.assertEqual(self.bill["dependencies"][0]["dependsOn"], sorted(references))


if __name__ == "__main__":
    unittest.main()
