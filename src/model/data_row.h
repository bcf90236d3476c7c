// What the keys of a data set's row mean.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/json.h"

namespace nibble {

struct DataRow {
  Json messages;       // a conversation, [{"role": …, "content": …}]; null: a text
  Json tools;          // null, or a list of tool descriptions
  std::string prompt;  // what stands in front of a text and is given, not answered
  std::string text;
};

// A text or an object with one of the sets of keys that model/documents.h names. Throws
// kUnsupported saying why the row is none of them.
DataRow read_data_row(const Json& row);

// All of it as plain text, messages one behind the other.
std::string joined_text(const DataRow& row);

}  // namespace nibble
