#!/usr/bin/env python3
"""Shows check_symbols.py what nm prints for functions that may and may not be merged."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import check_symbols  # noqa: E402

OBJECT = "build/CMakeFiles/nibble_kernels.dir/src/kernels/avx2/gemm.cc.o"


class CheckSymbols(unittest.TestCase):
    def test_an_object_belongs_to_its_folder_and_scalar_has_no_flags(self):
        self.assertEqual(check_symbols.folder_of(OBJECT), "avx2")
        self.assertIsNone(check_symbols.folder_of(OBJECT.replace("avx2", "scalar")))
        self.assertIsNone(check_symbols.folder_of("build/src/kernels/choose.cc.o"))

    def test_functions_of_the_own_namespace_may_be_weak(self):
        self.assertEqual(check_symbols.strangers("0000 W _ZN6nibble4avx24loadEPKf\n", "avx2"), [])

    def test_functions_of_another_namespace_may_not(self):
        for name in ["_ZN6nibble10dense_formEv", "_ZN6nibble6avx5124loadEPKf", "_ZSt3maxIfERKT_S2_S2_"]:
            self.assertEqual(check_symbols.strangers(f"0000 W {name}\n", "avx2"), [name])

    def test_data_and_functions_that_are_not_merged_are_fine(self):
        listing = "0000 V _ZN6nibble4kIv4E\n0000 u _ZN6nibble1xE\n0000 T _ZN6nibble1fEv\n0000 t _ZN6nibble1gEv\n"
        self.assertEqual(check_symbols.strangers(listing, "avx2"), [])


if __name__ == "__main__":
    unittest.main()
