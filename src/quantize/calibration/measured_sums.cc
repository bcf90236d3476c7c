#include "quantize/calibration/measured_sums.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/gguf_metadata.h"
#include "checkpoint/gguf_writer.h"
#include "checkpoint/model_writer.h"
#include "nibble/error.h"
#include "quantize/calibration/input_statistics.h"

namespace nibble {

Json measured_passport(const CheckpointReader& reader) {
  const auto text = reader.gguf() != nullptr ? reader.gguf()->text(kPassportKey) : std::nullopt;
  if (!text) return nullptr;
  Json passport = with_context(kPassportKey, [&] { return parse_json(*text); });
  if (!passport.is_object()) return nullptr;
  const std::string schema = json_string(passport, "schema", "");
  const bool measured = schema.starts_with("nibble.imatrix/") || schema == kStatisticsSchema;
  return measured ? passport : Json(nullptr);
}

void require_sums(const std::filesystem::path& file, const CheckpointReader& reader,
                  const Json& passport) {
  const std::string written = json_string(passport, "tensors_sha256", "");
  if (!written.empty() && tensors_sha256(reader) == written) return;
  throw Error(ErrorKind::kCorruptFile,
              written.empty()
                  ? cat(file.string(), ": its passport lacks the sum that it was written with")
                  : cat(file.string(), ": is damaged: the SHA-256 of its tensors is not the one ",
                        "that it was written with"),
              "copy it again from where it was made, or make it again");
}

}  // namespace nibble
