#include "cli/recipe_string.h"

#include <algorithm>

#include "base/text.h"
#include "cli/grid_words.h"
#include "nibble/error.h"
#include "quantize/types/choose_types.h"

namespace nibble::cli {
namespace {

using Specs = std::span<const OptionSpec* const>;

template <typename Entries>
std::vector<std::string> names_of(const Entries& entries) {
  std::vector<std::string> names;
  for (const auto* entry : entries) names.emplace_back(entry->name);
  return names;
}

template <typename Entries>
auto find_named(const Entries& entries, std::string_view name) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const auto* entry) { return entry->name == name; });
  return found == entries.end() ? nullptr : *found;
}

// What an option is called in the line.
std::string word_of(std::string_view option) {
  if (option == "--group-size") return "group";
  if (option == "--checkpoint-format") return "type";
  return std::string(option.substr(2));
}

bool may_be_in_option(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

// `text` with each option that `use` has a word for as that word.
template <typename Use>
std::string with_words(const std::string& text, const Use& use) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const bool begins = text.compare(at, 2, "--") == 0 && (at == 0 || text[at - 1] != '-');
    std::size_t end = at + 1;
    if (begins)
      while (end < text.size() && may_be_in_option(text[end])) ++end;
    const std::string part = text.substr(at, end - at);
    out += begins ? use(part, at) : part;
    at = end;
  }
  return out;
}

struct Word {
  std::string text;
  std::size_t at = 0;  // where it begins in the line
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  RecipeString parse() {
    if (!at_end() && !begins("->")) stage();
    while (takes("|")) stage();
    if (takes("->")) target();
    if (!at_end())
      refuse(at_, cat("\"", text_.substr(at_), "\" was not expected here"),
             "stages are separated by |, and -> stands before the layout");
    if (recipe_ == RecipeString())
      refuse(0, "says nothing", "write one such as 'awq | gptq int4:128 -> awq'");
    return std::move(recipe_);
  }

 private:
  [[noreturn]] static void refuse(std::size_t at, const std::string& what, const std::string& fix) {
    throw Error(ErrorKind::kInvalidArgument, cat(place(at), ": ", what), fix);
  }

  static std::string place(std::size_t at) { return cat("--recipe, character ", at + 1); }

