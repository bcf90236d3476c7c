// GGUF models in several files: NAME-00001-of-00003.gguf and so on, all in one folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nibble {

struct GgufPartName {
  std::string stem;        // before "-00001-of-00003.gguf"
  std::uint32_t part = 0;  // from 1
  std::uint32_t parts = 0;
};

// None when a file name does not have this form.
std::optional<GgufPartName> parse_part_name(std::string_view file_name);
std::string part_name(const GgufPartName& name);

}  // namespace nibble
