#!/usr/bin/env python3
"""Plants one violation at a time in a small tree and expects check_tree.py to name it."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import check_tree  # noqa: E402

SOUND = {
    "include/nibble/error.h": "// Errors.\n#pragma once\n",
    "include/nibble/checkpoint.h": '// Tensors.\n#pragma once\n#include "nibble/error.h"\n',
    "src/base/text.h": '// Text.\n#pragma once\n#include <string>\n#include "nibble/error.h"\n',
    "src/base/text.cc": '#include "base/text.h"\n',
    "src/formats/format.h": '// Formats.\n#pragma once\n#include "base/text.h"\nstruct Format;\n',
    "src/formats/list.def": "// One line per format.\nFORMAT(int4)\n",
    "src/formats/registry.cc": "// All formats.\n#define FORMAT(name) extern const Format name;\n",
    "src/formats/int4.cc": '// Four bits.\n#include "formats/format.h"\nextern const Format int4{\n};\n',
    "src/kernels/kernels.h": "// The table.\n#pragma once\n#include <stdint.h>\n",
    "src/kernels/avx2/dot.cc": '// Dot.\n#include <immintrin.h>\n#include "kernels/kernels.h"\n__m256 zero();\n',
    "src/model/specs/list.def": "SPEC(llama)\n",
    "src/model/specs/registry.cc": "// All.\n#define SPEC(name) extern const ModelSpec name;\n",
    "src/model/specs/llama.cc": '// Llama.\nextern const ModelSpec llama{"llama", "LlamaForCausalLM"};\n',
    "src/quantize/plan.cc": '// Plan. It is printed with printf by llama\'s cli, says exit(1).\nint a = 1\'000;\n',
    "src/cli/main.cc": '// Door.\n#include "quantize/plan.h"\nint main() { std::printf("x"); }\n',
    "tests/base/text_test.cc": '// Text.\n#include "base/text.h"\n',
    "tests/twins.txt": "# Tested elsewhere.\n*: base/*_test.cc\n",
    "docs/note.md": "See src/work/ and ./root/ and a/work/b.\n",
}
LONG_BODY = "{\n" + "".join(f"  total += weight[{i}] * importance[{i}] + offset;\n" for i in range(8)) + "  return total;\n}\n"


def tree_errors(changes):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (SOUND | changes).items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        findings, _ = check_tree.check(folder)
        return findings.errors


class CheckTree(unittest.TestCase):
    def expect(self, rule, place, changes):
        found = tree_errors(changes)
        self.assertTrue(any(line.startswith(f"{place}: {rule}:") for line in found),
                        f"no '{rule}' at {place} in {found}")
        self.assertEqual(len(found), 1, found)

    def test_a_sound_tree_has_no_finding(self):
        self.assertEqual(tree_errors({}), [])

    def test_a_lower_folder_may_not_include_a_higher_one(self):
        self.expect("floors", "src/base/text.cc:2",
                    {"src/base/text.cc": '#include "base/text.h"\n#include "formats/format.h"\n'})

    def test_neighbours_on_the_model_floor_do_not_know_each_other(self):
        self.expect("floors", "src/nn/linear.cc:2",
                    {"src/nn/linear.cc": '// L.\n#include "tokenizer/bpe.h"\n'})

    def test_numbers_may_not_include_the_contract_of_a_higher_folder(self):
        self.expect("floors", "src/base/text.cc:1", {"src/base/text.cc": '#include "nibble/checkpoint.h"\n'})

    def test_jobs_do_not_include_each_other(self):
        self.expect("jobs", "src/quantize/plan.cc:2",
                    {"src/quantize/plan.cc": '// P.\n#include "evaluate/results.h"\n'})

    def test_nobody_includes_the_door(self):
        self.expect("floors", "src/evaluate/kl.cc:2", {"src/evaluate/kl.cc": '// K.\n#include "cli/args.h"\n'})

    def test_a_new_folder_needs_a_floor(self):
        self.expect("floors", "src/utils/misc.cc:1", {"src/utils/misc.cc": "// M.\n"})

    def test_an_include_names_its_folder(self):
        self.expect("floors", "src/base/text.cc:1", {"src/base/text.cc": '#include "text.h"\n'})

    def test_public_headers_include_only_public_headers(self):
        self.expect("contract", "include/nibble/error.h:3",
                    {"include/nibble/error.h": '// E.\n#pragma once\n#include "base/text.h"\n'})

    def test_only_the_door_prints_reads_the_environment_or_exits(self):
        for code in ['std::printf("x");', 'getenv("HOME");', "std::cout << 1;", "std::exit(1);", "abort();",
                     'fmt::print("x");', 'fprintf(stderr, "x");']:
            with self.subTest(code):
                found = tree_errors({"src/quantize/plan.cc": f"// P.\nvoid f() {{ {code} }}\n"})
                self.assertTrue(found and all(line.startswith("src/quantize/plan.cc:2: door:") for line in found))

    def test_words_inside_other_words_are_no_print(self):
        self.assertEqual(tree_errors({"src/quantize/plan.cc": "// P.\nint on_exit(int); int n = snprintf(a, b);\n"}), [])

    def test_an_architecture_is_named_in_its_own_file_only(self):
        self.expect("specs", "src/quantize/plan.cc:2",
                    {"src/quantize/plan.cc": '// P.\nbool f(S s) { return s == "llama"; }\n'})
        self.expect("specs", "src/quantize/plan.cc:2", {"src/quantize/plan.cc": "// P.\nint read_llama_config();\n"})
        self.expect("specs", "src/quantize/plan.cc:2",
                    {"src/quantize/plan.cc": '// P.\nauto c = "GemmaForCausalLM";\n'})

    def test_intrinsics_stay_in_the_folders_of_their_instruction_set(self):
        self.expect("kernels", "src/formats/int4.cc:2",
                    {"src/formats/int4.cc": "// I.\n__m256i x;\nextern const Format int4{};\n"})
        self.expect("kernels", "src/base/text.cc:1", {"src/base/text.cc": "#include <immintrin.h>\n"})

    def test_files_with_cpu_flags_include_no_library_headers(self):
        self.expect("kernels", "src/kernels/avx2/dot.cc:2",
                    {"src/kernels/avx2/dot.cc": "// D.\n#include <algorithm>\n"})
        self.expect("kernels", "src/kernels/avx2/dot.cc:2",
                    {"src/kernels/avx2/dot.cc": '// D.\n#include "base/text.h"\n'})

    def test_three_folders_deep_is_too_deep(self):
        self.expect("depth", "src/model/specs/old/a.cc:1", {"src/model/specs/old/a.cc": "// A.\n"})

    def test_sixteen_sources_in_one_folder_are_too_many(self):
        self.expect("folder", "src/evaluate:1", {f"src/evaluate/part{i}.cc": "// P.\n" for i in range(16)})

    def test_long_files_are_reported_at_the_first_line_too_many(self):
        self.expect("length", "src/quantize/plan.cc:601", {"src/quantize/plan.cc": "// P.\n" + "\n" * 600})

    def test_a_listed_name_without_definition_is_reported(self):
        self.expect("list", "src/formats/list.def:2", {"src/formats/list.def": "FORMAT(int4)\nFORMAT(nf4)\n"})

    def test_a_definition_without_a_line_is_reported(self):
        self.expect("list", "src/formats/nf4.cc:2",
                    {"src/formats/nf4.cc": "// N.\nextern const Format nf4{};\n"})

    def test_a_list_may_append_to_its_names(self):
        registry = "// All.\n#define COMMAND(name) extern const Command name##_command;\n"
        listed = {"src/cli/list.def": "COMMAND(show)\n", "src/cli/registry.cc": registry,
                  "src/cli/show.cc": "// S.\nextern const Command show_command{};\n"}
        self.assertEqual(tree_errors(listed), [])
        self.expect("list", "src/cli/verify.cc:2",
                    listed | {"src/cli/verify.cc": "// V.\nextern const Command verify_command{};\n"})

    def test_two_functions_with_equal_bodies_are_reported(self):
        self.expect("copy", "src/base/text.cc:2", {
            "src/base/text.cc": '#include "base/text.h"\nfloat sum(const float* weight) ' + LONG_BODY,
            "src/quantize/plan.cc": "// P.\nfloat total_of(const float* weight) noexcept " + LONG_BODY})

    def test_a_source_without_a_test_needs_a_line_that_names_one(self):
        alone = {"tests/twins.txt": "formats/*: base/text_test.cc\nkernels/*: base/text_test.cc\n"
                                    "model/*: base/text_test.cc\ncli/*: base/text_test.cc\n"}
        self.expect("twins", "src/quantize/plan.cc:1", alone)
        self.expect("twins", "tests/twins.txt:2", {"tests/twins.txt": "*: base/text_test.cc\nbase/text.cc: base/text_test.cc\n"})
        self.expect("twins", "tests/twins.txt:1", {"tests/twins.txt": "*: base/nothing_test.cc\n"})
        self.expect("twins", "tests/twins.txt:1", {"tests/twins.txt": "*:\n"})

    def test_parameters_of_tests_have_names(self):
        suite = '// T.\nINSTANTIATE_TEST_SUITE_P(All, Each, testing::Values(1, f(2, 3)){});\n'
        self.expect("names", "tests/base/text_test.cc:2", {"tests/base/text_test.cc": suite.format("")})
        self.assertEqual(tree_errors({"tests/base/text_test.cc": suite.format(", name_of")}), [])

    def test_the_whole_contract_is_one_header(self):
        headers = {f"include/nibble/{name}": "// H.\n#pragma once\n" for name in check_tree.CONTRACT_OWNER}
        names = [name for name in check_tree.CONTRACT_OWNER if name != "nibble.h"]
        whole = "// All.\n#pragma once\n" + "".join(f'#include "nibble/{name}"\n' for name in names)
        self.assertEqual(tree_errors(headers | {"include/nibble/nibble.h": whole}), [])
        self.expect("contract", "include/nibble/nibble.h:1",
                    headers | {"include/nibble/nibble.h": whole.replace('#include "nibble/error.h"\n', "")})
        self.expect("contract", "include/nibble/other.h:1",
                    headers | {"include/nibble/nibble.h": whole + '#include "nibble/other.h"\n',
                               "include/nibble/other.h": "// O.\n#pragma once\n"})

    def test_paths_of_one_machine_and_package_hosts_are_reported(self):
        self.expect("words", "docs/note.md:2", {"docs/note.md": "a\nsee /" + "work/shared\n"})
        self.expect("words", "docs/note.md:1", {"docs/note.md": "see /" + "root/x\n"})
        self.expect("words", "docs/note.md:1", {"docs/note.md": "from https://py" + "pi.org/simple\n"})

    def test_a_header_says_pragma_once_and_every_file_what_it_is(self):
        self.expect("head", "src/base/text.h:1", {"src/base/text.h": "// Text.\n"})
        self.expect("head", "src/base/other.cc:1", {"src/base/other.cc": "int x;\n"})


if __name__ == "__main__":
    unittest.main()