  bool begins(std::string_view sign) {
    at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size());
    return text_.substr(at_).starts_with(sign);
  }
  bool takes(std::string_view sign) {
    const bool there = begins(sign);
    if (there) at_ += sign.size();
    return there;
  }
  bool at_end() { return begins("") && at_ == text_.size(); }

  // What stands before the next sign; empty: a sign stands here.
  Word word() {
    begins("");
    const std::size_t first = at_;
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n|(),=:").find(text_[at_]) == std::string_view::npos &&
           !text_.substr(at_).starts_with("->"))
      ++at_;
    return {std::string(text_.substr(first, at_ - first)), first};
  }

  Word word(const std::string& wanted, const std::string& fix) {
    Word word = this->word();
    if (!word.text.empty()) return word;
    const std::string here =
        at_ == text_.size() ? "the line ends" : cat("\"", text_.substr(at_, 1), "\" stands");
    refuse(at_, cat(here, " where ", wanted, " belongs"), fix);
  }

  void stage() {
    const Word name = word("a transform, a method or a grid", "'awq | gptq int4:128 -> awq'");
    if (!recipe_.method.empty() || !recipe_.grid.empty())
      refuse(name.at, cat(name.text, " stands behind the last stage"),
             "transforms come first, then one method with its grid, then -> and the layout");
    if (const Transform* transform = find_named(transforms::all(), name.text)) {
      if (std::find(recipe_.transforms.begin(), recipe_.transforms.end(), name.text) !=
          recipe_.transforms.end())
        refuse(name.at, cat(name.text, " was said already"), "each transform is done once");
      said("--transform", name.at);
      recipe_.transforms.push_back(name.text);
      settings(name.text, transform->options);
      return;
    }
    if (const Method* method = find_named(methods::all(), name.text)) {
      said("--method", name.at);
      recipe_.method = name.text;
      settings(name.text, method->options);
      if (const Word grid = word(); !grid.text.empty()) take_grid(grid);
      return;
    }
    refuse_target(name);
    if (grids::find(name.text) == nullptr && name.text.find_first_not_of("0123456789") == 0) {
      auto known = names_of(transforms::all());
      for (std::string& method : names_of(methods::all())) known.push_back(std::move(method));
      for (std::string& grid : names_of(grids::all())) known.push_back(std::move(grid));
      with_context(place(name.at),
                   [&] { throw unknown_word("transform, method or grid", name.text, known); });
    }
    take_grid(name);
  }

  void said(const std::string& option, std::size_t at) { recipe_.places.emplace(option, at + 1); }

  // A word that belongs behind the arrow.
  static void refuse_target(const Word& word) {
    if (grids::find(word.text) != nullptr) return;
    const auto types = type_words("");
    const bool type = std::any_of(types.begin(), types.end(), [&](const std::string& name) {
      return gguf_named_alike(name, word.text);
    });
    if (type || find_named(layouts::all(), word.text) != nullptr)
      refuse(word.at,
             cat(word.text, " is a ", type ? "type" : "layout", ", which stands behind ->"),
             cat("write '-> ", word.text, "' at the end, and a grid, if any, in front of it"));
  }

  void take_grid(const Word& grid) {
    refuse_target(grid);
    said("--grid", grid.at);
    recipe_.grid = with_context(place(grid.at), [&] { return grid_named("grid", grid.text).name; });
    if (!takes(":")) return;
    const Word group = word("a group size", "a number of columns such as 128, or -1 for a row");
    with_context(place(group.at), [&] { parse_group("group", group.text); });
    said("--group-size", group.at);
    recipe_.group = group.text;
  }

  // "(alpha=0.7, …)" behind the stage of this name, or nothing.
  void settings(const std::string& stage, Specs specs) {
    if (!takes("(")) return;
    do {
      const Word name = word("an option", cat("options of ", stage, ": ", names(specs)));
      const OptionSpec& spec = with_context(
          place(name.at), [&]() -> const OptionSpec& { return option(stage, specs, name.text); });
      if (!takes("="))
        refuse(at_, cat(name.text, " has no value"), cat("write ", name.text, "=", spec.initial));
      const Word value = word("a value", cat("write ", name.text, "=", spec.initial));
      set(specs, spec, name.text, value);
      said(cat("--", spec.name), name.at);
      const auto [place_of, added] = recipe_.settings.emplace(spec.name, value.text);
      if (!added && place_of->second != value.text)
        refuse(name.at, cat(spec.name, " is ", place_of->second, " already"),
               "every option has one value for the whole job");
    } while (takes(","));
    if (!takes(")"))
      refuse(at_,
             cat("the options of ", stage, " do not end: ",
                 at_ == text_.size() ? std::string("the line does")
                                     : cat("\"", text_.substr(at_, 1), "\" stands here")),
             "write ) behind the last of them, and a comma between two");
  }

  // The name as it was written: nobody typed an option.
  static void set(Specs specs, const OptionSpec& spec, const std::string& name, const Word& value) {
    try {
      Options(specs).set(spec, value.text);
    } catch (const Error& error) {
      const auto use = [&](const std::string& option, std::size_t) {
        return option == cat("--", spec.name) ? name : option;
      };
      throw Error(error.kind(), cat(place(value.at), ": ", with_words(error.what(), use)));
    }
  }

  static std::string names(Specs specs) {
    return specs.empty() ? "none" : join(names_of(specs), ", ");
  }

  static const OptionSpec& option(const std::string& stage, Specs specs, const std::string& name) {
    if (const OptionSpec* spec = find_named(specs, name)) return *spec;
    const OptionSpec* found = nullptr;
    for (const OptionSpec* spec : specs)
      if (spec->name.ends_with("-" + name)) {
        if (found != nullptr)
          throw Error(ErrorKind::kInvalidArgument,
                      cat("\"", name, "\" may be ", found->name, " or ", spec->name),
                      "write the whole name");
        found = spec;
      }
    if (found != nullptr) return *found;
    if (specs.empty())
      throw Error(ErrorKind::kInvalidArgument, cat(stage, " has no options"), "leave them out");
    throw unknown_word(cat("option of ", stage), name, names_of(specs));
  }

  void target() {
    const Word first = word("a layout or type", "such as awq, gptq:gptq_v2, Q4_K_M, gguf:Q4_K");
    const bool layout = find_named(layouts::all(), first.text) != nullptr;
    if (layout) {
      said("--layout", first.at);
      recipe_.layout = first.text;
    }
    if (layout && !takes(":")) return;
    const Word type =
        layout ? word("a type", cat("types of ", first.text, ": ", words_of(first))) : first;
    std::vector<std::string> known = type_words(recipe_.layout);
    for (const std::string& name : known)
      if (gguf_named_alike(name, type.text)) recipe_.type = name;
    for (const char* option : {"--type", "--checkpoint-format"}) said(option, type.at);
    if (!recipe_.type.empty()) return;
    known = nearest_first(std::move(known), type.text);
    if (!layout) {
      auto all = names_of(layouts::all());
      for (std::string& name : known)  // a dialect may be called as its layout
        if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(std::move(name));
      known = std::move(all);
    }
    with_context(place(type.at), [&] {
      throw unknown_word(layout ? cat("type of ", first.text) : "layout or type", type.text, known);
    });
  }

  static std::string words_of(const Word& layout) { return join(type_words(layout.text), ", "); }

  std::string_view text_;
  std::size_t at_ = 0;
  RecipeString recipe_;
};

