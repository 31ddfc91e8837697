"""The manual page of connector types says every member of the table that the program reads them by."""

import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src/gen"))
import mangen  # noqa: E402


class ConnectorPage(unittest.TestCase):
    def setUp(self):
        self.objects, self.members = {}, []
        for path, member in mangen.CONNECTOR_TABLES:
            for macro, arguments in mangen.read_table(ROOT / "src" / path):
                if macro == "OBJECT":
                    self.objects[arguments[0]] = arguments[-1]
                else:
                    self.members.append(member(macro, arguments))
        self.page = mangen.fill(ROOT / "contrib/man/latchwork-connector.5.in", ROOT / "src", "1.0", "/etc/x.conf")

    def test_each_member_stands_below_its_object(self):
        sections = self.page.split("\n.Ss ")
        for member_of, name, words, _item, _form in self.members:
            section = next(s for s in sections if mangen.escape(self.objects[member_of]) in s.split(".Bl")[0])
            self.assertIn(f".It Cm {mangen.escape(name)}\n{mangen.escape(words)}\n", section, name)

    def test_a_required_member_says_so(self):
        self.assertIn("(lower case letters, digits and _; required)", self.page.replace("\\", ""))

    def test_every_object_is_reached_from_the_file(self):
        self.assertEqual(set(self.objects) - {item for _, _, _, item, _ in self.members}, {"TYPE"})

    def test_a_webhooks_words_are_those_of_its_table(self):
        self.assertIn('("hmac" | "ed25519" |', self.page)
        self.assertIn('("sha256" | "sha1"; default "sha256")', self.page)


class WorkflowPage(unittest.TestCase):
    def setUp(self):
        page = mangen.fill(ROOT / "contrib/man/latchwork-workflow.5.in", ROOT / "src", "1.0", "/etc/x.conf")
        self.sections = {section.split("\n")[0]: section for section in page.split("\n.Ss ")}

    def test_each_type_has_a_section_with_the_members_of_its_config(self):
        types = {arguments[0]: arguments for _, arguments in mangen.read_table(ROOT / "src/flow/steps.def")}
        for _name, text, _kind, words in types.values():
            self.assertIn(mangen.escape(words), self.sections[mangen.escape(text)])
        for _, (step, member, _kind, _need, _words) in mangen.read_table(ROOT / "src/flow/step_members.def"):
            self.assertIn(f".It Cm {mangen.escape(member)}\n", self.sections[mangen.escape(types[step][1])], step)

    def test_every_kind_of_member_is_explained(self):
        kinds = {arguments[2] for _, arguments in mangen.read_table(ROOT / "src/flow/step_members.def")}
        self.assertEqual(kinds - set(mangen.STEP_KINDS), set())
        self.assertIn("(jq; required)", self.sections["transform"])


if __name__ == "__main__":
    unittest.main()
