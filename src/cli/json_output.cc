#include "cli/json_output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/parallel.h"
#include "cli/compute_options.h"
#include "kernels/kernels.h"

namespace nibble::cli {

void print_json(std::string_view schema, const Json& object) {
  Json whole = {{"schema", schema}, {"version", NIBBLE_VERSION}};
  whole.update(object);
  const int indent = isatty(STDOUT_FILENO) != 0 ? 1 : -1;
  fmt::print("{}\n", whole.dump(indent, ' ', false, Json::error_handler_t::replace));
}

Json run_json(const std::filesystem::path& model) {
  return {{"model", model.string()}, {"instruction_set", kernels().name}, {"threads", threads()}};
}

Json run_json(const std::filesystem::path& model, Compute compute) {
  Json object = run_json(model);
  object["compute"] = name_of(compute);
  return object;
}

}  // namespace nibble::cli