// "name(option=value, …)"
std::string stage_text(const std::string& name, Specs specs, const RecipeString& recipe) {
  std::vector<std::string> options;
  for (const OptionSpec* spec : specs)
    if (const auto found = recipe.settings.find(std::string(spec->name));
        found != recipe.settings.end())
      options.push_back(cat(spec->name, "=", found->second));
  return options.empty() ? name : cat(name, "(", join(options, ", "), ")");
}

}  // namespace

RecipeString parse_recipe(std::string_view text) { return Parser(text).parse(); }

Error in_words_of(const RecipeString& recipe, const Error& error) {
  const std::string text = error.what();
  const std::size_t fix = text.find("\n  fix: ");
  std::size_t first = 0;
  const auto use = [&](const std::string& option, std::size_t at) {
    const auto place = recipe.places.find(option);
    if (place == recipe.places.end()) return option;
    if (first == 0) first = place->second;
    return cat(at < fix ? "the recipe's " : "", word_of(option));
  };
  const std::string words = with_words(text, use);
  return first == 0 ? error : Error(error.kind(), cat("--recipe, character ", first, ": ", words));
}

std::string text_of(const RecipeString& recipe) {
  std::vector<std::string> stages;
  for (const std::string& name : recipe.transforms)
    stages.push_back(stage_text(name, transforms::named(name).options, recipe));
  std::string last = recipe.method;
  if (!last.empty()) last = stage_text(last, methods::named(last).options, recipe);
  if (!recipe.grid.empty()) last += cat(last.empty() ? "" : " ", recipe.grid);
  if (!recipe.group.empty()) last += cat(":", recipe.group);
  if (!last.empty()) stages.push_back(last);
  std::string text = join(stages, " | ");
  const std::string& layout = recipe.layout;
  if (layout.empty() && recipe.type.empty()) return text;
  const char* colon = !layout.empty() && !recipe.type.empty() ? ":" : "";
  return cat(text, text.empty() ? "-> " : " -> ", layout, colon, recipe.type);
}

}  // namespace nibble::cli
