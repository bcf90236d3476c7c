#include "cli/json_output.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace nibble::cli {

void print_json(std::string_view schema, const Json& object) {
  Json whole;
  whole["schema"] = schema;
  whole.update(object);
  fmt::print("{}\n", whole.dump(1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace nibble::cli
