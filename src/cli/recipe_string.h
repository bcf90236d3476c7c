// A whole recipe in one line: "smoothquant(alpha=0.7) | gptq int4:128 -> compressed-tensors".
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "nibble/error.h"

namespace nibble::cli {

// What the line says, in the words of the options that say the same; what it leaves out is empty.
struct RecipeString {
  std::vector<std::string> transforms;          // in the order they are applied
  std::string method;                           // "gptq"
  std::string grid;                             // "int4", also where "4" was written
  std::string group;                            // "128", "-1": a whole row
  std::map<std::string, std::string> settings;  // "smooth-alpha": "0.7"
  std::string layout, type;                     // "gguf", "Q4_K_M"
  // Where the words of each option stand, counted from 1: {"--grid", 6}.
  std::map<std::string, std::size_t> places = {};
  // Says the same, wherever its words stand.
  bool operator==(const RecipeString& other) const {
    const auto said = [](const RecipeString& of) {
      return std::tie(of.transforms, of.method, of.grid, of.group, of.settings, of.layout, of.type);
    };
    return said(*this) == said(other);
  }
};

//   [TRANSFORM |] … [METHOD] [GRID[:GROUP]] [-> LAYOUT[:TYPE], or -> TYPE]
// Behind a transform or a method its options in parentheses, by their names ("smooth-alpha=0.7") or
// by the last part of them ("alpha=0.7"). Throws kInvalidArgument naming the word, where it stands,
// counted from 1, and what is known there.
RecipeString parse_recipe(std::string_view text);

// An error that names options which nobody typed, as one about the line that stood for them:
// "--group-size 48 …" is "--recipe, character 11: the recipe's group 48 …". Options that have no
// place in `recipe` keep their names.
Error in_words_of(const RecipeString& recipe, const Error& error);

// The same recipe in its usual form, options by their full names; parse_recipe reads it again.
std::string text_of(const RecipeString& recipe);

}  // namespace nibble::cli
