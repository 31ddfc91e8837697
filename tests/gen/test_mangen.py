"""The manual page of connector types says every member of the table that the program reads them by."""

import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src/gen"))
import mangen  # noqa: E402


class ConnectorPage(unittest.TestCase):
    def setUp(self):
        self.entries = list(mangen.read_table(ROOT / "src/connect/members.def"))
        self.page = mangen.fill(ROOT / "contrib/man/latchwork-connector.5.in", ROOT / "src", "1.0", "/etc/x.conf")

    def test_each_member_stands_below_its_object(self):
        sections = self.page.split("\n.Ss ")
        for macro, arguments in self.entries:
            if macro == "OBJECT":
                continue
            member_of, name, words, _item, _form = mangen.connector_member(macro, arguments)
            object_words = next(a[-1] for m, a in self.entries if m == "OBJECT" and a[0] == member_of)
            section = next(s for s in sections if mangen.escape(object_words) in s.split(".Bl")[0])
            self.assertIn(f".It Cm {mangen.escape(name)}\n{mangen.escape(words)}\n", section, name)

    def test_a_required_member_says_so(self):
        self.assertIn("(lower case letters, digits and _; required)", self.page.replace("\\", ""))

    def test_every_object_is_reached_from_the_file(self):
        items = {mangen.connector_member(m, a)[3] for m, a in self.entries if m != "OBJECT"}
        objects = {a[0] for m, a in self.entries if m == "OBJECT"}
        self.assertEqual(objects - items, {"TYPE"})


if __name__ == "__main__":
    unittest.main()
